"""Tabular Q-learning (Watkins 1989) on a discretised observation: a table says what every option is worth in a cell.

Every feature that the table knows is cut into even cells. Where there are more combinations than rows, a hash says
which row one has, as in a dictionary: the table then does not grow with the number of features, and a combination that
occurs shares its row with others with a probability of about (combinations that occur) / rows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax.errors import InputError
from prosumax.rl.algorithms.registry import Algorithm, algorithms
from prosumax.rl.components.action_values import chosen, epsilon_greedy, greedy
from prosumax.rl.components.distributions import Dice
from prosumax.rl.components.spaces import Action, Mask
from prosumax.rl.components.types import Batch, Decision, Memory, Spec


class Hyper(NamedTuple):
    """Hyper-parameters; numbers that may be traced.

    Attributes:
        learning_rate: share of the way to what a step taught.
        discount: of rewards, per step.
        epsilon: probability with which a choice is any, not the best.
        first: what an option is worth before it was tried; hopeful values make sure that all are.
    """

    learning_rate: float | Array = 0.2
    discount: float | Array = 0.99
    epsilon: float | Array = 0.05
    first: float | Array = 0.0


class State(NamedTuple):
    """Of one group.

    Attributes:
        table: what every option is worth.
    """

    table: Float[Array, "row choice option"]


@dataclass(frozen=True)
class QLearning:
    """A learner; see the module.

    Attributes:
        spec: sizes.
        features: numbers of the features that the table knows; all if empty.
        cells: of each feature.
        lowest, highest: between which they lie; what is beyond is in the outermost cell.
        rows: of the table, at most.
    """

    spec: Spec
    features: tuple[int, ...] = ()
    cells: int = 20
    lowest: float = -1.0
    highest: float = 1.0
    rows: int = 2**14

    def __post_init__(self) -> None:
        if self.spec.everyone:
            raise InputError(
                "qlearning: paradigm",
                "has a central critic, and a table has none",
                "Take dtde or ctce.",
            )
        beyond = [feature for feature in self.features if not 0 <= feature < self.spec.obs]
        if beyond:
            cure = f"They go from 0 to {self.spec.obs - 1}."
            raise InputError("qlearning: features", f"there is no {beyond[0]}", cure)

    @property
    def memory_size(self) -> int:
        """It does not remember."""
        return 0

    @property
    def size(self) -> int:
        """Rows of the table."""
        known = len(self.features) or self.spec.obs
        return min(self.rows, self.cells**known)

    def init(self, key: PRNGKeyArray, hp: Hyper) -> State:
        """A table in which all options are worth the same."""
        return State(
            jnp.full(
                (self.size, self.spec.space.choices, self.spec.space.options), hp.first, jnp.float32
            )
        )

    def act(
        self,
        state: State,
        obs: Float[Array, "env member feature"],
        mask: Mask,
        memory: Memory,
        hp: Hyper,
        dice: Dice | None,
    ) -> Decision:
        """The best options, or now and then any."""
        values = state.table[self.row(obs)]
        choices = epsilon_greedy(values, mask.choices, hp.epsilon, dice)
        return Decision(Action(jnp.zeros((*choices.shape[:-1], 0)), choices), {}, memory)

    def slim(self, state: State) -> State:
        """All of it."""
        return state

    def update(
        self, state: State, batch: Batch, hp: Hyper, key: PRNGKeyArray
    ) -> tuple[State, dict[str, Array]]:
        """Learn from the last step first, so that what it taught is known to the step before it."""
        at, later = self.row(batch.obs), self.row(batch.next_obs)
        mask, choices, gone = batch.next_mask.choices, batch.action.choices, batch.terminated
        steps = (at, later, mask, choices, batch.reward, gone, batch.weight)

        def learn(table: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            at, later, mask, choices, reward, gone, weight = step
            after = table[later]
            best = chosen(after, greedy(after, mask)).sum(-1)
            error = (
                reward
                + hp.discount * jnp.where(gone, 0.0, best)
                - chosen(table[at], choices).sum(-1)
            )
            return _moved(table, at, choices, hp.learning_rate * error, weight), jnp.abs(
                error * weight
            ).sum()

        table, errors = jax.lax.scan(learn, state.table, steps, reverse=True)
        return State(table), {"value_error": errors.sum() / jnp.maximum(batch.weight.sum(), 1e-8)}

    def row(self, obs: Float[Array, "*batch feature"]) -> Int[Array, "*batch"]:
        """The row of the table that an observation has."""
        known = obs[..., jnp.array(self.features)] if self.features else obs
        share = (known - self.lowest) / (self.highest - self.lowest)
        cell = jnp.clip(jnp.floor(share * self.cells), 0, self.cells - 1).astype(jnp.uint32)
        if self.cells ** known.shape[-1] <= self.rows:
            return (
                (cell * self.cells ** jnp.arange(known.shape[-1], dtype=jnp.uint32))
                .sum(-1)
                .astype(jnp.int32)
            )
        code = jnp.full(cell.shape[:-1], 0x811C9DC5, jnp.uint32)
        for feature in range(
            cell.shape[-1]
        ):  # FNV-1a, with a last stir because its lowest bits are weak
            code = (code ^ cell[..., feature]) * jnp.uint32(0x01000193)
        code = (code ^ (code >> 16)) * jnp.uint32(0x85EBCA6B)
        return ((code ^ (code >> 13)) % self.size).astype(jnp.int32)


def _moved(table: Array, at: Array, choices: Array, change: Array, weight: Array) -> Array:
    """The table with changes added, shared out over choices; of several changes of one entry their mean."""
    count = choices.shape[-1]
    entry = ((at[..., None] * count + jnp.arange(count)) * table.shape[-1] + choices).astype(
        jnp.int32
    )
    # What has no weight is put past the end, where nothing is changed. Counting by sorting needs no second table.
    entry = jnp.where(weight[..., None] > 0, entry, table.size).reshape(-1)
    sorted_ = jnp.sort(entry)
    times = jnp.searchsorted(sorted_, entry, side="right") - jnp.searchsorted(
        sorted_, entry, side="left"
    )
    step = jnp.broadcast_to(change[..., None], choices.shape).reshape(-1) / times / count
    return table.reshape(-1).at[entry].add(step, mode="drop").reshape(table.shape)


algorithms.register(
    "qlearning", "Tabular Q-learning on a discretised observation; numbers are cut into choices."
)(Algorithm(QLearning, Hyper(), choices_only=True))
