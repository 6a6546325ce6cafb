"""What happened, cut and added up for the charts: NumPy on the arrays of a result."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.grid.feeder import Feeder
from prosumax.grid.paths import shortest
from prosumax.metrics.network import BELIEVED_PU
from prosumax.simulation.results.result import Result

Values = NDArray[np.float64]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NOISE_KWH = 1e-6  # single precision leaves crumbs where two equal numbers are subtracted


def powers(result: Result) -> dict[str, Values]:
    """Mean power in every step, kW, [step, 1 + home]: first all homes together, then each home.

    `use + battery = sun + bought + sent + shared` for a home: `battery` is positive when it charges and negative when
    it or a car gives back (charging of cars is part of `use`), `sent` is negative, `shared` is positive when taken from
    neighbours. For all homes together `shared` is what changes hands, and stays out of that sum. What never happens is
    left out, save `use` and `bought`.
    """
    flows, local = result.trajectory.record.flows, result.trajectory.record.local
    per_home = {
        "bought": flows.import_kwh - local.bought_kwh,
        "sent": local.sold_kwh - flows.export_kwh,
        "shared": local.bought_kwh - local.sold_kwh,
        "sun": flows.solar_kwh,
        "battery": flows.charge_kwh - flows.given_kwh,
        "use": flows.load_kwh,
    }
    totals = {"shared": local.bought_kwh.sum(1)}
    hours = result.scenario.period.step_hours
    return {
        name: np.column_stack([totals.get(name, values.sum(1)), values]) / hours
        for name, values in per_home.items()
        if name in {"use", "bought"} or np.abs(values).max() > _NOISE_KWH
    }


def mean_day(
    powers: dict[str, Values], hour: NDArray[np.int32]
) -> tuple[list[int], dict[str, Values]]:
    """The hours that occur, and the mean power in each [hour, 1 + home].

    Arguments:
        powers: from `powers`, cut to the season of interest.
        hour: local hour of each step.
    """
    hours = np.unique(hour)
    member = (hours[:, None] == hour).astype(np.float64)
    member /= member.sum(1, keepdims=True)
    return hours.tolist(), {name: member @ values for name, values in powers.items()}


def extreme_weeks(result: Result) -> dict[str, slice]:
    """The sunniest and the darkest seven days in a row; the busiest and quietest where there is no sun.

    Days are whole local days. A period without seven of them gives nothing, one where both are the same gives one.
    """
    local, flows = result.profiles.local, result.trajectory.record.flows
    midnights = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    after = local[-1] + pd.Timedelta(minutes=result.scenario.period.step_minutes)
    edges = np.append(midnights, len(local)) if after.hour == 0 and after.minute == 0 else midnights
    if len(edges) < 8:
        return {}
    names, total = ("sunniest", "darkest"), flows.solar_kwh.sum(1)
    if total.sum() <= 0:
        names, total = ("busiest", "quietest"), flows.load_kwh.sum(1)
    until = np.append(0.0, np.cumsum(total))
    weekly = until[edges[7:]] - until[edges[:-7]]
    most, least = int(weekly.argmax()), int(weekly.argmin())
    weeks = {names[0]: slice(int(edges[most]), int(edges[most + 7]))}
    if least != most:
        weeks[names[1]] = slice(int(edges[least]), int(edges[least + 7]))
    return weeks


def clock_labels(local: pd.DatetimeIndex) -> tuple[list[str], list[int]]:
    """A label per step, and the positions worth a tick: midnights, or every third hour of a short period."""
    midnight = (local.hour == 0) & (local.minute == 0)
    by_day = int(midnight.sum()) >= 3
    ticks = np.flatnonzero(
        midnight if by_day else (local.hour % 3 == 0) & (local.minute == 0)
    ).tolist() or [0]
    days = [f"{_WEEKDAYS[w]} {d}" for w, d in zip(local.dayofweek, local.day, strict=True)]
    times = [f"{h:02}:{m:02}" for h, m in zip(local.hour, local.minute, strict=True)]
    labels = [f"{d} {t}" for d, t in zip(days, times, strict=True)]
    for tick in ticks:
        labels[tick] = days[tick] if by_day else times[tick]
    return labels, ticks


class Balance(NamedTuple):
    """Where the energy that homes use came from, and where their surplus went, kWh, all >= 0.

    In every step a home's use is met by its panels first, then its battery, then its meter; the meter's share from
    neighbours is that of the whole import. So the four sources add up to the use, whatever charged the battery.
    """

    sun: Values
    battery: Values
    shared: Values
    bought: Values
    shared_out: Values
    sent: Values


def balance(result: Result) -> Balance:
    """The balance of every step and home, [step, home]."""
    flows, local = result.trajectory.record.flows, result.trajectory.record.local
    sun = np.minimum(flows.solar_kwh, flows.load_kwh)
    battery = np.minimum(flows.given_kwh, flows.load_kwh - sun)
    metered = flows.load_kwh - sun - battery
    imported = flows.import_kwh
    share = np.divide(
        local.bought_kwh, imported, out=np.zeros_like(imported), where=imported > 0
    ).clip(0, 1)
    sent = (flows.export_kwh - local.sold_kwh).clip(min=0)
    parts = (sun, battery, metered * share, metered * (1 - share), local.sold_kwh, sent)
    return Balance(*(np.asarray(part, dtype=np.float64) for part in parts))


def calendar(result: Result) -> tuple[str, list[str], list[int]]:
    """Local months, or days or hours of a short period: its name, a label per group, first step of each group."""
    local, days = (
        result.profiles.local,
        result.scenario.period.steps * result.scenario.period.step_minutes / 1440,
    )
    name, key = (
        ("month", local.year * 12 + local.month)
        if days > 62
        else ("day", local.year * 366 + local.dayofyear)
        if days > 2
        else ("hour", local.dayofyear * 24 + local.hour)
    )
    starts = np.flatnonzero(np.append(True, np.diff(key) != 0)).tolist()
    texts = {
        "month": lambda moment: f"{_MONTHS[moment.month - 1]} {moment.year}",
        "day": lambda moment: f"{moment.day} {_MONTHS[moment.month - 1]}",
        "hour": lambda moment: f"{moment.hour:02}:00",
    }
    return name, [texts[name](local[start]) for start in starts], starts


def plain(values: Values, digits: int = 3) -> list[float]:
    """A list for JSON, rounded, without minus zero."""
    rounded: list[float] = (np.round(values, digits) + 0.0).tolist()
    return rounded


class Wires(NamedTuple):
    """What the network carried in the steps in which the power flow found a solution.

    Attributes:
        feeder: its buses and branches.
        home_bus: position of each home's bus.
        steps: positions of those steps.
        local: their local times.
        step_hours: length of a step.
        loading: 1 is 100 % [step, branch].
        voltage: per unit [step, bus]; None under flow `path`, which knows none.
        rated: branches whose loading is known [branch].
    """

    feeder: Feeder
    home_bus: NDArray[np.int64]
    steps: NDArray[np.int64]
    local: pd.DatetimeIndex
    step_hours: float
    loading: NDArray[Any]
    voltage: NDArray[Any] | None
    rated: NDArray[np.bool_]


def wires(result: Result) -> Wires | None:
    """The network of a run; None where there is none."""
    feeder, home_bus, grid = (
        result.profiles.feeder,
        result.profiles.home_bus,
        result.trajectory.record.grid,
    )
    if feeder is None or home_bus is None or grid is None:
        return None
    solved = np.asarray(grid.residual) <= BELIEVED_PU
    voltage, loading = (
        np.asarray(part) if solved.all() else np.asarray(part)[solved] for part in grid[:2]
    )
    branches, spec = feeder.branches, result.scenario.network
    limited = np.isfinite(np.minimum(branches.rating_from_pu, branches.rating_to_pu))
    if spec.flow == "path" and spec.capacity_kw is not None:  # shared out over what has a length
        limited = branches.length_km > 0
    return Wires(
        feeder=feeder,
        home_bus=np.asarray(home_bus, dtype=np.int64),
        steps=np.flatnonzero(solved),
        local=result.profiles.local[solved],
        step_hours=result.scenario.period.step_hours,
        loading=loading,
        voltage=None if spec.flow == "path" else voltage,
        rated=limited | (loading > 0).any(0),
    )


def distances_km(wired: Wires) -> Values:
    """Length of the shortest way between the homes, and from each to the source in the last column."""
    starts, place = np.unique(wired.home_bus, return_inverse=True)
    away: Values = shortest(wired.feeder, starts).km[place][
        :, np.append(wired.home_bus, wired.feeder.source)
    ]
    return away


class Extremes(NamedTuple):
    """Of every branch or bus over the period: highest, when (position in `Wires.local`), mean and lowest."""

    highest: NDArray[np.float64]
    when: NDArray[np.int64]
    mean: NDArray[np.float64]
    lowest: NDArray[np.float64]
    when_lowest: NDArray[np.int64]


def extremes(values: NDArray[np.floating]) -> Extremes:
    """Of [step, place]; there must be a step."""
    when, when_lowest = values.argmax(0), values.argmin(0)
    places = np.arange(values.shape[1])
    return Extremes(
        np.asarray(values[when, places], np.float64),
        when,
        values.mean(0, dtype=np.float64),
        np.asarray(values[when_lowest, places], np.float64),
        when_lowest,
    )
