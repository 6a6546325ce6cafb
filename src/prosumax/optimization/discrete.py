"""Optimum of homes with discrete battery power: dynamic programming over the state of charge.

The battery model of the simulation is used, curves included, so that the result also verifies the
linear programs independently.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.devices import battery as battery_model
from prosumax.devices.battery import BatteryParams
from prosumax.errors import InputError
from prosumax.optimization.planning import ignore_progress
from prosumax.optimization.problem import Array, Problem
from prosumax.optimization.program import ProgressCallback

SOC_GRID_POINTS = 1601
"""States of charge; twice as many changed the optimum of MAHTM by less than 1e-5."""


def plan_power_levels(
    problem: Problem,
    levels: Float[Array, " level"],
    on_progress: ProgressCallback = ignore_progress,
    soc_grid_points: int = SOC_GRID_POINTS,
) -> Float[Array, "step home"]:
    """Plan each home for itself with discrete battery power.

    Args:
        problem: The problem, from `build_problem`.
        levels: Admissible powers as shares of the capacity per hour.
        on_progress: Called with a message and the completed share of the work.
        soc_grid_points: Number of states of charge between empty and full; the cost is
            interpolated between them.

    Returns:
        Battery power, kW [step, home].

    Raises:
        InputError: If there is a capacity charge, which depends on more than the state of charge.
    """
    if problem.capacity_price.any():
        raise InputError(
            f"{problem.name}: policy optimal-levels",
            "the policy cannot plan with a capacity charge",
            "Use policy optimal, or set tariff.capacity_charge_per_kw_year to 0.",
        )
    power = np.zeros_like(problem.net_kwh)
    count = len(problem.storage_homes)
    for number, home in enumerate(problem.storage_homes):
        on_progress(f"Optimum over levels: home {number + 1} of {count}", number / count)
        own = problem.select_homes(np.array([home]))
        power[:, home] = _plan_home(own, levels, soc_grid_points)
    return power


def _plan_home(
    problem: Problem, levels: Float[Array, " level"], soc_grid_points: int
) -> Float[Array, " step"]:
    battery = problem.battery
    net = problem.net_kwh[:, 0]
    capacity = float(battery.capacity_kwh[0])
    requested = levels * capacity
    states = np.linspace(0, capacity, soc_grid_points)
    after, battery_kwh = _transitions(battery, states, requested, problem.step_hours)
    value = np.zeros((len(net) + 1, soc_grid_points))
    for step in range(len(net) - 1, -1, -1):
        cost = _step_cost(problem, step, net[step] + battery_kwh)
        value[step] = (cost + np.interp(after, states, value[step + 1])).min(axis=1)
    power = np.empty(len(net))
    state = np.array([battery.initial_soc[0] * battery.capacity_kwh[0]])
    for step in range(len(net)):
        after, battery_kwh = _transitions(battery, state, requested, problem.step_hours)
        cost = _step_cost(problem, step, net[step] + battery_kwh)
        best = int((cost + np.interp(after, states, value[step + 1]))[0].argmin())
        power[step] = requested[best]
        state = after[:, best]
    return power


def _step_cost(problem: Problem, step: int, net: NDArray[np.float64]) -> NDArray[np.float64]:
    price: Array = np.where(net > 0, problem.buy_price[step], problem.sell_price[step])
    return price * net


def _transitions(
    battery: BatteryParams,
    states: Float[Array, " state"],
    requested: Float[Array, " level"],
    hours: float,
) -> tuple[Float[Array, "state level"], Float[Array, "state level"]]:
    """Return the stored energy after each power from each state, and the net energy drawn, kWh.

    Capacity loss is neglected.
    """
    shape = (len(states), len(requested))
    count = len(states) * len(requested)
    copies: BatteryParams = jax.tree.map(
        lambda leaf: jnp.repeat(jnp.asarray(leaf, jnp.float32), count, axis=0),
        battery._replace(aging=None),
    )
    stored = jnp.asarray(np.repeat(states, len(requested)), jnp.float32)
    state = battery_model.BatteryState(stored, copies.capacity_kwh)
    requests = jnp.asarray(np.tile(requested, len(states)), jnp.float32)
    after, flow = _step_battery(copies, state, requests, jnp.float32(hours))
    charge = np.asarray(flow.charge_kwh, np.float64)
    net = charge - np.asarray(flow.discharge_kwh, np.float64)
    return np.asarray(after.stored_kwh, np.float64).reshape(shape), net.reshape(shape)


_step_battery = jax.jit(battery_model.step)
