"""Baselines that bid: nothing that a home cannot do, and prices as their rules say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.actions import BUY, SELL
from prosumax.rl.bidders import Margins, bid, bidders, outlook, play, plus_update

EPISODES = 8


@pytest.fixture(scope="module")
def env():
    changes = {
        "period.steps": 240,
        "environment.starts": "first",
        "network": {},
    }  # no wires: they compile for longer
    return prosumax.make("marlem-battery-strategic", changes)


@pytest.fixture(scope="module")
def played(env):
    return {name: play(env, name, jax.random.key(3), EPISODES) for name in bidders}


@pytest.mark.parametrize("name", list(bidders))
def test_nobody_asks_for_what_it_cannot_do(name, env, played):
    found = played[name]
    assert found.reward.shape == (EPISODES, 24, 7) and np.isfinite(found.reward).all()
    assert float(found.info["limited_kwh"].max()) <= 1e-4 * float(env.params.scales.energy_kwh)


@pytest.mark.parametrize(
    "name", ["truthful", "self-consumption", "linear-ramp", "zero-intelligence-plus"]
)
def test_those_that_cover_their_need_leave_none_open(name, played):
    needs = np.maximum(
        played[name].info["record"].flows.load_kwh - played[name].info["record"].flows.solar_kwh, 0
    ).sum()
    imports = played[name].info["record"].flows
    assert float(imports.import_kwh.sum()) <= float(
        imports.load_kwh.sum() + imports.charge_kwh.sum()
    )
    unmet = np.asarray(played[name].info["reward_terms"])[:, :, -1]
    assert needs > 0 and (name == "linear-ramp" or np.abs(unmet).max() < 1e-4)


def test_a_budget_keeps_everybody_from_trading_at_a_loss(env, played):
    """Nobody with a budget sells below the feed-in price or buys over retail; some without one do."""
    prices = env.params.community.series.tariff
    feed_in, retail = (np.asarray(price)[:24, None] for price in (prices.feed_in, prices.energy))

    def worst(name):
        local = played[name].info["record"].local
        return min(
            (local.earned - feed_in * local.sold_kwh).min(),
            (retail * local.bought_kwh - local.paid).min(),
        )

    assert worst("zero-intelligence") >= -1e-3 and worst("truthful") >= -1e-3
    assert worst("marlem-zero-intelligence") < -0.1


def test_zero_intelligence_uses_all_it_may(env):
    obs, state = env.reset(jax.random.key(0))
    act = bidders.get("marlem-zero-intelligence", "test").act
    sent = jax.vmap(lambda key: act(env.params, state, (), key))(
        jax.random.split(jax.random.key(1), 500)
    )
    sees = outlook(env.params, state)
    kwh = np.asarray(sent.quantity) * float(env.params.scales.energy_kwh)
    for side, most in ((BUY, sees.most_bought), (SELL, sees.most_sold)):
        chosen = np.asarray(sent.side) == side
        assert (kwh <= np.asarray(most) * 1.0001 + 1e-4)[chosen].all()
        assert kwh[chosen].max() > 0.9 * float(most.max())
        assert 0.4 < chosen.mean() < 0.6
    assert set(np.unique(sent.partner)) == set(range(9))
    assert np.asarray(sent.price).min() < 0.01 and np.asarray(sent.price).max() > 0.99


def test_a_home_that_can_only_buy_only_buys():
    env = prosumax.make("marlem-battery-none", {"period.steps": 24})
    _, state = env.reset(jax.random.key(0))  # midnight: no sun, no battery
    act = bidders.get("zero-intelligence", "test").act
    sent = jax.vmap(lambda key: act(env.params, state, (), key))(
        jax.random.split(jax.random.key(1), 50)
    )
    assert (np.asarray(sent.side) == BUY).all()


def test_truthful_and_self_consumption_by_hand(env):
    _, state = env.reset(jax.random.key(0))
    sees = outlook(env.params, state)
    need, gives = np.asarray(sees.need_kwh), np.asarray(sees.discharge_kwh)
    assert (need > 0).all()
    kwh = {
        name: np.asarray(
            env.decode(
                bidders.get(name, "test").act(env.params, state, (), jax.random.key(0))
            ).quantity_kwh
        )
        for name in ("truthful", "self-consumption")
    }
    assert np.allclose(kwh["truthful"], need, rtol=1e-5)
    assert np.allclose(kwh["self-consumption"], np.maximum(need - gives, 0), atol=1e-3)


def test_a_bid_comes_back_from_the_decoder(env):
    wanted = jnp.array([10.0, -20, 0, 30, -1, 5, 2])
    price = jnp.array([0.05, 0.1, 0.2, 0.28, 0.035, 0.15, 9.0])
    back = env.decode(bid(env.params, wanted, price, jnp.array([0, 2, 7, 8, 1, 6, 5])))
    assert np.allclose(back.quantity_kwh, wanted, atol=1e-4)
    assert np.allclose(back.price, jnp.minimum(price, 0.28), atol=1e-6)
    assert back.partner.tolist() == [-1, 2, -2, -1, 1, 6, 5]


@pytest.mark.parametrize("filled", [True, False])
def test_margins_rise_with_a_good_price_and_fall_with_an_open_order(env, filled):
    """One home sells and one buys, both at a price worse than the market's, or both in vain."""
    _, state = env.reset(jax.random.key(0))
    homes, span = 7, float(env.params.scales.price - env.params.scales.lowest_price)
    sees = outlook(env.params, state)
    start = jnp.stack([jnp.full(homes, 0.1), jnp.full(homes, -0.1)])
    rate = jnp.full(homes, 0.5)
    memory = Margins(start, jnp.zeros((2, homes)), rate, jnp.zeros(homes), jax.random.key(0))
    quantity = jnp.array([-10.0, 10, 0, 0, 0, 0, 0])
    limit = jnp.where(quantity > 0, sees.prices.reservation_price, sees.prices.feed_in)
    sent = bid(env.params, quantity, limit + jnp.where(quantity > 0, -0.1, 0.1) * span)
    step = env.step(jax.random.key(1), state, sent)
    local = step.info["record"].local
    middle = (sees.prices.feed_in[0] + sees.prices.reservation_price[0]) / 2
    traded = jnp.where(filled, jnp.abs(quantity), 0.0)
    info = step.info | {
        "record": step.info["record"]._replace(
            local=local._replace(
                bought_kwh=jnp.where(quantity > 0, traded, 0.0),
                sold_kwh=jnp.where(quantity < 0, traded, 0.0),
            )
        ),
        "kpis": step.info["kpis"]._replace(price=middle, liquidity=traded.sum() / 2),
    }
    after = plus_update(env.params, state, memory, sent, step._replace(info=info)).margin
    seller, buyer = after[SELL, 0], after[BUY, 1]
    assert (seller > 0.1 and buyer < -0.1) if filled else (seller <= 0.1 and buyer >= -0.1)
    assert np.allclose(after[:, 2:], start[:, 2:])


def test_the_same_key_plays_the_same_days(env, played):
    again = play(env, "zero-intelligence", jax.random.key(3), EPISODES)
    assert np.array_equal(again.reward, played["zero-intelligence"].reward)
    assert not np.array_equal(again.reward[0], again.reward[1])


def test_an_unknown_bidder_is_explained(env):
    with pytest.raises(InputError, match="truthful"):
        play(env, "truthfull", jax.random.key(0), 1)
