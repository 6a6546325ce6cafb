"""Tables of a study as text, Markdown, CSV and JSON: rows are metrics, columns are variants."""

import csv
import io
import math
from itertools import groupby
from typing import NamedTuple

from prosumax.studies.engine import StudyMetric, StudyResult, reference_positions
from prosumax.studies.statistics import CONFIDENCE, SIGNIFICANCE_LEVEL, Estimate


class StudyTable(NamedTuple):
    """One table as text.

    Attributes:
        title: Title of the group of variants.
        header: Names of the variants.
        rows: Title of a metric and its cells, one per variant.
    """

    title: str
    header: list[str]
    rows: list[list[str]]


_LEGEND = (
    "Mean ± standard deviation over {seeds} seeds. * differs significantly from the first column of"
    " its table (in the first column of a table: from that of the first table): Wilcoxon"
    " signed-rank test on the same seeds, p < 0.05 after Holm's correction for all {count}"
    " comparisons.{notes}"
)
_TOO_FEW_SEEDS = (
    "Mean ± standard deviation over {seeds} seeds: too few to find significant differences"
    " (Wilcoxon signed-rank test on the same seeds, Holm's correction for all {count}"
    " comparisons).{notes}"
)
_UNDEFINED_NOTE = " n = k: the metric is undefined in the other seeds; the cell is of k seeds."
_CONSTANT_NOTE = " Without ±: the same in every seed."


def make_tables(result: StudyResult) -> list[StudyTable]:
    """Make one table per group with cells `mean ± standard deviation`.

    A cell ends with * where the variant differs significantly from its reference variant.
    """
    study = result.study
    num_seeds = len(result.seeds)
    tables = []
    for group, members in groupby(enumerate(study.variants), key=lambda item: item[1].group):
        columns = list(members)
        rows = []
        for metric in study.metrics:
            estimates = [result.estimates[position][metric.key] for position, _ in columns]
            cells = [_cell(estimate, metric, num_seeds) for estimate in estimates]
            rows.append([metric.kpi.title(study.currency), *cells])
        tables.append(StudyTable(group, [variant.name for _, variant in columns], rows))
    return tables


def table_legend(result: StudyResult) -> str:
    """Explain the cells of the tables in one paragraph."""
    num_seeds = len(result.seeds)
    if num_seeds == 1:
        return "One seed each: no standard deviation and no test of differences."
    estimates = [estimate for row in result.estimates for estimate in row.values()]
    count = sum(
        estimate.p_value is not None and math.isfinite(estimate.p_value) for estimate in estimates
    )
    notes = ""
    if any(0 < estimate.num_seeds < num_seeds for estimate in estimates):
        notes += _UNDEFINED_NOTE
    if any(estimate.num_seeds > 1 and not estimate.varies for estimate in estimates):
        notes += _CONSTANT_NOTE
    # The p-value of the test where all seeds agree; no difference can have a smaller one.
    smallest_p_value = 2.0 ** (1 - num_seeds)
    significant = any(estimate.is_significant for estimate in estimates)
    too_few = smallest_p_value * count >= SIGNIFICANCE_LEVEL and not significant
    text = _TOO_FEW_SEEDS if too_few else _LEGEND
    return text.format(seeds=num_seeds, count=count, notes=notes)


def tables_to_markdown(result: StudyResult) -> str:
    """Return all tables, their legend and the notes of the study as Markdown."""
    parts = []
    for table in make_tables(result):
        rule = ["---", *["---:"] * len(table.header)]
        lines = [[table.title, *table.header], rule, *table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    parts.append(table_legend(result))
    if result.study.notes:
        parts.append("\n".join(f"- {note}" for note in result.study.notes))
    return "\n\n".join(parts) + "\n"


def estimates_to_csv(result: StudyResult) -> str:
    """Return one row per variant and metric: mean, spread, interval and the comparison."""
    variants = result.study.variants
    references = reference_positions(variants)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "variant", "metric", "title", *Estimate._fields, "reference"])
    for position, variant in enumerate(variants):
        reference = references[position]
        name = ""
        if reference is not None:
            name = f"{variants[reference].group}: {variants[reference].name}"
        for metric in result.study.metrics:
            estimate = result.estimates[position][metric.key]
            title = metric.kpi.title(result.study.currency)
            cells = ["" if value is None else value for value in estimate]
            writer.writerow([variant.group, variant.name, metric.key, title, *cells, name])
    return text.getvalue()


def study_to_json(result: StudyResult) -> dict[str, object]:
    """Convert a result to JSON, the values of single seeds included; null where undefined."""
    study = result.study

    def metric_to_json(position: int, row: int, metric: StudyMetric) -> dict[str, object]:
        estimate = result.estimates[position][metric.key]
        content = {name: _finite_or_none(value) for name, value in estimate._asdict().items()}
        by_seed = [_finite_or_none(value) for value in result.values[position, row].tolist()]
        return content | {"by_seed": by_seed}

    return {
        "study": result.name,
        "seeds": list(result.seeds),
        "confidence": CONFIDENCE,
        "metrics": {metric.key: metric.kpi.title(study.currency) for metric in study.metrics},
        "notes": list(study.notes),
        "variants": [
            {
                "group": variant.group,
                "name": variant.name,
                "settings": dict(variant.settings),
                "metrics": {
                    metric.key: metric_to_json(position, row, metric)
                    for row, metric in enumerate(study.metrics)
                },
            }
            for position, variant in enumerate(study.variants)
        ],
    }


def _cell(estimate: Estimate, metric: StudyMetric, num_seeds: int) -> str:
    if not estimate.num_seeds:
        return "-"
    parts = (estimate.mean, estimate.std) if estimate.varies else (estimate.mean,)
    digits = metric.decimals
    # Adding zero turns -0.0 into 0.0.
    text = " ± ".join(f"{round(value, digits) + 0.0:,.{digits}f}" for value in parts)
    if estimate.is_significant:
        text += "*"
    if estimate.num_seeds < num_seeds:
        text += f" (n = {estimate.num_seeds})"
    return text


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
