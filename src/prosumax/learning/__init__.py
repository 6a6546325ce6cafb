"""Homes that learn: one trainer, one file per algorithm, any mix of them in one community and one compiled program.

An algorithm is three pure functions (`Learner`) for one group of agents that share parameters. A paradigm says what
actors and critics see and who shares (`PARADIGMS`). `Trainer.chunk` plays and learns; `vmap` over it adds seeds,
hyper-parameters and populations.
"""

from prosumax.learning import policy_gradient  # noqa: F401 (registers its algorithms)
from prosumax.learning.algorithms import Algorithm, algorithms, choose
from prosumax.learning.populations import Part, everyone, make_game, make_team
from prosumax.learning.rollout import Carry, Game, Script, Steps, game, rollout, start
from prosumax.learning.spaces import Action, Mask, Space
from prosumax.learning.teams import PARADIGMS, Paradigm, Team
from prosumax.learning.trainer import Figures, Schedule, Trainer, TrainState, constant
from prosumax.learning.types import Batch, Decision, Learner, Spec

__all__ = [
    "PARADIGMS",
    "Action",
    "Algorithm",
    "Batch",
    "Carry",
    "Decision",
    "Figures",
    "Game",
    "Learner",
    "Mask",
    "Paradigm",
    "Part",
    "Schedule",
    "Script",
    "Space",
    "Spec",
    "Steps",
    "Team",
    "TrainState",
    "Trainer",
    "algorithms",
    "choose",
    "constant",
    "everyone",
    "game",
    "make_game",
    "make_team",
    "rollout",
    "start",
]
