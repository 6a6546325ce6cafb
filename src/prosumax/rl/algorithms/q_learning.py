"""Tabular Q-learning on a discretized observation.

Every feature of the observation is discretized into equal bins. Where there are more combinations
than rows of the table, a hash maps combinations to rows, so that the table does not grow with the
number of features; a combination then shares its row with another one with a probability of about
(number of visited combinations) / (number of rows).

References:
    Watkins (1989), Learning from delayed rewards.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components.action_values import epsilon_greedy, greedy_actions, select_values
from prosumax.rl.components.distributions import ActionNoise
from prosumax.rl.components.spaces import Action, ActionMask
from prosumax.rl.components.types import ActorOutput, AgentSpec, Batch, HiddenState


class QLearningConfig(NamedTuple):
    """Hyperparameters; numbers that may be traced.

    Attributes:
        learning_rate: Step size of the update toward the target.
        gamma: Discount factor per step.
        epsilon: Probability of a random action.
        initial_value: Value of all actions at the start; optimistic values ensure that all are
            tried.
    """

    learning_rate: float | Array = 0.2
    gamma: float | Array = 0.99
    epsilon: float | Array = 0.05
    initial_value: float | Array = 0.0


class QLearningState(NamedTuple):
    """State of one policy.

    Attributes:
        q_table: Value of every action.
    """

    q_table: Float[Array, "row discrete action"]


@dataclass(frozen=True)
class QLearning:
    """A tabular Q-learner.

    Attributes:
        spec: Sizes of an agent.
        features: Indices of the features that the table distinguishes; all if empty.
        obs_bins: Number of bins per feature.
        obs_low: Lower end of the first bin; lower values are in the first bin.
        obs_high: Upper end of the last bin; higher values are in the last bin.
        table_size: Maximum number of rows of the table.
    """

    spec: AgentSpec
    features: tuple[int, ...] = ()
    obs_bins: int = 20
    obs_low: float = -1.0
    obs_high: float = 1.0
    table_size: int = 2**14

    def __post_init__(self) -> None:
        if self.spec.global_obs_size:
            raise InputError(
                "qlearning: paradigm",
                "qlearning has no critic, and this paradigm needs a centralized one",
                "Choose dtde, dtde-shared or ctce.",
            )
        for feature in self.features:
            if not 0 <= feature < self.spec.obs_size:
                raise InputError(
                    "qlearning: features",
                    f"there is no feature {feature}",
                    f"Give indices from 0 to {self.spec.obs_size - 1}.",
                )

    @property
    def hidden_state_size(self) -> int:
        """Width of the actor's hidden state; a table has none."""
        return 0

    @property
    def num_rows(self) -> int:
        """Number of rows of the table."""
        num_features = len(self.features) or self.spec.obs_size
        num_states: int = self.obs_bins**num_features
        return min(self.table_size, num_states)

    def init(self, key: PRNGKeyArray, config: QLearningConfig) -> QLearningState:
        """Return a table in which all actions have the initial value."""
        space = self.spec.action_space
        shape = (self.num_rows, space.discrete, space.num_actions)
        return QLearningState(jnp.full(shape, config.initial_value, jnp.float32))

    def act(
        self,
        state: QLearningState,
        obs: Float[Array, "env agent feature"],
        mask: ActionMask,
        hidden_state: HiddenState,
        config: QLearningConfig,
        noise: ActionNoise | None,
    ) -> ActorOutput:
        """Select epsilon-greedy actions, or greedy ones without noise."""
        values = state.q_table[self.row_index(obs)]
        discrete = epsilon_greedy(values, mask.discrete, config.epsilon, noise)
        action = Action(jnp.zeros((*discrete.shape[:-1], 0)), discrete)
        return ActorOutput(action, {}, hidden_state)

    def inference_state(self, state: QLearningState) -> QLearningState:
        """Return the whole state, since acting needs all of it."""
        return state

    def update(
        self, state: QLearningState, batch: Batch, config: QLearningConfig, key: PRNGKeyArray
    ) -> tuple[QLearningState, dict[str, Array]]:
        """Update the table from the last step to the first, so that values propagate backward."""
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
        features = obs[..., jnp.array(self.features)] if self.features else obs
        share = (features - self.obs_low) / (self.obs_high - self.obs_low)
        bins = jnp.floor(share * self.obs_bins)
        index = jnp.clip(bins, 0, self.obs_bins - 1).astype(jnp.uint32)
        num_features = features.shape[-1]
        if self.obs_bins**num_features <= self.table_size:
            place_values = self.obs_bins ** jnp.arange(num_features, dtype=jnp.uint32)
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


algorithms.register("qlearning", "Tabular Q-learning; observations and actions are discretized.")(
    Algorithm(QLearning, QLearningConfig(), discrete_only=True)
)
