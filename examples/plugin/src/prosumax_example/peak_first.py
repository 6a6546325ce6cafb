"""Market mechanism that lowers the highest demand first.

Local surplus goes to the home with the highest demand until it is as low as the next one, then to
both, and so on. No other division of the same surplus leaves a lower highest import, which a
capacity tariff charges for.
"""

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Float

from prosumax.market.allocation.keys import water_filling
from prosumax.market.allocation.pool import key_mechanism
from prosumax.market.mechanism import mechanisms


def reduce_peaks(demand: Float[Array, " home"], supply: Float[Array, ""]) -> Float[Array, " home"]:
    """Allocate the supply such that the highest remaining demand is as low as possible.

    Every home keeps the smaller of its demand and a common level, which `water_filling` finds: it
    divides the demand that remains as evenly as the demands permit.

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
    """
    remaining = jnp.maximum(demand.sum() - supply, 0.0)
    kept = water_filling(demand, remaining, weights=jnp.ones_like(demand))
    return demand - kept


mechanisms.register(
    "peak_first", "Pool: surplus goes to the highest demand first, which lowers peaks."
)(key_mechanism(lambda options: Partial(reduce_peaks)))
