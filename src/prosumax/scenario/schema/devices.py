"""Schema of electric vehicles, heat pumps, deferrable appliances and battery aging."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prosumax.scenario.schema.base import (
    DayType,
    Fraction,
    NonNegative,
    Positive,
    PositiveFraction,
    StrictModel,
)

Celsius = Annotated[float, Field(ge=-50, le=100)]


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


class EVConfig(StrictModel):
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


class HotWaterTankConfig(StrictModel):
    """The hot-water tank of a heat pump."""

    volume_liters: Positive = 200.0
    heat_loss_w_per_k: NonNegative = 2.0
    """Heat loss per kelvin above a room of 20 C; 2 W/K is 1.7 kWh a day at 55 C."""
    min_c: Celsius = 42.0
    """Lowest temperature at which water is drawn."""
    max_c: Celsius = 55.0
    occupants: NonNegative | None = None
    """Number of people; defaults to that of the lifestyle."""
    kwh_per_occupant_day: NonNegative = 1.6
    """Heat demand; 1.6 kWh heats 45 liters from 10 C to 40 C."""

    @model_validator(mode="after")
    def _check_band(self) -> "HotWaterTankConfig":
        if self.min_c >= self.max_c:
            raise ValueError(f"min_c ({self.min_c:g}) must be below max_c ({self.max_c:g})")
        return self


class HeatPumpConfig(StrictModel):
    """An air-source heat pump and the building it heats.

    The model is `prosumax.devices.heat_pump`.
    """

    power_kw: Positive = 3.0
    """Electric power limit for space heating and hot water together."""
    heat_loss_w_per_k: Positive = 200.0
    """Heat loss of the building per kelvin; 100 for a new house, 250 for an old one."""
    heat_capacity_kwh_per_k: Positive = 8.0
    """Heat capacity of the building."""
    min_indoor_c: Celsius = 19.0
    """Lower end of the comfort band."""
    max_indoor_c: Celsius = 22.0
    """Upper end of the comfort band."""
    setpoint_c: Celsius = 20.0
    """Indoor temperature that the thermostat holds without other control."""
    initial_indoor_c: Celsius | None = None
    """Defaults to `setpoint_c`."""
    window_area_m2: NonNegative = 3.0
    """Effective window area for global horizontal irradiation, after shading, frame and glass."""
    internal_gains_w: NonNegative = 350.0
    """Mean heat gains from occupants and appliances."""
    carnot_efficiency: PositiveFraction = 0.45
    """Coefficient of performance as a fraction of the Carnot limit."""
    supply_mild_c: Celsius = 30.0
    """Supply temperature of the heating at 20 C outdoors."""
    supply_design_c: Celsius = 50.0
    """Supply temperature at -8 C outdoors; 35 for underfloor heating, 50 for radiators."""
    supply_water_c: Celsius = 57.0
    """Supply temperature while the tank is heated."""
    hot_water: HotWaterTankConfig | None = HotWaterTankConfig()
    """Null for a heat pump that provides space heating only."""
    safeguard: bool = True
    """Whether the thermostat guarantees the comfort band whatever power is requested."""

    @model_validator(mode="after")
    def _check_band(self) -> "HeatPumpConfig":
        if not self.min_indoor_c < self.max_indoor_c:
            raise ValueError(
                f"min_indoor_c ({self.min_indoor_c:g}) must be below max_indoor_c "
                f"({self.max_indoor_c:g})"
            )
        if not self.min_indoor_c <= self.setpoint_c <= self.max_indoor_c:
            raise ValueError(
                f"setpoint_c ({self.setpoint_c:g}) must lie between min_indoor_c and max_indoor_c"
            )
        return self


class ApplianceConfig(StrictModel):
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
    def run_parameters(self) -> tuple[float, float, float]:
        """Energy of a run in kWh, its duration in hours, and the runs per week."""
        given = (self.kwh_per_run, self.duration_hours, self.runs_per_week)
        kwh, hours, weekly = (
            default if value is None else value
            for value, default in zip(given, _CREST_RUNS[self.kind], strict=True)
        )
        return kwh, hours, weekly


_CREST_RUNS = {
    "washing_machine": (0.406 * 138 / 60, 138 / 60, 196 * 7 / 365),
    "dishwasher": (1.131, 1.0, 241 * 7 / 365),
    "dryer": (2.5, 1.0, 122 * 7 / 365),
}


class BatteryAgingConfig(StrictModel):
    """Capacity loss of a battery and its cost; the model is `prosumax.devices.battery_aging`."""

    model: Literal["xu", "linear"] = "xu"
    """Xu et al. 2018 with half cycles counted, or constant losses per cycle and year."""
    cell_temperature_c: Annotated[float, Field(ge=-20, le=60)] = 25.0
    """For model `xu`."""
    cycle_life: Positive = 4000.0
    """Full cycles until 20 % of the capacity is lost; for model `linear`."""
    calendar_loss_per_year: Fraction = 0.01
    """Fraction of the capacity lost per year; for model `linear`."""
    replacement_cost_per_kwh: NonNegative = 600.0
    """Price of a new battery, which is due when 20 % of the capacity is lost."""
