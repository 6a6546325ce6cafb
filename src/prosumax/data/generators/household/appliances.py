"""What stands in a home: appliances with their cycles, and what is always on.

Cycle lengths and powers start from the CREST model's table, brought to appliances of today (LED lamps, flat screens,
heat-pump dryers). Ownership and cycles a year are this project's assumptions, calibrated so that the mean homes of the
lifestyles use what Belgian homes use.

References:
    Richardson, Thomson, Infield & Clifford, "Domestic electricity use: a high-resolution energy demand model",
    Energy and Buildings 42 (2010) 1878-1887: cycle lengths and powers.
    Richardson et al., "Domestic lighting: a high-resolution energy demand model", Energy and Buildings 41 (2009) 781.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from prosumax.data.generators.household.lifestyles import DayPattern, TimeSpan

Phases = tuple[tuple[float, float], ...]
"""(minutes, W), one after the other."""


@dataclass(frozen=True)
class ApplianceModel:
    """One kind of appliance that people switch on.

    cycles_per_year: starts in a home of two that owns it.
    phases: of a cycle; its length varies by `length_spread`, its power by 10 % (CREST: N(P, P/10)).
    hours: when it is used if somebody is at home and awake; empty = any time.
    owned_by: share of the homes that own it.
    per_person: how its cycles grow with the people: 1 in proportion, 0 not at all.
    length_spread: standard deviation of the logarithm of a cycle's length.
    several: a home has more than one, so that cycles may overlap.
    attended: stops when the last person goes out or to bed.
    dark: used when daylight does not do.
    winter: how much more in January than on average.
    standby_w: when plugged in and off.
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
        """Length of a typical cycle."""
        return sum(minutes for minutes, _ in self.phases)

    @property
    def cycle_kwh(self) -> float:
        """Energy of a typical cycle."""
        return sum(minutes * watts for minutes, watts in self.phases) / 60_000


_BREAKFAST, _LUNCH, _DINNER = TimeSpan(6.5, 9.0, 1.0), TimeSpan(11.5, 13.6, 0.8), TimeSpan(16.8, 20.2, 1.0)
_MEALS = (TimeSpan(6.5, 9.0, 0.1), _LUNCH, _DINNER)

APPLIANCES: Mapping[str, ApplianceModel] = {
    "hob": ApplianceModel(
        570, ((7, 2900), (18, 700)), _MEALS, ownership=0.85, attended=True, duration_log_sd=0.3
    ),
    "oven": ApplianceModel(
        165, ((13, 2500), (30, 850)), (TimeSpan(11.0, 13.0, 0.4), TimeSpan(16.3, 19.8, 1.0)), occupant_exponent=0.4
    ),
    "microwave": ApplianceModel(450, ((4, 1250),), (*_MEALS, TimeSpan(19.8, 22.0, 0.1)), ownership=0.9),
    "kettle": ApplianceModel(1100, ((3, 2000),), (_BREAKFAST, TimeSpan(9.0, 22.5, 0.45)), standby_w=0.3),
    "coffee machine": ApplianceModel(
        800, ((3, 1200), (15, 60)), (_BREAKFAST, TimeSpan(9.0, 17.0, 0.35)), ownership=0.8, standby_w=0.5
    ),
    "toaster": ApplianceModel(180, ((4, 900),), (_BREAKFAST, TimeSpan(12.0, 13.0, 0.4)), ownership=0.8),
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
    # The mean of heat-pump dryers (600 W) and vented ones (2500 W).
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
    "iron": ApplianceModel(50, ((30, 900),), (TimeSpan(9.0, 21.0, 1.0),), duration_log_sd=0.4, attended=True),
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
    # A lamp is a room: two or three LED bulbs. CREST's bulbs burn for 1 to 259 minutes, hence the wide spread.
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
    # Chargers, food processors, tools, printers, fans: everything small.
    "small appliances": ApplianceModel(
        1300, ((35, 120),), duration_log_sd=0.7, overlapping=True, standby_w=10.0
    ),
}


class ColdAppliance(NamedTuple):
    """A fridge or freezer: runs `on` minutes of every `on + off`, day and night."""

    power_w: float
    on_minutes: float
    off_minutes: float
    ownership: float


COLD_APPLIANCES: Mapping[str, ColdAppliance] = {
    "fridge-freezer": ColdAppliance(95.0, 22.0, 44.0, 1.0),
    "second fridge or freezer": ColdAppliance(80.0, 14.0, 34.0, 0.55),
}


class BaseLoad(NamedTuple):
    """A load without cycles.

    watts: while it is on.
    owned_by: share of the homes that have it.
    heating_season: on with the heating only, from autumn to spring.
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
