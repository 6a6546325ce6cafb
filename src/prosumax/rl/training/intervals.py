"""Training of seeds between evaluations on validation episodes, keeping the best learners."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from numpy.typing import NDArray

from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.parallel_seeds import group_seeds, map_seeds
from prosumax.rl.engine.trainer import LinearSchedule, TrainMetrics, TrainState
from prosumax.rl.training.comparison import Evaluator
from prosumax.rl.training.setup import TrainingConfig, TrainingSetup
from prosumax.rl.types import EnvParams

_MAX_EVALUATIONS = 50
"""Maximum number of evaluations of a training run."""

CURVE_METRICS = ("reward", "validation", "cost", "entropy", "p2p_share")
"""Metrics of the learning curves."""


class SeedState(NamedTuple):
    """State of one seed of a training run.

    Attributes:
        train_state: State of its training.
        best_learners: State of every group's learner that was best on the validation episodes.
        best_score: Mean reward of those learners there.
        curves: Values of `CURVE_METRICS`; NaN for later evaluations.
    """

    train_state: TrainState
    best_learners: tuple[PyTree, ...]
    best_score: Float[NDArray[np.float32], ""]
    curves: dict[str, Float[NDArray[np.float32], " evaluation"]]


SeedGroup = tuple[SeedState, ...]
"""Seeds of one call; see `group_seeds`."""


def eval_interval(config: TrainingConfig) -> int:
    """Return the number of iterations between two evaluations."""
    return -(-config.iterations // _MAX_EVALUATIONS)


def seed_templates(setup: TrainingSetup) -> list[SeedState]:
    """Return the shapes of the seeds of a training run."""
    train_state = jax.eval_shape(
        lambda schedule, params: _init_train_state(setup, 0, schedule, params),
        setup.schedule,
        setup.training_params,
    )
    return [_init_seed(setup, train_state)] * setup.config.seeds


def prepare_seeds(
    setup: TrainingSetup, evaluator: Evaluator, seeds: list[SeedState] | None
) -> tuple[list[SeedState], Callable[[SeedGroup], SeedGroup]]:
    """Initialize the seeds, and compile the function that advances them by one evaluation.

    Training and evaluation are compiled in parallel, in the background.

    Args:
        setup: Setup of the run.
        evaluator: Evaluator of the setup's agents.
        seeds: Seeds of an interrupted run to continue from.

    Returns:
        The seeds, and the function that trains and evaluates those of one call.
    """
    config = setup.config
    schedule = setup.schedule
    training_params = setup.training_params
    params = setup.env.params
    interval = eval_interval(config)
    # Every evaluation has the same episodes and the same random key.
    first_steps = jnp.asarray(setup.episodes.validation)
    eval_key = jax.random.key(0)

    def train_seed(
        state: TrainState, schedule: LinearSchedule, params: EnvParams
    ) -> tuple[TrainState, PyTree, dict[str, Array]]:
        state, metrics = setup.trainer.train_iterations(state, schedule, params, interval)
        return _strongly_typed(state), schedule.at(state.iteration), _curve_metrics(metrics)

    def train_seeds(
        states: tuple[TrainState, ...], schedule: LinearSchedule, params: EnvParams
    ) -> tuple[PyTree, ...]:
        return map_seeds(lambda state: train_seed(state, schedule, params), states)

    def evaluator_inputs(trained: tuple[PyTree, ...]) -> tuple[PyTree, ...]:
        return tuple((state.learner_states, configs, eval_key) for state, configs, _ in trained)

    train = jit_program(train_seeds)
    states = group_seeds([seed.train_state for seed in seed_templates(setup)])[0]
    trained_shapes = jax.eval_shape(train, states, schedule, training_params)
    pool = ThreadPoolExecutor()
    compiled_train = pool.submit(lambda: train.lower(states, schedule, training_params).compile())
    compiled_evaluator = pool.submit(
        lambda: evaluator.lower(evaluator_inputs(trained_shapes), first_steps, params).compile()
    )
    pool.shutdown(wait=False)
    if seeds is None:
        init = jit_program(
            lambda number, schedule, params: _init_train_state(setup, number, schedule, params)
        )
        seeds = [
            _init_seed(setup, init(np.int32(number), schedule, training_params))
            for number in range(config.seeds)
        ]

    def advance(seeds: SeedGroup) -> SeedGroup:
        trained = compiled_train.result()(
            tuple(seed.train_state for seed in seeds), schedule, training_params
        )
        evaluated = compiled_evaluator.result()(evaluator_inputs(trained), first_steps, params)
        return tuple(
            _update_seed(
                seed,
                state,
                jax.device_get(metrics | train_metrics),
                interval,
                setup.env.config.episode_steps,
            )
            for seed, (state, _, train_metrics), metrics in zip(
                seeds, trained, evaluated, strict=True
            )
        )

    return seeds, advance


def _init_train_state(
    setup: TrainingSetup, number: Array | int, schedule: LinearSchedule, params: EnvParams
) -> TrainState:
    key = jax.random.key(setup.config.first_seed + number)
    return _strongly_typed(setup.trainer.init(key, schedule, params))


def _init_seed(setup: TrainingSetup, train_state: TrainState) -> SeedState:
    num_evaluations = -(-setup.config.iterations // eval_interval(setup.config))
    curves = {name: np.full(num_evaluations, np.nan, np.float32) for name in CURVE_METRICS}
    best_score = np.array(-np.inf, np.float32)
    return SeedState(train_state, train_state.learner_states, best_score, curves)


def _curve_metrics(metrics: TrainMetrics) -> dict[str, Array]:
    """Return the training reward and the mean entropy of all groups; NaN where none has one."""
    entropy = [group["entropy"].mean() for group in metrics.groups if "entropy" in group]
    mean_entropy = jnp.stack(entropy).mean() if entropy else jnp.float32(jnp.nan)
    return {"train_reward": metrics.reward.mean(), "entropy": mean_entropy}


def _update_seed(
    seed: SeedState,
    train_state: TrainState,
    metrics: dict[str, PyTree],
    interval: int,
    episode_steps: int,
) -> SeedState:
    """Add an evaluation to the curves of a seed, and keep its learners if they are the best."""
    index = int(train_state.iteration) // interval - 1
    values = {
        "reward": metrics["train_reward"] * episode_steps,
        "validation": metrics["score"],
        "cost": metrics["cost"],
        "entropy": metrics["entropy"],
        "p2p_share": metrics["p2p_share"],
    }
    curves = {
        name: np.where(np.arange(len(curve)) == index, values[name], curve)
        for name, curve in seed.curves.items()
    }
    if metrics["score"] > seed.best_score:
        return SeedState(train_state, train_state.learner_states, metrics["score"], curves)
    return seed._replace(train_state=train_state, curves=curves)


def _strongly_typed(state: TrainState) -> TrainState:
    """Return the state without weak types, for which JAX would compile a second time."""

    def strong(leaf: PyTree) -> PyTree:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        return jnp.asarray(leaf, leaf.dtype)

    typed: TrainState = jax.tree.map(strong, state)
    return typed
