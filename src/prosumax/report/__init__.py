"""Reports: a self-contained HTML page that explains a run, or a comparison of mechanisms, in words and charts.

    >>> from prosumax.report import write_report
    >>> write_report(prosumax.run("street"), "report.html")

The page needs no network and no server: the chart library and the data are inside the file. `series` cuts and adds up
what happened and `rules` puts rules with the same outcome together; the modules named after charts and `network` turn
that into ECharts options with a sentence and a table each; `tables`, `bill_lines`, `comparison`, `curious` and `words`
say it in figures and in plain language; `page` puts it on paper.

Analytics are functions from runs to figures, for pages of your own (docs/analytics.md):

    >>> runs = traces(prosumax.run("street"))
    >>> write_charts([price_distribution(runs), trade_network(runs), dashboard(runs, "economy")], "mine.html", "Mine")
"""

from prosumax.report.metrics import DASHBOARDS, INDICATORS, study_runs, analysis_runs
from prosumax.report.optimality_gap import gain_columns, gain_note, gain_rows
from prosumax.report.page import (
    write_charts,
    write_comparison,
    write_report,
    write_study,
    write_training,
)
from prosumax.report.training import column_title, episode_kpi, players_table
from prosumax.viz.chart import Chart
from prosumax.viz.day_curves import Dashboard, dashboard, day_curve
from prosumax.viz.distributions import price_distribution, volume_distribution
from prosumax.viz.network.activity_map import activity_map
from prosumax.viz.network.trade_network import trade_network

__all__ = [
    "DASHBOARDS",
    "gain_columns",
    "INDICATORS",
    "Chart",
    "Dashboard",
    "activity_map",
    "dashboard",
    "day_curve",
    "gain_note",
    "gain_rows",
    "players_table",
    "price_distribution",
    "column_title",
    "episode_kpi",
    "study_runs",
    "analysis_runs",
    "trade_network",
    "volume_distribution",
    "write_charts",
    "write_comparison",
    "write_report",
    "write_study",
    "write_training",
]
