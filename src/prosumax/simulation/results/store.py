"""Results on disk, as folders that are replaced atomically.

A folder is written beside its destination and moved there when it is complete, so that an
interrupted run leaves an earlier result intact.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NotRequired, TypedDict, cast

import yaml

from prosumax.errors import InputError
from prosumax.metrics.records import CommunityKPIs, HouseholdKPIs
from prosumax.scenario.loading import dump_scenario, load_scenario, with_plugins
from prosumax.simulation.results.events import EventEffect
from prosumax.simulation.results.ledger import read_trades, write_ledger
from prosumax.simulation.results.result import Result, StoredSeries
from prosumax.tariff.statement import BillStatement, statement_from_json, statement_to_json

ResultKind = Literal["run", "comparison", "study", "training"]

_SCENARIO_FILE = "scenario.yaml"
_KPI_FILE = "kpis.json"
_BILLS_FILE = "bills.json"
_DATASET_FILE = "timeseries.nc"
_TABLE_FILE = "timeseries.parquet"
_LEDGER_FILE = "ledger.jsonl"

_COMPARISON_FILES = (_KPI_FILE, _SCENARIO_FILE, "report.html")
_FILES: dict[ResultKind, tuple[str, ...]] = {
    "run": (*_COMPARISON_FILES, _DATASET_FILE, _TABLE_FILE, _LEDGER_FILE, _BILLS_FILE),
    "comparison": _COMPARISON_FILES,
    "training": (
        "training.json",
        "state.npz",
        "policies.npz",
        "curves.csv",
        "result.json",
        "report.html",
        "tensorboard",
        "ray",
    ),
    "study": ("study.json", "table.csv", "table.md", "report.html"),
}
"""Possible files of each kind of result; a result without the first one is incomplete."""

_OTHER_FOLDER = "Name a folder that you may write to with --out."
_RUN_FOLDER = "Name a folder that `prosumax run` has written."

ExtraFiles = Mapping[str, Callable[[Path], None]]
"""Functions that write further files of a result, by file name."""


class _KPIContent(TypedDict):
    """Content of the file of KPIs."""

    kpis: CommunityKPIs
    households: list[HouseholdKPIs]
    timing: dict[str, float]
    notes: list[str]
    events: NotRequired[list[EventEffect]]


def result_to_json(result: Result) -> dict[str, object]:
    """Convert a result without its series to JSON content."""
    return {
        "kpis": result.kpis,
        "households": result.households,
        "timing": result.timing,
        "notes": result.notes,
        "events": result.events,
    }


def check_folder(folder: Path, kind: ResultKind = "run") -> None:
    """Check that a result may be written to a folder.

    The folder must be writable, and new, empty, or an earlier result of the same kind without
    other files, since a result is replaced as a whole.

    Args:
        folder: Folder of the result.
        kind: Kind of the result.

    Raises:
        InputError: The result may not be written there.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}", "the path is a file", "Name a folder.")
    ancestors = (folder, *folder.absolute().parents)
    existing = next(ancestor for ancestor in ancestors if ancestor.is_dir())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"--out {folder}",
            f"the folder cannot be written: no permission in {existing.absolute()}",
            _OTHER_FOLDER,
        )
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    foreign = sorted(names - set(_FILES[kind]))
    if foreign:
        raise InputError(
            f"--out {folder}",
            f"the folder holds {foreign[0]!r}, which is no part of such a result",
            "The folder was left unchanged; name a new folder.",
        )
    if names and _FILES[kind][0] not in names:
        raise InputError(
            f"--out {folder}",
            "the folder holds no complete result",
            "The folder was left unchanged; name a new folder.",
        )


def next_free_folder(name: str, parent: Path) -> Path:
    """Return `parent/name`, or the first of `parent/name-2`, `-3`, .. that does not exist.

    Args:
        name: Name of the folder.
        parent: Folder that holds it.
    """
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def save_result(result: Result, folder: Path, extras: ExtraFiles | None = None) -> Path:
    """Write the result of a run: scenario, KPIs, bills, time series, and a ledger of trades.

    Args:
        result: Result to store.
        folder: New or empty folder, or one with an earlier result, which is replaced.
        extras: Further files.

    Returns:
        The folder.

    Raises:
        InputError: The folder cannot be written, or holds something else.
    """
    with whole_folder(folder) as scratch:
        _write_text(scratch / _SCENARIO_FILE, dump_scenario(result.scenario))
        _write_json(scratch / _KPI_FILE, result_to_json(result))
        _write_json(scratch / _BILLS_FILE, [statement_to_json(bill) for bill in result.bills])
        result.timeseries.to_netcdf(scratch / _DATASET_FILE, engine="scipy")
        result.to_frame().to_parquet(scratch / _TABLE_FILE, index=False)
        if result.kpis["traded_kwh"] > 0:
            difficulty = result.scenario.market.ledger_difficulty
            write_ledger(result.trades, scratch / _LEDGER_FILE, difficulty)
        _write_extras(scratch, extras)
    return folder


def load_result(folder: Path) -> Result:
    """Load the result of a run that `save_result` wrote.

    Args:
        folder: Folder of the result.

    Raises:
        InputError: The folder holds no complete result of a run.
    """
    import xarray as xr

    bills = load_bills(folder)
    content = cast(_KPIContent, _read_json(folder / _KPI_FILE))
    try:
        raw_scenario = yaml.safe_load((folder / _SCENARIO_FILE).read_text(encoding="utf-8"))
        dataset = xr.load_dataset(folder / _DATASET_FILE, engine="scipy")
        return Result(
            scenario=load_scenario(raw_scenario),
            kpis=content["kpis"],
            households=content["households"],
            timing=content["timing"],
            notes=content["notes"],
            bills=bills,
            events=content.get("events", []),
            stored=StoredSeries(dataset, read_trades(folder / _LEDGER_FILE)),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            str(folder), f"the folder holds no complete run ({error})", _RUN_FOLDER
        ) from None


def load_bills(folder: Path) -> list[BillStatement]:
    """Load the bills of a stored run.

    Args:
        folder: Folder of the result.

    Raises:
        InputError: The folder holds no valid bills.
    """
    file = folder / _BILLS_FILE
    if not file.is_file():
        problem = "the folder holds no bills" if folder.is_dir() else "there is no such folder"
        raise InputError(str(folder), problem, _RUN_FOLDER)
    try:
        statements = cast(list[dict[str, object]], _read_json(file))
        return [statement_from_json(statement) for statement in statements]
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(
            str(file), f"the file is damaged ({error})", "Run the scenario again."
        ) from None


def save_comparison(
    results: Mapping[str, Result], folder: Path, extras: ExtraFiles | None = None
) -> Path:
    """Write a comparison: the scenario of its first run, and the KPIs of all runs.

    Args:
        results: Results by mechanism.
        folder: New or empty folder, or one with an earlier comparison, which is replaced.
        extras: Further files.

    Returns:
        The folder.

    Raises:
        InputError: The folder cannot be written, or holds something else.
    """
    with whole_folder(folder, "comparison") as scratch:
        scenario = with_plugins(*(result.scenario for result in results.values()))
        _write_text(scratch / _SCENARIO_FILE, dump_scenario(scenario))
        content = {name: result_to_json(result) for name, result in results.items()}
        _write_json(scratch / _KPI_FILE, content)
        _write_extras(scratch, extras)
    return folder


@contextmanager
def whole_folder(folder: Path, kind: ResultKind = "run") -> Iterator[Path]:
    """Provide a scratch folder that replaces the destination when the block succeeds.

    Args:
        folder: Destination.
        kind: Kind of the result.

    Yields:
        The scratch folder.

    Raises:
        InputError: The result may not be written to the destination.
    """
    check_folder(folder, kind)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-")
    except OSError as error:
        raise InputError(
            f"--out {folder}", f"the folder cannot be written ({error.strerror})", _OTHER_FOLDER
        ) from error
    with temporary as parent:
        scratch = Path(parent) / "result"
        previous = Path(parent) / "previous"
        scratch.mkdir()
        yield scratch
        if folder.exists():
            folder.rename(previous)
        try:
            scratch.rename(folder)
        except OSError:
            if previous.exists():
                previous.rename(folder)
            raise


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_json(path: Path, content: object) -> None:
    _write_text(path, json.dumps(content, indent=1))


def _write_extras(folder: Path, extras: ExtraFiles | None) -> None:
    for name, write in (extras or {}).items():
        write(folder / name)


def _read_json(path: Path) -> object:
    try:
        content: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            str(path.parent), f"the folder holds no {path.name} ({error.strerror})", _RUN_FOLDER
        ) from None
    except ValueError as error:
        raise InputError(
            str(path), f"the file is damaged ({error})", "Run the scenario again."
        ) from None
    return content
