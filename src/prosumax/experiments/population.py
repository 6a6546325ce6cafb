"""Population-based training of a scenario: judged on validation days, the best member kept as a training run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax.errors import InputError
from prosumax.experiments.judging import judge
from prosumax.experiments.run import ScenarioLike
from prosumax.experiments.simulate import use_compilation_cache
from prosumax.experiments.stage import Plan, populated, stage_of
from prosumax.experiments.training import Training, store_training, write_json
from prosumax.learning import Schedule, Trainer, TrainState, pbt
from prosumax.learning.evaluation import fixed, play
from prosumax.scenario import load_scenario


class PopulationTraining(NamedTuple):
    """What a population came to.

    Attributes:
        training: of the best member, as if it had been trained alone; its curves have a look per generation.
        history: every generation.
        best: number of that member.
    """

    training: Training
    history: Sequence[pbt.Generation]
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
    data_dir: str | Path | None = None,
    on_generation: Callable[[int, pbt.Generation], None] = lambda number, done: None,
) -> PopulationTraining:
    """Train a population on one device while its hyper-parameters evolve; see `prosumax.learning.pbt`.

    Arguments:
        scenario, overrides, algorithm, paradigm, settings, seed, environments, steps, finite, data_dir: as in `train`.
        size: members; each plays its own environments.
        evolve: hyper-parameters; learning rates and the weight of entropy when absent.
        iterations: rollouts and updates of each member; rounded up so that generations are even.
        generations: after each the worst become copies of the best.
        out: new or empty folder for the best member, as `prosumax train` writes it; nothing is written when absent.
        on_generation: called with the number of each generation and what it did.

    Raises:
        InputError: something in the scenario or the settings is not right, or there are fewer than 2 members.
    """
    if generations < 1 or iterations < 1:
        raise InputError("generations, iterations", "must be at least 1", "Raise it.")
    use_compilation_cache()
    began, each = perf_counter(), -(-iterations // generations)
    plan = Plan(
        scenario=populated(load_scenario(scenario, overrides), algorithm, paradigm, settings or {}).model_dump(
            mode="json"
        ),
        iterations=each * generations,
        first_seed=seed,
        environments=environments,
        steps=steps,
        finite=finite,
        anneal={},
        version=metadata.version("prosumax"),
    )
    stage = stage_of(plan, data_dir)
    days = jnp.asarray(stage.days.validation)

    def worth(
        trainer: Trainer, state: TrainState, schedule: Schedule, params: Any, key: PRNGKeyArray
    ) -> Float[Array, ""]:
        game = fixed(trainer.game, stage.env.config.steps)
        return play(game, state.learners, schedule.at(state.iteration), params, days, key).reward.mean()

    done = pbt.evolve_population(
        stage.trainer, stage.schedule, stage.training_params, jax.random.key(seed), size=size,
        generations=generations, iterations=each, held_out=stage.env.params, judge=worth,
        evolving=pbt.evolution(stage.schedule.first, evolve, "evolve"), on_generation=on_generation,
    )  # fmt: skip
    best = pbt.member(done.population, done.best)
    learners = jax.tree.map(lambda leaf: leaf[None], best.state.learners)
    # Rewards of a member's own past differ where it was a copy; the best of each generation is what there is to show.
    nothing = np.full((generations, 1), np.nan)
    curves: dict[str, Any] = dict.fromkeys(("cost", "entropy", "p2p_share"), nothing)
    curves["validation"] = np.array([[generation.fitness.max()] for generation in done.history], np.float64)
    shown = [generation.figures.reward.mean((1, 2)).max() * stage.env.config.steps for generation in done.history]
    curves["reward"] = np.array(shown, np.float64)[:, None]
    curves["iteration"] = each * (1.0 + np.arange(generations))
    folder = None if out is None else Path(out)
    tested = judge(stage, learners)
    training = Training(plan, folder, plan.iterations, curves, tested, learners, perf_counter() - began)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "training.json", asdict(plan))
        store_training(training, folder)
    return PopulationTraining(training, done.history, done.best)
