"""Rendering of figures: SVG and PNG without a browser, and pages that need no network.

SVG is drawn by the ECharts library that pages use, in an embedded V8 (`mini-racer`); PNG is the
same SVG, rasterized by resvg (`resvg_py`). Both come with the extra `plot`.
"""

import base64
import html
import json
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined

from prosumax.errors import InputError
from prosumax.viz.chart import Figure, LegendEntry
from prosumax.viz.legend import HEIGHT, WIDTH, swatch
from prosumax.viz.theme import INK, THEME, Option

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " form-action 'none'; base-uri 'none'"
)
"""Content security policy of every page: nothing is loaded, scripts are those of the page."""

_ECHARTS = "echarts-6.1.0.min.js"
_LETTER_PX = 0.55
"""Approximate width of a letter, of the size of the font."""

_MARGIN_PX = 12
_ROW_PX = 22
_TITLE_SIZE = 16


@cache
def asset(name: str) -> str:
    """Return a file of the folder `assets` as text."""
    return (resources.files("prosumax.viz") / "assets" / name).read_text(encoding="utf-8")


def echarts_library() -> str:
    """Return the source of the ECharts library."""
    return asset(_ECHARTS)


def template_environment(*loaders: BaseLoader) -> Environment:
    """Return an environment for pages with figures.

    Args:
        *loaders: Loaders of the page's own templates.
    """
    environment = Environment(
        loader=ChoiceLoader([*loaders, PackageLoader("prosumax.viz", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    # `tojson` escapes <, >, & and quotes, so that no text can leave its script element.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    environment.globals |= {"swatch_svg": swatch}
    return environment


def page_parts(figures: Iterable[Figure]) -> dict[str, object]:
    """Return what a page needs to draw figures: style, scripts and drawings."""
    return {
        "policy": POLICY,
        "style": asset("style.css"),
        "echarts": echarts_library(),
        "draw": asset("draw.js"),
        "drawings": [
            {
                "id": figure.id,
                "unit": figure.unit,
                "tag": figure.language.tag,
                "option": figure.option,
                # The option already shows the first choice.
                "choices": [choice.patch for choice in figure.choices]
                if len(figure.choices) > 1
                else [],
            }
            for figure in figures
        ],
    }


@cache
def _environment() -> Environment:
    return template_environment()


def figure_page(figure: Figure) -> str:
    """Return a figure as a self-contained HTML page."""
    template = _environment().get_template("figure.html")
    return template.render(figure=figure, **page_parts([figure]))


def notebook_html(figure: Figure) -> str:
    """Return a figure as an isolated frame for a notebook."""
    page = html.escape(figure_page(figure), quote=True)
    height = figure.height_px + 250
    return (
        f'<iframe srcdoc="{page}" title="{html.escape(figure.title, quote=True)}"'
        f' sandbox="allow-scripts" style="width:100%;height:{height}px;border:0"></iframe>'
    )


def figure_svg(figure: Figure, *, width: int = 760, title: bool = True) -> str:
    """Return a figure as an SVG document with its legend above the drawing.

    Args:
        figure: Figure to draw.
        width: Width in pixels.
        title: Whether the title is part of the drawing.

    Raises:
        InputError: The extra `plot` is not installed.
    """
    drawing = _draw(figure.option, figure, width)
    parts = []
    top = _MARGIN_PX
    if title:
        parts.append(
            f'<text x="{_MARGIN_PX}" y="{top + _TITLE_SIZE - 2}" font-size="{_TITLE_SIZE}"'
            f' font-weight="bold">{html.escape(figure.title, quote=False)}</text>'
        )
        top += _TITLE_SIZE + 10
    entries = figure.legend
    if not entries and figure.choices:
        entries = figure.choices[0].legend
    rows = _legend_rows(entries, width)
    for number, row in enumerate(rows):
        y = top + number * _ROW_PX
        parts += [_legend_entry(entry, x, y, figure.line_swatches) for entry, x in row]
    top += len(rows) * _ROW_PX
    height = top + figure.height_px
    drawing = drawing.replace("<svg ", f'<svg x="0" y="{top}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img"'
        f' font-family="{html.escape(THEME.font_family, quote=True)}" font-size="{THEME.font_size}"'
        f' fill="{INK}"><title>{html.escape(figure.title, quote=False)}</title>'
        f"<desc>{html.escape(figure.summary, quote=False)}</desc>"
        f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>'
        f"{''.join(parts)}{drawing}</svg>"
    )


def figure_png(
    figure: Figure, *, width: int = 760, scale: float = 2.0, title: bool = True
) -> bytes:
    """Return a figure as a PNG image.

    Args:
        figure: Figure to draw.
        width: Width in pixels.
        scale: Pixels of the image per pixel of width.
        title: Whether the title is part of the drawing.

    Raises:
        InputError: The extra `plot` is not installed.
    """
    svg = figure_svg(figure, width=width, title=title)
    try:
        import resvg_py
    except ImportError as error:
        raise _missing("resvg_py") from error
    image = resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )
    return bytes(image)


def save_figure(figure: Figure, path: Path, *, width: int, scale: float, title: bool) -> Path:
    """Write a figure to a file by the ending of its name; see `Figure.save`."""
    match path.suffix.lower():
        case ".svg":
            path.write_text(figure_svg(figure, width=width, title=title), encoding="utf-8")
        case ".png":
            path.write_bytes(figure_png(figure, width=width, scale=scale, title=title))
        case ".html":
            path.write_text(figure_page(figure), encoding="utf-8")
        case suffix:
            raise InputError(
                str(path),
                f"{suffix or 'no ending'} is not a format of figures",
                "Use a file name that ends in .svg, .png or .html.",
            )
    return path


def png_data_url(figure: Figure) -> str:
    """Return a figure as a data URL, for documents that hold their pictures."""
    return "data:image/png;base64," + base64.b64encode(figure_png(figure)).decode("ascii")


def _draw(option: Option, figure: Figure, width: int) -> str:
    """Return the SVG that ECharts draws of an option."""
    try:
        from py_mini_racer import MiniRacer
    except ImportError as error:
        raise _missing("mini-racer") from error
    request = {
        "option": option,
        "unit": figure.unit,
        "tag": figure.language.tag,
        "width": width,
        "height": figure.height_px,
    }
    # Closed explicitly: a context that is left to the interpreter's exit can block it.
    with MiniRacer() as context:
        context.eval("var self = this;")
        context.eval(echarts_library())
        context.eval(asset("draw.js"))
        svg: str = context.call("renderSvg", json.dumps(request, allow_nan=False))
    return svg


def _missing(library: str) -> InputError:
    return InputError(
        "Figure.save",
        f"{library} is not installed",
        "Run `pip install 'prosumax[plot]'`, or save the figure as .html.",
    )


def _legend_rows(
    entries: Iterable[LegendEntry], width: int
) -> list[list[tuple[LegendEntry, float]]]:
    """Return the entries of each row with their horizontal position."""
    rows: list[list[tuple[LegendEntry, float]]] = []
    x = float(width)
    for entry in entries:
        size = WIDTH + 7 + len(entry.label) * _LETTER_PX * THEME.font_size + 18
        if not rows or x + size > width - _MARGIN_PX:
            rows.append([])
            x = _MARGIN_PX
        rows[-1].append((entry, x))
        x += size
    return rows


def _legend_entry(entry: LegendEntry, x: float, y: float, lines: bool) -> str:
    text_x = x + WIDTH + 7
    label = html.escape(entry.label, quote=False)
    return (
        f'<g transform="translate({x:.1f} {y})">{swatch(entry.swatch, lines)}</g>'
        f'<text x="{text_x:.1f}" y="{y + HEIGHT - 4}">{label}</text>'
    )
