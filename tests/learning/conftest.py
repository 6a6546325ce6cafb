"""Test folders are no packages here, so what several files use is a fixture."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def probes():
    """The module of tiny environments."""
    spec = importlib.util.spec_from_file_location("probes", Path(__file__).with_name("probes.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
