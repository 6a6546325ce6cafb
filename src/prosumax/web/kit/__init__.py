"""Components of the pages: native controls, text elements, and cards that hold charts.

All texts are translated by the caller and set as text; sentences and tables with markup are escaped
here.
"""

from prosumax.web.kit.cards import ChartCard, table_html
from prosumax.web.kit.controls import (
    button,
    checkbox_field,
    choice_cards,
    collapsible,
    link,
    number_field,
    range_field,
    segmented_control,
    select_field,
)
from prosumax.web.kit.elements import (
    Banner,
    LiveRegion,
    ProgressBar,
    Sentence,
    Text,
    VerdictCard,
    bold_html,
    set_attributes,
    tag,
    unique_id,
)

__all__ = [
    "Banner",
    "ChartCard",
    "LiveRegion",
    "ProgressBar",
    "Sentence",
    "Text",
    "VerdictCard",
    "bold_html",
    "button",
    "checkbox_field",
    "choice_cards",
    "collapsible",
    "link",
    "number_field",
    "range_field",
    "segmented_control",
    "select_field",
    "set_attributes",
    "table_html",
    "tag",
    "unique_id",
]
