"""Meter exports: names of columns and registers, formats, and combination of registers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prosumax.data.readers.meter_file import MeterReadOptions
from prosumax.data.readers.meter_vocabulary import is_interval_end, parse_name
from prosumax.data.readers.meters import read_meters
from prosumax.errors import InputError

NAMES = {
    "offtake": [
        "Afname",
        "Verbruik",
        "Prélèvement",
        "Consommation",
        "Bezug",
        "Verbrauch",
        "Offtake",
        "import",
        "1.8.0",
    ],
    "injection": [
        "Injectie",
        "Teruglevering",
        "Injection",
        "Einspeisung",
        "export",
        "feed-in",
        "1-0:2.8.0",
        "A-",
    ],
    "production": ["Productie", "Production PV", "Opwekking", "Erzeugung", "solar", "generation"],
    "net": ["Netto", "net load", "Solde", "Saldo"],
}


@pytest.mark.parametrize(
    ("direction", "name"), [(d, name) for d, names in NAMES.items() for name in names]
)
def test_register_names_state_direction_unit_and_home(direction: str, name: str) -> None:
    for form in (
        "{} (kWh)",
        "Rue Haute 12 - {} [kWh]",
        "{}_kwh",
        "Huis 7 {} kWh",
        "{} jour (kWh)",
        "{} Nacht kWh",
    ):
        found = parse_name(form.format(name))
        assert (found.direction, found.unit) == (direction, "kwh"), form
    assert parse_name(f"Rue Haute 12 - {name} [kWh]").label == "Rue Haute 12"


@pytest.mark.parametrize(
    "name", ["Afname van het net (kWh)", "Prélèvement sur le réseau kWh", "Bezug aus dem Netz kWh"]
)
def test_dutch_word_for_grid_is_not_a_net_register(name: str) -> None:
    assert parse_name(name).direction == "offtake"


def test_names_of_interval_ends() -> None:
    assert all(
        map(is_interval_end, ("Tot (datum)", "to", "Date de fin", "End time", "Datum bis", "Au"))
    )
    assert not any(
        map(
            is_interval_end,
            ("Van (datum)", "Datum", "timestamp", "Date de début", "Von", "Heure", "total"),
        )
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    begin=st.sampled_from(["2023-01-05", "2023-03-25", "2023-10-28", "2024-02-28"]),
    minutes=st.sampled_from([15, 30, 60]),
    separator=st.sampled_from([",", ";", "\t"]),
    decimal=st.sampled_from([".", ","]),
    style=st.sampled_from(
        ["%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
    ),
    unit=st.sampled_from(["kWh", "Wh", "kW", "W"]),
    shape=st.sampled_from(["wide", "registers", "columns"]),
    notes=st.booleans(),
)
def test_round_trip(
    tmp_path: Path,
    seed: int,
    begin: str,
    minutes: int,
    separator: str,
    decimal: str,
    style: str,
    unit: str,
    shape: str,
    notes: bool,
) -> None:
    """Any format of two homes over two days is read back with a relative error below 1e-9."""
    rng = np.random.default_rng(seed)
    zone = "Europe/Brussels"
    first = pd.Timestamp(begin, tz=zone)
    index = pd.date_range(
        first, first + pd.DateOffset(days=2), freq=f"{minutes}min", inclusive="left"
    )
    offtake, injection = rng.uniform(0.01, 1, (2, 2, len(index)))
    injection[1] = 0
    night = (index.hour < 7) | (index.hour >= 22)
    per_kwh = {"kWh": 1, "Wh": 1e3, "kW": 60 / minutes, "W": 6e4 / minutes}[unit]

    def cell(kwh: float) -> str:
        text = f"{kwh * per_kwh:.12g}".replace(".", decimal)
        return f'"{text}"' if decimal == separator else text

    times = index.strftime(style)
    homes = ("Noord", "Zuid 2")
    if shape == "wide":
        header = [
            "Datum",
            *(f"{home} {what} ({unit})" for home in homes for what in ("afname", "injectie")),
        ]
        rows = [
            [
                times[t],
                *(cell(kwh) for home in (0, 1) for kwh in (offtake[home, t], injection[home, t])),
            ]
            for t in range(len(index))
        ]
    elif shape == "columns":
        header = ["time", "home", f"import [{unit}]", f"export [{unit}]"]
        rows = [
            [times[t], homes[home], cell(offtake[home, t]), cell(injection[home, t])]
            for t in range(len(index))
            for home in (0, 1)
        ]
    else:
        header = ["Van", "Meter", "Register", "Volume", "Eenheid"]
        rows = [
            [
                times[t],
                homes[home],
                f"{what} {'Nacht' if night[t] else 'Dag'}",
                cell(kwh[home, t]),
                unit,
            ]
            for t in range(len(index))
            for home in (0, 1)
            for what, kwh in (("Afname", offtake), ("Injectie", injection))
        ]
    lines = [separator.join(row) for row in [header, *rows]]
    if notes:
        lines = ["Meter data", "Customer: unknown", "", *lines]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    meters = read_meters([path], MeterReadOptions())
    assert meters.step_minutes == minutes and meters.gap_error is None
    assert list(meters.local_index) == list(index)
    assert [home.name for home in meters.homes] == list(homes)
    for number, home in enumerate(meters.homes):
        np.testing.assert_allclose(home.offtake_kwh, offtake[number], rtol=1e-9)
        np.testing.assert_allclose(home.injection_kwh, injection[number], rtol=1e-9)
        np.testing.assert_array_equal(home.load_kwh, home.offtake_kwh)


def test_load_includes_self_consumption_with_a_production_register(tmp_path: Path) -> None:
    """The load is offtake plus production less injection."""
    index = pd.date_range("2023-06-01", periods=96, freq="15min")
    rows = [f"{t:%Y-%m-%d %H:%M};0.1;{0.2 * (t.hour == 12)};{0.5 * (t.hour == 12)}" for t in index]
    (tmp_path / "a.csv").write_text(
        "\n".join(["time;Afname (kWh);Injectie (kWh);Productie PV (kWh)", *rows])
    )
    (home,) = read_meters([tmp_path / "a.csv"], MeterReadOptions()).homes
    noon = index.hour == 12
    np.testing.assert_allclose(home.load_kwh, np.where(noon, 0.4, 0.1))
    np.testing.assert_allclose(home.solar_kwh, np.where(noon, 0.5, 0))
    assert home.has_production


def test_later_start_of_injection_does_not_shorten_the_period(tmp_path: Path) -> None:
    index = pd.date_range("2023-06-01", periods=192, freq="15min")
    rows = [f"{t:%Y-%m-%d %H:%M};Afname;0.1;kWh" for t in index]
    rows += [f"{t:%Y-%m-%d %H:%M};Injectie;0.3;kWh" for t in index[96:]]
    (tmp_path / "a.csv").write_text("\n".join(["time;Register;Volume;Eenheid", *rows]))
    meters = read_meters([tmp_path / "a.csv"], MeterReadOptions())
    assert len(meters.index) == 192 and meters.gap_error is None
    assert meters.homes[0].solar_kwh[:96].sum() == 0
    assert any("injection begins 2023-06-02 00:00; zero before" in note for note in meters.notes)


def test_omitted_rows_are_zero_where_another_register_has_a_value(tmp_path: Path) -> None:
    """A step without a row in any register is a gap."""
    index = pd.date_range("2023-06-01", periods=96, freq="15min")
    rows = [f"{t:%Y-%m-%d %H:%M};Afname;0.1;kWh" for t in index if t.hour not in (12, 15)]
    rows += [f"{t:%Y-%m-%d %H:%M};Injectie;0.3;kWh" for t in index if 10 <= t.hour < 14]
    (tmp_path / "a.csv").write_text("\n".join(["time;Register;Volume;Eenheid", *rows]))
    meters = read_meters([tmp_path / "a.csv"], MeterReadOptions())
    (home,) = meters.homes
    assert home.gaps == [(60, 64)]
    assert "2023-06-01 15:00 .. 2023-06-01 15:45" in meters.gap_error.problem
    assert home.offtake_kwh[48:52].sum() == 0 and home.injection_kwh[:40].sum() == 0
    assert any("4 steps without a row for offtake count as zero" in note for note in meters.notes)


def test_total_register_is_ignored_beside_its_parts(tmp_path: Path) -> None:
    index = pd.date_range("2023-06-01", periods=96, freq="15min")
    rows = [f"{t:%Y-%m-%d %H:%M};0.1;0.2;0.3" for t in index]
    (tmp_path / "a.csv").write_text(
        "\n".join(["time;Afname dag kWh;Afname nacht kWh;Afname totaal kWh", *rows])
    )
    meters = read_meters([tmp_path / "a.csv"], MeterReadOptions())
    assert meters.homes[0].load_kwh.sum() == pytest.approx(96 * 0.3)
    assert any("'Afname totaal kWh' is ignored" in note for note in meters.notes)


QUARTER = pd.Timedelta(minutes=15)
VALID = "\n".join(
    ["Van;Tot;EAN;Register;Volume;Eenheid;Validatiestatus"]
    + [
        f"{t:%d-%m-%Y %H:%M};{t + QUARTER:%d-%m-%Y %H:%M};5414;{r};0,{n % 7};kWh;Uitgelezen"
        for n, t in enumerate(pd.date_range("2023-05-01", periods=40, freq="15min"))
        for r in ("Afname Dag", "Injectie Dag")
    ]
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(VALID)),
            st.integers(0, 30),
            st.text("0159;,.:- \n\r\t\"'=+xké€kWh", max_size=8)
            | st.sampled_from(["nan", "inf", "1e999", "31-02-2023"]),
        ),
        min_size=1,
        max_size=6,
    ),
    options=st.builds(
        MeterReadOptions,
        unit=st.sampled_from([None, "Wh"]),
        net=st.booleans(),
        cumulative=st.booleans(),
    ),
)
def test_damaged_file_is_read_or_rejected_without_crash(
    tmp_path: Path, edits: list, options: MeterReadOptions
) -> None:
    text = VALID
    for at, length, new in edits:
        text = text[:at] + new + text[at + length :]
    path = tmp_path / "damaged.csv"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        meters = read_meters([path], options)
    except InputError as error:
        assert error.where and error.problem and error.fix
    else:
        assert len(meters.index) == len(meters.homes[0].load_kwh)


def test_utf16_and_carriage_return_line_ends(tmp_path: Path) -> None:
    rows = "\r".join(
        ["time;Énergie prélevée (kWh)", *(f"2023-06-01 {h:02d}:00;0,5" for h in range(24))]
    )
    (tmp_path / "a.csv").write_bytes(rows.encode("utf-16"))
    assert read_meters([tmp_path / "a.csv"], MeterReadOptions()).homes[0].load_kwh.sum() == 12
