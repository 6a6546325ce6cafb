"""Time series of a run as an xarray data set."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from prosumax.devices.base import ordered
from prosumax.devices.home import BATTERY
from prosumax.grid.network import GridRecord
from prosumax.numerics import AnyArray
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.hierarchy import (
    HierarchyResult,
    XarrayVariable,
    hierarchy_variables,
)
from prosumax.simulation.rollout import Trajectory
from prosumax.types import DeviceFlow, StorageFlow

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_UNITS_BY_SUFFIX = {"kh": "K h", "c": "degC", "used": "1", "waiting": "1"}
"""Units by the last word of a variable's name; energy in kWh otherwise."""

_NETWORK_VARIABLES = {
    "voltage_pu": (("time", "bus"), "pu"),
    "loading": (("time", "branch"), "1"),
    "loss_kwh": (("time",), "kWh"),
    "source_kwh": (("time",), "kWh"),
    "residual_pu": (("time",), "pu"),
}
"""Dimensions and units of the network's series."""

_EMISSION_FACTOR = "emission_factor_kg_per_kwh"


def make_dataset(
    scenario: Scenario,
    profiles: Profiles,
    trajectory: Trajectory,
    end_use_kwh: "pd.DataFrame",
    hierarchy: HierarchyResult | None,
) -> "xr.Dataset":
    """Collect all series of a run with their units.

    Args:
        scenario: Scenario of the run.
        profiles: Input series of the run.
        trajectory: Results of all steps as NumPy arrays.
        end_use_kwh: Energy by home (rows) and end use (columns).
        hierarchy: Results by layer, if the mechanism has posted prices.

    Returns:
        Data set with dimensions `time` (UTC, with the coordinate `local_time`) and `home`, and as
        far as they exist `end_use`, `bus`, `branch` and `microgrid`.
    """
    import xarray as xr

    record = trajectory.record
    currency = scenario.tariff.currency
    variables: dict[str, XarrayVariable] = {
        **_energy_variables(record),
        "bill": _per_home(record.bill.total, units=currency),
        "bill_without_exchange": _per_home(trajectory.standalone_bill, units=currency),
        **_tariff_variables(profiles, currency),
    }
    coordinates: dict[str, object] = {
        "time": profiles.index.tz_localize(None).to_numpy(),
        "local_time": (("time",), profiles.local_index.tz_localize(None).to_numpy()),
        "home": [home.name for home in scenario.homes],
    }
    if len(end_use_kwh.columns):
        attributes = {"units": "kWh", "long_name": "energy by end use"}
        variables["end_use_kwh"] = (("home", "end_use"), end_use_kwh.to_numpy(), attributes)
        coordinates["end_use"] = list(end_use_kwh.columns)
    if record.grid is not None and profiles.feeder is not None:
        variables |= _network_variables(record.grid, scenario.network.flow)
        coordinates["bus"] = list(profiles.feeder.buses)
        coordinates["branch"] = list(profiles.feeder.branches.name)
    if hierarchy is not None:
        layer_variables, layer_coordinates = hierarchy_variables(hierarchy, currency)
        variables |= layer_variables
        coordinates |= layer_coordinates
    attributes = {
        "scenario": scenario.name,
        "time_zone": scenario.period.time_zone or "none (fixed clock)",
    }
    return xr.Dataset(variables, coordinates, attributes)


def dataset_to_frame(dataset: "xr.Dataset") -> "pd.DataFrame":
    """Convert the series with a home dimension to a long table.

    Args:
        dataset: Data set of `make_dataset`.

    Returns:
        Table with columns `time`, `local_time`, `home` and one per variable.
    """
    # Further dimensions would multiply the rows.
    other_dims = [dim for dim in dataset.dims if dim not in ("time", "home")]
    series = dataset.drop_dims(other_dims)
    per_home = series.drop_vars([name for name in series if "home" not in series[name].dims])
    return per_home.to_dataframe().reset_index()


def _per_home(values: ArrayLike, **attributes: str) -> XarrayVariable:
    return ("time", "home"), np.asarray(values, np.float32), attributes


def _energy_variables(record: StepRecord) -> dict[str, XarrayVariable]:
    """Return the energy flows of homes, devices and local trade."""
    flows = record.flows
    series: dict[str, AnyArray] = {
        "load_kwh": flows.load_kwh,
        "solar_kwh": flows.solar_kwh,
        "charge_kwh": flows.charge_kwh,
        "discharge_kwh": flows.discharge_kwh,
        "battery_loss_kwh": flows.storage_loss_kwh,
        "stored_kwh": flows.stored_kwh,
        "import_kwh": flows.import_kwh,
        "export_kwh": flows.export_kwh,
        "curtailed_kwh": flows.curtailed_kwh,
    }
    if flows.shed_kwh is not None:
        series["shed_kwh"] = flows.shed_kwh
    battery = flows.devices[BATTERY]
    assert isinstance(battery, StorageFlow)
    if battery.capacity_loss_kwh is not None and battery.life_used is not None:
        series["capacity_loss_kwh"] = battery.capacity_loss_kwh
        series["battery_life_used"] = battery.life_used
    for device in ordered(flows.devices):
        flow = flows.devices[device.kind]
        # The totals of storage are those of the home battery where there is no other storage.
        if device.kind != BATTERY or len(flows.storage) > 1:
            series = {**_device_series(device.kind, flow), **series}
    series["bought_locally_kwh"] = record.local.bought_kwh
    series["sold_locally_kwh"] = record.local.sold_kwh
    variables = {}
    for name, values in series.items():
        units = _UNITS_BY_SUFFIX.get(name.rsplit("_", 1)[-1], "kWh")
        long_name = name.removesuffix("_kwh").replace("_", " ")
        variables[name] = _per_home(values, units=units, long_name=long_name)
    return variables


def _device_series(kind: str, flow: DeviceFlow) -> dict[str, AnyArray]:
    """Return the terms of the balance of a kind of device by variable."""
    fields = {field.name: getattr(flow, field.name) for field in dataclasses.fields(flow)}
    if not isinstance(flow, StorageFlow):
        fields["consumption_kwh"] = flow.consumption_kwh
    # The slots of a home are not named, so their sum is kept.
    return {
        f"{kind}_{name}": values if values.ndim == 2 else values.sum(-1)
        for name, values in fields.items()
        if values is not None
    }


def _tariff_variables(profiles: Profiles, currency: str) -> dict[str, XarrayVariable]:
    """Return the prices of the tariff and its emission factor."""
    variables: dict[str, XarrayVariable] = {}
    for name, price in profiles.prices.items():
        units = "kg/kWh" if name == _EMISSION_FACTOR else f"{currency}/kWh"
        variables[f"tariff_{name}"] = (("time",), price.astype(np.float32), {"units": units})
    return variables


def _network_variables(grid: GridRecord, flow: str) -> dict[str, XarrayVariable]:
    """Return the series of the network; flow `path` has no voltages."""
    return {
        f"network_{name}": (dims, np.asarray(getattr(grid, name), np.float32), {"units": units})
        for name, (dims, units) in _NETWORK_VARIABLES.items()
        if flow != "path" or name != "voltage_pu"
    }
