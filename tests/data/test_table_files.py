"""Table files: formats, encodings and selection of the columns of a series."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.data.readers.tables import read_table
from prosumax.errors import InputError
from tests.data.meter_tables import (
    LONG,
    TWO_STEPS,
    WIDE,
    TableWriter,
    hours,
    local_steps,
    read_error,
    rows,
)

# --- file formats


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        ("time,home_kwh\n2023-01-02 00:00,0.5\n2023-01-02 01:00,1.25\n", "a.csv", "utf-8"),
        ("time;home_kwh\n2023-01-02 00:00;0,5\n2023-01-02 01:00;1,25\n", "a.csv", "utf-8"),
        (
            "time;home_kwh\r\n2023-01-02 00:00;0.5\r\n2023-01-02 01:00;1.25\r\n\r\n",
            "a.txt",
            "utf-8",
        ),
        ("time\thome_kwh\n2023-01-02 00:00\t0,5\n2023-01-02 01:00\t1,25\n", "a.tsv", "utf-8"),
        (
            '"time","home_kwh"\n"2023-01-02 00:00","0,5"\n"2023-01-02 01:00","1,25"\n',
            "a.csv",
            "utf-8",
        ),
        ("time;home_kwh\n2023-01-02 00:00;0,5\n2023-01-02 01:00;1,25\n", "a.csv", "utf-8-sig"),
        ("time;Énergie (kWh)\n2023-01-02 00:00;0,5\n2023-01-02 01:00;1,25\n", "a.csv", "latin-1"),
        ("time,home_kwh\n2023-01-02 00:00, 5e-1 \n2023-01-02 01:00, +1.25\n", "a.csv", "utf-8"),
    ],
)
def test_separators_decimals_and_encodings(
    write_table: TableWriter, text: str, name: str, encoding: str
) -> None:
    series, _ = read_table(write_table(text, name, encoding), local_steps("2023-01-02")[:2])
    assert series.dtype == np.float64
    np.testing.assert_array_equal(series, [0.5, 1.25])


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "meters.csv.gz"
    path.write_bytes(gzip.compress(("time,kWh\n" + rows("2023-01-02", [1, 2])).encode()))
    series, _ = read_table(path, local_steps("2023-01-02")[:2])
    np.testing.assert_array_equal(series, [1, 2])
    path.write_bytes(b"\x1f\x8b broken")
    assert "cannot be read" in read_error(path, local_steps("2023-01-02")[:2]).problem


@pytest.mark.parametrize("zone", [None, "Europe/Brussels"])
@pytest.mark.parametrize("as_index", [False, True])
def test_parquet_with_typed_times(tmp_path: Path, zone: str | None, as_index: bool) -> None:
    stamps = pd.date_range("2023-07-01", periods=3, freq="60min", tz=zone)
    frame = pd.DataFrame({"moment": stamps, "a_kWh": [1.0, 2.0, 3.0], "b_kWh": [4, 5, 6]})
    path = tmp_path / "meters.parquet"
    (frame.set_index("moment") if as_index else frame).to_parquet(path)
    series, _ = read_table(path, hours("2023-06-30 22:00", 3), column="b_kWh")
    np.testing.assert_array_equal(series, [4, 5, 6])


def test_parquet_cells_are_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "meters.parquet"
    stamps = pd.date_range("2023-07-01", periods=3, freq="60min")
    pd.DataFrame({"time": stamps, "kwh": [1.0, -2.0, 3.0]}).to_parquet(path)
    assert read_error(path, hours("2023-06-30 22:00", 3)).where == "load: meters.parquet row 2"


def test_long_parquet_with_text_and_number_ids(tmp_path: Path) -> None:
    stamps = pd.date_range("2023-07-01", periods=2, freq="60min", tz="UTC")
    frame = pd.DataFrame(
        {"time": [*stamps, *stamps], "home": [7, 7, 8, 8], "kwh": [1.0, 2.0, 3.0, 4.0]}
    )
    path = tmp_path / "meters.parquet"
    frame.to_parquet(path)
    np.testing.assert_array_equal(read_table(path, hours("2023-07-01", 2), column="8")[0], [3, 4])


# --- missing and empty files


def test_missing_file_suggests_the_nearest_name(write_table: TableWriter) -> None:
    path = write_table("time,kwh\n", "meters.csv")
    with pytest.raises(InputError) as caught:
        read_table(path.with_name("metres.csv"), hours("2023-01-01", 2), where="homes[0].load")
    assert caught.value.where == "homes[0].load: metres.csv"
    assert "'meters.csv'" in caught.value.fix
    assert (
        "no such file"
        in read_error(path.parent / "nowhere" / "a.csv", hours("2023-01-01", 2)).problem
    )
    assert (
        "kind of file" in read_error(path.with_name("meters.xlsx"), hours("2023-01-01", 2)).problem
    )


@pytest.mark.parametrize("text", ["", "\n", "  \n\n", "time,kwh\n", "time,kwh\n\n"])
def test_empty_file(write_table: TableWriter, text: str) -> None:
    error = read_error(write_table(text), hours("2023-01-01", 2))
    assert error.where.startswith("load: meters.csv")
    assert "empty" in error.problem or "no rows" in error.problem


def test_unreadable_parquet(write_table: TableWriter) -> None:
    assert (
        "cannot be read"
        in read_error(write_table("not parquet", "meters.parquet"), hours("2023-01-01", 2)).problem
    )
    assert (
        "cannot be read"
        in read_error(write_table("", "empty.parquet"), hours("2023-01-01", 2)).problem
    )


def test_unquoted_decimal_commas_in_a_comma_separated_file(write_table: TableWriter) -> None:
    error = read_error(
        write_table("time,kwh\n2023-01-02 00:00,1\n2023-01-02 01:00,0,5\n"),
        local_steps("2023-01-02")[:2],
    )
    assert error.where == "load: meters.csv line 3"
    everywhere = read_error(
        write_table("time,kwh\n2023-01-02 00:00,0,5\n", "b.csv"), local_steps("2023-01-02")[:2]
    )
    assert "do not fit" in everywhere.problem and "Quote decimal commas" in everywhere.fix


def test_duplicate_column_names_are_rejected(write_table: TableWriter) -> None:
    assert (
        "'kwh'"
        in read_error(
            write_table("time,kwh,kwh\n2023-01-02 00:00,1,2\n"), hours("2023-01-01", 2)
        ).problem
    )


# --- selection of columns


def test_wide_table(write_table: TableWriter) -> None:
    path = write_table(WIDE)
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, column="home_2_kwh")[0], [3, 4])
    several = read_error(path, TWO_STEPS)
    assert "home_1_kwh, home_2_kwh" in several.problem and "`column`" in several.fix
    unknown = read_error(path, TWO_STEPS, column="home_2_kw")
    assert "Did you mean 'home_2_kwh'?" in unknown.fix


def test_long_table_is_detected(write_table: TableWriter) -> None:
    path = write_table(LONG)
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, column="north")[0], [1, 2])
    np.testing.assert_array_equal(read_table(path, TWO_STEPS, column="007")[0], [3, 4])
    named = read_table(path, TWO_STEPS, column="007", id_column="meter", value_column="value")[0]
    np.testing.assert_array_equal(named, [3, 4])
    several = read_error(path, TWO_STEPS)
    assert "007, north" in several.problem and "`column`" in several.fix
    assert "Did you mean 'north'?" in read_error(path, TWO_STEPS, column="nort").fix
    assert (
        "Did you mean 'north'?" in read_error(path, TWO_STEPS, column="nort", id_column="meter").fix
    )
    assert (
        "Did you mean 'meter'?"
        in read_error(path, TWO_STEPS, column="north", id_column="metre").fix
    )
    assert (
        "Did you mean 'value'?"
        in read_error(path, TWO_STEPS, column="north", value_column="valeu").fix
    )
    assert (
        "Did you mean 'time'?"
        in read_error(path, TWO_STEPS, column="north", time_column="tyme").fix
    )


def test_long_table_of_one_home_needs_no_column(write_table: TableWriter) -> None:
    text = "time,home,kwh\n2023-01-02 00:00,a,1\n2023-01-02 01:00,a,2\n"
    np.testing.assert_array_equal(read_table(write_table(text), TWO_STEPS)[0], [1, 2])
    np.testing.assert_array_equal(
        read_table(write_table(text), TWO_STEPS, id_column="home")[0], [1, 2]
    )


def test_a_remark_column_does_not_make_a_table_long(write_table: TableWriter) -> None:
    text = "time,kwh,remark\n2023-01-02 00:00,1,read\n2023-01-02 01:00,2,estimated\n"
    np.testing.assert_array_equal(read_table(write_table(text), TWO_STEPS)[0], [1, 2])


def test_row_numbers_of_a_written_frame_are_not_a_series(write_table: TableWriter) -> None:
    text = ",time,kwh\n0,2023-01-02 00:00,1\n1,2023-01-02 01:00,2\n"
    np.testing.assert_array_equal(read_table(write_table(text), TWO_STEPS)[0], [1, 2])


def test_table_without_numbers_is_rejected(write_table: TableWriter) -> None:
    assert (
        "no column with numbers"
        in read_error(write_table("time,remark\n2023-01-02 00:00,a\n"), TWO_STEPS).problem
    )


def test_export_of_the_belgian_grid_operator(write_table: TableWriter) -> None:
    head = (
        "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Register;Volume;"
        "Eenheid;Validatiestatus"
    )
    meter = "541440110000000011;1SAG1100000001"
    text = f"""{head}
02-01-2023;00:00:00;02-01-2023;00:15:00;{meter};Afname Actief;0,056;kWh;Gevalideerd
02-01-2023;00:00:00;02-01-2023;00:15:00;{meter};Injectie Actief;0;kWh;Gevalideerd
02-01-2023;00:15:00;02-01-2023;00:30:00;{meter};Afname Actief;0,044;kWh;Geschat
02-01-2023;00:15:00;02-01-2023;00:30:00;{meter};Injectie Actief;0,1;kWh;Gevalideerd
"""
    index = local_steps("2023-01-02", minutes=15)[:2]
    np.testing.assert_array_equal(
        read_table(write_table(text), index, column="Afname Actief")[0], [0.056, 0.044]
    )
    np.testing.assert_array_equal(
        read_table(write_table(text), index, column="Injectie Actief")[0], [0, 0.1]
    )
