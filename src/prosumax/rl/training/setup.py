"""Setup of a training run from its configuration: community, policies and episodes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms
from prosumax.rl.algorithms.base import tunable_names
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.engine.checkpoints import load_tree
from prosumax.rl.engine.evaluation import EpisodeSplit, slice_period, split_episodes
from prosumax.rl.engine.multi_agent import GroupSpec, make_setup
from prosumax.rl.engine.rollout import MultiAgentSetup, ScriptedPolicy
from prosumax.rl.engine.scripted import PriceRulePolicy, make_scripted_policy
from prosumax.rl.engine.trainer import LinearSchedule, Trainer
from prosumax.rl.env import CommunityEnv
from prosumax.rl.factory import env_config, env_params
from prosumax.rl.types import EnvParams
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.population import AgentGroupConfig
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import Profiles, read_profiles


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of a training run: the content of `training.json`.

    Attributes:
        scenario: Scenario as `dump_scenario` writes it, population included.
        iterations: Number of iterations, each of one rollout and one update.
        seeds: Number of seeds, from `first_seed`.
        first_seed: First seed.
        num_envs: Number of parallel environments per seed.
        num_steps: Number of steps of each per iteration; an episode when None.
        bootstrap_on_truncation: Whether learners bootstrap at the end of an episode.
        anneal: Final values of hyperparameters that are annealed linearly, by name.
        version: Version of prosumax.
    """

    scenario: dict[str, object]
    iterations: int
    seeds: int = 1
    first_seed: int = 0
    num_envs: int = 32
    num_steps: int | None = None
    bootstrap_on_truncation: bool = True
    anneal: Mapping[str, float] | None = None
    version: str = ""


@dataclass(frozen=True)
class TrainingSetup:
    """Environments, schedule and trainer of a training run.

    Attributes:
        config: Configuration of the run.
        scenario: Scenario.
        profiles: Profiles of the scenario.
        env: Environment over the whole period.
        agents: Community and policies.
        episodes: Training, validation and test episodes.
    """

    config: TrainingConfig
    scenario: Scenario
    profiles: Profiles
    env: CommunityEnv
    agents: MultiAgentSetup
    episodes: EpisodeSplit

    @cached_property
    def trainer(self) -> Trainer:
        """Trainer of one seed."""
        return Trainer(
            agents=self.agents,
            num_envs=self.config.num_envs,
            num_steps=self.config.num_steps or self.env.config.episode_steps,
            bootstrap_on_truncation=self.config.bootstrap_on_truncation,
        )

    @cached_property
    def schedule(self) -> LinearSchedule:
        """Hyperparameters from the first to the last iteration."""
        initial = tuple(group.config for group in self.agents.groups)
        anneal = self.config.anneal or {}
        known = dict.fromkeys(name for config in initial for name in tunable_names(config))
        for name in anneal:
            if name not in known:
                problem = f"no learner has a hyperparameter {name!r}"
                raise InputError(f"anneal: {name}", problem, did_you_mean(name, known))
        final = tuple(
            replace(
                config,
                **{name: value for name, value in anneal.items() if name in tunable_names(config)},
            )
            for config in initial
        )
        with jax.ensure_compile_time_eval():
            # The numbers become arrays here.
            schedule: LinearSchedule = jax.tree.map(
                jnp.float32,
                LinearSchedule(initial, final, float(self.config.iterations)),  # type: ignore[arg-type]
            )
        return schedule

    @cached_property
    def training_params(self) -> EnvParams:
        """Parameters of the environment over the training episodes only."""
        with jax.ensure_compile_time_eval():
            return slice_period(self.env.params, 0, self.episodes.training_steps)


def load_training_config(folder: Path) -> TrainingConfig:
    """Read the configuration of a stored run.

    Raises:
        InputError: The folder contains no training run.
    """
    path = folder / "training.json"
    if not path.is_file():
        raise InputError(
            str(folder),
            "the folder contains no training run",
            "Name a folder that `prosumax train` wrote.",
        )
    return TrainingConfig(**json.loads(path.read_text(encoding="utf-8")))


def make_training_setup(
    config: TrainingConfig, data_dir: str | Path | None = None
) -> TrainingSetup:
    """Read the data of a training run, and build its environment and policies.

    Args:
        config: Configuration of the run.
        data_dir: Folder of data sets.
    """
    scenario = load_scenario(config.scenario)
    profiles = read_profiles(scenario, data_dir)
    env = CommunityEnv(env_config(scenario), env_params(scenario, assemble(scenario, profiles)))
    length = int(env.params.community.series.hour.shape[0])
    return TrainingSetup(
        config=config,
        scenario=scenario,
        profiles=profiles,
        env=env,
        agents=_make_agents(env, scenario),
        episodes=split_episodes(length, env.config.episode_steps, env.config.start_interval),
    )


def load_learners(folder: Path, setup: TrainingSetup) -> tuple[PyTree, ...]:
    """Read the best learners of a stored run.

    Args:
        folder: Folder of the run.
        setup: Setup of the run.

    Returns:
        State of every group's learner [seed, policy, ..].

    Raises:
        InputError: The run has no stored learners, or others than its configuration describes.
    """

    def init() -> tuple[PyTree, ...]:
        keys = jax.vmap(jax.random.key)(jnp.arange(setup.config.seeds))
        init_seeds = jax.vmap(setup.trainer.init, in_axes=(0, None, None))
        return init_seeds(keys, setup.schedule, setup.training_params).learner_states

    learners: tuple[PyTree, ...] = load_tree(folder / "policies.npz", jax.eval_shape(init))
    return learners


def make_evaluation_setup(
    scenario: Scenario, seeds: int, config: TrainingConfig | None = None
) -> TrainingSetup:
    """Build a setup to evaluate policies on a scenario, learned or not.

    Args:
        scenario: Scenario.
        seeds: Number of seeds of every policy.
        config: Configuration of the learners to be evaluated; when None, PPO that is not trained.
    """
    if config is None:
        populated = fill_population(scenario, "ppo", "dtde", {})
        config = TrainingConfig(populated.model_dump(mode="json"), iterations=1, seeds=seeds)
    return make_training_setup(config)


def _make_agents(env: CommunityEnv, scenario: Scenario) -> MultiAgentSetup:
    """Build the learning groups and scripted policies of a scenario's population."""
    names = [home.name for home in scenario.homes]
    named = _named_homes(entry.homes for entry in scenario.population)
    groups: list[GroupSpec] = []
    rules: list[tuple[str, tuple[int, ...]]] = []
    controlled: set[int] = set()
    for number, entry in enumerate(scenario.population):
        where = f"population.{number}"
        label = _label(entry.policy, number, scenario)
        if entry.homes is None:
            agents = _price_agents(env, entry, f"{where}.price_agents")
            algorithms.check(entry.policy, f"{where}.policy")
            label = f"{label}-prices"
        else:
            homes = entry.homes
            if homes == "others":
                homes = [name for name in names if name not in named]
            agents = tuple(sorted(names.index(name) for name in homes))
        controlled |= set(agents)
        if entry.policy in algorithms:
            groups.append(GroupSpec(label, agents, entry.policy, entry.paradigm, entry.settings))
        elif agents:
            rules.append((entry.policy, agents))
    for number, home in enumerate(scenario.homes):
        if number not in controlled:
            rules.append((home.policy or scenario.policy, (number,)))
    if not groups:
        raise InputError(
            "population",
            "no entry of the population learns",
            f"Set the policy of one to an algorithm: {', '.join(algorithms)}.",
        )
    scripted: list[ScriptedPolicy] = [
        make_scripted_policy(env, agents, policy, "population")
        for policy, agents in _merge_rules(rules).items()
    ]
    price_rule_agents = tuple(
        agent for agent in range(env.num_homes, env.num_agents) if agent not in controlled
    )
    if price_rule_agents:
        scripted.append(PriceRulePolicy(price_rule_agents))
    return make_setup(env, groups, scripted)


def _named_homes(homes: Iterable[object]) -> set[str]:
    """Return the homes that the entries of a population name."""
    return {name for names in homes if isinstance(names, list) for name in names}


def _merge_rules(rules: list[tuple[str, tuple[int, ...]]]) -> dict[str, tuple[int, ...]]:
    """Merge the homes that follow the same rule."""
    merged: dict[str, tuple[int, ...]] = {}
    for policy, agents in rules:
        merged[policy] = tuple(sorted((*merged.get(policy, ()), *agents)))
    return merged


def _price_agents(env: CommunityEnv, entry: AgentGroupConfig, where: str) -> tuple[int, ...]:
    """Return the indices of the price agents that an entry names."""
    known = env.config.price_agents
    if not known:
        raise InputError(
            where,
            "the market mechanism has no price agents",
            "Set market.mechanism to learned_price, microgrids or hierarchy.",
        )
    names = known if entry.price_agents == "all" else tuple(entry.price_agents or ())
    for name in names:
        if name not in known:
            raise InputError(where, f"there is no price agent {name!r}", did_you_mean(name, known))
    return tuple(sorted(env.num_homes + known.index(name) for name in names))


def _label(policy: str, number: int, scenario: Scenario) -> str:
    count = sum(entry.policy == policy for entry in scenario.population)
    return f"{policy}-{number + 1}" if count > 1 else policy


def fill_population(
    scenario: Scenario, algorithm: str | None, paradigm: str, settings: Mapping[str, object]
) -> Scenario:
    """Return the scenario with its population filled in, and its rewards applied to the agents.

    Without a population all homes learn. Where the mechanism has price agents, these learn, and
    homes only if an algorithm is named.

    Args:
        scenario: Scenario.
        algorithm: Algorithm of all agents, in place of the scenario's population.
        paradigm: Paradigm of the algorithm.
        settings: Settings of the algorithm.

    Raises:
        InputError: There is no such algorithm.
    """
    population = [entry.model_dump(mode="json") for entry in scenario.population]
    if algorithm is not None or not population:
        mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
        learner = {
            "policy": algorithm or "ppo",
            "paradigm": paradigm,
            "settings": dict(settings),
        }
        algorithms.check(algorithm or "ppo", "algorithm")
        population = []
        if mechanism.has_price_agents:
            population.append({"price_agents": "all"} | learner)
        if algorithm is not None or not mechanism.has_price_agents:
            population.append({"homes": "others"} | learner)
    named = _named_homes(entry.get("homes") for entry in population)
    home_rewards: dict[str, dict[str, float]] = {}
    changes: dict[str, PyTree] = {"population": population}
    for entry in population:
        rewards = entry.get("rewards")
        if rewards is None:
            continue
        weights = {rewards: 1.0} if isinstance(rewards, str) else rewards
        if entry.get("price_agents") == "all":
            changes["environment.price_rewards"] = weights
        elif entry.get("price_agents") is not None:
            agent_rewards = changes.setdefault(
                "environment.price_agent_rewards", dict(scenario.environment.price_agent_rewards)
            )
            agent_rewards |= dict.fromkeys(entry["price_agents"], weights)
        else:
            homes = entry["homes"]
            if homes == "others":
                homes = [home.name for home in scenario.homes if home.name not in named]
            home_rewards |= dict.fromkeys(homes, weights)
    for number, home in enumerate(scenario.homes):
        if home.name in home_rewards:
            changes[f"homes.{number}.rewards"] = home_rewards[home.name]
    return load_scenario(scenario, changes)
