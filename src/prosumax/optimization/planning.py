"""Optimal plans for real batteries: linear programs whose plans are simulated with the devices.

A battery with constant efficiency, no capacity loss and a concave power curve is linear, and one
program is exact. Otherwise a first program with a battery that no real one outperforms gives a
lower bound. The following programs take the efficiency and capacity of each step from the plan
before, and the best simulated plan is kept. Bound and plan enclose the true optimum.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.devices.battery import BatteryParams
from prosumax.devices.battery_program import (
    StorageModel,
    best_case_storage,
    limit_batteries,
    replace_absent_batteries,
)
from prosumax.devices.home import (
    BATTERY,
    HomeParams,
    HomeState,
    devices_net_kwh,
    initial_state,
    step_devices,
)
from prosumax.devices.home import step as step_home
from prosumax.numerics import AnyArray
from prosumax.optimization.flexible import FlexibleDevices
from prosumax.optimization.problem import Array, Problem, community_cost, individual_cost
from prosumax.optimization.program import ProgressCallback, Solution, solve
from prosumax.types import EVENTS, DeviceRequests

# Programs for batteries that are not linear; more changed the cost of citylearn-2022 by less than
# 0.1 %.
_NONLINEAR_PASSES = 4

# Programs for batteries that age: the second knows the capacity that the first left.
_AGING_PASSES = 2

# Battery-steps in one program of homes that do not depend on each other.
_GROUP_SIZE = 40_000

# Share of the power limit below which a battery counts as idle.
_IDLE_SHARE = 1e-6

# Range of an efficiency curve below which it counts as constant.
_CURVE_TOLERANCE = 1e-6

# Smallest bound that an optimality gap is divided by.
_MIN_BOUND = 1e-12


class DispatchPlan(NamedTuple):
    """A plan with its cost and a lower bound of the cost.

    Attributes:
        power_kw: Requested power of each battery, positive when charging [step, home].
        net_kwh: Resulting net energy before limits of the supply, as the devices are simulated
            [step, home].
        objective: Cost of the simulated plan.
        bound: Lower bound of the cost of any plan.
        num_variables: Number of variables of the largest program.
        num_constraints: Number of constraints of the largest program.
        seconds: Time of all programs.
        requests: Requests to other devices by kind, kW [step, home, slot]; NaN applies the default
            control. None if there are no such devices.
    """

    power_kw: Float[Array, "step home"]
    net_kwh: Float[Array, "step home"]
    objective: float
    bound: float
    num_variables: int
    num_constraints: int
    seconds: float
    requests: DeviceRequests | None = None

    @property
    def gap(self) -> float:
        """Optimality gap: distance between objective and bound as a share of the bound."""
        return (self.objective - self.bound) / max(abs(self.bound), _MIN_BOUND)


def ignore_progress(message: str, done: float) -> None:
    """Discard progress messages.

    Args:
        message: Description of the work.
        done: Completed share of the work.
    """


def plan_individual(
    problem: Problem, on_progress: ProgressCallback = ignore_progress
) -> DispatchPlan:
    """Plan each home for itself, a few homes per program.

    Args:
        problem: The problem, from `build_problem`.
        on_progress: Called with a message and the completed share of the work.
    """
    steps = problem.net_kwh.shape[0]
    controllable = problem.controllable_homes
    size = max(1, _GROUP_SIZE // steps // (1 if problem.devices is None else 2))
    groups = [controllable[first : first + size] for first in range(0, len(controllable), size)]
    power = np.zeros_like(problem.net_kwh)
    net = problem.net_kwh.copy()
    idle_cost = individual_cost(problem, problem.net_kwh)
    bound = float(np.delete(idle_cost, controllable).sum())
    num_variables = 0
    num_constraints = 0
    seconds = 0.0
    requests = default_requests(problem)
    for number, homes in enumerate(groups):
        progress = partial(_report_part, on_progress, number / len(groups), 1 / len(groups))
        part = _search(problem.select_homes(homes), False, progress)
        power[:, homes] = part.power_kw
        net[:, homes] = part.net_kwh
        requests = set_requests(requests, homes, part.requests)
        bound += part.bound
        seconds += part.seconds
        num_variables = max(num_variables, part.num_variables)
        num_constraints = max(num_constraints, part.num_constraints)
    return DispatchPlan(
        power_kw=power,
        net_kwh=net,
        objective=float(individual_cost(problem, net).sum()),
        bound=bound,
        num_variables=num_variables,
        num_constraints=num_constraints,
        seconds=seconds,
        requests=requests,
    )


def plan_community(
    problem: Problem, on_progress: ProgressCallback = ignore_progress
) -> DispatchPlan:
    """Plan all homes together, with surplus covering deficits before it is sold to the grid.

    Args:
        problem: The problem, from `build_problem`.
        on_progress: Called with a message and the completed share of the work.
    """
    if not len(problem.controllable_homes):
        cost = community_cost(problem, problem.net_kwh)
        idle = np.zeros_like(problem.net_kwh)
        return DispatchPlan(idle, problem.net_kwh, cost, cost, 0, 0, 0.0)
    return _search(problem, True, on_progress)


def _report_part(
    on_progress: ProgressCallback, start: float, share: float, message: str, done: float
) -> None:
    on_progress(message, start + share * done)


def _search(problem: Problem, joint: bool, on_progress: ProgressCallback) -> DispatchPlan:
    controllable = problem.controllable_homes
    own = problem.select_homes(controllable)
    battery = replace_absent_batteries(own.battery)
    storage = best_case_storage(
        limit_batteries(battery, own.events),
        len(problem.buy_price),
        problem.step_hours,
        problem.has_negative_price,
    )
    passes = _count_passes(battery)
    power = np.zeros_like(problem.net_kwh)
    net = problem.net_kwh.copy()
    requests = default_requests(problem)
    lowest = np.full(1 if joint else problem.net_kwh.shape[1], np.inf)
    bound = -np.inf
    seconds = 0.0
    basis = None
    for number in range(passes):
        progress = partial(_report_part, on_progress, number / passes, 1 / passes)
        solution = solve(problem, storage, joint=joint, on_progress=progress, start_basis=basis)
        seconds += solution.seconds
        basis = solution.basis
        if number == 0:
            bound = solution.bound - _max_holding_cost(problem, battery, storage)
        requested = (solution.charge_kwh - solution.discharge_kwh) / problem.step_hours
        simulated = simulate_plan(
            battery,
            requested[:, controllable],
            problem.step_hours,
            own.devices,
            solution.requests,
        )
        meters = problem.net_kwh.copy()
        if own.devices is not None:
            meters[:, controllable] = own.devices.base_net_kwh + simulated.devices_kwh
        meters[:, controllable] += simulated.charge_kwh - simulated.discharge_kwh
        if joint:
            cost = np.array([community_cost(problem, meters)])
        else:
            cost = individual_cost(problem, meters)
        is_better = cost < lowest
        power = np.where(is_better, requested, power)
        net = np.where(is_better, meters, net)
        if solution.requests is not None:
            improved = np.broadcast_to(is_better, problem.net_kwh.shape[1:])[controllable]
            selected = jax.tree.map(
                lambda leaf, improved=improved: leaf[:, improved], solution.requests
            )
            requests = set_requests(requests, controllable[improved], selected)
        lowest = np.minimum(cost, lowest)
        storage = _refine_storage(battery, storage, solution, simulated, problem)
    return DispatchPlan(
        power_kw=power,
        net_kwh=net,
        objective=float(lowest.sum()),
        bound=bound,
        num_variables=solution.num_variables,
        num_constraints=solution.num_constraints,
        seconds=seconds,
        requests=requests,
    )


def _count_passes(battery: BatteryParams) -> int:
    if not is_linear(battery):
        return _NONLINEAR_PASSES
    return 1 if battery.aging is None else _AGING_PASSES


def default_requests(problem: Problem) -> DeviceRequests | None:
    """Return requests (NaN) that keep every device under its default control.

    Args:
        problem: The problem.

    Returns:
        The requests; None if there are no devices.
    """
    if problem.devices is None:
        return None
    requests: dict[str, PyTree] = {}
    for device in problem.devices.kinds:
        draw_kw, _ = device.slot_limits_kw(problem.devices.params[device.kind])
        requests[device.kind] = np.full((*problem.net_kwh.shape, draw_kw.shape[-1]), np.nan)
    return requests


def set_requests(
    requests: DeviceRequests | None, homes: NDArray[np.int64], selected: DeviceRequests | None
) -> DeviceRequests | None:
    """Write the requests of some homes into those of all homes, in place.

    Args:
        requests: Requests of all homes.
        homes: Positions of the homes.
        selected: Requests of these homes.

    Returns:
        The requests of all homes.
    """
    if requests is None or selected is None:
        return requests
    for kind, part in selected.items():
        whole: PyTree = requests[kind]
        whole[:, homes] = part
    return requests


def is_linear(battery: BatteryParams) -> bool:
    """Return whether `best_case_storage` describes batteries exactly.

    Args:
        battery: Batteries in NumPy, none of size zero.
    """
    curves = (battery.charge_efficiency_curve, battery.discharge_efficiency_curve)
    is_constant = all(np.ptp(curve, axis=-1).max() < _CURVE_TOLERANCE for curve in curves)
    return bool(is_constant and not battery.capacity_loss_coefficient.any())


def _max_holding_cost(problem: Problem, battery: BatteryParams, storage: StorageModel) -> float:
    """Return the largest cost of holding batteries at `soc_min` against self-discharge."""
    lost = battery.self_discharge_per_step * battery.soc_min * battery.capacity_kwh
    price = np.maximum(problem.buy_price, 0)[:, None]
    return float((price * lost / storage.charge_efficiency).sum())


class SimulatedPlan(NamedTuple):
    """A plan as the device models execute it in single precision, [step, home].

    Attributes:
        charge_kwh: Battery charge at the AC side.
        discharge_kwh: Battery discharge at the AC side.
        stored_kwh: Stored energy after each step.
        capacity_kwh: Battery capacity before each step.
        devices_kwh: Net energy of all other devices.
    """

    charge_kwh: Float[Array, "step home"]
    discharge_kwh: Float[Array, "step home"]
    stored_kwh: Float[Array, "step home"]
    capacity_kwh: Float[Array, "step home"]
    devices_kwh: Float[Array, "step home"]


def simulate_plan(
    battery: BatteryParams,
    power_kw: Float[Array, "step home"],
    step_hours: float,
    devices: FlexibleDevices | None = None,
    requests: DeviceRequests | None = None,
) -> SimulatedPlan:
    """Execute a plan with the home models of the simulation.

    Args:
        battery: Batteries, one entry per home.
        power_kw: Requested power of the batteries.
        step_hours: Length of a step in hours.
        devices: Other devices of the same homes.
        requests: Requests to the other devices by kind, kW [step, home, slot]; a missing kind, and
            NaN, applies the default control.
    """
    homes = HomeParams({BATTERY: battery, **({} if devices is None else devices.params)})
    steps = (
        power_kw,
        np.zeros_like(power_kw) if devices is None else devices.base_net_kwh,
        {} if devices is None else devices.series,
        requests,
    )
    params, single_steps = jax.tree.map(_to_single, (homes, steps))
    simulated = _simulate(params, single_steps, jnp.float32(step_hours))
    return SimulatedPlan(*(np.asarray(part, np.float64) for part in simulated))


def _to_single(leaf: ArrayLike) -> jax.Array:
    """Convert floating-point arrays to single precision and keep other types."""
    return jnp.asarray(leaf, jnp.float32 if np.asarray(leaf).dtype.kind == "f" else None)


_Step = tuple[jax.Array, jax.Array, dict[str, PyTree], DeviceRequests | None]


@jax.jit
def _simulate(params: HomeParams, steps: _Step, step_hours: jax.Array) -> tuple[jax.Array, ...]:
    """Simulate battery power, net load, inputs and requests of other devices, one row a step."""

    def advance(state: HomeState, step: _Step) -> tuple[HomeState, tuple[jax.Array, ...]]:
        power_kw, net_load_kwh, inputs, requests = step
        zero = jnp.zeros_like(power_kw)
        own = (params, state, inputs)
        _, _, defaults = step_devices(*own, None, net_load_kwh, step_hours)
        filled = {
            kind: jnp.where(jnp.isnan(request), defaults[kind], request)
            for kind, request in (requests or {}).items()
        }
        state, flows, _ = step_devices(*own, filled, net_load_kwh, step_hours)
        devices_kwh = zero + devices_net_kwh(flows)
        # Limits of the supply depend on the meter, which the plan adds in double precision.
        base_kwh = net_load_kwh if EVENTS in inputs else zero
        after, meter = step_home(params, state, base_kwh, zero, power_kw, step_hours, flows, inputs)
        battery = meter.devices[BATTERY]
        capacity = state.battery.capacity_kwh
        stored = after.battery.stored_kwh
        return after, (battery.consumption_kwh, battery.supply_kwh, stored, capacity, devices_kwh)

    _, simulated = jax.lax.scan(advance, initial_state(params), steps)
    return tuple(simulated)


def _refine_storage(
    battery: BatteryParams,
    storage: StorageModel,
    solution: Solution,
    simulated: SimulatedPlan,
    problem: Problem,
) -> StorageModel:
    """Update each step's efficiency to the planned power, and its capacity to the simulated one.

    Idle steps get the efficiency at the mean power.
    """
    homes = problem.controllable_homes
    hours = problem.step_hours
    charge_share = _power_share(solution.charge_kwh[:, homes], battery.charge_kw * hours)
    discharge_share = _power_share(solution.discharge_kwh[:, homes], battery.discharge_kw * hours)
    points = battery.efficiency_power_points
    max_stored = battery.soc_max * battery.capacity_kwh
    return storage._replace(
        charge_efficiency=_efficiency_at_power(
            points, battery.charge_efficiency_curve, charge_share
        ),
        discharge_efficiency=_efficiency_at_power(
            points, battery.discharge_efficiency_curve, discharge_share
        ),
        max_stored_kwh=np.minimum(max_stored, simulated.capacity_kwh),
    )


def _power_share(
    energy: Float[Array, "step home"], limit: Float[AnyArray, " home"]
) -> Float[Array, "step home"]:
    return energy / np.where(limit > 0, limit, 1.0)


def _efficiency_at_power(
    points: AnyArray, curve: AnyArray, share: Float[Array, "step home"]
) -> Float[Array, "step home"]:
    """Return the one-way efficiency of each home at a share of its power limit."""
    efficiency = np.empty_like(share)
    for home, power in enumerate(share.T):
        is_active = power > _IDLE_SHARE
        mean_power = power[is_active].mean() if is_active.any() else 1.0
        used = np.where(is_active, power, mean_power)
        efficiency[:, home] = np.sqrt(np.interp(used, points[home], curve[home]))
    return efficiency
