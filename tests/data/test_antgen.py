"""ANTgen traces: mapping to weekdays, caching and damaged files."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.data.readers import antgen
from prosumax.data.readers.antgen import (
    RESIDUAL_END_USE,
    read_antgen,
    read_antgen_events,
    read_antgen_trace,
)
from prosumax.errors import InputError

BRUSSELS = "Europe/Brussels"


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def antgen_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of ANTgen with two days from Friday, 5 January 2001.

    A kettle runs at 7 h on Friday and 9 h on Saturday, beside a refrigerator and 10 W of noise.
    """
    folder = tmp_path_factory.mktemp("antgen")
    kettle = np.zeros(172_800)
    fridge = np.zeros(172_800)
    kettle[7 * 3600 : 7 * 3600 + 180] = 2000
    kettle[33 * 3600 : 33 * 3600 + 90] = 2000
    fridge[::2] = 80
    write_trace(folder / "KETTLE.csv", kettle, "2001-01-05")
    write_trace(folder / "REFRIGERATOR.csv", fridge, "2001-01-05")
    write_trace(folder / "make_tea.csv", kettle, "2001-01-05")  # An activity, with the same energy.
    write_trace(folder / "total.csv", kettle + fridge + 10, "2001-01-05")
    (folder / "events.csv").write_text(
        "Time;Source;Event\n2001-01-05 07:00:00;KETTLE;ON\n2001-01-05 07:03:00;KETTLE;OFF\n"
        "2001-01-06 09:00:00;KETTLE;ON\n2001-01-06 09:01:30;KETTLE;OFF\n"
    )
    return folder


@pytest.fixture
def folder(antgen_output: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(antgen_output, tmp_path / "antgen"))


@pytest.mark.parametrize("rows", [7_000, 500_000])
def test_antgen_days_are_mapped_to_days_of_the_same_weekday(
    folder: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(antgen, "_CHUNK_ROWS", rows)  # 7000 rows do not end on a minute.
    friday = pd.Timestamp("2023-03-03", tz=BRUSSELS)
    index = pd.date_range(friday.tz_convert("UTC"), periods=192, freq="15min")
    load, notes = read_antgen(folder, index, BRUSSELS)
    base_kwh = 0.050 / 4  # Mean of the refrigerator (40 W) and noise (10 W).
    assert load.kwh[28] == pytest.approx(0.1 + base_kwh)  # Friday, 7:00 local time.
    assert load.kwh[96 + 36] == pytest.approx(0.05 + base_kwh)
    assert load.kwh[0] == pytest.approx(base_kwh)
    assert load.end_use_kwh == pytest.approx(
        {"kettle": 0.15, "refrigerator": 0.04 * 48, RESIDUAL_END_USE: 0.01 * 48}
    )
    assert sum(load.end_use_kwh.values()) == pytest.approx(load.kwh.sum())
    assert any("kettle 2" in note for note in notes)


def test_antgen_trace_is_cached(folder: Path) -> None:
    first = read_antgen_trace(folder)
    (folder / "cut.csv").write_text("")
    again = read_antgen_trace(folder)
    np.testing.assert_array_equal(first.total_w, again.total_w)
    assert again.first_day.dayofweek == 4


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
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
            r"total\.csv line 36001: the time is not one second after",
        ),
        (
            "KETTLE.csv",
            "2001-01-05 00:00:00;0.0\n",
            "",
            r"KETTLE\.csv line 1: the file starts at 00:00:01",
        ),
        ("events.csv", "07:03:00;KETTLE;OFF", "07:03:00;KETTLE;GONE", r"events\.csv line 3"),
        ("events.csv", "Time;Source;Event", "Time,Source,Event", r"events\.csv line 1"),
    ],
)
def test_damaged_antgen_file_is_reported_by_line(
    folder: Path, file: str, old: str, new: str, message: str
) -> None:
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    index = pd.date_range("2023-03-03", periods=96, freq="15min", tz="UTC")
    with pytest.raises(InputError, match=message):
        read_antgen(folder, index, BRUSSELS)


def test_antgen_requires_total_and_a_whole_day(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no total\.csv"):
        read_antgen_trace(tmp_path)
    write_trace(tmp_path / "total.csv", np.ones(3600), "2001-01-01")
    with pytest.raises(InputError, match="3600 seconds, less than a day"):
        read_antgen_trace(tmp_path)


def test_antgen_events_are_a_table(folder: Path) -> None:
    events = read_antgen_events(folder / "events.csv")
    assert list(events["event"]) == ["ON", "OFF", "ON", "OFF"]
    assert events["time"].iloc[1] - events["time"].iloc[0] == pd.Timedelta(minutes=3)
