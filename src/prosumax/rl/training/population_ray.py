"""Population-based training over machines: a process per member, Ray Tune's scheduler between generations.

A member trains for a generation, is judged on validation days and waits; the worst then go on from what the best have
learned, with hyper-parameters changed a little, as in `prosumax.rl.engine.pbt`. A member whose process dies goes on from
its last generation, and so does everything after an interruption.
"""

import json
import os
import shutil
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.files import write_text
from prosumax.ray_cluster import ATTEMPTS, connect
from prosumax.rl.engine.checkpoints import load_tree, save_tree
from prosumax.rl.engine.compilation import compiled
from prosumax.rl.engine.evaluation import fixed, play
from prosumax.rl.engine.pbt import Evolution, scaled
from prosumax.rl.engine.trainer import Schedule, TrainState
from prosumax.rl.training.setup import Plan, Stage, stage_of
from prosumax.rl.training.training import MEMBERS
from prosumax.simulation.rollout import use_compilation_cache

_NAME, _HISTORY = "members", "history.jsonl"


class Asked(NamedTuple):
    """What a member must know.

    Attributes:
        plan: of the training; its iterations are those of all generations.
        evolving: which hyper-parameters change, and how.
        size: members.
        generations: how many.
        data_dir: folder with data sets, on the machines that do the work.
    """

    plan: Plan
    evolving: Evolution
    size: int
    generations: int
    data_dir: str | None


class Found(NamedTuple):
    """What a population came to.

    Attributes:
        state: of the best member's training.
        fitness: of every generation, mean reward of a home and step on validation days [generation, member].
        reward: of every generation while learning, per home and episode [generation, member].
        factors: what every evolving hyper-parameter was multiplied by, by name [generation, member].
        best: number of that member.
    """

    state: TrainState
    fitness: NDArray[np.float64]
    reward: NDArray[np.float64]
    factors: dict[str, NDArray[np.float64]]
    best: int


def worth_of(stage: Stage) -> Callable[[TrainState, Schedule, Any, PRNGKeyArray], Float[Array, ""]]:
    """What says how well a member does on validation days, nobody trying things."""
    days, steps = jnp.asarray(stage.days.validation), stage.env.config.steps

    def worth(
        state: TrainState, schedule: Schedule, params: Any, key: PRNGKeyArray
    ) -> Float[Array, ""]:
        game = fixed(stage.game, steps)
        return play(
            game, state.learners, schedule.at(state.iteration), params, days, key
        ).reward.mean()

    return worth


class Member:
    """One member at work; Ray's trainable is a shell around it.

    Arguments:
        asked: what the population is about.
        number: which member.
    """

    def __init__(self, asked: Asked, number: int) -> None:
        use_compilation_cache()
        self.stage, self._asked = stage_of(asked.plan, asked.data_dir), asked
        self._init, self._advance = compiled(self.stage.trainer.init), compiled(self._generation)
        self.begin(number)

    def begin(self, number: int) -> None:
        """Be this member, which has learned nothing."""
        self.number, stage = number, self.stage
        key = jax.random.fold_in(jax.random.key(self._asked.plan.first_seed), number)
        self.state = self._init(key, stage.schedule, stage.training_params)

    def advance(self, factors: dict[str, float]) -> dict[str, float]:
        """Train for a generation and judge.

        Arguments:
            factors: what each evolving hyper-parameter is multiplied by, on all teams that have it.
        """
        schedule, stage = self.stage.schedule, self.stage
        for name, factor in factors.items():
            schedule = scaled(schedule, name, jnp.float32(factor))
        self.state, worth, reward = self._advance(
            self.state, schedule, stage.env.params, stage.training_params
        )
        return {"worth": float(worth), "reward": float(reward)}

    def _generation(
        self, state: TrainState, schedule: Schedule, whole: Any, params: Any
    ) -> tuple[Any, Array, Array]:
        every = self._asked.plan.iterations // self._asked.generations
        state, figures = self.stage.trainer.chunk(state, schedule, params, every)
        # All are judged by the same dice.
        worth = worth_of(self.stage)(state, schedule, whole, jax.random.key(0))
        return state, worth, figures.reward.mean() * self.stage.env.config.steps

    def save(self, folder: Path) -> None:
        """Keep what was learned."""
        save_tree(folder / "state.npz", self.state)
        (folder / "member.json").write_text(json.dumps(self.number), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Go on from what was kept, by this member or by another; a copy sees and tries things of its own."""
        self.state = load_tree(folder / "state.npz", jax.eval_shape(lambda: self.state))
        if json.loads((folder / "member.json").read_text(encoding="utf-8")) != self.number:
            self.state = self.state._replace(key=jax.random.fold_in(self.state.key, self.number))


def evolve_on_ray(
    asked: Asked,
    folder: Path,
    address: str,
    on_generation: Callable[[int, NDArray[np.float64]], None],
) -> Found:
    """Train a population, or go on with one that was interrupted in the same folder.

    Arguments:
        asked: what it is about.
        folder: of the run; members exchange what they learned in `ray/` below it.
        address: of a cluster, or `local`.
        on_generation: called with the number of each generation and its fitness.

    Raises:
        InputError: Ray is not installed, no cluster is there, or the folder holds another population's members.
        KeyboardInterrupt: the user stopped it; its state is stored.
    """
    os.environ["RAY_CHDIR_TO_TRIAL_DIR"] = "0"  # paths in scenarios are the caller's
    os.environ["RAY_AIR_NEW_OUTPUT"] = "0"  # or it would write tables of its own
    ray = connect(None, None if address == "local" else address)
    try:
        trials = _tuned(asked, folder, on_generation)
        if any(trial.status != "ERROR" and _age(trial) < asked.generations for trial in trials):
            raise KeyboardInterrupt
        fine = [trial for trial in trials if trial.status != "ERROR"]
        if not fine:
            raise InputError(
                "--population",
                f"every member broke; see {folder / MEMBERS}",
                "The first error is there.",
            )
        best = max(range(len(fine)), key=lambda at: fine[at].last_result["worth"])
        stage = stage_of(asked.plan, asked.data_dir)
        key = jax.random.key(0)
        like = jax.eval_shape(stage.trainer.init, key, stage.schedule, stage.training_params)
        with fine[best].checkpoint.as_directory() as kept:
            state = load_tree(Path(kept) / "state.npz", like)
        told = _history(fine, folder / MEMBERS, asked)
        factors = {name: told[name] for name in asked.evolving.names}
        return Found(state, told["worth"], told["reward"], factors, best)
    finally:
        ray.shutdown()


def _history(trials: list[Any], place: Path, asked: Asked) -> dict[str, NDArray[np.float64]]:
    """Figures and factors of every generation [generation, member]."""
    found = {
        name: np.full((asked.generations, len(trials)), np.nan)
        for name in ("worth", "reward", *asked.evolving.names)
    }
    members = {trial.trial_id: number for number, trial in enumerate(trials)}
    for line in (place / _HISTORY).read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        if told["member"] in members:
            for name, values in found.items():
                values[told["generation"], members[told["member"]]] = told[name]
    return found


def forget(folder: Path) -> None:
    """Delete what members exchanged, once the best is kept."""
    shutil.rmtree(folder / MEMBERS, ignore_errors=True)


def _age(trial: Any) -> int:
    return int((trial.last_result or {}).get("training_iteration", 0))


def _tuned(
    asked: Asked, folder: Path, on_generation: Callable[[int, NDArray[np.float64]], None]
) -> list[Any]:
    """Every member's trial, as Ray Tune left it."""
    from ray import tune
    from ray.tune.schedulers import PopulationBasedTraining
    from ray.tune.search.basic_variant import BasicVariantGenerator

    class Shell(tune.Trainable):
        """A member as Ray Tune wants it. Its process serves the next member that waits."""

        def setup(self, config: dict[str, Any], given: Asked) -> None:
            self._given, self._factors, self._member = given, config, Member(given, self._number())

        def _number(self) -> int:
            return zlib.crc32(str(self.trial_id).rsplit("_", 1)[-1].encode())

        def step(self) -> dict[str, Any]:
            found = self._member.advance(
                {name: self._factors[name] for name in self._given.evolving.names}
            )
            return found | {"done": self.training_iteration + 1 >= self._given.generations}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            self._member.save(Path(checkpoint_dir))

        def load_checkpoint(self, checkpoint: Any) -> None:
            self._member.load(Path(checkpoint))

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._factors = new_config
            self._member.begin(self._number())
            return True

    class Watch(tune.Callback):
        """Tells of a generation once all members are through it."""

        def __init__(self) -> None:
            self.seen: dict[int, dict[str, float]] = {}

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any
        ) -> None:
            number = result["training_iteration"] - 1
            told = {"generation": number, "member": trial.trial_id} | {
                n: result[n] for n in ("worth", "reward")
            }
            # Not the lines that Ray writes: those of a member that is replaced are gone.
            with (place / _HISTORY).open("a", encoding="utf-8") as file:
                file.write(
                    json.dumps(told | {name: result["config"][name] for name in evolving.names})
                    + "\n"
                )
            found = self.seen.setdefault(number, {})
            found[trial.trial_id] = result["worth"]
            if len(found) == asked.size:
                on_generation(number, np.array(list(found.values())))

    evolving, place = asked.evolving, _place(asked, folder)
    drawn = np.random.default_rng(asked.plan.first_seed)
    reach = np.log(evolving.spread)
    begin = [dict.fromkeys(evolving.names, 1.0)]
    begin += [{name: float(np.exp(drawn.uniform(-reach, reach))) for name in evolving.names}
              for _ in range(asked.size - 1)]  # fmt: skip
    anything = tune.loguniform(1e-6, 1e6)
    # A new scheduler waits for members to come together at its first generation; when they go on, at the one after
    # the last. Asked to meet earlier than they are, they would all wait without end.
    meeting = 1 + _oldest(place)
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration", metric="worth", mode="max", perturbation_interval=1,
        burn_in_period=meeting, synch=True,
        hyperparam_mutations=dict.fromkeys(evolving.names, anything), quantile_fraction=evolving.share,
        resample_probability=0.0, perturbation_factors=tuple(reversed(evolving.factors)), log_config=False,
    )  # fmt: skip
    begun = any((place / _NAME).glob("experiment_state-*.json"))
    done = tune.run(
        tune.with_parameters(Shell, given=asked), name=_NAME, storage_path=str(place),
        resume="AUTO+ERRORED" if begun else None,
        config=dict.fromkeys(evolving.names, anything), num_samples=asked.size, scheduler=scheduler,
        search_alg=BasicVariantGenerator(points_to_evaluate=begin), resources_per_trial={"cpu": 1},
        checkpoint_config=tune.CheckpointConfig(num_to_keep=4, checkpoint_frequency=1, checkpoint_at_end=True),
        max_failures=ATTEMPTS - 1, raise_on_failed_trial=False, reuse_actors=True, callbacks=[Watch()], verbose=0,
    )  # fmt: skip
    return sorted(done.trials, key=lambda trial: str(trial.trial_id))


def _oldest(place: Path) -> int:
    """How many generations the member that is furthest has behind it."""
    if not (place / _HISTORY).is_file():
        return 0
    lines = (place / _HISTORY).read_text(encoding="utf-8").splitlines()
    return max((json.loads(line)["generation"] + 1 for line in lines), default=0)


def _place(asked: Asked, folder: Path) -> Path:
    """Where members exchange what they learned; checks that it is this population's."""
    place = (folder / MEMBERS).resolve()
    mark = json.dumps([asdict(asked.plan), asked.evolving, asked.size, asked.generations])
    note = place / "asked.json"
    if note.is_file() and note.read_text(encoding="utf-8") != mark:
        raise InputError(
            f"--out {folder}", "holds members of another population", "Name a new folder."
        )
    write_text(note, mark)
    return place
