"""`prosumax study`: a study over many seeds, with its tables."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from prosumax.cli.options import RESULTS_FOLDER, JsonOption, OutOption
from prosumax.cli.progress import stage_progress

if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult
    from prosumax.studies.tables import StudyTable

_out = Console()


def run_named_study(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Study; lists all studies when absent.")
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="Number of seeds of each variant, from 0.")
    ] = 20,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run variants of a community over many seeds and test their differences for significance."""
    from prosumax import report
    from prosumax.simulation.results.store import check_folder, next_free_folder
    from prosumax.studies.engine import load_studies, run_study
    from prosumax.studies.store import save_study
    from prosumax.studies.tables import study_to_json

    if name is None:
        _print_studies()
        return
    load_studies().check(name, "prosumax study")
    folder: Path | None = None
    progress_folder: Path | None = None
    if out is not None or not as_json:
        folder = out or next_free_folder(name, RESULTS_FOLDER)
        check_folder(folder, "study")
        # Finished variants are stored beside the result, which is written as a whole at the end, so
        # that the same command continues an interrupted study.
        progress_folder = folder.with_name(f".{folder.name}.kept")
    with stage_progress() as on_progress:
        result = run_study(name, seeds, on_progress, progress_folder)
    if folder is not None and progress_folder is not None:
        extras = {"report.html": lambda path: report.write_study(result, path)}
        save_study(result, folder, extras)
        shutil.rmtree(progress_folder, ignore_errors=True)
    if as_json:
        typer.echo(json.dumps(study_to_json(result)))
        return
    print_study(result)
    assert folder is not None
    path = folder.resolve()
    _out.print(f"Written: {path}", soft_wrap=True, highlight=False)
    _out.print(f"Report: {path / 'report.html'}", soft_wrap=True, highlight=False)


def _print_studies() -> None:
    from prosumax.cli.printing import print_names
    from prosumax.studies.engine import load_studies

    print_names("Study", load_studies().summaries())


def print_study(result: "StudyResult") -> None:
    """Print the tables of a study with their legend.

    Args:
        result: Results of the study.
    """
    from prosumax.studies.tables import make_tables, table_legend

    for content in make_tables(result):
        for first, last in _column_ranges(content, _out.width):
            table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
            table.add_column(content.title, style="dim")
            for title in content.header[first:last]:
                table.add_column(title, justify="right", no_wrap=True)
            for row in content.rows:
                table.add_row(row[0], *row[1 + first : 1 + last])
            _out.print(table)
            _out.print()
    _out.print(table_legend(result), style="dim", highlight=False)
    for note in result.study.notes:
        _out.print(f"- {note}", style="dim", highlight=False)


def _column_ranges(content: "StudyTable", width: int) -> Iterator[tuple[int, int]]:
    """Split the columns of a table into ranges that fit the width without truncated numbers."""
    rows = [content.header, *(row[1:] for row in content.rows)]
    widths = [1 + max(len(row[column]) for row in rows) for column in range(len(content.header))]
    name_width = 1 + max(len(row[0]) for row in content.rows)
    available = width - min(name_width, width // 3)
    first = 0
    used = 0
    for column, column_width in enumerate(widths):
        if column > first and used + column_width > available:
            yield first, column
            first = column
            used = 0
        used += column_width
    yield first, len(widths)
