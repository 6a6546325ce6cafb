"""Environment: MARLEM, equations by hand on three homes, episodes, keys, batches, invariants."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl.actions import BUY, SELL, JointAction, RawBid
from prosumax.rl.env import auto_reset
from prosumax.rl.market_indicators import update_indicators
from prosumax.rl.rewards import MARLEM_REWARD, RewardContext, reward_terms
from prosumax.rl.rewards.marlem_terms import (
    base_components,
    contribution_factor,
    cooperation_factor,
)
from prosumax.simulation import dynamics
from prosumax.types import GRID_ONLY, NO_PREFERENCE

STEPS = 6
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def scenario():
    """Three homes: one with PV and battery, one with load only, one with PV and no battery."""
    return {
        "name": "market",
        "period": {"start": "2023-06-01T00:00", "steps": 48, "step_minutes": 60},
        "homes": [
            {
                "name": "sunny",
                "load": {"source": "values", "values": [1.0]},
                "solar": {"source": "values", "values": [4.0, 3.0, 0.0]},
                "battery": {
                    "capacity_kwh": 10.0,
                    "charge_kw": 3.0,
                    "discharge_kw": 2.0,
                    "soc_min": 0.1,
                    "soc_max": 0.9,
                    "initial_soc": 0.5,
                    "charge_efficiency": 0.9,
                    "discharge_efficiency": 0.8,
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
        "network": {
            "kind": "line",
            "flow": "path",
            "mean_line_km": 1,
            "capacity_kw": 20,
            "operator": {"fees": True},
        },
        "environment": {
            "action_mode": "bid",
            "observations": "marlem",
            "rewards": dict.fromkeys(MARLEM_REWARD, 1.0),
            "episode_steps": STEPS,
        },
    }


@pytest.fixture(scope="module")
def env(scenario):
    return prosumax.make(scenario, {"environment.episode_start": "first"})


@pytest.fixture(scope="module")
def first_step(env):
    """State and result of a first step with one trade; prices are bounded by 0.1 and 0.3.

    Sunny sells 2 kWh at 0.15, shady buys 2 kWh at 0.25, and both sells 1 kWh at 0.28 in vain.
    """
    _, state = env.reset(KEY)
    max_order = float(env.params.scales.max_order_kwh)
    quantity = [2 / max_order, 2 / max_order, 1 / max_order]
    action = raw_bid([0.25, 0.75, 0.9], quantity, [SELL, BUY, SELL])
    return state, env.step(KEY, state, action)


def raw_bid(price, quantity, side, partner=(4, 4, 4)):
    return RawBid(jnp.float32(price), jnp.float32(quantity), jnp.array(side), jnp.array(partner))


@partial(jax.jit, static_argnums=(0, 2))
def random_rollout(env, key, steps=STEPS, params=None):
    """First observation, and the result of every step under random actions."""
    obs, state = env.reset(key, params)

    def advance(state, key):
        action = env.action_space.sample(jax.random.fold_in(key, 1))
        timestep = env.step(key, state, action, params)
        return timestep.state, timestep

    return obs, jax.lax.scan(advance, state, jax.random.split(key, steps))[1]


def random_reward_context(env, state):
    """Context of the rewards of a step with random bids."""
    community = env.params.community
    inputs = jax.tree.map(lambda leaf: leaf[0], community.series)
    action = env.decode(env.action_space.sample(KEY))
    arrival = jnp.linspace(0.0, 0.9, env.num_homes)
    _, outcome = dynamics.step(community, state.community, inputs, action, KEY, arrival)
    indicators, window = update_indicators(
        outcome,
        state.window,
        state.indicators.clearing_price,
        env.params.scales.network_capacity_kwh,
    )
    return RewardContext(env.params, outcome, indicators, window)


@pytest.mark.slow
def test_orders_are_limited_to_the_feasible_range_of_equation_11(env):
    _, state = env.reset(KEY)
    # Sunny has 4 - 1 kWh of surplus; its battery stores 5 kWh and could deliver
    # (5 - 1) * 0.8 = 3.2 kWh, but at most 2 kW.
    sell = env.step(KEY, state, raw_bid([0, 0, 0], [1, 1, 1], [SELL] * 3)).info
    assert sell["record"].flows.export_kwh.tolist() == pytest.approx([5.0, 0.0, 1.0])
    # It may buy what the battery takes, 3 kW (there is room for (9 - 5) / 0.9 = 4.44 kWh). Its own
    # 3 kWh of surplus remain, so the battery takes as much as it can and the meter shows nothing.
    buy = env.step(KEY, state, raw_bid([0, 1, 0], [1, 1, 1], [BUY] * 3)).info["record"].flows
    assert buy.charge_kwh.tolist() == pytest.approx([3.0, 0.0, 0.0])
    assert buy.import_kwh.tolist() == pytest.approx([0.0, 2.0, 0.0])
    max_order = float(env.params.scales.max_order_kwh)
    expected = [max_order - 5.0, max_order, max_order - 1.0]
    assert sell["infeasible_kwh"].tolist() == pytest.approx(expected)


def test_battery_follows_equation_12(env):
    """Selling 5 kWh takes 2 kWh out of the battery and 2 / 0.8 = 2.5 kWh from its store."""
    _, state = env.reset(KEY)
    action = raw_bid([0, 0, 0], [1, 0, 0], [SELL, BUY, BUY])
    flows = env.step(KEY, state, action).info["record"].flows
    assert float(flows.discharge_kwh[0]) == pytest.approx(2.0)
    assert float(flows.stored_kwh[0]) == pytest.approx(5.0 - 2.5)


def test_indicators_of_a_step_by_hand(env, first_step):
    """2 kWh trade at (0.15 + 0.25) / 2, both sells 1 kWh to the grid, sunny stores 1 kWh."""
    _, timestep = first_step
    record, indicators = timestep.info["record"], timestep.info["indicators"]
    assert record.local.bought_kwh.tolist() == pytest.approx([0, 2, 0])
    assert record.local.paid.tolist() == pytest.approx([0, 0.4, 0], abs=1e-4)
    assert record.flows.charge_kwh.tolist() == pytest.approx([1, 0, 0], abs=1e-5)
    # Equation 9: generation, load and trade of each home balance with its battery.
    bought, sold = np.asarray(record.local.bought_kwh), np.asarray(record.local.sold_kwh)
    balance = np.array([4, 0, 2]) - [1, 2, 1] + bought - (sold + [0, 0, 1])
    np.testing.assert_allclose(balance, record.flows.charge_kwh, atol=1e-5)
    assert float(indicators.turnover) == pytest.approx(0.4, abs=1e-4)  # (17)
    assert float(indicators.liquidity) == pytest.approx(2.0)  # (18)
    expected_spread = (0.15 + 0.28) / 2 - 0.25
    assert float(indicators.spread) == pytest.approx(expected_spread, abs=1e-4)  # (19)
    capacity = float(env.params.scales.network_capacity_kwh)
    assert capacity == pytest.approx(20.0)
    assert float(indicators.imbalance) == pytest.approx(abs(2 - 3) / capacity)  # (20)
    assert float(indicators.coordination) == pytest.approx(1 - 1 / capacity)  # (23)
    assert float(indicators.net_export_kwh) == pytest.approx(2 + 1 - 2)  # (16)
    # (21): 2 kWh bought and 2 kWh sold, of those and 1 kWh sold to the grid.
    assert float(indicators.self_consumption) == pytest.approx(4 / 5)
    sellable, buyable = 5 + 0 + 1, 3 + 2 + 0
    assert float(indicators.flexibility) == pytest.approx(4 / (sellable + buyable))  # (22)
    gains = 2 * (0.30 - 0.20) + 2 * (0.20 - 0.10)
    assert float(indicators.gains_from_trade) == pytest.approx(gains, abs=1e-3)
    assert float(indicators.volatility) == 0.0
    assert float(indicators.clearing_price) == pytest.approx(0.2, abs=1e-4)
    # (15) Mean over the three lines of their flow over their capacity of 20 kW.
    loading = float(np.minimum(record.grid.loading, 1).mean())
    assert float(indicators.congestion) == pytest.approx(loading)


def test_profit_follows_equation_10(first_step):
    """Revenue minus payments, and the operator's fees on the trades."""
    _, timestep = first_step
    fees = timestep.info["record"].bill.network_fees
    expected = jnp.array([0.4, -0.4, 0.1]) - fees
    np.testing.assert_allclose(timestep.state.profit, expected, atol=1e-4)


def test_reward_follows_equation_2(env, first_step):
    """R = R_base (1 + f_coop f_contrib) minus both penalties, and the terms add up to it."""
    _, timestep = first_step
    terms = dict(zip(env.reward_names, np.asarray(timestep.info["reward_terms"]), strict=True))
    np.testing.assert_allclose(timestep.reward, sum(terms.values()), atol=1e-6)
    price_range, capacity = 0.2, 20.0
    economic = [2 * 0.1 / (price_range * 2), 2 * 0.1 / (price_range * 2), 0.0]
    # Offers are 3 kWh, orders 2 kWh: a surplus of 1 kWh. The buyer helps, by at most 1, the
    # sellers do not.
    grid = [-1.0, 1.0, -1.0]
    parts = zip(economic, grid, [1, 1, 0], [1, 1, 0], strict=True)
    base = np.array([(5 * e + 2 * g + r + t + 1.0) / 10 for e, g, r, t in parts])
    np.testing.assert_allclose(terms["marlem_base"], base, atol=2e-3)
    congestion = float(timestep.info["indicators"].congestion)
    cooperation = np.mean([1.0, 1.0, 1 - 1 / capacity, 1 - congestion, 1.0, 4 / 5, 4 / 11])
    contribution = np.array(
        [0.5 * 0 + 0.2 * 1 + 0.3 * 1, 0.5 * 1 + 0.2 + 0.3, 0.5 * 0 + 0.2 * 0.5 + 0]
    )
    expected = base * cooperation * contribution
    np.testing.assert_allclose(terms["marlem_cooperation"], expected, atol=3e-3)
    np.testing.assert_allclose(terms["marlem_grid_penalty"], [0, 0, -1], atol=1e-5)
    np.testing.assert_allclose(terms["marlem_unmet_penalty"], [0, 0, 0], atol=1e-6)


def test_demand_that_is_not_ordered_is_bought_from_the_supplier(env):
    _, state = env.reset(KEY)
    quantity = [0, 0.5 / float(env.params.scales.max_order_kwh), 0]
    timestep = env.step(KEY, state, raw_bid([0, 1, 0], quantity, [SELL, BUY, SELL]))
    assert float(timestep.state.unmet_kwh[1]) == pytest.approx(1.5)
    assert float(timestep.info["record"].flows.import_kwh[1]) == pytest.approx(2.0)
    terms = dict(zip(env.reward_names, timestep.info["reward_terms"], strict=True))
    assert terms["marlem_unmet_penalty"].tolist() == pytest.approx([0, -0.75, 0])


def test_box_and_raw_bids_are_equivalent(env):
    box = jnp.float32([[0.25, 0.5, 0.2, 0.1], [0.75, 0.5, 0.9, 0.1], [0.9, 0.2, 0.2, 0.7]])
    decoded = env.decode(box)
    # Three homes, the grid and no preference divide [0, 1] in fifths. Sunny names itself, which
    # means no preference.
    assert decoded.partner.tolist() == [NO_PREFERENCE, 0, GRID_ONLY]
    assert decoded.price.tolist() == pytest.approx([0.15, 0.25, 0.28])
    raw = raw_bid([0.25, 0.75, 0.9], [0.5, 0.5, 0.2], [SELL, BUY, SELL], [0, 0, 3])
    jax.tree.map(np.testing.assert_array_equal, decoded, env.decode(raw))


def test_masks_exclude_infeasible_sides_and_the_home_itself(env):
    _, state = env.reset(KEY)
    mask = env.action_mask(state)
    assert mask.side.tolist() == [[True, True], [False, True], [True, False]]
    assert not mask.partner[1, 1] and mask.partner[1].sum() == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "control", [{"action_mode": "bid"}, {"action_mode": "dispatch"}, {"power_levels": 41}]
)
def test_energy_and_money_balance_under_random_actions(scenario, control):
    fields = {f"environment.{name}": value for name, value in control.items()}
    fields = {"environment.action_mode": "dispatch"} | fields
    fields |= {
        "environment.profile_noise": 0.2,
        "environment.rewards": dict.fromkeys(reward_terms, 1.0),
        "environment.episode_steps": 24,
    }
    env = prosumax.make(scenario, fields)
    keys = jax.random.split(KEY, 400)  # 9600 random steps
    _, timestep = jax.jit(jax.vmap(lambda key: random_rollout(env, key, 24)))(keys)
    record = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), timestep.info["record"])
    flows, local, bill = record.flows, record.local, record.bill
    # Single precision on some 10 kWh.
    np.testing.assert_allclose(
        flows.solar_kwh + flows.discharge_kwh + flows.import_kwh,
        flows.load_kwh + flows.charge_kwh + flows.export_kwh + flows.curtailed_kwh,
        atol=3e-5,
    )
    battery = env.params.community.homes.battery
    max_stored = np.asarray(battery.soc_max * battery.capacity_kwh)
    min_stored = np.asarray(battery.soc_min * battery.capacity_kwh)
    assert (flows.stored_kwh <= max_stored + 1e-5).all()
    assert (flows.stored_kwh >= min_stored - 1e-5).all()
    np.testing.assert_allclose(local.bought_kwh.sum(-1), local.sold_kwh.sum(-1), atol=1e-5)
    np.testing.assert_allclose(local.paid.sum(-1), local.earned.sum(-1), atol=1e-5)
    fees = record.grid.fee_terms.sum(-1)
    np.testing.assert_allclose(bill.network_fees.sum(-1), fees, atol=1e-5)
    terms = np.asarray(timestep.info["reward_terms"])
    np.testing.assert_allclose(timestep.reward, terms.sum(-2), atol=1e-4)
    assert np.isfinite(np.asarray(timestep.obs)).all()
    rows = {name: number for number, name in enumerate(env.reward_names)}
    assert (np.abs(terms[..., rows["marlem_base"], :]) <= 1 + 1e-5).all()
    assert (np.abs(terms[..., rows["marlem_cooperation"], :]) <= 1 + 1e-5).all()


def test_reward_factors_stay_in_their_ranges(env, first_step):
    state, _ = first_step
    context = random_reward_context(env, state)
    components = base_components(context)
    assert all((np.abs(np.asarray(part)) <= 1).all() for part in components.values())
    assert 0 <= float(cooperation_factor(context)) <= 1
    contribution = np.asarray(contribution_factor(context))
    assert (contribution >= 0).all() and (contribution <= 1).all()


def test_episodes_are_truncated_at_their_time_limit(env):
    _, timestep = random_rollout(env, KEY)
    assert timestep.truncated.tolist() == [False] * (STEPS - 1) + [True]
    assert not timestep.terminated.any()


def test_start_steps_are_random_and_fit_the_period(scenario):
    env = prosumax.make(scenario, {"environment.episode_start": "random_day"})
    starts = jax.vmap(lambda key: env.reset(key)[1].start_step)(jax.random.split(KEY, 50))
    assert set(starts.tolist()) == {0, 24}
    env = prosumax.make(scenario, {"environment.episode_start": "random_step"})
    starts = jax.vmap(lambda key: env.reset(key)[1].start_step)(jax.random.split(KEY, 500))
    assert int(starts.min()) == 0 and int(starts.max()) == 48 - STEPS


def test_keys_determine_trajectories_and_homes_have_independent_noise(scenario):
    twins = {
        "environment.profile_noise": 0.2,
        "homes.1.load": {"source": "values", "values": [1.0]},
        "environment.episode_start": "first",
    }
    env = prosumax.make(scenario, twins)
    _, one = random_rollout(env, KEY)
    _, same = random_rollout(env, KEY)
    _, other = random_rollout(env, jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, one.obs, same.obs)
    assert not np.array_equal(one.obs, other.obs)
    load = one.info["record"].flows.load_kwh
    # The two homes have the same series.
    assert (np.asarray(load[:, 0]) != np.asarray(load[:, 1])).all()
    noiseless = {"environment.profile_noise": 0.0, "environment.episode_start": "first"}
    _, timestep = random_rollout(prosumax.make(scenario, noiseless), KEY)
    load = timestep.info["record"].flows.load_kwh
    np.testing.assert_allclose(load[:, 1], [2, 1, 2, 1, 2, 1])


@pytest.mark.slow
def test_batches_over_keys_and_over_parameters(env):
    keys = jax.random.split(KEY, 4)
    _, batch = jax.jit(jax.vmap(lambda key: random_rollout(env, key)))(keys)
    for number, key in enumerate(keys):
        _, single = random_rollout(env, key)
        np.testing.assert_allclose(batch.reward[number], single.reward, atol=1e-4)

    def scaled_params(factor):
        return env.params._replace(reward_weights=env.params.reward_weights * factor)

    params = jax.vmap(scaled_params)(jnp.arange(1.0, 4.0))
    _, batch = jax.jit(jax.vmap(lambda params: random_rollout(env, KEY, params=params)))(params)
    np.testing.assert_allclose(batch.reward[2], 3 * batch.reward[0], rtol=1e-4, atol=1e-5)


def test_step_compiles_once_per_shape(env):
    traces = 0

    def counted_step(key, state, action, params):
        nonlocal traces
        traces += 1
        return env.step(key, state, action, params)

    step = jax.jit(counted_step)
    _, state = env.reset(KEY)
    for number in range(4):
        params = env.params._replace(reward_weights=env.params.reward_weights * number)
        state = step(jax.random.key(number), state, env.action_space.sample(KEY), params).state
    assert traces == 1


def test_auto_reset_keeps_the_final_observation(env):
    _, state = env.reset(KEY)
    for number in range(STEPS):
        action = env.action_space.sample(KEY)
        timestep = auto_reset(env, jax.random.key(number), state, action)
        state = timestep.state
    assert bool(timestep.truncated) and int(timestep.state.time) == 0
    assert not np.array_equal(timestep.obs, timestep.final_obs)
    assert timestep.obs[0, env.observation_names.index("progress")] == 0


def test_homes_may_have_their_own_reward_weights(scenario):
    weights = {"homes.1.rewards": {"cost": 2.0}, "environment.rewards": {"profit": 1.0}}
    env = prosumax.make(scenario, weights)
    assert env.reward_names == ["profit", "cost"]
    np.testing.assert_array_equal(env.params.reward_weights, [[1, 0, 1], [0, 2, 0]])


def test_forecasts_are_perfect_persistent_or_noisy(scenario):
    base = {
        "environment.episode_start": "first",
        "environment.observations": ["load", "load_forecast"],
    }
    for forecast, expected in (("perfect", [1.0, 2.0]), ("persistence", [2.0, 2.0])):
        fields = {"environment.forecast": forecast, "environment.forecast_steps": 2}
        env = prosumax.make(scenario, base | fields)
        obs, _ = env.reset(KEY)
        scale = float(env.params.scales.max_order_kwh)
        np.testing.assert_allclose(obs[1] * scale, [2.0, *expected], rtol=1e-6)
    env = prosumax.make(scenario, base | {"environment.forecast": "noisy"})
    keys = jax.random.split(KEY, 300)
    forecasts = jax.vmap(lambda key: env.reset(key)[0][1, 1])(keys)
    forecasts = forecasts * env.params.scales.max_order_kwh
    assert float(forecasts.mean()) == pytest.approx(1.0, abs=0.02)
    assert float(forecasts.std()) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"environment.rewards": {"profits": 1.0}}, "Did you mean 'profit'"),
        ({"environment.observations": "marl"}, "no preset 'marl'"),
        ({"environment.episode_steps": 100}, "but the period has 48 steps"),
        ({"environment.power_levels": 40}, "requires action_mode dispatch"),
    ],
)
def test_invalid_configurations_raise_an_input_error(scenario, fields, message):
    with pytest.raises(InputError, match=message):
        prosumax.make(scenario, fields)


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ({}, (3, 4)),
        ({"environment.action_mode": "dispatch"}, (3, 1)),
        ({"environment.action_mode": "dispatch", "environment.power_levels": 5}, (3,)),
    ],
)
def test_spaces_contain_observations_and_sampled_actions(scenario, fields, shape):
    env = prosumax.make(scenario, fields)
    obs, state = env.reset(KEY)
    action = env.action_space.sample(KEY)
    assert env.action_space.shape == action.shape == shape
    assert env.action_space.contains(action)
    assert not env.action_space.contains(action + 10)
    assert env.observation_space.shape == obs.shape
    assert env.observation_space.contains(obs)
    assert env.observation_space.contains(env.step(KEY, state, action).obs)
    assert env.observation_space.contains(env.observation_space.sample(KEY))


def test_price_agents_share_the_conventions_of_homes():
    env = prosumax.make("mahtm-district")
    obs, state = env.reset(KEY)
    action = env.action_space.sample(KEY)
    assert isinstance(action, JointAction)
    assert env.action_space.contains(action)
    timestep = env.step(KEY, state, action)
    for value in (obs, timestep.obs, timestep.final_obs):
        assert value.shape == env.observation_space.shape
        assert env.observation_space.contains(value)
    agents = (env.num_agents,)
    assert timestep.reward.shape == timestep.terminated.shape == agents
    assert timestep.truncated.shape == ()
