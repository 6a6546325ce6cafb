"""Posted prices: the price band, the rules that set prices, and the observations of price agents.

A price agent posts two prices for its pool, one that buyers pay and one that sellers earn, both
between the feed-in and the retail price. It acts at the same time as the homes, for the following
step, so that homes know the price under which they act.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax.tree_util import Partial
from jaxtyping import Array, Bool, Float, Int

from prosumax.market.mechanism import MarketOptions
from prosumax.market.pricing.hierarchy import pool_value_of_homes, sum_by_pool
from prosumax.numerics import safe_divide
from prosumax.registry import Registry
from prosumax.types import Fills, LevelFlows, Orders, PostedPrices, Prices

USE_RULE = -1.0
"""Price share by which an agent leaves the price of its pool to the rule."""


class PricingScheme(NamedTuple):
    """Static description of the pools and their price agents.

    Agents are numbered level by level, the nearest first.

    Attributes:
        members: Membership of the pools of each level [pool, home].
        rule: Price rule of pools whose agent leaves the price to it.
        policy: Trained policy of all price agents, from observations to price shares; None if
            there is none.
        individually_rational: Whether local grid fees narrow the price band, so that no home is
            worse off than with the grid alone.
        single_price: Whether sellers earn what buyers pay; otherwise the agent keeps a margin.
        energy_scale_kwh: Largest net load of the homes of a pool in a step [agent].
        max_price: Highest price of the grid side in the period.
        max_emission_factor: Highest emission factor of the grid in the period, kg per kWh.
    """

    members: tuple[Float[Array, "pool home"], ...]
    rule: Partial
    policy: Partial | None
    individually_rational: Bool[Array, ""]
    single_price: Bool[Array, ""]
    energy_scale_kwh: Float[Array, " agent"]
    max_price: Float[Array, ""]
    max_emission_factor: Float[Array, ""]

    @property
    def all_members(self) -> Float[Array, "agent home"]:
        """Membership of the pools of all levels."""
        return jnp.concatenate(self.members)


class PricingState(NamedTuple):
    """State of the pools between steps.

    Attributes:
        price_shares: Position of the buying price in the band, and of the selling price between
            the lower end of the band and the buying price, 0 to 1, for the coming step;
            `USE_RULE` leaves the price to the rule [agent, 2].
        demand_kwh: Demand brought to each pool in the last step [agent].
        supply_kwh: Supply brought to each pool in the last step [agent].
        price: Price that buyers of each pool paid in the last step [agent].
        savings: Cumulative savings of each home against trading with the grid alone.
    """

    price_shares: Float[Array, "agent 2"]
    demand_kwh: Float[Array, " agent"]
    supply_kwh: Float[Array, " agent"]
    price: Float[Array, " agent"]
    savings: Float[Array, " home"]


class PricingContext(NamedTuple):
    """Information that price rules and price agents have before a step.

    Attributes:
        hour: Local hour of the day.
        prices: Prices of the grid side in the step.
        price_floor: Lower end of the price band, the same for all homes.
        price_cap: Upper end of the price band.
        emission_factor_kg_per_kwh: Emission factor of the grid.
        deficit_kwh: Sum of positive net loads of each pool's homes before batteries [agent].
        surplus_kwh: Sum of negative net loads of each pool's homes before batteries [agent].
        state: State of the pools.
        scheme: Description of the pools.
    """

    hour: Int[Array, ""]
    prices: Prices
    price_floor: Float[Array, ""]
    price_cap: Float[Array, ""]
    emission_factor_kg_per_kwh: Float[Array, ""]
    deficit_kwh: Float[Array, " agent"]
    surplus_kwh: Float[Array, " agent"]
    state: PricingState
    scheme: PricingScheme

    @property
    def price_span(self) -> Float[Array, ""]:
        """Width of the price band."""
        return self.price_cap - self.price_floor


def initial_state(scheme: PricingScheme) -> PricingState:
    """Return the state before the first step, in which no agent has posted a price.

    Args:
        scheme: Description of the pools.
    """
    agents = scheme.energy_scale_kwh.shape[0]
    homes = scheme.members[0].shape[-1]
    zero = jnp.zeros(agents, jnp.float32)
    return PricingState(
        price_shares=jnp.full((agents, 2), USE_RULE, jnp.float32),
        demand_kwh=zero,
        supply_kwh=zero,
        price=jnp.full(agents, jnp.nan, jnp.float32),
        savings=jnp.zeros(homes, jnp.float32),
    )


def build_context(
    scheme: PricingScheme,
    state: PricingState,
    prices: Prices,
    hour: Int[Array, ""],
    emission_factor_kg_per_kwh: Float[Array, ""],
    net_kwh: Float[Array, " home"],
) -> PricingContext:
    """Collect the information that is available before a step.

    Args:
        scheme: Description of the pools.
        state: State of the pools.
        prices: Prices of the grid side in the step.
        hour: Local hour of the day.
        emission_factor_kg_per_kwh: Emission factor of the grid; NaN counts as zero.
        net_kwh: Load minus PV generation of each home.
    """
    members = scheme.all_members
    floor = prices.feed_in.mean()
    cap = jnp.where(scheme.individually_rational, prices.reservation_price, prices.retail).mean()
    return PricingContext(
        hour=hour,
        prices=prices,
        price_floor=floor,
        price_cap=jnp.maximum(floor, cap),
        emission_factor_kg_per_kwh=jnp.nan_to_num(emission_factor_kg_per_kwh),
        deficit_kwh=sum_by_pool(members, jnp.maximum(net_kwh, 0.0)),
        surplus_kwh=sum_by_pool(members, jnp.maximum(-net_kwh, 0.0)),
        state=state,
        scheme=scheme,
    )


def post_prices(context: PricingContext) -> PostedPrices:
    """Return the posted prices of the step for each level and home.

    Prices are clipped to the band, whatever agents and rules return.

    Args:
        context: Information before the step.
    """
    scheme = context.scheme
    floor = context.price_floor
    shares = context.state.price_shares
    rule_price = jnp.clip(scheme.rule(context), floor, context.price_cap)
    uses_rule = shares[:, 0] < 0
    clipped = jnp.clip(shares, 0.0, 1.0)
    buy = jnp.where(uses_rule, rule_price, floor + clipped[:, 0] * context.price_span)
    sell_share = jnp.where(uses_rule | scheme.single_price, 1.0, clipped[:, 1])
    sell = floor + sell_share * (buy - floor)
    return PostedPrices(_by_level(scheme, buy), _by_level(scheme, sell))


def update_state(
    context: PricingContext,
    prices: Prices,
    orders: Orders,
    stages: Sequence[Fills],
    shares: Float[Array, "agent 2"] | None,
) -> tuple[PricingState, LevelFlows]:
    """Update the state of the pools after a step, and collect the trades of each level.

    Args:
        context: Information before the step.
        prices: Prices of the step, posted prices included.
        orders: Orders as they entered the market.
        stages: Fills of each local level.
        shares: Price shares that agents post for the next step; when None, those of the trained
            policy, or the rule if there is none.
    """
    scheme = context.scheme
    posted = prices.posted
    assert posted is not None
    if shares is None:
        rule_shares = jnp.full_like(context.state.price_shares, USE_RULE)
        shares = rule_shares if scheme.policy is None else scheme.policy(context)
    home_demand = orders.buy_kwh
    home_supply = orders.sell_kwh
    demand = []
    supply = []
    price = []
    for level, (members, fills) in enumerate(zip(scheme.members, stages, strict=True)):
        demand.append(sum_by_pool(members, home_demand))
        supply.append(sum_by_pool(members, home_supply))
        price.append(safe_divide(sum_by_pool(members, posted.buy[level]), members.sum(-1)))
        home_demand = home_demand - fills.bought_kwh
        home_supply = home_supply - fills.sold_kwh
    bought, sold, paid, earned = (
        jnp.stack(parts) for parts in zip(*(fills[:4] for fills in stages), strict=True)
    )
    gain = prices.reservation_price * bought - paid + earned - prices.feed_in * sold
    state = PricingState(
        price_shares=shares,
        demand_kwh=jnp.concatenate(demand),
        supply_kwh=jnp.concatenate(supply),
        price=jnp.concatenate(price),
        savings=context.state.savings + gain.sum(0),
    )
    return state, LevelFlows(bought, sold, paid, earned, posted)


def _by_level(scheme: PricingScheme, values: Float[Array, " agent"]) -> Float[Array, "level home"]:
    """Return each home's value at every level from the values of the agents."""
    rows = []
    first = 0
    for members in scheme.members:
        count = members.shape[0]
        rows.append(pool_value_of_homes(members, values[first : first + count]))
        first += count
    return jnp.stack(rows)


# Price rules: the price that buyers pay and sellers earn in each pool, before it is clipped to the
# band.


def fixed_price_rule(context: PricingContext, *, price: Float[Array, ""]) -> Float[Array, " agent"]:
    """Return the same price in every step.

    Args:
        context: Information before the step.
        price: Price per kWh.
    """
    return jnp.broadcast_to(price, context.deficit_kwh.shape)


def mid_market_rule(context: PricingContext) -> Float[Array, " agent"]:
    """Return the midpoint of the price band."""
    midpoint = (context.price_floor + context.price_cap) / 2
    return jnp.broadcast_to(midpoint, context.deficit_kwh.shape)


def supply_demand_rule(context: PricingContext) -> Float[Array, " agent"]:
    """Return a price that falls from cap to floor as the last step's supply rises to its demand.

    References:
        Liu et al. 2017, as in `pool.supply_demand_ratio`, but known before homes act.
    """
    floor = context.price_floor
    cap = context.price_cap
    demand = context.state.demand_kwh
    supply = context.state.supply_kwh
    covered = jnp.minimum(safe_divide(supply, demand), 1.0)
    share = jnp.where(demand > 0, covered, (supply > 0).astype(demand.dtype))
    slope = context.price_span * share + floor
    curve = safe_divide(jnp.broadcast_to(floor * cap, slope.shape), slope)
    # Liu's curve needs a positive feed-in price; otherwise the price falls linearly.
    return jnp.where(floor > 0, curve, cap - share * context.price_span)


def feedback_rule(context: PricingContext, *, gain: Float[Array, ""]) -> Float[Array, " agent"]:
    """Return the last price, raised by a shortage and lowered by a surplus of the last step.

    The first price is the midpoint of the band.

    Args:
        context: Information before the step.
        gain: Price move where one side was empty, as a share of the band.
    """
    demand = context.state.demand_kwh
    supply = context.state.supply_kwh
    price = context.state.price
    midpoint = (context.price_floor + context.price_cap) / 2
    last = jnp.where(jnp.isnan(price), midpoint, price)
    return last + gain * context.price_span * safe_divide(demand - supply, demand + supply)


posted_price_rules: Registry[Callable[[MarketOptions], Partial]] = Registry(
    "price rule", group="prosumax.mechanisms", package="prosumax.market"
)
"""Rules that set posted prices, by name."""

posted_price_rules.register("fixed", "The same price in every step: `market.price`.")(
    lambda options: Partial(fixed_price_rule, price=jnp.float32(options.price))
)
posted_price_rules.register("mid-market", "Midpoint of the retail and the feed-in price.")(
    lambda options: Partial(mid_market_rule)
)
posted_price_rules.register("supply-demand", "Supply-demand ratio of the last step (Liu 2017).")(
    lambda options: Partial(supply_demand_rule)
)
posted_price_rules.register(
    "feedback", "Last price, moved by the balance of the last step (`market.feedback_gain`)."
)(lambda options: Partial(feedback_rule, gain=jnp.float32(options.feedback_gain)))


# Observations of price agents: terms like those of homes, [column] or [agent, column].

PriceObservation = Callable[[PricingContext], Float[Array, "..."]]
"""Function from the context to one term of the observation."""

price_observations: Registry[PriceObservation] = Registry(
    "price observation", group="prosumax.mechanisms", package="prosumax.market"
)
"""Observation terms of price agents, by name."""


@price_observations.register("hour", "Sine and cosine of the hour; between -1 and 1.")
def _hour(context: PricingContext) -> Float[Array, "..."]:
    angle = 2 * jnp.pi * context.hour / 24.0
    return jnp.stack([jnp.sin(angle), jnp.cos(angle)])


@price_observations.register("hour_of_day", "One-hot encoding of the hour of the day; 0 or 1.")
def _hour_of_day(context: PricingContext) -> Float[Array, "..."]:
    return (jnp.arange(24) == context.hour).astype(jnp.float32)


@price_observations.register(
    "retail", "Retail price in the coming step over the highest price of the period."
)
def _retail(context: PricingContext) -> Float[Array, "..."]:
    return (context.prices.retail.mean() / context.scheme.max_price)[None]


@price_observations.register(
    "feed_in", "Feed-in price in the coming step over the highest price of the period."
)
def _feed_in(context: PricingContext) -> Float[Array, "..."]:
    return (context.price_floor / context.scheme.max_price)[None]


@price_observations.register(
    "emission_factor",
    "Emission factor of the grid in the coming step over the highest; 0 when unknown.",
)
def _emission_factor(context: PricingContext) -> Float[Array, "..."]:
    return (context.emission_factor_kg_per_kwh / context.scheme.max_emission_factor)[None]


@price_observations.register(
    "deficit",
    "Deficit of the pool's homes in the coming step before batteries, over the largest net load.",
)
def _deficit(context: PricingContext) -> Float[Array, "..."]:
    return (context.deficit_kwh / context.scheme.energy_scale_kwh)[:, None]


@price_observations.register(
    "surplus",
    "Surplus of the pool's homes in the coming step before batteries, over the largest net load.",
)
def _surplus(context: PricingContext) -> Float[Array, "..."]:
    return (context.surplus_kwh / context.scheme.energy_scale_kwh)[:, None]


@price_observations.register(
    "demand", "Demand brought to the pool in the last step, over the largest net load."
)
def _demand(context: PricingContext) -> Float[Array, "..."]:
    return (context.state.demand_kwh / context.scheme.energy_scale_kwh)[:, None]


@price_observations.register(
    "supply", "Supply brought to the pool in the last step, over the largest net load."
)
def _supply(context: PricingContext) -> Float[Array, "..."]:
    return (context.state.supply_kwh / context.scheme.energy_scale_kwh)[:, None]


@price_observations.register(
    "last_price",
    "Price the pool's buyers paid in the last step, over the highest; 0 before the first step.",
)
def _last_price(context: PricingContext) -> Float[Array, "..."]:
    return (jnp.nan_to_num(context.state.price) / context.scheme.max_price)[:, None]


_COLUMN_SUFFIXES = {
    "hour": ("_sin", "_cos"),
    "hour_of_day": tuple(f"_{hour + 1}" for hour in range(24)),
}


def price_observation_columns(names: Sequence[str]) -> list[str]:
    """Return the name of every column of a price agent's observation.

    Args:
        names: Names of the observation terms.
    """
    return [name + suffix for name in names for suffix in _COLUMN_SUFFIXES.get(name, ("",))]


def observe_prices(
    context: PricingContext, terms: Sequence[PriceObservation]
) -> Float[Array, "agent feature"]:
    """Return the observation of every price agent.

    Args:
        context: Information before the step.
        terms: Observation terms, concatenated in order.
    """
    agents = context.deficit_kwh.shape[0]
    columns = [jnp.asarray(term(context)) for term in terms]
    wide = [jnp.broadcast_to(value, (agents, value.shape[-1])) for value in columns]
    return jnp.concatenate(wide, axis=1)
