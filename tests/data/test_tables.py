"""Units, steps, gaps and wrong cells of meter tables; goldens are small sums made by hand."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prosumax.data.readers import table_file
from prosumax.data.readers.tables import read_table
from tests.data.meter_tables import (
    AUTUMN,
    TWO_HOURS,
    WIDE,
    Writer,
    as_csv,
    autumn_stamps,
    fails,
    local_steps,
    rows,
)

# --- units and steps


@pytest.mark.parametrize(
    ("header", "unit", "expected"),
    [
        ("home_1_kwh", None, 2.0),
        ("home_1_Wh", None, 0.002),
        ("Load [kW]", None, 0.5),
        ("Verbruik (W)", None, 0.0005),
        ("kWh", None, 2.0),
        ("home", "KWH", 2.0),
        ("home", "kw", 0.5),
        ("home_kwh", "W", 0.0005),
    ],
)
def test_units_over_a_quarter_of_an_hour(
    write: Writer, header: str, unit: str | None, expected: float
) -> None:
    path = write(f"time,{header}\n" + rows("2023-01-02", [2, 2], minutes=15))
    series, _ = read_table(path, local_steps("2023-01-02", minutes=15)[:2], unit=unit)
    np.testing.assert_allclose(series, expected, rtol=1e-15)


def test_unit_column(write: Writer) -> None:
    text = "time,id,value,Unit\n2023-01-02 00:00,a,500,Wh\n2023-01-02 01:00,a,250,Wh\n2023-01-02 00:00,b,1,kWh\n"
    path = write(text + "2023-01-02 01:00,b,2,kW\n")
    np.testing.assert_array_equal(read_table(path, TWO_HOURS, column="a")[0], [0.5, 0.25])
    assert "kW, kWh" in fails(path, TWO_HOURS, column="b").problem


def test_unknown_units(write: Writer) -> None:
    path = write("time,home\n" + rows("2023-01-02", [1, 2]))
    error = fails(path, TWO_HOURS)
    assert "unit of 'home' is unknown" in error.problem and "`unit`" in error.fix
    assert "MWh" in fails(path, TWO_HOURS, unit="MWh").problem
    np.testing.assert_array_equal(read_table(path, TWO_HOURS, quantity="rate")[0], [1, 2])


def test_finer_table(write: Writer) -> None:
    path = write("time,x_kwh\n" + rows("2023-01-02", [1, 2, 3, 4, 5, 6, 7, 8], minutes=15))
    series, notes = read_table(path, TWO_HOURS)
    np.testing.assert_array_equal(series, [10, 26])
    assert any("4 values of 15 min make one step" in note for note in notes)
    np.testing.assert_array_equal(read_table(path, TWO_HOURS, quantity="rate")[0], [2.5, 6.5])
    # Power: 1 + 2 + 3 + 4 kW over a quarter of an hour each make 2.5 kWh.
    power = write(
        "time,x_kw\n" + rows("2023-01-02", [1, 2, 3, 4, 5, 6, 7, 8], minutes=15), "power.csv"
    )
    np.testing.assert_array_equal(read_table(power, TWO_HOURS)[0], [2.5, 6.5])


def test_finer_table_with_a_missing_part_is_a_gap(write: Writer) -> None:
    path = write("time,x_kwh\n" + rows("2023-01-02", [1, 2, "", 4, 5, 6, 7, 8], minutes=15))
    assert "1 gap, 1 step missing: 2023-01-02 00:30" in fails(path, TWO_HOURS).problem


def test_coarser_table(write: Writer) -> None:
    path = write("time,x_kwh\n" + rows("2023-01-02", [4, 8]))
    index = local_steps("2023-01-02", minutes=15)
    series, notes = read_table(path, index[:8])
    np.testing.assert_array_equal(series, [1, 1, 1, 1, 2, 2, 2, 2])
    assert any("spread evenly" in note for note in notes)
    np.testing.assert_array_equal(
        read_table(path, index[:8], quantity="rate")[0], [4, 4, 4, 4, 8, 8, 8, 8]
    )
    # A period may begin and end inside a step of the table.
    np.testing.assert_array_equal(read_table(path, index[3:6])[0], [1, 2, 2])


def test_steps_that_do_not_fit(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", [1] * 6, minutes=40))
    error = fails(path, local_steps("2023-01-02")[:3])
    assert "40 min" in error.problem and "60 min" in error.problem
    shifted = write("time,kwh\n" + rows("2023-01-02", [1] * 6).replace("02:00", "02:20"))
    error = fails(shifted, TWO_HOURS)
    assert error.where == "load: meters.csv line 4" and "02:20 is not the start" in error.problem
    assert (
        "2023-01-02 00:05"
        in fails(write("time,kwh\n2023-01-02 00:05,1\n2023-01-02 01:05,1\n"), TWO_HOURS).problem
    )
    assert "fewer than two" in fails(write("time,kwh\n2023-01-02 00:00,1\n"), TWO_HOURS).problem
    assert (
        "fewer than two"
        in fails(
            write("time,kwh\n2023-01-02 00:00,\n2023-01-02 01:00,\n"), TWO_HOURS, column="kwh"
        ).problem
    )


# --- gaps


def day_with(values: dict[int, object], hours_of_day: int = 24) -> list[object]:
    return [values.get(hour, hour) for hour in range(hours_of_day)]


def test_a_whole_day_needs_no_filling(write: Writer) -> None:
    for fill in ("none", "interpolate", "zero"):
        series, notes = read_table(
            write("time,kwh\n" + rows("2023-01-02", range(24))),
            local_steps("2023-01-02"),
            fill=fill,
        )
        np.testing.assert_array_equal(series, np.arange(24))
        assert not any("filled" in note for note in notes)


@pytest.mark.parametrize("empty", ["", "NaN", "null", "NA", " "])
def test_empty_cells(write: Writer, empty: str) -> None:
    path = write("time,home_kwh\n" + rows("2023-01-02", day_with({5: empty, 6: empty, 9: empty})))
    error = fails(path, local_steps("2023-01-02"))
    assert error.where == "load: meters.csv line 7"
    assert "'home_kwh' has 2 gaps, 3 steps missing" in error.problem
    assert (
        "2023-01-02 05:00 .. 2023-01-02 06:00 (empty cell, line 7); 2023-01-02 09:00" in error.problem
    )
    assert "2023-01-02 has 21 values, expected 24" in error.problem
    for word in ("fill: interpolate", "fill: zero", "complete the file", "shorten the period"):
        assert word in error.fix
    series, notes = read_table(path, local_steps("2023-01-02"), fill="interpolate")
    np.testing.assert_allclose(series, np.arange(24), rtol=1e-15)
    assert notes[-1].startswith(
        "meters.csv column 'home_kwh': 2 gaps, 3 steps filled by interpolation: 2023-01-02 05:00"
    )
    zeros, notes = read_table(path, local_steps("2023-01-02"), fill="zero")
    assert zeros[[5, 6, 9]].tolist() == [0, 0, 0] and zeros.sum() == sum(range(24)) - 20
    assert "filled by zero" in notes[-1]


def test_missing_rows(write: Writer) -> None:
    lines = rows("2023-05-04", range(96), minutes=15).splitlines(keepends=True)
    kept = [line for line in lines if not ("10:00" <= line[11:16] < "11:30")]
    error = fails(write("time,kwh\n" + "".join(kept)), local_steps("2023-05-04", minutes=15))
    assert error.where == "load: meters.csv"
    assert "1 gap, 6 steps missing: 2023-05-04 10:00 .. 2023-05-04 11:15" in error.problem
    assert "2023-05-04 has 90 values, expected 96" in error.problem


def test_only_three_gaps_are_listed(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys((2, 4, 6, 8, 10), ""))))
    error = fails(path, local_steps("2023-01-02"))
    assert "5 gaps, 5 steps" in error.problem and "06:00 (empty cell, line 8); ..." in error.problem
    assert "08:00" not in error.problem


def test_a_single_step_takes_its_length_from_the_index(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", day_with({}, 24)))
    np.testing.assert_array_equal(read_table(path, local_steps("2023-01-02")[3:4])[0], [3])
    quarter = local_steps("2023-01-02", minutes=15)[5:6]
    np.testing.assert_array_equal(read_table(path, quarter)[0], [0.25])
    day = pd.date_range(
        "2023-01-02 02:00", periods=1, freq="4h", tz="UTC"
    )  # 3 to 7 o'clock in Brussels
    np.testing.assert_array_equal(read_table(path, day)[0], [3 + 4 + 5 + 6])
    error = fails(path, pd.DatetimeIndex(quarter, freq=None))
    assert error.where == "load: index" and "freq" in error.fix


def test_gaps_outside_the_period_do_not_matter(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", day_with({20: ""})))
    np.testing.assert_array_equal(
        read_table(path, local_steps("2023-01-02")[:20])[0], np.arange(20)
    )
    # The neighbour beyond the period's end still serves to interpolate.
    np.testing.assert_array_equal(
        read_table(path, local_steps("2023-01-02")[:21], fill="interpolate")[0][-1:], [20]
    )


def test_a_gap_at_the_edge_of_the_table_repeats_the_nearest_value(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", ["", 3, 5, ""]))
    series, _ = read_table(path, local_steps("2023-01-02")[:4], fill="interpolate")
    np.testing.assert_array_equal(series, [3, 3, 5, 5])


def test_interpolation_ends_at_24_hours(write: Writer) -> None:
    index = local_steps("2023-01-02", 3)
    day = write(
        "time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys(range(10, 34), ""), 72)), "day.csv"
    )
    np.testing.assert_allclose(
        read_table(day, index, fill="interpolate")[0], np.arange(72), rtol=1e-14
    )
    more = write(
        "time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys(range(10, 35), ""), 72)),
        "more.csv",
    )
    error = fails(more, index, fill="interpolate")
    assert "24 h" in error.problem and "2023-01-02 10:00 .. 2023-01-03 10:00" in error.problem
    # The part inside the period is short, the gap is not.
    assert "24 h" in fails(more, index[:12], fill="interpolate").problem
    assert read_table(more, index, fill="zero")[0].sum() == sum(range(72)) - sum(range(10, 35))


@pytest.mark.parametrize("fill", ["none", "interpolate", "zero"])
def test_a_table_that_does_not_cover_the_period(write: Writer, fill: str) -> None:
    path = write("time,kwh\n" + rows("2023-01-02", range(40)))
    error = fails(path, local_steps("2023-01-01", 4), fill=fill)
    assert "lengths do not line up" in error.problem
    assert "40 rows from 2023-01-02 00:00 to 2023-01-03 16:00" in error.problem
    assert "needs 96 from 2023-01-01 00:00 to 2023-01-05 00:00" in error.problem
    assert "2023-01-03 has 16 values, expected 24" in error.problem
    assert "START" in error.fix
    assert (
        "lengths do not line up" in fails(path, local_steps("2023-01-02", 2), fill=fill).problem
    )  # ends early
    assert (
        "lengths do not line up" in fails(path, local_steps("2023-01-01", 2), fill=fill).problem
    )  # starts late
    assert (
        "lengths do not line up" in fails(path, local_steps("2022-01-01", 2), fill=fill).problem
    )  # elsewhere


# --- cells that are wrong


def test_duplicated_times(write: Writer) -> None:
    path = write("time,kwh\n2023-01-02 00:00,1\n2023-01-02 01:00,2\n2023-01-02 01:00,3\n")
    error = fails(path, TWO_HOURS)
    assert error.where == "load: meters.csv line 4" and "line 3" in error.problem


def test_three_passes_of_the_autumn_hour_are_duplicates(write: Writer) -> None:
    stamps = autumn_stamps(60)
    error = fails(
        write(as_csv([*stamps[:3], stamps[2], stamps[2], *stamps[4:]])), local_steps(AUTUMN)
    )
    assert error.where == "load: meters.csv line 6" and "line 5" in error.problem


def test_negative_energy(write: Writer) -> None:
    path = write("time,kwh\n2023-01-02 00:00,1\n2023-01-02 01:00,-0.25\n")
    error = fails(path, TWO_HOURS)
    assert error.where == "load: meters.csv line 3" and "-0.25" in error.problem
    assert "consumption and injection as separate columns" in error.fix
    np.testing.assert_array_equal(read_table(path, TWO_HOURS, quantity="rate")[0], [1, -0.25])


@pytest.mark.parametrize(
    "cell", ["abc", "1,2,3", "1.2.3", "1 234", "0x1F", "True", "12 kWh", "1_000"]
)
def test_text_in_a_value_cell(write: Writer, cell: str) -> None:
    # The blank line and the line number after it: the user counts lines of the file, not rows of data.
    path = write(f"time;kwh\n2023-01-02 00:00;1\n\n2023-01-02 01:00;{cell}\n2023-01-02 02:00;1\n")
    error = fails(path, TWO_HOURS, column="kwh")
    assert error.where == "load: meters.csv line 4" and repr(cell) in error.problem


@pytest.mark.parametrize("cell", ["inf", "-Infinity"])
def test_infinite_value(write: Writer, cell: str) -> None:
    path = write(f"time;kwh\n2023-01-02 00:00;1\n2023-01-02 01:00;{cell}\n")
    error = fails(path, TWO_HOURS, quantity="rate")
    assert error.where == "load: meters.csv line 3" and "infinite" in error.problem


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["1.234,5", "0,5"], 2),
        (["0.5", "1,234.5"], 3),
        (["0,5", "0,25", "1.234"], 4),
        (["0.5", "0.25", "1,234"], 4),
    ],
)
def test_thousands_separators_are_not_guessed(write: Writer, cells: list[str], line: int) -> None:
    error = fails(write("time;kwh\n" + rows("2023-01-02", cells, ";")), TWO_HOURS)
    assert error.where == f"load: meters.csv line {line}" and "thousands" in error.problem


def test_quoted_commas_in_a_comma_separated_file_may_be_thousands(write: Writer) -> None:
    assert (
        "thousands"
        in fails(write("time,wh\n" + rows("2023-01-02", ['"1,234"', '"2,345"'])), TWO_HOURS).problem
    )
    decimal = write("time,kwh\n" + rows("2023-01-02", ['"0,234"', '"2,345"']), "decimal.csv")
    np.testing.assert_array_equal(read_table(decimal, TWO_HOURS)[0], [0.234, 2.345])


def test_implausible_power_is_noted(write: Writer) -> None:
    path = write("time,kwh\n2023-01-02 00:00,200\n2023-01-02 01:00,350\n")
    series, notes = read_table(path, TWO_HOURS)
    np.testing.assert_array_equal(series, [200, 350])
    assert any("line 3 has 350 kW" in note and "is the unit right?" in note for note in notes)
    assert not any("unit right" in note for note in read_table(path, TWO_HOURS, quantity="rate")[1])


def test_unknown_options(write: Writer) -> None:
    path = write(WIDE)
    assert "Did you mean 'interpolate'?" in fails(path, TWO_HOURS, fill="interpolat").fix
    assert "Allowed: energy, rate." in fails(path, TWO_HOURS, quantity="speed").fix


# --- size


def test_a_hundred_homes_parse_one_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    parse_text = table_file._parse_text

    def counted(file_name: str, raw: bytes) -> tuple[pd.DataFrame, str]:
        calls.append(1)
        return parse_text(file_name, raw)

    monkeypatch.setattr(table_file, "_parse_text", counted)
    stamps = pd.date_range("2023-01-02", periods=96, freq="15min")
    load = np.round(np.random.default_rng(0).random((96, 100)), 4)
    frame = pd.DataFrame(load, columns=[f"home_{home}_kwh" for home in range(100)])
    frame.insert(0, "time", stamps)
    path = tmp_path / "street.csv"
    frame.to_csv(path, index=False)
    index = local_steps("2023-01-02", minutes=15)
    for home in range(100):
        np.testing.assert_array_equal(
            read_table(path, index, column=f"home_{home}_kwh")[0], load[:, home]
        )
    assert len(calls) == 1
    path.write_text(path.read_text().replace("home_0_kwh", "home_0_wh"))
    os.utime(path, (1, 1))
    np.testing.assert_allclose(
        read_table(path, index, column="home_0_wh")[0], load[:, 0] / 1000, rtol=1e-15
    )
    assert len(calls) == 2


def test_a_year_of_quarter_hours_is_read_quickly(tmp_path: Path) -> None:
    index = local_steps("2023-01-01", 365, minutes=15)
    assert len(index) == 35040
    load = np.round(np.random.default_rng(0).random((len(index), 10)), 3)
    frame = pd.DataFrame(load, columns=[f"home_{home}_kwh" for home in range(10)])
    frame.insert(0, "time", index.tz_convert("Europe/Brussels").strftime("%Y-%m-%d %H:%M"))
    path = tmp_path / "street.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    begin = time.perf_counter()
    for home in range(10):
        np.testing.assert_array_equal(
            read_table(path, index, column=f"home_{home}_kwh")[0], load[:, home]
        )
    assert time.perf_counter() - begin < 10  # some 1 s; the slack is for a busy machine


# --- round trip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(st.floats(0, 150, allow_subnormal=False), min_size=2, max_size=30),
    begin_h=st.sampled_from(
        ["2023-01-05", "2023-03-25 22:00", "2023-10-28 22:00", "2024-02-28 20:00"]
    ),
    minutes=st.sampled_from([15, 30, 60]),
    separator=st.sampled_from([",", ";", "\t"]),
    decimal=st.sampled_from([".", ","]),
    style=st.sampled_from(["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%z", "%d/%m/%Y %H:%M"]),
    unit=st.sampled_from(["kWh", "Wh", "kW", "W"]),
    long=st.booleans(),
)
def test_round_trip(
    tmp_path: Path,
    values: list[float],
    begin_h: str,
    minutes: int,
    separator: str,
    decimal: str,
    style: str,
    unit: str,
    long: bool,
) -> None:
    """What is written in any style comes back, to within the twelve digits that were written."""
    index = pd.date_range(
        pd.Timestamp(begin_h, tz="UTC"), periods=len(values), freq=f"{minutes}min"
    )
    per_kwh = {"kWh": 1.0, "Wh": 1000.0, "kW": 60 / minutes, "W": 60000 / minutes}[unit]
    stamps = index.tz_convert("Europe/Brussels").strftime(style)

    def cell(number: float) -> str:
        text = f"{number * per_kwh:.11e}".replace(".", decimal)
        return f'"{text}"' if decimal == separator else text

    homes = {"a": values, "b": values[::-1]}
    if long:
        lines = [
            [stamp, home, cell(homes[home][at])]
            for at, stamp in enumerate(stamps)
            for home in homes
        ]
        header = ["time", "home", f"load [{unit}]"]
    else:
        lines = [
            [stamp, *(cell(homes[home][at]) for home in homes)] for at, stamp in enumerate(stamps)
        ]
        header = ["time", *(f"{home}_{unit}" for home in homes)]
    path = (
        tmp_path
        / f"{abs(hash((tuple(values), begin_h, minutes, separator, decimal, style, unit, long)))}.csv"
    )
    path.write_text("\n".join(separator.join(line) for line in [header, *lines]))
    for home, expected in homes.items():
        series, _ = read_table(path, index, column=home if long else f"{home}_{unit}")
        np.testing.assert_allclose(series, expected, rtol=1e-9, atol=0)
