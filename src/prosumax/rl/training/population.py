"""Population-based training of a scenario, whose best member is kept as a training run."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.rl.algorithms.base import tunable_names
from prosumax.rl.engine import pbt
from prosumax.rl.training.comparison import evaluate_all
from prosumax.rl.training.population_ray import (
    PopulationConfig,
    PopulationOutcome,
    delete_members,
    make_fitness_fn,
    run_pbt_on_ray,
)
from prosumax.rl.training.setup import (
    TrainingConfig,
    TrainingSetup,
    fill_population,
    make_training_setup,
)
from prosumax.rl.training.training import TrainingResult, save_training
from prosumax.scenario.loading import ScenarioLike, load_scenario, scenario_content
from prosumax.simulation.rollout import enable_compilation_cache


class PopulationResult(NamedTuple):
    """Result of population-based training.

    Attributes:
        training: Training run of the best member; its curves have one value per generation.
        fitness: Mean reward per home and step on the validation episodes [generation, member].
        factors: Factor of every evolving hyperparameter by name [generation, member].
        best_member: Index of the best member.
    """

    training: TrainingResult
    fitness: NDArray[np.float64]
    factors: Mapping[str, NDArray[np.float64]]
    best_member: int


def train_population(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    size: int = 8,
    evolve: Sequence[str] | None = None,
    algorithm: str | None = None,
    paradigm: str = "dtde",
    settings: Mapping[str, object] | None = None,
    iterations: int = 500,
    generations: int = 20,
    seed: int = 0,
    num_envs: int = 32,
    num_steps: int | None = None,
    bootstrap_on_truncation: bool = True,
    out: Path | str | None = None,
    address: str | None = None,
    data_dir: str | Path | None = None,
    on_generation: Callable[[int, NDArray[np.float64]], None] = lambda number, fitness: None,
) -> PopulationResult:
    """Train a population while its hyperparameters evolve; see `prosumax.rl.engine.pbt`.

    Args:
        scenario: As in `train`.
        overrides: As in `train`.
        size: Number of members; each has environments of its own.
        evolve: Names of the hyperparameters that evolve; by default learning rates and the
            entropy coefficient.
        algorithm: As in `train`.
        paradigm: As in `train`.
        settings: As in `train`.
        iterations: Number of rollouts and updates of each member, rounded up to equal generations.
        generations: Number of generations, after each of which the worst members become copies of
            the best.
        seed: As in `train`.
        num_envs: As in `train`.
        num_steps: As in `train`.
        bootstrap_on_truncation: As in `train`.
        out: New or empty folder for the best member, as `prosumax train` writes it; nothing is
            written when absent.
        address: Address of a Ray cluster whose machines share `out`, or `local` for the cores of
            this machine, with one process per running member. Ray Tune's scheduler then selects
            members, and the same call resumes after an interruption. When absent, all members
            train at once on one device.
        data_dir: As in `train`.
        on_generation: Function that is called with the number of each generation and its fitness
            [member].

    Raises:
        InputError: The scenario or a setting is invalid, there are fewer than 2 members, or Ray is
            requested and not installed or has no cluster.
        KeyboardInterrupt: Training on Ray was interrupted; its state is stored.
    """
    for name, value in (("generations", generations), ("iterations", iterations)):
        if value < 1:
            raise InputError(name, f"{name} must be at least 1, got {value}", "Give 1 or more.")
    pbt.check_population_size(size)
    enable_compilation_cache()
    start_time = perf_counter()
    interval = -(-iterations // generations)
    populated = fill_population(
        load_scenario(scenario, overrides), algorithm, paradigm, settings or {}
    )
    config = TrainingConfig(
        scenario=scenario_content(populated),
        iterations=interval * generations,
        first_seed=seed,
        num_envs=num_envs,
        num_steps=num_steps,
        bootstrap_on_truncation=bootstrap_on_truncation,
        anneal={},
        version=metadata.version("prosumax"),
    )
    setup = make_training_setup(config, data_dir)
    folder = None if out is None else Path(out)
    if folder is not None:
        write_text(folder / "training.json", json.dumps(asdict(config), indent=1))
    pbt_config = pbt.make_pbt_config(setup.schedule.initial, evolve, "evolve")
    if address is None:
        outcome = _run_on_device(setup, pbt_config, size, generations, on_generation)
    elif folder is None:
        raise InputError(
            "--address", "members need a folder to exchange learners", "Give one with --out."
        )
    else:
        population = PopulationConfig(
            training=config,
            pbt=pbt_config,
            size=size,
            generations=generations,
            data_dir=None if data_dir is None else str(data_dir),
        )
        outcome = run_pbt_on_ray(population, folder, address, on_generation)
    learners = jax.tree.map(lambda leaf: leaf[None], outcome.state.learner_states)
    # A copy shares the past of its parent, so the curves show the best of each generation.
    missing = np.full((generations, 1), np.nan, np.float64)
    result = TrainingResult(
        config=config,
        folder=folder,
        iteration=config.iterations,
        curves={
            "cost": missing,
            "entropy": missing,
            "p2p_share": missing,
            "validation": outcome.fitness.max(1, keepdims=True),
            "reward": outcome.reward.max(1, keepdims=True),
            "iteration": interval * (1.0 + np.arange(generations, dtype=np.float64)),
        },
        test_metrics=evaluate_all(setup, learners),
        learners=learners,
        seconds=perf_counter() - start_time,
    )
    if folder is not None:
        save_training(result, folder)
        delete_members(folder)
    return PopulationResult(result, outcome.fitness, outcome.factors, outcome.best_member)


def _run_on_device(
    setup: TrainingSetup,
    config: pbt.PBTConfig,
    size: int,
    generations: int,
    on_generation: Callable[[int, NDArray[np.float64]], None],
) -> PopulationOutcome:
    """Train all members at once on one device."""
    fitness_fn = make_fitness_fn(setup)
    result = pbt.run_pbt(
        setup.trainer,
        setup.schedule,
        setup.training_params,
        jax.random.key(setup.config.first_seed),
        size=size,
        generations=generations,
        iterations=setup.config.iterations // generations,
        config=config,
        validation_params=setup.env.params,
        fitness_fn=lambda trainer, state, schedule, params, key: fitness_fn(
            state, schedule, params, key
        ),
        on_generation=lambda number, generation: on_generation(
            number, np.asarray(generation.fitness, np.float64)
        ),
    )
    history = result.history
    episode_steps = setup.env.config.episode_steps
    rewards = [generation.metrics.reward.mean((1, 2)) * episode_steps for generation in history]
    return PopulationOutcome(
        state=pbt.select_member(result.population, result.best_member).state,
        fitness=np.array([generation.fitness for generation in history], np.float64),
        reward=np.array(rewards, np.float64),
        factors=_factors(
            setup.schedule.initial,
            [generation.configs for generation in history],
            config.hyperparameters,
        ),
        best_member=result.best_member,
    )


def _factors(
    initial: Sequence[PyTree], configs: Sequence[Sequence[PyTree]], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return the factors by which hyperparameters differ from the initial ones.

    Args:
        initial: Initial hyperparameters of every group.
        configs: Hyperparameters of every group [member] by generation.
        names: Names of the hyperparameters, each taken from the first group that has it.
    """
    factors = {}
    for name in names:
        group = next(index for index, config in enumerate(initial) if name in tunable_names(config))
        values = np.array([getattr(config[group], name) for config in configs], np.float64)
        start = np.float64(getattr(initial[group], name))
        if name in pbt.HORIZON_HYPERPARAMETERS:
            factors[name] = (1 - values) / (1 - start)
        else:
            factors[name] = values / np.where(start == 0, np.nan, start)
    return factors
