"""Training engine: agent groups, rollouts, trainer, evaluation and population-based training."""
