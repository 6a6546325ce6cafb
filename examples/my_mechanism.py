"""A mechanism in one file: the smallest demand is served first, at half the retail price.

Run: `python examples/my_mechanism.py`
"""

import jax.numpy as jnp

import prosumax
from prosumax.market.mechanism import cascade, mechanisms, remaining_orders
from prosumax.numerics import safe_divide
from prosumax.types import Fills, Orders, Prices


def smallest_demand_first(orders: Orders, prices: Prices) -> tuple[Fills, Orders]:
    """Serve buyers by rising demand; every seller supplies in proportion to its surplus.

    Args:
        orders: Open orders.
        prices: Prices of the grid side.
    """
    demand = orders.buy_kwh
    surplus = orders.sell_kwh
    # The order of service is found by sorting instead of a loop over homes, so that the stage
    # compiles once and runs fast.
    queue = jnp.argsort(demand)
    queued = demand[queue]
    served_before = jnp.cumsum(queued) - queued
    served = jnp.clip(surplus.sum() - served_before, 0.0, queued)
    bought = jnp.zeros_like(demand).at[queue].set(served)
    sold = surplus * safe_divide(bought.sum(), surplus.sum())
    # Payments equal receipts.
    paid = bought * prices.retail / 2
    earned = sold * safe_divide(paid.sum(), sold.sum())
    fills = Fills(bought, sold, paid, earned)
    return fills, remaining_orders(orders, fills)


# Half the retail price may be above the reservation price of a buyer or below the feed-in price,
# so that the mechanism is not individually rational.
mechanisms.register(
    "smallest_demand_first", "Pool: the smallest demand is served first, at half the retail price."
)(cascade(smallest_demand_first, individually_rational=False))

if __name__ == "__main__":
    june = {"period.start": "2023-06-01T00:00", "period.steps": 30 * 96}
    results = prosumax.compare("street", ["none", "mid_market_rate", "smallest_demand_first"], june)
    for name, result in results.items():
        savings = ", ".join(
            f"{home['name']} {home['saving'] + 0.0:.2f}" for home in result.households
        )
        print(f"{name:>22}: {result.kpis['saving']:7.2f} EUR saved in total ({savings})")
