"""A scenario from the `schema.json` of a CityLearn data set folder."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prosumax.errors import InputError

# What a schema leaves out is CityLearn's own default.
_ROUND_TRIP = 0.9


def read_citylearn_folder(folder: Path) -> dict[str, Any]:
    """Raw scenario with a home per building: electric load, roof, battery, and the data set's price and carbon.

    Arguments:
        folder: holds `schema.json` and the CSV files it names.

    Thermal demand is left out (its devices come with heat pumps); a battery whose size the schema leaves to
    CityLearn's autosizing is left out as well. Feed-in is zero, as in CityLearn.

    Raises:
        InputError: no `schema.json`, or it is not one.
    """
    file = folder / "schema.json"
    if not file.is_file():
        raise InputError(
            str(folder),
            "is a folder without schema.json",
            "Give a YAML scenario or a CityLearn folder.",
        )
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        buildings = {
            name: entry for name, entry in schema["buildings"].items() if entry.get("include", True)
        }
        step_minutes = int(schema.get("seconds_per_time_step", 3600)) // 60
        first = int(schema.get("simulation_start_time_step") or 0)
        steps = int(schema["simulation_end_time_step"]) - first + 1
        homes = [_home(name, entry, folder, first) for name, entry in buildings.items()]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            str(file), f"is not a CityLearn schema ({error})", "Check the file."
        ) from error
    dataset = {"source": "citylearn", "dataset": str(folder.resolve()), "skip_rows": first}
    one: dict[str, Any] = next(iter(buildings.values()), {})
    return {
        "name": folder.resolve().name,
        "description": f"CityLearn data set {folder.name}",
        # The data set has months and hours but no year; row 0 is the hour that ends at midnight.
        "period": {
            "start": _start(folder, one, first),
            "steps": steps,
            "step_minutes": step_minutes,
            "time_zone": None,
        },
        "homes": homes,
        "tariff": {
            "currency": "USD",
            "energy": dataset if one.get("pricing") else 0.0,
            "feed_in": 0.0,
            "emission_factor_kg_per_kwh": dataset if one.get("carbon_intensity") else None,
        },
    }


def _home(name: str, entry: dict[str, Any], folder: Path, first: int) -> dict[str, Any]:
    profile = {
        "source": "citylearn",
        "dataset": str(folder.resolve()),
        "building": name,
        "skip_rows": first,
    }
    home: dict[str, Any] = {"name": name, "load": profile}
    peak_kw = ((entry.get("pv") or {}).get("attributes") or {}).get("nominal_power")
    if peak_kw:
        home["solar"] = {**profile, "peak_kw": peak_kw}
    storage = (entry.get("electrical_storage") or {}).get("attributes") or {}
    if storage.get("capacity") and storage.get("nominal_power"):
        one_way = (storage.get("efficiency") or _ROUND_TRIP) ** 0.5
        home["battery"] = {
            "capacity_kwh": storage["capacity"],
            "charge_kw": storage["nominal_power"],
            "charge_efficiency": one_way,
            "discharge_efficiency": one_way,
            "soc_min": 1.0 - (storage.get("depth_of_discharge") or 1.0),
            "capacity_loss_coefficient": storage.get("capacity_loss_coefficient") or 0.0,
        }
    return home


def _start(folder: Path, building: dict[str, Any], first: int) -> str:
    """A nominal start (the data carry no year) whose month and hour are those of the first row."""
    lines = (folder / building["energy_simulation"]).read_text(encoding="utf-8").splitlines()
    names = [name.strip().lower() for name in lines[0].split(",")]
    row = dict(zip(names, lines[1 + first].split(","), strict=False))
    month, hour = int(float(row["month"])), int(float(row["hour"]))
    if hour == 24:  # the last hour of the last day of its month
        following = (2017, 1) if month == 12 else (2016, month + 1)
        return (datetime(*following, 1) - timedelta(hours=1)).isoformat()
    return f"2016-{month:02d}-01T{hour - 1:02d}:00"
