"""Generated loads, PV systems and weather in scenarios, and the presets that use them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import prosumax
from prosumax.errors import InputError
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import read_profiles

HOME = {"name": "A", "load": {"source": "synthetic", "lifestyle": "couple"}}


def scenario(home: dict[str, Any] | None = None, **fields: Any) -> Any:
    base = {
        "name": "test",
        "period": {"start": "2023-06-05T00:00", "steps": 96, "step_minutes": 15},
        "location": {"latitude_deg": 50.85, "longitude_deg": 4.35, "altitude_m": 60},
        "homes": [{**HOME, **(home or {})}],
        "tariff": {"energy": 0.3, "feed_in": 0.05},
    }
    return load_scenario({**base, **fields})


def solar_kwh(pv_system: dict[str, Any], **fields: Any) -> np.ndarray:
    return read_profiles(
        scenario({"solar": {"source": "synthetic", **pv_system}}, **fields)
    ).solar_kwh[:, 0]


def test_several_arrays_add_up() -> None:
    east, west = ({"peak_kw": 3, "tilt_deg": 30, "azimuth_deg": side} for side in (90, 270))
    both = solar_kwh({"arrays": [east, west]})
    np.testing.assert_allclose(both, solar_kwh(east) + solar_kwh(west))
    assert both.sum() > 0


def test_weather_mounting_and_losses_change_the_generation() -> None:
    pv_system = {"peak_kw": 4}
    clear, cloudy = solar_kwh(pv_system, weather={"source": "clear_sky"}), solar_kwh(pv_system)
    rack = solar_kwh({**pv_system, "mounting": "rack"}, weather={"source": "clear_sky"})
    lossy = solar_kwh({**pv_system, "losses": 0.2}, weather={"source": "clear_sky"})
    assert lossy.sum() < clear.sum() < rack.sum()
    assert clear.sum() > cloudy.sum()
    bright = solar_kwh(
        pv_system,
        weather={
            "source": "synthetic",
            "monthly_kwh_m2": [30, 50, 100, 150, 180, 190, 190, 170, 120, 70, 35, 25],
        },
    )
    assert bright.sum() > cloudy.sum()


@pytest.mark.parametrize(
    ("home", "fields", "message"),
    [
        ({"solar": {"source": "synthetic"}}, {}, "either `peak_kw`"),
        (
            {"solar": {"source": "synthetic", "peak_kw": 3, "arrays": [{"peak_kw": 3}]}},
            {},
            "either `peak_kw`",
        ),
        ({}, {"weather": {"source": "synthetic", "monthly_kwh_m2": [1, 2]}}, "monthly_kwh_m2"),
        ({}, {"weather": {"source": "sunny"}}, "weather"),
        ({"load": {"source": "synthetic", "lifestyle": "cuople"}}, {}, "Did you mean 'couple'"),
        (
            {
                "load": {
                    "source": "schedule",
                    "base_kw": 1,
                    "closed_days": [{"first": "13-01", "last": "02-01"}],
                }
            },
            {},
            "closed",
        ),
    ],
)
def test_invalid_sources_are_reported(
    home: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scenario(home, **fields)


def test_errors_of_the_data_name_the_source() -> None:
    with pytest.raises(
        InputError, match=r"homes\.0\.load: excluded_uses: there is no end use 'washer'"
    ):
        read_profiles(scenario({"load": {**HOME["load"], "excluded_uses": ["washer"]}}))
    with pytest.raises(InputError, match="no such weather file"):
        solar_kwh({"peak_kw": 3}, weather={"source": "file", "file": "/nowhere.epw"})
    with pytest.raises(InputError, match=r"total\.csv"):
        read_profiles(scenario({"load": {"source": "antgen", "file": "/nowhere"}}))


def test_paths_are_relative_to_the_scenario_file(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "name: s\nperiod: {start: 2023-01-01T00:00, steps: 4, step_minutes: 15}\n"
        "weather: {source: file, file: sky.epw}\ntariff: {energy: 0.3, feed_in: 0}\n"
        "homes: [{name: A, load: {source: synthetic, lifestyle: single, signatures: models}}]\n"
    )
    read = load_scenario(tmp_path / "s.yaml")
    assert str(read.weather.file) == str(tmp_path / "sky.epw")
    assert str(read.homes[0].load.signatures) == str(tmp_path / "models")


@pytest.mark.parametrize(
    ("name", "homes"),
    [("street", 8), ("apartment-block", 13), ("school-and-homes", 13), ("village-100", 100)],
)
def test_generated_presets_have_loads_and_end_uses(name: str, homes: int) -> None:
    preset = load_scenario(name)
    assert (len(preset.homes), preset.period.steps, preset.period.step_minutes) == (
        homes,
        35040,
        15,
    )
    day = read_profiles(
        load_scenario(name, {"period.steps": 96, "period.start": "2023-06-05T00:00"})
    )
    assert (day.load_kwh > 0).all()
    assert day.solar_kwh.sum() > 0
    known = [number for number, uses in enumerate(day.end_use_kwh) if uses]
    assert len(known) >= homes - 1
    for number in known:
        assert sum(day.end_use_kwh[number].values()) == pytest.approx(
            day.load_kwh[:, number].sum(), rel=1e-6
        )


def test_end_uses_are_in_the_result() -> None:
    result = prosumax.run(scenario({"load": {**HOME["load"], "annual_kwh": 3500}}), optimum=False)
    uses = result.timeseries["end_use_kwh"]
    assert uses.dims == ("home", "end_use")
    assert float(uses.sum()) == pytest.approx(float(result.timeseries["load_kwh"].sum()), rel=1e-5)
    assert result.households[0]["end_use_kwh"]["fridge-freezer"] > 0
    assert "end_use" not in result.to_frame()
    metered = prosumax.run(scenario({"load": {"source": "values", "values": [0.1]}}), optimum=False)
    assert "end_use_kwh" not in metered.timeseries


def test_simbench_rural_states_the_license_of_its_data() -> None:
    pytest.importorskip("simbench")
    preset = load_scenario("simbench-rural", {"period.steps": 96, "network": {}})
    read = read_profiles(preset)
    assert any("Open Database License" in note for note in read.notes)
    assert (read.load_kwh >= 0).all()


def test_an_appliance_that_is_a_device_is_left_out_of_the_load() -> None:
    family = {"load": {"source": "synthetic", "lifestyle": "family"}}
    both = read_profiles(scenario(family))
    apart = read_profiles(
        scenario({**family, "appliances": [{"kind": "washing_machine"}, {"kind": "dryer"}]})
    )
    assert {"washing machine", "tumble dryer"}.isdisjoint(apart.end_use_kwh[0])
    kept = {
        name: kwh
        for name, kwh in both.end_use_kwh[0].items()
        if name not in ("washing machine", "tumble dryer")
    }
    assert apart.end_use_kwh[0] == pytest.approx(kept)
