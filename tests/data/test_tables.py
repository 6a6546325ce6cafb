"""Tables as series: units, steps, gaps, invalid cells and speed."""

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
    DST_END,
    TWO_STEPS,
    WIDE,
    TableWriter,
    dst_end_times,
    local_steps,
    read_error,
    rows,
    to_csv,
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
def test_units_are_converted_to_kwh_per_quarter_hour(
    write_table: TableWriter, header: str, unit: str | None, expected: float
) -> None:
    path = write_table(f"time,{header}\n" + rows("2023-01-02", [2, 2], minutes=15))
    series, _ = read_table(path, local_steps("2023-01-02", minutes=15)[:2], unit=unit)
    np.testing.assert_allclose(series, expected, rtol=1e-15)


def test_unit_column(write_table: TableWriter) -> None:
    path = write_table(
        "time,id,value,Unit\n2023-01-02 00:00,a,500,Wh\n2023-01-02 01:00,a,250,Wh\n"
        "2023-01-02 00:00,b,1,kWh\n2023-01-02 01:00,b,2,kW\n"
    )
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, column="a")[0], [0.5, 0.25])
    assert "kW, kWh" in read_error(path, TWO_STEPS, column="b").problem


def test_unknown_units(write_table: TableWriter) -> None:
    path = write_table("time,home\n" + rows("2023-01-02", [1, 2]))
    error = read_error(path, TWO_STEPS)
    assert "unit of 'home' is unknown" in error.problem and "`unit`" in error.fix
    assert "MWh" in read_error(path, TWO_STEPS, unit="MWh").problem
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, quantity="rate")[0], [1, 2])


def test_finer_table(write_table: TableWriter) -> None:
    path = write_table("time,x_kwh\n" + rows("2023-01-02", [1, 2, 3, 4, 5, 6, 7, 8], minutes=15))
    series, notes = read_table(path, TWO_STEPS)
    np.testing.assert_array_equal(series, [10, 26])
    assert any("4 values of 15 min make one step" in note for note in notes)
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, quantity="rate")[0], [2.5, 6.5])
    # 1, 2, 3 and 4 kW over a quarter-hour each are 2.5 kWh.
    power = write_table(
        "time,x_kw\n" + rows("2023-01-02", [1, 2, 3, 4, 5, 6, 7, 8], minutes=15), "power.csv"
    )
    np.testing.assert_array_equal(read_table(power, TWO_STEPS)[0], [2.5, 6.5])


def test_finer_table_with_a_missing_part_is_a_gap(write_table: TableWriter) -> None:
    path = write_table("time,x_kwh\n" + rows("2023-01-02", [1, 2, "", 4, 5, 6, 7, 8], minutes=15))
    assert "1 gap, 1 step missing: 2023-01-02 00:30" in read_error(path, TWO_STEPS).problem


def test_coarser_table(write_table: TableWriter) -> None:
    path = write_table("time,x_kwh\n" + rows("2023-01-02", [4, 8]))
    index = local_steps("2023-01-02", minutes=15)
    series, notes = read_table(path, index[:8])
    np.testing.assert_array_equal(series, [1, 1, 1, 1, 2, 2, 2, 2])
    assert any("spread evenly" in note for note in notes)
    np.testing.assert_array_equal(
        read_table(path, index[:8], quantity="rate")[0], [4, 4, 4, 4, 8, 8, 8, 8]
    )
    # The period may begin and end within a step of the table.
    np.testing.assert_array_equal(read_table(path, index[3:6])[0], [1, 2, 2])


def test_incompatible_steps_are_rejected(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n" + rows("2023-01-02", [1] * 6, minutes=40))
    error = read_error(path, local_steps("2023-01-02")[:3])
    assert "40 min" in error.problem and "60 min" in error.problem
    shifted = write_table("time,kwh\n" + rows("2023-01-02", [1] * 6).replace("02:00", "02:20"))
    error = read_error(shifted, TWO_STEPS)
    assert error.where == "load: meters.csv line 4" and "02:20 is not the start" in error.problem
    assert (
        "2023-01-02 00:05"
        in read_error(
            write_table("time,kwh\n2023-01-02 00:05,1\n2023-01-02 01:05,1\n"), TWO_STEPS
        ).problem
    )
    assert (
        "fewer than two"
        in read_error(write_table("time,kwh\n2023-01-02 00:00,1\n"), TWO_STEPS).problem
    )
    assert (
        "fewer than two"
        in read_error(
            write_table("time,kwh\n2023-01-02 00:00,\n2023-01-02 01:00,\n"), TWO_STEPS, column="kwh"
        ).problem
    )


# --- gaps


def day_with(values: dict[int, object], hours_of_day: int = 24) -> list[object]:
    return [values.get(hour, hour) for hour in range(hours_of_day)]


def test_complete_day_is_not_filled(write_table: TableWriter) -> None:
    for fill in ("none", "interpolate", "zero"):
        series, notes = read_table(
            write_table("time,kwh\n" + rows("2023-01-02", range(24))),
            local_steps("2023-01-02"),
            fill=fill,
        )
        np.testing.assert_array_equal(series, np.arange(24))
        assert not any("filled" in note for note in notes)


@pytest.mark.parametrize("empty", ["", "NaN", "null", "NA", " "])
def test_empty_cells(write_table: TableWriter, empty: str) -> None:
    path = write_table(
        "time,home_kwh\n" + rows("2023-01-02", day_with({5: empty, 6: empty, 9: empty}))
    )
    error = read_error(path, local_steps("2023-01-02"))
    assert error.where == "load: meters.csv line 7"
    assert "'home_kwh' has 2 gaps, 3 steps missing" in error.problem
    assert (
        "2023-01-02 05:00 .. 2023-01-02 06:00 (empty cell, line 7); 2023-01-02 09:00"
        in error.problem
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


def test_missing_rows(write_table: TableWriter) -> None:
    lines = rows("2023-05-04", range(96), minutes=15).splitlines(keepends=True)
    kept = [line for line in lines if not ("10:00" <= line[11:16] < "11:30")]
    error = read_error(
        write_table("time,kwh\n" + "".join(kept)), local_steps("2023-05-04", minutes=15)
    )
    assert error.where == "load: meters.csv"
    assert "1 gap, 6 steps missing: 2023-05-04 10:00 .. 2023-05-04 11:15" in error.problem
    assert "2023-05-04 has 90 values, expected 96" in error.problem


def test_only_three_gaps_are_listed(write_table: TableWriter) -> None:
    path = write_table(
        "time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys((2, 4, 6, 8, 10), "")))
    )
    error = read_error(path, local_steps("2023-01-02"))
    assert "5 gaps, 5 steps" in error.problem and "06:00 (empty cell, line 8); ..." in error.problem
    assert "08:00" not in error.problem


def test_a_single_step_takes_its_length_from_the_index(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n" + rows("2023-01-02", day_with({}, 24)))
    np.testing.assert_array_equal(read_table(path, local_steps("2023-01-02")[3:4])[0], [3])
    quarter = local_steps("2023-01-02", minutes=15)[5:6]
    np.testing.assert_array_equal(read_table(path, quarter)[0], [0.25])
    day = pd.date_range(
        "2023-01-02 02:00", periods=1, freq="4h", tz="UTC"
    )  # 3 to 7 o'clock in Brussels
    np.testing.assert_array_equal(read_table(path, day)[0], [3 + 4 + 5 + 6])
    error = read_error(path, pd.DatetimeIndex(quarter, freq=None))
    assert error.where == "load: index" and "freq" in error.fix


def test_gaps_outside_the_period_are_ignored(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n" + rows("2023-01-02", day_with({20: ""})))
    np.testing.assert_array_equal(
        read_table(path, local_steps("2023-01-02")[:20])[0], np.arange(20)
    )
    # Interpolation uses the value after the end of the period.
    np.testing.assert_array_equal(
        read_table(path, local_steps("2023-01-02")[:21], fill="interpolate")[0][-1:], [20]
    )


def test_a_gap_at_the_edge_of_the_table_repeats_the_nearest_value(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n" + rows("2023-01-02", ["", 3, 5, ""]))
    series, _ = read_table(path, local_steps("2023-01-02")[:4], fill="interpolate")
    np.testing.assert_array_equal(series, [3, 3, 5, 5])


def test_gaps_over_24_hours_are_not_interpolated(write_table: TableWriter) -> None:
    index = local_steps("2023-01-02", 3)
    day = write_table(
        "time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys(range(10, 34), ""), 72)), "day.csv"
    )
    np.testing.assert_allclose(
        read_table(day, index, fill="interpolate")[0], np.arange(72), rtol=1e-14
    )
    more = write_table(
        "time,kwh\n" + rows("2023-01-02", day_with(dict.fromkeys(range(10, 35), ""), 72)),
        "more.csv",
    )
    error = read_error(more, index, fill="interpolate")
    assert "24 h" in error.problem and "2023-01-02 10:00 .. 2023-01-03 10:00" in error.problem
    # The part of the gap within the period is short, but the gap is not.
    assert "24 h" in read_error(more, index[:12], fill="interpolate").problem
    assert read_table(more, index, fill="zero")[0].sum() == sum(range(72)) - sum(range(10, 35))


@pytest.mark.parametrize("fill", ["none", "interpolate", "zero"])
def test_table_that_does_not_cover_the_period_is_rejected(
    write_table: TableWriter, fill: str
) -> None:
    path = write_table("time,kwh\n" + rows("2023-01-02", range(40)))
    error = read_error(path, local_steps("2023-01-01", 4), fill=fill)
    assert "does not cover the period" in error.problem
    assert "40 rows from 2023-01-02 00:00 to 2023-01-03 16:00" in error.problem
    assert "needs 96 from 2023-01-01 00:00 to 2023-01-05 00:00" in error.problem
    assert "2023-01-03 has 16 values, expected 24" in error.problem
    assert "START" in error.fix
    assert (
        "does not cover the period"
        in read_error(path, local_steps("2023-01-02", 2), fill=fill).problem
    )  # ends early
    assert (
        "does not cover the period"
        in read_error(path, local_steps("2023-01-01", 2), fill=fill).problem
    )  # starts late
    assert (
        "does not cover the period"
        in read_error(path, local_steps("2022-01-01", 2), fill=fill).problem
    )  # elsewhere


# --- invalid cells


def test_duplicate_times_are_rejected(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n2023-01-02 00:00,1\n2023-01-02 01:00,2\n2023-01-02 01:00,3\n")
    error = read_error(path, TWO_STEPS)
    assert error.where == "load: meters.csv line 4" and "line 3" in error.problem


def test_third_occurrence_of_the_repeated_hour_is_a_duplicate(write_table: TableWriter) -> None:
    stamps = dst_end_times(60)
    error = read_error(
        write_table(to_csv([*stamps[:3], stamps[2], stamps[2], *stamps[4:]])), local_steps(DST_END)
    )
    assert error.where == "load: meters.csv line 6" and "line 5" in error.problem


def test_negative_energy_is_rejected(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n2023-01-02 00:00,1\n2023-01-02 01:00,-0.25\n")
    error = read_error(path, TWO_STEPS)
    assert error.where == "load: meters.csv line 3" and "-0.25" in error.problem
    assert "consumption and injection as separate columns" in error.fix
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, quantity="rate")[0], [1, -0.25])


@pytest.mark.parametrize(
    "cell", ["abc", "1,2,3", "1.2.3", "1 234", "0x1F", "True", "12 kWh", "1_000"]
)
def test_text_in_a_value_cell_is_rejected(write_table: TableWriter, cell: str) -> None:
    # The error counts lines of the file, blank ones included.
    path = write_table(
        f"time;kwh\n2023-01-02 00:00;1\n\n2023-01-02 01:00;{cell}\n2023-01-02 02:00;1\n"
    )
    error = read_error(path, TWO_STEPS, column="kwh")
    assert error.where == "load: meters.csv line 4" and repr(cell) in error.problem


@pytest.mark.parametrize("cell", ["inf", "-Infinity"])
def test_infinite_value_is_rejected(write_table: TableWriter, cell: str) -> None:
    path = write_table(f"time;kwh\n2023-01-02 00:00;1\n2023-01-02 01:00;{cell}\n")
    error = read_error(path, TWO_STEPS, quantity="rate")
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
def test_thousands_separators_are_not_guessed(
    write_table: TableWriter, cells: list[str], line: int
) -> None:
    error = read_error(write_table("time;kwh\n" + rows("2023-01-02", cells, ";")), TWO_STEPS)
    assert error.where == f"load: meters.csv line {line}" and "thousands" in error.problem


def test_quoted_commas_in_a_comma_separated_file_may_be_thousands(write_table: TableWriter) -> None:
    assert (
        "thousands"
        in read_error(
            write_table("time,wh\n" + rows("2023-01-02", ['"1,234"', '"2,345"'])), TWO_STEPS
        ).problem
    )
    decimal = write_table("time,kwh\n" + rows("2023-01-02", ['"0,234"', '"2,345"']), "decimal.csv")
    np.testing.assert_array_equal(read_table(decimal, TWO_STEPS)[0], [0.234, 2.345])


def test_implausible_power_is_noted(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n2023-01-02 00:00,200\n2023-01-02 01:00,350\n")
    series, notes = read_table(path, TWO_STEPS)
    np.testing.assert_array_equal(series, [200, 350])
    assert any("line 3 has 350 kW" in note and "check the unit" in note for note in notes)
    assert not any(
        "check the unit" in note for note in read_table(path, TWO_STEPS, quantity="rate")[1]
    )


def test_unknown_options_are_rejected(write_table: TableWriter) -> None:
    path = write_table(WIDE)
    assert "Did you mean 'interpolate'?" in read_error(path, TWO_STEPS, fill="interpolat").fix
    assert "Allowed: energy, rate." in read_error(path, TWO_STEPS, quantity="speed").fix


# --- size


def test_series_of_one_file_share_one_parse(
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


@pytest.mark.slow
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
    assert time.perf_counter() - begin < 10  # It takes some 1 s on an idle machine.


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
    """Any format is read back within the twelve digits that were written."""
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
    example = (tuple(values), begin_h, minutes, separator, decimal, style, unit, long)
    path = tmp_path / f"{abs(hash(example))}.csv"
    path.write_text("\n".join(separator.join(line) for line in [header, *lines]))
    for home, expected in homes.items():
        series, _ = read_table(path, index, column=home if long else f"{home}_{unit}")
        np.testing.assert_allclose(series, expected, rtol=1e-9, atol=0)
