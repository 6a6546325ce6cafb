"""Checks of third-party mechanisms, devices, policies and environments.

Each check returns None when all is well and raises a `CheckError` that names the violated property
with its numbers. The tests of prosumax run the same checks on everything that ships.
"""

from prosumax.testing.books import OrderBooks, random_books
from prosumax.testing.devices import check_device
from prosumax.testing.environments import Environment, check_env
from prosumax.testing.errors import CheckError
from prosumax.testing.mechanisms import check_mechanism

__all__ = [
    "CheckError",
    "Environment",
    "OrderBooks",
    "check_device",
    "check_env",
    "check_mechanism",
    "random_books",
]
