"""Loading of scenarios from presets, files and mappings, with overrides and clear errors."""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from prosumax.data.registry import source_path_fields
from prosumax.errors import InputError, did_you_mean
from prosumax.plugins import check_installed, explain_missing
from prosumax.registry import Registry, packages_providing
from prosumax.scenario.citylearn import read_citylearn_folder
from prosumax.scenario.schema.building import SCHEMA_GROUPS, build_schema
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.tariff_presets import expand_tariff

M = TypeVar("M")
P = TypeVar("P")

ScenarioLike = str | Path | Mapping[str, object] | Scenario
"""A scenario, or a preset's name, a file or a mapping from which one is loaded."""

_PATH_FIELDS = {"file"}
"""Fields with a path outside of sources, which declare theirs by their type."""
_TAG_FIELDS = ("source", "event")
"""Fields whose value selects the model of a section."""
_FREE_TEXTS = {"name", "description", "plugins"}
_MAX_VALUE_CHARS = 60
_LIMITS = {
    "gt": "greater than",
    "ge": "of at least",
    "lt": "less than",
    "le": "of at most",
    "multiple_of": "that is a multiple of",
}
_EXPECTED_VALUES = {
    "int_": "Give a whole number.",
    "float_": "Give a number.",
    "finite_number": "Give a finite number.",
    "bool_": "Give true or false.",
    "string_": "Give a text.",
    "datetime_": "Give a time such as 2023-06-01T10:00.",
    "date_": "Give a day such as 2023-06-01.",
    "list_": "Give a list.",
    "tuple_": "Give a list.",
    "too_short": "Add entries to the list.",
    "too_long": "Remove entries from the list.",
    "dict_": "Give fields with their values.",
    "model_": "Give fields with their values.",
}
"""Fix by the prefix of the kind of a pydantic error."""


class _YamlLoader(yaml.SafeLoader):
    """YAML loader that keeps dates as text, so that the schema reports invalid ones."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def scenario_preset_paths() -> dict[str, Path]:
    """Return the files of the scenarios that ship with the package, by name."""
    folder = resources.files("prosumax.scenario") / "presets"
    paths = [Path(str(file)) for file in sorted(folder.iterdir(), key=str)]
    return {path.stem: path for path in paths if not path.name.startswith("_")}


def load_scenario(
    name_or_path: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, object] = (),
) -> Scenario:
    """Load and validate a scenario.

    Args:
        name_or_path: Name of a preset, YAML file, CityLearn data set folder (with `schema.json`),
            or the content itself as a mapping or a `Scenario`.
        overrides: Strings such as `"tariff.feed_in=0"`, or a mapping from such paths to values. A
            path goes through lists by index, by a home's name, or by `*` for all entries:
            `homes.0.battery.capacity_kwh`.

    Raises:
        InputError: The scenario or an override is invalid; the message names the field, the value
            and the allowed values.
    """
    if isinstance(name_or_path, Scenario):
        raw = name_or_path.model_dump(mode="json")
        source = name_or_path.name
    elif isinstance(name_or_path, Mapping):
        raw = _to_plain(name_or_path)
        source = str(name_or_path.get("name", "scenario"))
        expand_tariff(raw, Path.cwd())
    else:
        raw = _read(str(name_or_path))
        source = str(name_or_path)
    items = overrides.items() if isinstance(overrides, Mapping) else map(_parse_override, overrides)
    for path, value in items:
        if path == "tariff.preset":
            raise InputError(
                "--set tariff.preset",
                "a preset is no field of a tariff",
                f"Write --set tariff={value}.",
            )
        _apply_override(raw, path, value)
        expand_tariff(raw, Path.cwd())
    return _validate(raw, source)


def dump_scenario(scenario: Scenario) -> str:
    """Return a scenario as YAML, which `load_scenario` reads back to an equal one.

    Its field `plugins` also lists the installed packages whose components the scenario uses.

    Args:
        scenario: Scenario to write.
    """
    return yaml.safe_dump(scenario_content(scenario), sort_keys=False, allow_unicode=True)


def scenario_content(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as JSON content, which `load_scenario` reads back to an equal one.

    Its field `plugins` also lists the installed packages whose components the scenario uses.

    Args:
        scenario: Scenario to convert.
    """
    return with_plugins(scenario).model_dump(mode="json")


def with_plugins(scenario: Scenario, *others: Scenario) -> Scenario:
    """Return a scenario that lists the installed packages whose components it uses.

    Args:
        scenario: Scenario.
        *others: Further scenarios whose packages are listed too.
    """
    every = (scenario, *others)
    names = set().union(*(_names_in(each.model_dump(mode="json")) for each in every))
    listed = [package for each in every for package in each.plugins]
    plugins = list(dict.fromkeys([*listed, *sorted(packages_providing(names))]))
    return scenario.model_copy(update={"plugins": plugins})


def _names_in(content: Any) -> set[str]:
    """Return all fields with a value, and all texts, that may name a component."""
    if isinstance(content, dict):
        given = {key: value for key, value in content.items() if value}
        parts = [_names_in(value) for key, value in given.items() if key not in _FREE_TEXTS]
        return set(given).union(*parts)
    if isinstance(content, list):
        return set().union(*map(_names_in, content))
    return {content} if isinstance(content, str) else set()


def check_names(scenario: Scenario, mechanisms: Registry[M], policies: Registry[P]) -> None:
    """Check that the mechanism and the policies of a scenario are registered.

    Args:
        scenario: Scenario to check.
        mechanisms: Registered mechanisms.
        policies: Registered policies.

    Raises:
        InputError: A name is not registered.
    """
    mechanisms.check(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    policies.check(scenario.policy, f"{scenario.name}: policy")
    for number, home in enumerate(scenario.homes):
        if home.policy is not None:
            policies.check(home.policy, f"{scenario.name}: homes.{number}.policy")


def _read(name_or_path: str) -> dict[str, Any]:
    """Read the content of a preset, a YAML file or a CityLearn folder."""
    presets = scenario_preset_paths()
    path = presets.get(name_or_path, Path(name_or_path).expanduser())
    if path.is_dir():
        return read_citylearn_folder(path)
    if not path.is_file():
        raise _missing_file(name_or_path, path, presets)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _YamlLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(
            f"{path}{place}",
            f"the line is not valid YAML ({error.problem})",
            "Correct its indentation or quotes.",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            str(path), "the file is not UTF-8 text", "Save it as YAML in UTF-8."
        ) from error
    if not isinstance(raw, dict):
        raise InputError(
            str(path),
            f"the file holds {_show(raw)}, not a scenario",
            "Start from a preset of `prosumax scenarios`.",
        )
    folder = path.parent.resolve()
    _resolve_paths(raw, folder)
    expand_tariff(raw, folder)
    return raw


def _missing_file(name_or_path: str, path: Path, presets: Mapping[str, Path]) -> InputError:
    """Return the error for a name that is neither a preset nor an existing file."""
    looks_like_path = path.suffix in {".yaml", ".yml"} or len(path.parts) > 1
    if looks_like_path and path.parent.is_dir():
        suggestion = did_you_mean(path.name, [file.name for file in path.parent.glob("*.y*ml")])
        fix = suggestion or f"The folder {path.parent.absolute()} holds no YAML file."
        return InputError(name_or_path, "there is no such file", fix)
    return InputError(
        name_or_path, "there is no preset or file of this name", did_you_mean(name_or_path, presets)
    )


def _resolve_paths(node: Any, folder: Path) -> None:
    """Make the paths in a scenario file absolute; they are relative to the file's folder."""
    if isinstance(node, dict):
        path_fields = _PATH_FIELDS | source_path_fields(node.get("source"))
        for key, value in node.items():
            if key == "dataset" and isinstance(value, str):
                # A data set is a registered name unless a folder of that name exists.
                if (folder / value).exists():
                    node[key] = str(folder / value)
            elif key in path_fields and isinstance(value, str):
                node[key] = str(folder / Path(value).expanduser())
            else:
                _resolve_paths(value, folder)
    elif isinstance(node, list):
        for value in node:
            _resolve_paths(value, folder)


def _parse_override(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise InputError(
            f"--set {text}",
            "the setting is not of the form a.b=value",
            "Write for example --set tariff.feed_in=0.",
        )
    try:
        return path.strip(), yaml.load(value, _YamlLoader)
    except yaml.YAMLError as error:
        raise InputError(
            f"--set {text}",
            "the value is not valid YAML",
            "Quote the value if it has special characters.",
        ) from error


def _apply_override(raw: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a dotted path, in place."""
    *parents, last = [key for key in re.split(r"[.\[\]]+", path) if key]
    node: Any = raw
    for number, key in enumerate(parents):
        if key == "*" and isinstance(node, list):
            remaining_path = ".".join([*parents[number + 1 :], last])
            for entry in node:
                _apply_override(entry, remaining_path, value)
            return
        slot = _find_slot(node, key, path)
        if isinstance(node, dict) and node.get(slot) is None:
            node[slot] = {}
        node = node[slot]
    node[_find_slot(node, last, path)] = _to_plain(value)


def _find_slot(node: Any, key: str, path: str) -> Any:
    """Return the key in a mapping, or the index of a list entry given by number or `name`."""
    if isinstance(node, dict):
        return key
    if not isinstance(node, list):
        raise InputError(
            f"--set {path}",
            f"the path goes through {_show(node)}, which has no fields",
            f"Shorten the path to the part before {key!r}.",
        )
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


def _to_plain(value: Any) -> Any:
    """Copy nested mappings and sequences to dicts and lists, so that the input stays unchanged."""
    if isinstance(value, Mapping):
        return {str(key): _to_plain(entry) for key, entry in value.items()}
    return [_to_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _validate(raw: dict[str, Any], source: str) -> Scenario:
    check_installed(raw.get("plugins"), f"{source}: plugins")
    build_schema()
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        # A misspelled field also appears as a missing one; the misspelling is the cause.
        first, *others = sorted(
            error.errors(), key=lambda details: details["type"] != "extra_forbidden"
        )
        where, problem, fix = _explain(first, raw)
        paths = [_field_path(details, raw)[0] or "scenario" for details in others[:5]]
        also = f" (Also wrong: {', '.join(dict.fromkeys(paths))}.)" if others else ""
        location = f"{source}: {where}" if where else source
        raise InputError(location, problem, fix + also) from None


def _explain(error: Any, raw: Any) -> tuple[str, str, str]:
    """Return field, problem and fix of a pydantic error.

    The field is empty where the problem names it.
    """
    path, value = _field_path(error, raw)
    where = path or "scenario"
    kind = error["type"]
    if kind == "extra_forbidden":
        schemas = _schemas_at(error["loc"][:-1])
        fields = {name for schema in schemas for name in schema.get("properties", {})}
        suggestion = did_you_mean(str(error["loc"][-1]), sorted(fields))
        return _unknown_name(path, "there is no such field", str(error["loc"][-1]), suggestion)
    if kind == "missing":
        return "", f"{path} is required and was not given", "Add it."
    if kind == "literal_error":
        expected = error.get("ctx", {})["expected"]
        quoted_or_number = re.findall(r"'([^']*)'|(\b\d+\b)", expected)
        choices = [text or number for text, number in quoted_or_number]
        suggestion = did_you_mean(str(value), filter(None, choices))
        return path, f"{_show(value)} is not a choice", suggestion
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        tags = [tag for schema in _schemas_at(error["loc"]) if (tag := _model_tag(schema))]
        field = error["ctx"]["discriminator"].strip("'")
        field = field if field in _TAG_FIELDS else "source"
        if not isinstance(value, dict) or value.get(field) is None:
            return path, f"{_show(value)} has no `{field}`", did_you_mean("", tags)
        name = str(value[field])
        problem = f"there is no {field} {_show(name)}"
        return _unknown_name(f"{path}.{field}", problem, name, did_you_mean(name, tags))
    if kind == "too_short" and path == "homes":
        return path, "there are no homes", "Add at least one home with a name and a load."
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause.where, cause.problem, cause.fix
    message = re.sub(r"^(Value error|Assertion failed), ", "", error["msg"])
    if kind == "value_error":
        given = "" if isinstance(value, dict | list) else f", got {_show(value)}"
        return where, f"{message[0].lower()}{message[1:]}{given}", "Change it and run again."
    message = message.replace("Input should", "must")
    message = re.sub(r", (unable to parse|got) .*", "", message)
    problem = f"{where} {message[0].lower()}{message[1:]}, got {_show(value)}"
    return "", problem, _expected_value(kind, error.get("ctx", {}))


def _unknown_name(where: str, problem: str, name: str, suggestion: str) -> tuple[str, str, str]:
    """Return field, problem and fix for the name of a field or source that does not exist."""
    removed, hint = explain_missing(name, SCHEMA_GROUPS)
    if removed:
        return where, f"{problem}; {removed}", hint
    return where, problem, f"{suggestion} {hint}".strip()


def _expected_value(kind: str, limits: Mapping[str, Any]) -> str:
    """Return the sentence that says which value a field takes, from the kind of the error."""
    for key, relation in _LIMITS.items():
        if key in limits:
            limit = limits[key]
            shown = f"{limit:g}" if isinstance(limit, float) else limit
            return f"Give a value {relation} {shown}."
    for prefix, fix in _EXPECTED_VALUES.items():
        if kind.startswith(prefix):
            return fix
    return "Give a value of the type in the scenario reference."


def _field_path(error: Any, raw: Any) -> tuple[str, Any]:
    """Return a path such as `homes.2.battery.capacity_kwh` and its value.

    Union tags, which pydantic adds to locations, are left out.
    """
    loc = error["loc"]
    is_missing = error["type"] == "missing"
    path = ""
    node = raw
    tag_passed = False
    for position, part in enumerate(loc):
        tags = [node.get(field) for field in _TAG_FIELDS] if isinstance(node, dict) else []
        if not tag_passed and isinstance(part, str) and part in tags:
            tag_passed = True
            continue
        if isinstance(part, int) and isinstance(node, list) and part < len(node):
            path = f"{path}.{part}" if path else str(part)
            node = node[part]
            tag_passed = False
        elif isinstance(node, dict) and (part in node or (is_missing and position == len(loc) - 1)):
            path = f"{path}.{part}" if path else str(part)
            node = node.get(part)
            tag_passed = False
    return path, node


def _schemas_at(loc: tuple[int | str, ...]) -> list[dict[str, Any]]:
    """Return the JSON schemas of the models that are possible at a location."""
    root = Scenario.model_json_schema()

    def resolve(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return resolve(root["$defs"][node["$ref"].rsplit("/", 1)[1]])
        branches = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
        return [leaf for branch in branches for leaf in resolve(branch)] if branches else [node]

    nodes = resolve(root)
    for part in loc:
        if isinstance(part, int):
            nodes = [leaf for node in nodes if "items" in node for leaf in resolve(node["items"])]
            continue
        matching = [node for node in nodes if _model_tag(node) == part]
        if not matching:
            fields = [
                node["properties"][part] for node in nodes if part in node.get("properties", {})
            ]
            matching = [leaf for entry in fields for leaf in resolve(entry)]
        nodes = matching or nodes
    return nodes


def _model_tag(schema: dict[str, Any]) -> str | None:
    """Return the value of `source` or `event` that selects a model, if any."""
    properties = schema.get("properties", {})
    tags = [properties.get(field, {}).get("const") for field in _TAG_FIELDS]
    return next((tag for tag in tags if tag), None)


def _show(value: Any) -> str:
    """Return a shortened representation of a value."""
    text = repr(value)
    return text if len(text) <= _MAX_VALUE_CHARS else text[: _MAX_VALUE_CHARS - 3] + "..."
