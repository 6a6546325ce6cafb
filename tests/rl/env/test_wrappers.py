"""Wrappers pass the checkers of their libraries and follow the trajectory of the core."""

import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl import wrappers
from prosumax.rl.observations import observation_terms, term_bounds
from prosumax.rl.rewards import reward_terms

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("pettingzoo")

SETTINGS = {
    "environment.action_mode": "bid",
    "environment.episode_steps": 4,
    "environment.episode_start": "first",
    "environment.observations": list(observation_terms),
    "environment.profile_noise": 0.2,
    "environment.forecast": "noisy",
    "environment.rewards": {"profit": 1.0, "infeasible_request": 0.1},
    "market.mechanism": "mid_market_rate",
}
ACTION_MODES = {
    "bid": {},
    "dispatch": {"environment.action_mode": "dispatch"},
    "levels": {"environment.action_mode": "dispatch", "environment.power_levels": 5},
}
DOCS = Path(__file__).parents[3] / "docs"
_ENVS = {}


@pytest.fixture
def make_env(tiny):
    """Factory of one environment per action mode, so that tests share compiled programs."""

    def make(mode):
        if mode not in _ENVS:
            _ENVS[mode] = prosumax.make(tiny, SETTINGS | ACTION_MODES[mode])
        return _ENVS[mode]

    return make


@pytest.fixture
def env(make_env):
    return make_env("bid")


@pytest.fixture(params=ACTION_MODES)
def any_env(request, make_env):
    return make_env(request.param)


def key_chain(seed):
    """Yield the PRNG keys of `BatchedEnv`."""
    chain = jax.random.key(seed)
    while True:
        chain, key = jax.random.split(chain)
        yield key


@cache
def compiled(env):
    return jax.jit(env.reset), jax.jit(env.step)


def core_episode(env, seed, actions):
    """Observations and rewards of the core environment in one episode."""
    keys = key_chain(seed)
    reset, step = compiled(env)
    obs, state = reset(next(keys))
    results = [(np.asarray(obs), None)]
    for action in actions:
        timestep = step(next(keys), state, action)
        state = timestep.state
        results.append((np.asarray(timestep.obs), np.asarray(timestep.reward)))
    return results


def random_actions(env, seed=9):
    keys = jax.random.split(jax.random.key(seed), env.config.episode_steps)
    return [np.asarray(env.action_space.sample(key)) for key in keys]


def assert_same(actual, expected):
    """Assert equal numbers in nested dictionaries, tuples and object arrays."""
    if isinstance(expected, dict):
        assert set(expected) == set(actual)
        for name in expected:
            assert_same(actual[name], expected[name])
    elif isinstance(expected, tuple) or (
        isinstance(expected, np.ndarray) and expected.dtype.hasobject
    ):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other)
    else:
        actual, expected = np.asarray(actual, float), np.asarray(expected, float)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_bounds_are_stated_in_the_summaries():
    stated = {}
    for name, summary in observation_terms.summaries().items():
        if match := re.search(r"(?:between )?(-?\d) (?:to|and) (\d)\b", summary):
            stated[name] = (float(match[1]), float(match[2]))
    bounds = {name: term_bounds(name) for name in observation_terms}
    assert stated == {name: pair for name, pair in bounds.items() if np.isfinite(pair).all()}


def test_bounds_have_one_entry_per_column(env):
    space = env.home_observation_space
    assert len(space.low) == len(space.high) == len(env.observation_names)
    assert (space.low <= space.high).all()


@pytest.mark.slow
def test_pettingzoo_passes_its_checkers(any_env):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(wrappers.to_pettingzoo(any_env), num_cycles=20)
        parallel_seed_test(lambda: wrappers.to_pettingzoo(any_env), num_cycles=3)


@pytest.mark.slow
def test_pettingzoo_with_dict_actions_passes_its_checkers(env):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(wrappers.to_pettingzoo(env, dict_actions=True), num_cycles=20)
    parallel_seed_test(lambda: wrappers.to_pettingzoo(env, dict_actions=True), num_cycles=3)


@pytest.mark.parametrize(
    ("mode", "dict_actions"),
    [("bid", False), ("bid", True), ("dispatch", False), ("levels", False)],
)
def test_pettingzoo_spaces_contain_observations(make_env, mode, dict_actions):
    env = make_env(mode)
    wrapped = wrappers.to_pettingzoo(env, dict_actions=dict_actions)
    for episode in range(3):
        obs, infos = wrapped.reset(seed=episode)
        length = 0
        while wrapped.agents:
            for agent in wrapped.agents:
                assert wrapped.observation_space(agent).contains(obs[agent]), agent
                assert obs[agent].dtype == np.float32
            actions = {
                agent: wrapped.action_space(agent).sample(infos[agent].get("action_mask"))
                for agent in wrapped.agents
            }
            obs, reward, terminated, truncated, infos = wrapped.step(actions)
            length += 1
            assert not any(terminated.values())
            assert all(isinstance(value, float) for value in reward.values())
        assert length == env.config.episode_steps
        assert all(truncated.values())
        assert all(wrapped.observation_space(agent).contains(obs[agent]) for agent in obs)


def test_pettingzoo_reward_terms_add_up_to_the_reward(env):
    wrapped = wrappers.to_pettingzoo(env)
    wrapped.reset(seed=0)
    actions = {agent: np.full(4, 0.7, np.float32) for agent in wrapped.agents}
    _, reward, _, _, infos = wrapped.step(actions)
    for agent in env.agents:
        terms = infos[agent]["reward_terms"]
        assert sum(terms.values()) == pytest.approx(reward[agent], rel=1e-5)
        assert set(terms) == set(env.reward_names)


def test_pettingzoo_rejects_invalid_use(env, make_env):
    wrapped = wrappers.to_pettingzoo(env)
    with pytest.raises(InputError, match="Call reset"):
        wrapped.step({})
    wrapped.reset(seed=0)
    with pytest.raises(InputError, match="lack 'sunny'"):
        wrapped.step({"shady": np.zeros(4)})
    with pytest.raises(InputError, match="action_mode to bid"):
        wrappers.to_pettingzoo(make_env("dispatch"), dict_actions=True)


def test_pettingzoo_follows_the_core(any_env):
    actions = random_actions(any_env)
    wrapped = wrappers.to_pettingzoo(any_env)
    obs, _ = wrapped.reset(seed=3)
    episode = core_episode(any_env, 3, actions)
    for action, (expected_obs, expected_reward) in zip(actions, episode[1:], strict=True):
        obs, reward, *_ = wrapped.step(dict(zip(wrapped.agents, action, strict=True)))
        stacked = np.stack(list(obs.values()))
        np.testing.assert_allclose(stacked, expected_obs, rtol=1e-5, atol=1e-6)
        rewards = list(reward.values())
        np.testing.assert_allclose(rewards, expected_reward, rtol=1e-5, atol=1e-6)


def test_pettingzoo_dict_actions_are_equivalent_to_boxes(env):
    box = wrappers.to_pettingzoo(env)
    parts = wrappers.to_pettingzoo(env, dict_actions=True)
    box.reset(seed=1)
    parts.reset(seed=1)
    choices = env.num_agents + 2
    for action in random_actions(env):
        as_parts = {
            agent: {
                "price": price,
                "quantity": quantity,
                "side": int(side > 0.5),
                "partner": int(partner * choices),
            }
            for agent, (price, quantity, side, partner) in zip(env.agents, action, strict=True)
        }
        box_step = box.step(dict(zip(env.agents, action, strict=True)))
        parts_step = parts.step(as_parts)
        np.testing.assert_array_equal(list(box_step[1].values()), list(parts_step[1].values()))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gymnasium_passes_its_checker(any_env):
    from gymnasium.utils.env_checker import check_env

    check_env(wrappers.to_gymnasium(any_env), skip_render_check=True)


def test_gymnasium_follows_the_core(any_env):
    actions = random_actions(any_env)
    for aggregation in ("sum", "mean"):
        wrapped = wrappers.to_gymnasium(any_env, reward=aggregation)
        obs, _ = wrapped.reset(seed=3)
        episode = core_episode(any_env, 3, actions)
        np.testing.assert_allclose(obs, episode[0][0].reshape(-1), rtol=1e-5, atol=1e-6)
        for number, (action, expected) in enumerate(zip(actions, episode[1:], strict=True), 1):
            obs, reward, terminated, truncated, _ = wrapped.step(action.reshape(-1))
            np.testing.assert_allclose(obs, expected[0].reshape(-1), rtol=1e-5, atol=1e-6)
            assert wrapped.observation_space.contains(obs)
            expected_reward = getattr(expected[1], aggregation)()
            assert reward == pytest.approx(expected_reward, rel=1e-5, abs=1e-6)
            is_last = number == any_env.config.episode_steps
            assert (terminated, truncated) == (False, is_last)
        with pytest.raises(InputError, match="Call reset"):
            wrapped.step(actions[0].reshape(-1))


@pytest.mark.slow
def test_vector_env_is_equivalent_to_gymnasiums_sync_vector_env(any_env):
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    num_envs = 2
    ours = wrappers.to_gymnasium_vector(any_env, num_envs)
    theirs = SyncVectorEnv(
        [lambda: wrappers.to_gymnasium(any_env)] * num_envs,
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    ours.action_space.seed(0)
    actual = ours.reset(seed=5)
    expected = theirs.reset(seed=5)
    for _ in range(2 * any_env.config.episode_steps + 1):
        assert_same(actual, expected)
        action = ours.action_space.sample()
        actual = ours.step(action)
        expected = theirs.step(action)


def test_results_of_the_vector_env_can_be_modified_in_place(env):
    wrapped = wrappers.to_gymnasium_vector(env, 2)
    first_obs, _ = wrapped.reset(seed=0)
    obs, reward, *_ = wrapped.step(wrapped.action_space.sample())
    assert all(array.flags["W"] for array in (first_obs, obs, reward))


def test_vector_env_supports_gymnasiums_vector_wrappers(env):
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    wrapped = RecordEpisodeStatistics(wrappers.to_gymnasium_vector(env, 2))
    wrapped.reset(seed=0)
    for _ in range(env.config.episode_steps):
        *_, truncated, info = wrapped.step(wrapped.action_space.sample())
    assert truncated.all()
    assert (info["episode"]["l"] == env.config.episode_steps).all()


def test_copies_of_the_vector_env_may_differ_in_their_params(env):
    zero = env.params._replace(reward_weights=jnp.zeros_like(env.params.reward_weights))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), env.params, zero)
    wrapped = wrappers.to_gymnasium_vector(env, 2, both, batched_params=True)
    wrapped.reset(seed=[4, 4])
    obs, reward, *_ = wrapped.step(np.full((2, 8), 0.6, np.float32))
    np.testing.assert_allclose(obs[0], obs[1])
    assert reward[0] != 0 == reward[1]
    with pytest.raises(InputError, match="3 environments"):
        wrappers.to_gymnasium_vector(env, 3, both, batched_params=True)


def test_invalid_arguments_raise_an_input_error(env):
    with pytest.raises(InputError, match="Allowed: sum, mean"):
        wrappers.to_gymnasium(env, reward="median")
    with pytest.raises(InputError, match="must be >= 1"):
        wrappers.to_gymnasium_vector(env, 0)
    wrapped = wrappers.to_gymnasium_vector(env, 2)
    with pytest.raises(InputError, match="3 entries for 2 environments"):
        wrapped.reset(seed=[1, 2, 3])
    with pytest.raises(InputError, match="stepped together"):
        wrapped.reset(options={"reset_mask": np.array([True, False])})


@pytest.mark.parametrize(
    ("call", "library", "extra"),
    [
        (wrappers.to_jaxmarl, "jaxmarl", "jaxmarl"),
        (wrappers.to_pettingzoo, "pettingzoo", "rl"),
        (wrappers.to_gymnasium, "gymnasium", "rl"),
        (lambda env: wrappers.to_gymnasium_vector(env, 2), "gymnasium", "rl"),
        (wrappers.to_sb3, "stable_baselines3", "sb3"),
        (lambda env: wrappers.make_rllib_env("street"), "ray", "rllib"),
    ],
)
def test_missing_library_is_reported_with_its_extra(call, library, extra, env, monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=re.escape(f"pip install 'prosumax[{extra}]'")):
        call(env)


def test_libraries_are_imported_only_by_their_wrapper():
    libraries = {"gymnasium", "pettingzoo", "jaxmarl", "flax", "stable_baselines3", "torch", "ray"}
    code = f"import sys, prosumax.rl.wrappers; sys.exit(bool({libraries} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "registry", [observation_terms, reward_terms], ids=["observations", "rewards"]
)
def test_docs_list_every_term_with_its_summary(registry):
    pages = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.rglob("*.md")))
    for name, summary in registry.summaries().items():
        assert f"| `{name}` | {summary}" in pages
