"""Policy gradients agree with finite differences and with the exact gradient of the reward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.rl.algorithms.a2c import A2C, A2CConfig
from prosumax.rl.algorithms.ppo import PPO, PPOConfig
from prosumax.rl.components.actor_critic import value_loss
from prosumax.rl.components.distributions import sample_noise
from prosumax.rl.components.spaces import ActionMask, ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl.probes import make_batch

SPACE = ActionSpace(0, 1, 3)
SPEC = AgentSpec(2, 0, 1, SPACE, SPACE)


def make_ppo(ent_coef):
    return PPO(SPEC, PPOConfig(ent_coef=ent_coef, hidden_sizes=(4,), normalize_advantage=False))


def make_a2c():
    return A2C(SPEC, A2CConfig(ent_coef=0.0, hidden_sizes=(4,), normalize_advantage=False))


def one_step_batch(learner, state, num_envs=64):
    """Episodes of one step with three actions, of which action k pays k."""
    obs = jax.random.normal(jax.random.key(5), (num_envs, 1, 2))
    mask = ActionMask(jnp.ones((num_envs, 1, 0), bool), jnp.ones((num_envs, 1, 1, 3), bool))
    noise = sample_noise(SPACE, jax.random.key(6), (num_envs, 1))
    output = learner.act(state, obs, mask, jnp.zeros((num_envs, 1, 0)), noise)
    actions = output.action.discrete[None, ..., 0]
    done = jnp.ones((1, num_envs), bool)
    return make_batch(
        obs[None],
        actions,
        actions.astype(jnp.float32),
        extras={name: extra[None] for name, extra in output.extras.items()},
        terminated=done[..., None],
        is_first=done,
        done=done,
    )


def test_ppo_starts_with_the_gradient_of_a2c():
    ppo = make_ppo(ent_coef=0.0)
    a2c = make_a2c()
    state = ppo.init(jax.random.key(0))
    batch = one_step_batch(ppo, state)
    advantage = jax.random.normal(jax.random.key(7), batch.reward.shape)
    clipped, _ = jax.grad(ppo.actor_loss, has_aux=True)(state.actor, batch, advantage)
    plain, _ = jax.grad(a2c.actor_loss, has_aux=True)(state.actor, batch, advantage)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), clipped, plain)


@pytest.mark.parametrize("part", ["actor", "critic"])
def test_gradients_agree_with_finite_differences(part):
    learner = make_ppo(ent_coef=0.01)
    state = learner.init(jax.random.key(0))
    batch = one_step_batch(learner, state)
    advantage = jax.random.normal(jax.random.key(7), batch.reward.shape)
    network = getattr(state, part)
    if part == "actor":
        network = jax.tree.map(
            lambda leaf: leaf + 0.03 * jax.random.normal(jax.random.key(8), leaf.shape), network
        )

    def loss(network):
        if part == "actor":
            return learner.actor_loss(network, batch, advantage)[0]
        return value_loss(network, state.value_statistics, SPEC, batch, advantage)

    gradient = jax.grad(loss)(network)
    up = loss(jax.tree.map(lambda leaf, slope: leaf + 1e-2 * slope, network, gradient))
    down = loss(jax.tree.map(lambda leaf, slope: leaf - 1e-2 * slope, network, gradient))
    squared_norm = sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient))
    # Single precision leaves about three digits of a difference over so small a step.
    assert float(up - down) / 2e-2 == pytest.approx(squared_norm, rel=2e-2)


def test_expected_policy_gradient_is_the_gradient_of_the_expected_reward():
    """REINFORCE with a baseline, averaged over all actions by their probability, is exact."""
    learner = make_a2c()
    state = learner.init(jax.random.key(0))
    batch = one_step_batch(learner, state, num_envs=1)
    obs = batch.obs[0, 0]

    def probabilities(actor):
        out, _ = actor(obs, jnp.zeros((1, 0)))
        return jax.nn.softmax(out[0])

    total = jax.tree.map(jnp.zeros_like, state.actor)
    for level, probability in enumerate(probabilities(state.actor)):
        action = batch.action._replace(discrete=jnp.full((1, 1, 1, 1), level))
        advantage = jnp.full((1, 1, 1), level - 0.7)  # Any baseline has the same expectation.
        gradient, _ = jax.grad(learner.actor_loss, has_aux=True)(
            state.actor, batch._replace(action=action), advantage
        )
        total = jax.tree.map(lambda a, b, p=probability: a - p * b, total, gradient)
    exact = jax.grad(lambda actor: (probabilities(actor) * jnp.arange(3.0)).sum())(state.actor)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), total, exact)
