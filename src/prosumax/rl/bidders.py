"""Baselines for bids: homes that do not learn, as functions of what the environment's state says; all homes at once.

A bidder has a memory, mostly empty; `play` lets one meet an environment for many episodes. Those that work out a
quantity keep to what the home can deliver or take, so that the environment has nothing to limit.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax import tariff
from prosumax.devices import battery
from prosumax.registry import Registry
from prosumax.rl.actions import BUY, SELL, RawBid, feasible, usual_kwh
from prosumax.rl.env import CommunityEnv, EnvConfig
from prosumax.rl.observations.home_terms import row
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.types import Prices

Memory = Any
"""What a bidder keeps from step to step: any pytree."""


class Bidder(NamedTuple):
    """A rule for bidding.

    Attributes:
        init: (params, key) -> memory before the first step.
        act: (params, state, memory, key) -> every home's bid.
        update: (params, state it acted on, memory, bid, what the step returned) -> memory.
    """

    init: Callable[[EnvParams, PRNGKeyArray], Memory]
    act: Callable[[EnvParams, EnvState, Memory, PRNGKeyArray], RawBid]
    update: Callable[[EnvParams, EnvState, Memory, RawBid, TimeStep], Memory]


bidders: Registry[Bidder] = Registry("bidder")
"""Every baseline by name."""


class Outlook(NamedTuple):
    """What a home knows before it bids.

    Attributes:
        need_kwh: its use less its sun in the coming step.
        most_sold, most_bought: what it can deliver and take, within the market's bounds (equation 11).
        charge_kwh, discharge_kwh: what its battery can take and give.
        soc: state of charge within the battery's limits, 0 to 1; NaN without one.
        prices: what the grid side offers.
        hour: of the day.
    """

    need_kwh: Float[Array, " home"]
    most_sold: Float[Array, " home"]
    most_bought: Float[Array, " home"]
    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    soc: Float[Array, " home"]
    prices: Prices
    hour: Int[Array, ""]


def outlook(params: EnvParams, state: EnvState) -> Outlook:
    """The outlook of every home on the coming step."""
    community, homes = params.community, state.community.homes
    now = row(community.series, state.start + state.time)
    prices = tariff.offered_prices(now.tariff, community.rates, state.load_kwh.shape[0])
    sold, bought = feasible(params, state)
    charge, discharge = battery.reach(community.homes.battery, homes.battery, community.step_hours)
    device, most = community.homes.battery, params.scales.energy_kwh
    usable = (device.soc_max - device.soc_min) * device.capacity_kwh
    above = homes.battery.stored_kwh - device.soc_min * device.capacity_kwh
    soc = jnp.where(
        usable > 0, jnp.clip(above / jnp.where(usable > 0, usable, 1.0), 0.0, 1.0), jnp.nan
    )
    need = state.load_kwh + usual_kwh(params, state) - state.solar_kwh
    return Outlook(
        need,
        jnp.minimum(sold, most),
        jnp.minimum(bought, most),
        charge,
        discharge,
        soc,
        prices,
        now.hour,
    )


def bid(
    params: EnvParams,
    quantity_kwh: Float[Array, " home"],
    price: Float[Array, " home"],
    partner: Int[Array, " home"] | None = None,
) -> RawBid:
    """A bid from energy (positive buys) and a price per kWh; prices beyond the market's bounds become the bound.

    Arguments:
        params: with those bounds.
        quantity_kwh, price: of each home's order.
        partner: as in `RawBid`; no preference when absent.
    """
    scales, homes = params.scales, quantity_kwh.shape[0]
    anyone = jnp.full(homes, homes + 1, jnp.int32)
    return RawBid(
        price=jnp.clip(
            (price - scales.lowest_price) / (scales.price - scales.lowest_price), 0.0, 1.0
        ),
        quantity=jnp.clip(jnp.abs(quantity_kwh) / scales.energy_kwh, 0.0, 1.0),
        side=jnp.where(quantity_kwh > 0, BUY, SELL).astype(jnp.int32),
        partner=anyone if partner is None else partner.astype(jnp.int32),
    )


def zero_intelligence(
    params: EnvParams, state: EnvState, key: PRNGKeyArray, budget: bool
) -> RawBid:
    """Everything drawn evenly: a side that is possible, a quantity up to what is, a price, and one of all partners.

    Arguments:
        params, state: of the environment.
        key: of the draw.
        budget: whether nobody bids over the retail price or asks below the feed-in price (ZI-C of Gode and Sunder 1993,
            Journal of Political Economy 101(1)); otherwise any price in the market's bounds (MARLEM, section 4.2).
    """
    sees, homes = outlook(params, state), state.load_kwh.shape[0]
    side_key, quantity_key, price_key, partner_key = jax.random.split(key, 4)
    coin = jax.random.bernoulli(side_key, shape=(homes,))
    buys = jnp.where(sees.most_sold <= 0, True, jnp.where(sees.most_bought <= 0, False, coin))
    most = jnp.where(buys, sees.most_bought, -sees.most_sold)
    lowest, highest = params.scales.lowest_price, params.scales.price
    if budget:
        floor = jnp.where(buys, lowest, jnp.clip(sees.prices.feed_in, lowest, highest))
        roof = jnp.where(buys, jnp.clip(sees.prices.reservation_price, lowest, highest), highest)
    else:
        floor, roof = jnp.full(homes, lowest), jnp.full(homes, highest)
    price = floor + jax.random.uniform(price_key, (homes,)) * (roof - floor)
    quantity = jax.random.uniform(quantity_key, (homes,)) * most
    return bid(params, quantity, price, jax.random.randint(partner_key, (homes,), 0, homes + 2))


def truthful(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """Net need or surplus at what the grid side would charge or pay; the battery rests."""
    sees = outlook(params, state)
    return bid(params, sees.need_kwh, _worth(sees, sees.need_kwh))


def self_consumption(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """The battery serves the home first; what is left over is traded truthfully."""
    sees = outlook(params, state)
    quantity = _after_battery(sees)
    return bid(params, quantity, _worth(sees, quantity))


def linear_ramp(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """Prices between feed-in and retail on a straight line: the fuller the battery, the cheaper, buying and selling.

    It trades towards a battery half full. Without a battery the price ramps with the hour of the day instead: buyers
    begin at the feed-in price and end at retail, sellers the other way round.
    """
    sees = outlook(params, state)
    has, time = ~jnp.isnan(sees.soc), sees.hour / 23.0
    device = params.community.homes.battery
    usable = (device.soc_max - device.soc_min) * device.capacity_kwh
    wanted = sees.need_kwh + jnp.where(has, (0.5 - jnp.where(has, sees.soc, 0.5)) * usable, 0.0)
    quantity = jnp.clip(wanted, -sees.most_sold, sees.most_bought)
    scarcity = jnp.where(has, 1.0 - sees.soc, jnp.where(quantity > 0, time, 1.0 - time))
    low, high = sees.prices.feed_in, sees.prices.reservation_price
    return bid(params, quantity, low + scarcity * (high - low))


class Margins(NamedTuple):
    """Memory of zero-intelligence-plus: of each home as a seller (0) and as a buyer (1) [side, home].

    Attributes:
        margin: how far the price is over the limit price, as a share of the span of prices; not below 0 for sellers,
            not above for buyers.
        momentum: last change of the margin.
        rate, damping: of learning; drawn once for each home.
        key: of the targets.
    """

    margin: Float[Array, "side home"]
    momentum: Float[Array, "side home"]
    rate: Float[Array, " home"]
    damping: Float[Array, " home"]
    key: PRNGKeyArray


def plus_init(params: EnvParams, key: PRNGKeyArray) -> Margins:
    """Margins of 5 to 35 %, learning rates of 0.1 to 0.5, damping of at most 0.1 (Cliff 1997)."""
    homes = params.community.homes.battery.capacity_kwh.shape
    start, rate, damping, key = jax.random.split(key, 4)
    margin = jax.random.uniform(start, (2, *homes), minval=0.05, maxval=0.35) * jnp.array(
        [[1.0], [-1.0]]
    )
    rates = jax.random.uniform(rate, homes, minval=0.1, maxval=0.5)
    return Margins(
        margin, jnp.zeros_like(margin), rates, jax.random.uniform(damping, homes, maxval=0.1), key
    )


def plus_act(params: EnvParams, state: EnvState, memory: Margins, key: PRNGKeyArray) -> RawBid:
    """The battery serves the home first; what is left over is traded at the limit price and the home's margin on it."""
    sees = outlook(params, state)
    quantity = _after_battery(sees)
    margin = jnp.where(quantity > 0, memory.margin[BUY], memory.margin[SELL])
    return bid(params, quantity, _worth(sees, quantity) + margin * _span(params))


def plus_update(
    params: EnvParams, state: EnvState, memory: Margins, sent: RawBid, step: TimeStep
) -> Margins:
    """Raise the margin where the market's price was better than one's own, lower it where an order stayed open.

    The target is the market's price, up to 5 % of itself and of the span of prices beyond it, but never a better one
    than before where an order stayed open; the margin moves towards it by the Widrow-Hoff rule with momentum. That of
    the side a home was not on stays.

    Source: Cliff 1997, HP Labs HPL-97-91. There shouts come one by one and margins are shares of the limit price; here
    orders meet once a step, and a limit price may be zero.
    """
    local, kpis, span = step.info["record"].local, step.info["kpis"], _span(params)
    at, home = sent.side, jnp.arange(sent.side.shape[0])
    up = jnp.where(at == BUY, -1.0, 1.0)  # the direction that is better for the home
    own = params.scales.lowest_price + sent.price * span
    ordered = sent.quantity * params.scales.energy_kwh
    left = ordered - local.bought_kwh - local.sold_kwh > 0.01 * ordered
    better = (kpis.liquidity > 0) & (up * (kpis.price - own) >= 0)
    draw_key, key = jax.random.split(memory.key)
    relative, absolute = jax.random.uniform(draw_key, (2, *own.shape), maxval=0.05)
    ahead, push = up * (kpis.price - own), relative * kpis.price + absolute * span
    ahead = jnp.where(better, ahead + push, jnp.where(left, jnp.minimum(ahead, 0.0) - push, 0.0))
    old, before = memory.margin[at, home], memory.momentum[at, home]
    change = memory.damping * before + (1 - memory.damping) * memory.rate * ahead * up / span
    # A bid at the market's bound may have wanted to go further; learning goes on from where it was sent.
    new = (own - _worth(outlook(params, state), jnp.where(at == BUY, 1.0, -1.0))) / span + change
    new = up * jnp.maximum(up * new, 0.0)
    moves = (ordered > 0) & (better | left)
    return memory._replace(
        margin=memory.margin.at[at, home].set(jnp.where(moves, new, old)),
        momentum=memory.momentum.at[at, home].set(jnp.where(moves, change, before)),
        key=key,
    )


def stateless(act: Callable[[EnvParams, EnvState, PRNGKeyArray], RawBid]) -> Bidder:
    """A bidder without a memory."""
    return Bidder(
        init=lambda params, key: (),
        act=lambda params, state, memory, key: act(params, state, key),
        update=lambda params, state, memory, sent, step: memory,
    )


bidders.register(
    "zero-intelligence",
    "Side, quantity, price and partner at random, within what is possible; never at a loss.",
)(stateless(partial(zero_intelligence, budget=True)))
bidders.register(
    "marlem-zero-intelligence", "The same at any price the market allows, as in the MARLEM paper."
)(stateless(partial(zero_intelligence, budget=False)))
bidders.register(
    "zero-intelligence-plus", "A profit margin that learns from the market's price (Cliff 1997)."
)(Bidder(plus_init, plus_act, plus_update))
bidders.register("truthful", "Its net need at the grid's prices; the battery rests.")(
    stateless(truthful)
)
bidders.register(
    "self-consumption",
    "The battery serves the home first, the rest is traded at the grid's prices.",
)(stateless(self_consumption))
bidders.register(
    "linear-ramp", "The fuller the battery the cheaper; without one the price ramps over the day."
)(stateless(linear_ramp))


class Played(NamedTuple):
    """Episodes: what every step returned but observations and states [episode, step, ..]; one has no first axis.

    Attributes:
        reward: of each home.
        info: as in `TimeStep`.
    """

    reward: Float[Array, "*episode step home"]
    info: dict[str, Any]


def play(
    env: CommunityEnv,
    bidder: str,
    key: PRNGKeyArray,
    episodes: int,
    params: EnvParams | None = None,
) -> Played:
    """Let a baseline play whole episodes, all at once.

    Arguments:
        env: with control `bid`.
        bidder: name of the baseline.
        key: of episode i is `fold_in(key, i)`.
        episodes: how many.
        params: instead of the environment's own; with a leading axis each episode has its own.
    """
    bidders.check(bidder, "bidder")
    keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(episodes))
    if params is not None:
        return _play_each(env.config, bidder, keys, params)
    return _play_one(env.config, bidder, keys, env.params)


def episode(config: EnvConfig, bidder: Bidder, key: PRNGKeyArray, params: EnvParams) -> Played:
    """One episode; pure."""
    env = CommunityEnv(config, params)
    start_key, memory_key, key = jax.random.split(key, 3)
    _, state = env.reset(start_key, params)

    def advance(
        carry: tuple[EnvState, Memory], number: Array
    ) -> tuple[tuple[EnvState, Memory], Played]:
        state, memory = carry
        act_key, step_key = jax.random.split(jax.random.fold_in(key, number))
        sent = bidder.act(params, state, memory, act_key)
        done = env.step(step_key, state, sent, params)
        memory = bidder.update(params, state, memory, sent, done)
        return (done.state, memory), Played(done.reward, done.info)

    return jax.lax.scan(
        advance, (state, bidder.init(params, memory_key)), jnp.arange(config.steps)
    )[1]


def _batch(
    config: EnvConfig, bidder: str, keys: Array, params: EnvParams, axis: int | None
) -> Played:
    one = partial(episode, config, bidders.get(bidder, "bidder"))
    return jax.vmap(one, in_axes=(0, axis))(keys, params)


_play_each = jax.jit(partial(_batch, axis=0), static_argnums=(0, 1))
_play_one = jax.jit(partial(_batch, axis=None), static_argnums=(0, 1))


def _worth(sees: Outlook, quantity_kwh: Float[Array, " home"]) -> Float[Array, " home"]:
    """The limit price of a truthful order."""
    return jnp.where(quantity_kwh > 0, sees.prices.reservation_price, sees.prices.feed_in)


def _after_battery(sees: Outlook) -> Float[Array, " home"]:
    """What is left of need or surplus when the battery has done what it can."""
    need = sees.need_kwh
    return jnp.where(
        need > 0,
        jnp.maximum(need - sees.discharge_kwh, 0.0),
        jnp.minimum(need + sees.charge_kwh, 0.0),
    )


def _span(params: EnvParams) -> Float[Array, ""]:
    return params.scales.price - params.scales.lowest_price
