"""Population-based training (PBT) of many learners at once on one device.

A member of the population is a whole community that learns. After every generation of some
iterations each member is evaluated deterministically; the worst ones are replaced by copies of the
best ones, learned parameters included, with perturbed hyperparameters (truncation selection). So
hyperparameters follow a schedule that adapts to the progress of training.

References:
    Jaderberg et al. (2017), Population based training of neural networks, arXiv:1711.09846,
    section 3 and appendix A.1.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from prosumax.errors import InputError, did_you_mean
from prosumax.rl.algorithms.base import tunable_names
from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.rollout import collect_rollout, init_rollout
from prosumax.rl.engine.trainer import LinearSchedule, Trainer, TrainMetrics, TrainState
from prosumax.rl.types import EnvParams

HORIZON_HYPERPARAMETERS = frozenset({"gamma", "gae_lambda", "td_lambda"})
"""Hyperparameters whose distance from 1, the inverse of a horizon, is scaled."""


class Population(NamedTuple):
    """Members on a leading axis of every array.

    Attributes:
        state: State of each member's training.
        schedule: Schedule of each member's hyperparameters.
    """

    state: TrainState
    schedule: LinearSchedule


class Generation(NamedTuple):
    """Results of a generation.

    Attributes:
        fitness: Mean reward per step over all homes, evaluated deterministically [member].
        parent: Member that each member continues from; its own index where it was not replaced.
        configs: Hyperparameters of every group at its end, before replacement [member].
        metrics: Metrics of its iterations [member, iteration, ..].
    """

    fitness: Float[Array, " member"]
    parent: Int[Array, " member"]
    configs: tuple[PyTree, ...]
    metrics: TrainMetrics


class PBTConfig(NamedTuple):
    """Settings of population-based training.

    Attributes:
        hyperparameters: Hyperparameters that evolve, in every group that has them. One of value 0
            stays 0.
        quantile_fraction: Fraction of the population that is replaced, and that is copied; at
            most 0.5.
        perturbation_factors: Factors of which one multiplies each hyperparameter of a copy.
        initial_spread: Largest factor by which initial hyperparameters differ from the given ones,
            up or down; those of the first member are as given.
    """

    hyperparameters: tuple[str, ...]
    quantile_fraction: float = 0.25
    perturbation_factors: tuple[float, float] = (0.8, 1.25)
    initial_spread: float = 3.0


def make_pbt_config(
    configs: Sequence[PyTree],
    hyperparameters: Sequence[str] | None = None,
    where: str = "--evolve",
    **options: PyTree,
) -> PBTConfig:
    """Build the settings, by default to evolve learning rates and the entropy coefficient.

    Args:
        configs: Hyperparameters of every group's learner.
        hyperparameters: Names of the hyperparameters that evolve.
        where: Name of the setting's place, for messages.
        options: Further fields of `PBTConfig`.

    Raises:
        InputError: No group has such a hyperparameter.
    """
    known = list(dict.fromkeys(name for config in configs for name in tunable_names(config)))
    for name in hyperparameters or ():
        if name not in known:
            problem = f"no learner has a hyperparameter {name!r}"
            raise InputError(where, problem, did_you_mean(name, known))
    if hyperparameters is None:
        hyperparameters = [
            name for name in known if name.endswith("learning_rate") or name == "ent_coef"
        ]
    return PBTConfig(tuple(hyperparameters), **options)


def init_population(
    trainer: Trainer,
    key: PRNGKeyArray,
    schedule: LinearSchedule,
    params: EnvParams,
    size: int,
    config: PBTConfig,
) -> Population:
    """Initialize learners, and spread their hyperparameters around the given ones.

    Args:
        trainer: Trainer of one member.
        key: Random key.
        schedule: Hyperparameters of one member.
        params: Parameters of the environment.
        size: Number of members.
        config: Settings of population-based training.

    Raises:
        InputError: There are fewer than 2 members.
    """
    check_population_size(size)
    spread_key, init_key = jax.random.split(key)
    log_spread = math.log(config.initial_spread)

    def sample_factor(key: PRNGKeyArray) -> Array:
        log_factor = jax.random.uniform(key, (size,), minval=-log_spread, maxval=log_spread)
        return jnp.exp(log_factor).at[0].set(1.0)

    @jax.jit
    def init_members(schedule: LinearSchedule, params: EnvParams) -> Population:
        repeated = jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (size, *jnp.shape(leaf))), schedule
        )
        schedules = _scale_hyperparameters(
            repeated, config.hyperparameters, spread_key, sample_factor
        )
        keys = jax.random.split(init_key, size)
        states = jax.vmap(trainer.init, in_axes=(0, 0, None))(keys, schedules, params)
        return Population(states, schedules)

    population: Population = init_members(schedule, params)
    return population


def check_population_size(size: int) -> None:
    """Raise `InputError` where a population has fewer than 2 members."""
    if size < 2:
        problem = f"a population must have at least 2 members, got {size}"
        raise InputError("--population", problem, "Give 2 or more; 8 or more are recommended.")


def episode_fitness(
    trainer: Trainer,
    state: TrainState,
    schedule: LinearSchedule,
    params: EnvParams,
    key: PRNGKeyArray,
) -> Float[Array, ""]:
    """Compute the mean reward per step of one deterministic episode of every environment.

    Args:
        trainer: Trainer of the member.
        state: State of its training.
        schedule: Its hyperparameters.
        params: Parameters of the environment.
        key: Random key.
    """
    agents = trainer.agents
    init_key, key = jax.random.split(key)
    _, steps = collect_rollout(
        agents,
        state.learner_states,
        schedule.at(state.iteration),
        init_rollout(agents, params, init_key, trainer.num_envs),
        params,
        key,
        agents.env.config.episode_steps,
        deterministic=True,
    )
    return steps.reward.mean()


def evolve(
    key: PRNGKeyArray, population: Population, fitness: Float[Array, " member"], config: PBTConfig
) -> tuple[Population, Int[Array, " member"]]:
    """Replace the worst members by copies of the best with perturbed hyperparameters.

    Args:
        key: Random key of selection and perturbation.
        population: Population before.
        fitness: Fitness of each member; NaN counts as worst.
        config: Settings of population-based training.

    Returns:
        The population after, and the member that each member continues from.
    """
    size = fitness.shape[0]
    count = min(max(1, round(config.quantile_fraction * size)), size // 2)
    select_key, perturb_key, next_key = jax.random.split(key, 3)
    fitness = jnp.where(jnp.isfinite(fitness), fitness, -jnp.inf)
    order = jnp.argsort(fitness)
    worst = order[:count]
    candidate = jax.random.choice(select_key, order[-count:], (count,))
    is_better = fitness[candidate] > fitness[worst]
    parent = jnp.arange(size).at[worst].set(jnp.where(is_better, candidate, worst))
    state, schedule = jax.tree.map(lambda leaf: leaf[parent], population)
    # With the key of its parent a copy would see the same days and explore the same actions.
    state = state._replace(key=jax.random.split(next_key, size))
    is_copy = parent != jnp.arange(size)

    def sample_factor(key: PRNGKeyArray) -> Array:
        factor = jax.random.choice(key, jnp.array(config.perturbation_factors), (size,))
        return jnp.where(is_copy, factor, 1.0)

    schedule = _scale_hyperparameters(schedule, config.hyperparameters, perturb_key, sample_factor)
    return Population(state, schedule), parent


FitnessFn = Callable[[Trainer, TrainState, LinearSchedule, PyTree, PRNGKeyArray], Float[Array, ""]]
"""Function that evaluates a member, with the arguments of `episode_fitness`."""


def train_generation(
    trainer: Trainer,
    population: Population,
    params: EnvParams,
    validation_params: EnvParams,
    key: PRNGKeyArray,
    num_iterations: int,
    config: PBTConfig,
    fitness_fn: FitnessFn = episode_fitness,
) -> tuple[Population, Generation]:
    """Train and evaluate every member, and evolve the population, as one program.

    Args:
        trainer: Trainer of one member.
        population: Population before.
        params: Parameters of the environment for training.
        validation_params: Parameters of the environment for evaluation.
        key: Random key of evaluation and evolution.
        num_iterations: Number of training iterations; static.
        config: Settings of population-based training; static.
        fitness_fn: Function that evaluates a member; static.
    """
    fitness_key, evolve_key = jax.random.split(key)

    def train(state: TrainState, schedule: LinearSchedule) -> tuple[TrainState, TrainMetrics]:
        return trainer.train_iterations(state, schedule, params, num_iterations)

    def evaluate(state: TrainState, schedule: LinearSchedule) -> Float[Array, ""]:
        # All members are evaluated with the same random key.
        return fitness_fn(trainer, state, schedule, validation_params, fitness_key)

    state, metrics = jax.vmap(train)(*population)
    trained = population._replace(state=state)
    fitness = jax.vmap(evaluate)(*trained)
    configs = jax.vmap(lambda state, schedule: schedule.at(state.iteration))(*trained)
    evolved, parent = evolve(evolve_key, trained, fitness, config)
    return evolved, Generation(fitness, parent, configs, metrics)


class PBTResult(NamedTuple):
    """Result of population-based training.

    Attributes:
        population: Population after the last generation.
        history: Results of every generation, as NumPy arrays.
        best_member: Index of the member of highest final fitness; see `select_member`.
    """

    population: Population
    history: list[Generation]
    best_member: int


def run_pbt(
    trainer: Trainer,
    schedule: LinearSchedule,
    params: EnvParams,
    key: PRNGKeyArray,
    *,
    size: int = 8,
    generations: int = 10,
    iterations: int = 10,
    config: PBTConfig | None = None,
    validation_params: EnvParams | None = None,
    fitness_fn: FitnessFn = episode_fitness,
    on_generation: Callable[[int, Generation], None] = lambda number, generation: None,
) -> PBTResult:
    """Train a population on one device.

    Args:
        trainer: Trainer of one member.
        schedule: Its initial hyperparameters.
        params: Parameters of the environment.
        key: Random key.
        size: Number of members; memory and time grow with it.
        generations: Number of generations.
        iterations: Number of training iterations per generation.
        config: Settings of population-based training; those of `make_pbt_config` when absent.
        validation_params: Parameters of the environment for evaluation; `params` when absent.
        fitness_fn: Function that evaluates a member.
        on_generation: Function that is called with the number of each generation and its results.

    Raises:
        InputError: There are fewer than 2 members.
    """
    pbt_config = make_pbt_config(schedule.initial) if config is None else config
    init_key, key = jax.random.split(key)
    population = init_population(trainer, init_key, schedule, params, size, pbt_config)
    advance = jit_program(
        partial(
            train_generation,
            trainer,
            num_iterations=iterations,
            config=pbt_config,
            fitness_fn=fitness_fn,
        ),
        donate_argnames="population",
    )
    history: list[Generation] = []
    for number in range(generations):
        population, generation = advance(
            population=population,
            params=params,
            validation_params=params if validation_params is None else validation_params,
            key=jax.random.fold_in(key, number),
        )
        history.append(jax.tree.map(np.asarray, generation))
        on_generation(number, history[-1])
    # The best member is never replaced, so it still is the one that was evaluated.
    fitness = np.nan_to_num(history[-1].fitness, nan=-np.inf)
    return PBTResult(population, history, int(np.argmax(fitness)))


def select_member(population: Population, index: int) -> Population:
    """Return one member without the axis of members, as `Trainer` takes state and schedule."""
    member: Population = jax.tree.map(lambda leaf: leaf[index], population)
    return member


def scale_hyperparameter(schedule: LinearSchedule, name: str, factor: Array) -> LinearSchedule:
    """Multiply both ends of a hyperparameter by a factor, in every group that has it.

    Args:
        schedule: Hyperparameters.
        name: Name of the hyperparameter.
        factor: Factor; that of its distance from 1 for `HORIZON_HYPERPARAMETERS`.
    """

    def scale(configs: tuple[PyTree, ...]) -> tuple[PyTree, ...]:
        return tuple(
            replace(config, **{name: _scale(getattr(config, name), factor, name)})
            if name in tunable_names(config)
            else config
            for config in configs
        )

    return schedule._replace(initial=scale(schedule.initial), final=scale(schedule.final))


def _scale_hyperparameters(
    schedule: LinearSchedule,
    names: Sequence[str],
    key: PRNGKeyArray,
    sample_factor: Callable[[PRNGKeyArray], Array],
) -> LinearSchedule:
    """Multiply both ends of every named hyperparameter by a factor that is sampled for it."""
    initial: list[PyTree] = []
    final: list[PyTree] = []
    for group, (start, end) in enumerate(zip(schedule.initial, schedule.final, strict=True)):
        for index, name in enumerate(sorted(set(names) & set(tunable_names(start)))):
            factor = sample_factor(jax.random.fold_in(jax.random.fold_in(key, group), index))
            start = replace(start, **{name: _scale(getattr(start, name), factor, name)})
            end = replace(end, **{name: _scale(getattr(end, name), factor, name)})
        initial.append(start)
        final.append(end)
    return schedule._replace(initial=tuple(initial), final=tuple(final))


def _scale(value: Array, factor: Array, name: str) -> Array:
    if name in HORIZON_HYPERPARAMETERS:
        return 1.0 - jnp.minimum((1.0 - value) * factor, 1.0)
    return value * factor
