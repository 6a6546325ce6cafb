"""A learned price beside other rules, on the street and on CityLearn's homes: cost, self-consumption, fairness.

Price agents learn on some months and are judged on the month or quarter after them, in one go.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from prosumax.control.rules import assemble_policy
from prosumax.optimization.gap import summarize_with_optimality
from prosumax.rl.training.price_policies import price_policy
from prosumax.rl.training.setup import stage_of
from prosumax.rl.training.training import Training, train
from prosumax.runner import run
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.build import assemble
from prosumax.simulation.inputs import read_profiles
from prosumax.simulation.results.result import Result
from prosumax.simulation.rollout import simulate
from prosumax.studies.engine import Figure, Study, Tell, Variant, kpi, studies
from prosumax.studies.learning import last_months

_STREET: dict[str, Any] = {"period.start": "2023-04-01T00:00", "period.steps": 8736}
_JULY: dict[str, Any] = {"period.start": "2023-07-01T00:00", "period.steps": 2976}
_CITYLEARN: dict[str, Any] = {"period.steps": 6552}

WHERE: dict[str, dict[str, Any]] = {
    "street": {
        "learned on": _STREET | {"environment.episode_steps": 672},
        "judged on": _JULY,
        "steps": 96,
    },
    "citylearn-2022": {
        "learned on": _CITYLEARN | {"environment.episode_steps": 168},
        "judged on": last_months(),
        "steps": 168,
    },
}
"""Months that are learned from in weeks, and those after them."""

_SETTINGS = {"learning_rate": 1e-3, "critic_learning_rate": 2e-3, "entropy": 0.0}
_OWN = ("preset", "goal", "iterations")


def price_runs(settings: Mapping[str, Any], seeds: Sequence[int], tell: Tell) -> list[Result]:
    """The months that are judged, under a rule or under learned prices, per seed.

    Arguments:
        settings: `preset`, one of `WHERE`; for learned prices `goal` and `iterations`; changes to the scenario.
        seeds: of the learners; rules have one result for all.
        tell: called with the share done.
    """
    where = WHERE[settings["preset"]]
    changes = {name: value for name, value in settings.items() if name not in _OWN}
    if "goal" not in settings:
        return [run(settings["preset"], where["judged on"] | changes, optimum=False)] * len(seeds)
    done = train(
        settings["preset"],
        where["learned on"] | changes | {"environment.price_goal": settings["goal"]},
        settings=_SETTINGS,
        iterations=settings["iterations"],
        environments=16,
        steps=where["steps"],
        seeds=len(seeds),
        judged="no",
        on_progress=lambda now: tell(now.iteration / now.iterations),
    )
    return _played(done, where["judged on"] | changes, settings["preset"])


def _played(done: Training, changes: Mapping[str, Any], preset: str) -> list[Result]:
    """Other months of the same homes, at the prices that each seed learned."""
    scenario, stage = load_scenario(preset, changes), stage_of(done.plan)
    profiles = read_profiles(scenario)
    community = assemble(scenario, profiles)
    assert community.pricing is not None
    homes = assemble_policy([home.policy or scenario.policy for home in scenario.homes])
    first, results = price_policy(stage, done.learners, 0), []
    for seed in range(done.plan.seeds):
        # The same function with the numbers of another seed, so that one program serves all.
        policy = jax.tree.unflatten(
            jax.tree.structure(first), jax.tree.leaves(price_policy(stage, done.learners, seed))
        )
        playing = community._replace(pricing=community.pricing._replace(policy=policy))
        trajectory, _, _ = simulate(playing, homes, scenario.seed)
        results.append(summarize_with_optimality(scenario, profiles, playing, trajectory, {}))
    return results


def _price(found: Result) -> float:
    """Mean price of local energy, weighted by energy."""
    local: Any = found.trajectory.record.local
    kwh = np.asarray(local.bought_kwh, np.float64).sum()
    return float(np.asarray(local.paid, np.float64).sum() / kwh) if kwh > 0 else float("nan")


def _study() -> Study:
    rules = (
        ("no exchange", "none", "self-consumption"),
        ("mid-market rate", "mid_market_rate", "self-consumption"),
        ("k-double auction", "double_auction", "self-consumption"),
        ("announced middle, homes react", "price_mid_market", "price-aware"),
        ("announced feedback, homes react", "price_feedback", "price-aware"),
    )
    learned = (
        ("learned for cost, homes react", "price-aware", {"community_cost": 1.0}),
        ("learned for fairness", "self-consumption", {"fairness": 1.0}),
    )
    variants = []
    for preset in WHERE:
        own = {"preset": preset, "homes.*.policy": None}
        for name, mechanism, policy in rules:
            variants.append(
                Variant(preset, name, own | {"market.mechanism": mechanism, "policy": policy})
            )
        for name, policy, goal in learned:
            what = {
                "market.mechanism": "learned_price",
                "policy": policy,
                "goal": goal,
                "iterations": 100,
            }
            variants.append(Variant(preset, name, own | what))
    figures = {
        "cost": Figure("All bills", kpi("cost"), 2),
        "self_consumption": Figure("Self-consumption, %", kpi("self_consumption", 100), 2),
        "emissions": Figure("Emissions, kg", kpi("emissions_kg"), 1),
        "gini": Figure("Gini of savings", kpi("gini"), 3),
        "worst": Figure(
            "Least saving of a home",
            lambda found: min(home["saving"] for home in found.households),
            2,
        ),
        "price": Figure("Mean local price", _price, 3),
        "traded": Figure("Traded locally, kWh", kpi("traded_kwh"), 1),
    }
    notes = (
        "Street: prices learned on April to June in weeks, judged on July 2023. CityLearn 2022: learned on the first"
        " nine months, judged on the last three.",
        "Homes that react follow policy price-aware; without an announced price that is self-consumption.",
        "PPO, 100 iterations of 16 copies. Seeds are those of the learners; rules have no spread.",
    )
    return Study(tuple(variants), None, figures, notes, price_runs)


studies.register(
    "learned-price",
    "A price that an agent learned, against no exchange, mid-market rate and auction.",
)(_study())
