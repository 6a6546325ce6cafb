"""Charts of the demo as plain data: an ECharts option, a sentence, a table and a legend.

Each chart is a table and a figure of `prosumax.viz`, which makes the option. Each page has its own
module; `common` holds what they share. Nothing here depends on the web framework.
"""

from prosumax.web.charts.common import FORMATTERS, ChartTable, LegendSwatch, RenderedChart

__all__ = ["FORMATTERS", "ChartTable", "LegendSwatch", "RenderedChart"]
