"""Time columns: notations, time zones and transitions of daylight saving time."""

import numpy as np
import pandas as pd
import pytest

from prosumax.data.readers.tables import read_table
from tests.data.meter_tables import (
    DST_BEGIN,
    DST_END,
    TWO_STEPS,
    TableWriter,
    dst_begin_times,
    dst_end_times,
    hours,
    local_steps,
    read_error,
    rows,
    to_csv,
)

# --- notations of time


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2023-12-31 22:00", "2023-12-31 23:00"),  # Brussels has UTC+1.
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
def test_formats_of_time(write_table: TableWriter, first: str, second: str) -> None:
    path = write_table(f"x;when;kWh\n1;{first};1\n2;{second};2\n")
    series, notes = read_table(path, hours("2023-12-31 21:00", 2), column="kWh")
    np.testing.assert_array_equal(series, [1, 2])
    assert any("month/day" in note for note in notes) == first.startswith("12/31")


def test_day_first_holds_for_the_whole_column(write_table: TableWriter) -> None:
    days = pd.date_range(
        "2023-01-12", periods=48, freq="60min"
    )  # 12/01 alone could be the first of December
    path = write_table(
        "time,kwh\n" + "".join(f"{stamp:%d/%m/%Y %H:%M},{at}\n" for at, stamp in enumerate(days))
    )
    np.testing.assert_array_equal(read_table(path, local_steps("2023-01-12", 2))[0], np.arange(48))


def test_ambiguous_dates_are_read_day_first_with_a_note(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n02/01/2023 00:00,1\n02/01/2023 01:00,2\n")
    series, notes = read_table(path, TWO_STEPS)
    np.testing.assert_array_equal(series, [1, 2])
    assert any("day/month" in note for note in notes)


def test_date_and_clock_columns_are_joined(write_table: TableWriter) -> None:
    path = write_table("Datum;Uur;Verbruik (kWh)\n02/01/2023;00:00;1\n02/01/2023;01:00;2\n")
    series, notes = read_table(path, TWO_STEPS)
    np.testing.assert_array_equal(series, [1, 2])
    assert "Datum + Uur" in notes[0] and "kWh per 60 min" in notes[0]
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, time_column="Datum")[0], [1, 2])


def test_time_column_is_detected_by_name_and_can_be_set(write_table: TableWriter) -> None:
    path = write_table(
        "read_on,start,kwh\n"
        "2023-02-01 00:00,2023-01-02 00:00,1\n"
        "2023-02-01 01:00,2023-01-02 01:00,2\n",
    )
    np.testing.assert_array_equal(read_table(path, TWO_STEPS)[0], [1, 2])
    february = local_steps("2023-02-01")[:2]
    np.testing.assert_array_equal(read_table(path, february, time_column="read_on")[0], [1, 2])


def test_unreadable_times_are_reported_by_line(write_table: TableWriter) -> None:
    text = "time,kwh\n" + rows("2023-01-02", [1] * 24) + "Total,24\n"
    error = read_error(write_table(text), local_steps("2023-01-02"))
    assert error.where == "load: meters.csv line 26" and "'Total'" in error.problem
    for stamp in ("2023-02-30 00:00", "2023-01-02 25:00", "2023-01-02 00:75", ""):
        error = read_error(
            write_table(f"time,kwh\n2023-01-02 00:00,1\n{stamp},2\n"), TWO_STEPS, time_column="time"
        )
        assert error.where == "load: meters.csv line 3"
    both = "time,kwh\n31/12/2023 00:00,1\n12/31/2023 01:00,1\n"
    assert read_error(write_table(both), TWO_STEPS).where == "load: meters.csv line 3"
    assert (
        "offset"
        in read_error(
            write_table("time,kwh\n2023-01-02 00:00Z,1\n2023-01-02 01:00,1\n"), TWO_STEPS
        ).problem
    )
    assert "a, kwh" in read_error(write_table("a,kwh\n1,2\n3,4\n"), TWO_STEPS).problem


def test_time_zones(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n" + rows("2023-07-01", [1, 2]))
    np.testing.assert_array_equal(
        read_table(path, hours("2023-07-01 00:00", 2), time_zone=None)[0], [1, 2]
    )
    np.testing.assert_array_equal(read_table(path, hours("2023-06-30 22:00", 2))[0], [1, 2])
    np.testing.assert_array_equal(
        read_table(path, hours("2023-06-30 23:00", 2), time_zone="Etc/GMT-1")[0], [1, 2]
    )
    error = read_error(path, hours("2023-07-01", 2), time_zone="Europe/Bruxelles")
    assert error.where == "load: time_zone"


def test_rows_may_be_in_any_order(write_table: TableWriter) -> None:
    text = "time,kwh\n2023-01-02 01:00,2\n2023-01-02 00:00,1\n"
    np.testing.assert_array_equal(read_table(write_table(text), TWO_STEPS)[0], [1, 2])


# --- transitions of daylight saving time


@pytest.mark.parametrize(("minutes", "count"), [(60, 23), (15, 92)])
def test_day_on_which_daylight_saving_time_begins(
    write_table: TableWriter, minutes: int, count: int
) -> None:
    index = local_steps(DST_BEGIN, minutes=minutes)
    assert len(index) == count
    series, _ = read_table(write_table(to_csv(dst_begin_times(minutes))), index)
    np.testing.assert_array_equal(series, np.arange(count))


@pytest.mark.parametrize(("minutes", "count"), [(60, 25), (15, 100)])
def test_day_on_which_daylight_saving_time_ends(
    write_table: TableWriter, minutes: int, count: int
) -> None:
    index = local_steps(DST_END, minutes=minutes)
    assert len(index) == count
    stamps = dst_end_times(minutes)
    np.testing.assert_array_equal(
        read_table(write_table(to_csv(stamps)), index)[0], np.arange(count)
    )
    backwards = read_table(write_table(to_csv(stamps[::-1], range(count)[::-1])), index)[0]
    np.testing.assert_array_equal(backwards, np.arange(count))


def test_values_in_the_skipped_hour_are_rejected(write_table: TableWriter) -> None:
    naive = list(pd.date_range(DST_BEGIN, periods=24, freq="60min"))
    error = read_error(write_table(to_csv(naive)), local_steps(DST_BEGIN))
    assert error.where == "load: meters.csv line 4"
    assert "2023-03-26 02:00 does not exist" in error.problem and "time_zone" in error.fix
    empty_there = ["" if stamp.hour == 2 else 1 for stamp in naive]
    assert (
        read_table(write_table(to_csv(naive, empty_there)), local_steps(DST_BEGIN))[0].sum() == 23
    )


def test_missing_repeated_hour_is_a_gap_of_an_hour(write_table: TableWriter) -> None:
    path = write_table(to_csv(list(pd.date_range(DST_END, periods=96, freq="15min"))))
    error = read_error(path, local_steps(DST_END, minutes=15))
    assert "1 gap, 4 steps missing: 2023-10-29 02:00 .. 2023-10-29 02:45" in error.problem
    assert "the hour repeated at the end of daylight saving time" in error.problem
    assert "2023-10-29 has 96 values, expected 100" in error.problem
    series, notes = read_table(path, local_steps(DST_END, minutes=15), fill="interpolate")
    # The first occurrence holds 8 to 11 and 03:00 holds 12, with four steps between 11 and 12.
    np.testing.assert_allclose(series[8:17], [8, 9, 10, 11, 11.2, 11.4, 11.6, 11.8, 12], rtol=1e-15)
    assert any("1 gap, 4 steps filled by interpolation" in note for note in notes)


def test_repeated_hour_is_resolved_per_home_of_a_long_table(write_table: TableWriter) -> None:
    stamps = dst_end_times(60)
    lines = [
        f"{stamp:%Y-%m-%d %H:%M},{home},{at}\n"
        for at, stamp in enumerate(stamps)
        for home in ("a", "b")
    ]
    series, _ = read_table(
        write_table("time,home,kwh\n" + "".join(lines)), local_steps(DST_END), column="b"
    )
    np.testing.assert_array_equal(series, np.arange(25))
