# ruff: noqa: E402 (the import hook must come before what it checks)
"""Shared fixtures. Array shapes of the physics are checked at run time in every test."""

import os
import sys
from importlib import metadata

# Not the emitters that users run on JAX 0.10: with the older ones the tests take two fifths less
# time. JAX 0.12 has only the new ones, and the tests run them there.
if metadata.version("jax").startswith("0.10."):
    os.environ["XLA_FLAGS"] = (
        f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false"
    )

from jaxtyping import install_import_hook

_CHECKED = [
    "prosumax.devices.appliance",
    "prosumax.devices.battery",
    "prosumax.devices.battery_aging",
    "prosumax.devices.ev",
    "prosumax.devices.flexible",
    "prosumax.devices.heat_pump",
    "prosumax.devices.home",
    "prosumax.market",
    "prosumax.tariff",
    "prosumax.grid.feeder",
    "prosumax.grid.limits",
    "prosumax.grid.network",
    "prosumax.grid.operator",
    "prosumax.grid.paths",
    "prosumax.grid.power_flow",
    "prosumax.simulation.policy",
    "prosumax.simulation.dynamics",
    "prosumax.control",
    "prosumax.rl.env",
    "prosumax.rl.actions",
    "prosumax.rl.bidding",
    "prosumax.rl.factory",
    "prosumax.rl.market_indicators",
    "prosumax.rl.observations",
    "prosumax.rl.rewards",
    "prosumax.rl.spaces",
    "prosumax.rl.types",
    "prosumax.rl.wrappers",
]

with install_import_hook(_CHECKED, "beartype.beartype"):
    import prosumax
    from prosumax import cli

    # Public names are imported on first use; the hook must be active then.
    for name in prosumax.__all__:
        getattr(prosumax, name)

import hypothesis
import pytest

from prosumax.data.datasets import fetch_dataset
from prosumax.errors import InputError

# No deadline: the first example of a test compiles, the others reuse its program.
hypothesis.settings.register_profile("prosumax", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("prosumax")


@pytest.fixture(scope="session")
def citylearn_data():
    """Return the folder of the CityLearn data set, downloaded on first use.

    Outside CI, tests that need it are skipped without a network.
    """
    try:
        return fetch_dataset("citylearn-2022")
    except InputError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the CityLearn data set is not available: {error}")


@pytest.fixture
def tiny():
    """Return a scenario without data files: two homes, a PV system, a battery, four hours."""
    return {
        "name": "tiny",
        "period": {"start": "2023-06-01T10:00", "steps": 4, "step_minutes": 60},
        "homes": [
            {
                "name": "sunny",
                "load": {"source": "values", "values": [0.5]},
                "solar": {"source": "values", "values": [2.0, 3.0, 1.0, 0.0]},
                "battery": {"capacity_kwh": 2.0, "charge_kw": 1.0},
            },
            {"name": "shady", "load": {"source": "values", "values": [1.0, 2.0]}},
        ],
        "tariff": {"energy": 0.30, "feed_in": 0.05, "emission_factor_kg_per_kwh": 0.2},
    }


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Return a function that runs `prosumax ARGS` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["prosumax", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            cli.main()
            raise SystemExit(0)
        printed = capsys.readouterr()
        return done.value.code or 0, printed.out, printed.err

    return call
