"""Tariff presets, tariff files, and their expansion in a scenario."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import yaml

from prosumax.errors import InputError, did_you_mean


def tariff_preset_paths() -> dict[str, Path]:
    """Return the files of the tariffs that ship with the package, by name."""
    folder = resources.files("prosumax.scenario") / "tariffs"
    paths = [Path(str(file)) for file in sorted(folder.iterdir(), key=str)]
    return {path.stem: path for path in paths}


def expand_tariff(raw: dict[str, object], folder: Path) -> None:
    """Replace `tariff: NAME`, or a tariff with a `preset`, by all its fields, in place.

    Args:
        raw: Content of a scenario.
        folder: Folder that the path of a tariff file is relative to.

    Raises:
        InputError: The preset or file does not exist, or the file holds no tariff.
    """
    tariff = raw.get("tariff")
    if isinstance(tariff, str):
        raw["tariff"] = _read_tariff(tariff, folder)
    elif isinstance(tariff, Mapping) and "preset" in tariff:
        changes = {name: value for name, value in tariff.items() if name != "preset"}
        raw["tariff"] = _read_tariff(str(tariff["preset"]), folder) | changes


def _read_tariff(name: str, folder: Path) -> dict[str, object]:
    presets = tariff_preset_paths()
    path = presets.get(name, folder / Path(name).expanduser())
    if not path.is_file():
        raise InputError(
            "tariff",
            f"{name!r} is neither a preset nor a file in {folder}",
            f"{did_you_mean(name, presets)} Or name a YAML file: "
            "`prosumax tariffs NAME > my-tariff.yaml` writes one.",
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise InputError(
            f"{path}{line}",
            "the file is not valid YAML in UTF-8",
            "Correct the indentation or quotes, and save it as UTF-8.",
        ) from None
    if not isinstance(content, dict) or "energy" not in content:
        raise InputError(
            str(path),
            "the file holds no tariff",
            "Give at least `energy` and `feed_in`; `prosumax tariffs` lists complete examples.",
        )
    for entry in _file_entries(content):
        if not Path(entry["file"]).is_absolute():
            entry["file"] = str(path.parent.resolve() / entry["file"])
    return content


def _file_entries(node: object) -> list[dict[str, str]]:
    """Return all mappings in a tariff that name a file."""
    if not isinstance(node, dict):
        return []
    own = [node] if isinstance(node.get("file"), str) else []
    return [*own, *(entry for value in node.values() for entry in _file_entries(value))]
