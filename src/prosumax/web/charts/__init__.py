"""Results as charts: an ECharts option, one sentence, and a table; plain data, no web framework.

One file per page. `common` has the colours and axes that all of them share.
"""

from prosumax.web.charts.common import FORMATTERS, Chart, Mark, Table

__all__ = ["FORMATTERS", "Chart", "Mark", "Table"]
