"""Pools at posted prices: MAHTM's levels by hand, and properties of any hierarchy."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax import market
from prosumax.market.pricing import hierarchy, posted

HOMES = 6
ATOL = 3e-5  # Single precision on sums of some ten kWh and euros.
RETAIL = 0.30
FEED_IN = 0.05
LOCAL_GRID_FEE = 0.10


def options(microgrid, **changes):
    names = tuple(f"m{number}" for number in range(max(microgrid, default=0) + 1))
    return replace(
        market.MarketOptions.default(len(microgrid)),
        microgrid_index=np.array(microgrid),
        microgrid_names=names,
        **changes,
    )


def make_scheme(options, levels=("microgrid", "district"), single_price=False, rule="mid-market"):
    members = hierarchy.pool_memberships(levels, options)
    agents = sum(len(part) for part in members)
    return market.PricingScheme(
        members=tuple(jnp.asarray(part, jnp.float32) for part in members),
        rule=market.posted_price_rules.get(rule, "test")(options),
        policy=None,
        individually_rational=jnp.asarray(options.individually_rational),
        single_price=jnp.asarray(single_price),
        energy_scale_kwh=jnp.ones(agents),
        max_price=jnp.float32(RETAIL),
        max_emission_factor=jnp.float32(1.0),
    )


def make_context(scheme, state, prices, net=None):
    homes = scheme.members[0].shape[-1]
    return posted.build_context(
        scheme,
        state,
        prices,
        jnp.int32(12),
        jnp.float32(0.5),
        jnp.zeros(homes) if net is None else net,
    )


def with_shares(scheme, shares):
    return posted.initial_state(scheme)._replace(price_shares=jnp.asarray(shares, jnp.float32))


def clear_step(stages, scheme, prices, net, shares):
    """Clear one step at the prices that shares of the band give; also return flows and state."""
    context = make_context(scheme, with_shares(scheme, shares), prices)
    prices = prices._replace(posted=posted.post_prices(context))
    orders = market.truthful_orders(jnp.asarray(net, jnp.float32), prices)
    cleared, fills = market.clear_by_stage(stages, orders, prices)
    state, levels = posted.update_state(context, prices, orders, fills, None)
    return cleared, levels, state, prices


def clear_mechanism(books, net, opts, shares, name="hierarchy"):
    mechanism = market.mechanisms.get(name, "test")
    stages = (*mechanism.build(opts), market.grid_stage)
    prices = books.prices(len(net), RETAIL, FEED_IN)
    return clear_step(stages, make_scheme(opts, mechanism.levels), prices, net, shares)


# Two microgrids: the first has homes with a surplus of 3 kWh and a deficit of 1 kWh, the second
# has homes with deficits of 1.5 and 2.5 kWh.
NET = [-3.0, 1.0, 1.5, 2.5]
MICROGRID = [0, 0, 1, 1]
# Agents a, b, distributor. Shares of the band [0.05, 0.30]: a 0.4 and 0.5, distributor 0.6 and 0.8.
SHARES = [[0.4, 0.5], [0.9, 0.9], [0.6, 0.8]]


def test_a_step_of_two_microgrids_by_hand(books):
    cleared, levels, state, prices = clear_mechanism(books, NET, options(MICROGRID), SHARES)
    # Level 1: home 1 buys 1 kWh from home 0. Level 2: the other 2 kWh are shared 1.5 : 2.5.
    # Level 3: the grid supplies 2 kWh.
    np.testing.assert_allclose(levels.import_kwh, [[0, 1, 0, 0], [0, 0, 0.75, 1.25]], atol=1e-6)
    np.testing.assert_allclose(levels.export_kwh, [[1, 0, 0, 0], [2, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.bought_kwh, [0, 0, 0.75, 1.25], atol=1e-6)
    assert np.abs(np.asarray(cleared.grid.sold_kwh)).max() < 1e-6
    # r^sh = .05 + .4 x .25 = .15, r^bh = .05 + .5 x .10 = .10;
    # r^sm = .20, r^bm = .05 + .8 x .15 = .17.
    np.testing.assert_allclose(
        prices.posted.buy, [[0.15, 0.15, 0.275, 0.275], [0.20] * 4], atol=1e-6
    )
    np.testing.assert_allclose(
        prices.posted.sell, [[0.10, 0.10, 0.2525, 0.2525], [0.17] * 4], atol=1e-6
    )
    np.testing.assert_allclose(levels.paid, [[0, 0.15, 0, 0], [0, 0, 0.15, 0.25]], atol=1e-6)
    np.testing.assert_allclose(levels.earned, [[0.10, 0, 0, 0], [0.34, 0, 0, 0]], atol=1e-6)
    # Savings against the grid alone: .10 + .34 - 3 x .05 for the seller, .30 minus the price per
    # kWh for the buyers.
    np.testing.assert_allclose(state.savings, [0.29, 0.15, 0.075, 0.125], atol=1e-6)
    np.testing.assert_allclose(state.demand_kwh, [1, 4, 4], atol=1e-6)
    np.testing.assert_allclose(state.supply_kwh, [3, 0, 2], atol=1e-6)


def test_isolated_microgrids_do_not_trade(books):
    cleared, levels, _, _ = clear_mechanism(
        books, NET, options(MICROGRID), SHARES[:2], "microgrids"
    )
    np.testing.assert_allclose(levels.import_kwh, [[0, 1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.sold_kwh, [2, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(cleared.grid.bought_kwh, [0, 0, 1.5, 2.5], atol=1e-6)


def test_nearest_homes_trade_first(books):
    net = [-2.0, 2.0, 2.0, -1.0]
    distance = np.array([[0.0, 3, 1, 9], [3, 0, 5, 2], [1, 5, 0, 4], [9, 2, 4, 0]])
    opts = options([0, 0, 0, 0], nearest_first=True, distance=distance)
    cleared, _, _, _ = clear_mechanism(books, net, opts, [[0.5, 1.0]], "learned_price")
    trades = {
        (int(buyer), int(seller)): float(kwh)
        for buyer, seller, kwh in zip(*cleared.local.trades[:3], strict=True)
        if kwh > 0
    }
    assert trades == {(2, 0): 2.0, (1, 3): 1.0}  # Homes 0 and 2 are nearest, then 1 and 3.
    pro_rata, _, _, _ = clear_mechanism(
        books, net, options([0, 0, 0, 0]), [[0.5, 1.0]], "learned_price"
    )
    np.testing.assert_allclose(pro_rata.local.bought_kwh, [0, 1.5, 1.5, 0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_energy_and_money_balance_at_every_level_of_any_hierarchy(hierarchy_step, seed):
    """The hierarchies include microgrids of unequal size, empty ones and ones of a single home."""
    check_balances(hierarchy_step, False, seed)


@pytest.mark.parametrize("seed", range(4))
def test_energy_and_money_balance_with_nearest_first(hierarchy_step, seed):
    """Few examples, since the number of pairs differs and each needs its own program."""
    check_balances(hierarchy_step, True, seed)


def check_balances(hierarchy_step, nearest_first, seed):
    rng = np.random.default_rng(seed)
    net = np.round(rng.normal(0, 2, HOMES) * (rng.random(HOMES) < 0.8), 3)
    opts = options(rng.integers(0, 4, HOMES).tolist(), nearest_first=nearest_first)
    opts = replace(opts, microgrid_names=("m0", "m1", "m2", "m3"))
    shares = rng.uniform(-0.5, 1.5, (5, 2))
    cleared, levels, state, prices = hierarchy_step(net, opts, shares)
    deficit = np.maximum(net, 0)
    surplus = np.maximum(-net, 0)
    for level, members in enumerate(hierarchy.pool_memberships(("microgrid", "district"), opts)):
        imports = members @ levels.import_kwh[level]
        exports = members @ levels.export_kwh[level]
        np.testing.assert_allclose(imports, exports, atol=ATOL)
        # Each pool trades as much as possible before the next level.
        traded = np.minimum(members @ deficit, members @ surplus)
        np.testing.assert_allclose(imports, traded, atol=ATOL)
        deficit = deficit - levels.import_kwh[level]
        surplus = surplus - levels.export_kwh[level]
        assert (members @ levels.paid[level] - members @ levels.earned[level] > -ATOL).all()
    np.testing.assert_allclose(deficit, cleared.grid.bought_kwh, atol=ATOL)
    np.testing.assert_allclose(surplus, cleared.grid.sold_kwh, atol=ATOL)
    assert (prices.posted.buy >= FEED_IN - 1e-6).all()
    assert (prices.posted.buy <= RETAIL - LOCAL_GRID_FEE + 1e-6).all()
    assert (prices.posted.sell >= FEED_IN - 1e-6).all()
    assert (prices.posted.sell <= prices.posted.buy + 1e-6).all()
    # No home is worse off than with the grid alone.
    assert (state.savings >= -ATOL).all()


@pytest.fixture(scope="module")
def hierarchy_step(books):
    """One step of any hierarchy; memberships are arrays, so that one program serves all."""

    def step(scheme, stages, net, shares):
        prices = books.prices(HOMES, RETAIL, FEED_IN, LOCAL_GRID_FEE)
        return clear_step(stages, scheme, prices, net, shares)

    compiled = jax.jit(step)

    def run(net, opts, shares):
        mechanism = market.mechanisms.get("hierarchy", "test")
        stages = (*mechanism.build(opts), jax.tree_util.Partial(market.grid_stage))
        # The number of pairs depends on the microgrids, so that it is not worth compiling.
        function = step if opts.nearest_first else compiled
        arguments = jnp.asarray(net, jnp.float32), jnp.asarray(shares, jnp.float32)
        return jax.tree.map(np.asarray, function(make_scheme(opts), stages, *arguments))

    return run


def test_without_individual_rationality_a_home_may_pay_more(books):
    opts = options([0, 0], individually_rational=False)
    scheme = make_scheme(opts, ("community",))
    prices = books.prices(2, RETAIL, FEED_IN, LOCAL_GRID_FEE)
    context = make_context(scheme, with_shares(scheme, [[1.0, 1.0]]), prices)
    np.testing.assert_allclose(posted.post_prices(context).buy, [[RETAIL, RETAIL]], atol=1e-6)


def test_price_rules_by_hand(books):
    prices = books.prices(2, RETAIL, FEED_IN)

    def price(rule, demand=0.0, supply=0.0, last=jnp.nan, **changes):
        scheme = make_scheme(options([0, 0], **changes), ("community",), rule=rule)
        state = posted.initial_state(scheme)._replace(
            demand_kwh=jnp.array([demand]), supply_kwh=jnp.array([supply]), price=jnp.array([last])
        )
        context = make_context(scheme, state, prices)
        return float(posted.post_prices(context).buy[0, 0])

    assert price("mid-market") == pytest.approx(0.175)
    assert price("fixed", price=0.12) == pytest.approx(0.12)
    assert price("fixed", price=0.9) == pytest.approx(RETAIL)  # Clipped to the band.
    # Liu 2017: f b / ((b - f) S/D + f); with S/D = .5: .05 x .30 / (.25 x .5 + .05).
    assert price("supply-demand", 2.0, 1.0) == pytest.approx(0.015 / 0.175)
    assert price("supply-demand", 2.0, 0.0) == pytest.approx(RETAIL)
    assert price("supply-demand", 1.0, 2.0) == pytest.approx(FEED_IN)
    # The midpoint, then a rise by .2 of the band of .25 for a balance of (3 - 1) / 4.
    assert price("feedback") == pytest.approx(0.175)
    assert price("feedback", 3.0, 1.0, 0.175, feedback_gain=0.2) == pytest.approx(
        0.175 + 0.2 * 0.25 * 0.5
    )


def test_every_column_of_a_price_observation_has_a_name(books):
    scheme = make_scheme(options(MICROGRID))
    names = list(market.price_observations)
    terms = [market.price_observations.get(name, "test") for name in names]
    prices = books.prices(4, RETAIL, FEED_IN)
    context = make_context(scheme, posted.initial_state(scheme), prices, jnp.array(NET))
    values = posted.observe_prices(context, terms)
    columns = posted.price_observation_columns(names)
    assert values.shape == (3, len(columns)) and np.isfinite(values).all()
    np.testing.assert_allclose(values[:, columns.index("deficit")], [1, 4, 5])
    np.testing.assert_allclose(values[:, columns.index("surplus")], [3, 0, 3])
