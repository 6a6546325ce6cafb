"""Pools at announced prices: MAHTM's levels by hand, and what holds for any hierarchy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax import market
from prosumax.market.pricing import hierarchy
from prosumax.market.pricing import posted as announced

HOMES = 6
ATOL = 3e-5  # single precision on sums of some ten kWh and euros
RETAIL, FEED_IN, CHARGES = 0.30, 0.05, 0.10


def options(microgrid, **changes):
    names = tuple(f"m{number}" for number in range(max(microgrid, default=0) + 1))
    return replace(
        market.MarketOptions.default(len(microgrid)),
        microgrid=np.array(microgrid),
        microgrids=names,
        **changes,
    )


def pricing_of(options, levels=("microgrid", "district"), one_price=False, rule="mid-market"):
    members = hierarchy.memberships(levels, options)
    agents = sum(len(part) for part in members)
    return market.Pricing(
        members=tuple(jnp.asarray(part, jnp.float32) for part in members),
        rule=market.price_rules.get(rule, "test")(options),
        policy=None,
        rational=jnp.asarray(options.individually_rational),
        one_price=jnp.asarray(one_price),
        scale_kwh=jnp.ones(agents),
        highest=jnp.float32(RETAIL),
        carbon_scale=jnp.float32(1.0),
    )


def look(pricing, posted, prices, net=None):
    homes = pricing.members[0].shape[-1]
    return announced.look(
        pricing,
        posted,
        prices,
        jnp.int32(12),
        jnp.float32(0.5),
        jnp.zeros(homes) if net is None else net,
    )


def settle(books, net, opts, shares, name="hierarchy", charges=0.0):
    """Clear one step at the prices that shares of the band mean; fills by stage, and what is remembered."""
    mechanism = market.mechanisms.get(name, "test")
    pricing = pricing_of(opts, mechanism.levels)
    prices = books.prices(len(net), RETAIL, FEED_IN, charges)
    posted = announced.begin(pricing)._replace(shares=jnp.asarray(shares, jnp.float32))
    seen = look(pricing, posted, prices)
    prices = prices._replace(announced=announced.announce(seen))
    orders = market.truthful_orders(jnp.asarray(net, jnp.float32), prices)
    cleared, stages = market.clear_by_stage((*mechanism.build(opts), market.grid), orders, prices)
    after, levels = announced.after(seen, prices, orders, stages, None)
    return cleared, levels, after, prices


# Two microgrids: a has a home with 3 kWh left, one that needs 1; b has homes that need 1.5 and 2.5, and none to spare.
NET = [-3.0, 1.0, 1.5, 2.5]
OF = [0, 0, 1, 1]
# Agents a, b, distributor. Shares of the band [0.05, 0.30]: a 0.4 and 0.5, distributor 0.6 and 0.8.
SHARES = [[0.4, 0.5], [0.9, 0.9], [0.6, 0.8]]


def test_a_step_of_two_microgrids_by_hand(books):
    cleared, levels, posted, prices = settle(books, NET, options(OF), SHARES)
    # Level 1: home 1 takes its 1 kWh from home 0. Level 2: the other 2 kWh are shared 1.5 : 2.5. Level 3: 2 kWh.
    np.testing.assert_allclose(levels.import_kwh, [[0, 1, 0, 0], [0, 0, 0.75, 1.25]], atol=1e-6)
    np.testing.assert_allclose(levels.export_kwh, [[1, 0, 0, 0], [2, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.bought_kwh, [0, 0, 0.75, 1.25], atol=1e-6)
    assert np.abs(np.asarray(cleared.grid.sold_kwh)).max() < 1e-6
    # r^sh = .05 + .4 x .25 = .15, r^bh = .05 + .5 x .10 = .10; r^sm = .20, r^bm = .05 + .8 x .15 = .17.
    np.testing.assert_allclose(
        prices.announced.buy, [[0.15, 0.15, 0.275, 0.275], [0.20] * 4], atol=1e-6
    )
    np.testing.assert_allclose(
        prices.announced.sell, [[0.10, 0.10, 0.2525, 0.2525], [0.17] * 4], atol=1e-6
    )
    np.testing.assert_allclose(levels.paid, [[0, 0.15, 0, 0], [0, 0, 0.15, 0.25]], atol=1e-6)
    np.testing.assert_allclose(levels.earned, [[0.10, 0, 0, 0], [0.34, 0, 0, 0]], atol=1e-6)
    # Saved against the grid alone: seller .10 + .34 - 3 x .05; buyers .30 less what they paid per kWh.
    np.testing.assert_allclose(posted.saved, [0.29, 0.15, 0.075, 0.125], atol=1e-6)
    np.testing.assert_allclose(posted.demand_kwh, [1, 4, 4], atol=1e-6)
    np.testing.assert_allclose(posted.supply_kwh, [3, 0, 2], atol=1e-6)


def test_isolated_microgrids_do_not_trade(books):
    cleared, levels, _, _ = settle(books, NET, options(OF), SHARES[:2], "microgrids")
    np.testing.assert_allclose(levels.import_kwh, [[0, 1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.sold_kwh, [2, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.bought_kwh, [0, 0, 1.5, 2.5], atol=1e-6)


def test_the_nearest_trade_first(books):
    net, near = (
        [-2.0, 2.0, 2.0, -1.0],
        np.array([[0.0, 3, 1, 9], [3, 0, 5, 2], [1, 5, 0, 4], [9, 2, 4, 0]]),
    )
    opts = options([0, 0, 0, 0], nearest_first=True, distance=near)
    cleared, _, _, _ = settle(books, net, opts, [[0.5, 1.0]], "learned_price")
    trades = {
        (int(buyer), int(seller)): float(kwh)
        for buyer, seller, kwh in zip(*cleared.local.trades[:3], strict=True)
        if kwh > 0
    }
    assert trades == {(2, 0): 2.0, (1, 3): 1.0}  # 0 and 2 are nearest, then 1 and 3
    alike, _, _, _ = settle(books, net, options([0, 0, 0, 0]), [[0.5, 1.0]], "learned_price")
    np.testing.assert_allclose(alike.local.bought_kwh, [0, 1.5, 1.5, 0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_energy_and_money_balance_at_every_level_of_any_hierarchy(books, seed):
    """Ragged microgrids, empty ones, microgrids of one home."""
    check_balances(books, False, seed)


@pytest.mark.parametrize("seed", range(4))
def test_so_they_do_when_the_nearest_trade_first(books, seed):
    """Few examples: each has as many pairs of its own, and is a program of its own."""
    check_balances(books, True, seed)


def check_balances(books, nearest, seed):
    rng = np.random.default_rng(seed)
    net = np.round(rng.normal(0, 2, HOMES) * (rng.random(HOMES) < 0.8), 3)
    opts = options(rng.integers(0, 4, HOMES).tolist(), nearest_first=nearest)
    opts = replace(opts, microgrids=("m0", "m1", "m2", "m3"))
    shares = rng.uniform(-0.5, 1.5, (5, 2))
    cleared, levels, posted, prices = _compiled(books, nearest)(net, opts, shares)
    need, surplus = np.maximum(net, 0), np.maximum(-net, 0)
    for level, members in enumerate(hierarchy.memberships(("microgrid", "district"), opts)):
        imports, exports = members @ levels.import_kwh[level], members @ levels.export_kwh[level]
        np.testing.assert_allclose(imports, exports, atol=ATOL)
        # The nearest level first: as much as possible is traded in each pool.
        np.testing.assert_allclose(
            imports, np.minimum(members @ need, members @ surplus), atol=ATOL
        )
        need, surplus = need - levels.import_kwh[level], surplus - levels.export_kwh[level]
        assert (members @ levels.paid[level] - members @ levels.earned[level] > -ATOL).all()
    np.testing.assert_allclose(need, cleared.grid.bought_kwh, atol=ATOL)
    np.testing.assert_allclose(surplus, cleared.grid.sold_kwh, atol=ATOL)
    assert (prices.announced.buy >= FEED_IN - 1e-6).all() and (
        prices.announced.buy <= RETAIL - CHARGES + 1e-6
    ).all()
    assert (prices.announced.sell >= FEED_IN - 1e-6).all()
    assert (prices.announced.sell <= prices.announced.buy + 1e-6).all()
    assert (posted.saved >= -ATOL).all()  # nobody is worse off than with the grid alone


_CLEARING = {}


def _compiled(books, nearest):
    """One program for all hierarchies: who is in which microgrid is an array."""

    def run(net, opts, shares):
        mechanism = market.mechanisms.get("hierarchy", "test")
        given_ = (
            pricing_of(opts),
            (*mechanism.build(opts), jax.tree_util.Partial(market.grid)),
            jnp.asarray(net, jnp.float32),
            jnp.asarray(shares, jnp.float32),
        )
        # Pairs of the nearest are as many as there are homes in the same microgrid; so those are not compiled.
        step = one if nearest else _CLEARING.setdefault(HOMES, jax.jit(one))
        return jax.tree.map(np.asarray, step(*given_))

    def one(pricing, stages, net, shares):
        prices = books.prices(HOMES, RETAIL, FEED_IN, CHARGES)
        seen = look(pricing, announced.begin(pricing)._replace(shares=shares), prices)
        prices = prices._replace(announced=announced.announce(seen))
        orders = market.truthful_orders(net, prices)
        cleared, fills = market.clear_by_stage(stages, orders, prices)
        after, levels = announced.after(seen, prices, orders, fills, None)
        return cleared, levels, after, prices

    return run


def test_without_individual_rationality_a_home_may_pay_more(books):
    opts = options([0, 0], individually_rational=False)
    pricing = pricing_of(opts, ("community",))
    prices = books.prices(2, RETAIL, FEED_IN, CHARGES)
    posted = announced.begin(pricing)._replace(shares=jnp.array([[1.0, 1.0]]))
    np.testing.assert_allclose(
        announced.announce(look(pricing, posted, prices)).buy, [[RETAIL, RETAIL]], atol=1e-6
    )


def test_rules_by_hand(books):
    prices = books.prices(2, RETAIL, FEED_IN)

    def price(rule, demand=0.0, supply=0.0, last=jnp.nan, **changes):
        pricing = pricing_of(options([0, 0], **changes), ("community",), rule=rule)
        known = announced.begin(pricing)._replace(
            demand_kwh=jnp.array([demand]), supply_kwh=jnp.array([supply]), price=jnp.array([last])
        )
        return float(announced.announce(look(pricing, known, prices)).buy[0, 0])

    assert price("mid-market") == pytest.approx(0.175)
    assert price("fixed", price=0.12) == pytest.approx(0.12)
    assert price("fixed", price=0.9) == pytest.approx(RETAIL)  # cut to the band
    # Liu 2017: f b / ((b - f) S/D + f); half covered: .05 x .30 / (.25 x .5 + .05).
    assert price("supply-demand", 2.0, 1.0) == pytest.approx(0.015 / 0.175)
    assert price("supply-demand", 2.0, 0.0) == pytest.approx(RETAIL)
    assert price("supply-demand", 1.0, 2.0) == pytest.approx(FEED_IN)
    # The middle, then .2 bands of .25 up for a balance of (3 - 1) / 4.
    assert price("feedback") == pytest.approx(0.175)
    assert price("feedback", 3.0, 1.0, 0.175, feedback=0.2) == pytest.approx(
        0.175 + 0.2 * 0.25 * 0.5
    )


def test_what_price_agents_see_has_a_name_for_every_column(books):
    pricing = pricing_of(options(OF))
    names = list(market.price_observations)
    seen = look(pricing, announced.begin(pricing), books.prices(4, RETAIL, FEED_IN), jnp.array(NET))
    values = announced.see(seen, [market.price_observations.get(name, "test") for name in names])
    columns = announced.price_columns(names)
    assert values.shape == (3, len(columns)) and np.isfinite(values).all()
    np.testing.assert_allclose(values[:, columns.index("need")], [1, 4, 5])
    np.testing.assert_allclose(values[:, columns.index("spare")], [3, 0, 3])
