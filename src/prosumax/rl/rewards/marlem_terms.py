"""Reward terms of MARLEM, equation 2 and their components.

With weight 1 each, the four `marlem_*` terms add up to R_i. The factors are bounded to the ranges
stated in the paper: the released code lets turnover enter the cooperation factor, which then counts
in thousands, and takes logarithms of the sum.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.numerics import SMALL, safe_divide
from prosumax.rl.rewards.context import RewardContext, reward_terms

MARLEM_REWARD = (
    "marlem_base",
    "marlem_cooperation",
    "marlem_grid_penalty",
    "marlem_unmet_penalty",
)
"""Terms of MARLEM, equation 2; with weight 1 each, their sum is R_i."""

_BASE_WEIGHTS = {"economic": 5.0, "grid": 2.0, "resource": 1.0, "trading": 1.0, "stability": 1.0}
# Penalty for trading all energy with the grid, and for a fully unmet demand.
_PENALTY = 1.0
_MIN_TRADED_KWH = 1e-6


def base_components(context: RewardContext) -> dict[str, Float[Array, " home"]]:
    """Compute the five components of R_base, each between -1 and 1.

    The paper (section 3.2.4) names the components without equations:

    * economic: Savings or revenue of local trade against the grid's prices, over the price range
      times the order.
    * grid: 1 when the home alone compensates the imbalance of the community, -1 when it causes it,
      0 without an order.
    * resource: Share of the order filled by other homes.
    * trading: 1 with local trade, else 0.
    * stability: 1 minus the distance of the price to its mean over the window, over the price
      range.

    Args:
        context: Results of the step.
    """
    orders = context.outcome.orders
    prices = context.outcome.prices
    local = context.outcome.record.local
    size = jnp.abs(orders.quantity_kwh)
    has_order = size > SMALL
    order = jnp.maximum(size, SMALL)
    price_range = _price_range(context)
    gain = (
        prices.reservation_price * local.bought_kwh
        - local.paid
        + local.earned
        - prices.feed_in * local.sold_kwh
    )
    traded = local.bought_kwh + local.sold_kwh
    shortage = orders.quantity_kwh.sum()
    compensation = -jnp.sign(shortage) * orders.quantity_kwh / jnp.maximum(jnp.abs(shortage), SMALL)
    known = ~jnp.isnan(context.window.price)
    mean = jnp.where(known, context.window.price, 0.0).sum() / jnp.maximum(known.sum(), 1)
    distance = jnp.abs(context.indicators.clearing_price - mean) / price_range
    stability = 1.0 - jnp.minimum(distance, 1.0)
    economic = jnp.clip(gain / (price_range * order), -1.0, 1.0)
    return {
        "economic": jnp.where(has_order, economic, 0.0),
        "grid": jnp.where(has_order, jnp.clip(compensation, -1.0, 1.0), 0.0),
        "resource": jnp.where(has_order, jnp.minimum(traded / order, 1.0), 0.0),
        "trading": (traded > 0).astype(size.dtype),
        "stability": jnp.broadcast_to(stability, size.shape),
    }


def cooperation_factor(context: RewardContext) -> Float[Array, ""]:
    """Compute f_coop, the mean of market indicators scaled so that 1 is best; between 0 and 1.

    Args:
        context: Results of the step.
    """
    indicators = context.indicators
    price_range = _price_range(context)
    has_trade = indicators.liquidity > 0
    traded = jnp.where(has_trade, indicators.liquidity, 1.0)
    gains = jnp.clip(indicators.gains_from_trade / (price_range * traded), 0.0, 1.0)
    parts = [
        gains * has_trade,
        1.0 - jnp.minimum(indicators.volatility / price_range, 1.0),
        1.0 - indicators.imbalance,
        1.0 - indicators.congestion,
        indicators.convergence,
        indicators.self_consumption,
        indicators.flexibility,
    ]
    return jnp.stack(parts).mean()


def contribution_factor(context: RewardContext) -> Float[Array, " home"]:
    """Compute f_contrib, the contribution of each home to the market; between 0 and 1.

    Half is its help to the balance, 0.2 the closeness of its price to the market's, and 0.3 the
    local share of its order. Parts and weights are those of the released code; the paper states
    none.

    Args:
        context: Results of the step.
    """
    orders = context.outcome.orders
    local = context.outcome.record.local
    market_price = context.indicators.clearing_price
    size = jnp.abs(orders.quantity_kwh)
    traded = local.bought_kwh + local.sold_kwh
    own_price = safe_divide(local.paid + local.earned, traded)
    reference = jnp.maximum(jnp.abs(market_price), SMALL)
    closeness = 1.0 - jnp.minimum(jnp.abs(own_price - market_price) / reference, 1.0)
    fairness = jnp.where(traded > 0, closeness, 0.5)
    balance = (1.0 + base_components(context)["grid"]) / 2
    local_share = jnp.minimum(traded / jnp.maximum(size, SMALL), 1.0) * (size > SMALL)
    return 0.5 * balance + 0.2 * fairness + 0.3 * local_share


@reward_terms.register(
    "marlem_base",
    "MARLEM, equation 2: R_base, five components between -1 and 1, weighted to at most 1.",
)
def marlem_base(context: RewardContext) -> Float[Array, " home"]:
    """Compute the weighted base reward.

    Half of the weight is on the economic component ("predominantly"); the paper states no weights.
    """
    parts = base_components(context)
    total = sum(_BASE_WEIGHTS.values())
    weighted = [weight / total * parts[name] for name, weight in _BASE_WEIGHTS.items()]
    return jnp.stack(weighted).sum(0)


@reward_terms.register(
    "marlem_cooperation", "MARLEM, equation 2: R_base times f_coop times f_contrib."
)
def marlem_cooperation(context: RewardContext) -> Float[Array, " home"]:
    """Compute the cooperation bonus; both factors are in [0, 1], so it at most doubles R_base."""
    return marlem_base(context) * cooperation_factor(context) * contribution_factor(context)


@reward_terms.register(
    "marlem_grid_penalty", "MARLEM, equation 2: negative share of the home's energy from the grid."
)
def marlem_grid_penalty(context: RewardContext) -> Float[Array, " home"]:
    """Compute a penalty linear in the grid's share of all trade; between -1 and 0."""
    record = context.outcome.record
    grid_kwh = jnp.abs(record.flows.grid_kwh(record.local))
    traded = grid_kwh + record.local.bought_kwh + record.local.sold_kwh
    share = grid_kwh / jnp.maximum(traded, _MIN_TRADED_KWH)
    return -_PENALTY * jnp.where(traded > _MIN_TRADED_KWH, share, 0.0)


@reward_terms.register(
    "marlem_unmet_penalty", "MARLEM, equation 2: negative share of the home's deficit not met."
)
def marlem_unmet_penalty(context: RewardContext) -> Float[Array, " home"]:
    """Compute a penalty linear in the unmet share of the deficit; between -1 and 0."""
    flows = context.outcome.record.flows
    deficit = jnp.maximum(flows.load_kwh - flows.solar_kwh, 0.0)
    share = jnp.minimum(context.outcome.unmet_kwh / jnp.maximum(deficit, SMALL), 1.0)
    return -_PENALTY * jnp.where(deficit > SMALL, share, 0.0)


def _price_range(context: RewardContext) -> Float[Array, ""]:
    scales = context.params.scales
    return jnp.maximum(scales.max_price - scales.min_price, SMALL)
