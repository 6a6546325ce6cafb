"""Bidding baselines: rules for the bids of homes that do not learn, applied to all homes at once.

A bidder keeps a memory, empty for most; `rollout_bidder` simulates episodes with one. Bidders that
compute a quantity limit it to the feasible range, so the environment has nothing to cut.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from prosumax import tariff
from prosumax.devices import battery
from prosumax.numerics import safe_divide
from prosumax.registry import Registry
from prosumax.rl.actions import BUY, SELL, RawBid, default_devices_kwh, tradable_kwh
from prosumax.rl.env import CommunityEnv, EnvConfig
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.simulation.community import inputs_at
from prosumax.types import Prices


class Bidder(NamedTuple):
    """Rule for the bids of all homes.

    Attributes:
        init: Function (params, key) that returns the memory before the first step.
        act: Function (params, state, memory, key) that returns the bids of all homes.
        update: Function (params, state, memory, bid, timestep) that returns the memory after a
            step; `state` is the one before it.
    """

    init: Callable[[EnvParams, PRNGKeyArray], PyTree]
    act: Callable[[EnvParams, EnvState, PyTree, PRNGKeyArray], RawBid]
    update: Callable[[EnvParams, EnvState, PyTree, RawBid, TimeStep], PyTree]


bidders: Registry[Bidder] = Registry("bidder", group="prosumax.policies", base=Bidder)
"""Bidding baselines by name."""


class BiddingContext(NamedTuple):
    """Information available to each home before it bids.

    Attributes:
        net_load_kwh: Load minus PV generation in the coming step.
        max_sell_kwh: Maximum sale within the feasible range and the market's bounds
            (MARLEM, equation 11a).
        max_buy_kwh: Maximum purchase within the feasible range and the market's bounds
            (MARLEM, equation 11b).
        charge_kwh: Energy that the battery can take in the step.
        discharge_kwh: Energy that the battery can deliver in the step.
        soc: State of charge between the battery's limits, 0 to 1; NaN without a battery.
        prices: Prices of the grid in the step.
        hour: Hour of the day.
    """

    net_load_kwh: Float[Array, " home"]
    max_sell_kwh: Float[Array, " home"]
    max_buy_kwh: Float[Array, " home"]
    charge_kwh: Float[Array, " home"]
    discharge_kwh: Float[Array, " home"]
    soc: Float[Array, " home"]
    prices: Prices
    hour: Int[Array, ""]


class ProfitMargins(NamedTuple):
    """Memory of zero-intelligence-plus bidders, as sellers (row 0) and as buyers (row 1).

    Attributes:
        margin: Distance of the bid to the limit price as a share of the price range; >= 0 for
            sellers, <= 0 for buyers.
        momentum: Last change of the margin.
        rate: Learning rate of each home.
        damping: Momentum coefficient of each home.
        key: PRNG key of the target prices.
    """

    margin: Float[Array, "side home"]
    momentum: Float[Array, "side home"]
    rate: Float[Array, " home"]
    damping: Float[Array, " home"]
    key: PRNGKeyArray


class BidderRollout(NamedTuple):
    """Results of simulated episodes, with or without a leading episode axis.

    Attributes:
        reward: Reward of each home in every step.
        info: Entries of `TimeStep.info` of every step.
    """

    reward: Float[Array, "*episode step home"]
    info: dict[str, PyTree]


def bidding_context(params: EnvParams, state: EnvState) -> BiddingContext:
    """Compute the information available to each home before the coming step.

    Args:
        params: Parameters of the environment.
        state: State before the step.
    """
    community = params.community
    homes = state.community.homes
    inputs = inputs_at(community.series, state.start_step + state.time)
    device = community.homes.battery
    max_sell, max_buy = tradable_kwh(params, state)
    charge, discharge = battery.energy_limits_kwh(device, homes.battery, community.step_hours)
    usable = _usable_kwh(params)
    above = homes.battery.stored_kwh - device.soc_min * device.capacity_kwh
    soc = jnp.clip(safe_divide(above, usable), 0.0, 1.0)
    return BiddingContext(
        net_load_kwh=state.load_kwh + default_devices_kwh(params, state) - state.solar_kwh,
        max_sell_kwh=jnp.minimum(max_sell, params.scales.max_order_kwh),
        max_buy_kwh=jnp.minimum(max_buy, params.scales.max_order_kwh),
        charge_kwh=charge,
        discharge_kwh=discharge,
        soc=jnp.where(usable > 0, soc, jnp.nan),
        prices=tariff.grid_prices(inputs.tariff, community.rates, state.load_kwh.shape[0]),
        hour=inputs.hour,
    )


def encode_bid(
    params: EnvParams,
    quantity_kwh: Float[Array, " home"],
    price: Float[Array, " home"],
    partner: Int[Array, " home"] | None = None,
) -> RawBid:
    """Convert energy and prices to normalized bids; prices are clipped to the market's bounds.

    Args:
        params: Parameters with the bounds of prices and quantities.
        quantity_kwh: Ordered energy; positive buys, negative sells.
        price: Limit price per kWh.
        partner: Index of the partner as in `RawBid`; None for no preference.
    """
    homes = quantity_kwh.shape[0]
    scales = params.scales
    if partner is None:
        partner = jnp.full(homes, homes + 1)
    return RawBid(
        price=jnp.clip((price - scales.min_price) / _price_range(params), 0.0, 1.0),
        quantity=jnp.clip(jnp.abs(quantity_kwh) / scales.max_order_kwh, 0.0, 1.0),
        side=jnp.where(quantity_kwh > 0, BUY, SELL).astype(jnp.int32),
        partner=partner.astype(jnp.int32),
    )


def zero_intelligence(
    params: EnvParams, state: EnvState, key: PRNGKeyArray, budget_constrained: bool
) -> RawBid:
    """Bid a random feasible side and quantity at a random price to a random partner.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        key: PRNG key.
        budget_constrained: True for no bids above the retail price and no asks below the feed-in
            price (ZI-C); False for any price within the market's bounds (MARLEM section 4.2).

    References:
        Gode, D. K. and Sunder, S. (1993). Allocative efficiency of markets with zero-intelligence
        traders. Journal of Political Economy 101(1), 119-137.
    """
    context = bidding_context(params, state)
    homes = state.load_kwh.shape[0]
    side_key, quantity_key, price_key, partner_key = jax.random.split(key, 4)
    side = jax.random.bernoulli(side_key, shape=(homes,))
    can_buy = context.max_buy_kwh > 0
    buys = jnp.where(context.max_sell_kwh <= 0, True, can_buy & side)
    max_order = jnp.where(buys, context.max_buy_kwh, -context.max_sell_kwh)
    low = jnp.full(homes, params.scales.min_price)
    high = jnp.full(homes, params.scales.max_price)
    if budget_constrained:
        min_ask = jnp.clip(context.prices.feed_in, low, high)
        max_bid = jnp.clip(context.prices.reservation_price, low, high)
        low = jnp.where(buys, low, min_ask)
        high = jnp.where(buys, max_bid, high)
    price = low + jax.random.uniform(price_key, (homes,)) * (high - low)
    quantity = jax.random.uniform(quantity_key, (homes,)) * max_order
    partner = jax.random.randint(partner_key, (homes,), 0, homes + 2)
    return encode_bid(params, quantity, price, partner)


def truthful(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """Bid the net load at the grid's prices; the battery is idle.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        key: Not used.
    """
    context = bidding_context(params, state)
    return encode_bid(params, context.net_load_kwh, _limit_price(context, context.net_load_kwh))


def self_consumption(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """Balance the meter with the battery first, and bid the residual net load truthfully.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        key: Not used.
    """
    context = bidding_context(params, state)
    quantity = _residual_load(context)
    return encode_bid(params, quantity, _limit_price(context, quantity))


def linear_ramp(params: EnvParams, state: EnvState, key: PRNGKeyArray) -> RawBid:
    """Bid prices that fall linearly with the state of charge, from retail to feed-in.

    The quantity aims at a half-full battery. Without a battery the price follows the hour of the
    day: buyers ramp from the feed-in to the retail price, sellers the other way round.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        key: Not used.
    """
    context = bidding_context(params, state)
    has_battery = ~jnp.isnan(context.soc)
    missing_share = 0.5 - jnp.where(has_battery, context.soc, 0.5)
    missing = jnp.where(has_battery, missing_share * _usable_kwh(params), 0.0)
    quantity = jnp.clip(context.net_load_kwh + missing, -context.max_sell_kwh, context.max_buy_kwh)
    time_of_day = context.hour / 23.0
    ramp = jnp.where(quantity > 0, time_of_day, 1.0 - time_of_day)
    scarcity = jnp.where(has_battery, 1.0 - context.soc, ramp)
    low = context.prices.feed_in
    high = context.prices.reservation_price
    return encode_bid(params, quantity, low + scarcity * (high - low))


def zip_init(params: EnvParams, key: PRNGKeyArray) -> ProfitMargins:
    """Draw the initial margins, learning rates and damping of zero-intelligence-plus bidders.

    Margins are 5 to 35 %, learning rates 0.1 to 0.5, damping at most 0.1 (Cliff 1997).

    Args:
        params: Parameters of the environment.
        key: PRNG key.
    """
    shape = params.community.homes.battery.capacity_kwh.shape
    margin_key, rate_key, damping_key, key = jax.random.split(key, 4)
    sign = jnp.array([[1.0], [-1.0]])
    margin = jax.random.uniform(margin_key, (2, *shape), minval=0.05, maxval=0.35) * sign
    return ProfitMargins(
        margin=margin,
        momentum=jnp.zeros_like(margin),
        rate=jax.random.uniform(rate_key, shape, minval=0.1, maxval=0.5),
        damping=jax.random.uniform(damping_key, shape, maxval=0.1),
        key=key,
    )


def zip_act(params: EnvParams, state: EnvState, memory: ProfitMargins, key: PRNGKeyArray) -> RawBid:
    """Bid the residual net load after the battery at the limit price plus the margin.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        memory: Margins of the homes.
        key: Not used.
    """
    context = bidding_context(params, state)
    quantity = _residual_load(context)
    margin = jnp.where(quantity > 0, memory.margin[BUY], memory.margin[SELL])
    price = _limit_price(context, quantity) + margin * _price_range(params)
    return encode_bid(params, quantity, price)


def zip_update(
    params: EnvParams,
    state: EnvState,
    memory: ProfitMargins,
    bid: RawBid,
    timestep: TimeStep,
) -> ProfitMargins:
    """Raise margins where the market price was better than the bid, lower those of open orders.

    The target is the market price, up to 5 % of itself and of the price range beyond it, but never
    better than before for an open order; the margin approaches it by the Widrow-Hoff rule with
    momentum. The margin of the other side does not change.

    Args:
        params: Parameters of the environment.
        state: State before the step.
        memory: Margins before the step.
        bid: Bids of the step.
        timestep: Result of the step.

    References:
        Cliff, D. (1997). Minimal-intelligence agents for bargaining behaviors in market-based
        environments. HP Labs HPL-97-91. There, shouts arrive one by one and margins are shares of
        the limit price; here, orders meet once per step and a limit price may be zero.
    """
    local = timestep.info["record"].local
    indicators = timestep.info["indicators"]
    price_range = _price_range(params)
    side = bid.side
    home = jnp.arange(side.shape[0])
    # Direction of prices that is better for the home.
    sign = jnp.where(side == BUY, -1.0, 1.0)
    own_price = params.scales.min_price + bid.price * price_range
    ordered = bid.quantity * params.scales.max_order_kwh
    is_open = ordered - local.bought_kwh - local.sold_kwh > 0.01 * ordered
    advantage = sign * (indicators.clearing_price - own_price)
    is_better = (indicators.liquidity > 0) & (advantage >= 0)
    draw_key, key = jax.random.split(memory.key)
    relative, absolute = jax.random.uniform(draw_key, (2, *own_price.shape), maxval=0.05)
    push = relative * indicators.clearing_price + absolute * price_range
    lowered = jnp.where(is_open, jnp.minimum(advantage, 0.0) - push, 0.0)
    target = jnp.where(is_better, advantage + push, lowered)
    old_margin = memory.margin[side, home]
    old_momentum = memory.momentum[side, home]
    change = (
        memory.damping * old_momentum
        + (1 - memory.damping) * memory.rate * target * sign / price_range
    )
    # Learning continues from the submitted price, which the market's bounds may have clipped.
    direction = jnp.where(side == BUY, 1.0, -1.0)
    limit_price = _limit_price(bidding_context(params, state), direction)
    new_margin = (own_price - limit_price) / price_range + change
    new_margin = sign * jnp.maximum(sign * new_margin, 0.0)
    is_updated = (ordered > 0) & (is_better | is_open)
    margin = jnp.where(is_updated, new_margin, old_margin)
    momentum = jnp.where(is_updated, change, old_momentum)
    return memory._replace(
        margin=memory.margin.at[side, home].set(margin),
        momentum=memory.momentum.at[side, home].set(momentum),
        key=key,
    )


def stateless(act: Callable[[EnvParams, EnvState, PRNGKeyArray], RawBid]) -> Bidder:
    """Build a bidder without a memory.

    Args:
        act: Function (params, state, key) that returns the bids of all homes.
    """
    return Bidder(
        init=lambda params, key: (),
        act=lambda params, state, memory, key: act(params, state, key),
        update=lambda params, state, memory, bid, timestep: memory,
    )


bidders.register(
    "zero-intelligence",
    "Random feasible side, quantity, price and partner; never at a loss (ZI-C).",
)(stateless(partial(zero_intelligence, budget_constrained=True)))
bidders.register(
    "marlem-zero-intelligence",
    "As zero-intelligence at any price the market allows, as in the MARLEM paper.",
)(stateless(partial(zero_intelligence, budget_constrained=False)))
bidders.register(
    "zero-intelligence-plus", "Profit margins that adapt to the market price (Cliff 1997)."
)(Bidder(zip_init, zip_act, zip_update))
bidders.register("truthful", "Net load at the grid's prices; the battery is idle.")(
    stateless(truthful)
)
bidders.register(
    "self-consumption",
    "Battery balances the home first; the residual is traded at the grid's prices.",
)(stateless(self_consumption))
bidders.register(
    "linear-ramp",
    "Prices fall with the state of charge; without a battery they follow the hour of the day.",
)(stateless(linear_ramp))


def rollout_bidder(
    env: CommunityEnv,
    bidder: str,
    key: PRNGKeyArray,
    num_episodes: int,
    params: EnvParams | None = None,
) -> BidderRollout:
    """Simulate whole episodes with a bidding baseline, all at once.

    Args:
        env: Environment in action mode `bid`.
        bidder: Name of the baseline.
        key: Source of randomness; episode i uses `fold_in(key, i)`.
        num_episodes: Number of episodes.
        params: Parameters with a leading episode axis; the environment's own if None.

    Raises:
        InputError: If the baseline does not exist.
    """
    bidders.check(bidder, "bidder")
    keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(num_episodes))
    rollout: BidderRollout
    if params is not None:
        rollout = _rollout_params(env.config, bidder, keys, params)
    else:
        rollout = _rollout_keys(env.config, bidder, keys, env.params)
    return rollout


def rollout_episode(
    config: EnvConfig, bidder: Bidder, key: PRNGKeyArray, params: EnvParams
) -> BidderRollout:
    """Simulate one episode with a bidding baseline; pure.

    Args:
        config: Static configuration of the environment.
        bidder: Bidding baseline.
        key: Source of randomness.
        params: Parameters of the environment.
    """
    env = CommunityEnv(config, params)
    reset_key, memory_key, key = jax.random.split(key, 3)
    _, state = env.reset(reset_key, params)

    def advance(
        carry: tuple[EnvState, PyTree], number: Array
    ) -> tuple[tuple[EnvState, PyTree], BidderRollout]:
        state, memory = carry
        act_key, step_key = jax.random.split(jax.random.fold_in(key, number))
        bid = bidder.act(params, state, memory, act_key)
        timestep = env.step(step_key, state, bid, params)
        memory = bidder.update(params, state, memory, bid, timestep)
        return (timestep.state, memory), BidderRollout(timestep.reward, timestep.info)

    carry = (state, bidder.init(params, memory_key))
    return jax.lax.scan(advance, carry, jnp.arange(config.episode_steps))[1]


def _batch(
    config: EnvConfig, bidder: str, keys: Array, params: EnvParams, params_axis: int | None
) -> BidderRollout:
    rollout = partial(rollout_episode, config, bidders.get(bidder, "bidder"))
    return jax.vmap(rollout, in_axes=(0, params_axis))(keys, params)


_rollout_params = jax.jit(partial(_batch, params_axis=0), static_argnums=(0, 1))
_rollout_keys = jax.jit(partial(_batch, params_axis=None), static_argnums=(0, 1))


def _limit_price(
    context: BiddingContext, quantity_kwh: Float[Array, " home"]
) -> Float[Array, " home"]:
    """Return the limit price of a truthful order."""
    prices = context.prices
    return jnp.where(quantity_kwh > 0, prices.reservation_price, prices.feed_in)


def _residual_load(context: BiddingContext) -> Float[Array, " home"]:
    """Compute the net load that remains after the battery."""
    net_load = context.net_load_kwh
    deficit = jnp.maximum(net_load - context.discharge_kwh, 0.0)
    surplus = jnp.minimum(net_load + context.charge_kwh, 0.0)
    return jnp.where(net_load > 0, deficit, surplus)


def _usable_kwh(params: EnvParams) -> Float[Array, " home"]:
    device = params.community.homes.battery
    return (device.soc_max - device.soc_min) * device.capacity_kwh


def _price_range(params: EnvParams) -> Float[Array, ""]:
    return params.scales.max_price - params.scales.min_price
