"""Registered data sources: the schema built from them, and sources of other packages."""

import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pytest

import prosumax
from prosumax.data.base import Array, Source, SourceContext, WeatherSource
from prosumax.data.generators.solar.weather import WeatherSeries, clear_sky_weather
from prosumax.data.registry import load_sources, price_sources, solar_sources, weather_sources
from prosumax.errors import InputError
from prosumax.scenario.loading import dump_scenario, load_scenario
from prosumax.simulation.inputs import read_profiles

REGISTRIES = {
    "load": load_sources,
    "solar": solar_sources,
    "price": price_sources,
    "weather": weather_sources,
}
SHIPPED = {
    "load": "antgen citylearn mahtm marlem schedule simbench synthetic table values",
    "solar": "citylearn mahtm marlem simbench synthetic table values",
    "price": "citylearn day_ahead generation marlem table time_of_use values",
    "weather": "clear_sky file synthetic",
}
WORKED = {"source": "shift_work", "power_kw": 2.0}


@pytest.fixture
def own_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the sources that a test registers."""
    for one in REGISTRIES.values():
        monkeypatch.setattr(one, "_entries", one.entries())


def scenario(**fields: Any) -> dict[str, Any]:
    return {
        "name": "test",
        "period": {"start": "2023-06-05T00:00", "steps": 48, "step_minutes": 30},
        "homes": [
            {"name": "A", "load": WORKED},
            {"name": "B", "load": {"source": "values", "values": [0.1]}},
        ],
        "tariff": {"energy": 0.3, "feed_in": 0.05},
        **fields,
    }


def register_shift_work() -> type[Source]:
    @load_sources.register("shift_work", "Workshop with a night shift.")
    class ShiftWork(Source):
        """A workshop that runs at night."""

        source: Literal["shift_work"]
        power_kw: float
        """Power during the shift."""
        log: Path | None = None

        def read(self, context: SourceContext) -> Array:
            context.note(f"{context.where} is read for {context.time_zone}")
            noise = np.random.default_rng(context.seed("shift work")).uniform()
            hour = context.local_index.hour.to_numpy()
            return (self.power_kw * (hour >= 22) + 0.01 * noise) * context.step_hours

    return ShiftWork


@pytest.mark.parametrize("use", REGISTRIES)
def test_shipped_sources_are_registered_under_their_name(use: str) -> None:
    entries: dict[str, Any] = REGISTRIES[use].entries()
    shipped = {name: entry.component for name, entry in entries.items() if entry.origin is None}
    assert set(shipped) >= set(SHIPPED[use].split())
    for name, source in shipped.items():
        assert get_args(source.model_fields["source"].annotation) == (name,)
        assert source.__doc__


@pytest.mark.usefixtures("own_sources")
def test_a_source_of_a_program_is_read_and_its_fields_are_checked() -> None:
    load_scenario("street")  # The schema has been built without the source.
    with pytest.raises(InputError, match="there is no source 'shift_work'"):
        load_scenario(scenario())
    source = register_shift_work()
    loaded = load_scenario(scenario())
    assert isinstance(loaded.homes[0].load, source)
    profiles = read_profiles(loaded)
    assert "test: homes.0.load is read for Europe/Brussels" in profiles.notes
    kwh = profiles.load_kwh[:, 0]
    # The shift is from 22 h to midnight; the noise is below 0.01 kW.
    assert kwh[-4:].sum() == pytest.approx(4.0, abs=0.02)
    assert kwh[:-4].sum() == pytest.approx(0.0, abs=0.22)
    result = prosumax.run(loaded, optimum=False)
    assert result.kpis["import_kwh"] == pytest.approx(kwh.sum() + 4.8, rel=1e-5)
    with pytest.raises(InputError, match=r"homes\.0\.load\.powr_kw: .*'power_kw'"):
        load_scenario(scenario(), {"homes.0.load.powr_kw": 3})
    with pytest.raises(InputError, match=r"homes\.0\.load\.source: .*'shift_work'"):
        load_scenario(scenario(), ["homes.0.load.source=shift_wrok"])


@pytest.mark.usefixtures("own_sources")
def test_a_scenario_with_a_source_of_a_program_can_be_copied_written_and_pickled() -> None:
    register_shift_work()
    loaded = load_scenario(scenario())
    assert load_scenario(loaded) == loaded
    assert loaded.model_copy(update={"seed": 7}).homes == loaded.homes
    assert "source: shift_work" in dump_scenario(loaded)
    without = load_scenario(scenario(homes=scenario()["homes"][1:]))
    assert pickle.loads(pickle.dumps(without)) == without
    assert "ShiftWork" in type(loaded).model_json_schema()["$defs"]


@pytest.mark.usefixtures("own_sources")
def test_paths_of_a_source_are_relative_to_the_scenario_file(tmp_path: Path) -> None:
    register_shift_work()
    (tmp_path / "s.yaml").write_text(
        "name: s\nperiod: {start: 2023-01-01T00:00, steps: 4, step_minutes: 15}\n"
        "tariff: {energy: 0.3, feed_in: 0}\n"
        "homes: [{name: A, load: {source: shift_work, power_kw: 1, log: shifts/log.csv}}]\n"
    )
    loaded = load_scenario(tmp_path / "s.yaml")
    assert loaded.homes[0].load.model_dump()["log"] == tmp_path / "shifts" / "log.csv"


@pytest.mark.usefixtures("own_sources")
def test_requirements_of_a_source_are_checked() -> None:
    @price_sources.register("exchange", "Prices of an exchange.")
    class Exchange(Source):
        """Prices of an exchange."""

        needs_location = True
        step_minutes = 60
        required_section = "generation"

        source: Literal["exchange"]

        def read(self, context: SourceContext) -> Array:
            assert (context.quantity, context.site.latitude_deg) == ("rate", 50)
            return np.full(context.steps, 0.2 if context.use == "price" else 0.1)

    homes = scenario()["homes"][1:]
    raw = scenario(homes=homes, tariff={"energy": {"source": "exchange"}, "feed_in": 0})
    with pytest.raises(InputError, match=r"tariff\.energy with source exchange needs a `location`"):
        load_scenario(raw)
    location = {"location": {"latitude_deg": 50, "longitude_deg": 4}}
    with pytest.raises(InputError, match="requires section `generation`"):
        load_scenario(raw, location)
    plants = [{"technology": "gas", "capacity": 1, "cost_per_kwh": 0.1}]
    sections = {**location, "generation": {"plants": plants, "demand": 0.5}}
    with pytest.raises(InputError, match=r"set period\.step_minutes to 60"):
        load_scenario(raw, sections)
    hourly = {**sections, "period.step_minutes": 60}
    emissions = {"tariff.emission_factor_kg_per_kwh": {"source": "exchange"}}
    profiles = read_profiles(load_scenario(raw, {**hourly, **emissions}))
    assert (profiles.prices["energy"] == 0.2).all()
    assert (profiles.prices["emission_factor_kg_per_kwh"] == 0.1).all()
    with pytest.raises(InputError, match=r"prices per register.*tariff\.energy"):
        load_scenario(raw, {**hourly, "homes.0.net_metering_kw": 3})


@pytest.mark.usefixtures("own_sources")
@pytest.mark.parametrize(
    ("values", "problem"),
    [([0.1, 0.2], r"shape \(2,\) for 48 steps"), ([np.nan] * 48, "returned nan for step 0")],
)
def test_values_of_a_source_are_checked(values: list[float], problem: str) -> None:
    @load_sources.register("broken", "Source with an error.")
    class Broken(Source):
        """A source with an error."""

        source: Literal["broken"]

        def read(self, context: SourceContext) -> Array:
            return np.array(values)

    homes = [{"name": "A", "load": {"source": "broken"}}]
    with pytest.raises(InputError, match=rf"test: homes\.0\.load: source broken.*{problem}"):
        read_profiles(load_scenario(scenario(homes=homes)))


@pytest.mark.usefixtures("own_sources")
def test_a_weather_source_drives_pv_systems() -> None:
    @weather_sources.register("haze", "Sky of which a part of the light is left.")
    class Haze(WeatherSource):
        """A hazy sky."""

        source: Literal["haze"]
        transmittance: float

        def read(self, context: SourceContext, site_seed: int | None) -> WeatherSeries:
            clear = clear_sky_weather(context.index, *context.site)
            parts = {name: getattr(clear, name) for name in ("ghi", "dni", "dhi")}
            return clear._replace(
                **{name: self.transmittance * part for name, part in parts.items()}
            )

    solar = {"source": "synthetic", "peak_kw": 4}
    raw = scenario(
        homes=[{**scenario()["homes"][1], "solar": solar}],
        location={"latitude_deg": 50.85, "longitude_deg": 4.35},
    )
    clear, hazy, dark = (
        read_profiles(load_scenario(raw, {"weather": weather})).solar_kwh.sum()
        for weather in (
            {"source": "clear_sky"},
            {"source": "haze", "transmittance": 0.5},
            {"source": "haze", "transmittance": 0.0},
        )
    )
    assert dark == 0
    assert 0.4 * clear < hazy < 0.6 * clear


def test_misspelled_source_of_a_price_is_suggested() -> None:
    with pytest.raises(InputError, match=r"tariff\.energy\.source: .*Did you mean 'time_of_use'"):
        load_scenario("street", {"tariff.energy": {"source": "time_of_us"}})


def test_imports_look_up_no_source() -> None:
    code = (
        "import prosumax.simulation.inputs, prosumax.runner, prosumax.scenario.loading;"
        "from prosumax.data import registry as sources;"
        "print(sources.load_sources._has_plugins)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_an_installed_package_adds_a_source_to_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "heater.py").write_text(
        textwrap.dedent(
            '''
            from typing import Literal

            import numpy as np

            import prosumax
            from prosumax.data.base import Source, SourceContext
            from prosumax.data.registry import load_sources
            from prosumax.runner import run
            from prosumax.scenario import Scenario
            from prosumax.simulation.inputs import read_profiles

            PROSUMAX_PLUGIN_API = 1


            @load_sources.register("heater", "Heater at constant power.")
            class Heater(Source):
                """A heater at constant power."""

                source: Literal["heater"]
                power_kw: float = 1.0

                def read(self, context: SourceContext):
                    return np.full(context.steps, self.power_kw * context.step_hours)
            '''
        )
    )
    package = tmp_path / "heater-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: heater\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[prosumax.sources]\nheater = heater\n")
    settings = ["period.steps=4", "homes.0.load={source: heater, power_kw: 3}"]
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from prosumax.cli import main;"
        f"sys.argv = ['prosumax', 'run', 'street', '--json', '--no-optimum',"
        f" '--set', {settings[0]!r}, '--set', {settings[1]!r}]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
