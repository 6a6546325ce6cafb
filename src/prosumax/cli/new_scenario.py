"""`prosumax new` and `prosumax import`: the first scenario of one's own, generated or from meter data."""

import csv
import re
import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from prosumax.data.readers.meter_file import UNITS, Reading
from prosumax.data.readers.meters import Meters, read_meters
from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms as known_mechanisms
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.tariff_presets import tariff_presets
from prosumax.scenario.writing import Draft, generated_homes, metered_home, scenario_text

_MOST_HOMES = 500
_SHOWN_HOMES = 8  # whose columns are told on the screen
_SAID = {"offtake": "takes", "injection": "sends", "production": "makes", "net": "takes less sends"}
_out = Console()

Tariff = Annotated[
    str | None, typer.Option("--tariff", metavar="NAME", help="`prosumax tariffs` lists them.")
]
Mechanism = Annotated[
    str | None,
    typer.Option("--mechanism", metavar="NAME", help="`prosumax mechanisms` lists them."),
]


def new(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE.yaml", help="Where to write; NAME.yaml when absent."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the scenario.")] = None,
    homes: Annotated[int | None, typer.Option(help="How many.")] = None,
    solar: Annotated[int | None, typer.Option(help="How many have a solar roof.")] = None,
    batteries: Annotated[int | None, typer.Option(help="How many have a battery.")] = None,
    tariff: Tariff = None,
    mechanism: Mechanism = None,
    year: Annotated[int | None, typer.Option(help="Calendar year to simulate.")] = None,
    step: Annotated[int | None, typer.Option(help="Minutes: 15 or 60.")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing: defaults for all that is not given.")
    ] = False,
) -> None:
    """Write a commented scenario from a few questions; every answer can be an option."""
    ask = sys.stdin.isatty() and not yes

    def answer(given: str | int | None, question: str, default: str | int) -> str:
        return str(
            given
            if given is not None
            else typer.prompt(question, default=default)
            if ask
            else default
        )

    called = answer(name, "Name of the scenario", file.stem if file else "my-street")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", called):
        raise InputError(
            "--name",
            f"{called!r} has other signs than letters, digits, dots, dashes",
            "Choose another.",
        )
    path = file or Path(f"{called}.yaml")
    _check_free(path)
    count = _number("--homes", answer(homes, "How many homes", 8), 1, _MOST_HOMES)
    roofs = _number(
        "--solar", answer(solar, "How many of them have solar panels", (count + 1) // 2), 0, count
    )
    stores = _number(
        "--batteries", answer(batteries, "How many have a battery", roofs // 2), 0, count
    )
    if ask and tariff is None:
        _out.print("Tariffs: " + ", ".join(tariff_presets()), style="dim", highlight=False)
    price = _known_tariff(answer(tariff, "Tariff", "brussels-2026"))
    rule = answer(mechanism, "Rule for sharing (prosumax mechanisms lists them)", "mid_market_rate")
    known_mechanisms.check(rule, "--mechanism")
    in_year = _number("--year", answer(year, "Year", 2025), 1980, 2100)
    minutes = _number("--step", answer(step, "Step in minutes, 15 or 60", 15), 15, 60)
    if minutes not in (15, 60):
        raise InputError(
            "--step", f"{minutes} is neither 15 nor 60", "Choose one; edit the file for others."
        )
    days = (date(in_year + 1, 1, 1) - date(in_year, 1, 1)).days
    draft = Draft(
        name=called,
        tariff=price,
        mechanism=rule,
        policy="self-consumption" if stores else "none",
        start=f"{in_year}-01-01T00:00",
        steps=days * 1440 // minutes,
        step_minutes=minutes,
        time_zone="Europe/Brussels",
        homes=generated_homes(count, roofs, stores),
        comments=[
            f"{count} homes, {roofs} with solar, {stores} with a battery, written by `prosumax new`."
        ],
        location=roofs > 0,
        file=path.name,
    )
    _write(path, scenario_text(draft))
    load_scenario(path)
    _say(f"Wrote {path}")
    _say(f"Run it: prosumax run {path}")


def import_meters(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="METER.csv..", help="Exports: many homes in one, or one each."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="New folder for the scenario and its data."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the scenario; that of the first file when absent.")
    ] = None,
    tariff: Tariff = None,
    mechanism: Mechanism = None,
    unit: Annotated[
        str | None, typer.Option(help=f"Of the values, where they do not say: {', '.join(UNITS)}.")
    ] = None,
    fill: Annotated[
        str, typer.Option(help="What to do with gaps: none (stop), interpolate, or zero.")
    ] = "none",
    time_zone: Annotated[
        str, typer.Option(help="Of times without offset; Etc/GMT-1 is winter time all year.")
    ] = "Europe/Brussels",
    stamps: Annotated[
        str, typer.Option(help="Whether a time marks the start or the end of its interval.")
    ] = "auto",
    net: Annotated[
        bool, typer.Option("--net", help="Values are consumption minus injection.")
    ] = False,
    readings: Annotated[
        bool, typer.Option("--readings", help="Values are states of a counter.")
    ] = False,
    first_day: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="First day to take.")
    ] = None,
    last_day: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="Last day to take.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Show what was understood and write nothing.")
    ] = False,
) -> None:
    """Make a scenario of meter data: Fluvius, Sibelga, ORES and other exports, wide or long tables."""
    for option, given, allowed in (
        ("--fill", fill, ("none", "interpolate", "zero")),
        ("--stamps", stamps, ("auto", "start", "end")),
    ):
        if given not in allowed:
            raise InputError(option, f"{given!r} is not known", did_you_mean(given, allowed))
    price, rule = _known_tariff(tariff or "brussels-2026"), mechanism or "mid_market_rate"
    known_mechanisms.check(rule, "--mechanism")
    how = Reading(unit, time_zone, stamps, net, readings)
    with Console(stderr=True).status(f"Reading {', '.join(path.name for path in files[:3])}"):
        meters = read_meters(files, how, first_day, last_day)
    _print_meters(meters, fill)
    if meters.gap_error is not None and (
        fill == "none" or (fill == "interpolate" and meters.longest_gap_h > 24)
    ):
        raise meters.gap_error
    if check:
        _say("\nNothing was written (--check).")
        return
    called = (
        re.sub(r"[^A-Za-z0-9._-]+", "-", name or files[0].name.split(".")[0]).strip("-._")
        or "meters"
    )
    folder = out or Path(called)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"--out {folder}", "exists already; it was left alone", "Name a new folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_meters(meters, folder / "meters.csv")
    path = folder / f"{called}.yaml"
    _write(path, scenario_text(_draft(meters, called, price, rule, fill)))
    load_scenario(path)
    _say(f"\nWrote {path} and {folder / 'meters.csv'}", "bold")
    _say(f"Run it: prosumax run {path}")


def _draft(meters: Meters, name: str, tariff: str, mechanism: str, fill: str) -> Draft:
    homes = []
    behind = [
        home.name
        for home in meters.homes
        if not home.has_production and np.nansum(home.solar_kwh) > 0
    ]
    for home in meters.homes:
        load, solar = _columns(home.name)
        own_fill = fill if home.gaps else "none"
        used = load if np.nansum(home.load_kwh) > 0 or np.isnan(home.load_kwh).any() else None
        homes += metered_home(
            home.name,
            "meters.csv",
            used,
            solar if np.nansum(home.solar_kwh) > 0 else None,
            own_fill,
        )
    comments = [f"Made by `prosumax import` of {', '.join(meters.files)}."]
    if behind:
        comments += [
            "The meters know what homes take and send, not what they use and produce: a home's `load` is what it took,",
            "its `solar` what it sent. Bills and trade are right; self-consumption counts only what passed the meter.",
        ]
    zone = meters.time_zone
    return Draft(
        name=name,
        tariff=tariff,
        mechanism=mechanism,
        policy="none",
        start=f"{meters.local[0]:%Y-%m-%dT%H:%M}",
        steps=len(meters.index),
        step_minutes=meters.step_minutes,
        time_zone=zone,
        homes=homes,
        comments=comments,
        file=f"{name}.yaml",
        hints=[
            "Give a home a battery: `battery: {capacity_kwh: 10, charge_kw: 5}`, and `policy: self-consumption` above."
        ],
    )


def _columns(home: str) -> tuple[str, str]:
    return f"{home} load_kwh", f"{home} solar_kwh"


def _write_meters(meters: Meters, path: Path) -> None:
    """The data on one clock, with offsets, so that nothing is left to guess; gaps stay empty."""
    columns = [
        (column, values)
        for home in meters.homes
        for column, values in zip(_columns(home.name), (home.load_kwh, home.solar_kwh), strict=True)
    ]
    times = [stamp.isoformat(timespec="minutes") for stamp in meters.local]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["time", *(column for column, _ in columns)])
        cells = [
            ["" if np.isnan(value) else f"{value:.6g}" for value in values] for _, values in columns
        ]
        writer.writerows(zip(times, *cells, strict=True))


def _print_meters(meters: Meters, fill: str) -> None:
    """What was understood."""
    local, steps = meters.local, len(meters.index)
    end = local[-1] + (local[1] - local[0])
    _say(f"\nUnderstood {', '.join(meters.files)}", "bold")
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row(
        "Period",
        f"{_moment(local[0])} to {_moment(end)} ({steps * meters.step_minutes / 1440:,.4g} days)",
    )
    facts.add_row(
        "Step", f"{meters.step_minutes} min, {steps:,} steps, clock {meters.time_zone or 'UTC'}"
    )
    facts.add_row("Homes", str(len(meters.homes)))
    gaps = [home for home in meters.homes if home.gaps]
    missing = sum(stop - first for home in gaps for first, stop in home.gaps)
    said = (
        "none"
        if not gaps
        else f"{missing:,} steps missing in {len(gaps)} homes"
        if len(gaps) > 1
        else f"{missing:,} steps missing"
    )
    facts.add_row("Gaps", said + (f", filled: {fill}" if gaps and fill != "none" else ""))
    _out.print(facts)
    _out.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Home", no_wrap=True, max_width=24)
    for title in ("Takes, kWh", "Sends, kWh", "Makes, kWh", "Peak, kW", "Gaps"):
        table.add_column(title, justify="right", no_wrap=True)
    hours = meters.step_minutes / 60
    for home in meters.homes:
        table.add_row(
            home.name.replace("[", r"\["),
            f"{np.nansum(home.taken_kwh):,.0f}",
            f"{np.nansum(home.sent_kwh):,.0f}",
            f"{np.nansum(home.solar_kwh):,.0f}" if home.has_production else "-",
            f"{np.nanmax(home.taken_kwh) / hours:,.1f}",
            str(len(home.gaps) or "-"),
        )
    _out.print(table)
    _say("\nRead from")
    for home in meters.homes[:_SHOWN_HOMES]:
        found = (
            f"{_SAID[direction]} {' + '.join(dict.fromkeys(said))}"
            for direction, said in home.registers.items()
        )
        _say(f"  {home.name}, {home.unit}: {'; '.join(found)}", "dim")
    if len(meters.homes) > _SHOWN_HOMES:
        _say(f"  .. and {len(meters.homes) - _SHOWN_HOMES} more homes in the same way", "dim")
    for note in meters.notes:
        _say(f"Note: {note}", "dim")


def _moment(stamp: pd.Timestamp) -> str:
    return f"{stamp.day} {stamp:%B %Y %H:%M}"


def _known_tariff(name: str) -> str:
    if name not in tariff_presets() and not Path(name).is_file():
        raise InputError(
            "--tariff", f"there is no tariff {name!r}", did_you_mean(name, tariff_presets())
        )
    return name if name in tariff_presets() else str(Path(name).resolve())


def _number(option: str, text: str, low: int, high: int) -> int:
    if not re.fullmatch(r"-?\d+", text.strip()) or not low <= int(text) <= high:
        raise InputError(
            option, f"{text!r} is not a whole number from {low} to {high}", "Give another."
        )
    return int(text)


def _check_free(path: Path) -> None:
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(str(path), "is no YAML file", "Let its name end with .yaml.")
    if path.exists():
        raise InputError(str(path), "exists already; it was left alone", "Name another file.")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            str(path), f"cannot be written ({error.strerror})", "Name another place."
        ) from error


def _say(text: str, style: str = "") -> None:
    _out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
