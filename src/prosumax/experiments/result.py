"""What a run gives back: key figures, a row per home, the time series, and a folder on disk that survives a crash."""

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prosumax import metrics, tariff
from prosumax.community import Community, Profiles
from prosumax.errors import InputError
from prosumax.experiments.simulate import Trajectory
from prosumax.household import kind
from prosumax.scenario import Scenario, dump_scenario

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MARKER = "kpis.json"  # a folder with this file is one of ours, and may be replaced by a newer result


@dataclass(frozen=True)
class Result:
    """One run of a scenario.

    Attributes:
        scenario: as it was run, overrides included.
        kpis: key figures of the community by name; `kpis["citylearn"]` holds CityLearn's own set.
        households: one mapping per home, in the scenario's order.
        timing: seconds for reading data, compiling and simulating, and the number of steps.
        notes: what the data reader filled in or changed.
        trajectory: the raw series, NumPy [step, home].
        profiles: the input series and the clock.
    """

    scenario: Scenario
    kpis: dict[str, Any]
    households: list[dict[str, Any]]
    timing: dict[str, Any]
    notes: list[str]
    trajectory: Trajectory
    profiles: Profiles

    @cached_property
    def timeseries(self) -> "xr.Dataset":
        """Every series of the run, dimensions `time` (UTC, with `local_time` beside it) and `home`."""
        import xarray as xr

        record = self.trajectory.record
        series: dict[str, Any] = {}
        flows = record.flows._asdict()
        local = {"bought_locally_kwh": record.local.bought_kwh, "sold_locally_kwh": record.local.sold_kwh}
        for name, values in {**flows, **local}.items():
            text = name.removesuffix("_kwh").replace("_", " ")
            series[name] = (("time", "home"), values.astype(np.float32), {"units": "kWh", "long_name": text})
        currency = self.scenario.tariff.currency
        money = {"bill": record.bill.total, "bill_without_exchange": self.trajectory.bill_alone}
        for name, values in money.items():
            series[name] = (("time", "home"), values.astype(np.float32), {"units": currency})
        for name, price in self.profiles.prices.items():
            units = "kg/kWh" if name == "carbon_kg" else f"{currency}/kWh"
            series[f"tariff_{name}"] = (("time",), price.astype(np.float32), {"units": units})
        clock = {
            "time": self.profiles.index.tz_localize(None).to_numpy(),
            "local_time": (("time",), self.profiles.local.tz_localize(None).to_numpy()),
            "home": [home.name for home in self.scenario.homes],
        }
        zone = self.scenario.period.time_zone or "none (fixed clock)"
        return xr.Dataset(series, clock, {"scenario": self.scenario.name, "time_zone": zone})

    def to_frame(self) -> "pd.DataFrame":
        """The per-home time series as one long pandas table with `time`, `local_time` and `home` columns."""
        per_home = self.timeseries.drop_vars(
            [name for name in self.timeseries if "home" not in self.timeseries[name].dims]
        )
        return per_home.to_dataframe().reset_index()


def summarise(
    scenario: Scenario, profiles: Profiles, community: Community, trajectory: Trajectory, timing: Mapping[str, Any]
) -> Result:
    """Key figures from a trajectory; all sums in double precision."""
    hours = scenario.period.step_hours
    record, alone = trajectory.record, trajectory.bill_alone
    carbon = profiles.prices["carbon_kg"]
    capacity = np.asarray(community.homes.battery.capacity_kwh, dtype=np.float64)
    bill = tariff.Bill(*(np.asarray(item).sum(0) for item in record.bill))
    per_home = metrics.home_kpis(record.flows, record.local, carbon, capacity, hours)
    households = []
    for number, home in enumerate(scenario.homes):
        paid, without = float(bill.total[number]), float(alone[:, number].sum())
        households.append(
            {
                "name": home.name,
                "kind": kind(home.solar is not None, home.battery is not None),
                "policy": home.policy or scenario.policy,
                "bill": paid,
                "bill_without_exchange": without,
                "saving": without - paid,
                **{name: _number(values[number]) for name, values in per_home.items()},
                "bill_items": {name: float(item[number]) for name, item in bill._asdict().items()},
            }
        )
    gross = 1 + scenario.tariff.vat
    retail = gross * sum(profiles.prices[name] for name in ("energy", "network", "levies"))
    baseline = record.flows.load_kwh - record.flows.solar_kwh
    citylearn = metrics.citylearn_kpis(record.flows.net_kwh, baseline, retail, carbon, hours)
    cost, cost_alone = float(bill.total.sum()), float(alone.sum())
    kpis = {
        "cost": cost,
        "cost_without_exchange": cost_alone,
        "saving": cost_alone - cost,
        **{name: _number(v) for name, v in metrics.community_kpis(record.flows, record.local, carbon, hours).items()},
        **{f"{party}_receives": float(amount) for party, amount in tariff.receipts(bill).items()},
        "citylearn": {name: _number(value) for name, value in citylearn.items()},
    }
    return Result(scenario, kpis, households, dict(timing), profiles.notes, trajectory, profiles)


def _number(value: Any) -> float | None:
    """A plain float; None (JSON null) where the figure means nothing, such as self-consumption without solar."""
    number = float(value)
    return number if math.isfinite(number) else None


def to_json(result: Result) -> dict[str, Any]:
    """The result without its series: `kpis`, `households`, `timing`, `notes`."""
    return {"kpis": result.kpis, "households": result.households, "timing": result.timing, "notes": result.notes}


def check_folder(folder: Path) -> None:
    """Raise `InputError` unless a result may be written there: it is new, empty, or holds an earlier result."""
    if folder.is_file():
        raise InputError(f"--out {folder}", "is a file", "Name a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARKER).is_file():
        raise InputError(f"--out {folder}", "is not empty and holds no result of prosumax", "Name a new folder.")


def free_folder(name: str, parent: Path) -> Path:
    """`parent/name`, or with the next number behind it when that exists."""
    number = 1
    while (folder := parent / (name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return folder


def save(result: Result, folder: Path, extras: Mapping[str, Callable[[Path], None]] | None = None) -> Path:
    """Write a result folder: `scenario.yaml`, `kpis.json`, `timeseries.nc`, `timeseries.parquet`.

    It is written beside its place and moved there when complete, so an earlier result survives whatever goes wrong.

    Arguments:
        folder: new, empty, or an earlier result, which is replaced.
        extras: further files by name, each with the function that writes it (the report).

    Raises:
        InputError: the folder holds something else.
    """
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / "result"
        fresh.mkdir()
        (fresh / "scenario.yaml").write_text(dump_scenario(result.scenario), encoding="utf-8")
        (fresh / _MARKER).write_text(json.dumps(to_json(result), indent=1), encoding="utf-8")
        result.timeseries.to_netcdf(fresh / "timeseries.nc", engine="scipy")
        result.to_frame().to_parquet(fresh / "timeseries.parquet", index=False)
        for name, write in (extras or {}).items():
            write(fresh / name)
        if folder.exists():
            folder.rename(Path(scratch) / "previous")
        try:
            fresh.rename(folder)
        except OSError:
            if (previous := Path(scratch) / "previous").exists():
                previous.rename(folder)
            raise
    return folder


def save_comparison(results: Mapping[str, Result], folder: Path, extras: Mapping[str, Callable[[Path], None]]) -> Path:
    """Write one result folder per mechanism inside `folder`, and `kpis.json` for all of them."""
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        fresh = Path(scratch) / "result"
        for name, result in results.items():
            save(result, fresh / name)
        (fresh / _MARKER).write_text(
            json.dumps({n: to_json(r) for n, r in results.items()}, indent=1), encoding="utf-8"
        )
        for name, write in extras.items():
            write(fresh / name)
        if folder.exists():
            shutil.move(folder, Path(scratch) / "previous")
        fresh.rename(folder)
    return folder
