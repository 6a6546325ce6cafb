"""Check of data sources."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from prosumax.data.base import SourceUse
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.testing.errors import CheckError, run_traced, worst_index

_PERIODS = ((96, 15), (48, 60))
_LOAD = {"source": "values", "values": [0.5]}
_ENERGY_USES = ("load", "solar")


def check_source(
    config: Mapping[str, object],
    use: SourceUse = "load",
    *,
    period: Mapping[str, object] | None = None,
    seed: int = 0,
) -> None:
    """Check that a data source reads a series that fits the scenario.

    A scenario in Brussels with two homes and this source is read for a day of quarter-hours and for
    two days of hours. The series has one finite number per step, energy is not negative, and
    reading it again with the same seed gives the same series.

    Args:
        config: YAML section of the source, with `source: <name>` and its fields.
        use: Quantity that the source is read as: `load`, `solar`, `price` or `emission_factor`.
        period: Section `period` of the scenario, for a source that is limited to certain steps or
            dates; the two periods above if None.
        seed: Seed of the scenario.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
        InputError: If the source cannot be read with this configuration.
    """
    where = f"source {config.get('source')!r} of {use}"
    periods = [
        {"start": "2023-04-01T00:00", "steps": steps, "step_minutes": minutes}
        for steps, minutes in _PERIODS
    ]
    for each in periods if period is None else [dict(period)]:
        first, second = (_read(config, use, each, seed, where) for _ in range(2))
        if (worst := worst_index(~np.isfinite(first))) is not None:
            problem = f"it is {first[worst]} in step {worst[0]}"
            raise CheckError(where, problem, "Fill gaps, and tell the user with context.note.")
        if use in _ENERGY_USES and (worst := worst_index(-first)) is not None:
            problem = f"it is {first[worst]:.6g} kWh in step {worst[0]}"
            raise CheckError(where, problem, "Return energy >= 0.")
        if (worst := worst_index(np.abs(first - second))) is not None:
            problem = (
                f"it is {first[worst]:.6g} and then {second[worst]:.6g} in step {worst[0]} with "
                f"the same seed"
            )
            raise CheckError(where, problem, "Draw random numbers from context.seed only.")


def _read(
    config: Mapping[str, object],
    use: SourceUse,
    period: Mapping[str, object],
    seed: int,
    where: str,
) -> NDArray[np.float64]:
    """Read the source as part of a scenario; energy of two homes is stacked [step, home]."""
    energy = {use: dict(config)} if use in _ENERGY_USES else {}
    tariff: dict[str, object] = {"energy": 0.2, "feed_in": 0.05}
    if use == "price":
        tariff["energy"] = dict(config)
    if use == "emission_factor":
        tariff["emission_factor_kg_per_kwh"] = dict(config)
    scenario = load_scenario(
        {
            "name": "source",
            "seed": seed,
            "period": dict(period),
            "location": {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 50},
            "homes": [{"name": name, "load": _LOAD} | energy for name in ("a", "b")],
            "tariff": tariff,
        }
    )
    profiles: Profiles = run_traced(
        lambda: read_profiles(scenario), where, "read", "Return one number per step.", InputError
    )
    series = {
        "load": profiles.load_kwh,
        "solar": profiles.solar_kwh,
        "price": profiles.prices["energy"],
        "emission_factor": profiles.prices["emission_factor_kg_per_kwh"],
    }
    return np.asarray(series[use], np.float64)
