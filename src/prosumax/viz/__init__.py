"""Charts: data, drawing and text of every chart, one theme, and files for papers.

A `Chart` has `data(result) -> DataFrame` and `figure(data, theme, language) -> Figure`. Reports,
the demo and `result.plot` draw the same charts.

    >>> result = prosumax.run("street")
    >>> result.plot.bills()                                   # interactive in a notebook
    >>> result.plot.mean_day(language="fr").save("day.svg")   # needs prosumax[plot]
    >>> viz.savings.draw(viz.group_mechanisms(prosumax.compare("street")))
"""

from prosumax.viz.catalog import (
    CHARTS,
    activity_map,
    bills,
    curtailment,
    day_curve,
    duration,
    energy_by_source,
    exchange_profile,
    fairness,
    feeder_map,
    learning_curve,
    level_emissions,
    level_flows,
    level_prices,
    loading_day,
    lorenz,
    mean_day,
    operator_fees,
    payments,
    payments_by_mechanism,
    price_distribution,
    price_profile,
    price_spread,
    savings,
    trade_distance,
    trade_matrix,
    trade_network,
    voltage_day,
    volume_distribution,
    week,
)
from prosumax.viz.catalog import energy_balance_chart as energy_balance
from prosumax.viz.chart import (
    Chart,
    Choice,
    Figure,
    LegendEntry,
    Table,
    charts,
    combined,
    register,
    section_figures,
)
from prosumax.viz.indicators.day_curves import Dashboard, dashboard
from prosumax.viz.indicators.indicators import DASHBOARDS, INDICATORS, analysis_runs, study_runs
from prosumax.viz.language import ENGLISH, LANGUAGES, Language
from prosumax.viz.mechanisms.groups import MechanismGroup, group_mechanisms
from prosumax.viz.theme import THEME, Theme

__all__ = [
    "CHARTS",
    "DASHBOARDS",
    "ENGLISH",
    "INDICATORS",
    "LANGUAGES",
    "THEME",
    "Chart",
    "Choice",
    "Dashboard",
    "Figure",
    "Language",
    "LegendEntry",
    "MechanismGroup",
    "Table",
    "Theme",
    "activity_map",
    "analysis_runs",
    "bills",
    "charts",
    "combined",
    "curtailment",
    "dashboard",
    "day_curve",
    "duration",
    "energy_balance",
    "energy_by_source",
    "exchange_profile",
    "fairness",
    "feeder_map",
    "group_mechanisms",
    "learning_curve",
    "level_emissions",
    "level_flows",
    "level_prices",
    "loading_day",
    "lorenz",
    "mean_day",
    "operator_fees",
    "payments",
    "payments_by_mechanism",
    "price_distribution",
    "price_profile",
    "price_spread",
    "register",
    "savings",
    "section_figures",
    "study_runs",
    "trade_distance",
    "trade_matrix",
    "trade_network",
    "voltage_day",
    "volume_distribution",
    "week",
]
