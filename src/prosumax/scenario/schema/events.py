"""Schema of events: homes that join or leave, devices that fail, and limits of the supply."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Field, field_validator, model_validator

from prosumax.config import DayType, HourOfDay, StrictModel
from prosumax.data.base import Source
from prosumax.data.registry import RegisteredSource, limit_sources
from prosumax.errors import InputError, did_you_mean

SOLAR = "solar"
"""Name of the PV system among the devices that can fail."""


class Event(StrictModel):
    """Something that happens during the period."""

    time_fields: ClassVar[tuple[str, ...]] = ("at",)

    @field_validator("at", "until", check_fields=False)
    @classmethod
    def _check_no_offset(cls, time: datetime | None) -> datetime | None:
        if time is not None and time.tzinfo is not None:
            raise ValueError("must be a local time without offset, such as 2023-06-01T00:00")
        return time

    @model_validator(mode="after")
    def _check_order(self) -> "Event":
        start = getattr(self, "at", None)
        end = getattr(self, "until", None)
        if start is not None and end is not None and end <= start:
            raise ValueError(f"until ({end}) must be after at ({start})")
        return self


class HomeLeaves(Event):
    """A home that leaves: it has no load, trade, bill or device from then on."""

    event: Literal["home_leaves"]
    home: str
    """Name of the home."""
    at: datetime
    """Start of its first step of absence, local time."""


class HomeJoins(Event):
    """A home that joins: before, it has no load, trade, bill or device."""

    event: Literal["home_joins"]
    home: str
    """Name of the home."""
    at: datetime
    """Start of its first step, local time."""


class DeviceFails(Event):
    """A device that fails: it has no power, and its physics go on."""

    time_fields = ("at", "until")

    event: Literal["device_fails"]
    device: str
    """Kind of device, or `solar`."""
    home: str | None = None
    """Name of the home; by default all homes that have the device, such as a shared one."""
    at: datetime
    """Start of the failure, local time."""
    until: datetime | None = None
    """Time of the repair; by default the device is not repaired."""


class SupplyLimit(Event):
    """A limit of the operator at the connection of homes."""

    time_fields = ("at", "until")

    event: Literal["supply_limit"]
    at: datetime | None = None
    """Start of the limit, local time; by default that of the period."""
    until: datetime | None = None
    """End of the limit; by default that of the period."""
    import_kw: Annotated[float | Source, RegisteredSource(limit_sources, or_number=True)] | None = (
        None
    )
    """Limit of each home's import; load above it that no device can cover is shed."""
    export_kw: Annotated[float | Source, RegisteredSource(limit_sources, or_number=True)] | None = (
        None
    )
    """Limit of each home's export; PV generation above it is curtailed."""
    from_hour: HourOfDay = 0
    """First local hour of the day in which the limit applies."""
    to_hour: HourOfDay = 24
    """End of these hours; before `from_hour`, they extend over midnight."""
    days: DayType = "all"
    """Days on which the limit applies."""
    homes: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the homes; defaults to all."""

    @field_validator("import_kw", "export_kw")
    @classmethod
    def _check_not_negative(cls, limit: float | Source | None) -> float | Source | None:
        if isinstance(limit, float) and not limit >= 0:
            raise ValueError("must be at least 0")
        return limit

    @model_validator(mode="after")
    def _check_limit(self) -> "SupplyLimit":
        if self.import_kw is None and self.export_kw is None:
            raise ValueError("a supply limit needs `import_kw` or `export_kw`")
        hours = (self.from_hour, self.to_hour)
        if hours != (0, 24) and self.from_hour % 24 == self.to_hour % 24:
            raise ValueError(f"from_hour ({hours[0]}) and to_hour ({hours[1]}) must differ")
        if self.homes is not None and len(set(self.homes)) < len(self.homes):
            raise ValueError("`homes` names a home twice")
        return self


AnyEvent = Annotated[HomeLeaves | HomeJoins | DeviceFails | SupplyLimit, Discriminator("event")]
"""Event of a scenario, told apart by its field `event`."""


def check_events(
    events: Sequence[AnyEvent],
    devices: Mapping[str, Collection[str]],
    start: datetime,
    end: datetime,
) -> None:
    """Check that events refer to homes, devices and times that exist.

    Args:
        events: Events of the scenario.
        devices: Kinds of devices of each home by name, with `solar` for PV.
        start: Start of the period, local time without offset.
        end: End of the period.

    Raises:
        InputError: An event does not fit the scenario.
    """
    for number, event in enumerate(events):
        where = f"events.{number}"
        for field, name in _home_names(event):
            if name not in devices:
                raise InputError(
                    f"{where}.{field}",
                    f"there is no home {name!r}",
                    did_you_mean(name, devices),
                )
        for field in event.time_fields:
            time = getattr(event, field)
            is_inside = time is None or start <= time < end or (field == "until" and time == end)
            if not is_inside:
                raise InputError(
                    f"{where}.{field}",
                    f"{time:%Y-%m-%dT%H:%M} is outside the period, which is from "
                    f"{start:%Y-%m-%dT%H:%M} to {end:%Y-%m-%dT%H:%M}",
                    "Change the time or remove the event.",
                )
        if isinstance(event, DeviceFails):
            _check_device(event, where, devices)
    _check_memberships(events)


def _home_names(event: AnyEvent) -> Iterator[tuple[str, str]]:
    """Yield field and name of every home that an event names."""
    if isinstance(event, SupplyLimit):
        for number, name in enumerate(event.homes or ()):
            yield f"homes.{number}", name
    elif event.home is not None:
        yield "home", event.home


def _check_device(event: DeviceFails, where: str, devices: Mapping[str, Collection[str]]) -> None:
    """Check that a device that fails exists."""
    existing = sorted({kind for kinds in devices.values() for kind in kinds})
    if event.device not in existing:
        raise InputError(
            f"{where}.device",
            f"no home has a device {event.device!r}",
            did_you_mean(event.device, existing) or "No home has a device.",
        )
    if event.home is not None and event.device not in devices[event.home]:
        raise InputError(
            f"{where}.device",
            f"home {event.home!r} has no {event.device}",
            did_you_mean(event.device, sorted(devices[event.home])) or "It has no device.",
        )


def _check_memberships(events: Sequence[AnyEvent]) -> None:
    """Check that each home joins and leaves at most once, and joins before it leaves."""
    joins: dict[str, datetime] = {}
    leaves: dict[str, datetime] = {}
    for number, event in enumerate(events):
        if not isinstance(event, HomeJoins | HomeLeaves):
            continue
        times, verb = (joins, "joins") if isinstance(event, HomeJoins) else (leaves, "leaves")
        where = f"events.{number}.home"
        if event.home in times:
            raise InputError(where, f"{event.home!r} {verb} twice", "Remove one of the events.")
        times[event.home] = event.at
        joined, left = joins.get(event.home), leaves.get(event.home)
        if joined is not None and left is not None and left <= joined:
            raise InputError(
                where,
                f"{event.home!r} leaves before it joins; a home is a member once, without gap",
                "Let it join first, or use two homes.",
            )
