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

from prosumax.household import battery as _battery
from prosumax.household.battery import BatteryParams
from prosumax.optimum.problem import Array, Problem, cost_alone, cost_together
from prosumax.optimum.program import OnStage, Solution, solve
from prosumax.optimum.storage import Physics, best_physics

_PASSES = 4  # of a battery that is not linear; more changed the cost of citylearn-2022 by less than 0.1 %
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
    """

    power_kw: Float[Array, "step home"]
    net_kwh: Float[Array, "step home"]
    objective: float
    bound: float
    columns: int
    rows: int
    seconds: float

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
    steps, storing = problem.net_kwh.shape[0], problem.storing
    size = max(1, _GROUP // steps)
    groups = [storing[first : first + size] for first in range(0, len(storing), size)]
    power, net, cost = np.zeros_like(problem.net_kwh), problem.net_kwh.copy(), cost_alone(problem, problem.net_kwh)
    bound, columns, rows, seconds = float(np.delete(cost, storing).sum()), 0, 0, 0.0
    for number, homes in enumerate(groups):
        part = _search(problem.of(homes), False, partial(_from, on_stage, number / len(groups), 1 / len(groups)))
        power[:, homes], net[:, homes] = part.power_kw, part.net_kwh
        bound, seconds = bound + part.bound, seconds + part.seconds
        columns, rows = max(columns, part.columns), max(rows, part.rows)
    return Plan(power, net, float(cost_alone(problem, net).sum()), bound, columns, rows, seconds)


def plan_together(problem: Problem, on_stage: OnStage = silent) -> Plan:
    """The cheapest plan of all homes as one, surplus going first to whoever needs it; arguments as in `plan_alone`."""
    if not len(problem.storing):
        cost = cost_together(problem, problem.net_kwh)
        return Plan(np.zeros_like(problem.net_kwh), problem.net_kwh, cost, cost, 0, 0, 0.0)
    return _search(problem, True, on_stage)


def _from(on_stage: OnStage, start: float, share: float, stage: str, done: float) -> None:
    on_stage(stage, start + share * done)


def _search(problem: Problem, together: bool, on_stage: OnStage) -> Plan:
    storing = problem.storing
    battery = problem.of(storing).battery
    negative = (problem.buy < 0) | (problem.sell < 0)
    physics = best_physics(battery, len(problem.buy), problem.step_hours, negative)
    passes = 1 if is_linear(battery) else _PASSES
    power, net = np.zeros_like(problem.net_kwh), problem.net_kwh.copy()
    lowest = np.full(1 if together else problem.net_kwh.shape[1], np.inf)
    bound, seconds, basis = -np.inf, 0.0, None
    for number in range(passes):
        step = partial(_from, on_stage, number / passes, 1 / passes)
        solution = solve(problem, physics, together=together, on_stage=step, start=basis)
        seconds, basis = seconds + solution.seconds, solution.basis
        if number == 0:
            bound = solution.bound - _topping_up(problem, battery, physics)
        asked = (solution.charge_kwh - solution.discharge_kwh) / problem.step_hours
        played = replay(battery, asked[:, storing], problem.step_hours)
        meters = problem.net_kwh.copy()
        meters[:, storing] += played.charge_kwh - played.discharge_kwh
        cost = np.array([cost_together(problem, meters)]) if together else cost_alone(problem, meters)
        better = cost < lowest
        power, net = np.where(better, asked, power), np.where(better, meters, net)
        lowest = np.minimum(cost, lowest)
        physics = _refined(battery, physics, solution, played, problem)
    return Plan(power, net, float(lowest.sum()), bound, solution.columns, solution.rows, seconds)


def is_linear(battery: BatteryParams) -> bool:
    """Whether `best_physics` describes these batteries (NumPy, none of size zero) as they are."""
    flat = all(np.ptp(curve, axis=-1).max() < 1e-6 for curve in (battery.charge_curve, battery.discharge_curve))
    return bool(flat and not battery.fade.any())


def _topping_up(problem: Problem, battery: BatteryParams, physics: Physics) -> float:
    """The most that keeping batteries at `soc_min` against their standing loss can have cost."""
    lost = battery.standing_loss * battery.soc_min * battery.capacity_kwh
    return float((np.maximum(problem.buy, 0)[:, None] * lost / physics.charge_efficiency).sum())


class Played(NamedTuple):
    """A plan as the battery's physics play it, [step, home], double precision of a single-precision run."""

    charge_kwh: Float[Array, "step home"]
    discharge_kwh: Float[Array, "step home"]
    stored_kwh: Float[Array, "step home"]
    capacity_kwh: Float[Array, "step home"]


def replay(battery: BatteryParams, power_kw: Float[Array, "step home"], step_hours: float) -> Played:
    """Ask the simulation's own battery for a plan.

    Arguments:
        battery: one slot per home.
        power_kw: asked for.
        step_hours: length of a step.
    """
    params: Any = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), battery)
    played = _play(params, jnp.asarray(power_kw, jnp.float32), jnp.float32(step_hours))
    return Played(*(np.asarray(part, np.float64) for part in played))


@jax.jit
def _play(params: BatteryParams, power_kw: jax.Array, step_hours: jax.Array) -> tuple[jax.Array, ...]:
    def advance(state: _battery.BatteryState, power: jax.Array) -> tuple[_battery.BatteryState, tuple[jax.Array, ...]]:
        after, flow = _battery.step(params, state, power, step_hours)
        return after, (flow.charge_kwh, flow.discharge_kwh, after.stored_kwh, state.capacity_kwh)

    _, played = jax.lax.scan(advance, _battery.initial_state(params), power_kw)
    return tuple(played)


def _refined(battery: BatteryParams, physics: Physics, solution: Solution, played: Played, problem: Problem) -> Physics:
    """Each step's efficiency at the power just planned, and the capacity that fade left; idle steps take the mean."""
    charge, discharge = solution.charge_kwh[:, problem.storing], solution.discharge_kwh[:, problem.storing]
    points, hours = battery.efficiency_power, problem.step_hours
    return physics._replace(
        charge_efficiency=_at_power(points, battery.charge_curve, charge / (battery.charge_kw * hours)),
        discharge_efficiency=_at_power(points, battery.discharge_curve, discharge / (battery.discharge_kw * hours)),
        ceiling_kwh=np.minimum(battery.soc_max * battery.capacity_kwh, played.capacity_kwh),
    )


def _at_power(points: Any, curve: Any, share: Float[Array, "step home"]) -> Float[Array, "step home"]:
    """One-way efficiency of each home at a share of its power limit."""
    efficiency = np.empty_like(share)
    for home, power in enumerate(share.T):
        active = power > 1e-6
        usual = power[active].mean() if active.any() else 1.0
        efficiency[:, home] = np.sqrt(np.interp(np.where(active, power, usual), points[home], curve[home]))
    return efficiency
