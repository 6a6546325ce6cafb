"""Markets: a cascade of stages, each one pure function on the open orders; the grid takes what is left.

A mechanism is built from stages and registered by name. To add one, write a stage and register it::

    from prosumax.market import cascade, mechanisms

    mechanisms.register("my_rule", "What it does, in one line.")(cascade(my_stage))
"""

# Importing a module registers its mechanisms, in the order in which they are listed to users.
from prosumax.market.cascade import (
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

from prosumax.market.pool import pool  # isort: skip
from prosumax.market.settlement import shapley_savings  # isort: skip
from prosumax.market.auction import Ticks, pairwise_auction, uniform_auction  # isort: skip
from prosumax.market.continuous import continuous_double_auction  # isort: skip
from prosumax.market.truthful import mcafee, vcg  # isort: skip
from prosumax.market.partners import preferred_partners  # isort: skip
from prosumax.market.limited import within_limits  # isort: skip
from prosumax.market.announced import Outlook, Posted, Pricing, price_observations, price_rules  # isort: skip
from prosumax.market import announced, levels, regional, reputation  # isort: skip

__all__ = [
    "Accounts",
    "MarketOptions",
    "Mechanism",
    "Outlook",
    "Posted",
    "Pricing",
    "Stage",
    "Ticks",
    "announced",
    "cascade",
    "clear",
    "clear_by_stage",
    "continuous_double_auction",
    "grid",
    "levels",
    "mcafee",
    "mechanisms",
    "pairwise_auction",
    "pool",
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
