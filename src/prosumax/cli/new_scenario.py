"""Commands `prosumax new` and `prosumax import`: a first scenario, generated or from meter data."""

import csv
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from prosumax.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from prosumax.data.readers.meters import HomeMeterData, MeterData
    from prosumax.scenario.writing import ScenarioDraft

_MAX_HOMES = 500
_MAX_INTERPOLATED_GAP_H = 24
_MAX_LISTED_HOMES = 8  # Homes whose columns are listed on the terminal.
_FILLS = ("none", "interpolate", "zero")
_TIMESTAMPS = ("auto", "start", "end")
_METER_TABLE = "meters.csv"
_DEFAULT_TARIFF = "brussels-2026"
_DEFAULT_MECHANISM = "mid_market_rate"
_out = Console()

TariffOption = Annotated[
    str | None,
    typer.Option("--tariff", metavar="NAME", help="Tariff; `prosumax tariffs` lists the presets."),
]
MechanismOption = Annotated[
    str | None,
    typer.Option(
        "--mechanism", metavar="NAME", help="Market mechanism; see `prosumax mechanisms`."
    ),
]


def new(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.yaml", help="Scenario file to write; default NAME.yaml."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the scenario.")] = None,
    homes: Annotated[int | None, typer.Option(help="Number of homes.")] = None,
    solar: Annotated[int | None, typer.Option(help="Number of homes with a PV system.")] = None,
    batteries: Annotated[int | None, typer.Option(help="Number of homes with a battery.")] = None,
    tariff: TariffOption = None,
    mechanism: MechanismOption = None,
    year: Annotated[int | None, typer.Option(help="Calendar year to simulate.")] = None,
    step: Annotated[int | None, typer.Option(help="Step in minutes: 15 or 60.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; use defaults for omitted options.")
    ] = False,
) -> None:
    """Write a commented scenario from a few questions, each of which is also an option."""
    from prosumax.market.mechanism import mechanisms
    from prosumax.scenario.loading import load_scenario
    from prosumax.scenario.tariff_presets import tariff_preset_paths
    from prosumax.scenario.writing import ScenarioDraft, draft_to_yaml, generated_homes_yaml

    interactive = sys.stdin.isatty() and not yes

    def answer(option: str | int | None, question: str, default: str | int) -> str:
        if option is not None:
            return str(option)
        if interactive:
            return str(typer.prompt(question, default=default))
        return str(default)

    scenario_name = answer(name, "Name of the scenario", file.stem if file else "my-street")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", scenario_name):
        raise InputError(
            "--name",
            f"{scenario_name!r} has characters other than letters, digits, dots, dashes and "
            "underscores",
            "Choose another name.",
        )
    path = file or Path(f"{scenario_name}.yaml")
    _check_new_file(path)
    num_homes = _parse_integer("--homes", answer(homes, "Number of homes", 8), 1, _MAX_HOMES)
    default_pv = (num_homes + 1) // 2
    pv_answer = answer(solar, "Number of homes with a PV system", default_pv)
    num_pv = _parse_integer("--solar", pv_answer, 0, num_homes)
    battery_answer = answer(batteries, "Number of homes with a battery", num_pv // 2)
    num_batteries = _parse_integer("--batteries", battery_answer, 0, num_homes)
    if interactive and tariff is None:
        _out.print("Tariffs: " + ", ".join(tariff_preset_paths()), style="dim", highlight=False)
    tariff_name = _check_tariff(answer(tariff, "Tariff", _DEFAULT_TARIFF))
    mechanism_question = "Market mechanism (`prosumax mechanisms` lists all)"
    mechanism_name = answer(mechanism, mechanism_question, _DEFAULT_MECHANISM)
    mechanisms.check(mechanism_name, "--mechanism")
    simulated_year = _parse_integer("--year", answer(year, "Year", 2025), 1980, 2100)
    minutes = _parse_integer("--step", answer(step, "Step in minutes, 15 or 60", 15), 15, 60)
    if minutes not in (15, 60):
        raise InputError(
            "--step",
            f"the step must be 15 or 60, got {minutes}",
            "Choose one of them; other steps can be set in the file.",
        )
    days = (date(simulated_year + 1, 1, 1) - date(simulated_year, 1, 1)).days
    comment = (
        f"{num_homes} homes, {num_pv} with a PV system, {num_batteries} with a battery, written by "
        "`prosumax new`."
    )
    draft = ScenarioDraft(
        name=scenario_name,
        tariff=tariff_name,
        mechanism=mechanism_name,
        policy="self-consumption" if num_batteries else "none",
        start=f"{simulated_year}-01-01T00:00",
        steps=days * 1440 // minutes,
        step_minutes=minutes,
        time_zone="Europe/Brussels",
        homes=generated_homes_yaml(num_homes, num_pv, num_batteries),
        comments=[comment],
        location=num_pv > 0,
        file=path.name,
    )
    _write_text(path, draft_to_yaml(draft))
    load_scenario(path)
    _print_line(f"Wrote {path}")
    _print_line(f"Run it: prosumax run {path}")


def import_meters(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="METER.csv..", help="Meter exports: several homes in one file, or one each."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New folder for the scenario and its data."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the scenario; default: that of the first file.")
    ] = None,
    tariff: TariffOption = None,
    mechanism: MechanismOption = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Unit of values without a stated unit: kWh, Wh, MWh, kW, W or MW."),
    ] = None,
    fill: Annotated[
        str, typer.Option(help="Treatment of gaps: none (error), interpolate, or zero.")
    ] = "none",
    time_zone: Annotated[
        str, typer.Option(help="Zone of times without offset; Etc/GMT-1 is UTC+1 all year.")
    ] = "Europe/Brussels",
    timestamps: Annotated[
        str, typer.Option(help="Interval boundary that times mark: start, end or auto.")
    ] = "auto",
    net: Annotated[
        bool, typer.Option("--net", help="Values are consumption minus injection.")
    ] = False,
    cumulative: Annotated[
        bool, typer.Option("--cumulative", help="Values are cumulative meter readings.")
    ] = False,
    first_day: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day to import.")
    ] = None,
    last_day: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day to import.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Show the interpretation and write nothing.")
    ] = False,
) -> None:
    """Create a scenario from meter data: exports of Fluvius, Sibelga, ORES and others."""
    from prosumax.data.readers.meter_file import MeterReadOptions
    from prosumax.data.readers.meters import read_meters
    from prosumax.market.mechanism import mechanisms
    from prosumax.scenario.loading import load_scenario
    from prosumax.scenario.writing import draft_to_yaml

    _check_choice("--fill", fill, _FILLS)
    _check_choice("--timestamps", timestamps, _TIMESTAMPS)
    tariff_name = _check_tariff(tariff or _DEFAULT_TARIFF)
    mechanism_name = mechanism or _DEFAULT_MECHANISM
    mechanisms.check(mechanism_name, "--mechanism")
    options = MeterReadOptions(
        unit=unit, time_zone=time_zone, timestamps=timestamps, net=net, cumulative=cumulative
    )
    with Console(stderr=True).status(f"Reading {', '.join(path.name for path in files[:3])}"):
        meters = read_meters(files, options, first_day, last_day)
    _print_meters(meters, fill)
    too_long = fill == "interpolate" and meters.longest_gap_h > _MAX_INTERPOLATED_GAP_H
    if meters.gap_error is not None and (fill == "none" or too_long):
        raise meters.gap_error
    if check:
        _print_line("\nNothing was written (--check).")
        return
    scenario_name = re.sub(r"[^A-Za-z0-9._-]+", "-", name or files[0].name.split(".")[0])
    scenario_name = scenario_name.strip("-._") or "meters"
    folder = out or Path(scenario_name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"--out {folder}",
            "the folder already exists and was not changed",
            "Choose a new folder.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_meter_table(meters, folder / _METER_TABLE)
    path = folder / f"{scenario_name}.yaml"
    draft = _draft_scenario(meters, scenario_name, tariff_name, mechanism_name, fill)
    _write_text(path, draft_to_yaml(draft))
    load_scenario(path)
    _print_line(f"\nWrote {path} and {folder / _METER_TABLE}", "bold")
    _print_line(f"Run it: prosumax run {path}")


def _draft_scenario(
    meters: "MeterData", name: str, tariff: str, mechanism: str, fill: str
) -> "ScenarioDraft":
    """Return the choices of a scenario with the homes of the meter data."""
    from prosumax.scenario.writing import ScenarioDraft, metered_home_yaml

    homes = []
    without_production = False
    for home in meters.homes:
        load_column, solar_column = _column_names(home.name)
        has_load = np.nansum(home.load_kwh) > 0 or np.isnan(home.load_kwh).any()
        has_solar = np.nansum(home.solar_kwh) > 0
        without_production |= bool(has_solar and not home.has_production)
        homes += metered_home_yaml(
            home.name,
            _METER_TABLE,
            load_column if has_load else None,
            solar_column if has_solar else None,
            fill if home.gaps else "none",
        )
    comments = [f"Created by `prosumax import` from {', '.join(meters.files)}."]
    if without_production:
        comments += [
            "The meters measure offtake and injection, not load and PV generation: the `load` of a",
            "home is its offtake, its `solar` its injection. Bills and trades are correct;",
            "self-consumption includes only the energy that passed the meter.",
        ]
    return ScenarioDraft(
        name=name,
        tariff=tariff,
        mechanism=mechanism,
        policy="none",
        start=f"{meters.local_index[0]:%Y-%m-%dT%H:%M}",
        steps=len(meters.index),
        step_minutes=meters.step_minutes,
        time_zone=meters.time_zone,
        homes=homes,
        comments=comments,
        file=f"{name}.yaml",
        hints=[
            "To add a battery: `battery: {capacity_kwh: 10, charge_kw: 5}` for a home, and",
            "`policy: self-consumption` above.",
        ],
    )


def _column_names(home: str) -> tuple[str, str]:
    return f"{home} load_kwh", f"{home} solar_kwh"


def _write_meter_table(meters: "MeterData", path: Path) -> None:
    """Write the data on common steps, with UTC offsets; gaps stay empty."""
    header = ["time"]
    columns = [[stamp.isoformat(timespec="minutes") for stamp in meters.local_index]]
    for home in meters.homes:
        header += _column_names(home.name)
        columns += [_format_cells(home.load_kwh), _format_cells(home.solar_kwh)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))


def _format_cells(values: NDArray[np.float64]) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6g}" for value in values]


def _print_meters(meters: "MeterData", fill: str) -> None:
    """Print the interpretation of meter data."""
    _print_line(f"\nRead {', '.join(meters.files)}", "bold")
    _out.print(_facts_table(meters, fill))
    _out.print()
    _out.print(_homes_table(meters))
    _print_line("\nSources")
    for home in meters.homes[:_MAX_LISTED_HOMES]:
        sources = (
            f"{direction}: {' + '.join(dict.fromkeys(labels))}"
            for direction, labels in home.registers.items()
        )
        _print_line(f"  {home.name}, {home.unit}: {'; '.join(sources)}", "dim")
    if len(meters.homes) > _MAX_LISTED_HOMES:
        rest = len(meters.homes) - _MAX_LISTED_HOMES
        _print_line(f"  .. and {rest} more homes with the same columns", "dim")
    for note in meters.notes:
        _print_line(f"Note: {note}", "dim")


def _facts_table(meters: "MeterData", fill: str) -> Table:
    local = meters.local_index
    steps = len(meters.index)
    days = steps * meters.step_minutes / 1440
    end = local[-1] + (local[1] - local[0])
    zone = meters.time_zone or "UTC"
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column()
    table.add_row("Period", f"{_date_time(local[0])} to {_date_time(end)} ({days:,.4g} days)")
    table.add_row("Step", f"{meters.step_minutes} min, {steps:,} steps, time zone {zone}")
    table.add_row("Homes", str(len(meters.homes)))
    table.add_row("Gaps", _gap_summary(meters.homes, fill))
    return table


def _gap_summary(homes: "list[HomeMeterData]", fill: str) -> str:
    with_gaps = [home for home in homes if home.gaps]
    if not with_gaps:
        return "none"
    missing = sum(stop - first for home in with_gaps for first, stop in home.gaps)
    text = f"{missing:,} steps missing"
    if len(with_gaps) > 1:
        text += f" in {len(with_gaps)} homes"
    if fill != "none":
        text += f", filled: {fill}"
    return text


def _homes_table(meters: "MeterData") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Home", no_wrap=True, max_width=24)
    for title in ("Offtake, kWh", "Injection, kWh", "Production, kWh", "Peak, kW", "Gaps"):
        table.add_column(title, justify="right", no_wrap=True)
    hours = meters.step_minutes / 60
    for home in meters.homes:
        table.add_row(
            home.name.replace("[", r"\["),
            f"{np.nansum(home.offtake_kwh):,.0f}",
            f"{np.nansum(home.injection_kwh):,.0f}",
            f"{np.nansum(home.solar_kwh):,.0f}" if home.has_production else "-",
            f"{np.nanmax(home.offtake_kwh) / hours:,.1f}",
            str(len(home.gaps) or "-"),
        )
    return table


def _date_time(stamp: "pd.Timestamp") -> str:
    return f"{stamp.day} {stamp:%B %Y %H:%M}"


def _check_choice(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(option, f"there is no choice {value!r}", did_you_mean(value, allowed))


def _check_tariff(name: str) -> str:
    """Return the name of a tariff preset, or the absolute path of a tariff file."""
    from prosumax.scenario.tariff_presets import tariff_preset_paths

    presets = tariff_preset_paths()
    if name in presets:
        return name
    if Path(name).is_file():
        return str(Path(name).resolve())
    raise InputError("--tariff", f"there is no tariff {name!r}", did_you_mean(name, presets))


def _parse_integer(option: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"-?\d+", text.strip()) or not low <= int(text) <= high:
        problem = f"the value must be an integer from {low} to {high}, got {text!r}"
        raise InputError(option, problem, "Choose another value.")
    return int(text)


def _check_new_file(path: Path) -> None:
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(str(path), "the file is not a YAML file", "Use the extension .yaml.")
    if path.exists():
        problem = "the file already exists and was not changed"
        raise InputError(str(path), problem, "Choose another file.")


def _write_text(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror})"
        raise InputError(str(path), problem, "Choose another location.") from error


def _print_line(text: str, style: str = "") -> None:
    _out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
