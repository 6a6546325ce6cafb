"""Deferrable appliances: washing machine, dishwasher and dryer.

An appliance that becomes ready waits until it is started and then runs without interruption. With
a safeguard, a timer starts it at the last step that keeps its deadline.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from prosumax.types import ApplianceFlow


class ApplianceParams(NamedTuple):
    """Parameters of the appliances; unused slots of a home have zero power.

    Attributes:
        power_kw: Mean power of a run.
        run_steps: Duration of a run in steps.
        max_wait_steps: Longest wait in steps that keeps the deadline.
        safeguard: 1 where a timer starts due runs, 0 where runs not started in time are dropped.
    """

    power_kw: Float[Array, "home appliance"]
    run_steps: Int[Array, "home appliance"]
    max_wait_steps: Int[Array, "home appliance"]
    safeguard: Float[Array, "home appliance"]


class ApplianceSeries(NamedTuple):
    """Exogenous inputs of the appliances.

    Attributes:
        ready: Whether an appliance becomes ready at the start of the step; never before the
            deadline of its previous run.
    """

    ready: Bool[Array, "*step home appliance"]


class ApplianceState(NamedTuple):
    """State of the appliances.

    Attributes:
        wait_steps_left: Steps that a ready appliance can still wait; -1 for none.
        run_steps_left: Steps that a running appliance still runs.
    """

    wait_steps_left: Int[Array, "home appliance"]
    run_steps_left: Int[Array, "home appliance"]


def initial_state(params: ApplianceParams) -> ApplianceState:
    """Return the state without ready or running appliances."""
    return ApplianceState(jnp.full_like(params.run_steps, -1), jnp.zeros_like(params.run_steps))


def step(
    params: ApplianceParams,
    state: ApplianceState,
    inputs: ApplianceSeries,
    start_request: Float[Array, "home appliance"],
    step_hours: Float[Array, ""],
) -> tuple[ApplianceState, ApplianceFlow]:
    """Start requested and due appliances, and run them for one step.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        start_request: Positive values start a ready appliance.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    wait_steps_left = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
    is_due = wait_steps_left == 0
    starts = (wait_steps_left >= 0) & ((start_request > 0) | (is_due & (params.safeguard > 0)))
    is_dropped = is_due & ~starts
    run_steps_left = jnp.where(starts, params.run_steps, state.run_steps_left)
    step_kwh = params.power_kw * step_hours
    wait_steps_left = jnp.where(starts | is_dropped, -1, jnp.maximum(wait_steps_left - 1, -1))
    flow = ApplianceFlow(
        consumption_kwh=jnp.where(run_steps_left > 0, step_kwh, 0.0),
        unserved_kwh=jnp.where(is_dropped, step_kwh * params.run_steps, 0.0),
        waiting=(wait_steps_left >= 0).astype(step_kwh.dtype),
    )
    return ApplianceState(wait_steps_left, jnp.maximum(run_steps_left - 1, 0)), flow


def default_request(params: ApplianceParams) -> Float[Array, "home appliance"]:
    """Return the request of the default control, which starts appliances immediately."""
    return jnp.ones_like(params.power_kw)


def surplus_request(
    params: ApplianceParams,
    state: ApplianceState,
    inputs: ApplianceSeries,
    surplus_kw: Float[Array, " home"],
) -> tuple[Float[Array, "home appliance"], Float[Array, " home"]]:
    """Compute the request that starts due appliances and those that PV surplus covers.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        surplus_kw: PV surplus without the appliances; negative for a deficit. Appliances are
            covered in the order of their slots.

    Returns:
        The start request, 0 or 1, and the power in kW of all appliances that then run.
    """
    wait_steps_left = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
    running_kw = jnp.where(state.run_steps_left > 0, params.power_kw, 0.0)
    waiting_kw = jnp.where(wait_steps_left >= 0, params.power_kw, 0.0)
    cumulative_kw = jnp.cumsum(waiting_kw, axis=-1) + running_kw.sum(-1, keepdims=True)
    is_covered = cumulative_kw <= surplus_kw[..., None]
    start = (wait_steps_left >= 0) & (is_covered | (wait_steps_left == 0))
    start_request = start.astype(waiting_kw.dtype)
    return start_request, (running_kw + start_request * params.power_kw).sum(-1)
