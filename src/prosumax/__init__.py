"""prosumax simulates energy communities and local energy markets on JAX.

Homes with load, solar and batteries trade electricity under a choice of rules and tariffs; a run says who pays what.

    >>> import prosumax
    >>> result = prosumax.run("street")
    >>> result.kpis["cost"], result.households[0]["saving"]
"""

from prosumax.batching import vmap
from prosumax.community import Community, build
from prosumax.env import CommunityEnv, make
from prosumax.errors import InputError
from prosumax.experiments import Result, Training, compare, run, train
from prosumax.scenario import Scenario, load_scenario

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
