"""Tariffs by name: presets that ship with the package, files of one's own, and what a scenario changes in them."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from prosumax.errors import InputError, did_you_mean


def tariff_preset_paths() -> dict[str, Path]:
    """Name -> file of the tariffs that ship with the package."""
    folder = resources.files("prosumax.scenario") / "tariffs"
    return {Path(str(file)).stem: Path(str(file)) for file in sorted(folder.iterdir(), key=str)}


def expand_tariff(raw: dict[str, Any], folder: Path) -> None:
    """Replace a scenario's `tariff: NAME`, or one with a `preset`, by all its fields, in place.

    Arguments:
        raw: content of a scenario.
        folder: place that a tariff's file is relative to.

    Raises:
        InputError: there is no such preset or file, or the file holds no tariff.
    """
    tariff = raw.get("tariff")
    if isinstance(tariff, str):
        raw["tariff"] = _read(tariff, folder)
    elif isinstance(tariff, Mapping) and "preset" in tariff:
        changes = {name: value for name, value in tariff.items() if name != "preset"}
        raw["tariff"] = _read(str(tariff["preset"]), folder) | changes


def _read(name: str, folder: Path) -> dict[str, Any]:
    known = tariff_preset_paths()
    path = known.get(name, folder / Path(name).expanduser())
    if not path.is_file():
        cure = f"{did_you_mean(name, known)} Or name a YAML file: `prosumax tariffs NAME > my-tariff.yaml` writes one."
        raise InputError("tariff", f"{name!r} is neither a preset nor a file in {folder}", cure)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{line}", "is not valid YAML in UTF-8", "Mend the line.") from None
    if not isinstance(content, dict) or "energy" not in content:
        raise InputError(
            str(path),
            "holds no tariff",
            "Give at least `energy` and `feed_in`; see `prosumax tariffs`.",
        )
    for value in _tables(content):
        if not Path(value["file"]).is_absolute():
            value["file"] = str(path.parent.resolve() / value["file"])
    return content


def _tables(node: Any) -> list[dict[str, Any]]:
    """Every entry of a tariff that names a file."""
    if not isinstance(node, dict):
        return []
    own = [node] if isinstance(node.get("file"), str) else []
    return [*own, *(found for value in node.values() for found in _tables(value))]
