"""Markets: a cascade of stages, each one pure function on the open orders; the grid takes what is left.

A mechanism is built from stages and registered by name. To add one, write a stage and register it::

    from prosumax.market import cascade, mechanisms

    mechanisms.register("my_rule", "What it does, in one line.")(cascade(my_stage))
"""

# isort: off
# Importing a module registers its mechanisms, in the order in which they are listed to users.
from prosumax.market.mechanism import (
    Accounts,
    MarketOptions,
    Mechanism,
    Stage,
    cascade,
    clear,
    clear_by_stage,
    grid,
    mechanisms,
    remaining,
    truthful_orders,
)

from prosumax.market.allocation.pool import pool
from prosumax.market.settlement.redistribution import shapley_savings
from prosumax.market.auctions.call_auction import Ticks, pairwise_auction, uniform_auction
from prosumax.market.auctions.continuous import continuous_double_auction
from prosumax.market.auctions.truthful import mcafee, vcg
from prosumax.market.auctions.partners import preferred_partners
from prosumax.market.trade_limits import within_limits
from prosumax.market.pricing.posted import Outlook, Posted, Pricing, price_observations, price_rules
from prosumax.market.pricing import posted, hierarchy
from prosumax.market import regional, reputation

# isort: on

__all__ = [
    "Accounts",
    "MarketOptions",
    "Mechanism",
    "Outlook",
    "Posted",
    "Pricing",
    "Stage",
    "Ticks",
    "hierarchy",
    "cascade",
    "clear",
    "clear_by_stage",
    "continuous_double_auction",
    "grid",
    "mcafee",
    "mechanisms",
    "pairwise_auction",
    "pool",
    "posted",
    "preferred_partners",
    "price_observations",
    "price_rules",
    "regional",
    "remaining",
    "reputation",
    "shapley_savings",
    "truthful_orders",
    "uniform_auction",
    "vcg",
    "within_limits",
]
