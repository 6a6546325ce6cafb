"""Bidding baselines stay within feasible ranges and price as their rules state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.actions import BUY, SELL
from prosumax.rl.bidding import (
    ProfitMargins,
    bidders,
    bidding_context,
    encode_bid,
    rollout_bidder,
    zip_update,
)

NUM_EPISODES = 8


@pytest.fixture(scope="module")
def env():
    """Strategic batteries without a network, which compiles longer."""
    changes = {"period.steps": 240, "environment.episode_start": "first", "network": {}}
    return prosumax.make("marlem-battery-strategic", changes)


@pytest.fixture(scope="module")
def rollouts(env):
    return {name: rollout_bidder(env, name, jax.random.key(3), NUM_EPISODES) for name in bidders}


def act(name, params, state, key):
    return bidders.get(name, "test").act(params, state, (), key)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(bidders))
def test_bids_are_feasible(name, env, rollouts):
    rollout = rollouts[name]
    assert rollout.reward.shape == (NUM_EPISODES, 24, 7)
    assert np.isfinite(rollout.reward).all()
    tolerance = 1e-4 * float(env.params.scales.max_order_kwh)
    assert float(rollout.info["infeasible_kwh"].max()) <= tolerance


@pytest.mark.parametrize(
    "name", ["truthful", "self-consumption", "linear-ramp", "zero-intelligence-plus"]
)
def test_bidders_that_cover_their_deficit_leave_no_unmet_demand(name, rollouts):
    flows = rollouts[name].info["record"].flows
    deficit = np.maximum(flows.load_kwh - flows.solar_kwh, 0).sum()
    assert float(flows.import_kwh.sum()) <= float(flows.load_kwh.sum() + flows.charge_kwh.sum())
    unmet_penalty = np.asarray(rollouts[name].info["reward_terms"])[:, :, -1]
    assert deficit > 0 and (name == "linear-ramp" or np.abs(unmet_penalty).max() < 1e-4)


def test_budget_constraint_prevents_losses(env, rollouts):
    """Constrained bidders sell at feed-in or above and buy at retail or below; others may not."""
    prices = env.params.community.series.tariff
    feed_in = np.asarray(prices.feed_in)[:24, None]
    retail = np.asarray(prices.energy)[:24, None]

    def smallest_gain(name):
        local = rollouts[name].info["record"].local
        seller_gain = local.earned - feed_in * local.sold_kwh
        buyer_gain = retail * local.bought_kwh - local.paid
        return min(seller_gain.min(), buyer_gain.min())

    assert smallest_gain("zero-intelligence") >= -1e-3 and smallest_gain("truthful") >= -1e-3
    assert smallest_gain("marlem-zero-intelligence") < -0.1


def test_zero_intelligence_covers_the_whole_action_space(env):
    _, state = env.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 500)
    bids = jax.vmap(lambda key: act("marlem-zero-intelligence", env.params, state, key))(keys)
    context = bidding_context(env.params, state)
    quantity = np.asarray(bids.quantity) * float(env.params.scales.max_order_kwh)
    for side, limit in ((BUY, context.max_buy_kwh), (SELL, context.max_sell_kwh)):
        chosen = np.asarray(bids.side) == side
        assert (quantity <= np.asarray(limit) * 1.0001 + 1e-4)[chosen].all()
        assert quantity[chosen].max() > 0.9 * float(limit.max())
        assert 0.4 < chosen.mean() < 0.6
    assert set(np.unique(bids.partner)) == set(range(9))
    assert np.asarray(bids.price).min() < 0.01 and np.asarray(bids.price).max() > 0.99


def test_home_that_cannot_sell_only_buys():
    env = prosumax.make("marlem-battery-none", {"period.steps": 24})
    # At midnight there is no PV generation, and the homes have no battery.
    _, state = env.reset(jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), 50)
    bids = jax.vmap(lambda key: act("zero-intelligence", env.params, state, key))(keys)
    assert (np.asarray(bids.side) == BUY).all()


def test_quantities_of_truthful_and_self_consumption_by_hand(env):
    _, state = env.reset(jax.random.key(0))
    context = bidding_context(env.params, state)
    net_load = np.asarray(context.net_load_kwh)
    discharge = np.asarray(context.discharge_kwh)
    assert (net_load > 0).all()

    def quantity(name):
        bid = act(name, env.params, state, jax.random.key(0))
        return np.asarray(env.decode(bid).quantity_kwh)

    assert np.allclose(quantity("truthful"), net_load, rtol=1e-5)
    residual = np.maximum(net_load - discharge, 0)
    assert np.allclose(quantity("self-consumption"), residual, atol=1e-3)


def test_decoding_inverts_encoding(env):
    quantity = jnp.array([10.0, -20, 0, 30, -1, 5, 2])
    price = jnp.array([0.05, 0.1, 0.2, 0.28, 0.035, 0.15, 9.0])
    partner = jnp.array([0, 2, 7, 8, 1, 6, 5])
    bid = env.decode(encode_bid(env.params, quantity, price, partner))
    assert np.allclose(bid.quantity_kwh, quantity, atol=1e-4)
    assert np.allclose(bid.price, jnp.minimum(price, 0.28), atol=1e-6)
    assert bid.partner.tolist() == [-1, 2, -2, -1, 1, 6, 5]


@pytest.mark.parametrize("is_filled", [True, False])
def test_margins_rise_with_a_good_price_and_fall_with_an_open_order(env, is_filled):
    """One home sells and one buys at prices worse than the market's, or both orders stay open."""
    _, state = env.reset(jax.random.key(0))
    homes = 7
    price_range = float(env.params.scales.max_price - env.params.scales.min_price)
    prices = bidding_context(env.params, state).prices
    margin = jnp.stack([jnp.full(homes, 0.1), jnp.full(homes, -0.1)])
    memory = ProfitMargins(
        margin=margin,
        momentum=jnp.zeros((2, homes)),
        rate=jnp.full(homes, 0.5),
        damping=jnp.zeros(homes),
        key=jax.random.key(0),
    )
    quantity = jnp.array([-10.0, 10, 0, 0, 0, 0, 0])
    limit_price = jnp.where(quantity > 0, prices.reservation_price, prices.feed_in)
    price = limit_price + jnp.where(quantity > 0, -0.1, 0.1) * price_range
    bid = encode_bid(env.params, quantity, price)
    timestep = env.step(jax.random.key(1), state, bid)
    traded = jnp.where(is_filled, jnp.abs(quantity), 0.0)
    record = timestep.info["record"]
    local = record.local._replace(
        bought_kwh=jnp.where(quantity > 0, traded, 0.0),
        sold_kwh=jnp.where(quantity < 0, traded, 0.0),
    )
    midpoint = (prices.feed_in[0] + prices.reservation_price[0]) / 2
    indicators = timestep.info["indicators"]._replace(
        clearing_price=midpoint, liquidity=traded.sum() / 2
    )
    info = {"record": record._replace(local=local), "indicators": indicators}
    timestep = timestep._replace(info=timestep.info | info)
    after = zip_update(env.params, state, memory, bid, timestep).margin
    seller, buyer = after[SELL, 0], after[BUY, 1]
    if is_filled:
        assert seller > 0.1 and buyer < -0.1
    else:
        assert seller <= 0.1 and buyer >= -0.1
    assert np.allclose(after[:, 2:], margin[:, 2:])


def test_key_determines_the_episodes(env, rollouts):
    rollout = rollout_bidder(env, "zero-intelligence", jax.random.key(3), NUM_EPISODES)
    assert np.array_equal(rollout.reward, rollouts["zero-intelligence"].reward)
    assert not np.array_equal(rollout.reward[0], rollout.reward[1])


def test_unknown_bidder_raises_an_input_error(env):
    with pytest.raises(InputError, match="truthful"):
        rollout_bidder(env, "truthfull", jax.random.key(0), 1)
