"""Reports: a self-contained HTML page that explains a run, or a comparison of mechanisms, in words and charts.

    >>> from prosumax.report import write_report
    >>> write_report(prosumax.run("street"), "report.html")

The page needs no network and no server: the chart library and the data are inside the file. `series` cuts and adds up
what happened and `rules` puts rules with the same outcome together; the modules named after charts and `network` turn
that into ECharts options with a sentence and a table each; `tables`, `bill_lines`, `comparison`, `curious` and `words`
say it in figures and in plain language; `page` puts it on paper.
"""

from prosumax.report.gains import GAIN_COLUMNS, gain_note, gain_rows
from prosumax.report.page import write_comparison, write_report, write_training
from prosumax.report.training import players_table, short_name

__all__ = [
    "GAIN_COLUMNS",
    "gain_note",
    "gain_rows",
    "players_table",
    "short_name",
    "write_comparison",
    "write_report",
    "write_training",
]
