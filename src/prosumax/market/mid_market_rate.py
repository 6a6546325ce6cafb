"""Mid-market rate: all local energy at the middle of buying from and selling to the grid."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.market.grid import grid
from prosumax.market.stage import mechanisms
from prosumax.types import Fills, Orders, Prices


def mid_market_rate(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Share the smaller of supply and demand pro rata; each buyer pays its own mid price.

    With supply S, demand D, a buyer pays m = (worth_buying + feed_in) / 2 on the share min(1, S/D) of its need, and a
    seller earns the mean of what buyers pay on the share min(1, D/S) of its surplus. The rest stays open for the grid,
    which gives the textbook prices: S > D, sellers average (D m + (S - D) f) / S; S < D, buyers (S m + (D - S) b) / D.

    Source: Long, Wu, Zhang, Thomas, Cheng, Jenkins, "Peer-to-peer energy trading in a community microgrid", IEEE PES
    General Meeting 2017. Budget balanced; individually rational while worth_buying >= feed_in.
    """
    demand, supply = orders.buy_kwh.sum(-1, keepdims=True), orders.sell_kwh.sum(-1, keepdims=True)
    traded = jnp.minimum(demand, supply)
    bought = orders.buy_kwh * _ratio(traded, demand)
    sold = orders.sell_kwh * _ratio(traded, supply)
    mean_feed_in = _ratio((orders.sell_kwh * prices.feed_in).sum(-1, keepdims=True), supply)
    paid = bought * (prices.worth_buying + mean_feed_in) / 2
    earned = sold * _ratio(paid.sum(-1, keepdims=True), traded)
    return Fills(bought, sold, paid, earned), orders._replace(quantity_kwh=orders.quantity_kwh - bought + sold)


def _ratio(part: Float[Array, "*shape"], whole: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Part / whole, zero where there is nothing to share."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)


mechanisms.register(
    "mid_market_rate", "Pool: local kWh at the middle of retail and feed-in price, shared in proportion to use."
)((mid_market_rate, grid))
