"""Text of the feeder maps: names of branches and buses, a sentence, a table and a note."""

import numpy as np
import pandas as pd

from prosumax.viz.chart import Table
from prosumax.viz.language import Language
from prosumax.viz.network.map_data import MapElements, map_elements
from prosumax.viz.text import moment, several

MAX_TOOLTIP_BUSES = 2000
"""Buses up to which every branch and bus has a tooltip; a larger page would be heavy."""

_MAX_ROWS = 25


def bus_label(bus: "pd.Series[str]") -> str:
    """Return the name of a bus with its homes: `bus 12 (2 Couple)`."""
    name = str(bus["name"])
    if not any(part in name.lower() for part in ("bus", "source")):
        name = f"bus {name}"
    return f"{name} ({several(bus['homes'])})" if bus["homes"] else name


def branch_tooltips(elements: MapElements, language: Language) -> list[str]:
    """Return the tooltip of every branch: its ends, and its highest and mean loading."""
    if len(elements.buses) > MAX_TOOLTIP_BUSES:
        return [""] * len(elements.branches)
    texts = []
    for row in elements.branches.to_dict("records"):
        kind = "Transformer" if row["is_transformer"] else "Line"
        loading = "no rating is known"
        if row["rated"]:
            time = moment(row["loading_max_time"])
            loading = f"at most {language.percent(row['loading_max'])}, {time};"
            loading += f" mean {language.percent(row['loading_mean'])}"
        texts.append(f"{kind} {row['name']}\n{row['from_bus']} to {row['to_bus']}\n{loading}")
    return texts


def bus_tooltips(elements: MapElements, language: Language) -> list[str]:
    """Return the tooltip of every bus: its homes, and the range of its voltage."""
    buses = elements.buses
    if len(buses) > MAX_TOOLTIP_BUSES:
        return [""] * len(buses)
    texts = []
    for _, bus in buses.iterrows():
        label = bus_label(bus)
        text = f"{label[:1].upper()}{label[1:]}"
        if "voltage_min" in buses:
            low = language.percent(bus["voltage_min"])
            text += f"\n{low} to {language.percent(bus['voltage_max'])} of nominal voltage"
        texts.append(text)
    return texts


def map_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe which branch is loaded most and when, and where the voltage is lowest."""
    elements = map_elements(table)
    branches = elements.branches
    text = "No rating of any line is known."
    if branches["rated"].any():
        loading = np.where(branches["rated"], branches["loading_max"], -1.0)
        row = branches.iloc[int(loading.argmax())]
        kind = "transformer" if row["is_transformer"] else "line"
        text = f"The {kind} with the highest loading, {row['name']}, carries at most"
        text += f" {language.percent(row['loading_max'])} of its rating, on"
        text += f" {moment(row['loading_max_time'])}."
    if table.attrs["voltages"]:
        bus = elements.buses.iloc[int(elements.buses["voltage_min"].argmin())]
        text += f" The lowest voltage is {language.percent(bus['voltage_min'])} of nominal, at"
        text += f" {bus_label(bus)}, on {moment(bus['voltage_min_time'])}."
    return text


def activity_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe at which bus most is traded."""
    buses = map_elements(table).buses
    bus = buses.iloc[int(buses["traded_kwh"].argmax())]
    total = float(buses["traded_kwh"].sum())
    return (
        f"Most is traded at {bus_label(bus)}: {language.energy(float(bus['traded_kwh']))} of what"
        f" homes buy from and sell to neighbors, {language.energy(total)} in all, each kWh counted"
        " at both its ends."
    )


def branches_table(elements: MapElements, language: Language) -> Table:
    """Return the branches with the highest loading."""
    branches = elements.branches
    loading = np.where(branches["rated"], branches["loading_max"], -1.0)
    order = np.argsort(-loading, kind="stable")
    rows = [_branch_row(branches.iloc[at], language) for at in order[:_MAX_ROWS].tolist()]
    caption = "Lines and transformers"
    if len(order) > _MAX_ROWS:
        count = language.number(len(order))
        caption = f"The {_MAX_ROWS} of {count} lines and transformers with the highest loading"
    head = ["Branch", "kind", "highest", "when", "mean", "hours over 100 %"]
    return Table(caption, head, rows)


def _branch_row(branch: "pd.Series[float]", language: Language) -> list[str]:
    kind = "transformer"
    if not branch["is_transformer"]:
        kind = f"line, {language.length(branch['length_km'])}"
    if not branch["rated"]:
        return [str(branch["name"]), kind, *[language.number(None)] * 4]
    hours = float(branch["overload_hours"])
    return [
        str(branch["name"]),
        kind,
        language.percent(branch["loading_max"]),
        moment(pd.Timestamp(branch["loading_max_time"])),
        language.percent(branch["loading_mean"]),
        language.number(hours, 0 if hours.is_integer() else 2),
    ]


def map_note(elements: MapElements) -> str:
    """Describe how to read the map."""
    note = "100 %: the highest continuous loading of a line or a transformer. Positions are"
    note += " schematic."
    if len(elements.buses) <= MAX_TOOLTIP_BUSES:
        note += " Point at a line or a bus for its figures."
    return note
