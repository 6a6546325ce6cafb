"""What a training run needs, from what was asked for: the community, the players, the days."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.engine.checkpoints import load_tree
from prosumax.rl.engine.evaluation import Split, between, split
from prosumax.rl.engine.multi_agent import Part, make_game
from prosumax.rl.engine.rollout import Game
from prosumax.rl.engine.scripted import PriceScript, script
from prosumax.rl.engine.trainer import Schedule, Trainer
from prosumax.rl.env import CommunityEnv
from prosumax.rl.make import env_config, env_params
from prosumax.rl.types import EnvParams, TimeStep
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.population import Members
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import Profiles, read_profiles


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
                    f"anneal: {name}",
                    "is no hyper-parameter of any learner here",
                    "See docs/learning.md.",
                )
        last = tuple(
            hp._replace(**{name: value for name, value in ends.items() if name in hp._fields})
            for hp in first
        )
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


def read_plan(folder: Path) -> Plan:
    """What a stored run was asked for.

    Raises:
        InputError: there is none.
    """
    path = folder / "training.json"
    if not path.is_file():
        raise InputError(
            str(folder), "holds no training run", "Name a folder that `prosumax train` wrote."
        )
    return Plan(**json.loads(path.read_text(encoding="utf-8")))


def stage_of(plan: Plan, data_dir: str | Path | None = None) -> Stage:
    """Read what a plan needs."""
    scenario = load_scenario(plan.scenario)
    profiles = read_profiles(scenario, data_dir)
    env = CommunityEnv(env_config(scenario), env_params(scenario, assemble(scenario, profiles)))
    config = env.config
    length = int(env.params.community.series.hour.shape[0])
    return Stage(
        plan,
        scenario,
        profiles,
        env,
        _game(env, scenario),
        split(length, config.steps, config.start_every),
    )


def read_learners(folder: Path, stage: Stage) -> tuple[Any, ...]:
    """The best learners of a stored run [seed, group, ..].

    Raises:
        InputError: the run has stored none, or others than its plan says.
    """

    def like() -> tuple[Any, ...]:
        keys = jax.vmap(jax.random.key)(jnp.arange(stage.plan.seeds))
        return jax.vmap(stage.trainer.init, in_axes=(0, None, None))(
            keys, stage.schedule, stage.training_params
        ).learners

    learners: tuple[Any, ...] = load_tree(folder / "policies.npz", jax.eval_shape(like))
    return learners


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


def _game(env: CommunityEnv, scenario: Scenario) -> Game:
    """Learners and rule-following homes as the scenario's population says."""
    names = [home.name for home in scenario.homes]
    named = {
        name for part in scenario.population if isinstance(part.homes, list) for name in part.homes
    }
    parts, rules, seen = [], {}, set()
    for number, entry in enumerate(scenario.population):
        where = f"population[{number}].policy"
        if entry.homes is None:
            setters = _price_agents(env, entry, f"population[{number}].prices")
            algorithms.check(entry.policy, where)
            label = f"{_label(entry.policy, number, scenario)}-prices"
            parts.append(Part(label, setters, entry.policy, entry.paradigm, entry.settings))
            seen |= set(setters)
            continue
        own = (
            [name for name in names if name not in named]
            if entry.homes == "others"
            else entry.homes
        )
        homes = tuple(sorted(names.index(name) for name in own))
        seen |= set(homes)
        if entry.policy in algorithms:
            parts.append(
                Part(
                    _label(entry.policy, number, scenario),
                    homes,
                    entry.policy,
                    entry.paradigm,
                    entry.settings,
                )
            )
        elif homes:
            rules[where] = (homes, entry.policy)
    for number, home in enumerate(scenario.homes):
        if number not in seen:
            rules[f"homes[{number}].policy"] = ((number,), home.policy or scenario.policy)
    if not parts:
        raise InputError(
            "population", "has no learner", f"Name an algorithm: {', '.join(algorithms)}."
        )
    together: dict[str, tuple[int, ...]] = {}
    for homes, policy in rules.values():
        together[policy] = tuple(sorted((*together.get(policy, ()), *homes)))
    scripts: list[Any] = [
        script(env, homes, policy, "population") for policy, homes in together.items()
    ]
    if silent := tuple(at for at in range(env.num_homes, env.num_agents) if at not in seen):
        scripts.append(PriceScript(silent))
    return make_game(env, parts, scripts)


def _price_agents(env: CommunityEnv, entry: Members, where: str) -> tuple[int, ...]:
    """Numbers of the price agents that an entry names."""
    known = env.config.price_agents
    if not known:
        cure = "Set market.mechanism to learned_price, microgrids or hierarchy."
        raise InputError(where, "names price agents, and the mechanism has none", cure)
    wanted = known if entry.prices == "all" else tuple(entry.prices or ())
    for name in wanted:
        if name not in known:
            raise InputError(where, f"there is no price agent {name!r}", did_you_mean(name, known))
    return tuple(sorted(env.num_homes + known.index(name) for name in wanted))


def _label(policy: str, number: int, scenario: Scenario) -> str:
    alike = sum(entry.policy == policy for entry in scenario.population) > 1
    return f"{policy}-{number + 1}" if alike else policy


def populated(
    scenario: Scenario, algorithm: str | None, paradigm: str, settings: Mapping[str, Any]
) -> Scenario:
    """The scenario with its population filled in, and goals as rewards of homes and price agents.

    Without any population all homes learn. Where there are price agents they learn too, and homes only if an algorithm
    is named.
    """
    population: list[dict[str, Any]] = [
        part.model_dump(mode="json") for part in scenario.population
    ]
    if algorithm is not None or not population:
        mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
        how: dict[str, Any] = {
            "policy": algorithm or "ppo",
            "paradigm": paradigm,
            "settings": dict(settings),
        }
        algorithms.check(how["policy"], "algorithm")
        population = [{"prices": "all"} | how] if mechanism.has_agents else []
        population += (
            [] if mechanism.has_agents and algorithm is None else [{"homes": "others"} | how]
        )
    named = {
        name for part in population if isinstance(part.get("homes"), list) for name in part["homes"]
    }
    rewards: dict[str, dict[str, float]] = {}
    changes: dict[str, Any] = {"population": population}
    for part in population:
        goal = part.get("goal")
        if goal is None:
            continue
        weights = {goal: 1.0} if isinstance(goal, str) else goal
        if part.get("prices") == "all":
            changes["environment.price_goal"] = weights
            continue
        if part.get("prices") is not None:
            goals = changes.setdefault(
                "environment.price_goals", dict(scenario.environment.price_goals)
            )
            goals |= dict.fromkeys(part["prices"], weights)
            continue
        own = (
            part["homes"]
            if part["homes"] != "others"
            else [h.name for h in scenario.homes if h.name not in named]
        )
        rewards |= dict.fromkeys(own, weights)
    for number, home in enumerate(scenario.homes):
        if home.name in rewards:
            changes[f"homes.{number}.rewards"] = rewards[home.name]
    return load_scenario(scenario, changes)


def _watch(step: TimeStep) -> Any:
    return ()
