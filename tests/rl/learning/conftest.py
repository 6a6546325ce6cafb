"""Fixtures of the tests of learning."""

import types

import pytest

from tests.rl.learning import probes as probes_module


@pytest.fixture(scope="session")
def probes() -> types.ModuleType:
    """Return the module of probe environments."""
    return probes_module
