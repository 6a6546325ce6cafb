"""Household members by lifestyle, with the hours at which they are at home and awake.

The hours and probabilities are assumptions about Belgian households, not survey data. Time-use
surveys, the sources of Richardson et al. 2008 and, for Belgium, Aerts et al. 2014, give the same
shapes.

References:
    Richardson, Thomson & Infield, "A high-resolution domestic building occupancy model for energy
    demand simulations", Energy and Buildings 40 (2008) 1560-1566.
    Aerts, Minnen, Glorieux, Wouters & Descamps, "A method for the identification and modeling of
    realistic domestic occupancy sequences for building energy demand simulations", Building and
    Environment 75 (2014) 67-78.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class TimeSpan(NamedTuple):
    """Part of a local day, with a weight.

    Attributes:
        start: Start, h of the local day.
        stop: End, h of the local day; may exceed 24 (25 is 1 o'clock in the morning).
        weight: Weight of the span, such as a probability.
    """

    start: float
    stop: float
    weight: float


DayPattern = tuple[TimeSpan, ...]
"""Spans of a day; for occupancy, the weight is the probability of being at home and awake."""


class Occupant(NamedTuple):
    """Occupancy of one member of a household.

    Attributes:
        weekdays: Patterns of a working day; if there are several, they alternate by week (shift
            work).
        weekend: Pattern of a Saturday, Sunday or public holiday.
        days_off_share: Share of the working days with the weekend pattern: leave, illness,
            part-time work, and work or school from home.
    """

    weekdays: tuple[DayPattern, ...]
    weekend: DayPattern
    days_off_share: float = 0.0


_FREE_DAY: DayPattern = (TimeSpan(8.5, 23.3, 0.68),)

# Days off: 20 days of leave and 5 of illness are a tenth of the working days; as many again are
# worked from home, and a quarter of the employees work part-time. Schools close for 14 weeks of the
# year.
WORKER = Occupant(((TimeSpan(6.5, 8.1, 0.9), TimeSpan(17.4, 22.8, 0.85)),), _FREE_DAY, 0.28)
PART_TIME = Occupant(((TimeSpan(6.6, 8.4, 0.9), TimeSpan(12.6, 22.6, 0.72)),), _FREE_DAY, 0.25)
AT_HOME_WORKER = Occupant(((TimeSpan(6.8, 22.8, 0.8),),), _FREE_DAY, 0.12)
CHILD = Occupant(
    ((TimeSpan(7.0, 8.3, 0.9), TimeSpan(15.7, 20.3, 0.85)),), (TimeSpan(7.3, 20.5, 0.7),), 0.3
)
TEENAGER = Occupant(
    ((TimeSpan(6.8, 8.0, 0.85), TimeSpan(16.3, 23.2, 0.85)),), (TimeSpan(9.5, 24.5, 0.62),), 0.3
)
STUDENT = Occupant(
    ((TimeSpan(8.3, 17.0, 0.35), TimeSpan(17.0, 25.5, 0.75)),), (TimeSpan(10.5, 26.0, 0.55),), 0.2
)
RETIRED = Occupant(((TimeSpan(7.2, 22.5, 0.75),),), (TimeSpan(7.5, 22.5, 0.72),))
SHIFT_WORKER = Occupant(
    (
        (TimeSpan(4.7, 5.5, 0.9), TimeSpan(14.5, 21.3, 0.85)),
        (TimeSpan(8.5, 13.2, 0.8), TimeSpan(22.5, 24.8, 0.85)),
        (TimeSpan(6.4, 7.5, 0.7), TimeSpan(14.5, 21.2, 0.85)),
    ),
    _FREE_DAY,
    0.2,
)


@dataclass(frozen=True)
class Lifestyle:
    """A kind of household.

    Attributes:
        summary: Description in one line.
        annual_kwh: Annual load without EV, heat pump and electric water heating, kWh; the target of
            the appliance calibration (see docs/explanation/profiles.md).
        occupants: Members of the household; a larger household repeats the last one.
        schedule_shift_h: Delay of meals and other fixed hours, h.
        usage_factors: Factor on the cycles of an appliance; 1 if absent.
    """

    summary: str
    annual_kwh: float
    occupants: tuple[Occupant, ...]
    schedule_shift_h: float = 0.0
    usage_factors: Mapping[str, float] = field(default_factory=dict)


LIFESTYLES: Mapping[str, Lifestyle] = {
    "single": Lifestyle(
        "one person who works away from home",
        2000.0,
        (WORKER,),
        schedule_shift_h=0.3,
        usage_factors={
            "hob": 0.8,
            "oven": 0.7,
            "dishwasher": 0.6,
            "tumble dryer": 0.6,
            "second fridge or freezer": 0.5,
        },
    ),
    "couple": Lifestyle(
        "two people who work away from home", 2970.0, (WORKER, WORKER), schedule_shift_h=0.3
    ),
    "family": Lifestyle(
        "two parents, one of them working part-time, and two young children",
        3530.0,
        (WORKER, PART_TIME, CHILD, CHILD),
        usage_factors={
            "television": 0.8,
            "computer": 0.6,
            "small appliances": 0.8,
            "lamps": 0.9,
            "hob": 0.9,
            "washing machine": 0.9,
            "tumble dryer": 0.8,
            "games console": 0.6,
            "hair dryer": 0.8,
        },
    ),
    "family_with_teenagers": Lifestyle(
        "two parents and two teenagers who come home at four and go to bed late",
        4090.0,
        (WORKER, WORKER, TEENAGER, TEENAGER),
        schedule_shift_h=0.2,
        usage_factors={"computer": 1.4, "games console": 2.5, "hair dryer": 1.3},
    ),
    "students": Lifestyle(
        "three students in a shared house, at odd hours",
        3220.0,
        (STUDENT, STUDENT, STUDENT),
        schedule_shift_h=1.0,
        usage_factors={
            "computer": 1.6,
            "television": 0.8,
            "games console": 1.5,
            "small appliances": 0.7,
            "lamps": 0.9,
            "dishwasher": 0.5,
            "iron": 0.2,
            "tumble dryer": 0.6,
            "second fridge or freezer": 0.6,
        },
    ),
    "home_business": Lifestyle(
        "one works at home all day, one elsewhere",
        3280.0,
        (AT_HOME_WORKER, WORKER),
        usage_factors={"computer": 2.8, "coffee machine": 1.6, "kettle": 1.3},
    ),
    "retired": Lifestyle(
        "two people at home most of the day, early to bed",
        2950.0,
        (RETIRED, RETIRED),
        schedule_shift_h=-0.4,
        usage_factors={
            "television": 1.5,
            "kettle": 1.2,
            "computer": 0.7,
            "games console": 0.0,
            "tumble dryer": 0.7,
        },
    ),
    "night_shifts": Lifestyle(
        "one works early, late and night shifts in turn, one by day",
        3000.0,
        (SHIFT_WORKER, WORKER),
    ),
}

LIFESTYLE_SHARES: Mapping[str, float] = {
    "single": 0.24,
    "couple": 0.17,
    "family": 0.15,
    "family_with_teenagers": 0.09,
    "students": 0.02,
    "home_business": 0.05,
    "retired": 0.25,
    "night_shifts": 0.03,
}
"""Share of each lifestyle among Belgian households.

An assumption close to the census: a third are single persons, a quarter have children at home, and
a good quarter are headed by a person over 65.
"""
