"""Prices announced before homes act: the band they must lie in, rules that set them, and what price agents see.

A price agent sets two prices for its pool, what a buyer pays and what a seller earns, both between what the grid pays
and what it takes. It decides while homes decide, for the step after that: homes know the price they act under.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from prosumax.market.allocation.pool import ratio
from prosumax.market.mechanism import MarketOptions
from prosumax.market.pricing.hierarchy import of_pools, to_homes
from prosumax.registry import Registry
from prosumax.types import Announced, Fills, LevelFlows, Orders, Prices

RULE = -1.0
"""Share of a pool whose agent leaves the price to the rule."""


class Pricing(NamedTuple):
    """Who sets prices for whom, and how; agents are numbered level by level, the nearest first.

    Attributes:
        members: of the pools of each level [pool, home].
        rule: prices where no agent announced any.
        policy: a trained price agent for all pools, from what they see to shares of the band; None without one.
        rational: whether local charges count in the band, so that nobody is worse off than with the grid alone.
        one_price: whether sellers earn what buyers pay; otherwise the agent keeps the difference.
        scale_kwh: the most that the homes of a pool need or have left in a step [agent].
        highest: highest price of the grid side in the period.
        carbon_scale: highest carbon intensity.
    """

    members: tuple[Float[Array, "pool home"], ...]
    rule: Partial
    policy: Partial | None
    rational: Bool[Array, ""]
    one_price: Bool[Array, ""]
    scale_kwh: Float[Array, " agent"]
    highest: Float[Array, ""]
    carbon_scale: Float[Array, ""]

    @property
    def together(self) -> Float[Array, "agent home"]:
        """Members of all pools."""
        return jnp.concatenate(self.members)


class Posted(NamedTuple):
    """What pools remember from step to step.

    Attributes:
        shares: buying price in the band, and selling price between its lower end and the buying price, 0 to 1, for the
            coming step; `RULE` leaves it to the rule [agent, 2].
        demand_kwh, supply_kwh: brought to each pool in the last step [agent].
        price: what its buyers paid in the last step [agent].
        saved: what each home saved so far against the grid alone.
    """

    shares: Float[Array, "agent 2"]
    demand_kwh: Float[Array, " agent"]
    supply_kwh: Float[Array, " agent"]
    price: Float[Array, " agent"]
    saved: Float[Array, " home"]


class Outlook(NamedTuple):
    """What a price rule or a price agent may look at before a step.

    Attributes:
        hour: local hour.
        prices: of the grid side in the step.
        low, high: the band, the same for all homes.
        carbon_kg: of a kWh from the grid.
        need_kwh, spare_kwh: of each pool's homes in the step, load less sun of each, before batteries [agent].
        posted: what the pools remember.
        pricing: who they are.
    """

    hour: Int[Array, ""]
    prices: Prices
    low: Float[Array, ""]
    high: Float[Array, ""]
    carbon_kg: Float[Array, ""]
    need_kwh: Float[Array, " agent"]
    spare_kwh: Float[Array, " agent"]
    posted: Posted
    pricing: Pricing


def begin(pricing: Pricing) -> Posted:
    """Before the first step: nobody announced anything."""
    agents, homes = pricing.scale_kwh.shape[0], pricing.members[0].shape[-1]
    nothing = jnp.zeros(agents, jnp.float32)
    shares = jnp.full((agents, 2), RULE, jnp.float32)
    return Posted(
        shares,
        nothing,
        nothing,
        jnp.full(agents, jnp.nan, jnp.float32),
        jnp.zeros(homes, jnp.float32),
    )


def look(
    pricing: Pricing,
    posted: Posted,
    prices: Prices,
    hour: Int[Array, ""],
    carbon_kg: Float[Array, ""],
    net_kwh: Float[Array, " home"],
) -> Outlook:
    """What is known before a step; `net_kwh` is the homes' load less their sun."""
    together = pricing.together
    low, high = (
        prices.feed_in.mean(),
        jnp.where(pricing.rational, prices.reservation_price, prices.retail).mean(),
    )
    need, spare = (of_pools(together, jnp.maximum(sign * net_kwh, 0.0)) for sign in (1, -1))
    high = jnp.maximum(low, high)
    return Outlook(hour, prices, low, high, jnp.nan_to_num(carbon_kg), need, spare, posted, pricing)


def announce(seen: Outlook) -> Announced:
    """The prices of the step, for each level and home; inside the band whatever agents and rules say."""
    pricing, shares, span = seen.pricing, seen.posted.shares, seen.high - seen.low
    ruled = jnp.clip(pricing.rule(seen), seen.low, seen.high)
    by_rule = shares[:, 0] < 0
    share = jnp.clip(shares, 0.0, 1.0)
    buy = jnp.where(by_rule, ruled, seen.low + share[:, 0] * span)
    part = jnp.where(by_rule | pricing.one_price, 1.0, share[:, 1])
    sell = seen.low + part * (buy - seen.low)
    return Announced(*(_by_level(pricing, price) for price in (buy, sell)))


def after(
    seen: Outlook,
    prices: Prices,
    orders: Orders,
    stages: Sequence[Fills],
    shares: Float[Array, "agent 2"] | None,
) -> tuple[Posted, LevelFlows]:
    """What is remembered after a step, and what was traded at each level.

    Arguments:
        seen: before the step.
        prices: with those that were announced.
        orders: as they entered the market.
        stages: what each local level traded.
        shares: what agents announce for the next step; the trained policy where None, the rule without one.
    """
    pricing, announced = seen.pricing, prices.announced
    assert announced is not None
    if shares is None:
        none = jnp.full_like(seen.posted.shares, RULE)
        shares = none if pricing.policy is None else pricing.policy(seen)
    need, surplus, demand, supply, price = orders.buy_kwh, orders.sell_kwh, [], [], []
    for level, (members, fills) in enumerate(zip(pricing.members, stages, strict=True)):
        demand.append(of_pools(members, need))
        supply.append(of_pools(members, surplus))
        price.append(ratio(of_pools(members, announced.buy[level]), members.sum(-1)))
        need, surplus = need - fills.bought_kwh, surplus - fills.sold_kwh
    bought, sold, paid, earned = (
        jnp.stack(parts) for parts in zip(*(fills[:4] for fills in stages), strict=True)
    )
    saved = (prices.reservation_price * bought - paid + earned - prices.feed_in * sold).sum(0)
    posted = Posted(
        shares,
        jnp.concatenate(demand),
        jnp.concatenate(supply),
        jnp.concatenate(price),
        seen.posted.saved + saved,
    )
    return posted, LevelFlows(bought, sold, paid, earned, announced)


def _by_level(pricing: Pricing, values: Float[Array, " agent"]) -> Float[Array, "level home"]:
    """Each home's value at every level, from the agents'."""
    rows, first = [], 0
    for members in pricing.members:
        rows.append(to_homes(members, values[first : first + members.shape[0]]))
        first += members.shape[0]
    return jnp.stack(rows)


# Rules: what buyers pay, and sellers earn, in each pool; the band cuts what lies outside.


def fixed(seen: Outlook, *, price: Float[Array, ""]) -> Float[Array, " agent"]:
    """The same in every step."""
    return jnp.broadcast_to(price, seen.need_kwh.shape)


def middle(seen: Outlook) -> Float[Array, " agent"]:
    """Half-way between what the grid pays and what it takes."""
    return jnp.broadcast_to((seen.low + seen.high) / 2, seen.need_kwh.shape)


def supply_demand(seen: Outlook) -> Float[Array, " agent"]:
    """From the upper end of the band without supply to the lower where it meets demand, as of the last step.

    Source: Liu et al. 2017, as `pool.supply_demand_ratio`, but known before homes act.
    """
    demand, supply = seen.posted.demand_kwh, seen.posted.supply_kwh
    share = jnp.where(
        demand > 0, jnp.minimum(ratio(supply, demand), 1.0), (supply > 0).astype(demand.dtype)
    )
    steep = (seen.high - seen.low) * share + seen.low
    scarce = ratio(jnp.broadcast_to(seen.low * seen.high, steep.shape), steep)
    # Liu's curve needs a feed-in price above zero; where it is not, a straight line.
    return jnp.where(seen.low > 0, scarce, seen.high - share * (seen.high - seen.low))


def feedback(seen: Outlook, *, gain: Float[Array, ""]) -> Float[Array, " agent"]:
    """The last price, moved up by what was lacking in the last step, down by what was too much.

    By `gain` bands where one side was alone; from the middle of the band.
    """
    demand, supply = seen.posted.demand_kwh, seen.posted.supply_kwh
    last = jnp.where(jnp.isnan(seen.posted.price), (seen.low + seen.high) / 2, seen.posted.price)
    return last + gain * (seen.high - seen.low) * ratio(demand - supply, demand + supply)


price_rules: Registry[Callable[[MarketOptions], Partial]] = Registry("price rule")
price_rules.register("fixed", "The same in every step: `market.price`.")(
    lambda options: Partial(fixed, price=jnp.float32(options.price))
)
price_rules.register("mid-market", "The middle of what the grid takes and pays.")(
    lambda options: Partial(middle)
)
price_rules.register("supply-demand", "Supply-demand ratio of the last step (Liu 2017).")(
    lambda options: Partial(supply_demand)
)
price_rules.register(
    "feedback", "The last price, moved by the balance of the last step (`market.feedback`)."
)(lambda options: Partial(feedback, gain=jnp.float32(options.feedback)))


# What price agents see: terms like those of homes, [agent] or [agent, column].

PriceTerm = Callable[[Outlook], Float[Array, "..."]]

price_observations: Registry[PriceTerm] = Registry("price observation")
_shown = price_observations.register


@_shown("hour", "Sine and cosine of the hour; between -1 and 1.")
def _hour(seen: Outlook) -> Float[Array, "..."]:
    angle = 2 * jnp.pi * seen.hour / 24.0
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)])


@_shown("hour_of_day", "Which hour of the day it is, one column each; 0 to 1.")
def _hour_of_day(seen: Outlook) -> Float[Array, "..."]:
    return (jnp.arange(24) == seen.hour).astype(jnp.float32)


@_shown("retail", "The supplier's price in the coming step over the highest of the period.")
def _retail(seen: Outlook) -> Float[Array, "..."]:
    return (seen.prices.retail.mean() / seen.pricing.highest)[None]


@_shown("feed_in", "The feed-in price in the coming step over the highest price of the period.")
def _feed_in(seen: Outlook) -> Float[Array, "..."]:
    return (seen.low / seen.pricing.highest)[None]


@_shown(
    "carbon", "Carbon intensity of the grid in the coming step over the highest; 0 when unknown."
)
def _carbon(seen: Outlook) -> Float[Array, "..."]:
    return (seen.carbon_kg / seen.pricing.carbon_scale)[None]


@_shown(
    "need",
    "What the pool's homes need in the coming step before batteries, over the most they ever do.",
)
def _need(seen: Outlook) -> Float[Array, "..."]:
    return (seen.need_kwh / seen.pricing.scale_kwh)[:, None]


@_shown(
    "spare", "What the pool's homes have left in the coming step before batteries, over the most."
)
def _spare(seen: Outlook) -> Float[Array, "..."]:
    return (seen.spare_kwh / seen.pricing.scale_kwh)[:, None]


@_shown(
    "demand", "What was wanted of the pool in the last step, over the most its homes ever need."
)
def _demand(seen: Outlook) -> Float[Array, "..."]:
    return (seen.posted.demand_kwh / seen.pricing.scale_kwh)[:, None]


@_shown("supply", "What was offered to the pool in the last step, over the same.")
def _supply(seen: Outlook) -> Float[Array, "..."]:
    return (seen.posted.supply_kwh / seen.pricing.scale_kwh)[:, None]


@_shown(
    "last_price",
    "What the pool's buyers paid in the last step, over the highest price; 0 before the first.",
)
def _last_price(seen: Outlook) -> Float[Array, "..."]:
    return (jnp.nan_to_num(seen.posted.price) / seen.pricing.highest)[:, None]


_WIDTH = {"hour": ("_sin", "_cos"), "hour_of_day": tuple(f"_{hour + 1}" for hour in range(24))}


def price_columns(names: Sequence[str]) -> list[str]:
    """Name of every column of what a price agent sees."""
    return [name + end for name in names for end in _WIDTH.get(name, ("",))]


def see(seen: Outlook, terms: Sequence[PriceTerm]) -> Float[Array, "agent feature"]:
    """What every price agent sees: the terms side by side."""
    agents = seen.need_kwh.shape[0]
    columns = [jnp.asarray(term(seen)) for term in terms]
    wide = [jnp.broadcast_to(value, (agents, value.shape[-1])) for value in columns]
    return jnp.concatenate(wide, axis=1)
