"""Links, Python blocks, commands and scenario fields of the documentation refer to what exists."""

import ast
import importlib.util
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer.main
import yaml
from pydantic import ValidationError

from prosumax.cli.commands import app
from prosumax.plugins import ENTRY_POINT_GROUPS
from prosumax.scenario.schema.community import Scenario

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "SECURITY.md")),
]
COMMANDS = typer.main.get_command(app)
MINIMAL_SCENARIO = {
    "name": "example",
    "period": {"start": "2023-01-01T00:00", "steps": 24, "step_minutes": 60},
    "homes": [{"name": "home", "load": {"source": "values", "values": [1.0]}}],
    "tariff": {"energy": 0.3, "feed_in": 0.05},
}
FIELD_ERRORS = {"extra_forbidden", "literal_error", "union_tag_invalid"}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
DOTTED_NAME = re.compile(r"prosumax(?:\.[A-Za-z_]\w*)+")
FILE_PATH = re.compile(r"\b(?:src|tests|docs)/[\w./-]*\w")

over_pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
over_docs = pytest.mark.parametrize(
    "page", PAGES[:-2], ids=lambda page: str(page.relative_to(ROOT))
)


@over_pages
def test_links_have_targets(page):
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no such file."
        if anchor:
            assert anchor in _anchors(target), f"{link}: there is no such heading."


@over_docs
def test_python_blocks_compile_and_import_names_that_exist(page):
    for language, block in FENCE.findall(page.read_text("utf-8")):
        if language == "python":
            tree = ast.parse(block)
            for name in _used_names(tree):
                assert _exists(name), f"{name} does not exist in:\n{block}"


@over_docs
def test_inline_names_exist(page):
    for code in _inline_code(page):
        for name in DOTTED_NAME.findall(code) if code.startswith("prosumax.") else ():
            is_group = name in ENTRY_POINT_GROUPS
            assert is_group or _exists(name), f"`{code}`: {name} does not exist."


@over_docs
def test_commands_name_existing_commands_and_options(page):
    for line in _command_lines(page):
        _check_command(line)


@over_docs
def test_yaml_blocks_use_fields_of_the_scenario(page):
    for language, block in FENCE.findall(page.read_text("utf-8")):
        if language != "yaml":
            continue
        content = yaml.safe_load(block)
        if isinstance(content, dict) and set(content) & set(Scenario.model_fields):
            errors = _field_errors(content)
            assert not errors, f"{errors} in:\n{block}"


@pytest.mark.parametrize("page", ["NOTICE", "SECURITY.md"])
def test_named_files_exist(page):
    paths = FILE_PATH.findall((ROOT / page).read_text("utf-8"))
    assert paths
    for path in paths:
        assert (ROOT / path).exists(), f"{path}: there is no such file."


def test_the_checks_find_mistakes():
    with pytest.raises(AssertionError):
        _check_command("prosumax run street --no-such-option")
    with pytest.raises(AssertionError):
        _check_command("prosumax walk street")
    assert not _exists("prosumax.no_such_name")
    assert not _exists("prosumax.report.no_such_name")
    assert _exists("prosumax.report.write_report")
    assert _field_errors({"homes": [{"name": "a", "batery": {}}]})


@cache
def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    text = FENCE.sub("", page.read_text("utf-8"))
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = sum(
            re.fullmatch(rf"{re.escape(slug)}(-\d+)?", known) is not None for known in anchors
        )
        anchors.add(f"{slug}-{number}" if number else slug)
    return anchors


def _inline_code(page: Path) -> list[str]:
    return INLINE_CODE.findall(FENCE.sub("", page.read_text("utf-8")))


def _command_lines(page: Path) -> list[str]:
    """Return the command lines of a page that start with `prosumax`."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    blocks = "\n".join(block for language, block in FENCE.findall(text) if language in {"", "sh"})
    indented = "\n".join(re.findall(r"^    (prosumax .+)$", FENCE.sub("", text), re.MULTILINE))
    lines = [line.removeprefix("$ ") for line in f"{blocks}\n{indented}".splitlines()]
    return [line for line in [*lines, *_inline_code(page)] if line.startswith("prosumax ")]


def _check_command(line: str) -> None:
    command = COMMANDS
    arguments = shlex.split(line, comments=True)[1:]
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        name = arguments.pop(0)
        assert name in command.commands, f"{line}: there is no command {name!r}."
        command = command.commands[name]
    context = command.context_class(command)
    try:
        command.make_parser(context).parse_args(arguments)
    except Exception as error:
        raise AssertionError(f"{line}: {error}") from error


def _field_errors(content: dict) -> list[str]:
    """Return the fields and choices of a part of a scenario that do not exist."""
    scenario = MINIMAL_SCENARIO | content
    tariff = scenario["tariff"]
    if not isinstance(tariff, dict) or "preset" in tariff:
        scenario["tariff"] = MINIMAL_SCENARIO["tariff"]
    else:
        scenario["tariff"] = MINIMAL_SCENARIO["tariff"] | tariff
    try:
        Scenario.model_validate(scenario)
    except ValidationError as error:
        return [
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
            for item in error.errors()
            if item["type"] in FIELD_ERRORS
        ]
    return []


def _used_names(tree: ast.Module) -> set[str]:
    """Return the dotted names that a block imports, and attributes of imported modules."""
    names: set[str] = set()
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
            modules |= {(alias.asname or alias.name): alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported = {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
            names |= set(imported.values())
            modules |= {name: full for name, full in imported.items() if _module_file(full)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base, _, rest = ast.unparse(node).partition(".")
            if base in modules and re.fullmatch(r"[\w.]+", rest):
                names.add(f"{modules[base]}.{rest}")
    return names


def _exists(dotted: str) -> bool:
    """Tell whether a dotted name of prosumax, or the library of another one, exists.

    Modules of prosumax are read and not imported, so that the check takes milliseconds. Libraries
    of extras that are not installed count as existing.
    """
    head, *parts = dotted.split(".")
    if head != "prosumax":
        return head not in {"jax", "numpy", "pandas"} or importlib.util.find_spec(head) is not None
    module = head
    for part in parts:
        if _module_file(f"{module}.{part}"):
            module = f"{module}.{part}"
        else:
            return part in _bound_names(module)
    return True


def _module_file(module: str) -> Path | None:
    path = SOURCE.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.exists()), None)


@cache
def _bound_names(module: str) -> set[str]:
    """Return the names that a module binds at its top level."""
    file = _module_file(module)
    assert file is not None
    names: set[str] = set()
    nodes = list(ast.parse(file.read_text("utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If):
            nodes += node.body
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                leaf.id
                for target in targets
                for leaf in ast.walk(target)
                if isinstance(leaf, ast.Name)
            }
    return names
