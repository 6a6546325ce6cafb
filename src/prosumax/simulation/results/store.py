"""Results on disk: a folder appears whole or not at all, so that an earlier result survives whatever goes wrong."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from prosumax.errors import InputError
from prosumax.scenario.loading import dump_scenario
from prosumax.simulation.results.ledger import write_ledger
from prosumax.simulation.results.result import Result
from prosumax.tariff.statement import BillStatement, statement_from_json, statement_to_json

ResultKind = Literal["run", "comparison", "study", "training"]

_COMPARISON_FILES = ("kpis.json", "scenario.yaml", "report.html")
_FILES: dict[ResultKind, tuple[str, ...]] = {
    "run": (
        *_COMPARISON_FILES,
        "timeseries.nc",
        "timeseries.parquet",
        "ledger.jsonl",
        "bills.json",
    ),
    "comparison": _COMPARISON_FILES,
    "training": (
        *(
            "training.json",
            "state.npz",
            "policies.npz",
            "curves.csv",
            "result.json",
            "report.html",
            "tensorboard",
            "ray",
        ),
    ),
    "study": ("study.json", "table.csv", "table.md", "report.html"),
}
"""What a result of each kind may consist of; without the first file it is not complete."""

_ELSEWHERE = "Name a folder that you may write to with --out."

ExtraFiles = Mapping[str, Callable[[Path], None]]
"""Further files of a result by name, each with the function that writes it (the report)."""


def result_to_json(result: Result) -> dict[str, Any]:
    """The result without its series: `kpis`, `households`, `timing`, `notes`."""
    return {
        "kpis": result.kpis,
        "households": result.households,
        "timing": result.timing,
        "notes": result.notes,
    }


def check_folder(folder: Path, kind: ResultKind = "run") -> None:
    """Raise `InputError` unless a result may be written there.

    The place must be writable, and new, empty, or an earlier result of the same kind with nothing else in it: a result
    is replaced as a whole, and nobody's own files may go with it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}", "is a file", "Name a folder.")
    ground = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(ground, os.W_OK | os.X_OK):
        raise InputError(
            f"--out {folder}",
            f"cannot be written: no permission in {ground.absolute()}",
            _ELSEWHERE,
        )
    found = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    foreign = sorted(found - set(_FILES[kind]))
    if foreign or (found and _FILES[kind][0] not in found):
        what = (
            f"holds {foreign[0]!r}, which is no part of such a result"
            if foreign
            else "holds no complete result"
        )
        raise InputError(f"--out {folder}", what, "It was left alone; name a new folder.")


def next_free_folder(name: str, parent: Path) -> Path:
    """`parent/name`, or with the next number behind it when that exists."""
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def save_result(result: Result, folder: Path, extras: ExtraFiles | None = None) -> Path:
    """Write `scenario.yaml`, `kpis.json`, `bills.json`, two files of time series, and a ledger where homes traded.

    Arguments:
        result: what to keep.
        folder: new, empty, or an earlier result, which is replaced.
        extras: further files.

    Raises:
        InputError: the folder holds something else.
    """
    with whole_folder(folder) as fresh:
        (fresh / "scenario.yaml").write_text(dump_scenario(result.scenario), encoding="utf-8")
        (fresh / "kpis.json").write_text(json.dumps(result_to_json(result), indent=1), encoding="utf-8")
        bills = [statement_to_json(bill) for bill in result.bills]
        (fresh / "bills.json").write_text(json.dumps(bills, indent=1), encoding="utf-8")
        result.timeseries.to_netcdf(fresh / "timeseries.nc", engine="scipy")
        result.to_frame().to_parquet(fresh / "timeseries.parquet", index=False)
        if result.kpis["traded_kwh"] > 0:
            write_ledger(
                result.trades, fresh / "ledger.jsonl", result.scenario.market.ledger_difficulty
            )
        for name, write in (extras or {}).items():
            write(fresh / name)
    return folder


def load_bills(folder: Path) -> list[BillStatement]:
    """The bills of a stored run.

    Raises:
        InputError: there are none.
    """
    file = folder / "bills.json"
    try:
        return [
            statement_from_json(content) for content in json.loads(file.read_text(encoding="utf-8"))
        ]
    except OSError:
        what = "holds no bills" if folder.is_dir() else "there is no such folder"
        raise InputError(
            str(folder), what, "Name a folder that `prosumax run` has written."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(str(file), f"is damaged ({error})", "Run the scenario again.") from None


def save_comparison(
    results: Mapping[str, Result], folder: Path, extras: ExtraFiles | None = None
) -> Path:
    """Write `scenario.yaml` (the first one), `kpis.json` with one entry per mechanism, and the extras."""
    with whole_folder(folder, "comparison") as fresh:
        first = next(iter(results.values()))
        (fresh / "scenario.yaml").write_text(dump_scenario(first.scenario), encoding="utf-8")
        everything = {name: result_to_json(result) for name, result in results.items()}
        (fresh / "kpis.json").write_text(json.dumps(everything, indent=1), encoding="utf-8")
        for name, write in (extras or {}).items():
            write(fresh / name)
    return folder


@contextmanager
def whole_folder(folder: Path, kind: ResultKind = "run") -> Iterator[Path]:
    """A scratch folder beside the place, moved there when the block ends well."""
    check_folder(folder, kind)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-")
    except OSError as error:
        raise InputError(
            f"--out {folder}", f"cannot be written ({error.strerror})", _ELSEWHERE
        ) from error
    with place as scratch:
        fresh, previous = Path(scratch) / "result", Path(scratch) / "previous"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(previous)
        try:
            fresh.rename(folder)
        except OSError:
            if previous.exists():
                previous.rename(folder)
            raise
