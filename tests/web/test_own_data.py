"""Uploaded meter files: accepted formats and rejections, which store nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.web.model.own_data import (
    MAX_HOMES,
    OwnData,
    Rejection,
    load_own_data,
    own_data_scenario,
    read_own_data,
    split_by_day,
)

STAMPS = pd.date_range("2023-04-19", periods=96, freq="15min")


def lines(steps: int = 96, columns: int = 2, start: str = "2023-04-19") -> list[str]:
    stamps = pd.date_range(start, periods=steps, freq="15min")
    return [
        ";".join(
            [
                at.strftime("%Y-%m-%d %H:%M"),
                *(f"{0.1 + 0.01 * ((row + c) % 9):.2f}".replace(".", ",") for c in range(columns)),
            ]
        )
        for row, at in enumerate(stamps)
    ]


def read(tmp_path: Path, header: str, rows: list[str], bom: bool = False) -> OwnData | Rejection:
    path = tmp_path / "sent.csv"
    path.write_text(("\ufeff" if bom else "") + "\r\n".join([header, *rows]), encoding="utf-8")
    return read_own_data(path, tmp_path)


def test_table_exported_by_excel_in_belgium(tmp_path: Path) -> None:
    data = read(tmp_path, "time;home1;home1_pv;Chloé", lines(columns=3), bom=True)
    assert data == OwnData(("home1", "Chloé"), (True, False), "2023-04-19", 1, 0, 0)
    _, load, solar = load_own_data(tmp_path)
    assert load.shape == solar.shape == (96, 2)
    # The consumption column is the load, not the import that remains after self-consumption.
    np.testing.assert_allclose(load[:, 0], [0.1 + 0.01 * (row % 9) for row in range(96)])
    np.testing.assert_allclose(solar[:, 0], [0.1 + 0.01 * ((row + 1) % 9) for row in range(96)])


def test_production_column_belongs_to_the_only_home(tmp_path: Path) -> None:
    data = read(tmp_path, "time;use;pv", lines())
    assert isinstance(data, OwnData) and data.names == ("use",) and data.has_solar == (True,)


def test_export_of_a_meter_operator(tmp_path: Path) -> None:
    rows = [f"{at:%d-%m-%Y};{at:%H:%M:%S};0,25;0" for at in STAMPS]
    data = read(
        tmp_path, "Datum;Tijd;Maison 1 - Prélèvement (kWh);Maison 1 - Injection (kWh)", rows
    )
    assert isinstance(data, OwnData) and data.names == ("Maison 1",) and data.days == 1


@pytest.mark.parametrize(
    ("steps", "start", "days"), [(92, "2023-03-26", 1), (3 * 96, "2023-04-19", 3)]
)
def test_whole_days_are_kept(tmp_path: Path, steps: int, start: str, days: int) -> None:
    stamps = pd.date_range(pd.Timestamp(start, tz="Europe/Brussels"), periods=steps, freq="15min")
    rows = [f"{at.tz_localize(None):%Y-%m-%d %H:%M};0,2" for at in stamps]
    data = read(tmp_path, "time;a", rows)
    assert isinstance(data, OwnData) and data.days == days and data.dropped == 0


@pytest.mark.parametrize(
    ("start", "steps"), [("2023-03-25", 96 + 92 + 96), ("2023-10-28", 96 + 100 + 96)]
)
def test_days_have_24_hours_when_the_clock_changes(tmp_path: Path, start: str, steps: int) -> None:
    stamps = pd.date_range(pd.Timestamp(start, tz="Europe/Brussels"), periods=steps, freq="15min")
    rows = [f"{at.tz_localize(None):%Y-%m-%d %H:%M};{at.hour / 10:g}" for at in stamps]
    data = read(tmp_path, "time;a", rows)
    assert isinstance(data, OwnData) and data.days == 3
    days = split_by_day(data, load_own_data(tmp_path)[1][:, 0])
    usual = np.repeat(np.arange(24) / 10, 4)
    np.testing.assert_allclose(days[[0, 2]], [usual, usual])
    changed = usual.copy()
    if steps < 288:
        changed[8:12] = 0.1  # the hour that was skipped
    np.testing.assert_allclose(days[1], changed)


def test_incomplete_days_are_dropped_and_reported(tmp_path: Path) -> None:
    data = read(tmp_path, "time;a", lines(steps=40 + 96 + 10, columns=1, start="2023-04-18 14:00"))
    assert isinstance(data, OwnData)
    assert (data.first_day, data.days, data.dropped) == ("2023-04-19", 1, 50)


def test_gaps_are_filled_with_the_hour_before(tmp_path: Path) -> None:
    rows = lines(columns=1)
    data = read(tmp_path, "time;a", rows[:40] + rows[52:])
    assert isinstance(data, OwnData) and data.filled == 12
    _, load, _ = load_own_data(tmp_path)
    np.testing.assert_allclose(load[40:52, 0], np.tile(load[36:40, 0], 3))


def with_line(line: str, number: int, columns: int = 2) -> list[str]:
    """Return a valid table with one replaced line, counted from 1 with the header."""
    rows = lines(columns=columns)
    return [*rows[: number - 2], line, *rows[number - 1 :]]


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        (
            "time;a;a_pv",
            with_line("2023-04-19 08:45;abc;0,1", 37),
            Rejection("number", line=37, cell="abc"),
        ),
        ("time;a;a_pv", lines(90), Rejection("rows", count=90)),
        (
            "time;a",
            with_line("2023-04-19 02:15;-0,5", 11, 1),
            Rejection("negative", line=11, cell="-0,5"),
        ),
        ("time;a;b", with_line("2023-04-19 02:15;1", 11), Rejection("columns", line=11, count=2)),
        ("a;b", [line.split(";", 1)[1] for line in lines()], Rejection("no_time")),
        ("hello", ["world"], Rejection("no_time")),
        ("time;a;a", lines(), Rejection("columns_twice")),
        (
            "time;" + ";".join(f"h{n}" for n in range(25)),
            lines(columns=25),
            Rejection("too_many_homes", count=25),
        ),
        ("time;a", lines(35_137, 1), Rejection("too_long", count=35_137)),
        (
            "time;a",
            lines(columns=1)[:20] + lines(columns=1, start="2023-04-22")[:],
            Rejection("gap", count=268),
        ),
    ],
    ids=lambda value: value.reason if isinstance(value, Rejection) else "",
)  # fmt: skip
def test_rejection_names_the_line_and_stores_nothing(
    tmp_path: Path, header: str, rows: list[str], expected: Rejection
) -> None:
    assert read(tmp_path, header, rows) == expected
    assert not (tmp_path / "series.npz").exists() and not (tmp_path / "data.json").exists()


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"PK\x03\x04" + b"x" * 99, b"a;b\x00\n"]
)
def test_binary_files_are_rejected_whatever_their_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sent.csv"
    path.write_bytes(content)
    assert read_own_data(path, tmp_path) == Rejection("not_text")
    path.write_bytes(b" \n")
    assert read_own_data(path, tmp_path) == Rejection("empty")


def test_markup_in_a_header_is_a_plain_name(tmp_path: Path) -> None:
    data = read(tmp_path, "time;<img src=x onerror=alert(1)>;b", lines())
    assert isinstance(data, OwnData) and data.names[0] == "<img src=x onerror=alert(1)>"


def test_scenario_of_own_data(tmp_path: Path) -> None:
    read(tmp_path, "time;a;a_pv;b", lines(steps=192, columns=3))
    content = own_data_scenario(tmp_path, 96)
    assert content["period"]["steps"] == 96 and [home["name"] for home in content["homes"]] == [
        "a",
        "b",
    ]
    assert "solar" in content["homes"][0] and "solar" not in content["homes"][1]
    assert MAX_HOMES == 24
