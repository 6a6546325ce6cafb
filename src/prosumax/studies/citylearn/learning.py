"""A shared policy on CityLearn's homes beside CityLearn's controllers, on unseen months."""

from collections.abc import Mapping, Sequence
from typing import cast

from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.comparison import evaluate_baselines, evaluate_learned
from prosumax.rl.training.policies import transfer_learners
from prosumax.rl.training.setup import make_evaluation_setup
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import Study, StudyProgress, Variant, mapping_metric, studies
from prosumax.studies.learning import RANDOM_POLICY, LearnerSettings, train_learner

TRAINING_HOURS = 6552
"""Hours to the end of April, the first nine months of the data."""

TEST_HOURS = 2208
"""Hours of the last three months of the data."""

_SCENARIO: dict[str, object] = {
    "tariff.feed_in": 0.0,  # CityLearn pays nothing for exports.
    "environment.observations": ["hour", "emission_factor", "retail", "load", "solar", "soc"],
    "environment.rewards": {"cost": 1.0, "emissions": 1.0},
    "environment.episode_steps": 168,
    "environment.episode_start": "random_day",
}
_RULES = (
    "citylearn-basic-rbc",
    "citylearn-optimized-rbc",
    "none",
    RANDOM_POLICY,
    "self-consumption",
)


def citylearn_runs(
    settings: Mapping[str, object], seeds: Sequence[int], on_progress: StudyProgress
) -> list[dict[str, float]]:
    """Evaluate a controller over the last three months of CityLearn's year, per seed.

    Learners are trained on weeks of the first nine months; the test is one episode.

    Args:
        settings: As in `studies.learning.learning_runs`, without a preset.
        seeds: Seeds of the learners.
        on_progress: Called with the completed share.

    Returns:
        Test metrics of each seed.
    """
    count = len(seeds)
    controller = cast(LearnerSettings, settings)["controller"]
    test = load_scenario("citylearn-2022", _SCENARIO | last_quarter())
    if controller in algorithms:
        own = {**settings, **_SCENARIO, "preset": "citylearn-2022", "period.steps": TRAINING_HOURS}
        result = train_learner(own, count, on_progress)
        setup = make_evaluation_setup(load_scenario(result.config.scenario), count, result.config)
        transferred = transfer_learners(setup, result.learners, test, episode_steps=TEST_HOURS)
        metrics = evaluate_learned(*transferred)
    else:
        episode = {"environment.episode_steps": TEST_HOURS, "environment.episode_start": "first"}
        rules = (controller,) if controller in _RULES else ()
        setup = make_evaluation_setup(load_scenario(test, episode), count)
        metrics = evaluate_baselines(setup, rules)[controller]
    return [
        {name: float(values[position]) for name, values in metrics.items()}
        for position in range(count)
    ]


def last_quarter() -> dict[str, object]:
    """Return the changes to `citylearn-2022` that leave the last three months of its year."""
    homes = ("homes.*.load", "homes.*.solar")
    tariff = ("tariff.energy", "tariff.emission_factor_kg_per_kwh")
    skipped = {f"{path}.skip_rows": TRAINING_HOURS for path in (*homes, *tariff)}
    return skipped | {"period.start": "2017-04-30T23:00", "period.steps": TEST_HOURS}


def _make_study() -> Study:
    learner = {
        "controller": "ppo",
        "paradigm": "dtde-shared",
        "iterations": 300,
        "settings": {"learning_rate": 1e-3, "critic_learning_rate": 2e-3, "ent_coef": 0.01},
        "anneal": {"ent_coef": 0.0, "learning_rate": 1e-4},
    }
    rules = [Variant("rules", name, {"controller": name}) for name in (*_RULES, "optimal")]
    metrics = (
        mapping_metric("episode.cost", digits=1),
        mapping_metric("episode.emissions_kg"),
        mapping_metric("episode.objective", digits=1),
        mapping_metric("episode.grid_import_kwh"),
    )
    notes = (
        "Last three months of the year, 2208 hours as one episode; learned on the first nine, in"
        " episodes of a week.",
        "The reward is the negative of the bill and of the emissions in kg; exports earn nothing,"
        " as in CityLearn.",
    )
    variants = (*rules, Variant("learned", "ppo shared", learner))
    return Study(variants, None, metrics, notes, citylearn_runs, currency="$")


studies.register(
    "citylearn-learning",
    "Shared PPO on CityLearn's homes against its controllers, on unseen months.",
)(_make_study())
