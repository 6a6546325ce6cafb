"""The `prosumax` command."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from prosumax import cli_study, experiments, profiles, report
from prosumax.agents import policies as known_policies
from prosumax.errors import InputError
from prosumax.experiments import Result
from prosumax.experiments.run import OnStage
from prosumax.market import mechanisms as known_mechanisms
from prosumax.scenario import Scenario, presets

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data = typer.Typer(help="Public data sets.", no_args_is_help=True)
app.add_typer(data, name="data")
ledger = typer.Typer(help="The chain of trades that a run leaves behind.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")

_PROPERTIES_EXPLAINED = (
    "\nRandom books of 6 homes. Where homes bid, a kWh is worth something else to each of them; elsewhere it is worth"
    " what the grid offers. Operator: what it keeps (+) or somebody outside adds (-), in % of the possible gains from"
    " trade. Worse off: truthful homes that lose against staying out. Efficiency: gains from trade realised between"
    " neighbours. Gain by lying: best misreported price of one home, in % of a truthful home's mean gain; '-' where"
    " nobody is asked."
)
_COMPARISON_EXPLAINED = (
    "\nIn {money}, against no exchange. Lowest: saving of the home that saves least. Gini of the savings: 0 is equal."
    " Operator: what the rule keeps (+) or somebody outside adds (-)."
)

_INTERRUPTED = 130
_MOST_COLUMNS = 5  # of a table with one column per mechanism

_out = Console()
_err = Console(stderr=True)

Name = Annotated[str, typer.Argument(metavar="NAME|PATH", help="A preset, a YAML file, or a CityLearn folder.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="a.b=VALUE", help="Change one field; may be given again.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Result folder; when absent results/NAME, or the next free NAME-2, .."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Replaces the scenario's seed.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Folder with data sets, looked at before the cache.")]
Optimum = Annotated[
    bool | None,
    typer.Option("--optimum/--no-optimum", help="Measure by the optimum; when absent if that takes seconds."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object; write files only with --out.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and stop.")] = False,
) -> None:
    """Simulate energy communities: who pays what, under which rule for sharing electricity."""
    if version:
        _out.print(f"prosumax {metadata.version('prosumax')}", highlight=False)
        raise typer.Exit


@app.command()
def run(
    scenario: Name,
    overrides: Overrides = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME", help="How homes decide that name no policy of their own.")
    ] = None,
    out: Out = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    optimum: Optimum = None,
    as_json: AsJson = False,
) -> None:
    """Simulate one community: key figures, everybody's bill, and a report."""
    if out is not None or not as_json:
        experiments.check_folder(out or Path("results") / "new")
    with _progress() as on_stage:
        changes = [*(overrides or ()), *([] if policy is None else [f"policy={policy}"])]
        result = experiments.run(scenario, changes, seed=seed, data_dir=data_dir, optimum=optimum, on_stage=on_stage)
        folder = _folder(out, result.scenario.name, as_json)
        if folder is not None:
            on_stage("Writing the report", 0.8)
            extras = {"report.html": lambda path: report.write_report(result, path)}
            experiments.save(result, folder, extras)
    if as_json:
        _print_json(experiments.to_json(result))
        return
    _print_result(result)
    if folder is not None:
        _out.print(f"Report: {folder.resolve() / 'report.html'}", soft_wrap=True, highlight=False)


@app.command()
def compare(
    scenario: Name,
    mechanisms: Annotated[str, typer.Option(metavar="A,B,..", help="Mechanisms to compare, or `all`.")] = "all",
    policies: Annotated[
        str | None, typer.Option(metavar="A,B,..", help="Run each mechanism with each of these policies.")
    ] = None,
    overrides: Overrides = None,
    out: Out = None,
    seed: Seed = None,
    data_dir: DataDir = None,
    optimum: Optimum = None,
    as_json: AsJson = False,
) -> None:
    """Put mechanisms side by side on the same homes, data and seed."""
    names = list(known_mechanisms) if mechanisms == "all" else [n.strip() for n in mechanisms.split(",") if n.strip()]
    if not names:
        raise InputError("--mechanisms", "is empty", f"Name some of: {', '.join(known_mechanisms)}.")
    deciding = None if policies is None else [name.strip() for name in policies.split(",") if name.strip()]
    if deciding is not None and not deciding:
        raise InputError("--policies", "is empty", f"Name some of: {', '.join(known_policies)}.")
    if out is not None or not as_json:
        experiments.check_folder(out or Path("results") / "new", "comparison")
    with _progress() as on_stage:
        results = experiments.compare(
            scenario,
            names,
            overrides or (),
            policies=deciding,
            seed=seed,
            data_dir=data_dir,
            optimum=optimum,
            on_stage=on_stage,
        )
        folder = _folder(out, f"{next(iter(results.values())).scenario.name}-compare", as_json)
        if folder is not None:
            on_stage("Writing the report", 0.95)
            extras = {"report.html": lambda path: report.write_comparison(results, path)}
            experiments.save_comparison(results, folder, extras)
    if as_json:
        _print_json({name: experiments.to_json(result) for name, result in results.items()})
        return
    _print_comparison(results, policies=deciding is not None)
    if folder is not None:
        _out.print(f"Report: {folder.resolve() / 'report.html'}", soft_wrap=True, highlight=False)


@app.command()
def scenarios() -> None:
    """List the scenarios that ship with prosumax."""
    described = {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["description"] for name, path in presets().items()
    }
    _print_names("Scenario", described)


@app.command()
def mechanisms(
    table: Annotated[bool, typer.Option("--table", help="Measure the properties of each on random books.")] = False,
) -> None:
    """List the rules for sharing electricity (`market.mechanism`)."""
    if not table:
        _print_names("Mechanism", known_mechanisms.summaries())
        return
    with _progress() as on_stage:
        measured = experiments.measure_mechanisms(on_stage=on_stage)
    _print_properties(measured)


@app.command()
def policies() -> None:
    """List the ways a home can decide (`policy`)."""
    _print_names("Policy", known_policies.summaries())


@ledger.command("verify")
def verify(run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A result folder, or its ledger.")]) -> None:
    """Check that no trade of a stored run was edited, removed or reordered."""
    check = experiments.verify_ledger(run_folder)
    _out.print(
        f"Sound: {check.blocks:,} blocks, {check.trades:,} trades, {check.kwh:,.1f} kWh.\nLast hash {check.last_hash}",
        highlight=False,
        soft_wrap=True,
    )


@data.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(profiles.DATASETS)}.")],
    force: Annotated[bool, typer.Option("--force", help="Fetch again although it is there.")] = False,
) -> None:
    """Download a public data set into the user's cache."""
    _out.print(f"{name}: {profiles.fetch(name, force=force)}", soft_wrap=True, highlight=False)


def main() -> None:
    """Entry point: a mistake of the user's is one paragraph and exit code 2, never a traceback."""
    try:
        app()
    except InputError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:  # typer turns Ctrl-C into an exit without a word
            typer.echo("Interrupted. Nothing was written; earlier results are as they were.", err=True)
        raise


@contextmanager
def _progress() -> Iterator[OnStage]:
    """A bar with the current stage and the time it takes, on stderr, gone when the work is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn())
    began = time.perf_counter()
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as progress:
        task = progress.add_task("Starting", total=1.0)

        def on_stage(stage: str, done: float) -> None:
            left = (time.perf_counter() - began) * (1 - done) / done if done > 0 else None
            progress.update(task, description=stage + (f", about {left:.0f} s left" if left else ""), completed=done)

        yield on_stage


app.command("study")(cli_study.command(_progress))


def _folder(out: Path | None, name: str, as_json: bool) -> Path | None:
    if out is None and as_json:
        return None
    return out if out is not None else experiments.free_folder(name, Path("results"))


def _print_json(content: Mapping[str, object]) -> None:
    typer.echo(json.dumps(content))


def _print_names(title: str, described: Mapping[str, str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True, style="bold")
    table.add_column("What it is")
    for name, line in described.items():
        table.add_row(name, line)
    _out.print(table)


def _print_result(result: Result) -> None:
    scenario, kpis, timing = result.scenario, result.kpis, result.timing
    _print_title(scenario)
    _out.print(f"mechanism {scenario.market.mechanism}, policy {scenario.policy}\n", highlight=False)
    money = scenario.tariff.currency
    summary = Table(box=None, pad_edge=False, show_header=False)
    summary.add_column(style="dim")
    summary.add_column(justify="right", style="bold")
    summary.add_column(style="dim")
    rows = [
        ("All bills together", f"{_money(kpis['cost'])} {money}", ""),
        (
            "Saved against no exchange",
            f"{_money(kpis['saving'])} {money}",
            _percent(kpis["saving"], kpis["cost_without_exchange"]),
        ),
        ("From the grid", f"{kpis['import_kwh']:,.0f} kWh", "community meter"),
        ("To the grid", f"{kpis['export_kwh']:,.0f} kWh", "community meter"),
        ("Traded between neighbours", f"{kpis['traded_kwh']:,.0f} kWh", ""),
        ("Self-consumption", _share(kpis["self_consumption"]), "of the solar energy"),
        ("Self-sufficiency", _share(kpis["self_sufficiency"]), "of the use"),
        ("Highest import", f"{kpis['peak_kw']:,.1f} kW", ""),
        *([("Share of the possible gain", _share(kpis["share_of_gain"]), "")] if kpis["share_of_gain"] else []),
        ("Emissions", "unknown" if kpis["emissions_kg"] is None else f"{kpis['emissions_kg']:,.0f} kg CO2", ""),
    ]
    for row in (*rows, *_network_rows(result)):
        summary.add_row(*row)
    _out.print(summary)
    _out.print()
    _out.print(
        f"Each home: bill and saving in {money}, its meter in kWh, self-consumption", style="dim", highlight=False
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Home", no_wrap=True, max_width=14)
    table.add_column("Has", no_wrap=True)
    # A name may be cut, a number never.
    for title, width in (("Bill", 11), ("Saving", 9), ("Import", 8), ("Export", 8), ("Self-cons.", 10)):
        table.add_column(title, justify="right", no_wrap=True, min_width=width)
    for home, spec in zip(result.households, scenario.homes, strict=True):
        table.add_row(
            escape(home["name"]),
            ", ".join(device for device in ("solar", "battery") if getattr(spec, device) is not None) or "-",
            _money(home["bill"]),
            _money(home["saving"]),
            f"{home['import_kwh']:,.0f}",
            f"{home['export_kwh']:,.0f}",
            _share(home["self_consumption"]),
        )
    _out.print(table)
    for note in result.notes:
        _err.print(f"Note: {note}", style="dim", highlight=False, markup=False)
    speed = timing["steps"] * len(result.households) / max(timing["simulate_s"], 1e-9)
    _out.print(
        f"\n{timing['steps']:,} steps: data {timing['build_s']:.1f} s, compile {timing['compile_s']:.1f} s, "
        f"simulate {timing['simulate_s']:.2f} s ({speed / 1e6:.1f} million home-steps/s)",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


def _network_rows(result: Result) -> list[tuple[str, str, str]]:
    """What the wires have to say, if there are any."""
    wires, spec = result.kpis["network"], result.scenario.network
    if wires is None:
        return []
    money = result.scenario.tariff.currency
    rows = [
        ("Lost on the wires", f"{wires['loss_kwh']:,.0f} kWh", f"{_share(wires['loss_share'])}, network {spec.kind}"),
        ("Fullest line", _share(wires["highest_line_loading"]), f"over 100 % in {wires['overload_hours']:,.0f} h"),
    ]
    if wires["highest_transformer_loading"] is not None:
        rows.append(("Fullest transformer", _share(wires["highest_transformer_loading"]), ""))
    if wires.get("lowest_voltage") is not None:
        band = f"{wires['lowest_voltage']:.3f} .. {wires['highest_voltage']:.3f}"
        rows.append(("Voltage", f"{band} pu", f"outside +-10 % in {wires['voltage_violation_hours']:,.0f} h"))
    if spec.operator.fees:
        rows.append(("Fees to the network operator", f"{_money(wires['fees'])} {money}", "on trades"))
    if spec.operator.intervention == "curtail":
        rows.append(("Curtailed", f"{wires['curtailed_kwh']:,.0f} kWh", f"in {wires['interventions']:,} steps"))
    if spec.operator.intervention == "penalise":
        rows.append(("Penalised trade", f"{wires['penalised_kwh']:,.0f} kWh", f"in {wires['interventions']:,} steps"))
    return rows


def _print_properties(measured: Mapping[str, experiments.Properties]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("Mechanism", no_wrap=True)
    for title in ("Operator", "Worse off", "Efficiency", "Gain by lying"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, found in measured.items():
        table.add_row(
            name,
            "balanced" if abs(found.kept) < 1e-4 else f"{100 * found.kept:+.0f} %",
            f"{100 * found.worse_off:.0f} %",
            f"{100 * found.efficiency:.0f} %",
            "-" if found.misreport_gain is None else f"{100 * found.misreport_gain:.1f} %",
        )
    _out.print(table)
    _out.print(_PROPERTIES_EXPLAINED, style="dim", highlight=False)


def _print_comparison(results: Mapping[str, Result], policies: bool) -> None:
    first = next(iter(results.values()))
    money = first.scenario.tariff.currency
    _print_title(first.scenario)
    if policies:
        _print_gains(results)
        return
    losing = {name: _losers(result) for name, result in results.items()}
    for name, losers in losing.items():
        if losers:
            _out.print(f"{name}: {', '.join(losers)}", markup=False, highlight=False, soft_wrap=True)
    if not any(losing.values()):
        _out.print("Nobody loses against no exchange.", highlight=False)
    _out.print()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Mechanism", no_wrap=True)
    for title in ("Losers", "Lowest", "Saving", "Gini", "All bills", "Operator"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, result in results.items():
        kpis = result.kpis
        table.add_row(
            name,
            str(len(losing[name])),
            _money(kpis["lowest_saving"]),
            _money(kpis["saving"]),
            "-" if kpis["gini"] is None else f"{kpis['gini']:.3f}",
            _money(kpis["cost"]),
            _money(kpis["mechanism_receives"]),
        )
    _out.print(table)
    _out.print(_COMPARISON_EXPLAINED.format(money=money), style="dim", highlight=False)
    if any(result.kpis["share_of_gain"] is not None for result in results.values()):
        _out.print()
        _print_gains(results)
    if len(results) > _MOST_COLUMNS:
        return
    _out.print(f"\nBill of each home, {money}", highlight=False)
    bills = Table(box=None, pad_edge=False)
    bills.add_column("Home", no_wrap=True)
    for name in results:
        bills.add_column(name, justify="right")
    for number, home in enumerate(first.households):
        bills.add_row(escape(home["name"]), *(_money(r.households[number]["bill"]) for r in results.values()))
    _out.print(bills)


def _print_gains(results: Mapping[str, Result]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Outcome", no_wrap=True)
    for title in report.GAIN_COLUMNS:
        table.add_column(title, justify="right", no_wrap=True)
    for row in report.gain_rows(results):
        table.add_row(*row)
    _out.print(table)
    _out.print(f"\n{report.gain_note(next(iter(results.values())))}", style="dim", highlight=False)


def _losers(result: Result) -> list[str]:
    """Who is worse off than without exchange, by how much; half a cent does not show on a bill."""
    money = result.scenario.tariff.currency
    homes = [home for home in result.households if home["saving"] < -0.005]
    return [f"{home['name']} loses {_money(-home['saving'])} {money}" for home in homes]


def _print_title(scenario: Scenario) -> None:
    # User text goes through markup=False: a name may hold brackets.
    title = f"{scenario.name}: {scenario.description}" if scenario.description else scenario.name
    _out.print(f"\n{title}", style="bold", markup=False, highlight=False, soft_wrap=True)


def _money(amount: float) -> str:
    return f"{round(amount, 2) + 0.0:,.2f}"  # adding zero turns -0.00 into 0.00


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def _percent(part: float, whole: float) -> str:
    return f"{round(100 * part / whole, 1) + 0.0:.1f} %" if whole > 0 else ""


if __name__ == "__main__":
    main()
