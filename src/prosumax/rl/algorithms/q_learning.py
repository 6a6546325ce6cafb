"""Tabular Q-learning on a discretized observation.

Every feature of the observation is discretized into equal bins. Where there are more combinations
than rows of the table, a hash maps combinations to rows, so that the table does not grow with the
number of features; a combination then shares its row with another one with a probability of about
(number of visited combinations) / (number of rows).

References:
    Watkins (1989), Learning from delayed rewards.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray
from pydantic import NonNegativeInt, PositiveInt

from prosumax.errors import InputError
from prosumax.rl.algorithms.base import Learner, hyperparameters
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.components.action_values import epsilon_greedy, greedy_actions, select_values
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.spaces import Action, ActionMask
from prosumax.rl.components.types import ActorOutput, Batch, HiddenState


@hyperparameters
class QLearningConfig:
    """Hyperparameters.

    Attributes:
        learning_rate: Step size of the update toward the target.
        gamma: Discount factor per step.
        epsilon: Probability of a random action.
        initial_value: Value of all actions at the start; optimistic values ensure that all are
            tried.
        obs_low: Lower end of the first bin; lower values are in the first bin.
        obs_high: Upper end of the last bin; higher values are in the last bin.
        features: Indices of the features that the table distinguishes; all if empty.
        obs_bins: Number of bins per feature.
        table_size: Maximum number of rows of the table.
    """

    learning_rate: float = 0.2
    gamma: float = 0.99
    epsilon: float = 0.05
    initial_value: float = 0.0
    obs_low: float = -1.0
    obs_high: float = 1.0
    features: tuple[NonNegativeInt, ...] = ()
    obs_bins: PositiveInt = 20
    table_size: PositiveInt = 2**14


class QLearningState(NamedTuple):
    """State of one policy.

    Attributes:
        q_table: Value of every action.
    """

    q_table: Float[Array, "row discrete action"]


@algorithms.register("qlearning", "Tabular Q-learning; observations and actions are discretized.")
@dataclass(frozen=True)
class QLearning(Learner):
    """A tabular Q-learner."""

    config: QLearningConfig = QLearningConfig()

    discrete_only: ClassVar[bool] = True
    centralized_critic: ClassVar[Literal["unsupported"]] = "unsupported"

    def __post_init__(self) -> None:
        super().__post_init__()
        for feature in self.config.features:
            if feature >= self.spec.obs_size:
                raise InputError(
                    "qlearning: features",
                    f"there is no feature {feature}",
                    f"Give indices from 0 to {self.spec.obs_size - 1}.",
                )

    @property
    def num_rows(self) -> int:
        """Number of rows of the table."""
        num_features = len(self.config.features) or self.spec.obs_size
        num_states: int = self.config.obs_bins**num_features
        return min(self.config.table_size, num_states)

    def init(self, key: PRNGKeyArray) -> QLearningState:
        """Return a table in which all actions have the initial value."""
        space = self.spec.action_space
        shape = (self.num_rows, space.discrete, space.num_actions)
        return QLearningState(jnp.full(shape, self.config.initial_value, jnp.float32))

    def act(
        self,
        state: QLearningState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Select epsilon-greedy actions, or greedy ones without noise."""
        values = state.q_table[self.row_index(obs)]
        discrete = epsilon_greedy(values, mask.discrete, self.config.epsilon, noise)
        action = Action(jnp.zeros((*discrete.shape[:-1], 0)), discrete)
        return ActorOutput(action, {}, hidden_state)

    def update(
        self, state: QLearningState, batch: Batch, key: PRNGKeyArray
    ) -> tuple[QLearningState, dict[str, Array]]:
        """Update the table from the last step to the first, so that values propagate backward."""
        config = self.config
        steps = (
            self.row_index(batch.obs),
            self.row_index(batch.next_obs),
            batch.next_mask.discrete,
            batch.action.discrete,
            batch.reward,
            batch.terminated,
            batch.weight,
        )

        def update_step(table: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            row, next_row, next_mask, action, reward, terminated, weight = step
            next_values = table[next_row]
            next_action = greedy_actions(next_values, next_mask)
            next_value = select_values(next_values, next_action).sum(-1)
            target = reward + config.gamma * jnp.where(terminated, 0.0, next_value)
            error = target - select_values(table[row], action).sum(-1)
            table = _add_updates(table, row, action, config.learning_rate * error, weight)
            return table, jnp.abs(error * weight).sum()

        table, errors = jax.lax.scan(update_step, state.q_table, steps, reverse=True)
        value_error = errors.sum() / jnp.maximum(batch.weight.sum(), 1e-8)
        return QLearningState(table), {"value_error": value_error}

    def row_index(self, obs: Float[Array, "*batch feature"]) -> Int[Array, "*batch"]:
        """Return the row of the table that belongs to an observation."""
        config = self.config
        features = obs[..., jnp.array(config.features)] if config.features else obs
        share = (features - config.obs_low) / (config.obs_high - config.obs_low)
        bins = jnp.floor(share * config.obs_bins)
        index = jnp.clip(bins, 0, config.obs_bins - 1).astype(jnp.uint32)
        num_features = features.shape[-1]
        if config.obs_bins**num_features <= config.table_size:
            place_values = config.obs_bins ** jnp.arange(num_features, dtype=jnp.uint32)
            return (index * place_values).sum(-1).astype(jnp.int32)
        # FNV-1a, with a final mix because its lowest bits are weak.
        code = jnp.full(index.shape[:-1], 0x811C9DC5, jnp.uint32)
        for feature in range(num_features):
            code = (code ^ index[..., feature]) * jnp.uint32(0x01000193)
        code = (code ^ (code >> 16)) * jnp.uint32(0x85EBCA6B)
        row: Array = (code ^ (code >> 13)) % self.num_rows
        return row.astype(jnp.int32)


def _add_updates(
    table: Float[Array, "row discrete action"],
    row: Int[Array, "env agent"],
    action: Int[Array, "env agent discrete"],
    update: Float[Array, "env agent"],
    weight: Float[Array, "env agent"],
) -> Float[Array, "row discrete action"]:
    """Add updates, divided over discrete actions, to the table; those of one entry are averaged."""
    num_discrete = action.shape[-1]
    entry = (row[..., None] * num_discrete + jnp.arange(num_discrete)) * table.shape[-1] + action
    # Updates without weight get an index past the end, which `mode="drop"` ignores. Counting
    # duplicates by sorting needs no second table.
    entry = jnp.where(weight[..., None] > 0, entry.astype(jnp.int32), table.size).reshape(-1)
    ordered = jnp.sort(entry)
    right = jnp.searchsorted(ordered, entry, side="right")
    count = right - jnp.searchsorted(ordered, entry, side="left")
    update = jnp.broadcast_to(update[..., None], action.shape).reshape(-1) / count / num_discrete
    return table.reshape(-1).at[entry].add(update, mode="drop").reshape(table.shape)
