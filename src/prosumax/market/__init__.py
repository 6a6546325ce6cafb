"""Local energy markets: cascades of clearing stages that end with the grid.

A mechanism is built from stages, pure functions on the open orders, and registered by name. To add
one, write a stage and register it::

    from prosumax.market import cascade, mechanisms

    mechanisms.register("my_rule", "Summary in one line.")(cascade(my_stage))
"""

# isort: off
# Importing a module registers its mechanisms. This order is the one in which they are listed to
# users; the registry imports further modules by itself.
from prosumax.market.mechanism import (
    ClearingResult,
    MarketOptions,
    Mechanism,
    SettlementAccounts,
    Stage,
    cascade,
    clear,
    clear_by_stage,
    grid_stage,
    mechanisms,
    remaining_orders,
    truthful_orders,
)

from prosumax.market.allocation.pool import clear_pool
from prosumax.market.settlement.redistribution import shapley_savings
from prosumax.market.auctions.call_auction import (
    TickSize,
    discriminatory_auction,
    uniform_price_auction,
)
from prosumax.market.auctions.continuous import continuous_double_auction
from prosumax.market.auctions.truthful import mcafee, vcg
from prosumax.market.auctions.partners import preferred_partners
from prosumax.market.trade_limits import clear_within_limits
from prosumax.market.pricing.posted import (
    PricingContext,
    PricingScheme,
    PricingState,
    posted_price_rules,
    price_observations,
)
from prosumax.market.pricing import hierarchy, posted
from prosumax.market import regional, reputation

# isort: on

__all__ = [
    "ClearingResult",
    "MarketOptions",
    "Mechanism",
    "PricingContext",
    "PricingScheme",
    "PricingState",
    "SettlementAccounts",
    "Stage",
    "TickSize",
    "cascade",
    "clear",
    "clear_by_stage",
    "clear_pool",
    "clear_within_limits",
    "continuous_double_auction",
    "discriminatory_auction",
    "grid_stage",
    "hierarchy",
    "mcafee",
    "mechanisms",
    "posted",
    "posted_price_rules",
    "preferred_partners",
    "price_observations",
    "regional",
    "remaining_orders",
    "reputation",
    "shapley_savings",
    "truthful_orders",
    "uniform_price_auction",
    "vcg",
]
