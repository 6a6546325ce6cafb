"""Catalog of charts, in the order in which the report shows them.

To add a chart, write its module and call `register` there. The report shows charts with a section,
after those of `CHARTS`, and `result.plot` has every chart of a run.
"""

from prosumax.viz.chart import Chart, register
from prosumax.viz.indicators.day_curves import day_curve
from prosumax.viz.market.distributions import price_distribution, volume_distribution
from prosumax.viz.market.hierarchy import level_emissions, level_flows, level_prices
from prosumax.viz.market.payments import payments, payments_by_mechanism
from prosumax.viz.market.price_profile import price_profile
from prosumax.viz.market.trade_matrix import trade_matrix
from prosumax.viz.market.trade_network import trade_network
from prosumax.viz.mechanisms.fairness import fairness
from prosumax.viz.mechanisms.lorenz import lorenz
from prosumax.viz.mechanisms.prices import price_spread
from prosumax.viz.mechanisms.savings import savings
from prosumax.viz.network.daily import loading_day, voltage_day
from prosumax.viz.network.distances import trade_distance
from prosumax.viz.network.feeder_map import activity_map, feeder_map
from prosumax.viz.network.operator import curtailment, operator_fees
from prosumax.viz.run.bills import bills
from prosumax.viz.run.duration import duration
from prosumax.viz.run.energy import energy_balance_chart, energy_by_source
from prosumax.viz.run.exchange_profile import exchange_profile
from prosumax.viz.run.power import mean_day, week
from prosumax.viz.training import learning_curve

__all__ = [
    "CHARTS",
    "activity_map",
    "bills",
    "curtailment",
    "day_curve",
    "duration",
    "energy_balance_chart",
    "energy_by_source",
    "exchange_profile",
    "fairness",
    "feeder_map",
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
    "savings",
    "trade_distance",
    "trade_matrix",
    "trade_network",
    "voltage_day",
    "volume_distribution",
    "week",
]

CHARTS: tuple[Chart, ...] = (
    # Of one run.
    mean_day,
    week,
    exchange_profile,
    bills,
    payments,
    price_profile,
    level_flows,
    level_prices,
    level_emissions,
    energy_balance_chart,
    energy_by_source,
    duration,
    feeder_map,
    loading_day,
    voltage_day,
    trade_distance,
    operator_fees,
    curtailment,
    activity_map,
    # Of a comparison of mechanisms.
    savings,
    fairness,
    lorenz,
    price_spread,
    payments_by_mechanism,
    # Of the summary series of runs.
    price_distribution,
    volume_distribution,
    trade_network,
    trade_matrix,
    day_curve,
    # Of a training.
    learning_curve,
)
"""Charts in the order of the report; charts that register themselves follow."""

for chart in CHARTS:
    register(chart)
