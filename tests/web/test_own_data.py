"""Visitors' files: what is understood, what is refused and how, and that nothing is kept of what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prosumax.web.model.own_data import (
    MOST_HOMES,
    OwnData,
    Refusal,
    by_day,
    read_own,
    stored,
    stored_scenario,
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


def read(tmp_path: Path, header: str, rows: list[str], bom: bool = False) -> OwnData | Refusal:
    path = tmp_path / "sent.csv"
    path.write_text(("\ufeff" if bom else "") + "\r\n".join([header, *rows]), encoding="utf-8")
    return read_own(path, tmp_path)


def test_a_table_as_excel_writes_it_in_belgium(tmp_path: Path) -> None:
    found = read(tmp_path, "time;home1;home1_pv;Chloé", lines(columns=3), bom=True)
    assert found == OwnData(("home1", "Chloé"), (True, False), "2023-04-19", 1, 0, 0)
    _, load, solar = stored(tmp_path)
    assert load.shape == solar.shape == (96, 2)
    # What a home uses is what the file says, not what is left of it after the panels.
    np.testing.assert_allclose(load[:, 0], [0.1 + 0.01 * (row % 9) for row in range(96)])
    np.testing.assert_allclose(solar[:, 0], [0.1 + 0.01 * ((row + 1) % 9) for row in range(96)])


def test_one_home_with_its_sun(tmp_path: Path) -> None:
    found = read(tmp_path, "time;use;pv", lines())
    assert isinstance(found, OwnData) and found.names == ("use",) and found.has_sun == (True,)


def test_a_meter_operators_export(tmp_path: Path) -> None:
    rows = [f"{at:%d-%m-%Y};{at:%H:%M:%S};0,25;0" for at in STAMPS]
    found = read(
        tmp_path, "Datum;Tijd;Maison 1 - Prélèvement (kWh);Maison 1 - Injection (kWh)", rows
    )
    assert isinstance(found, OwnData) and found.names == ("Maison 1",) and found.days == 1


@pytest.mark.parametrize(
    ("steps", "start", "days"), [(92, "2023-03-26", 1), (3 * 96, "2023-04-19", 3)]
)
def test_whole_days_are_kept(tmp_path: Path, steps: int, start: str, days: int) -> None:
    stamps = pd.date_range(pd.Timestamp(start, tz="Europe/Brussels"), periods=steps, freq="15min")
    rows = [f"{at.tz_localize(None):%Y-%m-%d %H:%M};0,2" for at in stamps]
    found = read(tmp_path, "time;a", rows)
    assert isinstance(found, OwnData) and found.days == days and found.dropped == 0


@pytest.mark.parametrize(
    ("start", "steps"), [("2023-03-25", 96 + 92 + 96), ("2023-10-28", 96 + 100 + 96)]
)
def test_days_have_24_hours_though_the_clock_changes(
    tmp_path: Path, start: str, steps: int
) -> None:
    stamps = pd.date_range(pd.Timestamp(start, tz="Europe/Brussels"), periods=steps, freq="15min")
    rows = [f"{at.tz_localize(None):%Y-%m-%d %H:%M};{at.hour / 10:g}" for at in stamps]
    found = read(tmp_path, "time;a", rows)
    assert isinstance(found, OwnData) and found.days == 3
    days = by_day(found, stored(tmp_path)[1][:, 0])
    usual = np.repeat(np.arange(24) / 10, 4)
    np.testing.assert_allclose(days[[0, 2]], [usual, usual])
    changed = usual.copy()
    if steps < 288:
        changed[8:12] = 0.1  # the hour that was skipped
    np.testing.assert_allclose(days[1], changed)


def test_parts_of_days_are_left_out_and_told(tmp_path: Path) -> None:
    found = read(tmp_path, "time;a", lines(steps=40 + 96 + 10, columns=1, start="2023-04-18 14:00"))
    assert isinstance(found, OwnData)
    assert (found.first, found.days, found.dropped) == ("2023-04-19", 1, 50)


def test_gaps_get_the_hour_before(tmp_path: Path) -> None:
    rows = lines(columns=1)
    found = read(tmp_path, "time;a", rows[:40] + rows[52:])
    assert isinstance(found, OwnData) and found.filled == 12
    _, load, _ = stored(tmp_path)
    np.testing.assert_allclose(load[40:52, 0], np.tile(load[36:40, 0], 3))


def with_line(line: str, number: int, columns: int = 2) -> list[str]:
    """A good table but for one line, counted from 1 with the header."""
    rows = lines(columns=columns)
    return [*rows[: number - 2], line, *rows[number - 1 :]]


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        ("time;a;a_pv", with_line("2023-04-19 08:45;abc;0,1", 37), Refusal("number", line=37, cell="abc")),
        ("time;a;a_pv", lines(90), Refusal("rows", n=90)),
        ("time;a", with_line("2023-04-19 02:15;-0,5", 11, 1), Refusal("negative", line=11, cell="-0,5")),
        ("time;a;b", with_line("2023-04-19 02:15;1", 11), Refusal("columns", line=11, n=2)),
        ("a;b", [line.split(";", 1)[1] for line in lines()], Refusal("no_time")),
        ("hello", ["world"], Refusal("no_time")),
        ("time;a;a", lines(), Refusal("columns_twice")),
        (
            "time;" + ";".join(f"h{n}" for n in range(25)),
            lines(columns=25),
            Refusal("too_many_homes", n=25),
        ),
        ("time;a", lines(35_137, 1), Refusal("too_long", n=35_137)),
        ("time;a", lines(columns=1)[:20] + lines(columns=1, start="2023-04-22")[:], Refusal("gap", n=268)),
    ],
    ids=lambda value: value.reason if isinstance(value, Refusal) else "",
)  # fmt: skip
def test_what_is_refused_names_the_line_and_leaves_nothing(
    tmp_path: Path, header: str, rows: list[str], expected: Refusal
) -> None:
    assert read(tmp_path, header, rows) == expected
    assert not (tmp_path / "series.npz").exists() and not (tmp_path / "data.json").exists()


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"PK\x03\x04" + b"x" * 99, b"a;b\x00\n"]
)
def test_what_is_no_text_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sent.csv"
    path.write_bytes(content)
    assert read_own(path, tmp_path) == Refusal("not_text")
    path.write_bytes(b" \n")
    assert read_own(path, tmp_path) == Refusal("empty")


def test_a_header_that_wants_to_be_a_script_is_a_name(tmp_path: Path) -> None:
    found = read(tmp_path, "time;<img src=x onerror=alert(1)>;b", lines())
    assert isinstance(found, OwnData) and found.names[0] == "<img src=x onerror=alert(1)>"


def test_own_data_become_a_scenario(tmp_path: Path) -> None:
    read(tmp_path, "time;a;a_pv;b", lines(steps=192, columns=3))
    content = stored_scenario(tmp_path, 96)
    assert content["period"]["steps"] == 96 and [home["name"] for home in content["homes"]] == [
        "a",
        "b",
    ]
    assert "solar" in content["homes"][0] and "solar" not in content["homes"][1]
    assert MOST_HOMES == 24
