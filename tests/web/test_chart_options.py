"""Options of ECharts are made by `prosumax.viz`; the demo has data, texts and pages."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import prosumax

_WEB = Path(prosumax.__file__).parent / "web"
_COMPONENTS = {
    "angleAxis",
    "areaStyle",
    "axisLabel",
    "itemStyle",
    "lineStyle",
    "markLine",
    "polar",
    "radiusAxis",
    "series",
    "splitLine",
    "symbolSize",
    "visualMap",
    "xAxis",
    "yAxis",
}


def _components(tree: ast.AST) -> Iterator[str]:
    """Yield the components of options that a module writes as keys, keywords or items."""
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys):
                names = [key.value for key in keys if isinstance(key, ast.Constant)]
            case ast.Call(keywords=keywords):
                # `series` is also a parameter of functions that take time series.
                names = [keyword.arg for keyword in keywords if keyword.arg != "series"]
            case ast.Subscript(slice=ast.Constant(value=name), ctx=ast.Store()):
                names = [name]
            case _:
                continue
        yield from (name for name in names if name in _COMPONENTS)


@pytest.mark.parametrize(
    "source",
    [
        'dict(xAxis={"type": "value"})',
        'option = base | {"series": [{"type": "line"}]}',
        'option = {"xAxis": {"type": "value"}}',
        'option["yAxis"] = {"type": "value"}',
    ],
)
def test_components_of_options_are_detected(source: str) -> None:
    assert list(_components(ast.parse(source)))


@pytest.mark.parametrize(
    "module", sorted(_WEB.rglob("*.py")), ids=lambda path: str(path.relative_to(_WEB))
)
def test_no_module_of_the_demo_makes_an_option(module: Path) -> None:
    assert list(_components(ast.parse(module.read_text(encoding="utf-8")))) == []
