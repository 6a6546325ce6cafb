"""From a name or a file, with overrides, to a checked scenario; and every mistake to one clear message."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from prosumax.errors import InputError, did_you_mean
from prosumax.registry import Registry
from prosumax.scenario import citylearn
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.tariff_presets import expand_tariff


class _Loader(yaml.SafeLoader):
    """YAML that leaves dates as text, so that an impossible one is a mistake in a field like any other."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def scenario_preset_paths() -> dict[str, Path]:
    """Name -> file of the scenarios that ship with the package."""
    folder = resources.files("prosumax.scenario") / "presets"
    return {
        Path(str(file)).stem: Path(str(file))
        for file in sorted(folder.iterdir(), key=str)
        if file.name[0] != "_"
    }


ScenarioLike = str | Path | Mapping[str, Any] | Scenario
"""Accepted scenario arguments: preset name, YAML file, CityLearn folder, mapping, or `Scenario`."""


def load_scenario(
    name_or_path: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any] = (),
) -> Scenario:
    """Read and check a scenario.

    Arguments:
        name_or_path: a preset's name, a YAML file, a CityLearn data set folder (with `schema.json`), or the content
            itself as a mapping or a `Scenario`.
        overrides: `"tariff.feed_in=0"` strings as on the command line, or a mapping from such paths to values. A
            path goes through lists by index, by a home's name, or by `*` for all: `homes.0.battery.capacity_kwh`.

    Raises:
        InputError: anything that is not right, with the field, what was given, and what is allowed.
    """
    if isinstance(name_or_path, Scenario):
        raw, source = name_or_path.model_dump(mode="json"), name_or_path.name
    elif isinstance(name_or_path, Mapping):
        raw, source = _plain(name_or_path), str(name_or_path.get("name", "scenario"))
        expand_tariff(raw, Path.cwd())
    else:
        raw, source = _read(str(name_or_path))
    items = overrides.items() if isinstance(overrides, Mapping) else map(_split_override, overrides)
    for path, value in items:
        if path == "tariff.preset":
            raise InputError(
                "--set tariff.preset", "changes nothing in a tariff", f"Write --set tariff={value}."
            )
        _override(raw, path, value)
        expand_tariff(raw, Path.cwd())
    return _validate(raw, source)


def dump_scenario(scenario: Scenario) -> str:
    """The scenario as YAML that `load_scenario` reads back to an equal one."""
    return yaml.safe_dump(scenario.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def check_names(scenario: Scenario, mechanisms: Registry[Any], policies: Registry[Any]) -> None:
    """Raise `InputError` when the scenario names a mechanism or a policy that does not exist."""
    mechanisms.check(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    policies.check(scenario.policy, f"{scenario.name}: policy")
    for number, home in enumerate(scenario.homes):
        if home.policy is not None:
            policies.check(home.policy, f"{scenario.name}: homes[{number}].policy")


def _read(name_or_path: str) -> tuple[dict[str, Any], str]:
    known = scenario_preset_paths()
    path = known.get(name_or_path, Path(name_or_path).expanduser())
    if path.is_dir():
        return citylearn.read_citylearn_folder(path), str(path)
    if not path.is_file():
        looks_like_a_path = path.suffix in {".yaml", ".yml"} or len(path.parts) > 1
        if looks_like_a_path and path.parent.is_dir():
            near = did_you_mean(path.name, [file.name for file in path.parent.glob("*.y*ml")])
            raise InputError(
                name_or_path, "there is no such file", f"Check the path. {near}".strip()
            )
        raise InputError(
            name_or_path, "is neither a preset nor a file", did_you_mean(name_or_path, known)
        )
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(
            f"{path}{line}", f"is not valid YAML ({error.problem})", "Mend the line."
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            str(path), "is not a text file in UTF-8", "Save it as UTF-8 YAML."
        ) from error
    if not isinstance(raw, dict):
        raise InputError(
            str(path), f"holds {_show(raw)}, not a scenario", "Start from `prosumax scenarios`."
        )
    _anchor_files(raw, path.parent.resolve())
    expand_tariff(raw, path.parent.resolve())
    return raw, name_or_path


def _anchor_files(node: Any, folder: Path) -> None:
    """Make paths (`file:`, `signatures:`, data set folders) absolute: they are relative to the file that names them."""
    if isinstance(node, dict):
        for key, value in node.items():
            if (
                key in {"file", "dataset", "signatures"}
                and isinstance(value, str)
                and (folder / value).exists()
            ):
                node[key] = str(folder / value)
            elif key in {"file", "signatures"} and isinstance(value, str):
                node[key] = str(folder / Path(value).expanduser())
            else:
                _anchor_files(value, folder)
    elif isinstance(node, list):
        for value in node:
            _anchor_files(value, folder)


def _split_override(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputError(
            f"--set {text}",
            "is not of the form a.b=value",
            "Write for example --set tariff.feed_in=0.",
        )
    try:
        return path.strip(), yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise InputError(
            f"--set {text}", "the value is not valid YAML", "Quote it if it has special signs."
        ) from error


def _override(raw: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = [key for key in re.split(r"[.\[\]]+", path) if key]
    node: Any = raw
    for number, key in enumerate(parents):
        if key == "*" and isinstance(node, list):
            behind = ".".join([*parents[number + 1 :], last])
            for entry in node:
                _override(entry, behind, value)
            return
        slot = _slot(node, key, path)
        if isinstance(node, dict) and node.get(slot) is None:
            node[slot] = {}
        node = node[slot]
    if not isinstance(node, dict | list):
        raise InputError(
            f"--set {path}", f"goes through {_show(node)}, which has no fields", "Check the path."
        )
    node[_slot(node, last, path)] = _plain(value)


def _slot(node: Any, key: str, path: str) -> Any:
    """Key of a mapping, or index of a list entry given by number or by its `name`."""
    if not isinstance(node, list):
        if not isinstance(node, dict):
            raise InputError(
                f"--set {path}",
                f"goes through {_show(node)}, which has no fields",
                "Check the path.",
            )
        return key
    names = [str(entry.get("name")) for entry in node if isinstance(entry, dict)]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(node):
        return int(key)
    raise InputError(
        f"--set {path}",
        f"there is no entry {key!r}",
        f"Use 0 to {len(node) - 1} or a name. {did_you_mean(key, names)}",
    )


def _plain(value: Any) -> Any:
    """Deep copy into dicts and lists, so that overrides never change the caller's mapping."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _validate(raw: dict[str, Any], source: str) -> Scenario:
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        # A misspelt field also shows as a missing one; the spelling is what to mend.
        first, *others = sorted(
            error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden"
        )
        where, what, cure = _explain(first, raw)
        also = ", ".join(
            dict.fromkeys(
                _field_path(mistake["loc"], raw)[0] or "scenario" for mistake in others[:5]
            )
        )
        more = f" (Also wrong: {also}.)" if others else ""
        raise InputError(f"{source}: {where}", what, cure + more) from None


def _explain(error: Any, raw: Any) -> tuple[str, str, str]:
    """Field, what was given, what is allowed, from one pydantic error."""
    path, given = _field_path(error["loc"], raw)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        fields = {
            name for model in _models_at(error["loc"][:-1]) for name in model.get("properties", {})
        }
        return path, "there is no such field", did_you_mean(str(error["loc"][-1]), sorted(fields))
    if kind == "missing":
        return path, "is required and was not given", "Add it."
    if kind == "literal_error":
        allowed = [
            str(choice)
            for choice in re.findall(r"'([^']*)'|(\b\d+\b)", context["expected"])
            for choice in choice
        ]
        return (
            path,
            f"{_show(given)} is not a choice",
            did_you_mean(str(given), filter(None, allowed)),
        )
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        tags = [tag for model in _models_at(error["loc"]) if (tag := _tag(model))]
        if not isinstance(given, dict) or given.get("source") is None:
            return path, f"{_show(given)} has no `source`", did_you_mean("", tags)
        return (
            f"{path}.source",
            f"there is no source {_show(given['source'])}",
            did_you_mean(str(given["source"]), tags),
        )
    if kind == "too_short" and path == "homes":
        return path, "there are no homes", "Add at least one home with a name and a load."
    message = re.sub(r"^(Value error|Assertion failed), ", "", error["msg"])
    message = message.replace("Input should", "It should")
    if kind == "value_error":
        short = "" if isinstance(given, dict | list) else f" Given: {_show(given)}."
        return (
            path or "scenario",
            message[0].lower() + message[1:],
            f"Change it and run again.{short}",
        )
    return path or "scenario", f"got {_show(given)}", f"{message}."


def _field_path(loc: tuple[int | str, ...], raw: Any) -> tuple[str, Any]:
    """`homes[2].battery.capacity_kwh` and its value, leaving out union tags, which nobody wrote."""
    path, node, tag_passed = "", raw, False
    for position, part in enumerate(loc):
        if isinstance(node, dict) and not tag_passed and part == node.get("source"):
            tag_passed = True
            continue
        if isinstance(part, int) and isinstance(node, list) and part < len(node):
            path, node, tag_passed = f"{path}[{part}]", node[part], False
        elif isinstance(node, dict) and (part in node or position == len(loc) - 1):
            path, node, tag_passed = f"{path}.{part}" if path else str(part), node.get(part), False
    return path, node


def _models_at(loc: tuple[int | str, ...]) -> list[dict[str, Any]]:
    """JSON schemas of the models that may stand at a location; they know the unions and their tags."""
    schema = Scenario.model_json_schema()

    def resolve(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return resolve(schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
        branches = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
        return [leaf for branch in branches for leaf in resolve(branch)] if branches else [node]

    nodes = resolve(schema)
    for part in loc:
        if isinstance(part, int):
            nodes = [leaf for node in nodes if "items" in node for leaf in resolve(node["items"])]
            continue
        tagged = [node for node in nodes if _tag(node) == part]
        if not tagged:
            fields = [
                node["properties"][part] for node in nodes if part in node.get("properties", {})
            ]
            tagged = [leaf for entry in fields for leaf in resolve(entry)]
        nodes = tagged or nodes
    return nodes


def _tag(model: dict[str, Any]) -> str | None:
    tag: str | None = model.get("properties", {}).get("source", {}).get("const")
    return tag


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
