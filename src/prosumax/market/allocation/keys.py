"""Allocation keys: how the energy of a pool is divided among the homes with demand.

Every key takes the demand of each home and the supply of the pool, and allocates at most either.
Worked example of the six keys with demands 1.2, 0.6, 0.2, supply 1.2 and shares 0.2, 0.3, 0.5:

==================  ================
Key                 Allocation
==================  ================
static, one round   0.24  0.36  0.20
static, rounds      0.40  0.60  0.20
pro rata            0.72  0.36  0.12
hybrid              0.56  0.44  0.20
priority            1.20  0.00  0.00
equal               0.50  0.50  0.20
==================  ================
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def pro_rata(demand: Float[Array, " home"], supply: Float[Array, ""]) -> Float[Array, " home"]:
    """Allocate the same part of its demand to every home.

    Regulators call this key "dynamic" (France, Austria) or "proportional" (Brussels).

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
    """
    total = demand.sum()
    part = supply / jnp.where(total > 0, total, 1.0)
    return demand * jnp.where(total > supply, part, 1.0)


def static_shares(
    demand: Float[Array, " home"], supply: Float[Array, ""], *, shares: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Allocate a fixed share of the supply, up to the demand (Sibelga "un tour").

    What a home cannot use of its share is lost to the community.

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
        shares: Fixed share of each home, adding up to 1.
    """
    return jnp.minimum(shares * supply, demand)


def water_filling(
    demand: Float[Array, " home"], supply: Float[Array, ""], *, weights: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Allocate fixed shares in repeated rounds until the supply is used up.

    Sibelga calls this key "plusieurs tours".

    The rounds converge to min(weight * level, demand) with the level at which the supply is used
    up. The level is found directly, by sorting the homes by the level that satisfies each.

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
        weights: Weight of each home, >= 0.
    """
    has_weight = weights > 0
    satisfied_at = jnp.where(has_weight, demand / jnp.where(has_weight, weights, 1.0), jnp.inf)
    order = jnp.argsort(satisfied_at)
    sorted_demand = jnp.where(has_weight, demand, 0.0)[order]
    sorted_weights = weights[order]
    available = supply - (jnp.cumsum(sorted_demand) - sorted_demand)
    unsatisfied_weight = jnp.cumsum(sorted_weights[::-1])[::-1]
    level = available / jnp.where(unsatisfied_weight > 0, unsatisfied_weight, 1.0)
    is_solution = (level <= satisfied_at[order]) & (unsatisfied_weight > 0)
    level = jnp.where(is_solution.any(), level[jnp.argmax(is_solution)], jnp.inf)
    allocation = jnp.minimum(weights * jnp.maximum(level, 0.0), demand)
    return jnp.where(has_weight & (demand > 0), allocation, 0.0)


def hybrid_shares(
    demand: Float[Array, " home"], supply: Float[Array, ""], *, shares: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Allocate fixed shares first and the rest in proportion to the demand that remains.

    This is the third method of Brussels.

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
        shares: Fixed share of each home, adding up to 1.
    """
    first = static_shares(demand, supply, shares=shares)
    return first + pro_rata(demand - first, jnp.maximum(supply - first.sum(), 0.0))


def priority_order(
    demand: Float[Array, " home"], supply: Float[Array, ""], *, rank: Int[Array, " home"]
) -> Float[Array, " home"]:
    """Serve the homes one after the other, lowest rank first.

    Luxembourg and Wallonia have such priority lists.

    Args:
        demand: Demand of each home, kWh.
        supply: Energy in the pool, kWh.
        rank: Order of service, 0 first.
    """
    order = jnp.argsort(rank)
    sorted_demand = demand[order]
    before = jnp.cumsum(sorted_demand) - sorted_demand
    served = jnp.clip(supply - before, 0.0, sorted_demand)
    return jnp.zeros_like(demand).at[order].set(served)
