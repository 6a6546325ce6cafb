"""Command `prosumax import` with three valid exports and more than 25 invalid ones."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

DST_BEGIN = "2023-03-26"
DST_END = "2023-10-29"


def stamps(
    day: str, days: int = 1, minutes: int = 15, zone: str = "Europe/Brussels"
) -> pd.DatetimeIndex:
    begin, end = pd.Timestamp(day, tz=zone), pd.Timestamp(day, tz=zone) + pd.DateOffset(days=days)
    return pd.date_range(begin, end, freq=f"{minutes}min", inclusive="left")


def table(times, values, header: str = "time;Afname (kWh)") -> list[str]:
    """Return the lines of a file with local times without offset."""
    return [header, *(f"{t:%Y-%m-%d %H:%M};{v}" for t, v in zip(times, values, strict=False))]


def day(values=None, header: str = "time;Afname (kWh)", when: str = "2023-05-01") -> list[str]:
    """Return the lines of a valid day of quarter-hours."""
    return table(stamps(when), [0.1] * 96 if values is None else values, header)


def change(lines: list[str], number: int, text: str) -> list[str]:
    """Return the lines with one replaced, counted from 1."""
    return [*lines[: number - 1], text, *lines[number:]]


def without(lines: list[str], first: int, last: int) -> list[str]:
    """Return the lines without a range, counted from 1."""
    return [*lines[: first - 1], *lines[last:]]


# --- three valid exports of different formats, imported without any option


def fluvius(folder: Path, rng: np.random.Generator) -> dict:
    """Write a Flemish export with day and night registers, when daylight saving time begins."""
    head = (
        "Van (datum);Van (tijdstip);Tot (datum);Tot (tijdstip);EAN-code;Meter;Metertype;Register;"
        "Volume;Eenheid"
    )
    lines = [f"{head};Validatiestatus;Omschrijving"]
    offtake = 0.0
    injection = 0.0
    for t in stamps("2023-03-25", 3):
        end = t + pd.Timedelta(minutes=15)
        tariff = "Dag" if 7 <= t.hour < 22 and t.dayofweek < 5 else "Nacht"
        for direction, kwh in (
            ("Afname", rng.integers(1, 400) / 1000),
            ("Injectie", 0.05 * (t.hour == 12)),
        ):
            place = f"{t:%d-%m-%Y};{t:%H:%M:%S};{end:%d-%m-%Y};{end:%H:%M:%S}"
            value = f"{kwh:.3f}".replace(".", ",")
            meter = '="541440110000000011";1SAG110;Digitaal'
            lines.append(f"{place};{meter};{direction} {tariff};{value};kWh;Uitgelezen;")
            offtake += kwh * (direction == "Afname")
            injection += kwh * (direction == "Injectie")
    (folder / "fluvius.csv").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return {
        "file": "fluvius.csv",
        "homes": {"541440110000000011": (offtake, injection)},
        "steps": 3 * 96 - 4,
        "minutes": 15,
    }


def sibelga(folder: Path, rng: np.random.Generator) -> dict:
    """Write a wide French export over the end of daylight saving time.

    It has decimal commas, notes above the header and times that mark interval ends.
    """
    names = ("Jardins 1", "Jardins 2")
    columns = [f"{name} - {word} (kWh)" for name in names for word in ("Prélèvement", "Injection")]
    lines = [
        "Export des données de comptage",
        "Période : octobre 2023",
        "",
        ";".join(["Date de fin;Heure", *columns]),
    ]
    total = np.zeros(4)
    for t in stamps("2023-10-28", 3):
        end = t + pd.Timedelta(minutes=15)
        values = rng.integers(0, 500, 4) / 1000
        values[3] = 0
        total += values
        cells = ";".join(f"{value:.3f}".replace(".", ",") for value in values)
        lines.append(f"{end:%d/%m/%Y};{end:%H:%M};{cells}")
    (folder / "partage.csv").write_text("\n".join(lines), encoding="latin-1")
    homes = {name: (total[2 * n], total[2 * n + 1]) for n, name in enumerate(names)}
    return {"file": "partage.csv", "homes": homes, "steps": 3 * 96 + 4, "minutes": 15}


def logger(folder: Path, rng: np.random.Generator) -> dict:
    """Write a long English export with hourly watts, UTC offsets and PV generation."""
    lines = ["timestamp,house,load [W],pv generation [W],temperature"]
    load = {"anna": 0.0, "bob": 0.0}
    for t in stamps("2023-06-01", 2, 60):
        for house in load:
            watt = int(rng.integers(100, 900))
            pv_watt = 500 if house == "bob" and t.hour == 12 else 0
            lines.append(f"{t.isoformat()},{house},{watt},{pv_watt},21.5")
            load[house] += watt / 1000
    (folder / "log.csv").write_text("\n".join(lines))
    return {
        "file": "log.csv",
        "homes": {"anna": (load["anna"], 0), "bob": (load["bob"], 1.0)},
        "steps": 48,
        "minutes": 60,
    }


@pytest.mark.parametrize("style", [fluvius, sibelga, logger])
def test_valid_export_needs_no_option_and_its_scenario_runs(
    command, tmp_path, style: Callable
) -> None:
    export = style(tmp_path, np.random.default_rng(0))
    code, out, err = command("import", export["file"])
    assert (code, err) == (0, ""), err
    name = export["file"].split(".")[0]
    for words in (
        f"{export['minutes']} min, {export['steps']} steps",
        "Gaps    none",
        f"prosumax run {name}/{name}.yaml",
    ):
        assert words in out, out
    content = yaml.safe_load((tmp_path / name / f"{name}.yaml").read_text())
    assert [home["name"] for home in content["homes"]] == list(export["homes"])
    code, out, err = command("run", f"{name}/{name}.yaml", "--json", "--no-optimum")
    assert code == 0, err
    for home, (load, solar) in zip(
        json.loads(out)["households"], export["homes"].values(), strict=True
    ):
        assert home["load_kwh"] == pytest.approx(load, abs=1e-3), home["name"]
        assert home["solar_kwh"] == pytest.approx(solar, abs=1e-3), home["name"]


def test_interpretation_is_printed(command, tmp_path) -> None:
    fluvius(tmp_path, np.random.default_rng(0))
    code, out, _ = command("import", "fluvius.csv", "--check")
    assert code == 0 and "Nothing was written" in out and not (tmp_path / "fluvius").exists()
    for words in (
        "25 March 2023 00:00 to 28 March 2023 00:00",
        "Europe/Brussels",
        "Afname Nacht + Afname Dag",
        "injection: ",
    ):
        assert words in out, out


# --- invalid exports: lines, place of the error, and words of the message


def _rows(*pairs: str) -> list[str]:
    return ["time;Afname (kWh)", *pairs]


def _register(name: str, unit: str = "kWh") -> list[str]:
    return ["Van (datum);Van (tijdstip);EAN-code;Register;Volume;Eenheid"] + [
        f"{t:%d-%m-%Y};{t:%H:%M};5414;{name if n == 5 else 'Afname Dag'};0,1;{unit}"
        for n, t in enumerate(stamps("2023-05-01"))
    ]


_DECREASING = [f"{1000 + 0.1 * n - 5 * (n > 50):.1f}" for n in range(96)]
_MIXED = [*stamps("2023-05-01", 1, 60), *stamps("2023-05-02", 1, 15)]

INVALID: dict[str, tuple[list[str], str, list[str]]] = {
    "empty": ([], "m.csv", ["is empty"]),
    "no rows": (["time;kWh"], "m.csv", ["no rows"]),
    "no header": (day()[1:], "m.csv line 1", ["no header", "2023-05-01 00:00", "time;load_kwh"]),
    "two columns of one name": (
        ["time;kWh;kWh", "2023-05-01 00:00;1;2"],
        "m.csv line 1",
        ["'kWh'"],
    ),
    "a row too wide": (
        change(day(), 7, "2023-05-01 01:15;0.1;3"),
        "m.csv line 7",
        ["do not fit the 2 columns"],
    ),
    "no times": (
        ["house;kWh", "a;1", "b;2"],
        "m.csv",
        ["no column holds times", "2023-12-31 23:45"],
    ),
    "no energy": (
        day(header="time;Temperature"),
        "m.csv",
        ["no column with numbers of energy", "consumption_kwh"],
    ),
    "a day that does not exist": (
        change(day(), 9, "2023-02-30 01:45;0.1"),
        "m.csv line 9",
        ["'2023-02-30 01:45'"],
    ),
    "some offsets": (
        change(day(), 9, "2023-05-01T01:45+02:00;0.1"),
        "m.csv",
        ["some times carry a UTC offset"],
    ),
    "text for a number": (
        change(day(), 12, "2023-05-01 02:30;abc"),
        "m.csv line 12",
        ["'abc' is not a number"],
    ),
    "thousands": (
        change(day(), 12, "2023-05-01 02:30;1.234,5"),
        "m.csv line 12",
        ["thousands", "1234,5"],
    ),
    "infinite": (change(day(), 12, "2023-05-01 02:30;inf"), "m.csv line 12", ["infinite"]),
    "negative": (
        change(day(), 12, "2023-05-01 02:30;-0.4"),
        "m.csv line 12",
        ["is negative: -0.4", "--net"],
    ),
    "an hour twice": (
        [*day()[:9], *day()[5:9], *day()[9:]],
        "m.csv line 10",
        ["already on line 6"],
    ),
    "autumn hour three times": (
        [*table(stamps(DST_END), [0.1] * 100)[:18], *table(stamps(DST_END), [0.1] * 100)[14:]],
        "m.csv line 19",
        ["the same time is already on line 15"],
    ),
    "spring hour that never was": (
        table(pd.date_range(DST_BEGIN, periods=96, freq="15min"), [0.1] * 96),
        "m.csv line 10",
        ["2023-03-26 02:00 does not exist", "Etc/GMT-1"],
    ),
    "autumn hour only once": (
        table(pd.date_range(DST_END, periods=96, freq="15min"), [0.1] * 96),
        "m.csv line 13",
        [
            "1 gap, 4 steps missing: 2023-10-29 02:00 .. 2023-10-29 02:45",
            "the hour repeated at the end of daylight saving time",
            "--fill interpolate",
        ],
    ),
    "missing quarter-hours": (
        without(day(), 40, 45),
        "m.csv line 39",
        ["1 gap, 6 steps missing: 2023-05-01 09:30 .. 2023-05-01 10:45", "--fill"],
    ),
    "empty cells": (
        change(change(day(), 30, "2023-05-01 07:00;"), 50, "2023-05-01 12:00;n/a"),
        "m.csv line 30",
        ["2 gaps, 2 steps", "07:00 (empty, line 30)", "12:00 (empty, line 50)"],
    ),
    "off the clock": (
        change(day(), 20, "2023-05-01 04:37;0.1"),
        "m.csv line 20",
        ["04:37 is not on a step of 15 min"],
    ),
    "the step changes": (
        table([*stamps("2023-05-01", 1, 15), *stamps("2023-05-02", 2, 60)], [0.1] * 144),
        "m.csv line 98",
        ["the step is 60 min from 2023-05-02 00:00 on, and 15 min elsewhere", "Split the file"],
    ),
    "daily totals": (
        table(stamps("2023-05-01", 9, 1440), [9] * 9),
        "m.csv line 2",
        ["per day", "kwartiertotalen"],
    ),
    "ten minutes": (
        table(stamps("2023-05-01", 1, 10), [0.1] * 144),
        "m.csv line 2",
        ["per 10 min", "1, 5, 15, 30, 60"],
    ),
    "no unit": (
        day(header="time;Afname"),
        "m.csv line 2",
        ["the unit of 'Afname' is unknown", "--unit"],
    ),
    "a unit of nothing": (
        _register("Afname Dag", "kWhh"),
        "m.csv line 2",
        ["'kWhh' is not supported"],
    ),
    "Wh called kWh": (
        change(day([100] * 96), 30, "2023-05-01 07:00;900"),
        "m.csv line 30",
        ["kWh a year", "3,600 kW at most", "--unit Wh"],
    ),
    "MWh called kWh": (day([0.0001] * 96), "m.csv line 2", ["4 kWh a year", "--unit MWh"]),
    "states of a counter": (
        day([f"{1000 + n / 10:.1f}" for n in range(96)]),
        "m.csv line 2",
        ["never decreases", "--cumulative"],
    ),
    "gas": (_register("Afname Dag", "m³"), "m.csv line 2", ["no electrical energy", "m3"]),
    "unknown register": (
        _register("Blauw"),
        "m.csv line 7",
        ["the register 'Blauw' is not recognized"],
    ),
    "net beside offtake": (
        [
            "time;Afname (kWh);Netto (kWh)",
            *(f"{t:%Y-%m-%d %H:%M};0.1;0.1" for t in stamps("2023-05-01")),
        ],
        "m.csv line 1",
        ["net register ('Netto (kWh)')", "Remove one"],
    ),
    "more sent than there was": (
        ["time;Afname (kWh);Injectie (kWh);Productie (kWh)"]
        + [
            f"{t:%Y-%m-%d %H:%M};0.1;{0.9 if t.hour == 12 else 0};0.2" for t in stamps("2023-05-01")
        ],
        "m.csv line 50",
        ["injects 0.6 kWh more than its offtake and production at 2023-05-01 12:00"],
    ),
    "one row": (_rows("2023-05-01 00:00;0.1"), "m.csv", ["fewer than two values"]),
}


@pytest.mark.parametrize("mistake", INVALID)
def test_invalid_export_is_reported_with_line_and_fix(mistake: str, command, tmp_path) -> None:
    lines, place, words = INVALID[mistake]
    (tmp_path / "m.csv").write_text("\n".join(lines) + "\n" * bool(lines), encoding="utf-8")
    code, _, err = command("import", "m.csv")
    assert code == 2 and err.startswith(f"Error: {place}: "), err
    assert err.count("\n") == 1 and "Traceback" not in err
    for word in words:
        assert word in err, err
    assert {file.name for file in tmp_path.iterdir()} == {"m.csv"}  # No partial output is left.


def test_invalid_exports_cover_25_mistakes() -> None:
    assert len(INVALID) >= 25


def test_excel_workbook_with_csv_extension_is_rejected(command, tmp_path) -> None:
    (tmp_path / "m.csv").write_bytes(b"PK\x03\x04rest of a zip")
    code, _, err = command("import", "m.csv")
    assert code == 2 and "Excel workbook" in err and "save the sheet as CSV" in err


# --- the proposed fixes


@pytest.mark.slow
def test_gaps_are_filled_on_request(command, tmp_path) -> None:
    (tmp_path / "m.csv").write_text("\n".join(without(day(), 40, 45)))
    code, out, _ = command("import", "m.csv", "--fill", "interpolate")
    assert code == 0 and "6 steps missing, filled: interpolate" in out
    code, out, err = command("run", "m/m.yaml", "--json", "--no-optimum")
    assert code == 0, err
    assert json.loads(out)["households"][0]["load_kwh"] == pytest.approx(9.6, abs=1e-4)
    assert any("6 steps filled" in note for note in json.loads(out)["notes"])
    (tmp_path / "long.csv").write_text(
        "\n".join(without(table(stamps("2023-05-01", 4), [0.1] * 384), 50, 200))
    )
    code, _, err = command("import", "long.csv", "--fill", "interpolate")
    assert code == 2 and "longer than a day" in err and "--from" in err
    assert command("import", "long.csv", "--from", "2023-05-04", "--to", "2023-05-04")[0] == 0
    assert yaml.safe_load((tmp_path / "long" / "long.yaml").read_text())["period"]["steps"] == 96


def test_units_net_registers_and_cumulative_readings(command, tmp_path) -> None:
    def imported(lines: list[str], *options: str) -> pd.DataFrame:
        name = f"t{len(list(tmp_path.iterdir()))}"
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
        code, _, err = command("import", f"{name}.csv", *options)
        assert code == 0, err
        return pd.read_csv(tmp_path / name / "meters.csv").iloc[:, 1:]

    assert imported(day([100] * 96), "--unit", "Wh").iloc[0, 0] == pytest.approx(0.1)
    assert imported(day([0.0001] * 96), "--unit", "MWh").iloc[0, 0] == pytest.approx(0.1)
    assert imported(day([2] * 96, "time;Afname"), "--unit", "kW").iloc[0, 0] == pytest.approx(0.5)
    netted = imported(day([0.3, -0.2] * 48), "--net")
    np.testing.assert_allclose(netted.iloc[:2], [[0.3, 0], [0, 0.2]])
    named = imported(day([0.3, -0.2] * 48, "time;Netto (kWh)"))
    np.testing.assert_allclose(named.iloc[:2], [[0.3, 0], [0, 0.2]])
    counted = imported(day([f"{1000 + n / 10:.1f}" for n in range(96)]), "--cumulative")
    np.testing.assert_allclose(counted.iloc[:, 0], [0.1] * 95, atol=1e-9)  # 96 states
    signed = [
        "time;Afname (kWh);Injectie (kWh)",
        *(f"{t:%Y-%m-%d %H:%M};0.1;-0.3" for t in stamps("2023-05-01")),
    ]
    np.testing.assert_allclose(imported(signed).iloc[0], [0.1, 0.3])
    winter = table(pd.date_range(DST_BEGIN, periods=96, freq="15min"), [0.1] * 96)
    assert len(imported(winter, "--time-zone", "Etc/GMT-1")) == 96
    ended = table([t + pd.Timedelta(minutes=15) for t in stamps("2023-05-01")], [0.0, 0.2] * 48)
    assert imported(ended).iloc[0, 0] == 0
    (tmp_path / "counter.csv").write_text("\n".join(day(_DECREASING)))
    code, _, err = command("import", "counter.csv", "--cumulative")
    assert code == 2 and "counter.csv line 53" in err and "decreases from 1005 to 1000.1" in err


def test_many_files_are_many_homes(command, tmp_path) -> None:
    for name, first, days in (("north", "2023-05-01", 3), ("south", "2023-05-02", 3)):
        (tmp_path / f"{name}.csv").write_text(
            "\n".join(table(stamps(first, days), [0.1] * 96 * days))
        )
    code, out, _ = command(
        "import", "north.csv", "south.csv", "--name", "both", "--tariff", "flanders-2026"
    )
    assert code == 0 and "2023-05-02 00:00 to 2023-05-04 00:00 in common" in out
    content = yaml.safe_load((tmp_path / "both" / "both.yaml").read_text())
    assert [home["name"] for home in content["homes"]] == ["north", "south"]
    assert content["tariff"] == "flanders-2026"
    assert content["period"] == {
        "start": content["period"]["start"],
        "steps": 192,
        "step_minutes": 15,
        "time_zone": "Europe/Brussels",
    }
    (tmp_path / "later.csv").write_text("\n".join(table(stamps("2023-07-01"), [0.1] * 96)))
    code, _, err = command("import", "north.csv", "later.csv")
    assert (
        code == 2
        and "'later' begins at 2023-07-01 00:00, after the end of 'north' (2023-05-04 00:00)" in err
    )
    (tmp_path / "hours.csv").write_text("\n".join(table(stamps("2023-05-01", 3, 60), [0.1] * 72)))
    code, _, err = command("import", "north.csv", "hours.csv")
    assert code == 2 and "'hours' has steps of 60 min and 'north' of 15 min" in err


def test_meter_in_two_files_is_joined(command, tmp_path) -> None:
    def export(name: str, first: str) -> None:
        rows = [f"{t:%Y-%m-%d %H:%M};EAN1;0.1" for t in stamps(first, 2)]
        (tmp_path / name).write_text("\n".join(["time;EAN;kWh", *rows]))

    export("may.csv", "2023-05-01")
    export("more.csv", "2023-05-03")
    code, out, _ = command("import", "may.csv", "more.csv", "--check")
    assert code == 0 and "384 steps" in out and "EAN1" in out
    export("again.csv", "2023-05-02")
    code, _, err = command("import", "may.csv", "again.csv")
    assert code == 2 and "again.csv line 2" in err and "same time in may.csv" in err


def test_existing_folder_is_kept_and_options_are_checked(command, tmp_path) -> None:
    (tmp_path / "m.csv").write_text("\n".join(day()))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "thesis.txt").write_text("years of work")
    for options, words in (
        ((), "already exists"),
        (("--out", "n", "--fill", "intrpolate"), "Did you mean 'interpolate'"),
        (("--out", "n", "--unit", "kWx"), "'kWx' is not supported"),
        (("--out", "n", "--tariff", "brussel-2026"), "Did you mean 'brussels-2026'"),
        (("--out", "n", "--mechanism", "mid_market"), "Did you mean 'mid_market_rate'"),
        (("--out", "n", "--time-zone", "Europe/Brussel"), "is not a time zone"),
        (("--out", "n", "--from", "2023-06-01"), "is outside the data"),
        (("--out", "n", "--from", "first of May"), "is not a day"),
    ):
        code, _, err = command("import", "m.csv", *options)
        assert code == 2 and words in err, err
    assert (tmp_path / "m" / "thesis.txt").read_text() == "years of work" and not (
        tmp_path / "n"
    ).exists()
    code, _, err = command("import", "metres.csv")
    assert code == 2 and "Did you mean 'm.csv'" in err or "no such file" in err
