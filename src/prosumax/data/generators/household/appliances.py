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

from prosumax.data.generators.household.lifestyles import Day, Span

Phases = tuple[tuple[float, float], ...]
"""(minutes, W), one after the other."""


@dataclass(frozen=True)
class Appliance:
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
    hours: Day = ()
    owned_by: float = 1.0
    per_person: float = 0.5
    length_spread: float = 0.15
    several: bool = False
    attended: bool = False
    dark: bool = False
    winter: float = 0.10
    standby_w: float = 0.0

    @property
    def minutes(self) -> float:
        """Length of a typical cycle."""
        return sum(minutes for minutes, _ in self.phases)

    @property
    def cycle_kwh(self) -> float:
        """Energy of a typical cycle."""
        return sum(minutes * watts for minutes, watts in self.phases) / 60_000


_BREAKFAST, _LUNCH, _DINNER = Span(6.5, 9.0, 1.0), Span(11.5, 13.6, 0.8), Span(16.8, 20.2, 1.0)
_MEALS = (Span(6.5, 9.0, 0.1), _LUNCH, _DINNER)

APPLIANCES: Mapping[str, Appliance] = {
    "hob": Appliance(
        570, ((7, 2900), (18, 700)), _MEALS, owned_by=0.85, attended=True, length_spread=0.3
    ),
    "oven": Appliance(
        165, ((13, 2500), (30, 850)), (Span(11.0, 13.0, 0.4), Span(16.3, 19.8, 1.0)), per_person=0.4
    ),
    "microwave": Appliance(450, ((4, 1250),), (*_MEALS, Span(19.8, 22.0, 0.1)), owned_by=0.9),
    "kettle": Appliance(1100, ((3, 2000),), (_BREAKFAST, Span(9.0, 22.5, 0.45)), standby_w=0.3),
    "coffee machine": Appliance(
        800, ((3, 1200), (15, 60)), (_BREAKFAST, Span(9.0, 17.0, 0.35)), owned_by=0.8, standby_w=0.5
    ),
    "toaster": Appliance(180, ((4, 900),), (_BREAKFAST, Span(12.0, 13.0, 0.4)), owned_by=0.8),
    "cooker hood": Appliance(450, ((25, 120),), _MEALS, owned_by=0.8, attended=True),
    "dishwasher": Appliance(
        220,
        ((15, 1900), (55, 70), (12, 1900), (30, 30)),
        (Span(8.0, 11.0, 0.3), Span(12.5, 15.0, 0.6), Span(19.0, 23.5, 1.0)),
        owned_by=0.75,
        per_person=0.6,
        standby_w=0.5,
    ),
    "washing machine": Appliance(
        220,
        ((16, 2000), (80, 170)),
        (Span(7.0, 17.0, 1.0), Span(17.0, 22.0, 0.6)),
        per_person=0.75,
        standby_w=0.5,
    ),
    # The mean of heat-pump dryers (600 W) and vented ones (2500 W).
    "tumble dryer": Appliance(
        140,
        ((85, 1150),),
        (Span(8.0, 18.0, 1.0), Span(18.0, 22.5, 0.7)),
        owned_by=0.6,
        per_person=0.75,
        winter=0.4,
        standby_w=0.5,
    ),
    "vacuum cleaner": Appliance(
        110,
        ((20, 800),),
        (Span(8.5, 18.0, 1.0), Span(18.0, 20.0, 0.5)),
        per_person=0.2,
        length_spread=0.4,
        attended=True,
    ),
    "iron": Appliance(50, ((30, 900),), (Span(9.0, 21.0, 1.0),), length_spread=0.4, attended=True),
    "hair dryer": Appliance(
        230,
        ((6, 1500),),
        (Span(6.3, 8.5, 1.0), Span(19.0, 22.5, 0.3)),
        owned_by=0.8,
        per_person=0.8,
        attended=True,
    ),
    "television": Appliance(
        850,
        ((110, 110),),
        (Span(7.0, 18.0, 0.35), Span(18.0, 24.0, 1.0)),
        length_spread=0.6,
        several=True,
        attended=True,
        winter=0.2,
        standby_w=2.0,
    ),
    "computer": Appliance(
        700,
        ((120, 95),),
        (Span(8.0, 25.0, 1.0),),
        per_person=0.7,
        length_spread=0.6,
        several=True,
        attended=True,
        standby_w=4.0,
    ),
    "games console": Appliance(
        160,
        ((90, 150),),
        (Span(15.0, 26.0, 1.0),),
        owned_by=0.45,
        length_spread=0.6,
        attended=True,
        standby_w=4.0,
    ),
    # A lamp is a room: two or three LED bulbs. CREST's bulbs burn for 1 to 259 minutes, hence the wide spread.
    "lamps": Appliance(
        6200,
        ((60, 28),),
        (),
        per_person=0.35,
        length_spread=1.0,
        several=True,
        attended=True,
        dark=True,
    ),
    # Chargers, food processors, tools, printers, fans: everything small.
    "small appliances": Appliance(
        1300, ((35, 120),), length_spread=0.7, several=True, standby_w=10.0
    ),
}


class Cold(NamedTuple):
    """A fridge or freezer: runs `on` minutes of every `on + off`, day and night."""

    watts: float
    on_minutes: float
    off_minutes: float
    owned_by: float


COLD_APPLIANCES: Mapping[str, Cold] = {
    "fridge-freezer": Cold(95.0, 22.0, 44.0, 1.0),
    "second fridge or freezer": Cold(80.0, 14.0, 34.0, 0.55),
}


class AlwaysOn(NamedTuple):
    """A load without cycles.

    watts: while it is on.
    owned_by: share of the homes that have it.
    heating_season: on with the heating only, from autumn to spring.
    """

    watts: float
    owned_by: float
    heating_season: bool = False


ALWAYS_ON: Mapping[str, AlwaysOn] = {
    "router and boxes": AlwaysOn(28.0, 0.97),
    "ventilation": AlwaysOn(35.0, 0.45),
    "boiler and pumps": AlwaysOn(60.0, 0.85, heating_season=True),
    "other devices always on": AlwaysOn(38.0, 1.0),
}
