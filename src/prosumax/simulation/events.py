"""Events of a scenario as arrays: membership, availability of devices, and limits of the supply."""

from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.data.base import Source
from prosumax.devices.base import devices
from prosumax.errors import InputError
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.events import (
    SOLAR,
    AnyEvent,
    DeviceFails,
    HomeJoins,
    HomeLeaves,
    SupplyLimit,
)
from prosumax.types import EventSeries

Array = NDArray[np.float64]

LimitReader = Callable[[Source, str], Float[Array, " step"]]
"""Function that reads a series of a limit, kW, from a source at a field of the scenario."""


def event_steps(event: AnyEvent, index: pd.DatetimeIndex, time_zone: str | None) -> tuple[int, int]:
    """Return the first step of an event and the first after it; its steps start in it.

    Args:
        event: Event of a scenario.
        index: Step starts in UTC.
        time_zone: Time zone of the scenario; None for a clock without daylight saving.
    """
    zone = time_zone or "UTC"

    def step(time: datetime | None, default: int) -> int:
        if time is None:
            return default
        stamp = pd.Timestamp(time).tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        return int(index.searchsorted(stamp.tz_convert("UTC")))

    if isinstance(event, HomeJoins):
        return 0, step(event.at, 0)
    if isinstance(event, HomeLeaves):
        return step(event.at, 0), len(index)
    return step(event.at, 0), step(event.until, len(index))


def affected_homes(event: AnyEvent, scenario: Scenario) -> list[int]:
    """Return the positions of the homes that an event concerns.

    Args:
        event: Event of the scenario.
        scenario: Scenario of the event.
    """
    names = [home.name for home in scenario.homes]
    if isinstance(event, SupplyLimit):
        return [names.index(name) for name in event.homes or names]
    if event.home is not None:
        return [names.index(event.home)]
    if event.device == SOLAR:
        return [number for number, home in enumerate(scenario.homes) if home.solar is not None]
    configs = scenario.device_configs(event.device)
    return [number for number, own in enumerate(configs) if own]


def build_events(
    scenario: Scenario, index: pd.DatetimeIndex, read_limit: LimitReader
) -> tuple[EventSeries, Bool[NDArray[np.bool_], "step home"]] | None:
    """Build the arrays of the events of a scenario.

    Args:
        scenario: Validated scenario.
        index: Step starts in UTC.
        read_limit: Function that reads a series of a limit.

    Returns:
        The events, and where PV systems work; None without events.

    Raises:
        InputError: A home is never a member, or a limit is negative.
    """
    if not scenario.events:
        return None
    shape = (len(index), len(scenario.homes))
    present = np.ones(shape, bool)
    failed: dict[str, NDArray[np.bool_]] = {}
    import_kw = np.full(shape, np.inf)
    export_kw = np.full(shape, np.inf)
    for number, event in enumerate(scenario.events):
        steps = slice(*event_steps(event, index, scenario.period.time_zone))
        homes = affected_homes(event, scenario)
        if isinstance(event, SupplyLimit):
            applies = np.zeros(len(index), bool)
            applies[steps] = True
            applies &= _is_in_hours(event, index.tz_convert(scenario.period.time_zone or "UTC"))
            for name, limit_kw in (("import_kw", import_kw), ("export_kw", export_kw)):
                limit = _read_limit(getattr(event, name), f"events.{number}.{name}", read_limit)
                own = np.where(applies, limit, np.inf)[:, None]
                limit_kw[:, homes] = np.minimum(limit_kw[:, homes], own)
        elif isinstance(event, DeviceFails):
            if event.device != SOLAR and not devices.get(event.device, "devices").can_fail:
                raise InputError(
                    f"events.{number}.device",
                    f"{event.device} has no power limit that a failure could set to zero",
                    "Give the kind of device `power_fields`.",
                )
            mask = failed.setdefault(event.device, np.zeros(shape, bool))
            mask[steps, homes] = True
        else:
            present[steps, homes] = False
            if not present[:, homes].any():
                raise InputError(
                    f"events.{number}",
                    f"home {event.home!r} is not a member in any step",
                    "Change the time or remove the home.",
                )
    has_limits = bool(np.isfinite(import_kw).any() or np.isfinite(export_kw).any())
    hours = scenario.period.step_hours
    solar_works = ~failed.pop(SOLAR, np.zeros(shape, bool))
    # Annotated as the JAX arrays of a simulation, which converts these NumPy arrays.
    events = EventSeries(
        availability={
            kind: (~mask).astype(np.float32)  # type: ignore[misc]
            for kind, mask in failed.items()
        },
        present=None if present.all() else present,  # type: ignore[arg-type]
        import_kwh=import_kw * hours if has_limits else None,  # type: ignore[arg-type]
        export_kwh=export_kw * hours if has_limits else None,  # type: ignore[arg-type]
    )
    return events, solar_works


def _is_in_hours(
    event: SupplyLimit, local_index: pd.DatetimeIndex
) -> Bool[NDArray[np.bool_], " step"]:
    """Return the steps in the hours and days of a limit."""
    hour = np.asarray(local_index.hour)
    after_start, before_end = hour >= event.from_hour, hour < event.to_hour
    is_overnight = event.from_hour >= event.to_hour
    is_inside = after_start | before_end if is_overnight else after_start & before_end
    if event.days == "all":
        return np.asarray(is_inside)
    is_weekend = np.asarray(local_index.dayofweek >= 5)
    return np.asarray(is_inside & (is_weekend == (event.days == "weekend")))


def _read_limit(
    limit: float | Source | None, where: str, read_limit: LimitReader
) -> Float[Array, "*step"]:
    """Return a limit in kW, infinite where there is none."""
    if limit is None:
        return np.array(np.inf)
    if not isinstance(limit, Source):
        return np.array(limit)
    values = read_limit(limit, where)
    if (values < 0).any():
        step = int(np.argmax(values < 0))
        raise InputError(
            where, f"the limit is {values[step]:g} kW in step {step}", "A limit is at least 0."
        )
    return values
