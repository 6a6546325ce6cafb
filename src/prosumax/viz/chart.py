"""What a chart or a table of a report is, before anybody draws it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prosumax.viz.theme import Option


class Table(NamedTuple):
    """Rows of text; the first column names the row.

    Attributes:
        foot: a last row of totals.
        groups: headings over several columns, each with its number of columns, the first column included.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    foot: Sequence[str] = ()
    groups: Sequence[tuple[str, int]] = ()


class Choice(NamedTuple):
    """Something else that a chart can show.

    Attributes:
        name: what the reader picks.
        patch: what changes in the chart's option; a whole option, with its `baseOption`, takes its place.
        summary: what one sees then.
        table: the numbers then.
        key: of the series then, where it is not that of the chart.
    """

    name: str
    patch: Option
    summary: str = ""
    table: Table | None = None
    key: Sequence[tuple[str, str]] = ()


class Chart(NamedTuple):
    """A chart and all that is said about it.

    Attributes:
        id: of the element, unique in the page.
        title, summary: a heading, and what one sees in one or two sentences.
        option: for ECharts.
        unit: behind numbers in the tooltip.
        height_px: of the drawing.
        drawn_as: `lines` or `bars`, for the key.
        wide: takes the whole width of the page.
        key: meaning and label of each series, for the key above the drawing.
        table: the numbers, None where another table of the page has them.
        choices: what the reader may look at; the first is what the option shows.
        choose: what the reader is asked.
        note: small print.
    """

    id: str
    title: str
    summary: str
    option: Option
    unit: str
    height_px: int = 340
    drawn_as: str = "bars"
    wide: bool = False
    key: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    choices: Sequence[Choice] = ()
    choose: str = "Show"
    note: str = ""


def chosen(charts: Mapping[str, Chart], choose: str) -> Chart:
    """Several charts of the same thing as one, in which the reader picks.

    Arguments:
        charts: by what the reader picks; title and note are those of the first.
        choose: what the reader is asked.
    """
    first = next(iter(charts.values()))
    if len(charts) == 1:
        return first
    choices = [
        Choice(name, chart.option, chart.summary, chart.table, chart.key)
        for name, chart in charts.items()
    ]
    height = max(chart.height_px for chart in charts.values())
    return first._replace(choices=choices, choose=choose, height_px=height, key=(), table=None)
