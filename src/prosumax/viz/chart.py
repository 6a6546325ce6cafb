"""Charts, each a table and the figure drawn from it, and the registry of all charts.

A chart is a pair of pure functions: `data` turns a result into a tidy table, `figure` turns the
table into a drawing with a sentence, a legend and a table of numbers. Reports, the demo and
`result.plot` draw the same objects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prosumax.registry import Registry
from prosumax.viz.language import ENGLISH, Language
from prosumax.viz.theme import THEME, Option, Theme

if TYPE_CHECKING:
    import pandas as pd


class Table(NamedTuple):
    """Table of text; the first column names the row.

    Attributes:
        caption: Text above the table.
        head: Column headings.
        rows: Cells by row.
        foot: Last row, with totals.
        groups: Headings over several columns, each with its number of columns, the first column
            included.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    foot: Sequence[str] = ()
    groups: Sequence[tuple[str, int]] = ()


class LegendEntry(NamedTuple):
    """Entry of a legend: the swatch (see `prosumax.viz.legend`) and its label."""

    swatch: str
    label: str


class Choice(NamedTuple):
    """Alternative content of a figure that a reader can select.

    Attributes:
        name: Label in the selection list.
        patch: Changes of the figure's option; a whole option, with its `baseOption`, replaces it.
        summary: Sentence for this choice.
        table: Numbers for this choice.
        legend: Legend for this choice, where it differs from that of the figure.
    """

    name: str
    patch: Option
    summary: str = ""
    table: Table | None = None
    legend: Sequence[LegendEntry] = ()


@dataclass(frozen=True)
class Figure:
    """Drawing of a chart, with its sentence, legend and table.

    A notebook shows it as an interactive chart that needs no network; `save` writes a file.

    Attributes:
        id: Identifier of the element, unique in a page.
        title: Heading.
        summary: One or two sentences that say what the drawing shows.
        option: ECharts option, plain JSON.
        unit: Unit of the numbers in the tooltip.
        height_px: Height of the drawing.
        line_swatches: Whether the legend shows lines instead of bars.
        wide: Whether the figure takes the full width of a page.
        legend: Entries of the legend above the drawing.
        table: Numbers of the drawing; `None` where another table of the page has them.
        choices: Alternatives for the reader; the first is what the option shows.
        choice_label: Label of the selection list.
        note: Small print.
        language: Language of the texts and number formats.
        section: Section of a report that shows the figure.
    """

    id: str
    title: str
    summary: str
    option: Option
    unit: str
    height_px: int = 340
    line_swatches: bool = False
    wide: bool = False
    legend: Sequence[LegendEntry] = ()
    table: Table | None = None
    choices: Sequence[Choice] = ()
    choice_label: str = "Show"
    note: str = ""
    language: Language = field(default=ENGLISH, compare=False)
    section: str = ""

    def to_svg(self, *, width: int = 760, title: bool = True) -> str:
        """Return the figure as an SVG document; needs the extra `plot`.

        Args:
            width: Width in pixels.
            title: Whether the title is part of the drawing.

        Raises:
            MissingExtraError: The extra is not installed.
        """
        from prosumax.viz.rendering import figure_svg

        return figure_svg(self, width=width, title=title)

    def to_html(self) -> str:
        """Return a self-contained HTML page with the figure, its sentence and its table."""
        from prosumax.viz.rendering import figure_page

        return figure_page(self)

    def save(
        self, path: str | Path, *, width: int = 760, scale: float = 2.0, title: bool = True
    ) -> Path:
        """Write the figure to a file and return its path.

        Args:
            path: File name ending in `.svg`, `.png` or `.html`. SVG and PNG need the extra `plot`.
            width: Width in pixels.
            scale: Pixels of a PNG per pixel of width.
            title: Whether the title is part of the drawing.

        Raises:
            InputError: The ending of the file name is another one.
            MissingExtraError: The extra is not installed.
        """
        from prosumax.viz.rendering import save_figure

        return save_figure(self, Path(path), width=width, scale=scale, title=title)

    def _repr_html_(self) -> str:
        from prosumax.viz.rendering import notebook_html

        return notebook_html(self)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": f"{self.title}. {self.summary}", "text/html": self._repr_html_()}


Options = Mapping[str, object]


def _single(source: object) -> Sequence[Options]:
    return ({},)


@dataclass(frozen=True)
class Chart:
    """Kind of chart: its numbers and its drawing.

    Attributes:
        name: Name in the registry, and of the method of `result.plot`.
        title: Content of the chart, in a few words.
        data: `(source, **options) -> DataFrame`, a tidy table; empty where there is nothing to
            draw. `DataFrame.attrs` carries units and other constants.
        sentence: `(data, language) -> str`, what the table says in one or two sentences.
        figure: `(data, theme, language) -> Figure`.
        source: Kind of source that `data` takes: `result`, `comparison` (groups of mechanisms),
            `runs` (summary series by run) or `training`.
        section: Section of the report that shows the chart; empty for none.
        variants: `(source) -> options` of every figure that the report shows of this chart.
        draws_empty: Whether an empty table gives a figure that says so, instead of none.
    """

    name: str
    title: str
    data: "Callable[..., pd.DataFrame]"
    sentence: "Callable[[pd.DataFrame, Language], str]"
    figure: "Callable[[pd.DataFrame, Theme, Language], Figure]"
    source: str = "result"
    section: str = ""
    variants: Callable[..., Sequence[Options]] = _single
    draws_empty: bool = False

    def draw(
        self,
        source: object,
        *,
        theme: Theme = THEME,
        language: Language | str = ENGLISH,
        **options: object,
    ) -> Figure | None:
        """Draw the chart of a source.

        Args:
            source: Source of the chart's `data`.
            theme: Colors, dashes and fonts.
            language: Language of texts and numbers, or its code.
            **options: Options of `data`.

        Returns:
            The figure, or `None` where there is nothing to draw.
        """
        table = self.data(source, **options)
        if table.empty and not self.draws_empty:
            return None
        return self.from_data(table, theme=theme, language=language)

    def from_data(
        self, table: "pd.DataFrame", *, theme: Theme = THEME, language: Language | str = ENGLISH
    ) -> Figure:
        """Draw the chart of a table that `data` returned."""
        resolved = Language(language) if isinstance(language, str) else language
        figure = self.figure(table, theme, resolved)
        return replace(figure, language=resolved, section=self.section)


charts: Registry[Chart] = Registry(
    "chart", group="prosumax.charts", package="prosumax.viz", base=Chart
)
"""All charts by name."""


def register(chart: Chart) -> Chart:
    """Add a chart to the registry and return it."""
    return charts.register(chart.name, chart.title)(chart)


def section_figures(
    source: object, sections: Sequence[str], *, theme: Theme = THEME, language: Language = ENGLISH
) -> list[Figure]:
    """Return the figures of all charts of some sections, in order of registration.

    Args:
        source: Source of the charts' `data`.
        sections: Names of sections, as in `Chart.section`.
        theme: Colors, dashes and fonts.
        language: Language of texts and numbers.
    """
    figures = []
    for name in charts:
        chart = charts.get(name, "chart")
        if chart.section not in sections:
            continue
        for options in chart.variants(source):
            figure = chart.draw(source, theme=theme, language=language, **options)
            if figure is not None:
                figures.append(figure)
    return figures


def combined(figures: Mapping[str, Figure], choice_label: str) -> Figure:
    """Combine figures of the same chart into one from which the reader chooses.

    Args:
        figures: Figures by the name of the choice; title and note are those of the first.
        choice_label: Label of the selection list.
    """
    first = next(iter(figures.values()))
    if len(figures) == 1:
        return first
    choices = [
        Choice(name, figure.option, figure.summary, figure.table, figure.legend)
        for name, figure in figures.items()
    ]
    height = max(figure.height_px for figure in figures.values())
    return replace(
        first, choices=choices, choice_label=choice_label, height_px=height, legend=(), table=None
    )
