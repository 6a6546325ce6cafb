"""Charts of the demo as plain data: an ECharts option, a sentence, a table and a legend.

Each page has its own module; `common` holds the colors and axes they share. Nothing here depends
on the web framework.
"""

from prosumax.web.charts.common import FORMATTERS, ChartTable, LegendItem, RenderedChart

__all__ = ["FORMATTERS", "ChartTable", "LegendItem", "RenderedChart"]
