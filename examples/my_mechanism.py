"""A mechanism of your own in one file: neighbours with little sun are served first, at half the retail price.

Run: `python examples/my_mechanism.py`
"""

import jax.numpy as jnp

import prosumax
from prosumax.market.mechanism import cascade, mechanisms, remaining
from prosumax.types import Fills, Orders, Prices


def smallest_need_first(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Serve buyers from the smallest need to the largest; every seller supplies in proportion to its surplus."""
    need, surplus = orders.buy_kwh, orders.sell_kwh
    # Position of every home in the queue, found by sorting: no loop over homes, so it compiles once and runs fast.
    queue = jnp.argsort(need)
    waiting = need[queue]
    served_before = jnp.cumsum(waiting) - waiting
    bought = (
        jnp.zeros_like(need).at[queue].set(jnp.clip(surplus.sum() - served_before, 0.0, waiting))
    )
    sold = surplus * bought.sum() / jnp.maximum(surplus.sum(), 1e-9)
    # Every euro paid is earned by somebody.
    paid = bought * prices.retail / 2
    earned = sold * paid.sum() / jnp.maximum(sold.sum(), 1e-9)
    fills = Fills(bought, sold, paid, earned)
    return fills, remaining(orders, fills)


mechanisms.register(
    "smallest_need_first", "Pool: the smallest need is served first, at half the retail price."
)(
    # Half the retail price may lie above what a local kWh is worth or below feed-in, so nothing is promised.
    cascade(smallest_need_first, individually_rational=False)
)

if __name__ == "__main__":
    june = {"period.start": "2023-06-01T00:00", "period.steps": 30 * 96}
    results = prosumax.compare("street", ["none", "mid_market_rate", "smallest_need_first"], june)
    for name, result in results.items():
        savings = ", ".join(
            f"{home['name']} {home['saving'] + 0.0:.2f}" for home in result.households
        )
        print(f"{name:>20}: {result.kpis['saving']:7.2f} EUR saved together ({savings})")
