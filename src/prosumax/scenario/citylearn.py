"""Scenarios from the `schema.json` of a CityLearn data set."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prosumax.errors import InputError

# CityLearn's default where the schema gives no efficiency.
_ROUND_TRIP_EFFICIENCY = 0.9


def read_citylearn_folder(folder: Path) -> dict[str, Any]:
    """Convert a CityLearn data set to the content of a scenario with one home per building.

    Homes have the electric load, PV system and battery of their building; the tariff has the
    price and emission factor of the data set, and no feed-in payment, as in CityLearn. Thermal
    demand is left out, and so are batteries whose capacity CityLearn would size itself.

    Args:
        folder: Folder of `schema.json` and of the CSV files that it names.

    Raises:
        InputError: `schema.json` does not exist or is invalid.
    """
    file = folder / "schema.json"
    if not file.is_file():
        raise InputError(
            str(folder),
            "the folder holds no schema.json",
            "Give a YAML scenario or a CityLearn folder.",
        )
    try:
        schema = json.loads(file.read_text(encoding="utf-8"))
        buildings = {
            name: entry for name, entry in schema["buildings"].items() if entry.get("include", True)
        }
        step_minutes = int(schema.get("seconds_per_time_step", 3600)) // 60
        first_row = int(schema.get("simulation_start_time_step") or 0)
        steps = int(schema["simulation_end_time_step"]) - first_row + 1
        homes = [_home(name, entry, folder, first_row) for name, entry in buildings.items()]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            str(file),
            f"the file is not a CityLearn schema ({error})",
            "Give the schema.json of a CityLearn data set.",
        ) from error
    dataset = {
        "source": "citylearn",
        "dataset": str(folder.resolve()),
        "skip_rows": first_row,
    }
    building: dict[str, Any] = next(iter(buildings.values()), {})
    return {
        "name": folder.resolve().name,
        "description": f"CityLearn data set {folder.name}",
        "period": {
            "start": _start_time(folder, building, first_row),
            "steps": steps,
            "step_minutes": step_minutes,
            "time_zone": None,
        },
        "homes": homes,
        "tariff": {
            "currency": "USD",
            "energy": dataset if building.get("pricing") else 0.0,
            "feed_in": 0.0,
            "emission_factor_kg_per_kwh": dataset if building.get("carbon_intensity") else None,
        },
    }


def _home(name: str, entry: dict[str, Any], folder: Path, first_row: int) -> dict[str, Any]:
    """Convert a building of the schema to a home."""
    source = {
        "source": "citylearn",
        "dataset": str(folder.resolve()),
        "building": name,
        "skip_rows": first_row,
    }
    home: dict[str, Any] = {"name": name, "load": source}
    peak_kw = ((entry.get("pv") or {}).get("attributes") or {}).get("nominal_power")
    if peak_kw:
        home["solar"] = {**source, "peak_kw": peak_kw}
    storage = (entry.get("electrical_storage") or {}).get("attributes") or {}
    if storage.get("capacity") and storage.get("nominal_power"):
        one_way_efficiency = (storage.get("efficiency") or _ROUND_TRIP_EFFICIENCY) ** 0.5
        home["battery"] = {
            "capacity_kwh": storage["capacity"],
            "charge_kw": storage["nominal_power"],
            "charge_efficiency": one_way_efficiency,
            "discharge_efficiency": one_way_efficiency,
            "soc_min": 1.0 - (storage.get("depth_of_discharge") or 1.0),
            "capacity_loss_coefficient": storage.get("capacity_loss_coefficient") or 0.0,
        }
    return home


def _start_time(folder: Path, building: dict[str, Any], first_row: int) -> str:
    """Return a nominal start with the month and hour of the first row.

    The data have months and hours of the day, where hour 1 starts at midnight, but no year.
    """
    lines = (folder / building["energy_simulation"]).read_text(encoding="utf-8").splitlines()
    names = [name.strip().lower() for name in lines[0].split(",")]
    row = dict(zip(names, lines[1 + first_row].split(","), strict=False))
    month = int(float(row["month"]))
    hour = int(float(row["hour"]))
    if hour == 24:  # the last hour of the last day of its month
        next_month = (2017, 1) if month == 12 else (2016, month + 1)
        return (datetime(*next_month, 1) - timedelta(hours=1)).isoformat()
    return f"2016-{month:02d}-01T{hour - 1:02d}:00"
