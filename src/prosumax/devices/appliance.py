"""Deferrable appliances (washing machine, dishwasher, dryer): a filled machine waits, then runs without a break.

Its own timer starts it at the last moment that keeps the deadline, whatever is asked.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.types import ApplianceFlow


class ApplianceParams(NamedTuple):
    """Slots for appliances, as many as the home with the most has; an empty slot has power zero.

    Attributes:
        power_kw: mean power of a run.
        run_steps: how long a run takes.
        wait_steps: how long it can wait at most, so that it ends by its deadline.
        safeguard: 1 where the timer starts it in time, 0 where a run is given up that nobody started.
    """

    power_kw: Float[Array, "home appliance"]
    run_steps: Int[Array, "home appliance"]
    max_wait_steps: Int[Array, "home appliance"]
    safeguard: Float[Array, "home appliance"]


class ApplianceSeries(NamedTuple):
    """`filled`: whether a machine is filled at the start of the step; never before its last run had to be done."""

    ready: Bool[Array, "*step home appliance"]


class ApplianceState(NamedTuple):
    """Steps that a filled machine can still wait, -1 for none; steps that a running one still runs."""

    wait_steps_left: Int[Array, "home appliance"]
    run_steps_left: Int[Array, "home appliance"]


def initial_state(params: ApplianceParams) -> ApplianceState:
    """Nothing is filled."""
    return ApplianceState(jnp.full_like(params.run_steps, -1), jnp.zeros_like(params.run_steps))


def step(
    params: ApplianceParams,
    state: ApplianceState,
    inputs: ApplianceSeries,
    start_request: Float[Array, "home appliance"],
    step_hours: Float[Array, ""],
) -> tuple[ApplianceState, ApplianceFlow]:
    """Fill, start what is asked for or due, run.

    Arguments:
        params, state: the appliances.
        now: this step's row.
        start: more than 0 starts a machine that is filled; others are left alone.
        step_hours: length of the step.
    """
    can_wait = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
    due = can_wait == 0
    starts = (can_wait >= 0) & ((start_request > 0) | (due & (params.safeguard > 0)))
    given_up = due & ~starts
    runs_for = jnp.where(starts, params.run_steps, state.run_steps_left)
    run_kwh = params.power_kw * step_hours
    can_wait = jnp.where(starts | given_up, -1, jnp.maximum(can_wait - 1, -1))
    flow = ApplianceFlow(
        consumption_kwh=jnp.where(runs_for > 0, run_kwh, 0.0),
        unserved_kwh=jnp.where(given_up, run_kwh * params.run_steps, 0.0),
        waiting=(can_wait >= 0).astype(run_kwh.dtype),
    )
    return ApplianceState(can_wait, jnp.maximum(runs_for - 1, 0)), flow


def default_request(params: ApplianceParams) -> Float[Array, "home appliance"]:
    """The habit: a machine starts when it is filled."""
    return jnp.ones_like(params.power_kw)


def surplus_request(
    params: ApplianceParams,
    state: ApplianceState,
    inputs: ApplianceSeries,
    surplus_kw: Float[Array, " home"],
) -> tuple[Float[Array, "home appliance"], Float[Array, " home"]]:
    """Start what is due, and what the home's surplus covers, in the order of the slots; and what all runs then draw.

    Arguments:
        params, state, now: the appliances.
        spare_kw: surplus without them; negative for a need.

    Returns:
        What to start, 0 or 1, and the power of all that runs, kW.
    """
    can_wait = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
    running = jnp.where(state.run_steps_left > 0, params.power_kw, 0.0)
    waiting = jnp.where(can_wait >= 0, params.power_kw, 0.0)
    covered = jnp.cumsum(waiting, axis=-1) + running.sum(-1, keepdims=True) <= surplus_kw[..., None]
    start = ((can_wait >= 0) & (covered | (can_wait == 0))).astype(waiting.dtype)
    return start, (running + start * params.power_kw).sum(-1)
