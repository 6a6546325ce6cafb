"""Energy by source: what covers the homes' load, by month and by home."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Figure, LegendEntry, Table
from prosumax.viz.language import Language
from prosumax.viz.parts import Values, json_numbers, rows_height
from prosumax.viz.primitives import Layer, stacked_bars, stacked_rows
from prosumax.viz.run.series import SINKS, SOURCES, calendar_groups, energy_balance
from prosumax.viz.text import round_percentages
from prosumax.viz.theme import Theme

_SIDE_BY_SIDE = 16
"""Homes up to which both charts have about the same height and fit beside each other."""

_MEANINGS = {"local_export": "local"}
"""Energy sold to and bought from neighbors look the same: one is below zero."""


def balance_data(result: Result) -> pd.DataFrame:
    """Return `group`, `source` and `kwh` of all homes together, by calendar group."""
    unit, labels, starts = calendar_groups(result)
    balance = energy_balance(result)
    parts = [
        pd.DataFrame(
            {"group": labels, "source": source, "kwh": np.add.reduceat(values.sum(1), starts)}
        )
        for source, values in balance._asdict().items()
    ]
    table = pd.concat(parts, ignore_index=True)
    table.attrs |= {
        "group": unit,
        "homes": len(result.households),
        "pv_kwh": float(result.kpis["solar_kwh"]),
    }
    return table


def balance_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe the sources of the load, and the share of the generation that is exported."""
    sums = table.groupby("source", sort=False)["kwh"].sum()
    cover = [float(sums[name]) for name in SOURCES]
    text = language("energy.no_use")
    if sum(cover) > 0:
        shown = [
            language(f"energy.share_{name}", n=count)
            for name, count in zip(SOURCES, round_percentages(cover), strict=True)
            if sums[name] > 0 or name == "grid_import"
        ]
        text = language("energy.covered", shares=language.joined(shown))
    generated = table.attrs["pv_kwh"]
    if generated > 0:
        share = language.number(100 * float(sums["grid_export"]) / generated)
        text += " " + language("energy.exported", n=share)
    return text


def balance_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a stacked bar per calendar group; surplus is below zero."""
    labels, sums = _by_row(table, "group", (*SOURCES, *SINKS))
    kwh = {
        name: values for name, values in sums.items() if values.sum() > 0 or name == "grid_import"
    }
    names = {name: language(f"energy.{name}") for name in kwh}
    layers = [
        Layer(
            theme.meanings[_MEANINGS.get(name, name)],
            names[name],
            json_numbers(-values if name in SINKS else values),
        )
        for name, values in kwh.items()
    ]
    group = language(f"common.{table.attrs['group']}").lower()
    return Figure(
        id="balance",
        wide=table.attrs["homes"] > _SIDE_BY_SIDE,
        title=language("energy.balance_title", group=group),
        summary=balance_sentence(table, language),
        option=stacked_bars(layers, labels, "kWh", theme),
        unit="kWh",
        legend=[LegendEntry(_MEANINGS.get(name, name), label) for name, label in names.items()],
        table=Table(
            language("energy.balance_caption", group=group),
            [group.capitalize(), *names.values()],
            [
                [label, *(language.number(values[at], 1) for values in kwh.values())]
                for at, label in enumerate(labels)
            ],
            [
                language("common.all"),
                *(language.number(values.sum(), 1) for values in kwh.values()),
            ],
        ),
        note=language("energy.balance_note"),
    )


def sources_data(result: Result) -> pd.DataFrame:
    """Return `home`, `source` and `kwh` over the period; the sources add up to the load."""
    balance = energy_balance(result)._asdict()
    names = [home["name"] for home in result.households]
    return pd.concat(
        [
            pd.DataFrame({"home": names, "source": source, "kwh": balance[source].sum(0)})
            for source in SOURCES
        ],
        ignore_index=True,
    )


def _by_row(
    table: pd.DataFrame, column: str, sources: Sequence[str] = SOURCES
) -> tuple[list[str], dict[str, Values]]:
    """Return the names of the rows, and the energy of each source by row.

    Names may occur twice, such as the hours of two days, so rows are told apart by position.
    """
    names = [str(name) for name in table.loc[table["source"] == sources[0], column]]
    kwh = {name: table.loc[table["source"] == name, "kwh"].to_numpy() for name in sources}
    return names, kwh


def sources_sentence(table: pd.DataFrame, language: Language) -> str:
    """Describe which homes buy the least and the most of their load from the grid."""
    names, kwh = _by_row(table, "home")
    load = np.sum(list(kwh.values()), axis=0)
    hundred = np.full_like(load, 100.0)
    share = np.divide(100 * kwh["grid_import"], load, out=hundred, where=load > 0)
    lowest = int(share.argmin())
    highest = int(share.argmax())
    key = "energy.least_most" if len(names) > 1 else "energy.alone"
    if share[highest] - share[lowest] < 0.5:
        key = "energy.even"
    return language(
        key,
        least=names[lowest],
        low=language.number(share[lowest]),
        most=names[highest],
        high=language.number(share[highest]),
    )


def sources_figure(table: pd.DataFrame, theme: Theme, language: Language) -> Figure:
    """Draw a stacked bar per home."""
    names, kwh = _by_row(table, "home")
    shown = {
        name: values for name, values in kwh.items() if values.sum() > 0 or name == "grid_import"
    }
    load = np.sum(list(kwh.values()), axis=0)
    labels = {name: language(f"energy.{name}") for name in shown}
    layers = [
        Layer(theme.meanings[name], labels[name], [value or None for value in json_numbers(values)])
        for name, values in shown.items()
    ]
    return Figure(
        id="sources",
        wide=len(names) > _SIDE_BY_SIDE,
        title=language("energy.sources_title"),
        summary=sources_sentence(table, language),
        option=stacked_rows(layers, names, "kWh", theme),
        unit="kWh",
        height_px=rows_height(len(names)),
        legend=[LegendEntry(name, label) for name, label in labels.items()],
        table=Table(
            language("energy.sources_caption"),
            [language("common.home"), *labels.values(), language("energy.load")],
            [
                [
                    home,
                    *(language.number(values[at], 1) for values in shown.values()),
                    language.number(load[at], 1),
                ]
                for at, home in enumerate(names)
            ],
        ),
    )


energy_balance_chart = Chart(
    "energy_balance",
    "Energy by source, by month or day",
    balance_data,
    balance_sentence,
    balance_figure,
    section="energy",
)
"""Sources of all homes' load and destinations of their surplus over the period."""

energy_by_source = Chart(
    "energy_by_source",
    "Energy by source, by home",
    sources_data,
    sources_sentence,
    sources_figure,
    section="energy",
)
"""Sources of each home's load."""
