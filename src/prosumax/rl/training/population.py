"""Population-based training of a scenario: judged on validation days, the best member kept as a training run."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.rl.engine import pbt
from prosumax.rl.training.comparison import judge
from prosumax.rl.training.population_ray import Asked, Found, evolve_on_ray, forget, worth_of
from prosumax.rl.training.setup import Plan, Stage, populated, stage_of
from prosumax.rl.training.training import Training, store_training
from prosumax.scenario.loading import ScenarioLike, load_scenario
from prosumax.simulation.rollout import use_compilation_cache


class PopulationTraining(NamedTuple):
    """What a population came to.

    Attributes:
        training: of the best member, as if it had been trained alone; its curves have a look per generation.
        fitness: mean reward of a home and step on validation days [generation, member].
        factors: what every evolving hyper-parameter was multiplied by, by name [generation, member].
        best: number of that member.
    """

    training: Training
    fitness: NDArray[np.float64]
    factors: Mapping[str, NDArray[np.float64]]
    best: int


def train_population(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    size: int = 8,
    evolve: Sequence[str] | None = None,
    algorithm: str | None = None,
    paradigm: str = "dtde",
    settings: Mapping[str, Any] | None = None,
    iterations: int = 500,
    generations: int = 20,
    seed: int = 0,
    environments: int = 32,
    steps: int | None = None,
    finite: bool = False,
    out: Path | str | None = None,
    address: str | None = None,
    data_dir: str | Path | None = None,
    on_generation: Callable[[int, NDArray[np.float64]], None] = lambda number, fitness: None,
) -> PopulationTraining:
    """Train a population while its hyper-parameters evolve; see `prosumax.rl.engine.pbt`.

    Arguments:
        scenario, overrides, algorithm, paradigm, settings, seed, environments, steps, finite, data_dir: as in `train`.
        size: members; each plays its own environments.
        evolve: hyper-parameters; learning rates and the weight of entropy when absent.
        iterations: rollouts and updates of each member; rounded up so that generations are even.
        generations: after each the worst become copies of the best.
        out: new or empty folder for the best member, as `prosumax train` writes it; nothing is written when absent.
        address: of a Ray cluster whose machines share `out`, or `local` for the cores of this one, a process per member
            at work; Ray Tune's scheduler then does the choosing, and the same call goes on after an interruption. All
            members at once on one device when absent.
        on_generation: called with the number of each generation and its fitness [member].

    Raises:
        InputError: something in the scenario or the settings is not right, there are fewer than 2 members, or Ray is
            wanted and not installed, or no cluster is there.
        KeyboardInterrupt: of work on Ray, after its state was stored.
    """
    if generations < 1 or iterations < 1:
        raise InputError("generations, iterations", "must be at least 1", "Raise it.")
    if size < 2:
        raise InputError(
            "--population",
            f"is {size}",
            "It takes at least 2 members to copy one; 8 or more do well.",
        )
    use_compilation_cache()
    began, each = perf_counter(), -(-iterations // generations)
    plan = Plan(
        scenario=populated(
            load_scenario(scenario, overrides), algorithm, paradigm, settings or {}
        ).model_dump(mode="json"),
        iterations=each * generations,
        first_seed=seed,
        environments=environments,
        steps=steps,
        finite=finite,
        anneal={},
        version=metadata.version("prosumax"),
    )
    stage, folder = stage_of(plan, data_dir), None if out is None else Path(out)
    if folder is not None:
        write_text(folder / "training.json", json.dumps(asdict(plan), indent=1))
    evolving = pbt.evolution(stage.schedule.first, evolve, "evolve")
    if address is not None:
        if folder is None:
            raise InputError(
                "--address", "needs a folder for what members exchange", "Give one with --out."
            )
        asked = Asked(
            plan, evolving, size, generations, None if data_dir is None else str(data_dir)
        )
        found = evolve_on_ray(asked, folder, address, on_generation)
    else:
        found = _evolved(stage, evolving, size, generations, on_generation)
    learners = jax.tree.map(lambda leaf: leaf[None], found.state.learners)
    # Rewards of a member's own past differ where it was a copy; the best of each generation is what there is to show.
    nothing = np.full((generations, 1), np.nan)
    curves: dict[str, Any] = dict.fromkeys(("cost", "entropy", "p2p_share"), nothing)
    curves["validation"] = found.fitness.max(1, keepdims=True)
    curves["reward"] = found.reward.max(1, keepdims=True)
    curves["iteration"] = each * (1.0 + np.arange(generations))
    training = Training(
        plan,
        folder,
        plan.iterations,
        curves,
        judge(stage, learners),
        learners,
        perf_counter() - began,
    )
    if folder is not None:
        store_training(training, folder)
        forget(folder)
    return PopulationTraining(training, found.fitness, found.factors, found.best)


def _evolved(
    stage: Stage,
    evolving: pbt.Evolution,
    size: int,
    generations: int,
    on_generation: Callable[[int, NDArray[np.float64]], None],
) -> Found:
    """All members at once, on one device."""
    worth = worth_of(stage)
    done = pbt.evolve_population(
        stage.trainer, stage.schedule, stage.training_params, jax.random.key(stage.plan.first_seed), size=size,
        generations=generations, iterations=stage.plan.iterations // generations, held_out=stage.env.params,
        judge=lambda trainer, state, schedule, params, key: worth(state, schedule, params, key), evolving=evolving,
        on_generation=lambda number, done: on_generation(number, np.asarray(done.fitness, np.float64)),
    )  # fmt: skip
    steps = stage.env.config.steps
    return Found(
        state=pbt.member(done.population, done.best).state,
        fitness=np.array([one.fitness for one in done.history], np.float64),
        reward=np.array(
            [one.figures.reward.mean((1, 2)) * steps for one in done.history], np.float64
        ),
        factors=_factors(stage.schedule.first, [one.hps for one in done.history], evolving.names),
        best=done.best,
    )


def _factors(
    first: Sequence[Any], hps: Sequence[Sequence[Any]], names: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """What hyper-parameters were multiplied by, those near 1 by their distance; of the first team that has one."""
    found = {}
    for name in names:
        team = next(number for number, hp in enumerate(first) if name in hp._fields)
        now = np.array([getattr(one[team], name) for one in hps], np.float64)
        then = np.float64(getattr(first[team], name))
        found[name] = (
            (1 - now) / (1 - then)
            if name in pbt.NEAR_ONE
            else now / np.where(then == 0, np.nan, then)
        )
    return found
