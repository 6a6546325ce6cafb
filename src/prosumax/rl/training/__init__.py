"""Training of a scenario: setup, training with evaluations, comparison, stored policies."""

from prosumax.rl.training.policies import (
    EvaluationResult,
    HomePolicy,
    evaluate,
    export_policy,
    load_policy,
)
from prosumax.rl.training.population import PopulationResult, train_population
from prosumax.rl.training.setup import TrainingConfig, TrainingSetup
from prosumax.rl.training.training import TrainingProgress, TrainingResult, resume, train

__all__ = [
    "EvaluationResult",
    "HomePolicy",
    "PopulationResult",
    "TrainingConfig",
    "TrainingProgress",
    "TrainingResult",
    "TrainingSetup",
    "evaluate",
    "export_policy",
    "load_policy",
    "resume",
    "train",
    "train_population",
]
