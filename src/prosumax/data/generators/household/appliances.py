"""Appliances of a home: cycles started by occupants, cold appliances and base loads.

Cycle lengths and powers start from the table of the CREST model, updated to current appliances (LED
lamps, flat screens, heat-pump dryers). Ownership and cycles per year are assumptions, calibrated
such that the mean homes of the lifestyles have the load of Belgian homes.

References:
    Richardson, Thomson, Infield & Clifford, "Domestic electricity use: a high-resolution energy
    demand model", Energy and Buildings 42 (2010) 1878-1887: cycle lengths and powers.
    Richardson et al., "Domestic lighting: a high-resolution energy demand model", Energy and
    Buildings 41 (2009) 781.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prosumax.data.generators.household.lifestyles import DayPattern, TimeSpan

Phases = tuple[tuple[float, float], ...]
"""Consecutive phases of a cycle: (duration in min, power in W)."""


@dataclass(frozen=True)
class ApplianceModel:
    """An appliance that occupants switch on.

    Attributes:
        cycles_per_year: Number of cycles in a two-person home that owns the appliance.
        phases: Phases of a cycle; the duration varies by `duration_log_sd`, the power by 10 %
            (CREST: N(P, P/10)).
        usage_hours: Relative start rate over the day while an occupant is active; any time if
            empty.
        ownership: Share of the homes that own it.
        occupant_exponent: Exponent of the number of occupants in the number of cycles: 1 is
            proportional, 0 constant.
        duration_log_sd: Standard deviation of the logarithm of the cycle duration.
        overlapping: Whether a home has several, so that cycles may overlap.
        attended: Whether it stops when the last occupant leaves or goes to bed.
        daylight_dependent: Whether it is used in the absence of daylight only.
        winter_amplitude: Relative increase of the start rate in January over the annual mean.
        standby_w: Standby power, W.
    """

    cycles_per_year: float
    phases: Phases
    usage_hours: DayPattern = ()
    ownership: float = 1.0
    occupant_exponent: float = 0.5
    duration_log_sd: float = 0.15
    overlapping: bool = False
    attended: bool = False
    daylight_dependent: bool = False
    winter_amplitude: float = 0.10
    standby_w: float = 0.0

    @property
    def cycle_minutes(self) -> float:
        """Duration of a typical cycle, min."""
        return sum(minutes for minutes, _ in self.phases)

    @property
    def cycle_kwh(self) -> float:
        """Energy of a typical cycle, kWh."""
        return sum(minutes * watts for minutes, watts in self.phases) / 60_000


_BREAKFAST = TimeSpan(6.5, 9.0, 1.0)
_LUNCH = TimeSpan(11.5, 13.6, 0.8)
_DINNER = TimeSpan(16.8, 20.2, 1.0)
_MEALS = (TimeSpan(6.5, 9.0, 0.1), _LUNCH, _DINNER)

APPLIANCES: Mapping[str, ApplianceModel] = {
    "hob": ApplianceModel(
        570, ((7, 2900), (18, 700)), _MEALS, ownership=0.85, attended=True, duration_log_sd=0.3
    ),
    "oven": ApplianceModel(
        165,
        ((13, 2500), (30, 850)),
        (TimeSpan(11.0, 13.0, 0.4), TimeSpan(16.3, 19.8, 1.0)),
        occupant_exponent=0.4,
    ),
    "microwave": ApplianceModel(
        450, ((4, 1250),), (*_MEALS, TimeSpan(19.8, 22.0, 0.1)), ownership=0.9
    ),
    "kettle": ApplianceModel(
        1100, ((3, 2000),), (_BREAKFAST, TimeSpan(9.0, 22.5, 0.45)), standby_w=0.3
    ),
    "coffee machine": ApplianceModel(
        800,
        ((3, 1200), (15, 60)),
        (_BREAKFAST, TimeSpan(9.0, 17.0, 0.35)),
        ownership=0.8,
        standby_w=0.5,
    ),
    "toaster": ApplianceModel(
        180, ((4, 900),), (_BREAKFAST, TimeSpan(12.0, 13.0, 0.4)), ownership=0.8
    ),
    "cooker hood": ApplianceModel(450, ((25, 120),), _MEALS, ownership=0.8, attended=True),
    "dishwasher": ApplianceModel(
        220,
        ((15, 1900), (55, 70), (12, 1900), (30, 30)),
        (TimeSpan(8.0, 11.0, 0.3), TimeSpan(12.5, 15.0, 0.6), TimeSpan(19.0, 23.5, 1.0)),
        ownership=0.75,
        occupant_exponent=0.6,
        standby_w=0.5,
    ),
    "washing machine": ApplianceModel(
        220,
        ((16, 2000), (80, 170)),
        (TimeSpan(7.0, 17.0, 1.0), TimeSpan(17.0, 22.0, 0.6)),
        occupant_exponent=0.75,
        standby_w=0.5,
    ),
    # Mean of heat-pump dryers (600 W) and vented dryers (2500 W).
    "tumble dryer": ApplianceModel(
        140,
        ((85, 1150),),
        (TimeSpan(8.0, 18.0, 1.0), TimeSpan(18.0, 22.5, 0.7)),
        ownership=0.6,
        occupant_exponent=0.75,
        winter_amplitude=0.4,
        standby_w=0.5,
    ),
    "vacuum cleaner": ApplianceModel(
        110,
        ((20, 800),),
        (TimeSpan(8.5, 18.0, 1.0), TimeSpan(18.0, 20.0, 0.5)),
        occupant_exponent=0.2,
        duration_log_sd=0.4,
        attended=True,
    ),
    "iron": ApplianceModel(
        50, ((30, 900),), (TimeSpan(9.0, 21.0, 1.0),), duration_log_sd=0.4, attended=True
    ),
    "hair dryer": ApplianceModel(
        230,
        ((6, 1500),),
        (TimeSpan(6.3, 8.5, 1.0), TimeSpan(19.0, 22.5, 0.3)),
        ownership=0.8,
        occupant_exponent=0.8,
        attended=True,
    ),
    "television": ApplianceModel(
        850,
        ((110, 110),),
        (TimeSpan(7.0, 18.0, 0.35), TimeSpan(18.0, 24.0, 1.0)),
        duration_log_sd=0.6,
        overlapping=True,
        attended=True,
        winter_amplitude=0.2,
        standby_w=2.0,
    ),
    "computer": ApplianceModel(
        700,
        ((120, 95),),
        (TimeSpan(8.0, 25.0, 1.0),),
        occupant_exponent=0.7,
        duration_log_sd=0.6,
        overlapping=True,
        attended=True,
        standby_w=4.0,
    ),
    "games console": ApplianceModel(
        160,
        ((90, 150),),
        (TimeSpan(15.0, 26.0, 1.0),),
        ownership=0.45,
        duration_log_sd=0.6,
        attended=True,
        standby_w=4.0,
    ),
    # A lamp is a room with two or three LED bulbs. Bulbs in CREST are on for 1 to 259 minutes,
    # hence the large standard deviation.
    "lamps": ApplianceModel(
        6200,
        ((60, 28),),
        (),
        occupant_exponent=0.35,
        duration_log_sd=1.0,
        overlapping=True,
        attended=True,
        daylight_dependent=True,
    ),
    # Chargers, food processors, tools, printers, fans.
    "small appliances": ApplianceModel(
        1300, ((35, 120),), duration_log_sd=0.7, overlapping=True, standby_w=10.0
    ),
}


class ColdAppliance(NamedTuple):
    """A refrigerator or freezer with a thermostat cycle.

    Attributes:
        power_w: Power of the compressor, W.
        on_minutes: Mean duration of the on state, min.
        off_minutes: Mean duration of the off state, min.
        ownership: Share of the homes that own it.
    """

    power_w: float
    on_minutes: float
    off_minutes: float
    ownership: float

    @property
    def mean_w(self) -> float:
        """Mean power over a cycle, W."""
        return self.power_w * self.on_minutes / (self.on_minutes + self.off_minutes)


COLD_APPLIANCES: Mapping[str, ColdAppliance] = {
    "fridge-freezer": ColdAppliance(95.0, 22.0, 44.0, 1.0),
    "second fridge or freezer": ColdAppliance(80.0, 14.0, 34.0, 0.55),
}


class BaseLoad(NamedTuple):
    """A constant load.

    Attributes:
        power_w: Power while it is on, W.
        ownership: Share of the homes that have it.
        heating_season: Whether it is on in the heating season only.
    """

    power_w: float
    ownership: float
    heating_season: bool = False


BASE_LOADS: Mapping[str, BaseLoad] = {
    "router and boxes": BaseLoad(28.0, 0.97),
    "ventilation": BaseLoad(35.0, 0.45),
    "boiler and pumps": BaseLoad(60.0, 0.85, heating_season=True),
    "other devices always on": BaseLoad(38.0, 1.0),
}
