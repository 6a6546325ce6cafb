"""A sweep's trials as tables: one row per trial, and means over the seeds in the style of studies."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from prosumax.files import write_rows
from prosumax.rl.training import comparison
from prosumax.studies.engine import Figure, Study, StudyResult
from prosumax.studies.tables import csv_text, markdown
from prosumax.sweeps.sweep import Swept, records

FIGURES = {
    "cost": ("All bills", 2),
    "saving": ("Saved by exchange", 2),
    "traded_kwh": ("Traded locally, kWh", 1),
    "import_kwh": ("From the grid, kWh", 1),
    "export_kwh": ("To the grid, kWh", 1),
    "self_consumption": ("Self-consumption", 3),
    "self_sufficiency": ("Self-sufficiency", 3),
    "peak_kw": ("Highest import, kW", 2),
    "emissions_kg": ("Emissions, kg", 1),
    "lowest_saving": ("Lowest saving of a home", 2),
    "homes_that_lose": ("Homes that lose", 1),
    "gini": ("Gini of the savings", 3),
    "welfare": ("Gains from trade", 2),
    "share_of_gain": ("Share of the possible gain", 3),
    "network.loss_kwh": ("Lost on the wires, kWh", 1),
    "network.highest_line_loading": ("Fullest line", 3),
}
"""Rows of a sweep's table: key figure -> title and digits; what no trial has is left out. docs/kpis.md defines them."""


LEARNED = {name: (title, 3) for name, title in comparison.FIGURES.items()}
"""The same where homes learn; of the test days."""


def flat(kpis: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Key figures that are numbers, by name; those of a group under `group.name`."""
    found: dict[str, float] = {}
    for name, value in kpis.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float):
            found[prefix + name] = float(value)
    return found


def tabulate(swept: Swept) -> StudyResult:
    """Means over the seeds, and which differences count, of all trials that are there.

    A combination without all its seeds has no figures.
    """
    plan = swept.plan
    found = {name: flat(record["kpis"]) for name, record in records(plan, swept.folder).items()}
    figures = {
        name: Figure(title, partial(_read, name), digits)
        for name, (title, digits) in (LEARNED if plan.grid.learning else FIGURES).items()
        if any(name in kpis for kpis in found.values())
    }
    seeds = plan.grid.seeds
    values = np.full((len(plan.cells), len(figures), seeds), np.nan)
    for trial in plan.trials:
        if trial.name in found:
            values[trial.cell, :, trial.seed] = [
                figure.read(found[trial.name]) for figure in figures.values()
            ]
    missing = len(plan.trials) - len(found)
    notes = (
        (f"{missing} of {len(plan.trials)} trials are missing; their columns are empty.",)
        if missing
        else ()
    )
    study = Study(tuple(cell.variant for cell in plan.cells), None, figures, notes)
    return StudyResult(swept.folder.name, study, tuple(range(seeds)), values)


def _read(name: str, kpis: Mapping[str, float]) -> float:
    return kpis.get(name, float("nan"))


def save_tables(swept: Swept) -> StudyResult:
    """Write `trials.csv` (a row per trial with every figure), `table.csv` and `table.md`; returns the table."""
    _save_rows(swept)
    table = tabulate(swept)
    for name, text in (("table.csv", csv_text(table)), ("table.md", markdown(table))):
        partial = swept.folder / f".{name}.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(swept.folder / name)
    return table


def _save_rows(swept: Swept) -> None:
    found = records(swept.plan, swept.folder)
    rows = [
        (trial, swept.plan.cells[trial.cell].axes, flat(found[trial.name]["kpis"]))
        for trial in swept.plan.trials
        if trial.name in found
    ]
    axes = list(dict.fromkeys(axis for cell in swept.plan.cells for axis in cell.axes))
    names = list(dict.fromkeys(name for _, _, kpis in rows for name in kpis))
    write_rows(
        swept.folder / "trials.csv",
        ["trial", *axes, "seed", *names],
        (
            [
                trial.name,
                *(chosen.get(axis, "") for axis in axes),
                trial.seed,
                *(kpis.get(name, "") for name in names),
            ]
            for trial, chosen, kpis in rows
        ),
    )
