"""The best plan for real batteries: linear programs, each played through the battery's own physics.

A battery with one efficiency, no fade and a concave power curve is linear, and one program is exact. Where efficiency
depends on power or capacity fades, a first program with a battery that nothing real can beat gives a lower bound; the
next ones take each step's efficiency and capacity from the plan before, and the best plan that was played counts. Bound
and plan enclose the true optimum.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.devices import flexible
from prosumax.devices.battery import BatteryParams
from prosumax.devices.battery_aging import AgeingParams
from prosumax.devices.home import HomeParams, HomeState, initial_state, run_devices
from prosumax.devices.home import step as home_step
from prosumax.optimization.flexible import Flexible, or_idle
from prosumax.optimization.problem import Array, Problem, cost_alone, cost_together
from prosumax.optimization.program import OnStage, Solution, solve
from prosumax.optimization.storage import Physics, best_physics
from prosumax.types import Requests

_PASSES = (
    4  # of a battery that is not linear; more changed the cost of citylearn-2022 by less than 0.1 %
)
_AGEING_PASSES = 2  # the second knows what capacity the first left
_GROUP = 40_000  # battery-steps in one program of homes that do not depend on each other


class Plan(NamedTuple):
    """What to do, what it costs, and how good it can be at most.

    Attributes:
        power_kw: asked of each battery, positive charges [step, home].
        net_kwh: the meters that follow, as the battery's physics play it [step, home].
        objective: what it costs, played.
        bound: no plan costs less.
        columns, rows: size of the largest program.
        seconds: all programs together.
        requests: of cars and heat pumps, kW [step, home], NaN for homes without; None where there are none.
    """

    power_kw: Float[Array, "step home"]
    net_kwh: Float[Array, "step home"]
    objective: float
    bound: float
    columns: int
    rows: int
    seconds: float
    requests: Requests | None = None

    @property
    def gap(self) -> float:
        """Distance between plan and bound as a share of the bound."""
        return (self.objective - self.bound) / max(abs(self.bound), 1e-12)


def silent(stage: str, done: float) -> None:
    """Progress that nobody watches."""


def plan_alone(problem: Problem, on_stage: OnStage = silent) -> Plan:
    """The cheapest plan of each home for itself, a few homes at a time.

    Arguments:
        problem: from `pose`.
        on_stage: called with a line and the share done.
    """
    steps, deciding = problem.net_kwh.shape[0], problem.deciding
    size = max(1, _GROUP // steps // (1 if problem.devices is None else 2))
    groups = [deciding[first : first + size] for first in range(0, len(deciding), size)]
    power, net, cost = (
        np.zeros_like(problem.net_kwh),
        problem.net_kwh.copy(),
        cost_alone(problem, problem.net_kwh),
    )
    bound, columns, rows, seconds = float(np.delete(cost, deciding).sum()), 0, 0, 0.0
    requests = nothing_asked(problem)
    for number, homes in enumerate(groups):
        part = _search(
            problem.of(homes),
            False,
            partial(_from, on_stage, number / len(groups), 1 / len(groups)),
        )
        power[:, homes], net[:, homes] = part.power_kw, part.net_kwh
        requests = put(requests, homes, part.requests)
        bound, seconds = bound + part.bound, seconds + part.seconds
        columns, rows = max(columns, part.columns), max(rows, part.rows)
    return Plan(
        power, net, float(cost_alone(problem, net).sum()), bound, columns, rows, seconds, requests
    )


def plan_together(problem: Problem, on_stage: OnStage = silent) -> Plan:
    """The cheapest plan of all homes as one, surplus going first to whoever needs it; arguments as in `plan_alone`."""
    if not len(problem.deciding):
        cost = cost_together(problem, problem.net_kwh)
        return Plan(np.zeros_like(problem.net_kwh), problem.net_kwh, cost, cost, 0, 0, 0.0)
    return _search(problem, True, on_stage)


def _from(on_stage: OnStage, start: float, share: float, stage: str, done: float) -> None:
    on_stage(stage, start + share * done)


def _search(problem: Problem, together: bool, on_stage: OnStage) -> Plan:
    deciding = problem.deciding
    own = problem.of(deciding)
    battery = or_idle(own.battery)
    negative = (problem.buy < 0) | (problem.sell < 0)
    physics = best_physics(battery, len(problem.buy), problem.step_hours, negative)
    passes = _PASSES if not is_linear(battery) else 1 if own.ageing is None else _AGEING_PASSES
    power, net = np.zeros_like(problem.net_kwh), problem.net_kwh.copy()
    requests = nothing_asked(problem)
    lowest = np.full(1 if together else problem.net_kwh.shape[1], np.inf)
    bound, seconds, basis = -np.inf, 0.0, None
    for number in range(passes):
        step = partial(_from, on_stage, number / passes, 1 / passes)
        solution = solve(problem, physics, together=together, on_stage=step, start=basis)
        seconds, basis = seconds + solution.seconds, solution.basis
        if number == 0:
            bound = solution.bound - _topping_up(problem, battery, physics)
        asked = (solution.charge_kwh - solution.discharge_kwh) / problem.step_hours
        played = replay(
            battery,
            asked[:, deciding],
            problem.step_hours,
            own.ageing,
            own.devices,
            solution.requests,
        )
        meters = problem.net_kwh.copy()
        if own.devices is not None:
            meters[:, deciding] = own.devices.base_kwh + played.devices_kwh
        meters[:, deciding] += played.charge_kwh - played.discharge_kwh
        cost = (
            np.array([cost_together(problem, meters)]) if together else cost_alone(problem, meters)
        )
        better = cost < lowest
        power, net = np.where(better, asked, power), np.where(better, meters, net)
        if solution.requests is not None:
            chosen = np.broadcast_to(better, problem.net_kwh.shape[1:])[deciding]
            some = jax.tree.map(lambda leaf, chosen=chosen: leaf[:, chosen], solution.requests)
            requests = put(requests, deciding[chosen], some)
        lowest = np.minimum(cost, lowest)
        physics = _refined(battery, physics, solution, played, problem)
    return Plan(
        power, net, float(lowest.sum()), bound, solution.columns, solution.rows, seconds, requests
    )


def nothing_asked(problem: Problem) -> Requests | None:
    """Requests that leave every device to its habit: NaN; None where there are no devices."""
    if problem.devices is None:
        return None
    params, nothing = problem.devices.params, np.full_like(problem.net_kwh, np.nan)
    pumps = [None if params.heat_pump is None else nothing.copy() for _ in range(2)]
    asked: list[Any] = [None if params.car is None else nothing.copy(), *pumps]
    return Requests(*asked)


def put(
    requests: Requests | None, homes: NDArray[np.int64], some: Requests | None
) -> Requests | None:
    """The requests with those of some homes in their places."""
    if requests is None or some is None:
        return requests
    for whole, part in zip(requests, some, strict=True):
        if whole is not None and part is not None:
            whole[:, homes] = part
    return requests


def is_linear(battery: BatteryParams) -> bool:
    """Whether `best_physics` describes these batteries (NumPy, none of size zero) as they are."""
    flat = all(
        np.ptp(curve, axis=-1).max() < 1e-6
        for curve in (battery.charge_curve, battery.discharge_curve)
    )
    return bool(flat and not battery.fade.any())


def _topping_up(problem: Problem, battery: BatteryParams, physics: Physics) -> float:
    """The most that keeping batteries at `soc_min` against their standing loss can have cost."""
    lost = battery.standing_loss * battery.soc_min * battery.capacity_kwh
    return float((np.maximum(problem.buy, 0)[:, None] * lost / physics.charge_efficiency).sum())


class Played(NamedTuple):
    """A plan as the homes' physics play it, [step, home], double precision of a single-precision run."""

    charge_kwh: Float[Array, "step home"]
    discharge_kwh: Float[Array, "step home"]
    stored_kwh: Float[Array, "step home"]
    capacity_kwh: Float[Array, "step home"]
    devices_kwh: Float[Array, "step home"]


def replay(
    battery: BatteryParams,
    power_kw: Float[Array, "step home"],
    step_hours: float,
    ageing: AgeingParams | None = None,
    devices: Flexible | None = None,
    requests: Requests | None = None,
) -> Played:
    """Ask the simulation's own homes for a plan.

    Arguments:
        battery: one slot per home.
        power_kw: asked of it.
        step_hours: length of a step.
        ageing: of the batteries.
        devices: cars, heat pumps and appliances of the same homes.
        requests: of them; appliances keep their habits.
    """
    homes: Any = HomeParams(battery, ageing, None if devices is None else devices.params)
    params, asked = jax.tree.map(_as_simulated, (homes, requests))
    series = None if devices is None else jax.tree.map(_as_simulated, devices.series)
    played = _play(
        params, jnp.asarray(power_kw, jnp.float32), series, asked, jnp.float32(step_hours)
    )
    return Played(*(np.asarray(part, np.float64) for part in played))


def _as_simulated(leaf: Any) -> jax.Array:
    """Single precision; whole numbers and truths stay what they are."""
    return jnp.asarray(leaf, jnp.float32 if np.asarray(leaf).dtype.kind == "f" else None)


@jax.jit
def _play(
    params: HomeParams,
    power_kw: jax.Array,
    series: Any,
    requests: Requests | None,
    step_hours: jax.Array,
) -> tuple[jax.Array, ...]:
    nothing = jnp.zeros(power_kw.shape[1:])

    def advance(
        state: HomeState, row: tuple[jax.Array, Any, Any]
    ) -> tuple[HomeState, tuple[jax.Array, ...]]:
        power, now, asked = row
        state, devices = run_devices(params, state, now, asked, step_hours)
        drawn = nothing if devices is None else nothing + flexible.net_kwh(devices)
        after, flow = home_step(params, state, nothing, nothing, power, step_hours)
        before = state.battery.capacity_kwh
        return after, (flow.charge_kwh, flow.discharge_kwh, after.battery.stored_kwh, before, drawn)

    _, played = jax.lax.scan(advance, initial_state(params), (power_kw, series, requests))
    return tuple(played)


def _refined(
    battery: BatteryParams, physics: Physics, solution: Solution, played: Played, problem: Problem
) -> Physics:
    """Each step's efficiency at the power just planned, and the capacity that fade left; idle steps take the mean."""
    charge, discharge = (
        solution.charge_kwh[:, problem.deciding],
        solution.discharge_kwh[:, problem.deciding],
    )
    points, hours = battery.efficiency_power, problem.step_hours
    return physics._replace(
        charge_efficiency=_at_power(
            points, battery.charge_curve, _share(charge, battery.charge_kw * hours)
        ),
        discharge_efficiency=_at_power(
            points, battery.discharge_curve, _share(discharge, battery.discharge_kw * hours)
        ),
        ceiling_kwh=np.minimum(battery.soc_max * battery.capacity_kwh, played.capacity_kwh),
    )


def _share(
    part: Float[Array, "step home"], whole: Float[Any, " home"]
) -> Float[Array, "step home"]:
    return part / np.where(whole > 0, whole, 1.0)


def _at_power(
    points: Any, curve: Any, share: Float[Array, "step home"]
) -> Float[Array, "step home"]:
    """One-way efficiency of each home at a share of its power limit."""
    efficiency = np.empty_like(share)
    for home, power in enumerate(share.T):
        active = power > 1e-6
        usual = power[active].mean() if active.any() else 1.0
        efficiency[:, home] = np.sqrt(
            np.interp(np.where(active, power, usual), points[home], curve[home])
        )
    return efficiency
