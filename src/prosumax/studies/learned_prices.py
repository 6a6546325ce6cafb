"""A learned local price beside other mechanisms: cost, self-consumption and fairness.

The homes are those of the street and of CityLearn. Price agents learn on some months and are
evaluated on the month or quarter after them, as one episode.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Required, TypedDict, cast

import jax

from prosumax.control.rules import assemble_policy
from prosumax.optimization.gap import summarize_with_optimality
from prosumax.rl.training.price_policies import make_price_policy
from prosumax.rl.training.setup import make_training_setup
from prosumax.rl.training.training import TrainingProgress, TrainingResult, train
from prosumax.runner import run
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.community import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import simulate
from prosumax.studies.citylearn.learning import TRAINING_HOURS, last_quarter
from prosumax.studies.engine import Study, StudyProgress, Variant, kpi_metric, studies


class EvaluationPeriod(NamedTuple):
    """Months that price agents learn on and months that they are evaluated on.

    Attributes:
        training: Changes to the preset for training.
        test: Changes to the preset for the evaluation.
        num_steps: Steps of a rollout in training.
    """

    training: Mapping[str, object]
    test: Mapping[str, object]
    num_steps: int


EVALUATION_PERIODS = {
    "street": EvaluationPeriod(
        training={
            "period.start": "2023-04-01T00:00",
            "period.steps": 8736,
            "environment.episode_steps": 672,
        },
        test={"period.start": "2023-07-01T00:00", "period.steps": 2976},
        num_steps=96,
    ),
    "citylearn-2022": EvaluationPeriod(
        training={"period.steps": TRAINING_HOURS, "environment.episode_steps": 168},
        test=last_quarter(),
        num_steps=168,
    ),
}
"""Preset -> months; training episodes are weeks."""

_PPO_SETTINGS = {"learning_rate": 1e-3, "critic_learning_rate": 2e-3, "ent_coef": 0.0}
_ITERATIONS = 100


class _Settings(TypedDict, total=False):
    """Settings of a run beside the changes to the scenario; see `price_runs`."""

    preset: Required[str]
    price_rewards: object
    iterations: int


def price_runs(
    settings: Mapping[str, object], seeds: Sequence[int], on_progress: StudyProgress
) -> list[Result]:
    """Simulate the test months under a mechanism or under learned prices, per seed.

    Args:
        settings: `preset`, one of `EVALUATION_PERIODS`; for learned prices `price_rewards` and
            `iterations`; changes to the scenario.
        seeds: Seeds of the learners; mechanisms have one result for all.
        on_progress: Called with the completed share.
    """
    own = cast(_Settings, settings)
    preset = own["preset"]
    period = EVALUATION_PERIODS[preset]
    changes = {
        path: value for path, value in settings.items() if path not in _Settings.__annotations__
    }
    test = {**period.test, **changes}
    if "price_rewards" not in settings:
        return [run(preset, test, optimum=False)] * len(seeds)

    def report(progress: TrainingProgress) -> None:
        on_progress(progress.iteration / progress.iterations)

    rewards = {"environment.price_rewards": settings["price_rewards"]}
    result = train(
        preset,
        {**period.training, **changes, **rewards},
        settings=_PPO_SETTINGS,
        iterations=own["iterations"],
        num_envs=16,
        num_steps=period.num_steps,
        seeds=len(seeds),
        evaluation="none",
        on_progress=report,
    )
    return _simulate_learned_prices(result, test, preset)


def _simulate_learned_prices(
    result: TrainingResult, test: Mapping[str, object], preset: str
) -> list[Result]:
    """Simulate the test months of the same homes at the prices that each seed learned."""
    scenario = load_scenario(preset, test)
    setup = make_training_setup(result.config)
    profiles = read_profiles(scenario)
    community = assemble(scenario, profiles)
    assert community.pricing is not None
    homes = assemble_policy([home.policy or scenario.policy for home in scenario.homes])
    # All seeds share the structure of the first policy, so that one compiled program serves all.
    structure = jax.tree.structure(make_price_policy(setup, result.learners, 0))
    results = []
    for seed in range(result.config.seeds):
        leaves = jax.tree.leaves(make_price_policy(setup, result.learners, seed))
        policy = jax.tree.unflatten(structure, leaves)
        priced = community._replace(pricing=community.pricing._replace(policy=policy))
        trajectory, _, _ = simulate(priced, homes, scenario.seed)
        results.append(summarize_with_optimality(scenario, profiles, priced, trajectory, {}))
    return results


def _make_study() -> Study:
    mechanisms = (
        ("no exchange", "none", "self-consumption"),
        ("mid-market rate", "mid_market_rate", "self-consumption"),
        ("k-double auction", "double_auction", "self-consumption"),
        ("posted mid-market price, homes react", "price_mid_market", "price-aware"),
        ("posted feedback price, homes react", "price_feedback", "price-aware"),
    )
    learned = (
        ("learned for cost, homes react", "price-aware", {"community_cost": 1.0}),
        ("learned for fairness", "self-consumption", {"fairness": 1.0}),
    )
    variants = []
    for preset in EVALUATION_PERIODS:
        own: dict[str, object] = {"preset": preset, "homes.*.policy": None}
        for name, mechanism, policy in mechanisms:
            settings = own | {"market.mechanism": mechanism, "policy": policy}
            variants.append(Variant(preset, name, settings))
        for name, policy, rewards in learned:
            settings = own | {
                "market.mechanism": "learned_price",
                "policy": policy,
                "price_rewards": rewards,
                "iterations": _ITERATIONS,
            }
            variants.append(Variant(preset, name, settings))
    metrics = (
        kpi_metric("cost"),
        kpi_metric("self_consumption", digits=2),
        kpi_metric("emissions_kg"),
        kpi_metric("gini"),
        kpi_metric("lowest_saving"),
        kpi_metric("mean_price"),
        kpi_metric("traded_kwh", digits=1),
    )
    notes = (
        "Street: prices learned on April to June in weeks, evaluated on July 2023. CityLearn 2022:"
        " learned on the first nine months, evaluated on the last three.",
        "Homes that react follow policy price-aware; without a posted price that is"
        " self-consumption.",
        "PPO, 100 iterations of 16 environments. Seeds are those of the learners; mechanisms have"
        " no spread.",
    )
    return Study(tuple(variants), None, metrics, notes, price_runs)


studies.register(
    "learned-price",
    "A learned price against no exchange, mid-market rate and auction.",
)(_make_study())
