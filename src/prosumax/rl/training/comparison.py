"""Comparison of learned policies with rules and the optimum on test episodes."""

import importlib.util
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree
from numpy.typing import NDArray

from prosumax.optimization.planning import plan_community, plan_individual
from prosumax.optimization.problem import build_problem, community_cost, individual_cost
from prosumax.rl.engine.compilation import jit_program
from prosumax.rl.engine.evaluation import EpisodeMetrics, evaluate_episodes, with_fixed_start
from prosumax.rl.engine.multi_agent import make_setup
from prosumax.rl.engine.parallel_seeds import group_seeds, map_parallel, map_seeds
from prosumax.rl.engine.rollout import MultiAgentSetup
from prosumax.rl.engine.scripted import PriceRulePolicy, make_scripted_policy
from prosumax.rl.env import CommunityEnv
from prosumax.rl.training.setup import TrainingSetup
from prosumax.rl.types import EnvParams


def local_trade_share(episodes: EpisodeMetrics) -> Float[Array, ""]:
    """Return the share of local trade in all energy traded."""
    local = episodes.local_bought_kwh.sum()
    grid = episodes.grid_import_kwh.sum() + episodes.grid_export_kwh.sum()
    return local / jnp.maximum(local + grid, 1e-9)


def community_metrics(
    episodes: EpisodeMetrics, carbon_price_per_kg: float = 0.0
) -> dict[str, Array]:
    """Compute means over episodes of the community's metrics; rewards are means over homes.

    Args:
        episodes: Metrics of every episode and home, from `evaluate_episodes`.
        carbon_price_per_kg: Price of emissions in the scenario's objective.
    """
    emission_cost: Array | float = 0.0
    if carbon_price_per_kg:
        emission_cost = carbon_price_per_kg * jnp.nan_to_num(episodes.emissions_kg)
    return {
        "reward": episodes.reward.mean(),
        "objective": (episodes.bill + emission_cost).sum(-1).mean(),
        "cost": episodes.bill.sum(-1).mean(),
        "emissions_kg": episodes.emissions_kg.sum(-1).mean(),
        "welfare": episodes.welfare.sum(-1).mean(),
        "p2p_share": local_trade_share(episodes),
        "imbalance": episodes.imbalance.mean(),
        "grid_import_kwh": episodes.grid_import_kwh.sum(-1).mean(),
    }


TEST_METRICS = (
    "reward",
    "objective",
    "cost",
    "emissions_kg",
    "welfare",
    "p2p_share",
    "imbalance",
    "grid_import_kwh",
)
"""Metrics of test episodes; the KPI catalog describes them under `episode.`."""


SeedMetrics = dict[str, NDArray[np.float64]]
"""Values of each metric [seed]."""


Evaluator = jax.stages.Wrapped
"""Compiled function of the seeds of one call (learner states, configs and key of each), the first
steps of the episodes and the parameters of the environment, which returns metrics per seed."""


def evaluate_all(setup: TrainingSetup, learners: tuple[PyTree, ...]) -> dict[str, SeedMetrics]:
    """Evaluate the learned policies (`learned`), rules and the optimum on the test episodes.

    Args:
        setup: Setup with the test episodes.
        learners: State of every group's learner [seed, policy, ..].

    Returns:
        Metrics by policy.
    """
    return {"learned": evaluate_learned(setup, learners)} | evaluate_baselines(setup)


def evaluate_learned(
    setup: TrainingSetup, learners: tuple[PyTree, ...], evaluator: Evaluator | None = None
) -> SeedMetrics:
    """Evaluate the learned policies on the test episodes.

    Args:
        setup: Setup with the test episodes.
        learners: State of every group's learner [seed, policy, ..].
        evaluator: Evaluator of the setup's agents, where it exists already.
    """
    return _evaluate_seeds(setup, evaluator or make_evaluator(setup, setup.agents), learners)


def evaluate_baselines(
    setup: TrainingSetup, rules: Sequence[str] | None = None
) -> dict[str, SeedMetrics]:
    """Evaluate rules and the optimum on the test episodes.

    Args:
        setup: Setup with the test episodes.
        rules: Names of rules; those of `baseline_rules` when None. Where only prices are learned,
            the baseline is the scenario's price rule instead.

    Returns:
        Metrics by policy.
    """
    env = setup.env
    homes = tuple(range(env.num_homes))
    price_agents = tuple(range(env.num_homes, env.num_agents))
    price_rules = (PriceRulePolicy(price_agents),) if price_agents else ()
    learns_homes = any(set(group.agent_indices) & set(homes) for group in setup.agents.groups)
    baselines: dict[str, MultiAgentSetup] = {}
    if price_agents and not learns_homes:
        scripted = [
            policy for policy in setup.agents.scripted if not isinstance(policy, PriceRulePolicy)
        ]
        name = f"{setup.scenario.market.price_policy} price"
        baselines[name] = make_setup(setup.agents.env, (), (*scripted, *price_rules))
        rules = rules or ()
    for name in baseline_rules(env) if rules is None else rules:
        policy = make_scripted_policy(env, homes, name, "baseline")
        baselines[name] = make_setup(setup.agents.env, (), (policy, *price_rules))
    # Each baseline is a program of its own, whose compilation takes longer than its episodes.
    results = map_parallel(
        lambda agents: _evaluate_seeds(setup, make_evaluator(setup, agents), ()),
        list(baselines.values()),
    )
    optima = evaluate_optima(setup, setup.episodes.test)
    return dict(zip(baselines, results, strict=True)) | optima


def make_evaluator(setup: TrainingSetup, agents: MultiAgentSetup) -> Evaluator:
    """Compile the evaluation of policies: `community_metrics`, and the `score` of learners.

    Args:
        setup: Setup with the environment.
        agents: Community and policies.
    """
    agents = with_fixed_start(agents, setup.env.config.episode_steps)
    learning = sorted(agent for group in agents.groups for agent in group.agent_indices)
    carbon_price_per_kg = setup.scenario.objective.carbon_price_per_kg

    def evaluate(
        seed: PyTree, first_steps: Int[Array, " episode"], params: EnvParams
    ) -> dict[str, Array]:
        states, configs, key = seed
        episodes = evaluate_episodes(agents, states, configs, params, first_steps, key)
        metrics = community_metrics(episodes, carbon_price_per_kg)
        if learning:
            metrics["score"] = episodes.reward[..., jnp.array(learning)].mean()
        return metrics

    return jit_program(
        lambda seeds, first_steps, params: map_seeds(
            lambda seed: evaluate(seed, first_steps, params), seeds
        )
    )


def _evaluate_seeds(
    setup: TrainingSetup, evaluator: Evaluator, learners: tuple[PyTree, ...]
) -> SeedMetrics:
    """Evaluate every seed on the test episodes."""
    learners = jax.tree.map(np.asarray, learners)
    configs = setup.schedule.final[: len(learners)]
    inputs = [
        (
            jax.tree.map(lambda leaf, seed=seed: leaf[seed], learners),
            configs,
            jax.random.key(setup.config.first_seed + seed),
        )
        for seed in range(setup.config.seeds)
    ]
    first_steps = jnp.asarray(setup.episodes.test)
    results = map_parallel(
        lambda seeds: evaluator(seeds, first_steps, setup.env.params), group_seeds(inputs)
    )
    by_seed = [metrics for seeds in results for metrics in seeds]
    return {name: np.array([float(metrics[name]) for metrics in by_seed]) for name in TEST_METRICS}


def evaluate_optima(setup: TrainingSetup, first_steps: NDArray[np.int64]) -> dict[str, SeedMetrics]:
    """Compute the mean `objective` of each home's own optimum and of the community's.

    Optimal plans trade on no market, so they have no other metric; network fees are not included.

    Args:
        setup: Setup with the environment.
        first_steps: First steps of the episodes.

    Returns:
        Metrics by policy; empty where the solver is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("linopy", "highspy")):
        return {}
    episode_steps = setup.env.config.episode_steps
    period = build_problem(setup.scenario, setup.profiles, setup.env.params.community)
    problems = [period.select_steps(int(step), int(step) + episode_steps) for step in first_steps]
    individual = [
        float(individual_cost(problem, plan_individual(problem).net_kwh).sum())
        for problem in problems
    ]
    community = [community_cost(problem, plan_community(problem).net_kwh) for problem in problems]
    means = {"optimal": np.mean(individual), "community-optimal": np.mean(community)}
    return {name: {"objective": np.full(setup.config.seeds, mean)} for name, mean in means.items()}


def baseline_rules(env: CommunityEnv) -> tuple[str, ...]:
    """Return the names of the rules that learners are compared with."""
    if env.config.action_mode == "bid":
        return ("marlem-zero-intelligence", "zero-intelligence", "truthful", "self-consumption")
    return ("zero-intelligence", "none", "self-consumption")
