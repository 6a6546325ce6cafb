"""Reference page of all fields of a scenario, generated from its schema.

`python -m prosumax.scenario.reference docs/reference/fields.md` writes the page.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prosumax.config import StrictModel
from prosumax.scenario.schema.community import HomeConfig, Scenario
from prosumax.scenario.schema.devices import SharedDevices, device_kinds

_INTRODUCTION = """\
# Fields of a scenario

<!-- Generated from src/prosumax/scenario/schema by `make reference`: edit the schema. -->

Every field of a scenario file, by section. A star in a path stands for each entry of a list, such
as `homes.*.battery` for the battery of each home. Fields without a default are required.
[scenarios.md](scenarios.md) explains how to write a scenario. Every kind of device has
[a page of its own](devices) with the fields of its section.

Any field can be changed for one run by its path:

```sh
prosumax run street --set tariff.feed_in=0 --set "homes.*.policy=none"
```
"""

_COLUMNS = ("field", "type", "default", "meaning")
_NO_FIELDS = "It has fields only where a plugin adds some."
_BOUNDS = (
    ("minimum", ">= "),
    ("exclusiveMinimum", "> "),
    ("maximum", "<= "),
    ("exclusiveMaximum", "< "),
)
_NAMES = {"number": "number", "integer": "integer", "string": "text", "boolean": "true or false"}
_FORMATS = {"date-time": "local time", "path": "file"}


def reference_page() -> str:
    """Return the reference page of all fields as Markdown."""
    schema = Scenario.model_json_schema()
    models = schema["$defs"] | {"Scenario": schema}
    kinds = tuple(device_kinds)
    for section in (HomeConfig.__name__, SharedDevices.__name__):
        properties = models[section].get("properties", {})
        models[section] = models[section] | {
            "properties": {name: node for name, node in properties.items() if name not in kinds}
        }
    titles = _section_titles(models, {"Scenario": "Top level"}, "")
    parts = [_INTRODUCTION]
    for name, title in titles.items():
        model = models[name]
        parts.append(
            f"## {title}\n\n{_sentence(model['description'])}\n\n{_field_table(model, titles)}\n"
        )
    return "\n".join(parts)


def model_tables(model: type[StrictModel], path: str) -> str:
    """Return the fields of a section and of its subsections as Markdown tables.

    Args:
        model: Model of the section.
        path: Path of the section in a scenario.
    """
    schema = model.model_json_schema()
    models = schema.get("$defs", {}) | {model.__name__: schema}
    titles = _section_titles(models, {model.__name__: f"`{path}`"}, f"{path}.")
    parts = []
    for name, title in titles.items():
        heading = "" if name == model.__name__ else f"### {title}\n\n"
        parts.append(f"{heading}{_sentence(models[name]['description'])}\n")
        parts.append(f"{_field_table(models[name], titles)}\n")
    return "\n".join(parts)


def _field_table(model: Any, titles: dict[str, str]) -> str:
    """Return a table of the fields of a model."""
    required = model.get("required", ())
    rows = [
        [
            f"`{field}`",
            _describe_type(node, titles),
            "" if field in required else _describe_default(node),
            _sentence(node.get("description", "")),
        ]
        for field, node in model.get("properties", {}).items()
    ]
    header = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    return "\n".join([*header, *map(_line, rows)]) if rows else _NO_FIELDS


def _section_titles(
    models: dict[str, Any], first: dict[str, str], first_prefix: str
) -> dict[str, str]:
    """Return the heading of every model, in the order in which fields refer to them."""
    titles = dict(first)
    queue = [(name, first_prefix) for name in first]
    while queue:
        name, prefix = queue.pop(0)
        for field, node in models[name].get("properties", {}).items():
            for reference, path in _references(node, f"{prefix}{field}"):
                if reference in titles:
                    continue
                source = models[reference]["properties"].get("source", {}).get("const")
                titles[reference] = f"`{path}` with `source: {source}`" if source else f"`{path}`"
                queue.append((reference, f"{path}."))
    return titles


def _references(node: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the models that a node of the schema refers to, with their paths."""
    if "$ref" in node:
        yield _model_name(node), path
    for key in ("anyOf", "oneOf"):
        for choice in node.get(key, ()):
            yield from _references(choice, path)
    if "items" in node:
        yield from _references(node["items"], f"{path}.*")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _references(node["additionalProperties"], path)


def _describe_type(node: Any, titles: dict[str, str]) -> str:
    """Describe the accepted values of a node of the schema."""
    choices = node.get("anyOf") or node.get("oneOf")
    if choices:
        described = [_describe_type(choice, titles) for choice in choices]
        return " or ".join(dict.fromkeys(text for text in described if text != "null"))
    if "$ref" in node:
        title = titles[_model_name(node)]
        label = title.partition(" with ")[2] or title
        return f"[{label}](#{_anchor(title)})"
    if "const" in node or "enum" in node:
        return ", ".join(f"`{value}`" for value in node.get("enum", [node.get("const")]))
    if node.get("type") == "array":
        return f"list of {_describe_type(node['items'], titles)}"
    if node.get("type") == "object":
        return f"mapping to {_describe_type(node['additionalProperties'], titles)}"
    name = _FORMATS.get(node.get("format", ""), _NAMES.get(node["type"], node["type"]))
    bounds = " and ".join(f"{sign}{node[key]:,.10g}" for key, sign in _BOUNDS if key in node)
    return f"{name} {bounds}".rstrip()


def _describe_default(node: Any) -> str:
    default = node.get("default")
    if default is None or default == "":
        return "none"
    if isinstance(default, dict) and "$ref" in str(node):
        return "all defaults"
    text = json.dumps(default).replace('"', "")
    return f"`{text}`"


def _model_name(node: Any) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _anchor(title: str) -> str:
    """Return the anchor of a heading on GitHub."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _sentence(text: str) -> str:
    """Return a docstring as one line."""
    return " ".join(text.split())


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def main(arguments: list[str]) -> None:
    """Write the reference page to the file named by the first argument."""
    Path(arguments[0]).write_text(reference_page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
