"""Time stamps in every notation, and the two days on which the clock changes; goldens made by hand."""

import numpy as np
import pandas as pd
import pytest

from prosumax.data.readers.tables import read_table
from tests.data.meter_tables import (
    AUTUMN,
    SPRING,
    TWO_HOURS,
    Writer,
    as_csv,
    autumn_stamps,
    fails,
    hours,
    local_steps,
    rows,
    spring_stamps,
)

# --- times


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2023-12-31 22:00", "2023-12-31 23:00"),  # Brussels is UTC+1
        ("2023-12-31T22:00:00", "2023-12-31T23:00:00.004"),
        ("2023/12/31 22:00", "2023/12/31 23:00"),
        ("2023-12-31T21:00Z", "2023-12-31T22:00Z"),
        ("2023-12-31T22:00:00+01:00", "2023-12-31T23:00:00+01:00"),
        ("2023-12-31 17:30:00-0330", "2023-12-31 18:30:00-0330"),
        ("31/12/2023 22:00", "31/12/2023 23:00"),
        ("31-12-2023 22:00", "31-12-2023 23:00:00"),
        ("31.12.2023 22:00", "31.12.2023 23:00"),
        ("12/31/2023 22:00", "12/31/2023 23:00"),
    ],
)
def test_formats_of_time(write: Writer, first: str, second: str) -> None:
    path = write(f"x;when;kWh\n1;{first};1\n2;{second};2\n")
    series, notes = read_table(path, hours("2023-12-31 21:00", 2), column="kWh")
    np.testing.assert_array_equal(series, [1, 2])
    assert any("month/day" in note for note in notes) == first.startswith("12/31")


def test_day_first_holds_for_the_whole_column(write: Writer) -> None:
    days = pd.date_range(
        "2023-01-12", periods=48, freq="60min"
    )  # 12/01 alone could be the first of December
    path = write(
        "time,kwh\n" + "".join(f"{stamp:%d/%m/%Y %H:%M},{at}\n" for at, stamp in enumerate(days))
    )
    np.testing.assert_array_equal(read_table(path, local_steps("2023-01-12", 2))[0], np.arange(48))


def test_a_column_of_small_days_and_months_is_read_day_first_with_a_note(write: Writer) -> None:
    path = write("time,kwh\n02/01/2023 00:00,1\n02/01/2023 01:00,2\n")
    series, notes = read_table(path, TWO_HOURS)
    np.testing.assert_array_equal(series, [1, 2])
    assert any("day/month" in note for note in notes)


def test_date_and_clock_columns_are_joined(write: Writer) -> None:
    path = write("Datum;Uur;Verbruik (kWh)\n02/01/2023;00:00;1\n02/01/2023;01:00;2\n")
    series, notes = read_table(path, TWO_HOURS)
    np.testing.assert_array_equal(series, [1, 2])
    assert "Datum + Uur" in notes[0] and "kWh per 60 min" in notes[0]
    np.testing.assert_array_equal(read_table(path, TWO_HOURS, time_column="Datum")[0], [1, 2])


def test_a_time_name_is_preferred_and_a_given_one_wins(write: Writer) -> None:
    path = write(
        "read_on,start,kwh\n2023-02-01 00:00,2023-01-02 00:00,1\n2023-02-01 01:00,2023-01-02 01:00,2\n",
    )
    np.testing.assert_array_equal(read_table(path, TWO_HOURS)[0], [1, 2])
    february = local_steps("2023-02-01")[:2]
    np.testing.assert_array_equal(read_table(path, february, time_column="read_on")[0], [1, 2])


def test_times_that_cannot_be_read(write: Writer) -> None:
    text = "time,kwh\n" + rows("2023-01-02", [1] * 24) + "Total,24\n"
    error = fails(write(text), local_steps("2023-01-02"))
    assert error.where == "load: meters.csv line 26" and "'Total'" in error.problem
    for stamp in ("2023-02-30 00:00", "2023-01-02 25:00", "2023-01-02 00:75", ""):
        error = fails(
            write(f"time,kwh\n2023-01-02 00:00,1\n{stamp},2\n"), TWO_HOURS, time_column="time"
        )
        assert error.where == "load: meters.csv line 3"
    both = "time,kwh\n31/12/2023 00:00,1\n12/31/2023 01:00,1\n"
    assert fails(write(both), TWO_HOURS).where == "load: meters.csv line 3"
    assert (
        "offset"
        in fails(write("time,kwh\n2023-01-02 00:00Z,1\n2023-01-02 01:00,1\n"), TWO_HOURS).problem
    )
    assert "a, kwh" in fails(write("a,kwh\n1,2\n3,4\n"), TWO_HOURS).problem


def test_time_zones(write: Writer) -> None:
    path = write("time,kwh\n" + rows("2023-07-01", [1, 2]))
    np.testing.assert_array_equal(
        read_table(path, hours("2023-07-01 00:00", 2), time_zone=None)[0], [1, 2]
    )
    np.testing.assert_array_equal(read_table(path, hours("2023-06-30 22:00", 2))[0], [1, 2])
    np.testing.assert_array_equal(
        read_table(path, hours("2023-06-30 23:00", 2), time_zone="Etc/GMT-1")[0], [1, 2]
    )
    error = fails(path, hours("2023-07-01", 2), time_zone="Europe/Bruxelles")
    assert error.where == "load: time_zone"


def test_rows_may_stand_in_any_order(write: Writer) -> None:
    text = "time,kwh\n2023-01-02 01:00,2\n2023-01-02 00:00,1\n"
    np.testing.assert_array_equal(read_table(write(text), TWO_HOURS)[0], [1, 2])


# --- the days on which the clock changes


@pytest.mark.parametrize(("minutes", "count"), [(60, 23), (15, 92)])
def test_spring_day(write: Writer, minutes: int, count: int) -> None:
    index = local_steps(SPRING, minutes=minutes)
    assert len(index) == count
    series, _ = read_table(write(as_csv(spring_stamps(minutes))), index)
    np.testing.assert_array_equal(series, np.arange(count))


@pytest.mark.parametrize(("minutes", "count"), [(60, 25), (15, 100)])
def test_autumn_day(write: Writer, minutes: int, count: int) -> None:
    index = local_steps(AUTUMN, minutes=minutes)
    assert len(index) == count
    stamps = autumn_stamps(minutes)
    np.testing.assert_array_equal(read_table(write(as_csv(stamps)), index)[0], np.arange(count))
    backwards = read_table(write(as_csv(stamps[::-1], range(count)[::-1])), index)[0]
    np.testing.assert_array_equal(backwards, np.arange(count))


def test_spring_hour_that_does_not_exist(write: Writer) -> None:
    naive = list(pd.date_range(SPRING, periods=24, freq="60min"))
    error = fails(write(as_csv(naive)), local_steps(SPRING))
    assert error.where == "load: meters.csv line 4"
    assert "2023-03-26 02:00 does not exist" in error.problem and "time_zone" in error.fix
    empty_there = ["" if stamp.hour == 2 else 1 for stamp in naive]
    assert read_table(write(as_csv(naive, empty_there)), local_steps(SPRING))[0].sum() == 23


def test_autumn_hour_that_stands_there_once_is_a_gap_of_an_hour(write: Writer) -> None:
    path = write(as_csv(list(pd.date_range(AUTUMN, periods=96, freq="15min"))))
    error = fails(path, local_steps(AUTUMN, minutes=15))
    assert "1 gap, 4 steps missing: 2023-10-29 02:00 .. 2023-10-29 02:45" in error.problem
    assert "the hour that the clock repeats in autumn" in error.problem
    assert "2023-10-29 has 96 values, expected 100" in error.problem
    series, notes = read_table(path, local_steps(AUTUMN, minutes=15), fill="interpolate")
    # The first pass holds 8, 9, 10, 11 and 03:00 holds 12: four steps lie between 11 and 12.
    np.testing.assert_allclose(series[8:17], [8, 9, 10, 11, 11.2, 11.4, 11.6, 11.8, 12], rtol=1e-15)
    assert any("1 gap, 4 steps filled by interpolation" in note for note in notes)


def test_each_home_of_a_long_table_has_its_own_autumn(write: Writer) -> None:
    stamps = autumn_stamps(60)
    lines = [
        f"{stamp:%Y-%m-%d %H:%M},{home},{at}\n"
        for at, stamp in enumerate(stamps)
        for home in ("a", "b")
    ]
    series, _ = read_table(
        write("time,home,kwh\n" + "".join(lines)), local_steps(AUTUMN), column="b"
    )
    np.testing.assert_array_equal(series, np.arange(25))
