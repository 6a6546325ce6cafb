"""Source `schedule`: buildings with opening hours."""

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field

from prosumax.config import DayType, HourOfDay, NonNegative, StrictModel
from prosumax.data.base import Array, Source, SourceContext
from prosumax.data.generators.household.schedule import OpeningPeriod, schedule_kwh
from prosumax.data.registry import load_sources

MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


class OpeningHours(StrictModel):
    """Local hours in which a building is open, from `from_hour` until just before `to_hour`."""

    power_kw: NonNegative
    """Power above the base load."""
    from_hour: HourOfDay
    to_hour: HourOfDay
    days: DayType = "weekdays"
    """Public holidays count as weekend."""


class ClosedDays(StrictModel):
    """Days of every year on which a building is closed, MM-DD, both included."""

    first: MonthDay
    last: MonthDay


@load_sources.register("schedule", "Load of a building with opening hours.")
class ScheduleLoad(Source):
    """The load of a building with opening hours, such as a school, an office or a shop."""

    source: Literal["schedule"]
    base_kw: NonNegative
    """Power at all times."""
    opening_hours: list[OpeningHours] = []
    closed_days: list[ClosedDays] = []
    relative_std: NonNegative = 0.1
    """Relative standard deviation of a day's power above the base load."""

    def read(self, context: SourceContext) -> Float[Array, " step"]:
        """Generate the load."""
        return schedule_kwh(
            context.index,
            context.time_zone,
            self.base_kw,
            [
                OpeningPeriod(hours.power_kw, hours.from_hour, hours.to_hour, hours.days)
                for hours in self.opening_hours
            ],
            [(_month_day(days.first), _month_day(days.last)) for days in self.closed_days],
            self.relative_std,
            context.seed("load"),
        )


def _month_day(text: str) -> tuple[int, int]:
    month, day = text.split("-")
    return int(month), int(day)
