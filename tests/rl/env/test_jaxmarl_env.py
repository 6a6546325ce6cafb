"""JaxMARL wrapper against JaxMARL's base class, spaces, wrappers and training."""

import inspect
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.rl import wrappers
from prosumax.rl.env import auto_reset

pytest.importorskip("jaxmarl")
optax = pytest.importorskip("optax")

from jaxmarl.environments.multi_agent_env import MultiAgentEnv, State  # noqa: E402
from jaxmarl.wrappers.baselines import CTRolloutManager, LogWrapper  # noqa: E402

SETTINGS = {
    "environment.episode_steps": 4,
    "environment.episode_start": "first",
    "environment.observations": "marlem",
    "environment.profile_noise": 0.2,
    "market.mechanism": "mid_market_rate",
}
ACTION_MODES = {
    "bid": {"environment.action_mode": "bid"},
    "dispatch": {},
    "levels": {"environment.power_levels": 5},
}
_ENVS = {}


@pytest.fixture
def make_env(tiny):
    """Factory of one environment per action mode, so that tests share compiled programs."""

    def make(mode):
        if mode not in _ENVS:
            _ENVS[mode] = prosumax.make(tiny, SETTINGS | ACTION_MODES[mode])
        return _ENVS[mode]

    return make


@pytest.fixture(params=ACTION_MODES)
def mode(request):
    return request.param


@pytest.fixture
def env(make_env, mode):
    return make_env(mode)


def sample_actions(wrapped, key):
    keys = jax.random.split(key, wrapped.num_agents)
    return {
        agent: wrapped.action_space(agent).sample(own)
        for agent, own in zip(wrapped.agents, keys, strict=True)
    }


def test_interface_is_that_of_the_base_class(env):
    wrapped = wrappers.to_jaxmarl(env)
    assert isinstance(wrapped, MultiAgentEnv)
    assert wrapped.agents == env.agents
    assert wrapped.num_agents == len(wrapped.agents) == 2
    assert wrapped.agent_classes == {"home": ["sunny", "shady"]}
    for method in (
        "reset",
        "step",
        "step_env",
        "get_obs",
        "get_avail_actions",
        "observation_space",
        "action_space",
    ):
        ours = inspect.signature(getattr(type(wrapped), method))
        theirs = inspect.signature(getattr(MultiAgentEnv, method))
        assert list(ours.parameters) == list(theirs.parameters), method
    obs, state = wrapped.reset(jax.random.key(0))
    assert isinstance(state, State)
    assert (int(state.step), bool(state.done)) == (0, False)
    observed = wrapped.get_obs(state)["sunny"]
    np.testing.assert_allclose(observed, obs["sunny"], rtol=1e-5, atol=1e-6)


def test_spaces_contain_observations_and_actions(env):
    wrapped = wrappers.to_jaxmarl(env)
    obs, state = wrapped.reset(jax.random.key(0))
    for key in jax.random.split(jax.random.key(1), env.config.episode_steps + 1):
        actions = sample_actions(wrapped, key)
        for agent in wrapped.agents:
            space = wrapped.observation_space(agent)
            assert obs[agent].shape == space.shape
            assert obs[agent].dtype == space.dtype
            assert bool(space.contains(obs[agent])), agent
            assert bool(wrapped.action_space(agent).contains(actions[agent]))
        obs, state, rewards, dones, infos = wrapped.step(key, state, actions)
        assert set(dones) == {*wrapped.agents, "__all__"}
        assert all(value.shape == () for value in (*rewards.values(), *dones.values()))
        # Training loops reshape every info to [environment x home].
        assert all(leaf.shape == (wrapped.num_agents,) for leaf in jax.tree.leaves(infos))


def test_available_actions_are_those_of_the_core(env, mode):
    wrapped = wrappers.to_jaxmarl(env)
    _, state = wrapped.reset(jax.random.key(0))
    available = wrapped.get_avail_actions(state)
    expected = {
        "bid": {"sunny": [True] * 4, "shady": [True] * 4},
        "dispatch": {"sunny": [True], "shady": [False]},
        # The home without a battery has a single available level.
        "levels": {"sunny": [True] * 5, "shady": [False, False, True, False, False]},
    }
    assert {agent: mask.tolist() for agent, mask in available.items()} == expected[mode]


@pytest.mark.slow
def test_wrapper_follows_the_core_with_automatic_reset(env):
    wrapped = wrappers.to_jaxmarl(env, final_obs=True)
    core_step = jax.jit(lambda key, state, action: auto_reset(env, key, state, action))
    obs, state = wrapped.reset(jax.random.key(2))
    core_obs, core_state = jax.jit(env.reset)(jax.random.key(2))

    def assert_close(by_agent, expected):
        stacked = jnp.stack([by_agent[agent] for agent in env.agents])
        np.testing.assert_allclose(stacked, expected, rtol=1e-5, atol=1e-6)

    for key in jax.random.split(jax.random.key(3), 2 * env.config.episode_steps + 1):
        assert_close(obs, core_obs)
        action = env.action_space.sample(key)
        actions = {agent: action[home] for home, agent in enumerate(env.agents)}
        obs, state, rewards, dones, infos = wrapped.step(key, state, actions)
        timestep = core_step(key, core_state, action)
        core_obs, core_state = timestep.obs, timestep.state
        assert_close(rewards, timestep.reward)
        truncated = bool(timestep.truncated)
        assert bool(dones["__all__"]) == truncated == bool(infos["truncated"].all())
        assert int(state.step) == int(core_state.time)
        assert_close(infos["final_obs"], timestep.final_obs)


def test_step_can_reset_to_a_given_state(env):
    wrapped = wrappers.to_jaxmarl(env)
    first_obs, first_state = wrapped.reset(jax.random.key(0))
    state = first_state
    for key in jax.random.split(jax.random.key(1), env.config.episode_steps):
        actions = sample_actions(wrapped, key)
        obs, state, _, dones, _ = wrapped.step(key, state, actions, first_state)
    assert bool(dones["__all__"])
    np.testing.assert_allclose(obs["sunny"], first_obs["sunny"], rtol=1e-6)


@pytest.mark.slow
def test_log_wrapper_runs_in_batches(make_env):
    env = make_env("levels")
    wrapped = LogWrapper(wrappers.to_jaxmarl(env))
    num_envs, episode_steps = 3, env.config.episode_steps

    def rollout(key):
        _, state = wrapped.reset(key)

        def advance(state, key):
            actions = sample_actions(wrapped, key)
            _, state, rewards, dones, infos = wrapped.step(key, state, actions)
            stacked = jnp.stack([rewards[agent] for agent in wrapped.agents])
            return state, (stacked, dones["__all__"], infos)

        return jax.lax.scan(advance, state, jax.random.split(key, 2 * episode_steps))[1]

    keys = jax.random.split(jax.random.key(0), num_envs)
    rewards, dones, infos = jax.jit(jax.vmap(rollout))(keys)
    assert dones.sum() == 2 * num_envs
    assert dones[:, episode_steps - 1].all()
    total = rewards[:, :episode_steps].sum(1)
    returns = infos["returned_episode_returns"][:, episode_steps - 1]
    np.testing.assert_allclose(returns, total, rtol=1e-4, atol=1e-6)
    assert (infos["returned_episode_lengths"][:, -1] == episode_steps).all()
    # Every copy has its own noise.
    assert len(np.unique(np.asarray(total[:, 1]).round(6))) == num_envs


def test_rollout_manager_of_value_based_baselines_runs(make_env):
    manager = CTRolloutManager(wrappers.to_jaxmarl(make_env("levels")), batch_size=2)
    obs, state = manager.batch_reset(jax.random.key(0))
    assert "__all__" in obs
    actions = {agent: manager.batch_sample(jax.random.key(1), agent) for agent in manager.agents}
    _, _, rewards, _, _ = manager.batch_step(jax.random.key(2), state, actions)
    total = sum(rewards[agent] for agent in manager.agents)
    np.testing.assert_allclose(rewards["__all__"], total, rtol=1e-5)


def test_reserved_name_of_a_home_raises_an_input_error(tiny):
    tiny["homes"][1]["name"] = "__all__"
    with pytest.raises(InputError, match="Give it another name"):
        wrappers.to_jaxmarl(prosumax.make(tiny, SETTINGS))


# JaxMARL's own training loops (its `baselines`) are not part of the installed package. The loop
# below, IPPO with shared parameters, uses only JaxMARL's interface and its LogWrapper.


class Transition(NamedTuple):
    obs: jax.Array
    mask: jax.Array
    action: jax.Array
    log_prob: jax.Array
    value: jax.Array
    reward: jax.Array
    done: jax.Array


def actor_critic(params, obs, mask):
    hidden = jnp.tanh(obs @ params["in"] + params["bias"])
    logits = jnp.where(mask, hidden @ params["actor"], -1e9)
    return logits, (hidden @ params["critic"])[..., 0]


def log_prob_of(logits, action):
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], -1)[..., 0]


def train_ippo(env, key, num_updates=60, num_envs=16, num_steps=24, update_epochs=4):
    """Mean return of an episode, by update."""
    agents = env.agents
    obs_size = env.observation_space(agents[0]).shape[0]
    num_actions = env.action_space(agents[0]).n
    shapes = {"in": (obs_size, 32), "bias": (32,), "actor": (32, num_actions), "critic": (32, 1)}
    *param_keys, update_key, reset_key = jax.random.split(key, len(shapes) + 2)
    params = {
        name: 0.1 * jax.random.normal(own, shapes[name])
        for name, own in zip(shapes, param_keys, strict=True)
    }
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(5e-3))

    def stack(by_agent):
        return jnp.stack([by_agent[agent] for agent in agents], axis=1)

    def masks(state):
        return stack(jax.vmap(env.get_avail_actions)(state.env_state))

    def env_step(carry, key):
        params, obs, state = carry
        action_key, step_key = jax.random.split(key)
        stacked, mask = stack(obs), masks(state)
        logits, value = actor_critic(params, stacked, mask)
        action = jax.random.categorical(action_key, logits)
        actions = {agent: action[:, home] for home, agent in enumerate(agents)}
        step_keys = jax.random.split(step_key, num_envs)
        obs, state, reward, done, info = jax.vmap(env.step)(step_keys, state, actions)
        log_prob = log_prob_of(logits, action)
        transition = Transition(stacked, mask, action, log_prob, value, stack(reward), stack(done))
        return (params, obs, state), (transition, info["returned_episode_returns"])

    def loss(params, batch, advantage, target):
        logits, value = actor_critic(params, batch.obs, batch.mask)
        ratio = jnp.exp(log_prob_of(logits, batch.action) - batch.log_prob)
        normalized = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped_ratio = jnp.clip(ratio, 0.8, 1.2)
        policy_gain = jnp.minimum(ratio * normalized, clipped_ratio * normalized).mean()
        probs = jax.nn.softmax(logits)
        entropy = -(probs * jnp.log(probs + 1e-9)).sum(-1).mean()
        return -policy_gain + 0.5 * ((value - target) ** 2).mean() - 0.001 * entropy

    def update(carry, key):
        params, opt_state, obs, state = carry
        keys = jax.random.split(key, num_steps)
        (_, obs, state), (batch, returns) = jax.lax.scan(env_step, (params, obs, state), keys)
        last_value = actor_critic(params, stack(obs), masks(state))[1]

        def backward(carry, transition):
            advantage, next_value = carry
            is_running = 1 - transition.done
            delta = transition.reward + is_running * next_value - transition.value
            advantage = delta + 0.95 * is_running * advantage
            return (advantage, transition.value), advantage

        initial = (jnp.zeros_like(last_value), last_value)
        _, advantage = jax.lax.scan(backward, initial, batch, reverse=True)

        def gradient_step(carry, _):
            params, opt_state = carry
            gradient = jax.grad(loss)(params, batch, advantage, advantage + batch.value)
            updates, opt_state = optimizer.update(gradient, opt_state)
            return (optax.apply_updates(params, updates), opt_state), None

        learner = (params, opt_state)
        (params, opt_state), _ = jax.lax.scan(gradient_step, learner, None, update_epochs)
        return (params, opt_state, obs, state), returns[-1].mean()

    obs, state = jax.vmap(env.reset)(jax.random.split(reset_key, num_envs))
    start = (params, optimizer.init(params), obs, state)
    train = jax.jit(lambda start, keys: jax.lax.scan(update, start, keys)[1])
    return train(start, jax.random.split(update_key, num_updates))


@pytest.mark.slow
def test_ippo_learns_the_optimum(tiny):
    # With worthless exports, the home with PV stores half a kWh for the hour without generation.
    # It then pays nothing, and the other home pays 3 for its 6 kWh.
    tiny["tariff"] = {"energy": 0.5, "feed_in": 0.0}
    overrides = {
        "environment.power_levels": 5,
        "market.mechanism": "none",
        "environment.profile_noise": 0.0,
    }
    env = LogWrapper(wrappers.to_jaxmarl(prosumax.make(tiny, SETTINGS | overrides)))
    returns = np.asarray(train_ippo(env, jax.random.key(0)))
    assert returns[:3].mean() < -1.6, returns
    assert returns[-5:].mean() == pytest.approx(-1.5, abs=0.01), returns
