"""What price agents are paid: named terms [agent], weighted per agent; each adds up over its pool.

Levels follow MAHTM: what the pool's homes get at this level or nearer is local, what is bought from or sold to other
pools of the next level or the grid has that level's price.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.market.pricing.hierarchy import of_pools
from prosumax.market.pricing.posted import Pricing
from prosumax.registry import Registry
from prosumax.rl.rewards.home_terms import Paid
from prosumax.types import LevelFlows

Term = Callable[[Paid], Float[Array, " agent"]]

price_rewards: Registry[Term] = Registry("price goal")


def _known(paid: Paid) -> tuple[Pricing, LevelFlows]:
    pricing, levels = paid.params.community.pricing, paid.outcome.record.levels
    assert (
        pricing is not None and levels is not None
    )  # only communities with price agents have these terms
    return pricing, levels


def _grid(paid: Paid) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """What each home buys from and sells to the grid: level 3."""
    flows, local = paid.outcome.record.flows, paid.outcome.record.local
    rest = flows.net_kwh - local.bought_kwh + local.sold_kwh
    return jnp.maximum(rest, 0.0), jnp.maximum(-rest, 0.0)


@price_rewards.register("community_cost", "The negative of the bills of the pool's homes.")
def community_cost(paid: Paid) -> Float[Array, " agent"]:
    """In the tariff's currency."""
    pricing, _ = _known(paid)
    return -of_pools(pricing.together, jnp.asarray(paid.outcome.record.bill.total))


@price_rewards.register(
    "exchange", "The negative of what the pool pays beyond itself (MAHTM equations 8 and 12)."
)
def exchange(paid: Paid) -> Float[Array, " agent"]:
    """E^imp3 r^sd + E^imp2 r^sm less E^exp3 r^bd + E^exp2 r^bm, without carbon, which is the term of that name.

    The paper minimises the income from exports as written; read as what it says in words, it is subtracted.
    """
    pricing, levels = _known(paid)
    prices, (bought, sold) = paid.outcome.prices, _grid(paid)
    net = bought * prices.retail - sold * prices.feed_in
    costs = []
    for level in reversed(range(len(pricing.members))):
        costs.append(of_pools(pricing.members[level], net))
        net = net + levels.paid[level] - levels.earned[level]
    return -jnp.concatenate(costs[::-1])


@price_rewards.register(
    "margin", "What the agent keeps: paid by the pool's buyers less earned by its sellers."
)
def margin(paid: Paid) -> Float[Array, " agent"]:
    """An operator that lives from the difference of its two prices."""
    pricing, levels = _known(paid)
    kept = levels.paid - levels.earned
    return jnp.concatenate(
        [of_pools(members, kept[level]) for level, members in enumerate(pricing.members)]
    )


@price_rewards.register(
    "carbon", "The negative of the emissions of what the pool's homes buy from the grid, kg CO2."
)
def carbon(paid: Paid) -> Float[Array, " agent"]:
    """Local energy has none (MAHTM section 2.3)."""
    pricing, _ = _known(paid)
    return -of_pools(pricing.together, _grid(paid)[0]) * paid.outcome.carbon_kg


@price_rewards.register(
    "peak", "The negative square of the import of all the pool's homes together, kW^2."
)
def peak(paid: Paid) -> Float[Array, " agent"]:
    """The square, since the sum of imports is the same however they are spread over the day."""
    pricing, _ = _known(paid)
    kw = (
        of_pools(pricing.together, paid.outcome.record.flows.net_kwh)
        / paid.params.community.step_hours
    )
    return -(jnp.maximum(kw, 0.0) ** 2)


@price_rewards.register(
    "self_consumption", "The negative of what the pool's homes sell to the grid, kWh."
)
def self_consumption(paid: Paid) -> Float[Array, " agent"]:
    """Least where all their sun is used in the community."""
    pricing, _ = _known(paid)
    return -of_pools(pricing.together, _grid(paid)[1])


@price_rewards.register(
    "fairness", "How much more even the homes' savings of the episode became; less is negative."
)
def fairness(paid: Paid) -> Float[Array, " agent"]:
    """Minus the mean absolute difference between the savings so far of two homes of the pool, less that before.

    Over an episode it adds up to that of the whole, the numerator of the Gini index.
    """
    pricing, levels = _known(paid)
    prices = paid.outcome.prices
    gain = (
        prices.reservation_price * levels.import_kwh
        - levels.paid
        + levels.earned
        - prices.feed_in * levels.export_kwh
    )
    before = jnp.zeros_like(gain[0]) if paid.saved_before is None else paid.saved_before
    return _unevenness(pricing, before) - _unevenness(pricing, before + gain.sum(0))


def _unevenness(pricing: Pricing, saved: Float[Array, " home"]) -> Float[Array, " agent"]:
    members = pricing.together
    apart = jnp.abs(saved[:, None] - saved[None, :])
    pairs = (members[:, :, None] * members[:, None, :] * apart).sum((1, 2))
    return pairs / jnp.maximum(members.sum(-1), 1.0) ** 2
