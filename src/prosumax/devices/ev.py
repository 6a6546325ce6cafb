"""Electric vehicle at a home charger, with optional vehicle-to-grid (V2G).

A safeguard guarantees the required state of charge at departure: whatever power is requested, the
charger charges as soon as further waiting would make the requirement infeasible, and discharges
no energy that could not be recharged in time.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from prosumax.config import DayType, Fraction, Positive, PositiveFraction, StrictModel
from prosumax.data.generators.household.trips import (
    ev_availability,
    sample_plug_ins,
    sample_trips,
    scheduled_trips,
)
from prosumax.devices.base import (
    Device,
    DeviceContext,
    DeviceObservation,
    LinearDevice,
    devices,
    stack_fields,
)
from prosumax.devices.linear_program import LinearProgram
from prosumax.metrics.catalog import KPI
from prosumax.numerics import AnyArray, safe_divide
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow

# Departure is at the end of a step, up to rounding of the remaining hours.
_DEPARTURE_TOLERANCE = 1.001

# The random trips of each home have their own seed.
_STREAM = 1001

_DEFAULT_LIFESTYLE = "family"


class TripConfig(StrictModel):
    """A recurring trip of an electric vehicle in local time that ends on the day it starts."""

    departure: str
    """Time of day, HH:MM."""
    arrival: str
    """Time of day, HH:MM, later than `departure`."""
    distance_km: Positive
    days: DayType = "all"

    @field_validator("departure", "arrival")
    @classmethod
    def _check_time_of_day(cls, text: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
            raise ValueError("must be a time of the day such as 07:45, in quotes")
        return text

    @model_validator(mode="after")
    def _check_order(self) -> "TripConfig":
        if self.arrival <= self.departure:
            raise ValueError(
                f"arrival ({self.arrival}) must be later than departure ({self.departure})"
            )
        return self


class EVConfig(DeviceConfig):
    """An electric vehicle and its charger at home; the model is `prosumax.devices.ev`."""

    power_kw: Positive = 7.4
    """AC power of the charger; common values are 3.7 (16 A), 7.4 (32 A) and 11 (3 x 16 A)."""
    capacity_kwh: Positive = 52.0
    charge_efficiency: PositiveFraction = 0.9
    discharge_efficiency: PositiveFraction = 0.9
    departure_soc: Fraction = 0.8
    """State of charge required at every departure."""
    initial_soc: Fraction | None = None
    """Defaults to `departure_soc`."""
    v2g: bool = False
    """Whether the vehicle can discharge into the home."""
    v2g_reserve_soc: Fraction = 0.3
    """State of charge below which the vehicle does not discharge."""
    annual_km: Positive | None = None
    """Distance of a calendar year; defaults to that of the lifestyle."""
    kwh_per_km: Positive = 0.185
    """Annual mean; 20 % higher in January and 20 % lower in July."""
    lifestyle: str | None = None
    """Lifestyle of the driver; defaults to that of the home's load, or to a family."""
    plug_in_probability: PositiveFraction = 0.6
    """Probability of plugging in on arrival; 1 when a third of the battery is used."""
    trips: Annotated[list[TripConfig], Field(min_length=1)] | None = None
    """Fixed trips that replace random ones; the vehicle is then always plugged in at home."""
    safeguard: bool = True
    """Whether the charger guarantees `departure_soc` whatever power is requested."""

    @model_validator(mode="after")
    def _check_trips_do_not_overlap(self) -> "EVConfig":
        for day_type in ("weekdays", "weekend"):
            trips = sorted(
                (trip for trip in self.trips or () if trip.days in {"all", day_type}),
                key=lambda trip: trip.departure,
            )
            for first, second in zip(trips, trips[1:], strict=False):
                if second.departure < first.arrival:
                    raise ValueError(
                        f"the trip of {second.departure} departs before the trip of "
                        f"{first.departure} arrives"
                    )
        return self


class EVParams(NamedTuple):
    """Parameters of one vehicle per home; homes without one have zero capacity and power.

    Attributes:
        capacity_kwh: Capacity of the vehicle's battery.
        charge_kw: AC power limit of charging.
        discharge_kw: AC power limit of discharging; zero without V2G.
        charge_efficiency: Efficiency from AC to the battery.
        discharge_efficiency: Efficiency from the battery to AC.
        departure_kwh: Stored energy required at every departure.
        reserve_kwh: Stored energy below which V2G does not discharge.
        initial_kwh: Stored energy before the first step.
        safeguard: 1 where the charger guarantees `departure_kwh`, 0 where it does not.
    """

    capacity_kwh: Float[Array, " home"]
    charge_kw: Float[Array, " home"]
    discharge_kw: Float[Array, " home"]
    charge_efficiency: Float[Array, " home"]
    discharge_efficiency: Float[Array, " home"]
    departure_kwh: Float[Array, " home"]
    reserve_kwh: Float[Array, " home"]
    initial_kwh: Float[Array, " home"]
    safeguard: Float[Array, " home"]


class EVSeries(NamedTuple):
    """Exogenous inputs of the vehicles, which arrive and depart between steps.

    Attributes:
        hours_to_departure: Hours from the start of the step to departure; 0 while away.
        trip_kwh: Energy of driving in the step; 0 while plugged in.
    """

    hours_to_departure: Float[Array, "*step home"]
    trip_kwh: Float[Array, "*step home"]


class EVState(NamedTuple):
    """State of the vehicles.

    Attributes:
        stored_kwh: Stored energy.
    """

    stored_kwh: Float[Array, " home"]


class EVFlow(DeviceFlow):
    """Energy of an electric vehicle in one step, kWh, all >= 0.

    `stored_after = stored_before + charge - discharge - loss - driven` holds for every home.

    Attributes:
        charge_kwh: Energy drawn at the AC side of the charger.
        discharge_kwh: Energy returned at the AC side of the charger.
        loss_kwh: Losses in charger and battery.
        driven_kwh: Energy used by trips.
        unserved_kwh: Trip energy that the battery could not provide, charged on the road.
        departure_shortfall_kwh: Energy missing to the required charge in the step before departure.
        stored_kwh: Energy in the battery after the step.
    """

    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    loss_kwh: Float[Array, " home"]
    driven_kwh: Float[Array, " home"]
    unserved_kwh: Float[Array, " home"]
    departure_shortfall_kwh: Float[Array, " home"]
    stored_kwh: Float[Array, " home"]

    @property
    def consumption_kwh(self) -> Float[Array, " home"]:
        """Charged energy at the AC side."""
        return self.charge_kwh

    @property
    def supply_kwh(self) -> Float[Array, " home"]:
        """Discharged energy at the AC side."""
        return self.discharge_kwh

    @property
    def released_kwh(self) -> Float[Array, " home"]:
        """Losses and energy used by trips."""
        return self.loss_kwh + self.driven_kwh

    @property
    def total_unserved_kwh(self) -> Float[Array, " home"]:
        """Trip energy charged on the road."""
        return self.unserved_kwh

    @property
    def penalized_kwh(self) -> Float[Array, " home"]:
        """Unserved trip energy and charge missing at departures."""
        return self.unserved_kwh + self.departure_shortfall_kwh


def step(
    params: EVParams,
    state: EVState,
    inputs: EVSeries,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[EVState, EVFlow]:
    """Drive, or charge or discharge at the requested power within the limits.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        request_kw: Requested AC power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    is_plugged_in = inputs.hours_to_departure > 0
    driven = jnp.minimum(inputs.trip_kwh, state.stored_kwh)
    start = state.stored_kwh - driven
    max_charge = _max_charge_kwh(params, start, inputs, step_hours)
    min_charge = params.safeguard * min_charge_kwh(params, EVState(start), inputs, step_hours)
    required = params.safeguard * _required_kwh(params, inputs, step_hours)
    retained = jnp.maximum(params.reserve_kwh, required)
    available = jnp.maximum(start - retained, 0.0) * params.discharge_efficiency
    max_discharge = jnp.minimum(params.discharge_kw * step_hours * is_plugged_in, available)
    exchanged = jnp.clip(
        request_kw * step_hours,
        jnp.where(min_charge > 0, min_charge, -max_discharge),
        max_charge,
    )
    charge = jnp.maximum(exchanged, 0.0)
    discharge = jnp.maximum(-exchanged, 0.0)
    stored = start + charge * params.charge_efficiency - discharge / params.discharge_efficiency
    # Rounding may exceed the limits slightly.
    stored = jnp.clip(stored, 0.0, params.capacity_kwh)
    departs = is_plugged_in & (inputs.hours_to_departure <= step_hours * _DEPARTURE_TOLERANCE)
    flow = EVFlow(
        charge_kwh=charge,
        discharge_kwh=discharge,
        loss_kwh=jnp.maximum(start + charge - discharge - stored, 0.0),
        driven_kwh=driven,
        unserved_kwh=inputs.trip_kwh - driven,
        departure_shortfall_kwh=jnp.maximum(params.departure_kwh - stored, 0.0) * departs,
        stored_kwh=stored,
    )
    return EVState(stored), flow


def min_charge_kwh(
    params: EVParams, state: EVState, inputs: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the charge of the step that keeps the departure requirement feasible.

    Args:
        params: Parameters.
        state: State before the step.
        inputs: Exogenous inputs of the step.
        step_hours: Length of the step.

    Returns:
        AC energy, kWh; at most the largest possible charge.
    """
    missing = _required_kwh(params, inputs, step_hours) - state.stored_kwh
    max_charge = _max_charge_kwh(params, state.stored_kwh, inputs, step_hours)
    return jnp.clip(missing / params.charge_efficiency, 0.0, max_charge)


def _required_kwh(
    params: EVParams, inputs: EVSeries, step_hours: Float[Array, ""]
) -> Float[Array, " home"]:
    """Compute the stored energy after this step from which full power meets the requirement."""
    remaining_hours = jnp.maximum(inputs.hours_to_departure - step_hours, 0.0)
    later_kwh = params.charge_efficiency * params.charge_kw * remaining_hours
    return params.departure_kwh - later_kwh


def _max_charge_kwh(
    params: EVParams,
    stored_kwh: Float[Array, " home"],
    inputs: EVSeries,
    step_hours: Float[Array, ""],
) -> Float[Array, " home"]:
    """Compute the largest charge of the step on the AC side."""
    limit = params.charge_kw * step_hours * (inputs.hours_to_departure > 0)
    return jnp.minimum(limit, (params.capacity_kwh - stored_kwh) / params.charge_efficiency)


def _param_fields(config: EVConfig | None) -> dict[str, float]:
    exists = config is not None
    ev = config or EVConfig()
    initial_soc = ev.departure_soc if ev.initial_soc is None else ev.initial_soc
    return {
        "capacity_kwh": ev.capacity_kwh * exists,
        "charge_kw": ev.power_kw * exists,
        "discharge_kw": ev.power_kw * exists * ev.v2g,
        "charge_efficiency": ev.charge_efficiency,
        "discharge_efficiency": ev.discharge_efficiency,
        "departure_kwh": ev.departure_soc * ev.capacity_kwh * exists,
        "reserve_kwh": ev.v2g_reserve_soc * ev.capacity_kwh * exists,
        "initial_kwh": initial_soc * ev.capacity_kwh * exists,
        "safeguard": ev.safeguard,
    }


def _availability(
    config: EVConfig | None, home: int, context: DeviceContext
) -> tuple[Float[NDArray[np.float64], " step"], Float[NDArray[np.float64], " step"]]:
    """Return the hours to departure and the driving energy of a home's vehicle."""
    steps = len(context.index)
    if config is None:
        return np.zeros(steps), np.zeros(steps)
    seed = context.seed(home, _STREAM)
    local_index = context.local_index
    if config.trips is not None:
        dates = pd.date_range(local_index[0].date(), local_index[-1].date(), freq="D")
        schedule = [
            (_hour(trip.departure), _hour(trip.arrival), trip.distance_km, trip.days)
            for trip in config.trips
        ]
        trips = scheduled_trips(dates, context.time_zone, schedule, config.kwh_per_km)
        plugged_in = np.ones(len(trips.kwh), bool)
    else:
        years = range(int(local_index[0].year), int(local_index[-1].year) + 1)
        lifestyle = config.lifestyle or context.lifestyles[home] or _DEFAULT_LIFESTYLE
        trips = sample_trips(
            years, context.time_zone, lifestyle, config.annual_km, config.kwh_per_km, seed
        )
        plugged_in = sample_plug_ins(trips, config.plug_in_probability, config.capacity_kwh, seed)
    return ev_availability(context.index, trips, plugged_in)


def _hour(time_of_day: str) -> float:
    hours, minutes = time_of_day.split(":")
    return int(hours) + int(minutes) / 60


class EV(Device[EVConfig, EVParams, EVSeries, EVState, EVFlow]):
    """Electric vehicles at home chargers."""

    kind = "ev"
    summary = "Electric vehicle with trips, charging at home, and optional V2G."
    label = "EV"
    config = EVConfig
    order = 10
    surplus_order = 20
    power_fields = ("charge_kw", "discharge_kw")
    kpis = (
        KPI(
            "ev_charge_kwh",
            "EV charging",
            "kWh",
            definition="energy charged at home",
            short="charged",
            beside="ev_departure_shortfall_kwh",
        ),
        KPI(
            "ev_discharge_kwh",
            "EV discharging",
            "kWh",
            definition="energy returned from the car (V2H)",
            short="discharged",
        ),
        KPI(
            "ev_driven_kwh",
            "EV driving",
            "kWh",
            definition="energy used for driving",
            short="driven",
        ),
        KPI(
            "ev_loss_kwh",
            "EV losses",
            "kWh",
            definition="charging and discharging losses",
            better="lower",
            short="lost",
        ),
        KPI(
            "ev_departure_shortfall_kwh",
            "EV shortfall at departure",
            "kWh",
            definition="sum over departures of max(required - actual state of charge, 0)",
            better="lower",
            short="missing at departure",
        ),
        KPI(
            "ev_unserved_kwh",
            "EV charging on the road",
            "kWh",
            definition="driving energy that the battery did not hold",
            better="lower",
            short="charged on the road",
        ),
    )
    observations: ClassVar[Mapping[str, DeviceObservation]] = {
        "ev_soc": DeviceObservation("Private: state of charge of the own EV; 0 to 1.", 0.0, 1.0),
        "ev_plugged_in": DeviceObservation(
            "Private: 1 when the own EV is plugged in during the coming step, else 0; 0 to 1.",
            0.0,
            1.0,
        ),
        "ev_hours_to_departure": DeviceObservation(
            "Private: time to the departure of the own EV in days, at most one; 0 while away; "
            "0 to 1.",
            0.0,
            1.0,
        ),
        "ev_missing_charge": DeviceObservation(
            "Private: energy missing to the required charge of the own EV over its capacity; "
            "0 to 1.",
            0.0,
            1.0,
        ),
    }

    def build_params(
        self, configs: Sequence[Sequence[EVConfig]], names: Sequence[str], step_hours: float
    ) -> EVParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        return EVParams(**stack_fields([_param_fields(next(iter(own), None)) for own in configs]))

    def build_series(
        self, configs: Sequence[Sequence[EVConfig]], context: DeviceContext
    ) -> EVSeries:
        """Sample the trips of all vehicles (see `Device.build_series`)."""
        columns = [
            _availability(next(iter(own), None), home, context) for home, own in enumerate(configs)
        ]
        hours_to_departure, trip_kwh = (
            np.stack(parts, axis=1).astype(np.float32) for parts in zip(*columns, strict=True)
        )
        # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
        return EVSeries(hours_to_departure, trip_kwh)  # type: ignore[arg-type]

    def init(self, params: EVParams) -> EVState:
        """Return the state before the first step."""
        return EVState(params.initial_kwh)

    def step(
        self,
        params: EVParams,
        state: EVState,
        inputs: EVSeries,
        request_kw: Float[Array, "home 1"],
        step_hours: Float[Array, ""],
    ) -> tuple[EVState, EVFlow]:
        """Drive, or charge or discharge at the requested power (see `Device.step`)."""
        return step(params, state, inputs, request_kw[:, 0], step_hours)

    def default_request(
        self,
        params: EVParams,
        state: EVState,
        inputs: EVSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 1"]:
        """Request full power from arrival until full, which is uncontrolled charging."""
        return (params.charge_kw * (inputs.hours_to_departure > 0))[:, None]

    def surplus_request(
        self,
        params: EVParams,
        state: EVState,
        inputs: EVSeries,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home 1"], Float[Array, " home"]]:
        """Charge from surplus and in time for the departure; with V2G cover the deficit."""
        required_kw = min_charge_kwh(params, state, inputs, step_hours) / step_hours
        power_kw = jnp.maximum(surplus_kw, required_kw)
        power_kw = jnp.clip(power_kw, -params.discharge_kw, params.charge_kw)
        power_kw = power_kw * (inputs.hours_to_departure > 0)
        return power_kw[:, None], power_kw

    def slot_limits_kw(
        self, params: EVParams
    ) -> tuple[Float[AnyArray, "home 1"], Float[AnyArray, "home 1"]]:
        """Return the power limits of charging and discharging."""
        return params.charge_kw[..., None], params.discharge_kw[..., None]

    def observe(
        self, params: EVParams, state: EVState, inputs: EVSeries
    ) -> dict[str, Float[Array, " home"]]:
        """Compute state of charge, presence, time to departure and missing charge."""
        missing = jnp.maximum(params.departure_kwh - state.stored_kwh, 0.0)
        return {
            "ev_soc": safe_divide(state.stored_kwh, params.capacity_kwh),
            "ev_plugged_in": (inputs.hours_to_departure > 0).astype(jnp.float32),
            "ev_hours_to_departure": jnp.minimum(inputs.hours_to_departure / 24.0, 1.0),
            "ev_missing_charge": safe_divide(missing, params.capacity_kwh),
        }

    def stored_kwh(self, params: EVParams, state: EVState) -> Float[Array, " home"]:
        """Return the energy in the vehicles' batteries."""
        return state.stored_kwh

    def compute_kpis(self, params: EVParams, flow: EVFlow) -> dict[str, Float[AnyArray, " home"]]:
        """Sum the flows of the vehicles (see `Device.compute_kpis`)."""
        fields = {kpi.key: kpi.key.removeprefix("ev_") for kpi in self.kpis}
        return {key: getattr(flow, field).sum(0) for key, field in fields.items()}

    def milp(
        self,
        program: LinearProgram,
        params: EVParams,
        series: EVSeries,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add the vehicles to a linear program (see `Device.milp`).

        The program is exact. Missed trips and departures, and stored energy below the reserve of
        V2G, are slack.
        """
        exists = np.broadcast_to(np.asarray(params.capacity_kwh) > 0, program.shape)
        hours_to_departure = np.asarray(series.hours_to_departure)
        trip = np.asarray(series.trip_kwh)
        is_plugged = exists & (hours_to_departure > 0)
        departs = is_plugged & (hours_to_departure <= step_hours * _DEPARTURE_TOLERANCE)
        has_v2g = is_plugged & (np.asarray(params.discharge_kw) > 0)
        max_charge = program.table(params.charge_kw * step_hours)
        max_discharge = program.table(params.discharge_kw * step_hours)
        charge = program.variable("ev_charge", 0, max_charge, is_plugged)
        stored = program.variable("ev_stored", 0, params.capacity_kwh, exists)
        unserved = program.variable("ev_unserved", 0, trip, exists & (trip > 0))
        shortfall = program.variable("ev_shortfall", 0, params.departure_kwh, departs)
        charged = program.table(params.charge_efficiency) * charge
        change = stored - program.previous("ev_stored") - charged - unserved
        net = charge
        slack = unserved.sum() + shortfall.sum()
        if has_v2g.any():
            discharge = program.variable("ev_discharge", 0, max_discharge, has_v2g)
            below_reserve = program.variable("ev_below_reserve", 0, params.reserve_kwh, has_v2g)
            change = change + program.table(1 / np.asarray(params.discharge_efficiency)) * discharge
            net = net - discharge
            slack = slack + below_reserve.sum()
            # A vehicle that returns below its reserve is charged to it before V2G.
            reserve = program.table(params.reserve_kwh)
            program.constraint("ev_reserve", stored + below_reserve >= reserve, has_v2g)
            is_lossy = np.asarray(params.charge_efficiency * params.discharge_efficiency) < 1
            exclusive = has_v2g & negative[:, None] & is_lossy
            if exclusive.any():
                is_charging = program.binary("ev_is_charging", exclusive)
                program.constraint(
                    "ev_only_charge", charge - max_charge * is_charging <= 0, exclusive
                )
                program.constraint(
                    "ev_only_discharge",
                    discharge + max_discharge * is_charging <= max_discharge,
                    exclusive,
                )
        start = program.initial(np.asarray(params.initial_kwh))
        program.constraint("ev_store", change == program.table(start - trip), exists)
        required = program.table(params.departure_kwh)
        program.constraint("ev_departure", stored + shortfall >= required, departs)
        supplied = "ev_discharge" if has_v2g.any() else None
        return LinearDevice(net, (("ev_charge", supplied),), slack)


devices.register(EV.kind, EV.summary)(EV())
