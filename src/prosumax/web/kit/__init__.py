"""The parts that pages are built from: native controls, lines that change, and cards that hold charts.

Every text comes translated from the caller and is only ever set as text; the sentences and tables that carry markup are
escaped in here.
"""

from prosumax.web.kit.cards import ChartCard, table_html
from prosumax.web.kit.controls import (
    button,
    check_field,
    choice_cards,
    fold,
    link,
    number_field,
    range_field,
    segments,
    select_field,
)
from prosumax.web.kit.elements import (
    Banner,
    Progress,
    Sentence,
    Spoken,
    Text,
    Verdict,
    attributes,
    rich,
    tag,
    unique,
)

__all__ = [
    "Banner",
    "ChartCard",
    "Progress",
    "Sentence",
    "Spoken",
    "Text",
    "Verdict",
    "attributes",
    "button",
    "check_field",
    "choice_cards",
    "fold",
    "link",
    "number_field",
    "range_field",
    "rich",
    "segments",
    "select_field",
    "table_html",
    "tag",
    "unique",
]
