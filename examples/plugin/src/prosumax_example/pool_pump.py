"""Filter pump of a swimming pool, which runs a number of hours every day at any time of the day.

A timer starts the pump in the morning. Any other control may move its hours within the day. A
safeguard runs the pump as soon as further waiting would leave too little time until midnight.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import Field

from prosumax.config import HourOfDay, Positive
from prosumax.devices import (
    Device,
    DeviceContext,
    DeviceObservation,
    LinearDevice,
    LinearProgram,
    devices,
    stack_fields,
)
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow

# The last step of a day ends at midnight, up to rounding of the hours that are left.
_MIDNIGHT_TOLERANCE_HOURS = 1e-3


class PoolPumpConfig(DeviceConfig):
    """A filter pump of a swimming pool; the model is `prosumax_example.pool_pump`."""

    power_kw: Positive = 0.75
    """Electric power of the pump."""
    hours_per_day: float = Field(default=8.0, gt=0, le=24)
    """Hours of filtering per day: the volume of the pool over the flow of the pump, as often as the
    water is to be filtered."""
    from_hour: HourOfDay = 9
    """Local hour in which the timer starts the pump."""


class PoolPumpParams(NamedTuple):
    """Parameters of one pump per home; homes without one have zero power.

    Attributes:
        power_kw: Electric power.
        duty_kwh: Energy of filtering per day.
    """

    power_kw: Float[Array, " home"]
    duty_kwh: Float[Array, " home"]


class PoolPumpSeries(NamedTuple):
    """Exogenous inputs of the pumps.

    Attributes:
        hours_to_midnight: Hours from the start of the step to the end of the local day.
        day_share: Share of the daily duty that falls due in the step: 1 in the first step of a day,
            less in the first step of a period that starts during a day, else 0.
        is_timer_on: Whether the timer runs the pump.
    """

    hours_to_midnight: Float[Array, "*step"]
    day_share: Float[Array, "*step"]
    is_timer_on: Bool[Array, "*step home"]


class PoolPumpState(NamedTuple):
    """State of the pumps.

    Attributes:
        remaining_kwh: Energy of filtering that is left for the day.
    """

    remaining_kwh: Float[Array, " home"]


class PoolPumpFlow(DeviceFlow):
    """Energy of the pumps in one step, kWh; all of it is used.

    Attributes:
        electricity_kwh: Electricity of the pump.
        missed_kwh: Energy of filtering that is left at the end of a day.
    """

    electricity_kwh: Float[Array, " home"]
    missed_kwh: Float[Array, " home"]

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Electricity of the pump."""
        return self.electricity_kwh

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Energy of filtering that is left at the end of a day."""
        return self.missed_kwh


class PoolPump(Device[PoolPumpConfig, PoolPumpParams, PoolPumpSeries, PoolPumpState, PoolPumpFlow]):
    """Filter pumps of swimming pools."""

    kind = "pool_pump"
    summary = "Filter pump of a swimming pool that runs some hours a day."
    config = PoolPumpConfig
    order = 60
    surplus_order = 60
    power_fields = ("power_kw",)
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "pool_pump_remaining": DeviceObservation(
            "Private: share of the day's filtering that is left; 0 to 1.", 0.0, 1.0
        )
    }
    kpis: ClassVar[Sequence[KPI]] = (
        KPI(
            "pool_pump_kwh",
            "Pool pump",
            "kWh",
            definition="electricity of the filter pump",
        ),
    )

    def build_params(
        self, configs: Sequence[Sequence[PoolPumpConfig]], names: Sequence[str], step_hours: float
    ) -> PoolPumpParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        rows = []
        for own in configs:
            pump = next(iter(own), None)
            power_kw = 0.0 if pump is None else pump.power_kw
            duty_kwh = 0.0 if pump is None else pump.power_kw * pump.hours_per_day
            rows.append({"power_kw": power_kw, "duty_kwh": duty_kwh})
        return PoolPumpParams(**stack_fields(rows))

    def build_series(
        self, configs: Sequence[Sequence[PoolPumpConfig]], context: DeviceContext
    ) -> PoolPumpSeries:
        """Derive days and timers from the time axis (see `Device.build_series`)."""
        start = context.local_index
        midnight = start.normalize() + pd.DateOffset(days=1)
        left = np.asarray((midnight - start).total_seconds()) / 3600
        is_new_day = np.concatenate([[True], start.day[1:] != start.day[:-1]])
        hours_per_day = np.asarray((midnight - start.normalize()).total_seconds()) / 3600
        hour = np.asarray(start.hour)
        timers = np.zeros((len(start), len(configs)), bool)
        for home, own in enumerate(configs):
            for pump in own:
                timers[:, home] = hour >= pump.from_hour
        # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
        return PoolPumpSeries(
            hours_to_midnight=left.astype(np.float32),  # type: ignore[arg-type]
            day_share=(is_new_day * left / hours_per_day).astype(np.float32),  # type: ignore[arg-type]
            is_timer_on=timers,  # type: ignore[arg-type]
        )

    def init(self, params: PoolPumpParams) -> PoolPumpState:
        """Return the state before the first step, whose duty is part of the series."""
        return PoolPumpState(jnp.zeros_like(params.duty_kwh))

    def step(
        self,
        params: PoolPumpParams,
        state: PoolPumpState,
        inputs: PoolPumpSeries,
        request_kw: Float[Array, "home 1"],
        step_hours: Float[Array, ""],
    ) -> tuple[PoolPumpState, PoolPumpFlow]:
        """Run the pump at the requested mean power (see `Device.step`)."""
        due = _due_kwh(params, state, inputs)
        later_hours = jnp.maximum(inputs.hours_to_midnight - step_hours, 0.0)
        largest = jnp.minimum(params.power_kw * step_hours, due)
        smallest = jnp.clip(due - params.power_kw * later_hours, 0.0, largest)
        electricity = jnp.clip(request_kw[:, 0] * step_hours, smallest, largest)
        remaining = due - electricity
        is_midnight = later_hours < _MIDNIGHT_TOLERANCE_HOURS
        flow = PoolPumpFlow(electricity, jnp.where(is_midnight, remaining, 0.0))
        return PoolPumpState(jnp.where(is_midnight, 0.0, remaining)), flow

    def default_request(
        self,
        params: PoolPumpParams,
        state: PoolPumpState,
        inputs: PoolPumpSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 1"]:
        """Request full power from the hour of the timer on, until the duty is done."""
        return (params.power_kw * inputs.is_timer_on)[:, None]

    def surplus_request(
        self,
        params: PoolPumpParams,
        state: PoolPumpState,
        inputs: PoolPumpSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home 1"], Float[Array, " home"]]:
        """Run the pump on PV surplus; the safeguard of `step` does the rest in time."""
        request_kw = jnp.clip(surplus_kw, 0.0, params.power_kw)[:, None]
        _, flow = self.step(params, state, inputs, request_kw, step_hours)
        return request_kw, flow.electricity_kwh / step_hours

    def slot_limits_kw(
        self, params: PoolPumpParams
    ) -> tuple[Float[AnyArray, "home 1"], Float[AnyArray, "home 1"]]:
        """Return the power of the pump."""
        draw_kw = params.power_kw[..., None]
        return draw_kw, 0.0 * draw_kw

    def observe(
        self, params: PoolPumpParams, state: PoolPumpState, inputs: PoolPumpSeries
    ) -> dict[str, Float[Array, " home"]]:
        """Compute the share of the day's filtering that is left."""
        due = _due_kwh(params, state, inputs)
        return {"pool_pump_remaining": safe_divide(due, params.duty_kwh)}

    def compute_kpis(
        self, params: PoolPumpParams, flow: PoolPumpFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Sum the electricity of the pump."""
        return {"pool_pump_kwh": flow.electricity_kwh.sum(0)}

    def milp(
        self,
        program: LinearProgram,
        params: PoolPumpParams,
        series: PoolPumpSeries,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add energy and remaining duty of the pumps (see `Device.milp`).

        Duty that cannot be done before midnight is slack, at a price that no plan pays by choice.
        """
        power_kw = np.broadcast_to(params.power_kw, program.shape)
        exists = np.broadcast_to((params.duty_kwh > 0)[None, :], program.shape)
        later_hours = np.maximum(series.hours_to_midnight - step_hours, 0.0)[:, None]
        is_new_day = (series.day_share > 0)[:, None]
        energy = program.variable("pool_pump", 0, power_kw * step_hours, exists)
        remaining = program.variable("pool_pump_remaining", 0, np.inf, exists)
        missed = program.variable("pool_pump_missed", 0, np.inf, exists)
        before = program.table(~is_new_day) * program.previous("pool_pump_remaining")
        duty = program.table(series.day_share[:, None] * params.duty_kwh)
        program.constraint("pool_pump_duty", remaining - before + energy == duty, exists)
        latest = remaining - missed <= program.table(power_kw * later_hours)
        program.constraint("pool_pump_midnight", latest, exists)
        return LinearDevice(net_kwh=energy, slots=(("pool_pump", None),), slack=missed.sum())


def _due_kwh(
    params: PoolPumpParams, state: PoolPumpState, inputs: PoolPumpSeries
) -> Float[Array, " home"]:
    """Return the energy of filtering that is left at the start of the step."""
    is_new_day = inputs.day_share > 0
    return jnp.where(is_new_day, inputs.day_share * params.duty_kwh, state.remaining_kwh)


devices.register(PoolPump.kind, PoolPump.summary)(PoolPump())
