"""Allocation keys: who gets how much of the energy in the pot.

Each takes the needs [home] and the pot, and allocates no more than either. Worked example of all six: needs 1.2, 0.6,
0.2, pot 1.2, shares 0.2, 0.3, 0.5: once .24 .36 .20; rounds .40 .60 .20; pro rata .72 .36 .12; hybrid .56 .44 .20;
cascade 1.2 0 0; equal .5 .5 .2.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def pro_rata(need: Float[Array, " home"], pot: Float[Array, ""]) -> Float[Array, " home"]:
    """Everybody gets the same part of its need ("dynamic" in France and Austria, "proportional" in Brussels)."""
    total = need.sum()
    return need * jnp.where(total > pot, pot / jnp.where(total > 0, total, 1.0), 1.0)


def static_once(
    need: Float[Array, " home"], pot: Float[Array, ""], *, shares: Float[Array, " home"]
) -> Float[Array, " home"]:
    """A fixed share of the pot, up to the need; the rest of a share is lost to the community (Sibelga "un tour")."""
    return jnp.minimum(shares * pot, need)


def water_filling(
    need: Float[Array, " home"], pot: Float[Array, ""], *, weights: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Fixed shares, repeated among those still in need until the pot is empty (Sibelga "plusieurs tours").

    The rounds converge to min(weight * level, need) with the level at which the pot is used up; that level is found
    directly, by sorting the homes by the level at which each is satisfied.
    """
    weighted = weights > 0
    satisfied_at = jnp.where(weighted, need / jnp.where(weighted, weights, 1.0), jnp.inf)
    order = jnp.argsort(satisfied_at)
    needs, sizes = jnp.where(weighted, need, 0.0)[order], weights[order]
    left = pot - (jnp.cumsum(needs) - needs)
    thirsty = jnp.cumsum(sizes[::-1])[::-1]
    level = left / jnp.where(thirsty > 0, thirsty, 1.0)
    fits = (level <= satisfied_at[order]) & (thirsty > 0)
    level = jnp.where(fits.any(), level[jnp.argmax(fits)], jnp.inf)
    return jnp.where(
        weighted & (need > 0), jnp.minimum(weights * jnp.maximum(level, 0.0), need), 0.0
    )


def hybrid(
    need: Float[Array, " home"], pot: Float[Array, ""], *, shares: Float[Array, " home"]
) -> Float[Array, " home"]:
    """A fixed share first, what is left over in proportion to the need that remains (Brussels' third method)."""
    first = static_once(need, pot, shares=shares)
    return first + pro_rata(need - first, jnp.maximum(pot - first.sum(), 0.0))


def cascade_key(
    need: Float[Array, " home"], pot: Float[Array, ""], *, rank: Int[Array, " home"]
) -> Float[Array, " home"]:
    """Served one after the other, lowest rank first (priority lists of Luxembourg and Wallonia)."""
    order = jnp.argsort(rank)
    wanted = need[order]
    before = jnp.cumsum(wanted) - wanted
    return jnp.zeros_like(need).at[order].set(jnp.clip(pot - before, 0.0, wanted))
