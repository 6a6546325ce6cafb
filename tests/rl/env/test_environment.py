"""The environment: MARLEM's equations by hand on three homes, episodes, keys, batches, and what always holds."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.actions import BUY, SELL, RawBid
from prosumax.rl.env import auto_reset
from prosumax.rl.rewards.home_terms import MARLEM_REWARD, RewardContext, base_components, contribution_factor, cooperation_factor
from prosumax.rl.rewards.home_terms import reward_terms as reward_terms
from prosumax.types import NO_PREFERENCE, GRID_ONLY

STEPS = 6


@pytest.fixture(scope="module")
def market():
    """Three homes, hour by hour: one with sun and a battery, one with a need, one with both but no battery."""
    return {
        "name": "market",
        "period": {"start": "2023-06-01T00:00", "steps": 48, "step_minutes": 60},
        "homes": [
            {
                "name": "sunny",
                "load": {"source": "values", "values": [1.0]},
                "solar": {"source": "values", "values": [4.0, 3.0, 0.0]},
                "battery": {
                    "capacity_kwh": 10.0, "charge_kw": 3.0, "discharge_kw": 2.0, "soc_min": 0.1, "soc_max": 0.9,
                    "initial_soc": 0.5, "charge_efficiency": 0.9, "discharge_efficiency": 0.8,
                },
            },
            {"name": "shady", "load": {"source": "values", "values": [2.0, 1.0]}},
            {
                "name": "both",
                "load": {"source": "values", "values": [1.0, 3.0]},
                "solar": {"source": "values", "values": [2.0]},
            },
        ],
        "tariff": {"energy": 0.30, "feed_in": 0.10, "emission_factor_kg_per_kwh": 0.2},
        "market": {"mechanism": "mutual_partners"},
        "network": {"kind": "line", "flow": "path", "mean_line_km": 1, "capacity_kw": 20, "operator": {"fees": True}},
        "environment": {
            "action_mode": "bid", "observations": "marlem", "rewards": dict.fromkeys(MARLEM_REWARD, 1.0), "episode_steps": STEPS,
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def env(market):
    return prosumax.make(market, {"environment.episode_start": "first"})


KEY = jax.random.key(0)


def bid(price, quantity, side, partner=(4, 4, 4)):
    parts = jnp.float32(price), jnp.float32(quantity), jnp.array(side), jnp.array(partner)
    return RawBid(*parts)


@pytest.fixture(scope="module")
def first_step(env):
    """Sunny sells 2 kWh at 0.15, shady buys 2 at 0.25, both sells 1 at 0.28, which nobody pays; bounds are 0.1, 0.3."""
    obs, state = env.reset(KEY)
    most = float(env.params.scales.energy_kwh)
    action = bid([0.25, 0.75, 0.9], [2 / most, 2 / most, 1 / most], [SELL, BUY, SELL])
    return state, env.step(KEY, state, action)


def test_physical_limits_of_equation_11(env):
    """Asked to sell and to buy far more than it can, each home is limited to what it can deliver or take."""
    _, state = env.reset(KEY)
    # Sunny has 4 - 1 kWh of surplus; its battery holds 5 kWh, may give (5 - 1) * 0.8 = 3.2 but at most 2 kW.
    sell = env.step(KEY, state, bid([0, 0, 0], [1, 1, 1], [SELL] * 3)).info
    assert sell["record"].flows.export_kwh.tolist() == pytest.approx([5.0, 0.0, 1.0])
    # It may buy what the battery takes, 3 kW (there is room for (9 - 5) / 0.9 = 4.44 kWh). Its own 3 kWh are left over,
    # so that the battery takes as much as it can and the meter shows nothing.
    buy = env.step(KEY, state, bid([0, 1, 0], [1, 1, 1], [BUY] * 3)).info["record"].flows
    assert buy.charge_kwh.tolist() == pytest.approx([3.0, 0.0, 0.0])
    assert buy.import_kwh.tolist() == pytest.approx([0.0, 2.0, 0.0])
    most = float(env.params.scales.energy_kwh)
    assert sell["limited_kwh"].tolist() == pytest.approx([most - 5.0, most, most - 1.0])


def test_battery_of_equation_12(env):
    """Selling 5 kWh takes 2 kWh out of the battery and 2 / 0.8 = 2.5 kWh from its store."""
    _, state = env.reset(KEY)
    flows = env.step(KEY, state, bid([0, 0, 0], [1, 0, 0], [SELL, BUY, BUY])).info["record"].flows
    assert float(flows.discharge_kwh[0]) == pytest.approx(2.0)
    assert float(flows.stored_kwh[0]) == pytest.approx(5.0 - 2.5)


def test_a_step_by_hand(env, first_step):
    """2 kWh change hands at (0.15 + 0.25) / 2; both sells its 1 kWh to the grid; sunny stores the third kWh."""
    _, ts = first_step
    record, kpis = ts.info["record"], ts.info["kpis"]
    assert record.local.bought_kwh.tolist() == pytest.approx([0, 2, 0])
    assert record.local.paid.tolist() == pytest.approx([0, 0.4, 0], abs=1e-4)
    assert record.flows.charge_kwh.tolist() == pytest.approx([1, 0, 0], abs=1e-5)
    # Equation 9: what each home produced, used and traded is what its battery took.
    bought, sold = (
        np.asarray(record.local.bought_kwh),
        np.asarray(record.local.sold_kwh) + [0, 0, 1],
    )
    balance = np.array([4, 0, 2]) - [1, 2, 1] + bought - sold
    np.testing.assert_allclose(balance, record.flows.charge_kwh, atol=1e-5)
    assert float(kpis.turnover) == pytest.approx(0.4, abs=1e-4)  # (17)
    assert float(kpis.liquidity) == pytest.approx(2.0)  # (18)
    assert float(kpis.spread) == pytest.approx((0.15 + 0.28) / 2 - 0.25, abs=1e-4)  # (19)
    capacity = float(env.params.scales.capacity_kwh)
    assert capacity == pytest.approx(20.0)
    assert float(kpis.imbalance) == pytest.approx(abs(2 - 3) / capacity)  # (20)
    assert float(kpis.coordination) == pytest.approx(1 - 1 / capacity)  # (23)
    assert float(kpis.balance_kwh) == pytest.approx(2 + 1 - 2)  # (16)
    assert float(kpis.self_consumption) == pytest.approx(
        4 / 5
    )  # (21): 2 bought + 2 sold of those and 1 to the grid
    sellable, buyable = 5 + 0 + 1, 3 + 2 + 0
    assert float(kpis.flexibility) == pytest.approx(4 / (sellable + buyable))  # (22)
    assert float(kpis.surplus) == pytest.approx(2 * (0.30 - 0.20) + 2 * (0.20 - 0.10), abs=1e-3)
    assert float(kpis.volatility) == 0.0 and float(kpis.price) == pytest.approx(0.2, abs=1e-4)
    # (15) mean over the three lines of what they carry over their share of 20 kW.
    assert float(kpis.congestion) == pytest.approx(float(np.minimum(record.grid.loading, 1).mean()))


def test_profit_of_equation_10(env, first_step):
    """Money earned minus paid, and the operator's fees on the trades."""
    _, ts = first_step
    fees = ts.info["record"].bill.network_fees
    np.testing.assert_allclose(ts.state.profit, jnp.array([0.4, -0.4, 0.1]) - fees, atol=1e-4)


def test_reward_of_equation_2(env, first_step):
    """R = R_base (1 + f_coop f_contrib) - both penalties, and the terms add up to it."""
    _, ts = first_step
    terms = dict(zip(env.reward_names, np.asarray(ts.info["reward_terms"]), strict=True))
    np.testing.assert_allclose(ts.reward, sum(terms.values()), atol=1e-6)
    span, capacity = 0.2, 20.0
    economic = [2 * 0.1 / (span * 2), 2 * 0.1 / (span * 2), 0.0]
    # The community offers 3 and wants 2: a surplus of 1. Who buys helps, by at most 1; who sells does not.
    grid = [-1.0, 1.0, -1.0]
    base = np.array(
        [
            (5 * e + 2 * g + r + t + 1.0) / 10
            for e, g, r, t in zip(economic, grid, [1, 1, 0], [1, 1, 0], strict=True)
        ]
    )
    np.testing.assert_allclose(terms["marlem_base"], base, atol=2e-3)
    kpis = ts.info["kpis"]
    figures = [1.0, 1.0, 1 - 1 / capacity, 1 - float(kpis.congestion), 1.0, 4 / 5, 4 / 11]
    coop = np.mean(figures)
    contrib = np.array([0.5 * 0 + 0.2 * 1 + 0.3 * 1, 0.5 * 1 + 0.2 + 0.3, 0.5 * 0 + 0.2 * 0.5 + 0])
    np.testing.assert_allclose(terms["marlem_cooperation"], base * coop * contrib, atol=3e-3)
    np.testing.assert_allclose(terms["marlem_grid_penalty"], [0, 0, -1], atol=1e-5)
    np.testing.assert_allclose(terms["marlem_unmet_penalty"], [0, 0, 0], atol=1e-6)


def test_needs_that_are_not_ordered_are_bought_all_the_same(env):
    _, state = env.reset(KEY)
    ts = env.step(
        KEY,
        state,
        bid([0, 1, 0], [0, 0.5 / float(env.params.scales.energy_kwh), 0], [SELL, BUY, SELL]),
    )
    assert float(ts.state.unmet_kwh[1]) == pytest.approx(1.5)
    assert float(ts.info["record"].flows.import_kwh[1]) == pytest.approx(2.0)
    penalty = dict(zip(env.reward_names, ts.info["reward_terms"], strict=True))[
        "marlem_unmet_penalty"
    ]
    assert penalty.tolist() == pytest.approx([0, -0.75, 0])


def test_one_box_and_parts_say_the_same(env):
    box = jnp.float32([[0.25, 0.5, 0.2, 0.1], [0.75, 0.5, 0.9, 0.1], [0.9, 0.2, 0.2, 0.7]])
    decoded = env.decode(box)
    # Of 3 homes, the grid and nobody: slices of a fifth. Sunny names itself, which is nobody.
    assert decoded.partner.tolist() == [NO_PREFERENCE, 0, GRID_ONLY]
    assert decoded.price.tolist() == pytest.approx([0.15, 0.25, 0.28])
    parts = env.decode(bid([0.25, 0.75, 0.9], [0.5, 0.5, 0.2], [SELL, BUY, SELL], [0, 0, 3]))
    jax.tree.map(np.testing.assert_array_equal, decoded, parts)


def test_masks(env):
    _, state = env.reset(KEY)
    mask = env.action_mask(state)
    assert mask.side.tolist() == [[True, True], [False, True], [True, False]]
    assert not mask.partner[1, 1] and mask.partner[1].sum() == 4


@partial(jax.jit, static_argnums=(0, 2))
def play(env, key, steps=STEPS, params=None):
    """Random actions; every step's result."""
    obs, state = env.reset(key, params)

    def advance(carry, key):
        state, key_action = carry[0], jax.random.fold_in(key, 1)
        ts = env.step(key, state, env.sample_action(key_action), params)
        return (ts.state,), ts

    return obs, jax.lax.scan(advance, (state,), jax.random.split(key, steps))[1]


@pytest.mark.parametrize("control", [{"control": "bid"}, {"control": "dispatch"}, {"levels": 41}])
def test_energy_and_money_under_random_actions(market, control):
    fields = {
        f"environment.{name}": value for name, value in ({"control": "dispatch"} | control).items()
    }
    fields |= {"environment.profile_noise": 0.2, "environment.rewards": dict.fromkeys(reward_terms, 1.0)}
    env = prosumax.make(market, fields | {"environment.episode_steps": 24})
    _, ts = jax.jit(jax.vmap(lambda key: play(env, key, 24)))(
        jax.random.split(KEY, 400)
    )  # 9600 random steps
    record = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), ts.info["record"])
    flows, local, bill = record.flows, record.local, record.bill
    # Single precision on some 10 kWh.
    np.testing.assert_allclose(
        flows.solar_kwh + flows.discharge_kwh + flows.import_kwh,
        flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh,
        atol=3e-5,
    )
    battery = env.params.community.homes.battery
    assert (flows.stored_kwh <= np.asarray(battery.soc_max * battery.capacity_kwh) + 1e-5).all()
    assert (flows.stored_kwh >= np.asarray(battery.soc_min * battery.capacity_kwh) - 1e-5).all()
    np.testing.assert_allclose(local.bought_kwh.sum(-1), local.sold_kwh.sum(-1), atol=1e-5)
    np.testing.assert_allclose(local.paid.sum(-1), local.earned.sum(-1), atol=1e-5)
    np.testing.assert_allclose(bill.network_fees.sum(-1), record.grid.fee_terms.sum(-1), atol=1e-5)
    np.testing.assert_allclose(ts.reward, ts.info["reward_terms"].sum(-2), atol=1e-4)
    assert np.isfinite(np.asarray(ts.obs)).all()
    rows = {name: number for number, name in enumerate(env.reward_names)}
    terms = np.asarray(ts.info["reward_terms"])
    assert (np.abs(terms[..., rows["marlem_base"], :]) <= 1 + 1e-5).all()
    assert (np.abs(terms[..., rows["marlem_cooperation"], :]) <= 1 + 1e-5).all()


def test_factors_stay_in_their_ranges(env, first_step):
    state, _ = first_step
    assert all((np.abs(np.asarray(part)) <= 1).all() for part in _parts(env, state).values())
    paid = _paid(env, state)
    assert 0 <= float(cooperation_factor(paid)) <= 1
    assert (np.asarray(contribution_factor(paid)) >= 0).all() and (
        np.asarray(contribution_factor(paid)) <= 1
    ).all()


def _paid(env, state):
    from prosumax.rl.market_indicators import update_indicators
    from prosumax.simulation.dynamics import step

    now = jax.tree.map(lambda leaf: leaf[0], env.params.community.series)
    action, arrival = env.decode(env.sample_action(KEY)), jnp.linspace(0.0, 0.9, env.num_homes)
    _, outcome = step(env.params.community, state.community, now, action, KEY, arrival)
    kpis, window = update_indicators(outcome, state.window, state.kpis.price, env.params.scales.capacity_kwh)
    return RewardContext(env.params, outcome, kpis, window)


def _parts(env, state):
    return base_components(_paid(env, state))


def test_episodes_have_their_length_and_are_truncated(env):
    _, ts = play(env, KEY)
    assert ts.truncated.tolist() == [False] * (STEPS - 1) + [True]
    assert not ts.terminated.any()


def test_days_are_sampled_and_fit_the_period(market):
    env = prosumax.make(market, {"environment.episode_start": "random_day"})
    starts = jax.vmap(lambda key: env.reset(key)[1].start_step)(jax.random.split(KEY, 50))
    assert set(starts.tolist()) == {0, 24}
    anywhere = prosumax.make(market, {"environment.episode_start": "random_step"})
    starts = jax.vmap(lambda key: anywhere.reset(key)[1].start_step)(jax.random.split(KEY, 500))
    assert int(starts.min()) == 0 and int(starts.max()) == 48 - STEPS


def test_same_key_same_trajectory_and_every_home_its_own_draw(market):
    twins = {"environment.profile_noise": 0.2, "homes.1.load": {"source": "values", "values": [1.0]}}
    env = prosumax.make(market, twins | {"environment.episode_start": "first"})
    (_, one), (_, again), (_, other) = play(env, KEY), play(env, KEY), play(env, jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, one.obs, again.obs)
    assert not np.array_equal(one.obs, other.obs)
    load = one.info["record"].flows.load_kwh
    assert (
        np.asarray(load[:, 0]) != np.asarray(load[:, 1])
    ).all()  # the same series, different noise
    still = prosumax.make(market, {"environment.profile_noise": 0.0, "environment.episode_start": "first"})
    np.testing.assert_allclose(
        play(still, KEY)[1].info["record"].flows.load_kwh[:, 1], [2, 1, 2, 1, 2, 1]
    )


def test_batches_over_keys_and_over_parameters(env):
    keys = jax.random.split(KEY, 4)
    _, together = jax.jit(jax.vmap(lambda key: play(env, key)))(keys)
    for number, key in enumerate(keys):
        _, alone = play(env, key)
        np.testing.assert_allclose(together.reward[number], alone.reward, atol=1e-4)
    dearer = jax.vmap(lambda factor: env.params._replace(weights=env.params.weights * factor))(
        jnp.arange(1.0, 4.0)
    )
    _, by_params = jax.jit(jax.vmap(lambda params: play(env, KEY, params=params)))(dearer)
    np.testing.assert_allclose(by_params.reward[2], 3 * by_params.reward[0], rtol=1e-4, atol=1e-5)


def test_one_compile_per_shape(env):
    traces = 0

    def counted(key, state, action, params):
        nonlocal traces
        traces += 1
        return env.step(key, state, action, params)

    run = jax.jit(counted)
    _, state = env.reset(KEY)
    for number in range(4):
        params = env.params._replace(weights=env.params.weights * number)
        state = run(jax.random.key(number), state, env.sample_action(KEY), params).state
    assert traces == 1


def test_auto_reset_keeps_the_last_observation(env):
    _, state = env.reset(KEY)
    for number in range(STEPS):
        ts = auto_reset(env, jax.random.key(number), state, env.sample_action(KEY))
        state = ts.state
    assert bool(ts.truncated) and int(ts.state.time) == 0
    assert not np.array_equal(ts.obs, ts.final_obs)
    assert ts.obs[0, env.observation_names.index("progress")] == 0


def test_goals_may_differ_between_homes(market):
    goals = {"homes.1.rewards": {"cost": 2.0}, "environment.rewards": {"profit": 1.0}}
    env = prosumax.make(market, goals)
    assert env.reward_names == ["profit", "cost"]
    np.testing.assert_array_equal(env.params.reward_weights, [[1, 0, 1], [0, 2, 0]])


def test_forecasts(market):
    base = {"environment.episode_start": "first", "environment.observations": ["load", "load_forecast"]}
    for kind, expected in (("perfect", [1.0, 2.0]), ("persistence", [2.0, 2.0])):
        env = prosumax.make(
            market, base | {"environment.forecast": kind, "environment.forecast_steps": 2}
        )
        obs, _ = env.reset(KEY)
        scale = float(env.params.scales.max_order_kwh)
        np.testing.assert_allclose(obs[1] * scale, [2.0, *expected], rtol=1e-6)
    env = prosumax.make(market, base | {"environment.forecast": "noisy"})
    seen = (
        jax.vmap(lambda key: env.reset(key)[0][1, 1])(jax.random.split(KEY, 300))
        * env.params.scales.max_order_kwh
    )
    assert float(seen.mean()) == pytest.approx(1.0, abs=0.02) and float(
        seen.std()
    ) == pytest.approx(0.1, abs=0.02)


def test_mistakes_are_named(market):
    with pytest.raises(InputError, match="Did you mean 'profit'"):
        prosumax.make(market, {"environment.rewards": {"profits": 1.0}})
    with pytest.raises(InputError, match="no preset 'marl'"):
        prosumax.make(market, {"environment.observations": "marl"})
    with pytest.raises(InputError, match="but the period has 48 steps"):
        prosumax.make(market, {"environment.episode_steps": 100})
    with pytest.raises(InputError, match="requires action_mode dispatch"):
        prosumax.make(market, {"environment.power_levels": 40})
