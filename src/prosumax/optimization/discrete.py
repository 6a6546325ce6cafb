"""The optimum of a home whose battery knows only some powers: dynamic programming over the state of charge.

It plays the battery's own physics, curves included, so it also checks the linear programs from another side.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.devices import battery as _battery
from prosumax.devices.battery import BatteryParams
from prosumax.errors import InputError
from prosumax.optimization.planning import OnStage, silent
from prosumax.optimization.problem import Array, Problem

GRID = 1601
"""States of charge; twice as many changed MAHTM's optimum by less than 1e-5."""


def plan_levels(
    problem: Problem, levels: Float[Array, " level"], on_stage: OnStage = silent, grid: int = GRID
) -> Float[Array, "step home"]:
    """The cheapest plan of each home for itself with the powers it can be asked for, kW [step, home].

    Arguments:
        problem: from `pose`.
        levels: shares of the capacity per hour.
        on_stage: progress.
        grid: states of charge between empty and full; between them cost is interpolated.

    Raises:
        InputError: there is a capacity charge, which depends on more than the state of charge.
    """
    if problem.capacity_price.any():
        raise InputError(
            f"{problem.name}: policy optimal-levels",
            "cannot plan under a capacity charge",
            "Use policy optimal, or set tariff.capacity_per_kw_year to 0.",
        )
    power = np.zeros_like(problem.net_kwh)
    for number, home in enumerate(problem.storing):
        on_stage(
            f"Optimum over levels: home {number + 1} of {len(problem.storing)}",
            number / len(problem.storing),
        )
        power[:, home] = _one_home(problem.of(np.array([home])), levels, grid)
    return power


def _one_home(problem: Problem, levels: Float[Array, " level"], grid: int) -> Float[Array, " step"]:
    battery, net = problem.battery, problem.net_kwh[:, 0]
    asked = levels * float(battery.capacity_kwh[0])
    states = np.linspace(0, float(battery.capacity_kwh[0]), grid)
    after, moved = _moves(battery, states, asked, problem.step_hours)
    value = np.zeros((len(net) + 1, grid))
    for step in range(len(net) - 1, -1, -1):
        cost = _money(problem, step, net[step] + moved) + np.interp(after, states, value[step + 1])
        value[step] = cost.min(axis=1)
    power, state = np.empty(len(net)), np.array([battery.initial_soc[0] * battery.capacity_kwh[0]])
    for step in range(len(net)):
        after, moved = _moves(battery, state, asked, problem.step_hours)
        best = int(
            (_money(problem, step, net[step] + moved) + np.interp(after, states, value[step + 1]))[
                0
            ].argmin()
        )
        power[step], state = asked[best], after[:, best]
    return power


def _money(problem: Problem, step: int, net: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(net > 0, problem.buy[step], problem.sell[step]) * net


def _moves(
    battery: BatteryParams,
    states: Float[Array, " state"],
    asked: Float[Array, " level"],
    hours: float,
) -> tuple[Float[Array, "state level"], Float[Array, "state level"]]:
    """Energy inside after each power from each state, and what it adds to the meter; kWh, fade left out."""
    shape = (len(states), len(asked))
    count = len(states) * len(asked)
    copies: Any = jax.tree.map(
        lambda leaf: jnp.repeat(jnp.asarray(leaf, jnp.float32), count, axis=0), battery
    )
    stored = jnp.asarray(np.repeat(states, len(asked)), jnp.float32)
    state = _battery.BatteryState(stored, copies.capacity_kwh)
    requests = jnp.asarray(np.tile(asked, len(states)), jnp.float32)
    after, flow = _step(copies, state, requests, jnp.float32(hours))
    moved = np.asarray(flow.charge_kwh, np.float64) - np.asarray(flow.discharge_kwh, np.float64)
    return np.asarray(after.stored_kwh, np.float64).reshape(shape), moved.reshape(shape)


_step = jax.jit(_battery.step)
