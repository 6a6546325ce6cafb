"""A kind of device that the code does not know appears in results, reports, charts and the demo."""

import io

import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from rich.console import Console

import prosumax
from prosumax import report
from prosumax.cli import printing
from prosumax.devices import Device, devices
from prosumax.metrics import KPI, catalog
from prosumax.metrics.reference import device_page
from prosumax.numerics import safe_divide
from prosumax.scenario.loading import dump_scenario, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import DeviceFlow, StorageFlow


class SaunaConfig(DeviceConfig):
    """A sauna that draws constant power."""

    power_kw: float = 2.0


class SaunaFlow(DeviceFlow):
    """Energy of the ovens."""

    oven_kwh: object
    towels_kwh: object

    @property
    def consumption_kwh(self):
        return self.oven_kwh + self.towels_kwh.sum(-1)


class Sauna(Device):
    """Saunas."""

    kind = "sauna"
    summary = "Sauna."
    config = SaunaConfig
    kpis = (
        KPI("sauna_kwh", "Sauna heat", "kWh", 0, "energy of the oven", short="heat"),
        KPI("sauna_share", "Share of the sauna", "%", 0, "oven / all", summed=False),
    )

    def build_params(self, configs, names, step_hours):
        return jnp.asarray([own[0].power_kw if own else 0.0 for own in configs])

    def init(self, params):
        return jnp.zeros_like(params)

    def step(self, params, state, inputs, request_kw, step_hours):
        oven_kwh = params * step_hours
        return state, SaunaFlow(oven_kwh, jnp.stack([oven_kwh, oven_kwh], -1) / 4)

    def default_request(self, params, state, inputs, surplus_kw, step_hours):
        return params[:, None]

    def slot_limits_kw(self, params):
        return 1.5 * params[:, None], 0.0 * params[:, None]

    def compute_kpis(self, params, flow):
        oven_kwh = flow.oven_kwh.sum(0)
        share = safe_divide(oven_kwh, flow.consumption_kwh.sum(0), np.nan, xp=np)
        return {"sauna_kwh": oven_kwh, "sauna_share": share}


class Flywheel(Device):
    """Flywheels, a second stationary storage, which charge without pause."""

    kind = "flywheel"
    summary = "Flywheel."
    config = SaunaConfig

    def build_params(self, configs, names, step_hours):
        return jnp.asarray([own[0].power_kw if own else 0.0 for own in configs])

    def init(self, params):
        return jnp.zeros_like(params)

    def step(self, params, state, inputs, request_kw, step_hours):
        charge_kwh = params * step_hours
        zero = 0.0 * charge_kwh
        return state + charge_kwh, StorageFlow(charge_kwh, zero, zero, state + charge_kwh)

    def default_request(self, params, state, inputs, surplus_kw, step_hours):
        return params[:, None]

    def slot_limits_kw(self, params):
        return params[:, None], 0.0 * params[:, None]

    def stored_kwh(self, params, state):
        return state

    def capacity_kwh(self, params):
        return 10.0 * params


@pytest.fixture(scope="module")
def kinds():
    """The registry with a sauna and a flywheel."""
    for device in (Sauna(), Flywheel()):
        devices.register(device.kind, device.summary)(device)
    Scenario.model_rebuild(force=True)
    yield devices
    for kind in ("sauna", "flywheel"):
        del devices._entries[kind]
    Scenario.model_rebuild(force=True)


def content(*kinds):
    """Two homes, of which one has devices."""
    load = {"source": "values", "values": [1.0]}
    battery = {"capacity_kwh": 4.0, "charge_kw": 2.0}
    return {
        "name": "two-homes",
        "period": {"start": "2023-06-01T10:00", "steps": 4, "step_minutes": 60},
        "policy": "self-consumption",
        "homes": [
            {"name": "hot", "load": load, "battery": battery, **{kind: {} for kind in kinds}},
            {"name": "cold", "load": load},
        ],
        "tariff": {"currency": "EUR", "energy": 0.3, "feed_in": 0.05},
    }


@pytest.fixture(scope="module")
def result(kinds):
    """A run with a sauna that draws 2 kW and towels of 1 kW."""
    return prosumax.run(content("sauna"), optimum=False)


def test_its_kpis_are_in_the_catalog_and_on_the_reference_pages(kinds):
    assert catalog.get("sauna_kwh").label == catalog.get("home.sauna_kwh").label == "Sauna heat"
    assert not set(catalog.entries()) & {"sauna_share"}
    page = device_page("sauna")
    assert page.startswith("# Sauna\n") and "Section `homes.*.sauna` of a scenario" in page
    assert "| `sauna_kwh` | Sauna heat |" in page and "| `power_kw` | number | `2.0` |" in page


def test_its_kpis_are_computed_for_the_community_and_for_homes(result):
    assert result.kpis["sauna_kwh"] == pytest.approx(8)
    assert "sauna_share" not in result.kpis
    assert result.kpis["unserved_kwh"] == 0
    hot, cold = result.households
    assert hot["sauna_kwh"] == pytest.approx(8) and cold["sauna_kwh"] == 0
    assert hot["sauna_share"] == pytest.approx(2 / 3) and cold["sauna_share"] is None
    assert hot["load_kwh"] == pytest.approx(4 * (1 + 3))


def test_the_command_line_shows_it(result, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(printing, "_out", Console(file=output, width=120))
    printing.print_result(result)
    assert "Sauna heat" in output.getvalue() and "battery, sauna" in output.getvalue()


def test_the_report_shows_it(result, tmp_path):
    report.write_report(result, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Sauna, kWh" in page and ">heat<" in page


def test_the_data_set_has_its_flows_with_slots_added(result, tmp_path):
    result.save(tmp_path / "run")
    stored = prosumax.Result.load(tmp_path / "run")
    series = stored.to_xarray()
    assert series["sauna_oven_kwh"].sel(home="hot").to_numpy() == pytest.approx(2.0)
    assert series["sauna_towels_kwh"].sel(home="hot").to_numpy() == pytest.approx(1.0)
    assert series["sauna_consumption_kwh"].sel(home="hot").to_numpy() == pytest.approx(3.0)
    assert "battery_charge_kwh" not in series
    assert stored.kpis["sauna_kwh"] == result.kpis["sauna_kwh"]
    assert stored.scenario == result.scenario


def test_charts_count_it_as_load(result):
    from prosumax.viz.run.series import power_series

    assert power_series(result)["load"][:, 1] == pytest.approx(4.0)


def test_a_second_storage_adds_to_the_totals_and_has_series_of_its_own(kinds):
    result = prosumax.run(content("flywheel"), optimum=False)
    series = result.to_xarray().sel(home="hot")
    assert series["flywheel_charge_kwh"].to_numpy() == pytest.approx(2.0)
    total = series["battery_charge_kwh"] + series["flywheel_charge_kwh"]
    assert np.array_equal(series["charge_kwh"], total)
    assert series["stored_kwh"].to_numpy()[-1] == pytest.approx(8.0)
    assert result.summary_series.capacity_kwh == pytest.approx(4.0 + 20.0)
    assert result.households[0]["battery_cycles"] == pytest.approx(8 / (2 * 24))
    assert result.households[0]["load_kwh"] == pytest.approx(4.0)


def test_it_survives_yaml(kinds):
    scenario = load_scenario(content("sauna"))
    again = load_scenario(yaml.safe_load(dump_scenario(scenario)))
    assert again.homes[0].devices["sauna"] == (SaunaConfig(),)
