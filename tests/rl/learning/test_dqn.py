"""Deep Q-learning: its target against a loop, probes against their best reward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from prosumax.errors import InputError
from prosumax.rl.algorithms.dqn import DQN, Hyper
from prosumax.rl.components import normalization, replay_buffer
from prosumax.rl.components.spaces import Mask, Space
from prosumax.rl.components.types import Spec

FAST = {
    "hidden": [16],
    "updates": 4,
    "batch_size": 64,
    "capacity": 2000,
    "learning_rate": 1e-2,
    "follow": 0.1,
}


@pytest.mark.parametrize(
    ("kind", "paradigm"),
    [
        ("delay", "dtde"),
        ("team", "ctce"),
        pytest.param("masked", "dtde-shared", marks=pytest.mark.slow),
        pytest.param("number", "dtde", marks=pytest.mark.slow),
    ],
)
def test_it_reaches_the_best_reward(probes, kind, paradigm):
    # With fewer bins (-1, -1/2, 0, ..) the best number, half of -1 or 0, is among them.
    settings = FAST | ({"bins": 5} if kind == "number" else {})
    assert probes.reaches_the_best(kind, "dqn", paradigm, settings | {"epsilon": 0.02})


def test_the_target_is_the_double_estimate():
    space, rng = Space(0, 2, 3), np.random.default_rng(0)
    learner, hp = DQN(Spec(4, 0, 1, space, space), hidden=(8,), capacity=6), Hyper(discount=0.9)
    one, other = (learner.init(jax.random.key(seed), hp).network for seed in (1, 2))
    mask = rng.random((6, 2, 3)) < 0.6
    mask[..., 0] = True
    rows = learner.init(jax.random.key(0), hp).buffer.rows._replace(
        next_obs=jnp.asarray(rng.normal(size=(6, 4)), jnp.float32),
        next_mask=Mask(jnp.ones((6, 0), bool), jnp.asarray(mask)),
        reward=jnp.asarray(rng.normal(size=6), jnp.float32),
        terminated=jnp.array([False, True, False, False, True, False]),
    )
    scale = normalization.see(
        normalization.begin(), jnp.array([1.0, 5.0]), jnp.ones(2)
    )  # mean 3, deviation 2
    picks, says = learner.values(one, rows.next_obs), learner.values(other, rows.next_obs)
    for row in range(6):
        worth = 0.0
        for choice in range(2):
            best = max(
                (option for option in range(3) if mask[row, choice, option]),
                key=lambda at: picks[row, choice, at],
            )
            worth += says[row, choice, best]
        expected = rows.reward[row] + (0.0 if rows.terminated[row] else 0.9 * (3.0 + 2.0 * worth))
        assert learner.target(one, other, scale, rows, hp)[row] == pytest.approx(
            float(expected), rel=1e-4
        )


def test_the_loss_falls_only_where_something_was_done():
    space = Space(0, 1, 3)
    learner, hp = DQN(Spec(2, 0, 1, space, space), hidden=(8,), capacity=4), Hyper()
    state = learner.init(jax.random.key(0), hp)
    rows, weight = replay_buffer.sample(state.buffer, jax.random.key(0), 4)
    gradient = jax.grad(learner.loss)(state.network, rows, jnp.ones(4), jnp.ones(4))
    # Only option 0 was chosen, so only its output learns: minus (goal - value), which Huber cuts at 1.
    value = learner.values(state.network, rows.obs)[0, 0, 0]
    np.testing.assert_allclose(
        gradient.layers[-1][1], [-min(1.0 - value, 1.0), 0.0, 0.0], atol=1e-6
    )
    assert not weight.any()


def test_a_central_critic_is_refused():
    space = Space(0, 1, 3)
    with pytest.raises(InputError, match="no critic"):
        DQN(Spec(2, 4, 2, space, space))
