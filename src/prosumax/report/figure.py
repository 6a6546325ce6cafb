"""What a chart or a table of a report is, before anybody draws it."""

from collections.abc import Sequence
from typing import NamedTuple

from prosumax.report.style import Option


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
        patch: what changes in the chart's option.
        summary: what one sees then.
        table: the numbers then.
    """

    name: str
    patch: Option
    summary: str = ""
    table: Table | None = None


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
