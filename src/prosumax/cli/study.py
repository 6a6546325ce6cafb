"""`prosumax study`: run a study over many seeds and show its tables."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from prosumax import report
from prosumax.runner import ProgressCallback
from prosumax.simulation.results.store import check_folder, next_free_folder
from prosumax.studies.engine import StudyResult, load_studies, run_study
from prosumax.studies.store import save_study
from prosumax.studies.tables import StudyTable, make_tables, table_legend, study_to_json

_out = Console()


def command(progress: Callable[[], AbstractContextManager[ProgressCallback]]) -> Callable[..., None]:
    """The command as a function for typer.

    Arguments:
        progress: opens a progress bar.
    """

    def study(
        name: Annotated[
            str | None, typer.Argument(metavar="NAME", help="Which; lists them when absent.")
        ] = None,
        seeds: Annotated[
            int, typer.Option("--seeds", metavar="N", help="Seeds 0 to N-1 of every variant.")
        ] = 20,
        out: Annotated[
            Path | None,
            typer.Option(
                "--out",
                metavar="DIR",
                help="Result folder; when absent results/NAME, or the next NAME-2, ..",
            ),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON object; write files only with --out.")
        ] = (False),
    ) -> None:
        """Run variants of a community over many seeds: means, spread, and which differences count."""
        if name is None:
            _print_studies()
            return
        load_studies().check(name, "study")
        place = kept = None
        if out is not None or not as_json:
            place = out or next_free_folder(name, Path("results"))
            check_folder(place, "study")
            # Beside the result, which appears whole or not at all: the same command goes on from there.
            kept = place.with_name(f".{place.name}.kept")
        with progress() as on_stage:
            result = run_study(name, seeds, on_stage, kept)
        if place is not None and kept is not None:
            extras = {"report.html": lambda path: report.write_study(result, path)}
            save_study(result, place, extras)
            shutil.rmtree(kept, ignore_errors=True)
        if as_json:
            typer.echo(json.dumps(study_to_json(result)))
            return
        print_study(result)
        assert place is not None
        folder = place.resolve()
        _out.print(f"Written: {folder}", soft_wrap=True, highlight=False)
        _out.print(f"Report: {folder / 'report.html'}", soft_wrap=True, highlight=False)

    return study


def _print_studies() -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("Study", no_wrap=True, style="bold")
    table.add_column("What it compares")
    for name, line in load_studies().summaries().items():
        table.add_row(name, line)
    _out.print(table)


def print_study(result: StudyResult) -> None:
    """The tables of a study, and what they mean."""
    for content in make_tables(result):
        for first, last in _parts(content, _out.width):
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


def _parts(content: StudyTable, width: int) -> Iterator[tuple[int, int]]:
    """Columns that fit side by side: a number is never cut."""
    rows = [content.header, *(row[1:] for row in content.rows)]
    widths = [1 + max(len(row[at]) for row in rows) for at in range(len(content.header))]
    left = width - min(1 + max(len(row[0]) for row in content.rows), width // 3)
    first, used = 0, 0
    for at, wide in enumerate(widths):
        if at > first and used + wide > left:
            yield first, at
            first, used = at, 0
        used += wide
    yield first, len(widths)
