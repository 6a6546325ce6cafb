"""prosumax simulates energy communities and local energy markets on JAX.

Homes with load, solar and batteries trade electricity under a choice of rules and tariffs; a run says who pays what.

    >>> import prosumax
    >>> result = prosumax.run("street")
    >>> result.kpis["cost"], result.households[0]["saving"]
"""

from prosumax.batching import vmap
from prosumax.errors import InputError
from prosumax.rl.env import CommunityEnv
from prosumax.rl.make import make
from prosumax.rl.training.training import Training, train
from prosumax.runner import compare, run
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, build
from prosumax.simulation.results.result import Result

__all__ = [
    "Community",
    "CommunityEnv",
    "InputError",
    "Result",
    "Scenario",
    "Training",
    "build",
    "compare",
    "load_scenario",
    "make",
    "run",
    "vmap",
    "train",
]
