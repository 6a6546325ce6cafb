"""Style rules that linters do not check: rooms, names, docstrings (docs/explanation/style.md)."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import prosumax

PACKAGE = Path(prosumax.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = {path: ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}
MAX_FILES = 12

# Words of everyday speech that versions before 0.2 used in place of terms.
FORBIDDEN_NAMES = {
    "Announced",
    "Dice",
    "Game",
    "Luck",
    "Paid",
    "Part",
    "Script",
    "Seen",
    "Team",
    "Way",
    "announced",
    "apart",
    "asked",
    "carbon_kg",
    "curious",
    "discount",
    "everyone",
    "face",
    "faces",
    "grid_sold",
    "habit",
    "habits",
    "lam",
    "lanes",
    "local_charges",
    "slim",
    "spare",
    "thirsty",
    "to_go",
    "wish",
    "worth_buying",
    "yardstick",
}
RELATIVE_OPENERS = {"What", "Who", "How", "Whether", "Where", "Of", "By", "As"}
SHARED_CLASS_NAMES: set[str] = set()


def _name(path):
    return path.relative_to(PACKAGE).as_posix()


def _definitions(tree):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _identifiers(tree):
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.keyword(arg=str(name)):
                yield node.value.lineno, name


def test_no_room_has_more_than_a_dozen_files():
    rooms = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py":
            rooms[path.parent].append(path.name)
    crowded = {_name(room): files for room, files in rooms.items() if len(files) > MAX_FILES}
    assert not crowded


def test_readme_shows_the_tree_on_disk():
    readme = (ROOT / "README.md").read_text("utf-8")
    (block,) = re.findall(r"```text\nsrc/prosumax/\n(.*?)```", readme, flags=re.DOTALL)
    shown = {line.split()[0].rstrip("/") for line in block.splitlines() if line.strip()}
    rooms = {
        path.parent.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if path.name == "__init__.py" and path.parent != PACKAGE
    }
    assert shown == rooms


def test_public_class_names_are_unique():
    places = defaultdict(list)
    for path, tree in MODULES.items():
        for node in _definitions(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{_name(path)}:{node.lineno}")
    twice = {name: where for name, where in places.items() if len(where) > 1}
    assert not {name: twice[name] for name in twice.keys() - SHARED_CLASS_NAMES}


def test_no_function_shadows_its_module():
    shadows = [
        f"{_name(path)}:{node.lineno}"
        for path, tree in MODULES.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == path.stem
    ]
    assert not shadows


def test_docstrings_do_not_open_with_a_relative_clause():
    openers, total = [], 0
    for path, tree in MODULES.items():
        for node in [tree, *_definitions(tree)]:
            text = ast.get_docstring(node)
            if text is None:
                continue
            total += 1
            if re.split(r"\W", text, maxsplit=1)[0] in RELATIVE_OPENERS:
                openers.append(f"{_name(path)}:{getattr(node, 'lineno', 1)} {text.splitlines()[0]}")
    assert len(openers) < 0.005 * total, "\n".join(openers)


@pytest.mark.parametrize("word", sorted(FORBIDDEN_NAMES))
def test_names_are_terms_of_the_field(word):
    found = [
        f"{_name(path)}:{line}"
        for path, tree in MODULES.items()
        for line, name in _identifiers(tree)
        if name.strip("_") == word
    ]
    assert not found
