"""What is said beside the map of the network: names of lines and buses, the fullest line, the lowest voltage."""

from collections.abc import Sequence

import numpy as np

from prosumax.report import text
from prosumax.viz.chart import Table
from prosumax.viz.series import Extremes, Wires

TOLD_BUSES = 2000
"""Up to here every line and bus answers when pointed at; a larger page would be heavy."""

_FULLEST = 25


def bus_name(wired: Wires, bus: int, homes: Sequence[str]) -> str:
    """`bus 12 (2 Couple)`."""
    name = wired.feeder.buses[bus]
    name = name if any(part in name.lower() for part in ("bus", "source")) else f"bus {name}"
    here = [homes[home] for home in np.flatnonzero(wired.home_bus == bus).tolist()]
    return f"{name} ({text.several(here)})" if here else name


def line_names(wired: Wires, loading: Extremes) -> list[str]:
    """Of every branch, for who points at it: its ends, and how full it is at most and in the mean."""
    branches, buses = wired.feeder.branches, wired.feeder.buses
    told = []
    for i, name in enumerate(branches.name):
        what = "Transformer" if branches.is_transformer[i] else "Line"
        ends = f"{buses[branches.from_bus[i]]} to {buses[branches.to_bus[i]]}"
        full = (
            f"at most {text.percent(loading.highest[i])}, {text.moment(wired.local[loading.when[i]])};"
            f" mean {text.percent(loading.mean[i])}"
            if wired.rated[i]
            else "no rating is known"
        )
        told.append(f"{what} {name}\n{ends}\n{full}")
    return told


def bus_names(wired: Wires, voltage: Extremes | None, homes: Sequence[str]) -> list[str]:
    """Of every bus, for who points at it: its homes, and between which voltages it lies."""
    told = []
    for bus in range(len(wired.feeder.buses)):
        name = bus_name(wired, bus, homes)
        name = f"{name[:1].upper()}{name[1:]}"
        if voltage is not None:
            name += f"\n{text.percent(voltage.lowest[bus])} to {text.percent(voltage.highest[bus])} of nominal voltage"
        told.append(name)
    return told


def summary(wired: Wires, loading: Extremes, voltage: Extremes | None, homes: Sequence[str]) -> str:
    """The fullest branch and when; the lowest voltage and where."""
    branches = wired.feeder.branches
    said = "No rating of any line is known."
    if wired.rated.any():
        i = int(np.where(wired.rated, loading.highest, -1).argmax())
        what = "transformer" if branches.is_transformer[i] else "line"
        when = text.moment(wired.local[loading.when[i]])
        said = f"The fullest {what}, {branches.name[i]}, carries at most {text.percent(loading.highest[i])} of what it"
        said += f" may, on {when}."
    if voltage is not None:
        low = int(voltage.lowest.argmin())
        said += f" The lowest voltage is {text.percent(voltage.lowest[low])} of nominal, at"
        said += f" {bus_name(wired, low, homes)}, on {text.moment(wired.local[voltage.when_lowest[low]])}."
    return said


def table(wired: Wires, loading: Extremes) -> Table:
    """The fullest branches first."""
    branches = wired.feeder.branches
    order = np.argsort(-np.where(wired.rated, loading.highest, -1.0), kind="stable")
    over = (wired.loading > 1).sum(0) * wired.step_hours
    rows = [
        [
            branches.name[i],
            "transformer"
            if branches.is_transformer[i]
            else f"line, {text.length(branches.length_km[i])}",
            text.percent(loading.highest[i]) if wired.rated[i] else "–",
            text.moment(wired.local[loading.when[i]]) if wired.rated[i] else "–",
            text.percent(loading.mean[i]) if wired.rated[i] else "–",
            text.number(over[i], 0 if float(over[i]).is_integer() else 2)
            if wired.rated[i]
            else "–",
        ]
        for i in order[:_FULLEST].tolist()
    ]
    few = len(order) <= _FULLEST
    caption = (
        "Lines and transformers"
        if few
        else f"The {_FULLEST} fullest of {len(order):,} lines and transformers"
    )
    return Table(caption, ["Branch", "kind", "highest", "when", "mean", "hours over 100 %"], rows)


def note(wired: Wires) -> str:
    """How to read the map."""
    said = "100 %: the most a line or a transformer may carry for long. Positions are a drawing, not a map to scale."
    if len(wired.feeder.buses) <= TOLD_BUSES:
        said += " Point at a line or a bus for its figures."
    return said
