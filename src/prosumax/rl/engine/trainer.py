"""Training loop of rollouts and updates as pure functions, so that `vmap` adds seeds.

The host calls `Trainer.train_iterations` and reads what it returns; compiled code never calls the
host.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from prosumax.rl.components.types import BATCH_AXES
from prosumax.rl.engine.rollout import (
    MetricsFn,
    MultiAgentSetup,
    RolloutState,
    collect_rollout,
    init_rollout,
    make_batch,
    vmap_policies,
)
from prosumax.rl.types import EnvParams


class TrainState(NamedTuple):
    """State of a training run; arrays only, so that it can be stored, stacked and copied.

    Attributes:
        learner_states: State of every group's learner, with a leading axis of policies.
        rollout_state: State of the rollouts.
        key: Random key of all later iterations.
        iteration: Number of finished iterations.
    """

    learner_states: tuple[PyTree, ...]
    rollout_state: RolloutState
    key: PRNGKeyArray
    iteration: Int[Array, ""]


class LinearSchedule(NamedTuple):
    """Hyperparameters that are annealed linearly.

    Attributes:
        initial: Hyperparameters of every group at the start.
        final: Those at the end; equal to `initial` where they are constant.
        transition_iterations: Iterations from start to end; `final` applies from then on.
    """

    initial: tuple[PyTree, ...]
    final: tuple[PyTree, ...]
    transition_iterations: Float[Array, ""]

    def at(self, iteration: Int[Array, ""]) -> tuple[PyTree, ...]:
        """Return the hyperparameters of an iteration."""
        share = jnp.clip(iteration / jnp.maximum(self.transition_iterations, 1.0), 0.0, 1.0)
        configs: tuple[PyTree, ...] = jax.tree.map(
            lambda initial, final: initial + share * (final - initial), self.initial, self.final
        )
        return configs


class TrainMetrics(NamedTuple):
    """Metrics of an iteration.

    Attributes:
        reward: Mean reward per step of each agent.
        groups: Metrics of every group's update, means over its policies.
        steps: Means over steps and environments of the trainer's `metrics_fn`.
    """

    reward: Float[Array, " agent"]
    groups: tuple[dict[str, Array], ...]
    steps: PyTree


def constant_schedule(configs: Sequence[PyTree]) -> LinearSchedule:
    """Return a schedule of constant hyperparameters."""
    constant: tuple[PyTree, ...] = jax.tree.map(jnp.float32, tuple(configs))
    return LinearSchedule(constant, constant, jnp.float32(1.0))


@dataclass(frozen=True, eq=False)
class Trainer:
    """Training of a multi-agent setup.

    Attributes:
        agents: Community and policies.
        num_envs: Number of parallel environments.
        num_steps: Number of steps of each between two updates: whole episodes, or a part that
            divides an episode.
        bootstrap_on_truncation: Whether the end of an episode is a time limit, at which learners
            bootstrap from the value of the last state. Otherwise it is a terminal state.
        metrics_fn: Function of the environment's `TimeStep` whose results are averaged.
    """

    agents: MultiAgentSetup
    num_envs: int
    num_steps: int
    bootstrap_on_truncation: bool = True
    metrics_fn: MetricsFn = lambda step: ()

    def init(self, key: PRNGKeyArray, schedule: LinearSchedule, params: EnvParams) -> TrainState:
        """Return the state before the first iteration.

        Args:
            key: Random key.
            schedule: Hyperparameters.
            params: Parameters of the environment.
        """
        rollout_key, key = jax.random.split(key)
        learner_states = []
        for index, (group, config) in enumerate(
            zip(self.agents.groups, schedule.initial, strict=True)
        ):
            keys = jax.random.split(jax.random.fold_in(key, index), group.num_policies)
            learner_states.append(jax.vmap(group.learner.with_config(config).init)(keys))
        rollout_state = init_rollout(self.agents, params, rollout_key, self.num_envs)
        return TrainState(tuple(learner_states), rollout_state, key, jnp.int32(0))

    def train_iteration(
        self, state: TrainState, schedule: LinearSchedule, params: EnvParams
    ) -> tuple[TrainState, TrainMetrics]:
        """Collect one rollout, and update every group once.

        Args:
            state: State from `init` or the previous iteration.
            schedule: Hyperparameters.
            params: Parameters of the environment.
        """
        rollout_key, update_key = jax.random.split(jax.random.fold_in(state.key, state.iteration))
        configs = schedule.at(state.iteration)
        rollout_state, steps = collect_rollout(
            self.agents,
            state.learner_states,
            configs,
            state.rollout_state,
            params,
            rollout_key,
            self.num_steps,
            metrics_fn=self.metrics_fn,
        )
        learner_states: list[PyTree] = []
        group_metrics: list[dict[str, Array]] = []
        for index, (group, learner_state, config, hidden_state, output) in enumerate(
            zip(
                self.agents.groups,
                state.learner_states,
                configs,
                state.rollout_state.hidden_states,
                steps.actor_outputs,
                strict=True,
            )
        ):
            # Hidden states before the rollout count only where the episode continues.
            is_first = state.rollout_state.done[:, None, None]
            batch = make_batch(group, steps, output, jnp.where(is_first, 0.0, hidden_state))
            if not self.bootstrap_on_truncation:
                batch = batch._replace(terminated=batch.terminated | batch.done[..., None])
            keys = jax.random.split(jax.random.fold_in(update_key, index), group.num_policies)
            update = vmap_policies(
                group.learner.with_config(config).update, (0, BATCH_AXES, 0), group.num_policies
            )
            learner_state, metrics = update(learner_state, batch, keys)
            learner_states.append(learner_state)
            group_metrics.append(jax.tree.map(jnp.mean, metrics))
        next_state = TrainState(
            tuple(learner_states), rollout_state, state.key, state.iteration + 1
        )
        step_metrics = jax.tree.map(lambda leaf: leaf.mean((0, 1)), steps.metrics)
        return next_state, TrainMetrics(
            steps.reward.mean((0, 1)), tuple(group_metrics), step_metrics
        )

    def train_iterations(
        self, state: TrainState, schedule: LinearSchedule, params: EnvParams, num_iterations: int
    ) -> tuple[TrainState, TrainMetrics]:
        """Run several iterations as one program.

        Args:
            state: State from `init` or the previous call.
            schedule: Hyperparameters.
            params: Parameters of the environment.
            num_iterations: Number of iterations; static.

        Returns:
            The state, and the metrics of every iteration [iteration, ..].
        """
        return jax.lax.scan(
            lambda state, _: self.train_iteration(state, schedule, params),
            state,
            length=num_iterations,
        )
