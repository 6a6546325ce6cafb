"""One trainer for all: play, let every team learn from what happened, again and again; pure, so `vmap` adds seeds.

The host calls `chunk` and looks at what comes back; nothing inside calls the host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax.rl.components.types import SHARED
from prosumax.rl.engine.rollout import (
    Carry,
    Game,
    Steps,
    Watch,
    batch_of,
    over_groups,
    rollout,
    start,
)


class TrainState(NamedTuple):
    """All that training remembers; arrays only, so that it can be stored, stacked and copied.

    Attributes:
        learners: state of every team's learner, with a leading axis for groups.
        carry: of the rollouts.
        key: of everything that is drawn from here on.
        iteration: how many are done.
    """

    learners: tuple[Any, ...]
    carry: Carry
    key: PRNGKeyArray
    iteration: Int[Array, ""]


class Schedule(NamedTuple):
    """Hyper-parameters that move in a straight line.

    Attributes:
        first, last: those of every team at both ends; the same for what stays.
        over: iterations between them; the last ones hold from then on.
    """

    first: tuple[Any, ...]
    last: tuple[Any, ...]
    over: Float[Array, ""]

    def at(self, iteration: Int[Array, ""]) -> tuple[Any, ...]:
        """Those of an iteration."""
        share = jnp.clip(iteration / jnp.maximum(self.over, 1.0), 0.0, 1.0)
        moved: tuple[Any, ...] = jax.tree.map(
            lambda a, b: a + share * (b - a), self.first, self.last
        )
        return moved


class Figures(NamedTuple):
    """What is shown of an iteration.

    Attributes:
        reward: mean of every home's reward per step [home].
        teams: figures of every team's update, means over its groups.
        watched: mean over steps and environments of what was watched.
    """

    reward: Float[Array, " home"]
    teams: tuple[dict[str, Array], ...]
    watched: Any


def constant(hps: Sequence[Any]) -> Schedule:
    """Hyper-parameters that stay."""
    fixed: tuple[Any, ...] = jax.tree.map(jnp.float32, tuple(hps))
    return Schedule(fixed, fixed, jnp.float32(1.0))


@dataclass(frozen=True, eq=False)
class Trainer:
    """How a game is trained.

    Attributes:
        game: who plays.
        environments: copies of the community that are played at once.
        steps: of each between two updates; whole episodes or an even part of one.
        finite: whether nothing counts after an episode. Otherwise its end is a time limit, and learners go on counting
            with what its last state is worth.
        watch: what else to show of every step, from the environment's `TimeStep`.
    """

    game: Game
    environments: int
    steps: int
    finite: bool = False
    watch: Watch = lambda step: ()

    def init(self, key: PRNGKeyArray, schedule: Schedule, params: Any) -> TrainState:
        """Before the first iteration."""
        play_key, key = jax.random.split(key)
        learners = []
        for number, (team, hp) in enumerate(zip(self.game.teams, schedule.first, strict=True)):
            keys = jax.random.split(jax.random.fold_in(key, number), team.groups)
            learners.append(jax.vmap(team.learner.init, in_axes=(0, None))(keys, hp))
        carry = start(self.game, params, play_key, self.environments)
        return TrainState(tuple(learners), carry, key, jnp.int32(0))

    def iterate(
        self, state: TrainState, schedule: Schedule, params: Any
    ) -> tuple[TrainState, Figures]:
        """One rollout and one update of every team."""
        play_key, key = jax.random.split(jax.random.fold_in(state.key, state.iteration))
        hps = schedule.at(state.iteration)
        carry, steps = rollout(
            self.game,
            state.learners,
            hps,
            state.carry,
            params,
            play_key,
            self.steps,
            watch=self.watch,
        )
        learners, figures = [], []
        for number, (team, learner, hp, memory, decision) in enumerate(
            zip(
                self.game.teams,
                state.learners,
                hps,
                state.carry.memories,
                steps.decisions,
                strict=True,
            )
        ):
            # What actors remembered before the first step counts only where the episode goes on.
            before = jnp.where(state.carry.over[:, None, None], 0.0, memory)
            batch = batch_of(team, steps, decision, before)
            if self.finite:
                batch = batch._replace(terminated=batch.terminated | batch.done[..., None])
            keys = jax.random.split(jax.random.fold_in(key, number), team.groups)
            update = over_groups(team.learner.update, (0, SHARED, None, 0), team.groups)
            new, shown = update(learner, batch, hp, keys)
            learners.append(new)
            figures.append(jax.tree.map(jnp.mean, shown))
        after = TrainState(tuple(learners), carry, state.key, state.iteration + 1)
        return after, Figures(steps.reward.mean((0, 1)), tuple(figures), _means(steps))

    def chunk(
        self, state: TrainState, schedule: Schedule, params: Any, iterations: int
    ) -> tuple[TrainState, Figures]:
        """Several iterations as one program.

        Arguments:
            state: from `init` or the chunk before.
            schedule: hyper-parameters.
            params: of the environment.
            iterations: static; how many.

        Returns:
            The state, and the figures of every iteration [iteration, ..].
        """
        advance = lambda state, _: self.iterate(state, schedule, params)  # noqa: E731
        return jax.lax.scan(advance, state, None, length=iterations)


def _means(steps: Steps) -> Any:
    return jax.tree.map(lambda leaf: leaf.mean((0, 1)), steps.watched)
