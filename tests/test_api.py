"""The public Python API: lazy imports, listings, version, and results on disk and as tables."""

import json
import subprocess
import sys
from importlib import metadata, resources

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import prosumax
from prosumax.control import policies
from prosumax.errors import InputError
from prosumax.market import mechanisms
from prosumax.rl.algorithms import algorithms


def python(code):
    """Run code in a fresh interpreter and return its output."""
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def result():
    """Two homes that trade for four hours, bilaterally and with the grid."""
    scenario = {
        "name": "tiny",
        "period": {"start": "2023-06-01T10:00", "steps": 4, "step_minutes": 60},
        "policy": "self-consumption",
        "market": {"mechanism": "preferred_partners"},
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
    return prosumax.run(scenario, optimum=False)


def test_repr_of_a_result_is_short(result, tmp_path):
    expected = (
        "Result('tiny', mechanism='preferred_partners', homes=2, steps=4, "
        f"cost={result.kpis['cost']:.2f})"
    )
    assert repr(result) == expected
    assert repr(prosumax.Result.load(result.save(tmp_path / "run"))) == expected


def test_dir_holds_public_names_only():
    names = {name for name in dir(prosumax) if not name.startswith("__")}
    assert names >= set(prosumax.__all__)
    assert not names & {"TYPE_CHECKING", "import_module", "_MODULES", "_SUBMODULES"}


def test_import_loads_no_heavy_library():
    heavy = "jax, optax, pandas, xarray, pydantic, yaml, typer"
    loaded = python(
        f"import sys, prosumax; print([m for m in '{heavy}'.split(', ') if m in sys.modules])"
    )
    assert loaded == "[]"


def test_listing_presets_does_not_load_jax():
    code = (
        "import sys, prosumax; prosumax.list_scenarios(); prosumax.list_tariffs();"
        "print('jax' in sys.modules)"
    )
    assert python(code) == "False"


@pytest.mark.parametrize("name", prosumax.__all__)
def test_public_names_are_defined_and_documented(name):
    assert getattr(prosumax, name).__doc__
    assert name in dir(prosumax)


def test_submodules_are_imported_on_first_use():
    code = "import prosumax; print(prosumax.scenario.loading.__name__)"
    assert python(code) == "prosumax.scenario.loading"


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'simulate_everything'"):
        prosumax.simulate_everything  # noqa: B018


def test_version_is_that_of_the_distribution():
    assert prosumax.__version__ == metadata.version("prosumax")


def test_package_is_typed():
    assert resources.files("prosumax").joinpath("py.typed").is_file()


def test_python_m_runs_the_command_line():
    command = [sys.executable, "-m", "prosumax", "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == f"prosumax {prosumax.__version__}"


def test_scenarios_and_tariffs_are_listed_with_descriptions():
    scenarios = prosumax.list_scenarios()
    assert "street" in scenarios and "_ieee34_unit" not in scenarios
    assert scenarios["street"] == prosumax.load_scenario("street").description
    tariffs = prosumax.list_tariffs()
    street = prosumax.load_scenario("street", {"tariff": "brussels-2026"})
    assert tariffs["brussels-2026"] == street.tariff.description
    assert all(scenarios.values()) and all(tariffs.values())


@pytest.mark.parametrize(
    ("listed", "registry"),
    [
        (prosumax.list_mechanisms, mechanisms),
        (prosumax.list_policies, policies),
        (prosumax.list_algorithms, algorithms),
    ],
)
def test_registered_names_are_listed_with_summaries(listed, registry):
    assert list(listed()) == list(registry)
    assert all(listed().values())


def test_to_xarray_has_all_series_with_units(result):
    series = result.to_xarray()
    assert series is result.timeseries
    assert dict(series.sizes) == {"time": 4, "home": 2}
    assert series["import_kwh"].attrs["units"] == "kWh"
    assert series["bill"].attrs["units"] == "EUR"
    assert series["tariff_emission_factor_kg_per_kwh"].attrs["units"] == "kg/kWh"


def test_to_frame_has_one_row_per_step_and_home(result):
    table = result.to_frame()
    assert len(table) == 4 * 2
    assert {"time", "local_time", "home", "load_kwh", "bill"} <= set(table.columns)
    total = table.groupby("home")["bill"].sum()["shady"]
    assert total == pytest.approx(result.households[1]["bill"], abs=1e-5)


def test_a_loaded_result_equals_the_saved_one(result, tmp_path):
    folder = result.save(tmp_path / "kept")
    loaded = prosumax.Result.load(folder)
    assert loaded.scenario == result.scenario
    assert loaded.kpis == result.kpis
    assert loaded.households == result.households
    assert loaded.bills == result.bills
    assert (loaded.notes, loaded.timing) == (result.notes, result.timing)
    xr.testing.assert_equal(loaded.to_xarray(), result.to_xarray())
    pd.testing.assert_frame_equal(loaded.to_frame(), result.to_frame(), check_dtype=False)
    pd.testing.assert_frame_equal(loaded.end_use_kwh, result.end_use_kwh)
    assert len(result.trades) > 0
    pd.testing.assert_frame_equal(loaded.trades, result.trades)


def test_a_loaded_result_can_be_saved_again(result, tmp_path):
    loaded = prosumax.Result.load(result.save(tmp_path / "first"))
    again = prosumax.Result.load(loaded.save(tmp_path / "second"))
    assert again.kpis == result.kpis
    xr.testing.assert_equal(again.to_xarray(), result.to_xarray())


def test_a_loaded_result_has_no_arrays_of_the_run(result, tmp_path):
    loaded = prosumax.Result.load(result.save(tmp_path / "kept"))
    with pytest.raises(
        InputError, match=r"result\.trajectory: the attribute is not part .* Run the scenario"
    ):
        _ = loaded.trajectory
    with pytest.raises(InputError, match=r"result\.profiles"):
        _ = loaded.profiles
    with pytest.raises(InputError, match=r"result\.trajectory"):
        _ = loaded.payments


def test_a_result_without_trades_is_loaded_with_an_empty_table(tmp_path):
    scenario = {
        "name": "alone",
        "period": {"start": "2023-06-01T10:00", "steps": 2, "step_minutes": 60},
        "homes": [{"name": "a", "load": {"source": "values", "values": [1.0]}}],
        "tariff": {"energy": 0.30, "feed_in": 0.05},
    }
    alone = prosumax.run(scenario, optimum=False)
    loaded = prosumax.Result.load(alone.save(tmp_path / "alone"))
    assert len(loaded.trades) == 0
    pd.testing.assert_frame_equal(loaded.trades, alone.trades, check_dtype=False)


def test_loading_what_is_no_result_names_the_folder(result, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        prosumax.Result.load(tmp_path / "nowhere")
    folder = result.save(tmp_path / "kept")
    content = json.loads((folder / "kpis.json").read_text())
    (folder / "kpis.json").write_text(json.dumps({"kpis": content["kpis"]}))
    with pytest.raises(InputError, match="holds no complete run"):
        prosumax.Result.load(folder)
    (folder / "kpis.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        prosumax.Result.load(folder)
    (folder / "kpis.json").unlink()
    with pytest.raises(InputError, match="holds no kpis.json"):
        prosumax.Result.load(folder)


def test_saving_leaves_a_folder_with_other_files_unchanged(result, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="thesis.txt"):
        result.save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_kpis_of_homes_add_up_to_those_of_the_community(result):
    bills = np.array([home["bill"] for home in result.households])
    assert result.kpis["cost"] == pytest.approx(bills.sum())
