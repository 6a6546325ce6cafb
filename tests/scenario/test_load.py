"""Loading, overriding and dumping of scenarios, and errors with field, value and fix."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prosumax.errors import InputError
from prosumax.scenario.loading import dump_scenario, load_scenario, scenario_preset_paths


@pytest.mark.parametrize("name", scenario_preset_paths())
def test_presets_are_equal_after_a_round_trip(name):
    scenario = load_scenario(name)
    assert load_scenario(yaml.safe_load(dump_scenario(scenario))) == scenario
    assert scenario.description


def test_overrides_find_fields_by_name_and_list_entries_by_index_or_name(tiny):
    untouched = copy.deepcopy(tiny)
    scenario = load_scenario(
        tiny,
        [
            "tariff.feed_in=0",
            "homes.0.battery.capacity_kwh=7",
            "homes[1].policy=self-consumption",
            "homes.shady.name=x",
        ],
    )
    assert scenario.tariff.feed_in == 0
    assert scenario.homes[0].battery.capacity_kwh == 7
    assert (scenario.homes[1].policy, scenario.homes[1].name) == ("self-consumption", "x")
    assert load_scenario(tiny, {"homes.0.battery": None}).homes[0].battery is None
    assert tiny == untouched


def test_files_are_relative_to_the_scenario_file(tiny, tmp_path):
    tiny["homes"][0]["load"] = {"source": "table", "file": "meters/a.csv"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(tiny))
    assert load_scenario(tmp_path / "mine.yaml").homes[0].load.file == tmp_path / "meters" / "a.csv"


# Path of the invalid field, its value, and words of the message: field, value and fix.
INVALID_FIELDS = [
    ("homes.0.battery.capacity_kwh", -5, ["homes.0.battery.capacity_kwh", "-5", "greater than 0"]),
    ("homes.0.battery.capacity_kwh", "big", ["homes.0.battery.capacity_kwh", "'big'", "number"]),
    (
        "homes.0.battery.capacity_kw",
        5,
        ["homes.0.battery.capacity_kw", "no such field", "capacity_kwh"],
    ),
    ("homes.0.battery.soc_min", 0.99999, ["homes.0.battery", "soc_min"]),
    (
        "homes.0.load.source",
        "tabel",  # codespell:ignore
        ["homes.0.load.source", "'tabel'", "Did you mean 'table'"],  # codespell:ignore
    ),
    ("homes.0.load", {"values": [1]}, ["homes.0.load", "has no `source`", "values"]),
    (
        "homes.1.load.vaules",  # codespell:ignore
        [1],
        ["homes.1.load.vaules", "Did you mean 'values'"],  # codespell:ignore
    ),
    ("homes", [], ["homes", "no homes", "at least one"]),
    ("homes.1.name", "sunny", ["homes", "two homes are called 'sunny'"]),
    ("period.steps", 0, ["period.steps", "0", "greater than or equal to 1"]),
    ("period.steps", "many", ["period.steps", "'many'", "integer"]),
    ("period.step_minutes", 20, ["period.step_minutes", "20", "15"]),
    ("period.start", "2023-13-01", ["period.start", "2023-13-01"]),
    ("period.time_zone", "Europe/Brussel", ["period.time_zone", "Europe/Brussel"]),
    ("tariff.feed_in", float("nan"), ["tariff.feed_in", "nan", "finite"]),
    ("tariff.feedin", 0.1, ["tariff.feedin", "Did you mean 'feed_in'"]),
    (
        "tariff.energy",
        {"source": "time_of_use", "defualt": 1},  # codespell:ignore
        ["tariff.energy", "default"],
    ),
    ("tariff.vat", 21, ["tariff.vat", "21", "less than or equal to 1"]),
    ("polcy", "none", ["polcy", "Did you mean 'policy'"]),  # codespell:ignore
    ("homes.0.solar", {"source": "synthetic", "peak_kw": 4}, ["location", "latitude_deg"]),
]


@pytest.mark.parametrize(
    ("path", "value", "words"), INVALID_FIELDS, ids=lambda part: str(part)[:30]
)
def test_an_invalid_value_is_reported_with_field_value_and_fix(tiny, path, value, words):
    if path == "homes.0.battery.soc_min":
        tiny["homes"][0]["battery"]["soc_max"] = 0.5
    with pytest.raises(InputError) as caught:
        load_scenario(tiny, {path: value})
    message = str(caught.value)
    assert "\n" not in message and "pydantic" not in message
    for word in words:
        assert word in message, message


def test_a_missing_field_is_reported(tiny):
    del tiny["tariff"]["energy"]
    with pytest.raises(InputError, match=r"tariff\.energy is required"):
        load_scenario(tiny)


def test_close_names_of_presets_and_files_are_suggested(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'street'"):
        load_scenario("stret")
    (tmp_path / "village.yaml").write_text("name: x")
    with pytest.raises(InputError, match="Did you mean 'village.yaml'"):
        load_scenario(tmp_path / "vilage.yaml")


def test_invalid_yaml_is_reported_with_its_line(tmp_path):
    (tmp_path / "bad.yaml").write_text("name: x\nhomes: [1, 2\nperiod: 3\n")
    with pytest.raises(InputError, match="line 3"):
        load_scenario(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    with pytest.raises(InputError, match="not a scenario"):
        load_scenario(tmp_path / "list.yaml")


@pytest.mark.parametrize(
    "text", ["tariff.feed_in", "=3", "homes.9.policy=none", "name.first=x", "tariff.vat={"]
)
def test_invalid_overrides_are_reported(tiny, text):
    with pytest.raises(InputError, match="--set"):
        load_scenario(tiny, [text])


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(
    content=_json,
    path=st.sampled_from(
        ["homes", "tariff.energy", "homes.0.load", "period", "market", "homes.0.solar"]
    ),
)
def test_any_content_is_loaded_or_reported_as_an_input_error(content, path):
    scenario = {
        "name": "any",
        "period": {"start": "2023-06-01T10:00", "steps": 4, "step_minutes": 60},
        "homes": [{"name": "a", "load": {"source": "values", "values": [0.5]}}],
        "tariff": {"energy": 0.30, "feed_in": 0.05},
    }
    try:
        load_scenario(scenario, {path: content})
    except InputError as error:
        assert str(error)
