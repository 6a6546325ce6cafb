"""The last stage of every cascade: supplier and network operator take whatever is still open."""

import jax.numpy as jnp

from prosumax.market.stage import mechanisms
from prosumax.types import Fills, Orders, Prices


def grid(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Fill every order at the retail price and the feed-in tariff; nothing stays open."""
    fills = Fills(
        bought_kwh=orders.buy_kwh,
        sold_kwh=orders.sell_kwh,
        paid=orders.buy_kwh * prices.retail,
        earned=orders.sell_kwh * prices.feed_in,
    )
    return fills, orders._replace(quantity_kwh=jnp.zeros_like(orders.quantity_kwh))


mechanisms.register("none", "No exchange: every home trades with its supplier only. The baseline of every comparison.")(
    (grid,)
)
