"""Deep Q-learning solves probes, and its target agrees with a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.dqn import DQN, DQNConfig
from prosumax.rl.components.action_values import q_values
from prosumax.rl.components.normalization import init_statistics, update_statistics
from prosumax.rl.components.replay_buffer import sample_transitions
from prosumax.rl.components.spaces import ActionMask, ActionSpace
from prosumax.rl.components.types import AgentSpec
from tests.rl import probes

FAST = {
    "hidden_sizes": [16],
    "gradient_steps": 4,
    "batch_size": 64,
    "buffer_size": 2000,
    "learning_rate": 1e-2,
    "tau": 0.1,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("delay", "dtde"),
        ("team", "ctce"),
        pytest.param("masked", "dtde-shared", marks=pytest.mark.slow),
        pytest.param("number", "dtde", marks=pytest.mark.slow),
    ],
)
def test_dqn_reaches_the_best_reward(kind, paradigm):
    # The best actions, half of -1 or 0, are among these bins (-1, -1/2, 0, ..).
    settings = FAST | ({"action_bins": 5} if kind == "number" else {})
    assert probes.solves(kind, "dqn", paradigm, settings | {"epsilon": 0.02})


def test_target_is_the_double_estimate():
    space = ActionSpace(0, 2, 3)
    rng = np.random.default_rng(0)
    config = DQNConfig(gamma=0.9, hidden_sizes=(8,), buffer_size=6)
    learner = DQN(AgentSpec(4, 0, 1, space, space), config)
    q_network, target_network = (learner.init(jax.random.key(seed)).q_network for seed in (1, 2))
    valid = rng.random((6, 2, 3)) < 0.6
    valid[..., 0] = True
    state = learner.init(jax.random.key(0))
    transitions = state.buffer.transitions._replace(
        next_obs=jnp.asarray(rng.normal(size=(6, 4)), jnp.float32),
        next_mask=ActionMask(jnp.ones((6, 0), bool), jnp.asarray(valid)),
        reward=jnp.asarray(rng.normal(size=6), jnp.float32),
        terminated=jnp.array([False, True, False, False, True, False]),
    )
    # Mean 3 and standard deviation 2.
    statistics = update_statistics(init_statistics(), jnp.array([1.0, 5.0]), jnp.ones(2))
    selecting = q_values(q_network, transitions.next_obs, space)
    valuing = q_values(target_network, transitions.next_obs, space)
    state = state._replace(
        q_network=q_network, target_network=target_network, value_statistics=statistics
    )
    targets = learner.td_target(state, transitions)
    for row in range(6):
        value = 0.0
        for part in range(2):
            actions = [action for action in range(3) if valid[row, part, action]]
            best = max(actions, key=lambda action, row=row, part=part: selecting[row, part, action])
            value += valuing[row, part, best]
        next_value = 0.0 if transitions.terminated[row] else 0.9 * (3.0 + 2.0 * value)
        expected = float(transitions.reward[row] + next_value)
        assert targets[row] == pytest.approx(expected, rel=1e-4)


def test_loss_has_a_gradient_only_for_the_actions_taken():
    space = ActionSpace(0, 1, 3)
    config = DQNConfig(hidden_sizes=(8,), buffer_size=4)
    learner = DQN(AgentSpec(2, 0, 1, space, space), config)
    state = learner.init(jax.random.key(0))
    transitions, weight = sample_transitions(state.buffer, jax.random.key(0), 4)
    gradient = jax.grad(learner.loss)(state.q_network, transitions, jnp.ones(4), jnp.ones(4))
    # Only action 0 was taken; its gradient is value - target, which the Huber loss clips at 1.
    value = q_values(state.q_network, transitions.obs, space)[0, 0, 0]
    expected = [-min(1.0 - value, 1.0), 0.0, 0.0]
    np.testing.assert_allclose(gradient.layers[-1][1], expected, atol=1e-6)
    assert not weight.any()


def test_a_centralized_critic_is_rejected():
    space = ActionSpace(0, 1, 3)
    with pytest.raises(InputError, match="no critic"):
        DQN(AgentSpec(2, 4, 2, space, space))
