"""Population-based training over machines: one process per member, scheduled by Ray Tune.

A member trains for a generation, is evaluated on the validation episodes and waits; the worst
members then continue from what the best have learned, with perturbed hyperparameters, as in
`prosumax.rl.engine.pbt`. A member whose process dies continues from its last generation, and so do
all members after an interruption.
"""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.ray_cluster import MAX_ATTEMPTS, connect_ray
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.evaluation import evaluate_episodes, with_fixed_start
from prosumax.rl.engine.pbt import PBTConfig, scale_hyperparameter
from prosumax.rl.engine.trainer import LinearSchedule, TrainState
from prosumax.rl.training.setup import TrainingConfig, TrainingSetup, make_training_setup
from prosumax.rl.training.training import RAY_FOLDER
from prosumax.rl.types import EnvParams
from prosumax.simulation.rollout import enable_compilation_cache

_EXPERIMENT = "members"
_HISTORY = "history.jsonl"


class PopulationConfig(NamedTuple):
    """Configuration of a population, which every member receives.

    Attributes:
        training: Configuration of the training; its iterations are those of all generations.
        pbt: Settings of population-based training.
        size: Number of members.
        generations: Number of generations.
        data_dir: Folder of data sets on the machines of the members.
    """

    training: TrainingConfig
    pbt: PBTConfig
    size: int
    generations: int
    data_dir: str | None


class PopulationOutcome(NamedTuple):
    """Outcome of population-based training.

    Attributes:
        state: State of the best member's training.
        fitness: Mean reward per home and step on the validation episodes [generation, member].
        reward: Mean training reward per home and episode [generation, member].
        factors: Factor of every evolving hyperparameter by name [generation, member].
        best_member: Index of the best member.
    """

    state: TrainState
    fitness: NDArray[np.float64]
    reward: NDArray[np.float64]
    factors: dict[str, NDArray[np.float64]]
    best_member: int


def make_fitness_fn(
    setup: TrainingSetup,
) -> Callable[[TrainState, LinearSchedule, PyTree, PRNGKeyArray], Float[Array, ""]]:
    """Return a function that computes a member's mean reward on the validation episodes."""
    first_steps = jnp.asarray(setup.episodes.validation)
    agents = with_fixed_start(setup.agents, setup.env.config.episode_steps)

    def fitness(
        state: TrainState, schedule: LinearSchedule, params: EnvParams, key: PRNGKeyArray
    ) -> Float[Array, ""]:
        configs = schedule.at(state.iteration)
        episodes = evaluate_episodes(
            agents, state.learner_states, configs, params, first_steps, key
        )
        return episodes.reward.mean()

    return fitness


class PopulationMember:
    """A member of a population in a process of its own; Ray's trainable wraps it.

    Args:
        config: Configuration of the population.
        number: Number of the member, which seeds it.
    """

    def __init__(self, config: PopulationConfig, number: int) -> None:
        enable_compilation_cache()
        self.setup = make_training_setup(config.training, config.data_dir)
        self._config = config
        self._init = jit_program(self.setup.trainer.init)
        self._advance = jit_program(self._train_generation)
        self.reset(number)

    def reset(self, number: int) -> None:
        """Reset to an untrained member.

        Args:
            number: Number of the member.
        """
        self.number = number
        key = jax.random.fold_in(jax.random.key(self._config.training.first_seed), number)
        self.state = self._init(key, self.setup.schedule, self.setup.training_params)

    def train(self, factors: dict[str, float]) -> dict[str, float]:
        """Train for a generation, and evaluate the result.

        Args:
            factors: Factor of each evolving hyperparameter, in all groups that have it.

        Returns:
            `fitness` and training `reward` of the generation.
        """
        schedule = self.setup.schedule
        for name, factor in factors.items():
            schedule = scale_hyperparameter(schedule, name, jnp.float32(factor))
        self.state, fitness, reward = self._advance(
            self.state, schedule, self.setup.env.params, self.setup.training_params
        )
        return {"fitness": float(fitness), "reward": float(reward)}

    def _train_generation(
        self,
        state: TrainState,
        schedule: LinearSchedule,
        params: EnvParams,
        training_params: EnvParams,
    ) -> tuple[TrainState, Array, Array]:
        num_iterations = self._config.training.iterations // self._config.generations
        state, metrics = self.setup.trainer.train_iterations(
            state, schedule, training_params, num_iterations
        )
        # All members are evaluated with the same random key.
        fitness = make_fitness_fn(self.setup)(state, schedule, params, jax.random.key(0))
        return state, fitness, metrics.reward.mean() * self.setup.env.config.episode_steps

    def save(self, folder: Path) -> None:
        """Write the state of the training."""
        save_tree(folder / "state.npz", self.state)
        (folder / "member.json").write_text(json.dumps(self.number), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read the state of this member or of another one, which then gets a new random key."""
        self.state = load_tree(folder / "state.npz", jax.eval_shape(lambda: self.state))
        if json.loads((folder / "member.json").read_text(encoding="utf-8")) != self.number:
            key = jax.random.fold_in(self.state.key, self.number)
            self.state = self.state._replace(key=key)


def run_pbt_on_ray(
    config: PopulationConfig,
    folder: Path,
    address: str,
    on_generation: Callable[[int, NDArray[np.float64]], None],
) -> PopulationOutcome:
    """Train a population, or resume one that was interrupted in the same folder.

    Args:
        config: Configuration of the population.
        folder: Folder of the run; members exchange their learners in `ray/` below it.
        address: Address of a cluster, or `local`.
        on_generation: Function that is called with the number of each generation and its fitness.

    Raises:
        InputError: Ray is not installed, there is no cluster, or the folder contains the members
            of another population.
        KeyboardInterrupt: The training was interrupted; its state is stored.
    """
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # Paths in scenarios are relative to the caller.
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # Ray would otherwise print tables of its own.
    ray = connect_ray(None, None if address == "local" else address)
    try:
        trials = _tune(config, folder, on_generation)
        finished = [trial for trial in trials if trial.status != "ERROR"]
        if any(_num_generations(trial) < config.generations for trial in finished):
            raise KeyboardInterrupt
        if not finished:
            raise InputError(
                "--population",
                "every member failed",
                f"See the first error in {folder / RAY_FOLDER}.",
            )
        best = max(range(len(finished)), key=lambda index: finished[index].last_result["fitness"])
        setup = make_training_setup(config.training, config.data_dir)
        template = jax.eval_shape(
            setup.trainer.init, jax.random.key(0), setup.schedule, setup.training_params
        )
        with finished[best].checkpoint.as_directory() as checkpoint:
            state = load_tree(Path(checkpoint) / "state.npz", template)
        history = _read_history(finished, folder / RAY_FOLDER, config)
        return PopulationOutcome(
            state=state,
            fitness=history["fitness"],
            reward=history["reward"],
            factors={name: history[name] for name in config.pbt.hyperparameters},
            best_member=best,
        )
    finally:
        ray.shutdown()


def delete_members(folder: Path) -> None:
    """Delete the files that members exchanged."""
    shutil.rmtree(folder / RAY_FOLDER, ignore_errors=True)


def _read_history(
    trials: list[PyTree], folder: Path, config: PopulationConfig
) -> dict[str, NDArray[np.float64]]:
    """Read metrics and factors of every generation [generation, member]."""
    names = ("fitness", "reward", *config.pbt.hyperparameters)
    history = {name: np.full((config.generations, len(trials)), np.nan) for name in names}
    members = {trial.trial_id: number for number, trial in enumerate(trials)}
    for line in (folder / _HISTORY).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["member"] in members:
            for name, values in history.items():
                values[record["generation"], members[record["member"]]] = record[name]
    return history


def _num_generations(trial: PyTree) -> int:
    return int((trial.last_result or {}).get("training_iteration", 0))


def _tune(
    config: PopulationConfig,
    folder: Path,
    on_generation: Callable[[int, NDArray[np.float64]], None],
) -> list[PyTree]:
    """Run Ray Tune; returns every member's trial."""
    from ray import tune
    from ray.tune.schedulers import PopulationBasedTraining
    from ray.tune.search.basic_variant import BasicVariantGenerator

    class MemberTrainable(tune.Trainable):
        """Ray's interface of a member, whose process is reused for the next member that waits."""

        def setup(self, config: dict[str, PyTree], population: PopulationConfig) -> None:
            self._population = population
            self._factors = config
            self._member = PopulationMember(population, self._number())

        def _number(self) -> int:
            return zlib.crc32(str(self.trial_id).rsplit("_", 1)[-1].encode())

        def step(self) -> dict[str, PyTree]:
            names = self._population.pbt.hyperparameters
            result = self._member.train({name: self._factors[name] for name in names})
            return result | {"done": self.training_iteration + 1 >= self._population.generations}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            self._member.save(Path(checkpoint_dir))

        def load_checkpoint(self, checkpoint: PyTree) -> None:
            self._member.load(Path(checkpoint))

        def reset_config(self, new_config: dict[str, PyTree]) -> bool:
            self._factors = new_config
            self._member.reset(self._number())
            return True

    names = config.pbt.hyperparameters
    ray_folder = _member_folder(config, folder)

    class HistoryCallback(tune.Callback):
        """Callback that records results, and reports a generation that all members finished."""

        def __init__(self) -> None:
            self.fitness: dict[int, dict[str, float]] = {}

        def on_trial_result(
            self, iteration: int, trials: PyTree, trial: PyTree, result: PyTree, **info: PyTree
        ) -> None:
            generation = result["training_iteration"] - 1
            record = {
                "generation": generation,
                "member": trial.trial_id,
                "fitness": result["fitness"],
                "reward": result["reward"],
                **{name: result["config"][name] for name in names},
            }
            # Ray's own files lose the results of members that are replaced.
            with (ray_folder / _HISTORY).open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            fitness = self.fitness.setdefault(generation, {})
            fitness[trial.trial_id] = result["fitness"]
            if len(fitness) == config.size:
                on_generation(generation, np.array(list(fitness.values())))

    any_factor = tune.loguniform(1e-6, 1e6)
    # A new scheduler waits for all members at its first generation, which after an interruption is
    # the one after the last. An earlier one would make all members wait without end.
    next_generation = 1 + _finished_generations(ray_folder)
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        metric="fitness",
        mode="max",
        perturbation_interval=1,
        burn_in_period=next_generation,
        synch=True,
        hyperparam_mutations=dict.fromkeys(names, any_factor),
        quantile_fraction=config.pbt.quantile_fraction,
        resample_probability=0.0,
        perturbation_factors=tuple(reversed(config.pbt.perturbation_factors)),
        log_config=False,
    )
    is_resumed = any((ray_folder / _EXPERIMENT).glob("experiment_state-*.json"))
    analysis = tune.run(
        tune.with_parameters(MemberTrainable, population=config),
        name=_EXPERIMENT,
        storage_path=str(ray_folder),
        resume="AUTO+ERRORED" if is_resumed else None,
        config=dict.fromkeys(names, any_factor),
        num_samples=config.size,
        scheduler=scheduler,
        search_alg=BasicVariantGenerator(points_to_evaluate=_initial_factors(config)),
        resources_per_trial={"cpu": 1},
        checkpoint_config=tune.CheckpointConfig(
            num_to_keep=4, checkpoint_frequency=1, checkpoint_at_end=True
        ),
        max_failures=MAX_ATTEMPTS - 1,
        raise_on_failed_trial=False,
        reuse_actors=True,
        callbacks=[HistoryCallback()],
        verbose=0,
    )
    return sorted(analysis.trials, key=lambda trial: str(trial.trial_id))


def _initial_factors(config: PopulationConfig) -> list[dict[str, float]]:
    """Sample the factors of every member's initial hyperparameters; the first member's are 1."""
    names = config.pbt.hyperparameters
    rng = np.random.default_rng(config.training.first_seed)
    log_spread = np.log(config.pbt.initial_spread)
    factors = [dict.fromkeys(names, 1.0)]
    for _ in range(config.size - 1):
        factors.append(
            {name: float(np.exp(rng.uniform(-log_spread, log_spread))) for name in names}
        )
    return factors


def _finished_generations(ray_folder: Path) -> int:
    """Return the number of generations that the most advanced member has finished."""
    path = ray_folder / _HISTORY
    if not path.is_file():
        return 0
    lines = path.read_text(encoding="utf-8").splitlines()
    return max((json.loads(line)["generation"] + 1 for line in lines), default=0)


def _member_folder(config: PopulationConfig, folder: Path) -> Path:
    """Return the folder in which members exchange learners, after a check that it is theirs."""
    ray_folder = (folder / RAY_FOLDER).resolve()
    content = json.dumps([asdict(config.training), config.pbt, config.size, config.generations])
    path = ray_folder / "population.json"
    if path.is_file() and path.read_text(encoding="utf-8") != content:
        raise InputError(
            f"--out {folder}", "the folder contains another population", "Name a new folder."
        )
    write_text(path, content)
    return ray_folder
