"""The JaxMARL face, checked against JaxMARL's own base class, spaces, wrappers and way of training."""

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

SPEC = {
    "environment.episode_steps": 4,
    "environment.starts": "first",
    "environment.observations": "marlem",
    "environment.noise": 0.2,
    "market.mechanism": "mid_market_rate",
}
STYLES = {
    "bid": {"environment.control": "bid"},
    "dispatch": {},
    "levels": {"environment.levels": 5},
}
_made = {}


def _env(tiny, style):
    if style not in _made:
        _made[style] = prosumax.make(tiny, SPEC | STYLES[style])
    return _made[style]


@pytest.fixture(params=STYLES)
def env(request, tiny):
    return _env(tiny, request.param)


def _sample(face, key):
    keys = jax.random.split(key, face.num_agents)
    return {
        agent: face.action_space(agent).sample(each)
        for agent, each in zip(face.agents, keys, strict=True)
    }


def test_it_has_the_interface_of_the_base_class(env):
    face = wrappers.to_jaxmarl(env)
    assert isinstance(face, MultiAgentEnv)
    assert face.agents == env.agents
    assert face.num_agents == len(face.agents) == 2
    assert face.agent_classes == {"home": ["sunny", "shady"]}
    for method in (
        "reset",
        "step",
        "step_env",
        "get_obs",
        "get_avail_actions",
        "observation_space",
        "action_space",
    ):
        ours, theirs = (
            inspect.signature(getattr(each, method)) for each in (type(face), MultiAgentEnv)
        )
        assert list(ours.parameters) == list(theirs.parameters), method
    obs, state = face.reset(jax.random.key(0))
    assert isinstance(state, State)
    assert (int(state.step), bool(state.done)) == (0, False)
    np.testing.assert_allclose(face.get_obs(state)["sunny"], obs["sunny"], rtol=1e-5, atol=1e-6)


def test_spaces_contain_what_comes_out(env):
    face = wrappers.to_jaxmarl(env)
    obs, state = face.reset(jax.random.key(0))
    for key in jax.random.split(jax.random.key(1), env.config.steps + 1):
        actions = _sample(face, key)
        for agent in face.agents:
            space = face.observation_space(agent)
            assert obs[agent].shape == space.shape
            assert obs[agent].dtype == space.dtype
            assert bool(space.contains(obs[agent])), agent
            assert bool(face.action_space(agent).contains(actions[agent]))
        obs, state, rewards, dones, infos = face.step(key, state, actions)
        assert set(dones) == {*face.agents, "__all__"}
        assert all(value.shape == () for value in (*rewards.values(), *dones.values()))
        # Training loops reshape every info to [environment x home].
        assert all(leaf.shape == (face.num_agents,) for leaf in jax.tree.leaves(infos))


def test_available_actions_are_those_of_the_core(env):
    face = wrappers.to_jaxmarl(env)
    _, state = face.reset(jax.random.key(0))
    avail = face.get_avail_actions(state)
    want = {
        "bid": {"sunny": [True] * 4, "shady": [True] * 4},
        "dispatch": {"sunny": [True], "shady": [False]},
        # The home without a battery has one level that counts.
        "levels": {"sunny": [True] * 5, "shady": [False, False, True, False, False]},
    }
    style = next(name for name in STYLES if _made.get(name) is env)
    assert {agent: value.tolist() for agent, value in avail.items()} == want[style]


def test_it_walks_as_the_core_with_automatic_reset(env):
    face = wrappers.to_jaxmarl(env, final_obs=True)
    advance = jax.jit(lambda key, state, action: auto_reset(env, key, state, action))
    obs, state = face.reset(jax.random.key(2))
    want, core = jax.jit(env.reset)(jax.random.key(2))
    for key in jax.random.split(jax.random.key(3), 2 * env.config.steps + 1):
        np.testing.assert_allclose(
            jnp.stack([obs[agent] for agent in env.agents]), want, rtol=1e-5, atol=1e-6
        )
        action = env.sample_action(key)
        obs, state, rewards, dones, infos = face.step(
            key, state, {agent: action[home] for home, agent in enumerate(env.agents)}
        )
        ts = advance(key, core, action)
        want, core = ts.obs, ts.state
        np.testing.assert_allclose(
            jnp.stack([rewards[agent] for agent in env.agents]), ts.reward, rtol=1e-5, atol=1e-6
        )
        assert bool(dones["__all__"]) == bool(ts.truncated) == bool(infos["truncated"].all())
        assert int(state.step) == int(core.time)
        last = jnp.stack([infos["final_obs"][agent] for agent in env.agents])
        np.testing.assert_allclose(last, ts.final_obs, rtol=1e-5, atol=1e-6)


def test_it_can_be_reset_to_a_state(env):
    face = wrappers.to_jaxmarl(env)
    first, begin = face.reset(jax.random.key(0))
    state = begin
    for key in jax.random.split(jax.random.key(1), env.config.steps):
        obs, state, _, dones, _ = face.step(key, state, _sample(face, key), begin)
    assert bool(dones["__all__"])
    np.testing.assert_allclose(obs["sunny"], first["sunny"], rtol=1e-6)


def test_it_batches_under_the_log_wrapper(tiny):
    env = _env(tiny, "levels")
    face = LogWrapper(wrappers.to_jaxmarl(env))
    copies, steps = 3, 2 * env.config.steps

    def roll(key):
        obs, state = face.reset(key)

        def one(state, key):
            _, state, rewards, dones, infos = face.step(key, state, _sample(face, key))
            return state, (
                jnp.stack([rewards[agent] for agent in face.agents]),
                dones["__all__"],
                infos,
            )

        return jax.lax.scan(one, state, jax.random.split(key, steps))[1]

    rewards, dones, infos = jax.jit(jax.vmap(roll))(jax.random.split(jax.random.key(0), copies))
    assert dones.sum() == 2 * copies
    assert dones[:, env.config.steps - 1].all()
    total = rewards[:, : env.config.steps].sum(1)
    np.testing.assert_allclose(
        infos["returned_episode_returns"][:, env.config.steps - 1], total, rtol=1e-4, atol=1e-6
    )
    assert (infos["returned_episode_lengths"][:, -1] == env.config.steps).all()
    # Every copy draws its own noise.
    assert len(np.unique(np.asarray(total[:, 1]).round(6))) == copies


def test_it_works_with_the_wrapper_of_the_value_based_baselines(tiny):
    face = CTRolloutManager(wrappers.to_jaxmarl(_env(tiny, "levels")), batch_size=2)
    obs, state = face.batch_reset(jax.random.key(0))
    assert "__all__" in obs
    actions = {agent: face.batch_sample(jax.random.key(1), agent) for agent in face.agents}
    _, _, rewards, _, _ = face.batch_step(jax.random.key(2), state, actions)
    np.testing.assert_allclose(
        rewards["__all__"], sum(rewards[agent] for agent in face.agents), rtol=1e-5
    )


def test_a_home_may_not_have_the_name_for_all(tiny):
    tiny["homes"][1]["name"] = "__all__"
    with pytest.raises(InputError, match="Give it another name"):
        wrappers.to_jaxmarl(prosumax.make(tiny, SPEC))


# A training loop. JaxMARL's own (its `baselines`) are not in the package that pip installs, so this one is written here
# for the test, against nothing but JaxMARL's interface and its LogWrapper: IPPO with shared parameters.


class Step(NamedTuple):
    obs: jax.Array
    mask: jax.Array
    action: jax.Array
    logit: jax.Array
    value: jax.Array
    reward: jax.Array
    done: jax.Array


def _heads(params, obs, mask):
    hidden = jnp.tanh(obs @ params["in"] + params["bias"])
    return jnp.where(mask, hidden @ params["actor"], -1e9), (hidden @ params["critic"])[..., 0]


def _log_prob(logits, action):
    return jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], -1)[..., 0]


def _train(face, key, updates=60, copies=16, steps=24, epochs=4):
    """Mean return of an episode, by update."""
    agents = face.agents
    width, choices = face.observation_space(agents[0]).shape[0], face.action_space(agents[0]).n
    names = {"in": (width, 32), "bias": (32,), "actor": (32, choices), "critic": (32, 1)}
    *draws, act_key, reset_key = jax.random.split(key, len(names) + 2)
    params = {
        name: 0.1 * jax.random.normal(draw, names[name])
        for name, draw in zip(names, draws, strict=True)
    }
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(5e-3))
    together = lambda values: jnp.stack([values[agent] for agent in agents], axis=1)  # noqa: E731

    def act(carry, key):
        params, obs, state = carry
        choose, move = jax.random.split(key)
        seen, mask = together(obs), together(jax.vmap(face.get_avail_actions)(state.env_state))
        logits, value = _heads(params, seen, mask)
        action = jax.random.categorical(choose, logits)
        by_name = {agent: action[:, home] for home, agent in enumerate(agents)}
        obs, state, reward, done, info = jax.vmap(face.step)(
            jax.random.split(move, copies), state, by_name
        )
        step = Step(
            seen, mask, action, _log_prob(logits, action), value, together(reward), together(done)
        )
        return (params, obs, state), (step, info["returned_episode_returns"])

    def loss(params, path, advantage, target):
        logits, value = _heads(params, path.obs, path.mask)
        ratio = jnp.exp(_log_prob(logits, path.action) - path.logit)
        scaled = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped = jnp.minimum(ratio * scaled, jnp.clip(ratio, 0.8, 1.2) * scaled).mean()
        chances = jax.nn.softmax(logits)
        entropy = -(chances * jnp.log(chances + 1e-9)).sum(-1).mean()
        return -clipped + 0.5 * ((value - target) ** 2).mean() - 0.001 * entropy

    def update(carry, key):
        params, memory, obs, state = carry
        (_, obs, state), (path, returns) = jax.lax.scan(
            act, (params, obs, state), jax.random.split(key, steps)
        )
        mask = together(jax.vmap(face.get_avail_actions)(state.env_state))
        last = _heads(params, together(obs), mask)[1]

        def back(carry, step):
            advantage, following = carry
            delta = step.reward + (1 - step.done) * following - step.value
            advantage = delta + 0.95 * (1 - step.done) * advantage
            return (advantage, step.value), advantage

        _, advantage = jax.lax.scan(back, (jnp.zeros_like(last), last), path, reverse=True)

        def learn(carry, _):
            params, memory = carry
            slope = jax.grad(loss)(params, path, advantage, advantage + path.value)
            change, memory = optimiser.update(slope, memory)
            return (optax.apply_updates(params, change), memory), None

        (params, memory), _ = jax.lax.scan(learn, (params, memory), None, epochs)
        return (params, memory, obs, state), returns[-1].mean()

    obs, state = jax.vmap(face.reset)(jax.random.split(reset_key, copies))
    start = (params, optimiser.init(params), obs, state)
    train = jax.jit(lambda start, keys: jax.lax.scan(update, start, keys)[1])
    return train(start, jax.random.split(act_key, updates))


@pytest.mark.slow
def test_a_training_loop_learns_through_it(tiny):
    # With exports worth nothing, the sunny home does best to keep half a kWh for the dark hour; it then pays nothing,
    # and the other 3 for its 6 kWh.
    tiny["tariff"] = {"energy": 0.5, "feed_in": 0.0}
    env = prosumax.make(
        tiny, SPEC | {"environment.levels": 5, "market.mechanism": "none", "environment.noise": 0.0}
    )
    returns = np.asarray(_train(LogWrapper(wrappers.to_jaxmarl(env)), jax.random.key(0)))
    assert returns[:3].mean() < -1.6, returns
    assert returns[-5:].mean() == pytest.approx(-1.5, abs=0.01), returns
