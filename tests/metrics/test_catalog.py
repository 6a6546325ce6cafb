"""The KPI catalog: every KPI is declared once, and every table takes its label from there."""

import importlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
from rich.console import Console

import prosumax
from prosumax import report
from prosumax.cli import printing
from prosumax.metrics import (
    CityLearnKPIs,
    CommunityKPIs,
    HouseholdKPIs,
    NetworkKPIs,
    catalog,
)
from prosumax.metrics.reference import device_pages, reference_page
from prosumax.studies.engine import Study, StudyResult, Variant, kpi_metric
from prosumax.studies.tables import make_tables
from prosumax.sweeps.grid import SweepGrid, plan_sweep
from prosumax.sweeps.sweep import TrialOutcome, run_sweep
from prosumax.sweeps.tables import save_sweep_tables

NEW_LABEL = "Sum of every bill"
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kpis.md"
RECORDS = {
    "": (CommunityKPIs, {"citylearn", "network"}),
    "network.": (NetworkKPIs, set()),
    "citylearn.": (CityLearnKPIs, set()),
    "home.": (HouseholdKPIs, {"name", "kind", "policy", "end_use_kwh", "bill_items"}),
}


@pytest.fixture(scope="module")
def result():
    """A run of two homes with a network, without trade."""
    content = {
        "name": "pair",
        "period": {"start": "2023-06-01T10:00", "steps": 4, "step_minutes": 60},
        "homes": [
            {
                "name": "sunny",
                "load": {"source": "values", "values": [1.0, 1.0, 1.0, 1.0]},
                "solar": {"source": "values", "values": [2.0, 2.0, 2.0, 2.0]},
            },
            {"name": "shady", "load": {"source": "values", "values": [1.0, 2.0, 1.0, 2.0]}},
        ],
        "tariff": {"currency": "EUR", "energy": 0.3, "feed_in": 0.05},
        "market": {"mechanism": "mid_market_rate"},
        "network": {"kind": "line", "flow": "linear"},
    }
    return prosumax.run(content, optimum=False)


@pytest.fixture
def new_label(monkeypatch):
    """A new label of the KPI `cost`."""
    monkeypatch.setitem(catalog.CATALOG, "cost", replace(catalog.get("cost"), label=NEW_LABEL))


def test_the_command_line_takes_labels_from_the_catalog(new_label, result, monkeypatch):
    output = io.StringIO()
    monkeypatch.setattr(printing, "_out", Console(file=output))
    printing.print_result(result)
    assert NEW_LABEL in output.getvalue()


def test_the_report_takes_labels_from_the_catalog(new_label, result, tmp_path):
    report.write_report(result, tmp_path / "report.html")
    assert NEW_LABEL in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_study_takes_labels_from_the_catalog(new_label, result):
    study = Study((Variant("runs", "one", {}),), None, (kpi_metric("cost"),), currency="EUR")
    values = np.array([[[study.metrics[0].evaluate(result)] * 2]])
    (table,) = make_tables(StudyResult("one", study, (0, 1), values))
    assert table.rows[0][0] == f"{NEW_LABEL}, EUR"


def test_a_sweep_takes_labels_from_the_catalog(new_label, tmp_path):
    plan = plan_sweep(
        SweepGrid(scenarios=("street",), overrides=("period.steps=4",), optimum=False)
    )

    def run_trials(trials):
        return [TrialOutcome(trial, {"kpis": {"cost": 1.0}}, 1) for trial in trials]

    save_sweep_tables(run_sweep(plan, tmp_path / "sweep", run_trials))
    assert f"| {NEW_LABEL}, EUR |" in (tmp_path / "sweep" / "table.md").read_text(encoding="utf-8")


def test_the_reference_page_takes_labels_from_the_catalog(new_label):
    assert f"| `cost` | {NEW_LABEL} |" in reference_page()


def test_the_reference_page_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run `make reference`"


def test_the_reference_pages_of_devices_are_up_to_date():
    folder = PAGE.parent / "devices"
    pages = {page.name: page.read_text(encoding="utf-8") for page in folder.iterdir()}
    assert pages == device_pages(), "run `make reference`"


@pytest.mark.parametrize("prefix", RECORDS)
def test_typed_records_have_the_keys_of_the_catalog(prefix):
    record, others = RECORDS[prefix]
    declared = {key.removeprefix(prefix) for key in catalog.CATALOG if key.startswith(prefix)}
    declared = {key for key in declared if "." not in key}
    if prefix == "home.":
        declared.add("unserved_kwh")
    assert set(get_type_hints(record)) - others == declared


def test_a_run_has_only_declared_kpis(result):
    content = json.loads(json.dumps(result.kpis))
    for prefix, kpis in {
        "": content,
        "network.": content["network"],
        "citylearn.": content["citylearn"],
        "home.": result.households[0],
    }.items():
        _, others = RECORDS[prefix]
        for key in set(kpis) - others:
            assert prefix + key in catalog.entries(), key
    assert catalog.value(result.kpis, "network.loss_kwh") == result.kpis["network"]["loss_kwh"]


def test_every_source_exists():
    for kpi in catalog.entries().values():
        module, _, name = kpi.source.rpartition(".")
        try:
            importlib.import_module(kpi.source)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), name), kpi.source


def test_every_kpi_is_described():
    for kpi in catalog.entries().values():
        assert kpi.label and kpi.definition, kpi.key
        assert kpi.label[0].isupper() and not kpi.definition.endswith("."), kpi.key


def test_values_are_formatted_with_unit_and_decimals():
    assert catalog.get("self_consumption").text(0.6213) == "62.1 %"
    assert catalog.get("cost").text(-0.001, "EUR") == "0.00 EUR"
    assert catalog.get("mean_price").title("EUR") == "Mean local price, EUR/kWh"
    assert catalog.get("gini").text(None) == "-"
    with pytest.raises(KeyError, match="Did you mean 'self_consumption'"):
        catalog.get("self_consumtion")


def test_a_key_is_declared_only_once():
    with pytest.raises(ValueError, match="registered twice"):
        catalog.register(catalog.get("cost"))


def test_the_demo_takes_english_labels_from_the_catalog(monkeypatch):
    pytest.importorskip("babel", reason="the demo needs prosumax[web]")
    from prosumax.web.model.translations import Translator

    kpi = catalog.get("self_consumption")
    monkeypatch.setitem(catalog.CATALOG, kpi.key, replace(kpi, label=NEW_LABEL))
    assert Translator("en").kpi("self_consumption") == NEW_LABEL
    assert Translator("fr").kpi("self_consumption") != NEW_LABEL
