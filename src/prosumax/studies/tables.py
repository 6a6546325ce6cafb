"""A study's findings as tables: rows are figures, columns are variants, one table per group."""

import csv
import io
import math
from itertools import groupby
from typing import Any, NamedTuple

from prosumax.studies.engine import (
    CONFIDENCE,
    ROUNDING,
    SIGNIFICANT,
    Estimate,
    Figure,
    StudyResult,
    references,
)


class Grid(NamedTuple):
    """One table as text: a title, a header of variants, and a row per figure with its title first."""

    title: str
    header: list[str]
    rows: list[list[str]]


_LEGEND = (
    "Mean ± standard deviation over {seeds} seeds. * differs from the first column of its table (in a table's first"
    " column: from the first table's) by more than chance: Wilcoxon signed-rank test on the same seeds, p < 0.05 after"
    " Holm's correction for all {count} comparisons.{notes}"
)
_FEWER = " n = k: the figure means nothing in the other seeds, and is of k."
_SAME = " Without ±: the same in every seed."
_TOO_FEW = (
    "Mean ± standard deviation over {seeds} seeds: too few to tell differences from chance (Wilcoxon signed-rank test"
    " on the same seeds, Holm's correction for all {count} comparisons).{notes}"
)


def grids(result: StudyResult) -> list[Grid]:
    """One table per group, cells `mean ± deviation`, with * where the variant differs from the one it is held to."""
    numbered = list(enumerate(result.study.variants))
    tables = []
    for group, members in groupby(numbered, key=lambda item: item[1].group):
        columns = list(members)
        rows = [
            [
                figure.title,
                *(
                    _cell(result.estimates[at][name], figure, len(result.seeds))
                    for at, _ in columns
                ),
            ]
            for name, figure in result.study.figures.items()
        ]
        tables.append(Grid(group, [variant.name for _, variant in columns], rows))
    return tables


def legend(result: StudyResult) -> str:
    """What the cells mean, as one paragraph."""
    if len(result.seeds) == 1:
        return "One seed each: no spread, and no telling differences from chance."
    every = [estimate for row in result.estimates for estimate in row.values()]
    count = sum(estimate.p is not None and math.isfinite(estimate.p) for estimate in every)
    notes = _FEWER if any(0 < estimate.seeds < len(result.seeds) for estimate in every) else ""
    notes += (
        _SAME if any(estimate.seeds > 1 and not _varies(estimate) for estimate in every) else ""
    )
    smallest = 2.0 ** (1 - len(result.seeds))  # p of the test where every seed says the same
    hopeless = smallest * count >= SIGNIFICANT and not any(estimate.differs for estimate in every)
    text = _TOO_FEW if hopeless else _LEGEND
    return text.format(seeds=len(result.seeds), count=count, notes=notes)


def markdown(result: StudyResult) -> str:
    """All tables, their legend and the study's notes."""
    parts = []
    for table in grids(result):
        lines = [[table.title, *table.header], ["---", *["---:"] * len(table.header)], *table.rows]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    notes = "\n".join(f"- {note}" for note in result.study.notes)
    return "\n\n".join([*parts, legend(result), *([notes] if notes else [])]) + "\n"


def csv_text(result: StudyResult) -> str:
    """One row per variant and figure: mean, spread, interval, and the comparison."""
    variants, against = result.study.variants, references(result.study.variants)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["group", "variant", "figure", "title", *_columns(), "against"])
    for at, variant in enumerate(variants):
        reference = against[at]
        held_to = (
            "" if reference is None else f"{variants[reference].group}: {variants[reference].name}"
        )
        for name, estimate in result.estimates[at].items():
            title = result.study.figures[name].title
            cells = ["" if value is None else value for value in estimate]
            table.writerow([variant.group, variant.name, name, title, *cells, held_to])
    return text.getvalue()


def study_to_json(result: StudyResult) -> dict[str, Any]:
    """Everything, the figures of single seeds included; null where a figure means nothing."""
    return {
        "study": result.name,
        "seeds": list(result.seeds),
        "confidence": CONFIDENCE,
        "figures": {name: figure.title for name, figure in result.study.figures.items()},
        "notes": list(result.study.notes),
        "variants": [
            {
                "group": variant.group,
                "name": variant.name,
                "settings": dict(variant.settings),
                "figures": {
                    name: {
                        **{part: _plain(value) for part, value in estimate._asdict().items()},
                        "by_seed": [_plain(value) for value in result.values[at, row].tolist()],
                    }
                    for row, (name, estimate) in enumerate(result.estimates[at].items())
                },
            }
            for at, variant in enumerate(result.study.variants)
        ],
    }


def _columns() -> list[str]:
    return [
        "low_95" if name == "low" else "high_95" if name == "high" else name
        for name in Estimate._fields
    ]


def _cell(estimate: Estimate, figure: Figure, seeds: int) -> str:
    if not estimate.seeds:
        return "-"
    ends = (estimate.mean, estimate.deviation) if _varies(estimate) else (estimate.mean,)
    shown = " ± ".join(f"{round(value, figure.digits) + 0.0:,.{figure.digits}f}" for value in ends)
    return (
        shown
        + ("*" if estimate.differs else "")
        + (f" (n = {estimate.seeds})" if estimate.seeds < seeds else "")
    )


def _varies(estimate: Estimate) -> bool:
    """Whether seeds differ by more than single precision explains; not where there is one."""
    return estimate.deviation > ROUNDING * abs(estimate.mean)


def _plain(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
