"""Power and energy of a run, cut and aggregated for its charts."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax.simulation.results.result import Result
from prosumax.viz.parts import Values

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_RESIDUE_KWH = 1e-6  # Single precision leaves a residue where two equal numbers are subtracted.


def power_series(result: Result) -> dict[str, Values]:
    """Return mean power in every step, kW [step, 1 + home]: all homes together, then each home.

    For a home `load + battery = pv + grid_import + grid_export + local`: `battery` is positive
    when it charges and negative when it or another device supplies the home (what other devices
    consume is part of `load`), `grid_export` is negative, `local` is positive for energy bought
    from neighbors. For all homes together `local` is the energy traded, which cancels out of that
    sum. Series that are zero throughout are left out, except `load` and `grid_import`.
    """
    flows = result.trajectory.record.flows
    local = result.trajectory.record.local
    per_home = {
        "grid_import": flows.import_kwh - local.bought_kwh,
        "grid_export": local.sold_kwh - flows.export_kwh,
        "local": local.bought_kwh - local.sold_kwh,
        "pv": flows.solar_kwh,
        "battery": flows.charge_kwh - flows.storage_discharge_kwh,
        "load": flows.load_kwh,
    }
    totals = {"local": local.bought_kwh.sum(1)}
    hours = result.scenario.period.step_hours
    return {
        name: np.column_stack([totals.get(name, values.sum(1)), values]) / hours
        for name, values in per_home.items()
        if name in {"load", "grid_import"} or np.abs(values).max() > _RESIDUE_KWH
    }


def hourly_means(
    powers: dict[str, Values], hour: NDArray[np.int32]
) -> tuple[list[int], dict[str, Values]]:
    """Return the local hours that occur, and the mean power in each [hour, 1 + home].

    Args:
        powers: From `power_series`, cut to the season of interest.
        hour: Local hour of each step.
    """
    hours = np.unique(hour)
    member = (hours[:, None] == hour).astype(np.float64)
    member /= member.sum(1, keepdims=True)
    return hours.tolist(), {name: member @ values for name, values in powers.items()}


def extreme_weeks(result: Result) -> dict[str, "slice[int, int, None]"]:
    """Return the seven days with most and least PV generation, `sunniest` and `darkest`.

    Without PV they are the weeks with most and least load, `busiest` and `quietest`. Days are whole
    local days; a period without seven of them has none, one where both are the same has one.
    """
    local = result.profiles.local_index
    flows = result.trajectory.record.flows
    midnights = np.flatnonzero((local.hour == 0) & (local.minute == 0))
    after = local[-1] + pd.Timedelta(minutes=result.scenario.period.step_minutes)
    ends_at_midnight = after.hour == 0 and after.minute == 0
    edges = np.append(midnights, len(local)) if ends_at_midnight else midnights
    if len(edges) < 8:
        return {}
    names = ("sunniest", "darkest")
    total = flows.solar_kwh.sum(1)
    if total.sum() <= 0:
        names = ("busiest", "quietest")
        total = flows.load_kwh.sum(1)
    cumulative = np.append(0.0, np.cumsum(total))
    weekly = cumulative[edges[7:]] - cumulative[edges[:-7]]
    highest = int(weekly.argmax())
    lowest = int(weekly.argmin())
    weeks = {names[0]: slice(int(edges[highest]), int(edges[highest + 7]))}
    if lowest != highest:
        weeks[names[1]] = slice(int(edges[lowest]), int(edges[lowest + 7]))
    return weeks


def clock_labels(local: pd.DatetimeIndex) -> tuple[list[str], list[int]]:
    """Return a label per step, and the positions of ticks: midnights, or every third hour."""
    midnight = (local.hour == 0) & (local.minute == 0)
    by_day = int(midnight.sum()) >= 3
    third_hour = (local.hour % 3 == 0) & (local.minute == 0)
    ticks = np.flatnonzero(midnight if by_day else third_hour).tolist() or [0]
    days = [f"{_WEEKDAYS[w]} {d}" for w, d in zip(local.dayofweek, local.day, strict=True)]
    times = [f"{h:02}:{m:02}" for h, m in zip(local.hour, local.minute, strict=True)]
    labels = [f"{d} {t}" for d, t in zip(days, times, strict=True)]
    for tick in ticks:
        labels[tick] = days[tick] if by_day else times[tick]
    return labels, ticks


class EnergyBalance(NamedTuple):
    """Sources of the homes' load, and destinations of their surplus, kWh [step, home], all >= 0.

    In every step a home's load is met by its PV first, then its battery, then its meter; the
    meter's share from neighbors is that of the whole import. So the four sources add up to the
    load, whatever charged the battery.

    Attributes:
        pv, battery, local, grid_import: Sources of the load.
        local_export, grid_export: Destinations of the surplus.
    """

    pv: Values
    battery: Values
    local: Values
    grid_import: Values
    local_export: Values
    grid_export: Values


SOURCES = ("pv", "battery", "local", "grid_import")
SINKS = ("local_export", "grid_export")


def energy_balance(result: Result) -> EnergyBalance:
    """Return the balance of every step and home."""
    flows = result.trajectory.record.flows
    local = result.trajectory.record.local
    pv = np.minimum(flows.solar_kwh, flows.load_kwh)
    battery = np.minimum(flows.storage_discharge_kwh, flows.load_kwh - pv)
    metered = flows.load_kwh - pv - battery
    imported = flows.import_kwh
    zeros = np.zeros_like(imported)
    share = np.divide(local.bought_kwh, imported, out=zeros, where=imported > 0).clip(0, 1)
    exported = (flows.export_kwh - local.sold_kwh).clip(min=0)
    parts = (pv, battery, metered * share, metered * (1 - share), local.sold_kwh, exported)
    return EnergyBalance(*(np.asarray(part, dtype=np.float64) for part in parts))


def calendar_groups(result: Result) -> tuple[str, list[str], list[int]]:
    """Group steps by local month, or by day or hour of a short period.

    Returns:
        Name of the grouping, a label per group, and the first step of each group.
    """
    local = result.profiles.local_index
    period = result.scenario.period
    days = period.steps * period.step_minutes / 1440
    if days > 62:
        starts = _starts(local.year * 12 + local.month)
        labels = [f"{_MONTHS[local[at].month - 1]} {local[at].year}" for at in starts]
        return "month", labels, starts
    if days > 2:
        starts = _starts(local.year * 366 + local.dayofyear)
        labels = [f"{local[at].day} {_MONTHS[local[at].month - 1]}" for at in starts]
        return "day", labels, starts
    starts = _starts(local.dayofyear * 24 + local.hour)
    return "hour", [f"{local[at].hour:02}:00" for at in starts], starts


def _starts(key: "pd.Index[int]") -> list[int]:
    starts: list[int] = np.flatnonzero(np.append(True, np.diff(key) != 0)).tolist()
    return starts
