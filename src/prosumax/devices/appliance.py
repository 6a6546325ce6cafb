"""Deferrable appliances: washing machine, dishwasher and dryer.

An appliance that becomes ready waits until it is started and then runs without interruption. With
a safeguard, a timer starts it at the last step that keeps its deadline.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from pydantic import Field, model_validator

from prosumax.config import Positive
from prosumax.data.generators.appliance_runs import sample_appliance_runs
from prosumax.devices.base import Device, DeviceContext, DeviceObservation, devices
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow

# The runs of each appliance have their own seed, this number plus the slot.
_STREAM = 1100


class ApplianceConfig(DeviceConfig):
    """A deferrable appliance; the model is `prosumax.devices.appliance`.

    Absent fields default to the CREST demand model: mean power times duration, and annual runs.

    References:
        Richardson, Thomson, Infield and Clifford 2010, Energy and Buildings 42:1878.
    """

    kind: Literal["washing_machine", "dishwasher", "dryer"]
    kwh_per_run: Positive | None = None
    duration_hours: Positive | None = None
    """Duration of a run; rounded up to whole steps."""
    runs_per_week: Annotated[float, Field(ge=0, le=7)] | None = None
    """At most one run a day."""
    from_hour: Annotated[int, Field(ge=0, le=23)] = 8
    """First local hour in which the appliance may become ready."""
    to_hour: Annotated[int, Field(ge=1, le=24)] = 21
    """End of the local hours in which the appliance may become ready."""
    deadline_hours: Positive = 10.0
    """Time from becoming ready to the end of the run at the latest."""
    safeguard: bool = True
    """Whether a timer starts a due run; otherwise a run that is not started in time is dropped."""

    @model_validator(mode="after")
    def _check_deadline(self) -> "ApplianceConfig":
        if self.from_hour >= self.to_hour:
            raise ValueError(
                f"from_hour ({self.from_hour}) must be before to_hour ({self.to_hour})"
            )
        duration_hours = self.run_parameters[1]
        if duration_hours > self.deadline_hours:
            raise ValueError(
                f"deadline_hours ({self.deadline_hours:g}) must be at least the duration of a run "
                f"({duration_hours:g})"
            )
        return self

    @property
    def replaced_end_uses(self) -> tuple[str, ...]:
        """End use of a synthetic load that the appliance replaces."""
        return (_END_USES[self.kind],)

    @property
    def run_parameters(self) -> tuple[float, float, float]:
        """Energy of a run in kWh, its duration in hours, and the runs per week."""
        given = (self.kwh_per_run, self.duration_hours, self.runs_per_week)
        kwh, hours, weekly = (
            default if value is None else value
            for value, default in zip(given, _CREST_RUNS[self.kind], strict=True)
        )
        return kwh, hours, weekly


_END_USES = {
    "washing_machine": "washing machine",
    "dishwasher": "dishwasher",
    "dryer": "tumble dryer",
}

_CREST_RUNS = {
    "washing_machine": (0.406 * 138 / 60, 138 / 60, 196 * 7 / 365),
    "dishwasher": (1.131, 1.0, 241 * 7 / 365),
    "dryer": (2.5, 1.0, 122 * 7 / 365),
}


class ApplianceParams(NamedTuple):
    """Parameters of the appliances; unused slots of a home have zero power.

    Attributes:
        power_kw: Mean power of a run.
        run_steps: Duration of a run in steps.
        max_wait_steps: Longest wait in steps that keeps the deadline.
        safeguard: 1 where a timer starts due runs, 0 where runs not started in time are dropped.
        works: 1 where the appliances work and 0 where they failed; None where they always work.
    """

    power_kw: Float[Array, "home appliance"]
    run_steps: Int[Array, "home appliance"]
    max_wait_steps: Int[Array, "home appliance"]
    safeguard: Float[Array, "home appliance"]
    works: Float[Array, " home"] | None = None


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


class ApplianceFlow(DeviceFlow):
    """Energy and state of the deferrable appliances in one step.

    Attributes:
        run_kwh: Electricity of each appliance.
        unserved_kwh: Energy of runs that missed their deadline and are dropped, and of the rest of
            runs that a failure interrupted.
        waiting: 1 where a run waits after the step, else 0.
    """

    run_kwh: Float[Array, "home appliance"]
    unserved_kwh: Float[Array, "home appliance"]
    waiting: Float[Array, "home appliance"]

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Electricity of all appliances of a home."""
        return self.run_kwh.sum(-1)

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Energy of dropped and interrupted runs."""
        return self.unserved_kwh.sum(-1)


def step(
    params: ApplianceParams,
    state: ApplianceState,
    inputs: ApplianceSeries,
    start_request: Float[Array, "home appliance"],
    step_hours: Float[Array, ""],
) -> tuple[ApplianceState, ApplianceFlow]:
    """Start requested and due appliances, and run them for one step.

    An appliance that fails drops the rest of its run, and starts no other before its repair.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        start_request: Power that starts a ready appliance where it is positive.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    wait_steps_left = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
    is_due = wait_steps_left == 0
    starts = (wait_steps_left >= 0) & ((start_request > 0) | (is_due & (params.safeguard > 0)))
    step_kwh = params.power_kw * step_hours
    running_steps = state.run_steps_left
    interrupted_kwh: Float[Array, "home appliance"] | float = 0.0
    if params.works is not None:
        works = params.works[..., None] > 0
        starts = starts & works
        interrupted_kwh = jnp.where(works, 0.0, step_kwh * running_steps)
        running_steps = jnp.where(works, running_steps, 0)
    is_dropped = is_due & ~starts
    run_steps_left = jnp.where(starts, params.run_steps, running_steps)
    wait_steps_left = jnp.where(starts | is_dropped, -1, jnp.maximum(wait_steps_left - 1, -1))
    unserved_kwh = jnp.where(is_dropped, step_kwh * params.run_steps, 0.0)
    if params.works is not None:
        unserved_kwh = unserved_kwh + interrupted_kwh
    flow = ApplianceFlow(
        run_kwh=jnp.where(run_steps_left > 0, step_kwh, 0.0),
        unserved_kwh=unserved_kwh,
        waiting=(wait_steps_left >= 0).astype(step_kwh.dtype),
    )
    return ApplianceState(wait_steps_left, jnp.maximum(run_steps_left - 1, 0)), flow


def _run_and_wait_steps(appliance: ApplianceConfig, step_hours: float) -> tuple[int, int]:
    """Return the duration of a run and its longest wait, in steps."""
    _, duration_hours, _ = appliance.run_parameters
    run_steps = int(np.ceil(duration_hours / step_hours - 1e-9))
    deadline_steps = int(appliance.deadline_hours / step_hours + 1e-9)
    return run_steps, max(deadline_steps - run_steps, 0)


class Appliances(
    Device[ApplianceConfig, ApplianceParams, ApplianceSeries, ApplianceState, ApplianceFlow]
):
    """Deferrable appliances; a request of positive power starts a ready one."""

    kind = "appliances"
    summary = "Deferrable washing machines, dishwashers and dryers."
    config = ApplianceConfig
    max_per_home = 8
    order = 30
    surplus_order = 10
    kpis = (
        KPI(
            "appliances_kwh",
            "Shiftable appliances",
            "kWh",
            definition="energy of completed runs",
        ),
    )
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "appliance_urgency": DeviceObservation(
            "Private: for each appliance slot 1 when its run is due, less with time left, "
            "0 when none waits; 0 to 1.",
            0.0,
            1.0,
            per_slot=True,
        )
    }

    def build_params(
        self, configs: Sequence[Sequence[ApplianceConfig]], names: Sequence[str], step_hours: float
    ) -> ApplianceParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        shape = (len(configs), max(len(own) for own in configs))
        power_kw = np.zeros(shape)
        run_steps = np.ones(shape, int)
        max_wait_steps = np.zeros(shape, int)
        safeguard = np.ones(shape)
        for home, own in enumerate(configs):
            for slot, appliance in enumerate(own):
                kwh, _, _ = appliance.run_parameters
                place = (home, slot)
                run_steps[place], max_wait_steps[place] = _run_and_wait_steps(appliance, step_hours)
                power_kw[place] = kwh / (run_steps[place] * step_hours)
                safeguard[place] = appliance.safeguard
        return ApplianceParams(
            power_kw=jnp.asarray(power_kw, jnp.float32),
            run_steps=jnp.asarray(run_steps, jnp.int32),
            max_wait_steps=jnp.asarray(max_wait_steps, jnp.int32),
            safeguard=jnp.asarray(safeguard, jnp.float32),
        )

    def build_series(
        self, configs: Sequence[Sequence[ApplianceConfig]], context: DeviceContext
    ) -> ApplianceSeries:
        """Sample the steps in which appliances become ready (see `Device.build_series`)."""
        slots = max(len(own) for own in configs)
        ready = np.zeros((len(context.index), len(configs), slots), bool)
        for home, own in enumerate(configs):
            for slot, appliance in enumerate(own):
                _, _, runs_per_week = appliance.run_parameters
                ready[:, home, slot] = sample_appliance_runs(
                    context.local_index,
                    runs_per_week,
                    appliance.from_hour,
                    appliance.to_hour,
                    sum(_run_and_wait_steps(appliance, context.step_hours)),
                    context.seed(home, _STREAM + slot),
                )
        # Annotated as the JAX array of a simulation, which converts this NumPy array.
        return ApplianceSeries(ready)  # type: ignore[arg-type]

    def init(self, params: ApplianceParams) -> ApplianceState:
        """Return the state without ready or running appliances."""
        return ApplianceState(jnp.full_like(params.run_steps, -1), jnp.zeros_like(params.run_steps))

    def step(
        self,
        params: ApplianceParams,
        state: ApplianceState,
        inputs: ApplianceSeries,
        request_kw: Float[Array, "home appliance"],
        step_hours: Float[Array, ""],
    ) -> tuple[ApplianceState, ApplianceFlow]:
        """Start requested and due appliances, and run them (see `Device.step`)."""
        return step(params, state, inputs, request_kw, step_hours)

    def default_request(
        self,
        params: ApplianceParams,
        state: ApplianceState,
        inputs: ApplianceSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home appliance"]:
        """Request the power of all appliances, which starts them when they are ready."""
        return params.power_kw

    def surplus_request(
        self,
        params: ApplianceParams,
        state: ApplianceState,
        inputs: ApplianceSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home appliance"], Float[Array, " home"]]:
        """Start due appliances and those that PV surplus covers, in the order of their slots."""
        wait_steps_left = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
        running_kw = jnp.where(state.run_steps_left > 0, params.power_kw, 0.0)
        waiting_kw = jnp.where(wait_steps_left >= 0, params.power_kw, 0.0)
        cumulative_kw = jnp.cumsum(waiting_kw, axis=-1) + running_kw.sum(-1, keepdims=True)
        is_covered = cumulative_kw <= surplus_kw[..., None]
        start = (wait_steps_left >= 0) & (is_covered | (wait_steps_left == 0))
        started_kw = start * params.power_kw
        return started_kw, (running_kw + started_kw).sum(-1)

    def scale_power(
        self, params: ApplianceParams, share: Float[AnyArray, " home"]
    ) -> ApplianceParams:
        """Stop the appliances of homes where they failed (see `Device.scale_power`)."""
        works = jnp.asarray(share)
        return params._replace(works=works if params.works is None else params.works * works)

    def action_slots(self, count: int) -> list[str]:
        """Return one slot per appliance."""
        return [f"appliance_{number + 1}" for number in range(count)]

    def slot_limits_kw(
        self, params: ApplianceParams
    ) -> tuple[Float[AnyArray, "home appliance"], Float[AnyArray, "home appliance"]]:
        """Return the power of each appliance."""
        return params.power_kw, 0.0 * params.power_kw

    def observe(
        self, params: ApplianceParams, state: ApplianceState, inputs: ApplianceSeries
    ) -> dict[str, Float[Array, "home appliance"]]:
        """Compute 1 minus the remaining over the maximum waiting time plus one step, per slot."""
        wait_left = jnp.where(inputs.ready, params.max_wait_steps, state.wait_steps_left)
        urgency = 1.0 - wait_left / (params.max_wait_steps + 1.0)
        return {"appliance_urgency": jnp.where(wait_left >= 0, urgency, 0.0)}

    def compute_kpis(
        self, params: ApplianceParams, flow: ApplianceFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Sum the electricity of all appliances (see `Device.compute_kpis`)."""
        return {"appliances_kwh": flow.consumption_kwh.sum(0)}


devices.register(Appliances.kind, Appliances.summary)(Appliances())
