"""Train a community: learners of any kind over several seeds at once, judged on days they never saw, and stored.

A run is a folder. `training.json` says what was asked for, `state.npz` has everything to go on from, `policies.npz`
what was best on validation days, `curves.csv` how it went, `result.json` how the best did on test days.
"""

import csv
import importlib.util
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax.community import assemble
from prosumax.env import CommunityEnv, EnvParams, TimeStep, env_config, env_params
from prosumax.errors import InputError
from prosumax.experiments.run import ScenarioLike
from prosumax.experiments.simulate import use_compilation_cache
from prosumax.inputs import Profiles, read_profiles
from prosumax.learning import Figures, Game, Part, Schedule, Trainer, TrainState, algorithms, make_game
from prosumax.learning.evaluation import Account, Split, between, fixed, play, split
from prosumax.learning.scripted import script
from prosumax.learning.storage import load_tree, save_tree
from prosumax.optimum import cost_alone, cost_together, plan_alone, plan_together, pose
from prosumax.scenario import Scenario, load_scenario

_CHUNKS = 50  # a training run is looked at about so often
_STORE_EVERY_S = 30.0


@dataclass(frozen=True)
class Plan:
    """What is to be trained, in words and numbers: the content of `training.json`.

    Attributes:
        scenario: as `dump_scenario` would write it, its population filled in.
        iterations: rollouts and updates.
        seeds: trained at once, from `first_seed`.
        environments: copies of the community played at once, per seed.
        steps: of each copy per iteration.
        finite: whether nothing counts after an episode.
        anneal: hyper-parameters at the end, in a straight line from where they begin; of all learners that have them.
        version: of prosumax.
    """

    scenario: dict[str, Any]
    iterations: int
    seeds: int = 1
    first_seed: int = 0
    environments: int = 32
    steps: int | None = None
    finite: bool = False
    anneal: Mapping[str, float] | None = None
    version: str = ""


class Now(NamedTuple):
    """How far a training run is.

    Attributes:
        iteration, iterations: done and planned.
        figures: means over seeds, by name.
        per_second: agent-steps.
        seconds_left: about.
    """

    iteration: int
    iterations: int
    figures: Mapping[str, float]
    per_second: float
    seconds_left: float


OnProgress = Callable[[Now], None]


class Training(NamedTuple):
    """A finished or interrupted run.

    Attributes:
        plan: what was asked for.
        folder: where it is stored; None if it is not.
        iteration: how many are done.
        curves: figure -> values [look, seed]; `iteration` is one of them [look].
        test: figure -> values on the test days by player [seed]; `learned` is one of the players. Empty until finished.
        learners: state of every team's best learners [seed, group, ..].
        seconds: spent training, compilation included.
    """

    plan: Plan
    folder: Path | None
    iteration: int
    curves: Mapping[str, NDArray[np.float64]]
    test: Mapping[str, Mapping[str, NDArray[np.float64]]]
    learners: tuple[Any, ...]
    seconds: float


@dataclass(frozen=True)
class Stage:
    """All that a plan needs to run.

    Attributes:
        plan: what is asked for.
        scenario, profiles: as read.
        env: the environment over the whole period.
        game: who plays.
        days: where episodes begin.
    """

    plan: Plan
    scenario: Scenario
    profiles: Profiles
    env: CommunityEnv
    game: Game
    days: Split

    @cached_property
    def trainer(self) -> Trainer:
        """Plays and learns."""
        steps = self.plan.steps or self.env.config.steps
        return Trainer(self.game, self.plan.environments, steps, self.plan.finite, _watch)

    @cached_property
    def schedule(self) -> Schedule:
        """Hyper-parameters from first to last iteration."""
        first = tuple(team.hp for team in self.game.teams)
        ends = self.plan.anneal or {}
        for name in ends:
            if not any(name in hp._fields for hp in first):
                raise InputError(
                    f"anneal: {name}", "is no hyper-parameter of any learner here", "See docs/learning.md."
                )
        last = tuple(hp._replace(**{name: value for name, value in ends.items() if name in hp._fields}) for hp in first)
        with jax.ensure_compile_time_eval():
            schedule: Schedule = jax.tree.map(
                jnp.float32,
                Schedule(first, last, float(self.plan.iterations)),  # type: ignore[arg-type]
            )
        return schedule

    @cached_property
    def training_params(self) -> EnvParams:
        """The environment's parameters, with the training days only."""
        with jax.ensure_compile_time_eval():
            return between(self.env.params, 0, self.days.training)


def train(
    scenario: ScenarioLike,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    algorithm: str | None = None,
    paradigm: str = "dtde",
    settings: Mapping[str, Any] | None = None,
    anneal: Mapping[str, float] | None = None,
    iterations: int = 500,
    seeds: int = 1,
    seed: int = 0,
    environments: int = 32,
    steps: int | None = None,
    finite: bool = False,
    out: Path | str | None = None,
    tensorboard: bool = False,
    data_dir: str | Path | None = None,
    on_progress: OnProgress = lambda now: None,
) -> Training:
    """Train the homes of a scenario.

    Arguments:
        scenario, overrides, data_dir: as in `prosumax.run`; the scenario's `environment` says what agents do, see and
            are paid, its `population` who learns.
        algorithm, paradigm, settings: of all homes, instead of the scenario's population; PPO, each home alone, where
            neither says anything.
        anneal: hyper-parameters that move in a straight line to these values.
        iterations: rollouts and updates; rounded up so that they fall into even parts.
        seeds, seed: how many are trained at once, and the first.
        environments, steps: copies of the community per seed, and steps of each per iteration (an episode when absent).
        finite: whether nothing counts after an episode; otherwise its end is a time limit.
        out: folder to keep the run in; nothing is written when absent.
        tensorboard: whether to write its logs there too (needs `prosumax[tensorboard]`).
        on_progress: called after every part of the work.

    Raises:
        InputError: something in the scenario, its population or the settings is not right.
    """
    checked = populated(load_scenario(scenario, overrides), algorithm, paradigm, settings or {})
    for name, value, least in (("iterations", iterations, 1), ("seeds", seeds, 1), ("environments", environments, 1)):
        if value < least:
            raise InputError(name, f"is {value}", f"It must be at least {least}.")
    every = -(-iterations // _CHUNKS)
    plan = Plan(
        scenario=checked.model_dump(mode="json"),
        iterations=-(-iterations // every) * every,
        seeds=seeds,
        first_seed=seed,
        environments=environments,
        steps=steps,
        finite=finite,
        anneal=dict(anneal or {}),
        version=metadata.version("prosumax"),
    )
    folder = None if out is None else Path(out)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "training.json", asdict(plan))
    return _run(stage_of(plan, data_dir), folder, None, tensorboard, on_progress)


def resume(
    folder: Path | str,
    *,
    tensorboard: bool = False,
    data_dir: str | Path | None = None,
    on_progress: OnProgress = lambda now: None,
) -> Training:
    """Go on with a run that was interrupted, exactly as if it had not been.

    Raises:
        InputError: there is no such run.
    """
    folder = Path(folder)
    stage = stage_of(read_plan(folder), data_dir)
    like = jax.eval_shape(lambda *given: _begin(stage, *given), stage.schedule, stage.training_params)
    progress = load_tree(folder / "state.npz", like) if (folder / "state.npz").is_file() else None
    return _run(stage, folder, progress, tensorboard, on_progress)


def read_plan(folder: Path) -> Plan:
    """What a stored run was asked for.

    Raises:
        InputError: there is none.
    """
    path = folder / "training.json"
    if not path.is_file():
        raise InputError(str(folder), "holds no training run", "Name a folder that `prosumax train` wrote.")
    return Plan(**json.loads(path.read_text(encoding="utf-8")))


def stage_of(plan: Plan, data_dir: str | Path | None = None) -> Stage:
    """Read what a plan needs."""
    scenario = load_scenario(plan.scenario)
    profiles = read_profiles(scenario, data_dir)
    env = CommunityEnv(env_config(scenario), env_params(scenario, assemble(scenario, profiles)))
    config = env.config
    length = int(env.params.community.series.hour.shape[0])
    return Stage(plan, scenario, profiles, env, _game(env, scenario), split(length, config.steps, config.start_every))


def read_stage(scenario: Scenario, seeds: int, plan: Plan | None = None) -> Stage:
    """A scenario's days and homes with `seeds` draws of each player, to judge players that may not learn at all.

    Arguments:
        scenario: whose homes.
        seeds: draws.
        plan: of the learners that are to be judged; PPO's when absent, which nobody trains.
    """
    if plan is None:
        plan = Plan(populated(scenario, "ppo", "dtde", {}).model_dump(mode="json"), 1, seeds)
    return stage_of(plan)


class _Progress(NamedTuple):
    """What is stored to go on from."""

    train: TrainState
    best: tuple[Any, ...]
    score: Float[Array, " seed"]
    curves: dict[str, Float[Array, "look seed"]]


_CURVES = ("reward", "validation", "cost", "entropy", "p2p_share")


def _begin(stage: Stage, schedule: Schedule, params: EnvParams) -> _Progress:
    plan = stage.plan
    keys = jax.vmap(jax.random.key)(plan.first_seed + jnp.arange(plan.seeds))
    state = jax.vmap(stage.trainer.init, in_axes=(0, None, None))(keys, schedule, params)
    looks = -(-plan.iterations // _every(plan))
    curves = {name: jnp.full((looks, plan.seeds), jnp.nan) for name in _CURVES}
    return _typed(_Progress(state, state.learners, jnp.full(plan.seeds, -jnp.inf), curves))


def _every(plan: Plan) -> int:
    return -(-plan.iterations // _CHUNKS)


def _run(
    stage: Stage, folder: Path | None, progress: _Progress | None, tensorboard: bool, on_progress: OnProgress
) -> Training:
    use_compilation_cache()
    plan, every, began = stage.plan, _every(stage.plan), time.perf_counter()
    logs = _tensorboard(folder) if tensorboard else None
    given = (stage.schedule, stage.training_params)
    progress = jax.jit(lambda *given: _begin(stage, *given))(*given) if progress is None else progress
    # Not donated: whatever interrupts the next part, the last one is still there to be stored.
    look = jax.jit(lambda progress, whole, *given: _look(stage, every, progress, whole, *given))
    first = int(progress.train.iteration[0])
    agents = stage.env.num_agents * plan.seeds * plan.environments * stage.trainer.steps
    pace, stored, done = 0.0, time.perf_counter(), first
    try:
        while done < plan.iterations:
            before = time.perf_counter()
            progress = jax.block_until_ready(look(progress, stage.env.params, *given))
            took = time.perf_counter() - before
            # The first part includes compiling; after it the pace is a moving mean.
            pace = took if done <= first + every else 0.7 * pace + 0.3 * took
            done += every
            figures = {name: float(np.mean(values[done // every - 1])) for name, values in progress.curves.items()}
            left = pace * (plan.iterations - done) / every
            on_progress(Now(done, plan.iterations, figures, agents * every / took, left))
            if logs is not None:
                for name, value in figures.items():
                    logs.add_scalar(name, value, done)
            if folder is not None and time.perf_counter() - stored > _STORE_EVERY_S:
                save_tree(folder / "state.npz", progress)
                stored = time.perf_counter()
    except KeyboardInterrupt:
        pass  # what is done is stored below, and the caller sees that it is not all
    if folder is not None:
        save_tree(folder / "state.npz", progress)
    if logs is not None:
        logs.close()
    curves: dict[str, Any] = {
        name: np.asarray(values[: done // every], np.float64) for name, values in progress.curves.items()
    }
    curves["iteration"] = every * (1.0 + np.arange(done // every))
    test = judge(stage, progress.best) if done == plan.iterations else {}
    training = Training(plan, folder, done, curves, test, progress.best, time.perf_counter() - began)
    if folder is not None:
        store_training(training, folder)
    return training


def _look(
    stage: Stage, every: int, progress: _Progress, whole: EnvParams, schedule: Schedule, params: EnvParams
) -> _Progress:
    """Train for some iterations, judge on validation days, keep what is best; one compiled program."""

    def one(train: TrainState, best: Any, score: Array) -> tuple[TrainState, Any, Array, dict[str, Array]]:
        train, shown = stage.trainer.chunk(train, schedule, params, every)
        game, hps = fixed(stage.game, stage.env.config.steps), schedule.at(train.iteration)
        key = jax.random.key(0)  # the same days and draws at every look
        days = play(game, train.learners, hps, whole, jnp.asarray(stage.days.validation), key)
        value = days.reward.mean()
        better = value > score
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), train.learners, best)
        return train, best, jnp.where(better, value, score), _curve(stage, shown, days)

    train, best, score, figures = jax.vmap(one)(progress.train, progress.best, progress.score)
    at = train.iteration[0] // every - 1
    curves = {name: values.at[at].set(figures[name]) for name, values in progress.curves.items()}
    return _typed(_Progress(train, best, score, curves))


def _typed(progress: _Progress) -> _Progress:
    """With explicit types: JAX would compile once more for what comes back from the first part with stronger ones."""
    key = jax.dtypes.prng_key
    strong: _Progress = jax.tree.map(
        lambda leaf: leaf if jnp.issubdtype(leaf.dtype, key) else jnp.asarray(leaf, leaf.dtype), progress
    )
    return strong


def _curve(stage: Stage, shown: Figures, days: Account) -> dict[str, Array]:
    entropy = [figures["entropy"].mean() for figures in shown.teams if "entropy" in figures]
    return {
        "reward": shown.reward.mean() * stage.env.config.steps,
        "validation": days.reward.mean(),
        "cost": days.bill.sum(-1).mean(),
        "entropy": jnp.stack(entropy).mean() if entropy else jnp.float32(jnp.nan),
        "p2p_share": _p2p(days),
    }


def _p2p(days: Account) -> Array:
    local = days.bought.sum()
    return local / jnp.maximum(local + days.grid_in.sum() + days.grid_out.sum(), 1e-9)


def figures_of(days: Account, carbon_price: float = 0.0) -> dict[str, Array]:
    """Key figures of played episodes [day, home]: means per episode, of the whole community unless it says home.

    Arguments:
        days: from `play`.
        carbon_price: per kg, of the scenario's objective.
    """
    priced = carbon_price * jnp.nan_to_num(days.carbon) if carbon_price else 0.0
    return {
        "reward": days.reward.mean(),
        "objective": (days.bill + priced).sum(-1).mean(),
        "cost": days.bill.sum(-1).mean(),
        "carbon_kg": days.carbon.sum(-1).mean(),
        "welfare": days.surplus.sum(-1).mean(),
        "p2p_share": _p2p(days),
        "imbalance": days.imbalance.mean(),
        "grid_kwh": days.grid_in.sum(-1).mean(),
    }


FIGURES = {
    "reward": "Reward per home and episode",
    "objective": "Bills and priced carbon per episode",
    "cost": "All bills per episode",
    "carbon_kg": "Emissions per episode, kg",
    "welfare": "Gains from local trade per episode",
    "p2p_share": "Local share of all trade",
    "imbalance": "Imbalance of orders, of capacity",
    "grid_kwh": "Bought from the grid per episode, kWh",
}
"""What is reported of test days."""


def judge(
    stage: Stage, learners: tuple[Any, ...], rules: Sequence[str] | None = None
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """The test days, played by what was learned and by rules, and their optimum: player -> figure -> values [seed].

    Arguments:
        stage: with the days.
        learners: of every team [seed, group, ..]; none leaves them out.
        rules: to put beside them; those that suit the environment when absent.
    """
    game = fixed(stage.game, stage.env.config.steps)
    first = jnp.asarray(stage.days.test)
    keys = jax.vmap(jax.random.key)(stage.plan.first_seed + jnp.arange(stage.plan.seeds))

    def judged(game: Game) -> Any:
        def one(states: Any, key: Array, params: EnvParams) -> dict[str, Array]:
            days = play(game, states, stage.schedule.last[: len(states)], params, first, key)
            return figures_of(days, stage.scenario.objective.carbon_price_per_kg)

        return jax.jit(jax.vmap(one, in_axes=(0, 0, None)))

    found = {"learned": judged(game)(learners, keys, stage.env.params)} if learners else {}
    homes = tuple(range(stage.env.num_agents))
    for name in baselines(stage.env) if rules is None else rules:
        ruled = Game(game.env, (), (script(stage.env, homes, name, "baseline"),), np.arange(len(homes)))
        found[name] = judged(ruled)((), keys, stage.env.params)
    players = {who: {n: np.asarray(v, np.float64) for n, v in figures.items()} for who, figures in found.items()}
    return players | optima(stage, stage.days.test)


def optima(stage: Stage, first: NDArray[np.int64]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """What the two optima would pay on some days: `objective` only, since they trade on no market.

    Empty where the solver is not installed. Network fees are no part of it.

    Arguments:
        stage: with the environment.
        first: first steps of the episodes.
    """
    if any(importlib.util.find_spec(name) is None for name in ("linopy", "highspy")):
        return {}
    steps, whole = stage.env.config.steps, pose(stage.scenario, stage.profiles, stage.env.params.community)
    problems = [whole.between(int(at), int(at) + steps) for at in first]
    alone = [float(cost_alone(one, plan_alone(one).net_kwh).sum()) for one in problems]
    together = [cost_together(one, plan_together(one).net_kwh) for one in problems]
    values = {"optimal": np.mean(alone), "community-optimal": np.mean(together)}
    return {name: {"objective": np.full(stage.plan.seeds, value)} for name, value in values.items()}


def baselines(env: CommunityEnv) -> tuple[str, ...]:
    """Rules that learners are compared with."""
    if env.config.control == "bid":
        return ("marlem-zero-intelligence", "zero-intelligence", "truthful", "self-consumption")
    return ("zero-intelligence", "none", "self-consumption")


def _game(env: CommunityEnv, scenario: Scenario) -> Game:
    """Learners and rule-following homes as the scenario's population says."""
    names = [home.name for home in scenario.homes]
    named = {name for part in scenario.population if part.homes != "others" for name in part.homes}
    parts, rules, seen = [], {}, set()
    for number, entry in enumerate(scenario.population):
        where = f"population[{number}].policy"
        own = [name for name in names if name not in named] if entry.homes == "others" else entry.homes
        homes = tuple(sorted(names.index(name) for name in own))
        seen |= set(homes)
        if entry.policy in algorithms:
            parts.append(
                Part(_label(entry.policy, number, scenario), homes, entry.policy, entry.paradigm, entry.settings)
            )
        elif homes:
            rules[where] = (homes, entry.policy)
    for number, home in enumerate(scenario.homes):
        if number not in seen:
            rules[f"homes[{number}].policy"] = ((number,), home.policy or scenario.policy)
    if not parts:
        raise InputError("population", "has no learner", f"Name an algorithm: {', '.join(algorithms)}.")
    together: dict[str, tuple[int, ...]] = {}
    for homes, policy in rules.values():
        together[policy] = tuple(sorted((*together.get(policy, ()), *homes)))
    scripts = [script(env, homes, policy, "population") for policy, homes in together.items()]
    return make_game(env, parts, scripts)


def _label(policy: str, number: int, scenario: Scenario) -> str:
    alike = sum(entry.policy == policy for entry in scenario.population) > 1
    return f"{policy}-{number + 1}" if alike else policy


def populated(scenario: Scenario, algorithm: str | None, paradigm: str, settings: Mapping[str, Any]) -> Scenario:
    """The scenario with its population filled in, and goals as rewards of homes."""
    population: list[dict[str, Any]] = [part.model_dump(mode="json") for part in scenario.population]
    if algorithm is not None or not population:
        population = [
            {"homes": "others", "policy": algorithm or "ppo", "paradigm": paradigm, "settings": dict(settings)}
        ]
        algorithms.check(population[0]["policy"], "algorithm")
    named = {name for part in population if part["homes"] != "others" for name in part["homes"]}
    rewards: dict[str, dict[str, float]] = {}
    for part in population:
        goal = part.get("goal")
        if goal is None:
            continue
        weights = {goal: 1.0} if isinstance(goal, str) else goal
        own = part["homes"] if part["homes"] != "others" else [h.name for h in scenario.homes if h.name not in named]
        rewards |= dict.fromkeys(own, weights)
    changes: dict[str, Any] = {"population": population}
    for number, home in enumerate(scenario.homes):
        if home.name in rewards:
            changes[f"homes.{number}.rewards"] = rewards[home.name]
    return load_scenario(scenario, changes)


def _watch(step: TimeStep) -> Any:
    return ()


def store_training(training: Training, folder: Path) -> None:
    """Write the best policies, the curves and the figures of the test days."""
    save_tree(folder / "policies.npz", training.learners)
    with (folder / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["iteration", "seed", *_CURVES])
        for look, iteration in enumerate(training.curves["iteration"]):
            for seed in range(training.plan.seeds):
                values = [f"{training.curves[name][look, seed]:.6g}" for name in _CURVES]
                rows.writerow([int(iteration), training.plan.first_seed + seed, *values])
    test = {who: {name: values.tolist() for name, values in figures.items()} for who, figures in training.test.items()}
    write_json(folder / "result.json", {"iteration": training.iteration, "seconds": training.seconds, "test": test})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file at once: it is whole, or as it was before."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    partial.replace(path)


def _tensorboard(folder: Path | None) -> Any:
    if folder is None:
        raise InputError("--tensorboard", "has no folder to write to", "Give one with --out.")
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise InputError("--tensorboard", "needs tensorboardX", "pip install 'prosumax[tensorboard]'") from error
    return SummaryWriter(str(folder / "tensorboard"))
