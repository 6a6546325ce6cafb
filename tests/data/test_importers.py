"""Profiles made by others: ANTgen's traces and AMBAL's signatures (in files written here), SimBench, and days."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.data.generators.day_sequences import cyclic_weekday_selector, map_days_to_period, nearest_weekday_selector
from prosumax.data.generators.household.appliances import APPLIANCES
from prosumax.data.generators.household.load import synthetic_load
from prosumax.data.generators.household.schedule import OpeningPeriod, schedule_kwh
from prosumax.data.readers import antgen
from prosumax.data.readers.ambal import read_ambal_appliances, read_ambal_signature
from prosumax.data.readers.antgen import RESIDUAL_END_USE, read_antgen, read_antgen_events, read_antgen_trace
from prosumax.errors import InputError

BRUSSELS = "Europe/Brussels"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROSUMAX_CACHE_DIR", str(tmp_path / "cache"))


def write_trace(path: Path, watts: np.ndarray, start: str) -> None:
    day = pd.Timestamp(start)
    clock = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400)]
    dates = [f"{day + pd.Timedelta(days=n):%Y-%m-%d}" for n in range(len(watts) // 86_400 + 1)]
    lines = [
        f"{dates[s // 86_400]} {clock[s % 86_400]};{watt:.1f}\n"
        for s, watt in enumerate(watts.tolist())
    ]
    path.write_text("".join(lines))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days from a Friday (5 January 2001): a kettle at 7 on Friday and 9 on Saturday, a fridge, 10 W of noise."""
    folder = tmp_path_factory.mktemp("antgen")
    kettle, fridge = np.zeros(172_800), np.zeros(172_800)
    kettle[7 * 3600 : 7 * 3600 + 180] = 2000
    kettle[33 * 3600 : 33 * 3600 + 90] = 2000
    fridge[::2] = 80
    write_trace(folder / "KETTLE.csv", kettle, "2001-01-05")
    write_trace(folder / "REFRIGERATOR.csv", fridge, "2001-01-05")
    write_trace(folder / "make_tea.csv", kettle, "2001-01-05")  # an activity: the same energy again
    write_trace(folder / "total.csv", kettle + fridge + 10, "2001-01-05")
    (folder / "events.csv").write_text(
        "Time;Source;Event\n2001-01-05 07:00:00;KETTLE;ON\n2001-01-05 07:03:00;KETTLE;OFF\n"
        "2001-01-06 09:00:00;KETTLE;ON\n2001-01-06 09:01:30;KETTLE;OFF\n"
    )
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "antgen"))


@pytest.mark.parametrize("rows", [7_000, 500_000])
def test_antgen_lands_on_days_of_the_same_weekday(
    run: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(antgen, "_ROWS", rows)  # pieces that do not end on minutes
    friday = pd.Timestamp("2023-03-03", tz=BRUSSELS)
    index = pd.date_range(friday.tz_convert("UTC"), periods=192, freq="15min")
    load, notes = read_antgen(run, index, BRUSSELS)
    base_kwh = 0.050 / 4  # the fridge's mean of 40 W and the noise
    assert load.kwh[28] == pytest.approx(0.1 + base_kwh)  # Friday, 7:00 by the local clock
    assert load.kwh[96 + 36] == pytest.approx(0.05 + base_kwh)
    assert load.kwh[0] == pytest.approx(base_kwh)
    assert load.end_use_kwh == pytest.approx(
        {"kettle": 0.15, "refrigerator": 0.04 * 48, RESIDUAL_END_USE: 0.01 * 48}
    )
    assert sum(load.end_use_kwh.values()) == pytest.approx(load.kwh.sum())
    assert any("kettle 2" in note for note in notes)


def test_antgen_is_read_once(run: Path) -> None:
    first = read_antgen_trace(run)
    (run / "cut.csv").write_text("")
    again = read_antgen_trace(run)
    np.testing.assert_array_equal(first.total_w, again.total_w)
    assert again.first_day.dayofweek == 4


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "total.csv",
            "2001-01-05 00:01:40;90.0",
            "2001-01-05 00:01:40;nine",
            r"total\.csv line 101",
        ),
        (
            "total.csv",
            "2001-01-05 10:00:00;90.0\n",
            "",
            r"total\.csv line 36001: is not one second after",
        ),
        ("KETTLE.csv", "2001-01-05 00:00:00;0.0\n", "", r"KETTLE\.csv line 1: starts at 00:00:01"),
        ("events.csv", "07:03:00;KETTLE;OFF", "07:03:00;KETTLE;GONE", r"events\.csv line 3"),
        ("events.csv", "Time;Source;Event", "Time,Source,Event", r"events\.csv line 1"),
    ],
)
def test_damage_is_named(run: Path, file: str, old: str, new: str, said: str) -> None:
    path = run / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    index = pd.date_range("2023-03-03", periods=96, freq="15min", tz="UTC")
    with pytest.raises(InputError, match=said):
        read_antgen(run, index, BRUSSELS)


def test_antgen_needs_its_total_and_a_day(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no total\.csv"):
        read_antgen_trace(tmp_path)
    write_trace(tmp_path / "total.csv", np.ones(3600), "2001-01-01")
    with pytest.raises(InputError, match="3600 seconds, less than a day"):
        read_antgen_trace(tmp_path)


def test_events_are_a_table(run: Path) -> None:
    events = read_antgen_events(run / "events.csv")
    assert list(events["event"]) == ["ON", "OFF", "ON", "OFF"]
    assert events["time"].iloc[1] - events["time"].iloc[0] == pd.Timedelta(minutes=3)


SIGNATURE = """<?xml version="1.0"?>
<profile duration="{duration}" type="{kind}">
  <load type="ON_OFF"><onPower value="{watts}"/><duration value="0.5"/></load>
  <load type="LINEAR"><startPower value="100"/><endPower value="300"/><duration value="0.1"/></load>
  <load type="ON_OFF_DECAY"><activePower value="50"/><peakPower value="150"/><decayRate value="0.5"/>
    <duration value="0.2"/></load>
  <load type="ON_OFF_GROWTH"><basePower value="10"/><growthRate value="2"/><duration value="0.1"/></load>
  <load type="NOISE"><lower value="0"/><mean value="20"/><stdev value="5"/><upper value="40"/>
    <duration value="0.1"/></load>
</profile>
"""


def test_a_signature_second_by_second(tmp_path: Path) -> None:
    path = tmp_path / "mode0"
    path.write_text(SIGNATURE.format(duration=200, kind="KETTLE", watts=1900))
    signature = read_ambal_signature(path)
    watts = signature.power_w()
    assert (signature.appliance_type, signature.duration_s, len(watts)) == ("KETTLE", 200, 200)
    np.testing.assert_allclose(watts[:100], 1900)
    np.testing.assert_allclose(watts[100:120], np.linspace(100, 300, 20))
    np.testing.assert_allclose(watts[120:160], 50 + 100 * np.exp(-0.5 * np.arange(40)))
    np.testing.assert_allclose(watts[160:180], 10 + 2 * np.log(np.arange(1, 21)))
    np.testing.assert_allclose(watts[180:], 20)
    noisy = signature.power_w(rng=np.random.default_rng(1))[180:]
    assert noisy.std() > 1
    assert (noisy >= 0).all()
    phases = signature.phases()
    assert sum(minutes for minutes, _ in phases) == pytest.approx(200 / 60)
    assert sum(minutes * 60 * mean for minutes, mean in phases) == pytest.approx(watts.sum())


def test_signatures_replace_cycles(tmp_path: Path) -> None:
    for number, watts in enumerate((500, 1000, 3000)):
        path = tmp_path / "KETTLE" / "dev_1" / f"mode{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SIGNATURE.format(duration=240, kind="KETTLE", watts=watts))
    appliances = read_ambal_appliances(tmp_path)
    assert appliances["kettle"].phases[0] == (2.0, 1000.0)
    assert appliances["oven"] == APPLIANCES["oven"]
    index = pd.date_range("2025-01-01", periods=96 * 28, freq="15min", tz="UTC")
    ours, theirs = (
        synthetic_load(index, "couple", None, 4, BRUSSELS, appliances=one).end_use_kwh
        for one in (APPLIANCES, appliances)
    )
    assert theirs["kettle"] < 0.7 * ours["kettle"]
    assert theirs["oven"] == pytest.approx(ours["oven"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ON_OFF_DECAY", "SINE", "load 3: has the unknown type 'SINE'"),
        ('<endPower value="300"/>', "", "load 2: has no number for endPower"),
        ('duration="200"', "", "no <profile>"),
        ("</profile>", "", "not readable XML"),
        ('<duration value="0.5"/>', '<duration value="5"/>', "between 0 and 1"),
    ],
)
def test_a_damaged_signature_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mode0"
    path.write_text(SIGNATURE.format(duration=200, kind="KETTLE", watts=1900).replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        read_ambal_signature(path)


def test_a_folder_without_appliances_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TYPE one of COFFEEMAKER"):
        read_ambal_appliances(tmp_path)


@settings(max_examples=30, deadline=None)
@given(
    first=st.dates(pd.Timestamp("2015-01-01").date(), pd.Timestamp("2030-01-01").date()),
    dates=st.lists(
        st.dates(pd.Timestamp("2000-01-01").date(), pd.Timestamp("2040-12-31").date()), min_size=1
    ),
)
def test_the_same_weekday_is_found_near_by(first: object, dates: list[object]) -> None:
    start, wanted = (
        pd.Timestamp(str(first)).replace(month=1, day=1),
        pd.DatetimeIndex([str(day) for day in dates]),
    )
    days = 366 if start.is_leap_year else 365
    rows = nearest_weekday_selector(start, days)(wanted)
    assert ((rows >= 0) & (rows < days)).all()
    assert ((start.dayofweek + rows) % 7 == wanted.dayofweek).all()
    assert (np.abs(rows - (wanted.dayofyear - 1)) <= 7).all()
    in_the_middle = (wanted.dayofyear > 10) & (wanted.dayofyear < 350)
    assert (np.abs(rows - (wanted.dayofyear - 1))[in_the_middle] <= 3).all()


@pytest.mark.parametrize("freq", ["5min", "15min", "60min"])
def test_laid_days_keep_their_energy_and_their_clock(freq: str) -> None:
    table = np.arange(3 * 96, dtype=float).reshape(3, 96)
    start = pd.Timestamp("2023-06-05", tz=BRUSSELS)
    index = pd.date_range(
        start, start + pd.Timedelta(days=2), freq=freq, inclusive="left"
    ).tz_convert("UTC")
    pick = cyclic_weekday_selector(start.dayofweek, 3)
    laid = map_days_to_period(table, pick, index, BRUSSELS)
    rows = pick(pd.DatetimeIndex(["2023-06-05", "2023-06-06"]))
    assert list(rows) == [0, 1]
    np.testing.assert_allclose(laid.reshape(2, -1).sum(axis=1), table[:2].sum(axis=1))


def test_a_building_keeps_hours() -> None:
    start = pd.Timestamp("2025-07-04", tz=BRUSSELS)  # a Friday
    index = pd.date_range(
        start, start + pd.Timedelta(days=18), freq="60min", inclusive="left"
    ).tz_convert("UTC")
    hours = [OpeningPeriod(8.0, 7, 18, "weekdays")]
    kwh = schedule_kwh(index, BRUSSELS, 1.5, hours, [((7, 8), (8, 27))], 0.0, 0).reshape(18, 24)
    assert kwh[0].sum() == pytest.approx(24 * 1.5 + 11 * 8)
    assert kwh[0, 7] == 9.5
    assert kwh[0, 18] == 1.5
    np.testing.assert_allclose(kwh[1:3], 1.5)  # weekend
    np.testing.assert_allclose(kwh[4:], 1.5)  # holidays from 8 July, the national day among them
    over_new_year = schedule_kwh(index, BRUSSELS, 0.0, hours, [((12, 25), (1, 7))], 0.0, 0)
    assert over_new_year.sum() == pytest.approx(
        11 * 8 * 11
    )  # 11 workdays: 21 July is a public holiday
    drawn = schedule_kwh(index, BRUSSELS, 0.0, hours, [], 0.2, 3).reshape(18, 24)
    assert drawn[0].std() > 0
    np.testing.assert_array_equal(
        schedule_kwh(index[24:], BRUSSELS, 0.0, hours, [], 0.2, 3).reshape(17, 24), drawn[1:]
    )


class TestSimBench:
    """With the package; its data stay there."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        if find_spec("simbench") is None:
            pytest.skip("simbench is not installed")

    def test_a_year_of_a_household(self) -> None:
        from prosumax.data.readers.simbench import simbench_load

        year = pd.date_range("2015-12-31 23:00", periods=366 * 96, freq="15min", tz="UTC")
        kwh = simbench_load("H0-A", 3500.0, year, "Etc/GMT-1")
        assert kwh.sum() == pytest.approx(3500.0, rel=1e-6)  # 2016 itself: every day takes itself
        hourly = simbench_load("H0-A", 3500.0, year[::4], "Etc/GMT-1")
        np.testing.assert_allclose(hourly, kwh.reshape(-1, 4).sum(axis=1))

    def test_a_roof_at_the_level_asked_for(self) -> None:
        from prosumax.data.readers.simbench import simbench_solar

        year = pd.date_range("2016-01-01", periods=366 * 24, freq="60min", tz="UTC")
        kwh = simbench_solar("PV5", 950.0, year)
        assert kwh.sum() == pytest.approx(950.0, rel=1e-6)
        noon = (kwh * year.hour.to_numpy()).sum() / kwh.sum() + 0.5
        assert noon == pytest.approx(11.2, abs=0.5)  # UTC, some 10 degrees east

    def test_names_are_checked(self) -> None:
        from prosumax.data.readers.simbench import simbench_load, simbench_solar

        week = pd.date_range("2016-01-04", periods=96 * 7, freq="15min", tz="UTC")
        with pytest.raises(InputError, match="no profile 'H0-X'"):
            simbench_load("H0-X", 1000.0, week, BRUSSELS)
        with pytest.raises(InputError, match="no profile 'WP4'"):
            simbench_solar("WP4", 1000.0, week)
        for profile in ("Air_Parallel_1", "HLS_A_11.0"):
            assert simbench_load(profile, 3000.0, week, BRUSSELS).sum() > 0


def test_without_simbench_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from prosumax.data.readers import simbench

    monkeypatch.setattr(simbench, "find_spec", lambda name: None)
    week = pd.date_range("2016-01-04", periods=96, freq="15min", tz="UTC")
    with pytest.raises(InputError, match=r"pip install 'prosumax\[simbench\]'"):
        simbench.simbench_load("H0-A", 1000.0, week, BRUSSELS)
