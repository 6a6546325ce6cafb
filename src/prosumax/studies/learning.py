"""Runs of learning studies: trained policies, rules and optima on the same test episodes.

All seeds of a learner are trained at once. Every controller is evaluated on the same test episodes,
which no learner was trained on.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Required, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.comparison import evaluate_baselines
from prosumax.rl.training.setup import make_evaluation_setup
from prosumax.rl.training.training import TrainingProgress, TrainingResult, train
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import StudyProgress

ControllerMetrics = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Controller -> metric -> values [seed]."""

RANDOM_POLICY = "zero-intelligence"
OPTIMAL_POLICY = "community-optimal"


class LearnerSettings(TypedDict, total=False):
    """Settings of a controller beside the changes to the scenario; see `learning_runs`."""

    preset: Required[str]
    controller: Required[str]
    paradigm: str
    iterations: Required[int]
    settings: Mapping[str, object]
    anneal: Mapping[str, float]
    num_envs: int
    bootstrap_on_truncation: bool


def learning_runs(
    settings: Mapping[str, object], seeds: Sequence[int], on_progress: StudyProgress
) -> list[dict[str, float]]:
    """Evaluate one controller on the test episodes, per seed.

    Args:
        settings: `preset`; `controller`, an algorithm, a rule or an optimum; for learners
            `paradigm`, `iterations`, `settings`, `anneal`, `num_envs` and
            `bootstrap_on_truncation`. Everything else is a change to the scenario.
        seeds: Seeds of the learners and of the environment.
        on_progress: Called with the completed share.

    Returns:
        Test metrics of each seed, and `gap_closed`: the share of the gap between random homes and
        the optimum of the community that the controller closes.
    """
    own = cast(LearnerSettings, settings)
    changes = _scenario_changes(settings)
    identity = tuple(sorted((path, repr(value)) for path, value in changes.items()))
    baselines = _baselines(own["preset"], identity, len(seeds), _UnhashedChanges(changes))
    if own["controller"] in algorithms:
        result = train_learner(settings, len(seeds), on_progress)
        metrics = {
            name: np.asarray(values) for name, values in result.test_metrics["learned"].items()
        }
    else:
        metrics = dict(baselines.get(own["controller"], {}))
    runs = []
    for position in range(len(seeds)):
        run = {name: float(values[position]) for name, values in metrics.items()}
        runs.append(_with_gap_closed(run, baselines))
    return runs


def train_learner(
    settings: Mapping[str, object], seeds: int, on_progress: StudyProgress
) -> TrainingResult:
    """Train the learner of a study.

    Args:
        settings: As in `learning_runs`.
        seeds: Number of seeds, all trained at once.
        on_progress: Called with the completed share.
    """

    def report(progress: TrainingProgress) -> None:
        on_progress(progress.iteration / progress.iterations)

    own = cast(LearnerSettings, settings)
    return train(
        own["preset"],
        _scenario_changes(settings),
        algorithm=own["controller"],
        paradigm=own.get("paradigm", "dtde"),
        settings=own.get("settings", {}),
        anneal=own.get("anneal", {}),
        iterations=own["iterations"],
        num_envs=own.get("num_envs", 32),
        bootstrap_on_truncation=own.get("bootstrap_on_truncation", True),
        seeds=seeds,
        evaluation="learned",
        on_progress=report,
    )


def _scenario_changes(settings: Mapping[str, object]) -> dict[str, object]:
    own = LearnerSettings.__annotations__
    return {path: value for path, value in settings.items() if path not in own}


class _UnhashedChanges(dict[str, object]):
    """Changes to a scenario that a cache passes on; their identity is another argument."""

    # A dict has no hash: its `__hash__` is None.
    def __hash__(self) -> int:  # type: ignore[override]
        return 0


@lru_cache(maxsize=8)
def _baselines(
    preset: str, identity: tuple[tuple[str, str], ...], seeds: int, changes: _UnhashedChanges
) -> ControllerMetrics:
    """Evaluate rules and optima on the test episodes."""
    scenario = load_scenario(preset, dict(changes))
    return evaluate_baselines(make_evaluation_setup(scenario, seeds))


def _with_gap_closed(run: dict[str, float], baselines: ControllerMetrics) -> dict[str, float]:
    """Add the share of the gap from random homes to the community optimum that a run closes."""
    if OPTIMAL_POLICY not in baselines or "objective" not in run:
        return run
    random = float(baselines[RANDOM_POLICY]["objective"].mean())
    optimum = float(baselines[OPTIMAL_POLICY]["objective"].mean())
    return run | {"gap_closed": (random - run["objective"]) / (random - optimum)}
