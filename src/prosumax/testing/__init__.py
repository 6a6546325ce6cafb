"""Checks of third-party mechanisms, devices, policies, sources, algorithms and environments.

Each check returns None when all is well and raises a `CheckError` that names the violated property
with its numbers. The tests of prosumax run the same checks on everything that ships.
"""

from prosumax.testing.algorithms import check_algorithm
from prosumax.testing.books import OrderBooks, random_books
from prosumax.testing.devices import check_device
from prosumax.testing.environments import Environment, check_env
from prosumax.testing.errors import CheckError
from prosumax.testing.mechanisms import check_mechanism
from prosumax.testing.policies import check_policy
from prosumax.testing.sources import check_source

__all__ = [
    "CheckError",
    "Environment",
    "OrderBooks",
    "check_algorithm",
    "check_device",
    "check_env",
    "check_mechanism",
    "check_policy",
    "check_source",
    "random_books",
]
