"""What a person writes about cars, heat pumps, appliances that can wait, and the ageing of a battery."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from prosumax.scenario.schema.base import Fraction, StrictModel, NonNegative, PositiveFraction

DayType = Literal["all", "weekdays", "weekend"]
Positive = Annotated[float, Field(gt=0)]
Celsius = Annotated[float, Field(ge=-50, le=100)]


class TripConfig(StrictModel):
    """A drive that comes back every such day, local time; it ends on the day it begins."""

    departure: str
    """HH:MM."""
    arrival: str
    """HH:MM, later than `leave`."""
    distance_km: Positive
    days: DayType = "all"

    @field_validator("leave", "back")
    @classmethod
    def _clock(cls, text: str) -> str:
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
            raise ValueError("must be a time of the day such as 07:45, in quotes")
        return text

    @model_validator(mode="after")
    def _forward(self) -> "TripConfig":
        if self.arrival <= self.departure:
            raise ValueError(f"back ({self.arrival}) must be later than leave ({self.departure})")
        return self


class EVConfig(StrictModel):
    """An electric car and its charger at home; physics in `prosumax.devices.ev`."""

    power_kw: Positive = 7.4
    """AC power of the charger: 3.7 (16 A), 7.4 (32 A) and 11 (three phases of 16 A) are usual."""
    capacity_kwh: Positive = 52.0
    charge_efficiency: PositiveFraction = 0.9
    discharge_efficiency: PositiveFraction = 0.9
    departure_soc: Fraction = 0.8
    """State of charge that the owner wants at every departure."""
    initial_soc: Fraction | None = None
    """`departure_soc` when absent."""
    v2g: bool = False
    """Whether the car can give back to the home."""
    v2g_reserve_soc: Fraction = 0.3
    """State of charge below which it gives nothing back."""
    annual_km: Positive | None = None
    """Distance of a calendar year; that of the lifestyle when absent."""
    kwh_per_km: Positive = 0.185
    """Mean over the year; a fifth more in January, a fifth less in July."""
    lifestyle: str | None = None
    """Who drives; the lifestyle of the home's load when absent, a family where it has none."""
    plug_in_probability: PositiveFraction = 0.6
    """Chance of plugging in on coming home; with a third of the battery used up it is done for sure."""
    trips: Annotated[list[TripConfig], Field(min_length=1)] | None = None
    """Fixed drives instead of drawn ones; the car is then always plugged in at home."""
    safeguard: bool = True
    """Whether the charger keeps `departure_soc` by itself, whatever is asked of it."""

    @model_validator(mode="after")
    def _one_drive_at_a_time(self) -> "EVConfig":
        for weekday in (True, False):
            own = [
                t
                for t in self.trips or ()
                if t.days in {"all", "weekdays" if weekday else "weekend"}
            ]
            for first, then in zip(
                ordered := sorted(own, key=lambda t: t.departure), ordered[1:], strict=False
            ):
                if then.departure < first.arrival:
                    raise ValueError(
                        f"a trip leaves at {then.departure}, before the one of {first.departure} is back"
                    )
        return self


class HotWaterTankConfig(StrictModel):
    """The tank behind a heat pump."""

    volume_liters: Positive = 200.0
    heat_loss_w_per_k: NonNegative = 2.0
    """Heat lost per kelvin above a room of 20 C; 2 W/K is 1.7 kWh a day at 55 C."""
    min_c: Celsius = 42.0
    """Colder water is not served."""
    max_c: Celsius = 55.0
    occupants: NonNegative | None = None
    """Those of the lifestyle when absent."""
    kwh_per_occupant_day: NonNegative = 1.6
    """Heat: 45 litres of 40 C from water of 10 C."""

    @model_validator(mode="after")
    def _band(self) -> "HotWaterTankConfig":
        if self.min_c >= self.max_c:
            raise ValueError(
                f"lowest_c ({self.min_c:g}) must be below highest_c ({self.max_c:g})"
            )
        return self


class HeatPumpConfig(StrictModel):
    """An air-source heat pump and the building it heats; physics in `prosumax.devices.heat_pump`."""

    power_kw: Positive = 3.0
    """Electric, for rooms and water together."""
    heat_loss_w_per_k: Positive = 200.0
    """Heat lost per kelvin between indoors and outdoors: 100 for a new house, 250 for an old one."""
    heat_capacity_kwh_per_k: Positive = 8.0
    """Heat capacity of the building."""
    min_indoor_c: Celsius = 19.0
    max_indoor_c: Celsius = 22.0
    """Comfort band indoors."""
    setpoint_c: Celsius = 20.0
    """What the thermostat holds when nobody steers."""
    initial_indoor_c: Celsius | None = None
    """`setpoint_c` when absent."""
    window_area_m2: NonNegative = 3.0
    """Area that lets all of the horizontal irradiation in: windows, less shade, frame and glass."""
    internal_gains_w: NonNegative = 350.0
    """Mean heat of people and appliances."""
    carnot_efficiency: PositiveFraction = 0.45
    """Coefficient of performance as a share of the ideal one."""
    supply_mild_c: Celsius = 30.0
    supply_design_c: Celsius = 50.0
    """Supply temperature at 20 C and at -8 C outside: 35 for a heated floor, 50 for radiators."""
    supply_water_c: Celsius = 57.0
    """Supply temperature while it heats the tank."""
    hot_water: HotWaterTankConfig | None = HotWaterTankConfig()
    """Null for a heat pump that only heats rooms."""
    safeguard: bool = True
    """Whether the thermostat keeps the band by itself, whatever is asked of it."""

    @model_validator(mode="after")
    def _band(self) -> "HeatPumpConfig":
        if not self.min_indoor_c < self.max_indoor_c:
            raise ValueError(
                f"lowest_c ({self.min_indoor_c:g}) must be below highest_c ({self.max_indoor_c:g})"
            )
        if not self.min_indoor_c <= self.setpoint_c <= self.max_indoor_c:
            raise ValueError(
                f"setpoint_c ({self.setpoint_c:g}) must lie between lowest_c and highest_c"
            )
        return self


class ApplianceConfig(StrictModel):
    """An appliance whose run can wait; physics in `prosumax.devices.appliance`.

    What is absent is that of its kind: mean power times duration and yearly runs of the CREST demand model (Richardson
    et al. 2010, Energy and Buildings 42:1878).
    """

    kind: Literal["washing_machine", "dishwasher", "dryer"]
    kwh_per_run: Positive | None = None
    duration_hours: Positive | None = None
    """Duration of a run; rounded up to whole steps."""
    runs_per_week: Annotated[float, Field(ge=0, le=7)] | None = None
    """At most one a day."""
    from_hour: Annotated[int, Field(ge=0, le=23)] = 8
    to_hour: Annotated[int, Field(ge=1, le=24)] = 21
    """Local hours between which somebody fills it."""
    deadline_hours: Positive = 10.0
    """After being filled, when it must be done."""
    safeguard: bool = True
    """Whether its timer starts it in time; otherwise a run that nobody started is given up."""

    @model_validator(mode="after")
    def _possible(self) -> "ApplianceConfig":
        if self.from_hour >= self.to_hour:
            raise ValueError(
                f"from_hour ({self.from_hour}) must be before to_hour ({self.to_hour})"
            )
        if self.run_parameters[1] > self.deadline_hours:
            raise ValueError(
                f"a run takes {self.run_parameters[1]:g} h and must be done in {self.deadline_hours:g} h"
            )
        return self

    @property
    def run_parameters(self) -> tuple[float, float, float]:
        """Energy and hours of a run, and runs a week."""
        usual = _USUAL[self.kind]
        own = (self.kwh_per_run, self.duration_hours, self.runs_per_week)
        kwh, hours, weekly = (u if o is None else o for o, u in zip(own, usual, strict=True))
        return kwh, hours, weekly


_USUAL = {
    "washing_machine": (0.406 * 138 / 60, 138 / 60, 196 * 7 / 365),
    "dishwasher": (1.131, 1.0, 241 * 7 / 365),
    "dryer": (2.5, 1.0, 122 * 7 / 365),
}


class BatteryAgingConfig(StrictModel):
    """How a battery loses capacity, and what that costs; physics in `prosumax.devices.battery_aging`."""

    model: Literal["xu", "linear"] = "xu"
    """Xu 2018 with half cycles counted, or so much per cycle and year."""
    cell_temperature_c: Annotated[float, Field(ge=-20, le=60)] = 25.0
    """Of the cells; model xu."""
    cycle_life: Positive = 4000.0
    """Full cycles until a fifth of the capacity is gone; model linear."""
    calendar_loss_per_year: Fraction = 0.01
    """Capacity lost by time; model linear."""
    replacement_cost_per_kwh: NonNegative = 600.0
    """Price of a new battery; it is replaced when a fifth of the capacity is gone."""
