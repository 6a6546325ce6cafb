"""Every face passes its ecosystem's own checker, and all of them walk the same trajectory as the core."""

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
from prosumax.rl.observations.home_terms import observations
from prosumax.rl.rewards.home_terms import rewards
from prosumax.rl.wrappers.bounds import BOUNDS, observation_bounds

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("pettingzoo")

ALL_TERMS = list(observations)
SPEC = {
    "environment.control": "bid",
    "environment.episode_steps": 4,
    "environment.starts": "first",
    "environment.observations": ALL_TERMS,
    "environment.noise": 0.2,
    "environment.forecast": "noisy",
    "environment.rewards": {"profit": 1.0, "limited": 0.1},
    "market.mechanism": "mid_market_rate",
}
STYLES = {
    "bid": {},
    "dispatch": {"environment.control": "dispatch"},
    "levels": {"environment.control": "dispatch", "environment.levels": 5},
}


@pytest.fixture
def env(tiny):
    return _env(tiny, "bid")


@pytest.fixture(params=STYLES)
def styled(request, tiny):
    return _env(tiny, request.param)


_made = {}


def _env(tiny, style):
    """One environment of each style for all tests, so that they share what is compiled."""
    if style not in _made:
        _made[style] = prosumax.make(tiny, SPEC | STYLES[style])
    return _made[style]


def _keys(seed):
    """The chain of keys of `Host`."""
    chain = jax.random.key(seed)
    while True:
        chain, key = jax.random.split(chain)
        yield key


@cache
def _compiled(env):
    return jax.jit(env.reset), jax.jit(env.step)


def _core(env, seed, actions):
    """Observations and rewards of the core alone: one episode."""
    keys, (begin, advance) = _keys(seed), _compiled(env)
    obs, state = begin(next(keys))
    out = [(np.asarray(obs), None)]
    for action in actions:
        ts = advance(next(keys), state, action)
        state = ts.state
        out.append((np.asarray(ts.obs), np.asarray(ts.reward)))
    return out


def _actions(env, seed=9):
    return [
        np.asarray(env.sample_action(key))
        for key in jax.random.split(jax.random.key(seed), env.config.steps)
    ]


# Spaces


def test_bounds_are_those_that_the_summaries_state():
    stated = {}
    for name, summary in observations.summaries().items():
        if found := re.search(r"(?:between )?(-?\d) (?:to|and) (\d)\b", summary):
            stated[name] = (float(found[1]), float(found[2]))
    assert stated == BOUNDS


def test_bounds_have_one_entry_per_column(env):
    low, high = observation_bounds(env)
    assert len(low) == len(high) == len(env.observation_names)
    assert (low <= high).all()


# PettingZoo


def test_pettingzoo_passes_its_checkers(styled):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(wrappers.to_pettingzoo(styled), num_cycles=20)
        parallel_seed_test(lambda: wrappers.to_pettingzoo(styled), num_cycles=3)


def test_pettingzoo_with_parts_passes_its_checkers(env):
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(wrappers.to_pettingzoo(env, parts=True), num_cycles=20)
    parallel_seed_test(lambda: wrappers.to_pettingzoo(env, parts=True), num_cycles=3)


@pytest.mark.parametrize(
    ("style", "parts"), [("bid", False), ("bid", True), ("dispatch", False), ("levels", False)]
)
def test_pettingzoo_spaces_contain_what_comes_out(tiny, style, parts):
    env = _env(tiny, style)
    face = wrappers.to_pettingzoo(env, parts=parts)
    for episode in range(3):
        obs, infos = face.reset(seed=episode)
        lengths = 0
        while face.agents:
            for agent in face.agents:
                assert face.observation_space(agent).contains(obs[agent]), agent
                assert obs[agent].dtype == np.float32
            actions = {
                agent: face.action_space(agent).sample(infos[agent].get("action_mask"))
                for agent in face.agents
            }
            obs, reward, terminated, truncated, infos = face.step(actions)
            lengths += 1
            assert not any(terminated.values())
            assert all(isinstance(value, float) for value in reward.values())
        assert lengths == env.config.steps
        assert all(truncated.values())
        assert all(face.observation_space(agent).contains(obs[agent]) for agent in obs)


def test_pettingzoo_infos_add_up(env):
    face = wrappers.to_pettingzoo(env)
    face.reset(seed=0)
    _, reward, _, _, infos = face.step(
        {agent: np.full(4, 0.7, np.float32) for agent in face.agents}
    )
    for agent in env.agents:
        assert sum(infos[agent]["reward_terms"].values()) == pytest.approx(reward[agent], rel=1e-5)
        assert set(infos[agent]["reward_terms"]) == set(env.reward_names)


def test_pettingzoo_refuses_what_cannot_be(env, tiny):
    face = wrappers.to_pettingzoo(env)
    with pytest.raises(InputError, match="Call reset"):
        face.step({})
    face.reset(seed=0)
    with pytest.raises(InputError, match="lack 'sunny'"):
        face.step({"shady": np.zeros(4)})
    with pytest.raises(InputError, match="control to bid"):
        wrappers.to_pettingzoo(_env(tiny, "dispatch"), parts=True)


def test_pettingzoo_walks_as_the_core(styled):
    actions = _actions(styled)
    face = wrappers.to_pettingzoo(styled)
    obs, _ = face.reset(seed=3)
    core = _core(styled, 3, actions)
    for action, (want, reward) in zip(actions, core[1:], strict=True):
        obs, got, *_ = face.step(dict(zip(face.agents, action, strict=True)))
        np.testing.assert_allclose(np.stack(list(obs.values())), want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(list(got.values()), reward, rtol=1e-5, atol=1e-6)


def test_bids_in_parts_are_bids_in_one_box(env):
    box, parts = wrappers.to_pettingzoo(env), wrappers.to_pettingzoo(env, parts=True)
    box.reset(seed=1), parts.reset(seed=1)
    choices = env.num_agents + 2
    for action in _actions(env):
        as_parts = {
            agent: {"price": p, "quantity": q, "side": int(s > 0.5), "partner": int(who * choices)}
            for agent, (p, q, s, who) in zip(env.agents, action, strict=True)
        }
        one, two = box.step(dict(zip(env.agents, action, strict=True))), parts.step(as_parts)
        np.testing.assert_array_equal(list(one[1].values()), list(two[1].values()))


# Gymnasium


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gymnasium_passes_its_checker(styled):
    from gymnasium.utils.env_checker import check_env

    check_env(wrappers.to_gymnasium(styled), skip_render_check=True)


def test_gymnasium_walks_as_the_core(styled):
    actions = _actions(styled)
    for reward in ("sum", "mean"):
        face = wrappers.to_gymnasium(styled, reward=reward)
        obs, _ = face.reset(seed=3)
        core = _core(styled, 3, actions)
        np.testing.assert_allclose(obs, core[0][0].reshape(-1), rtol=1e-5, atol=1e-6)
        for step, (action, (want, paid)) in enumerate(zip(actions, core[1:], strict=True), 1):
            obs, got, terminated, truncated, info = face.step(action.reshape(-1))
            np.testing.assert_allclose(obs, want.reshape(-1), rtol=1e-5, atol=1e-6)
            assert face.observation_space.contains(obs)
            assert got == pytest.approx(getattr(paid, reward)(), rel=1e-5, abs=1e-6)
            assert (terminated, truncated) == (False, step == styled.config.steps)
        with pytest.raises(InputError, match="Call reset"):
            face.step(actions[0].reshape(-1))


def test_vector_is_gymnasiums_own_vector_of_single_ones(styled):
    from gymnasium.vector import AutoresetMode, SyncVectorEnv

    copies = 2
    ours = wrappers.to_gymnasium_vector(styled, copies)
    theirs = SyncVectorEnv(
        [lambda: wrappers.to_gymnasium(styled)] * copies, autoreset_mode=AutoresetMode.SAME_STEP
    )
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    ours.action_space.seed(0)
    got, want = ours.reset(seed=5), theirs.reset(seed=5)
    for _ in range(2 * styled.config.steps + 1):
        _same(got, want)
        action = ours.action_space.sample()
        got, want = ours.step(action), theirs.step(action)


def _same(got, want):
    """Equal numbers in nested dictionaries, tuples and object arrays."""
    if isinstance(want, dict):
        assert set(want) == set(got)
        for name in want:
            _same(got[name], want[name])
    elif isinstance(want, tuple) or (isinstance(want, np.ndarray) and want.dtype.hasobject):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            _same(one, other)
    else:
        np.testing.assert_allclose(
            np.asarray(got, float), np.asarray(want, float), rtol=1e-5, atol=1e-6
        )


def test_learners_may_write_into_what_they_get(env):
    face = wrappers.to_gymnasium_vector(env, 2)
    first, _ = face.reset(seed=0)
    later, reward, *_ = face.step(face.action_space.sample())
    assert first.flags.writeable and later.flags.writeable and reward.flags.writeable


def test_vector_works_with_a_wrapper_of_gymnasium(env):
    from gymnasium.wrappers.vector import RecordEpisodeStatistics

    face = RecordEpisodeStatistics(wrappers.to_gymnasium_vector(env, 2))
    face.reset(seed=0)
    for _ in range(env.config.steps):
        *_, truncated, info = face.step(face.action_space.sample())
    assert truncated.all()
    assert (info["episode"]["l"] == env.config.steps).all()


def test_vector_copies_may_differ_in_their_params(env):
    free = env.params._replace(weights=jnp.zeros_like(env.params.weights))
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), env.params, free)
    face = wrappers.to_gymnasium_vector(env, 2, both, own_params=True)
    face.reset(seed=[4, 4])
    obs, reward, *_ = face.step(np.full((2, 8), 0.6, np.float32))
    np.testing.assert_allclose(obs[0], obs[1])
    assert reward[0] != 0 == reward[1]
    with pytest.raises(InputError, match="3 copies"):
        wrappers.to_gymnasium_vector(env, 3, both, own_params=True)


def test_wrong_arguments_are_named(env):
    with pytest.raises(InputError, match="Allowed: sum, mean"):
        wrappers.to_gymnasium(env, reward="median")
    with pytest.raises(InputError, match="one or more"):
        wrappers.to_gymnasium_vector(env, 0)
    face = wrappers.to_gymnasium_vector(env, 2)
    with pytest.raises(InputError, match="3 entries for 2 copies"):
        face.reset(seed=[1, 2, 3])
    with pytest.raises(InputError, match="keep step"):
        face.reset(options={"reset_mask": np.array([True, False])})


# Missing libraries


@pytest.mark.parametrize(
    ("call", "library", "extra"),
    [
        (wrappers.to_jaxmarl, "jaxmarl", "jaxmarl"),
        (wrappers.to_pettingzoo, "pettingzoo", "rl"),
        (wrappers.to_gymnasium, "gymnasium", "rl"),
        (lambda env: wrappers.to_gymnasium_vector(env, 2), "gymnasium", "rl"),
        (wrappers.to_sb3, "stable_baselines3", "sb3"),
        (lambda env: wrappers.rllib_env("street"), "ray", "rllib"),
    ],
)
def test_a_missing_library_is_named_with_its_cure(call, library, extra, env, monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=re.escape(f"pip install 'prosumax[{extra}]'")):
        call(env)


def test_no_library_is_loaded_before_its_face_is_asked_for():
    heavy = {"gymnasium", "pettingzoo", "jaxmarl", "flax", "stable_baselines3", "torch", "ray"}
    code = f"import sys, prosumax.rl.wrappers; sys.exit(bool({heavy} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


# The page


PAGE = (Path(__file__).parents[3] / "docs" / "environment.md").read_text()


@pytest.mark.parametrize("registry", [observations, rewards], ids=["observations", "rewards"])
def test_the_page_has_every_term_with_its_summary(registry):
    for name, summary in registry.summaries().items():
        assert f"| `{name}` | {summary}" in PAGE
