"""Tables of a sweep: one row per trial, and means over the seeds as in the tables of studies."""

from collections.abc import Mapping
from typing import cast

import numpy as np

from prosumax.files import write_csv, write_text
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.studies.engine import Study, StudyMetric, StudyResult
from prosumax.studies.tables import estimates_to_csv, tables_to_markdown
from prosumax.sweeps.grid import TrialJob
from prosumax.sweeps.sweep import SweepResult, load_records

KPI_KEYS = (
    "cost",
    "saving",
    "traded_kwh",
    "import_kwh",
    "export_kwh",
    "self_consumption",
    "self_sufficiency",
    "peak_kw",
    "emissions_kg",
    "lowest_saving",
    "losing_homes",
    "gini",
    "welfare",
    "share_of_optimal_gain",
    "network.loss_kwh",
    "network.max_line_loading",
)
"""KPIs in the table of a sweep; those that no trial has are left out."""


def flatten_kpis(kpis: Mapping[str, object], prefix: str = "") -> dict[str, float]:
    """Return the KPIs that are numbers by catalog key; nested records get a prefix.

    Args:
        kpis: KPIs of a run as in `kpis.json`.
        prefix: Prefix of the keys.
    """
    numbers: dict[str, float] = {}
    for name, value in kpis.items():
        if isinstance(value, Mapping):
            numbers |= flatten_kpis(value, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float):
            numbers[prefix + name] = float(value)
    return numbers


def summarize_sweep(result: SweepResult) -> StudyResult:
    """Compute means over the seeds and significant differences of all finished trials.

    A combination without all its seeds has no values.

    Args:
        result: State of the sweep.
    """
    plan = result.plan
    # The metrics of learners have keys of their own in the catalog.
    prefix = "episode." if plan.grid.is_training else ""
    keys = [prefix + name for name in (TEST_METRICS if plan.grid.is_training else KPI_KEYS)]
    records = load_records(plan, result.folder)
    kpis = {name: flatten_kpis(_kpis(record), prefix) for name, record in records.items()}
    metrics = tuple(_make_metric(key) for key in keys if any(key in run for run in kpis.values()))
    values = np.full((len(plan.cells), len(metrics), plan.grid.seeds), np.nan)
    for trial in plan.trials:
        if trial.name in kpis:
            run = kpis[trial.name]
            values[trial.cell, :, trial.seed] = [metric.evaluate(run) for metric in metrics]
    num_missing = len(plan.trials) - len(kpis)
    notes: tuple[str, ...] = ()
    if num_missing:
        notes = (
            f"{num_missing} of {len(plan.trials)} trials are missing; their columns are empty.",
        )
    variants = tuple(cell.variant for cell in plan.cells)
    study = Study(variants, None, metrics, notes, currency=_currency(result))
    return StudyResult(result.folder.name, study, tuple(range(plan.grid.seeds)), values)


def _make_metric(key: str) -> StudyMetric:
    """Make a metric that reads its key from flattened KPIs."""
    return StudyMetric(key, lambda run: run.get(key, float("nan")))


def _kpis(record: Mapping[str, object]) -> Mapping[str, object]:
    return cast(Mapping[str, object], record["kpis"])


def _jobs(result: SweepResult) -> list[TrialJob]:
    return [trial.job for trial in result.plan.trials]


def _currency(result: SweepResult) -> str:
    """Return the currency of all trials; empty where they differ."""
    tariffs = [cast(dict[str, str], job["scenario"]["tariff"]) for job in _jobs(result)]
    currencies = {tariff["currency"] for tariff in tariffs}
    return currencies.pop() if len(currencies) == 1 else ""


def save_sweep_tables(result: SweepResult) -> StudyResult:
    """Write `trials.csv` (a row per trial with every KPI), `table.csv` and `table.md`.

    Args:
        result: State of the sweep.

    Returns:
        The table.
    """
    _save_trials(result)
    summary = summarize_sweep(result)
    write_text(result.folder / "table.csv", estimates_to_csv(summary))
    write_text(result.folder / "table.md", tables_to_markdown(summary))
    return summary


def _save_trials(result: SweepResult) -> None:
    plan = result.plan
    records = load_records(plan, result.folder)
    finished = [trial for trial in plan.trials if trial.name in records]
    kpis = {trial.name: flatten_kpis(_kpis(records[trial.name])) for trial in finished}
    axes = list(dict.fromkeys(axis for cell in plan.cells for axis in cell.axes))
    names = list(dict.fromkeys(name for run in kpis.values() for name in run))
    rows = []
    for trial in finished:
        chosen = plan.cells[trial.cell].axes
        run = kpis[trial.name]
        values = [run.get(name, "") for name in names]
        rows.append([trial.name, *(chosen.get(axis, "") for axis in axes), trial.seed, *values])
    write_csv(result.folder / "trials.csv", ["trial", *axes, "seed", *names], rows)
