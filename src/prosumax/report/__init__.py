"""Reports: self-contained HTML pages that explain a run or a comparison in text and charts.

    >>> from prosumax.report import write_report
    >>> write_report(prosumax.run("street"), "report.html")

A page needs no network and no server: the chart library and the data are in the file. The charts
are those of `prosumax.viz`; this room adds verdicts, tables and the layout. A page of your own
(docs/how-to/plots.md):

    >>> from prosumax import viz
    >>> runs = viz.analysis_runs(prosumax.run("street"))
    >>> figures = [viz.price_distribution.draw(runs), viz.dashboard(runs, "economy")]
    >>> write_charts(figures, "mine.html", "My street")
"""

from prosumax.report.optimality_gap import gain_columns, gain_note, gain_rows
from prosumax.report.page import (
    comparison_figures,
    run_figures,
    write_charts,
    write_comparison,
    write_report,
    write_study,
    write_training,
)
from prosumax.report.training import column_title, episode_kpi, players_table

__all__ = [
    "column_title",
    "comparison_figures",
    "episode_kpi",
    "gain_columns",
    "gain_note",
    "gain_rows",
    "players_table",
    "run_figures",
    "write_charts",
    "write_comparison",
    "write_report",
    "write_study",
    "write_training",
]
