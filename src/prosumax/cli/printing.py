"""What the commands print: tables of names, one run, a comparison, properties of mechanisms."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prosumax import report
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.result import Result
from prosumax.studies.mechanism_properties import Properties

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

_DEVICES = ("solar", "battery", "car", "heat_pump")
_MOST_USES = 12
_MOST_COLUMNS = 5  # of a table with one column per mechanism

_out = Console()
_err = Console(stderr=True)


def print_names(title: str, described: Mapping[str, str]) -> None:
    """A table of names with a line about each."""
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True, style="bold")
    table.add_column("What it is")
    for name, line in described.items():
        table.add_row(name, line)
    _out.print(table)


def print_result(result: Result) -> None:
    """The key figures of a run and a row per home."""
    scenario, kpis, timing = result.scenario, result.kpis, result.timing
    _print_title(scenario)
    _out.print(
        f"mechanism {scenario.market.mechanism}, policy {scenario.policy}\n", highlight=False
    )
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
        *(
            [("Share of the possible gain", _share(kpis["share_of_gain"]), "")]
            if kpis["share_of_gain"]
            else []
        ),
        (
            "Emissions",
            "unknown" if kpis["emissions_kg"] is None else f"{kpis['emissions_kg']:,.0f} kg CO2",
            "",
        ),
    ]
    for row in (*rows, *_device_rows(kpis, money), *_network_rows(result)):
        summary.add_row(*row)
    _out.print(summary)
    _out.print()
    _out.print(
        f"Each home: bill and saving in {money}, its meter in kWh, self-consumption",
        style="dim",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Home", no_wrap=True, max_width=14)
    table.add_column("Has", min_width=14)
    # A name may be cut, a number never.
    for title, width in (
        ("Bill", 11),
        ("Saving", 9),
        ("Import", 8),
        ("Export", 8),
        ("Self-cons.", 10),
    ):
        table.add_column(title, justify="right", no_wrap=True, min_width=width)
    for home, spec in zip(result.households, scenario.homes, strict=True):
        table.add_row(
            escape(home["name"]),
            ", ".join(
                name.replace("_", " ") for name in _DEVICES if getattr(spec, name) is not None
            )
            or "-",
            _money(home["bill"]),
            _money(home["saving"]),
            f"{home['import_kwh']:,.0f}",
            f"{home['export_kwh']:,.0f}",
            _share(home["self_consumption"]),
        )
    _out.print(table)
    _print_uses(result)
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


def _device_rows(kpis: dict[str, Any], money: str) -> list[tuple[str, str, str]]:
    """What flexible devices used and failed to deliver, and what batteries wore; of what there is."""
    rows = []
    if "car_charge_kwh" in kpis:
        short = f"{kpis['car_short_kwh']:,.0f} kWh missing at departures"
        rows.append(("Cars charged", f"{kpis['car_charge_kwh']:,.0f} kWh", short))
    if "heat_pump_kwh" in kpis:
        cold = f"{kpis['too_cold_kh']:,.0f} kelvin-hours too cold"
        rows.append(("Heat pumps used", f"{kpis['heat_pump_kwh']:,.0f} kWh", cold))
    if "unserved_kwh" in kpis:
        rows.append(("Not served", f"{kpis['unserved_kwh']:,.0f} kWh", "trips, hot water, runs"))
    if "battery_wear_cost" in kpis:
        rows.append(
            ("Wear of batteries", f"{_money(kpis['battery_wear_cost'])} {money}", "not billed")
        )
    return rows


def _print_uses(result: Result) -> None:
    """Where the electricity of the homes went, the largest uses first."""
    uses = result.uses_kwh.dropna(how="all")
    if not len(uses.columns):
        return
    kwh, homes = uses.sum(), len(uses)
    shown = kwh.iloc[:_MOST_USES]
    rows = [(str(name), float(amount)) for name, amount in shown.items()]
    if len(kwh) > len(shown):
        rows.append((f"{len(kwh) - len(shown)} others", float(kwh.iloc[_MOST_USES:].sum())))
    whose = f"{homes} homes, kWh" if homes > 1 else "kWh"
    _out.print(f"\nWhere the electricity went: {whose}", style="dim", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    for name, amount in rows:
        table.add_row(escape(name), f"{amount:,.0f}", _percent(amount, float(kwh.sum())))
    _out.print(table)


def _network_rows(result: Result) -> list[tuple[str, str, str]]:
    """What the wires have to say, if there are any."""
    wires, spec = result.kpis["network"], result.scenario.network
    if wires is None:
        return []
    money = result.scenario.tariff.currency
    rows = [
        (
            "Lost on the wires",
            f"{wires['loss_kwh']:,.0f} kWh",
            f"{_share(wires['loss_share'])}, network {spec.kind}",
        ),
        (
            "Fullest line",
            _share(wires["highest_line_loading"]),
            f"over 100 % in {wires['overload_hours']:,.0f} h",
        ),
    ]
    if wires["highest_transformer_loading"] is not None:
        rows.append(("Fullest transformer", _share(wires["highest_transformer_loading"]), ""))
    if wires.get("lowest_voltage") is not None:
        band = f"{wires['lowest_voltage']:.3f} .. {wires['highest_voltage']:.3f}"
        rows.append(
            (
                "Voltage",
                f"{band} pu",
                f"outside +-10 % in {wires['voltage_violation_hours']:,.0f} h",
            )
        )
    if spec.operator.fees:
        rows.append(
            ("Fees to the network operator", f"{_money(wires['fees'])} {money}", "on trades")
        )
    if spec.operator.intervention == "curtail":
        rows.append(
            (
                "Curtailed",
                f"{wires['curtailed_kwh']:,.0f} kWh",
                f"in {wires['interventions']:,} steps",
            )
        )
    if spec.operator.intervention == "penalise":
        rows.append(
            (
                "Penalised trade",
                f"{wires['penalised_kwh']:,.0f} kWh",
                f"in {wires['interventions']:,} steps",
            )
        )
    return rows


def print_properties(measured: Mapping[str, Properties]) -> None:
    """What can be promised of every mechanism."""
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


def print_comparison(results: Mapping[str, Result], policies: bool) -> None:
    """Runs side by side, losers first."""
    first = next(iter(results.values()))
    money = first.scenario.tariff.currency
    _print_title(first.scenario)
    if policies:
        _print_gains(results)
        return
    losing = {name: _losers(result) for name, result in results.items()}
    for name, losers in losing.items():
        if losers:
            _out.print(
                f"{name}: {', '.join(losers)}", markup=False, highlight=False, soft_wrap=True
            )
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
        bills.add_row(
            escape(home["name"]), *(_money(r.households[number]["bill"]) for r in results.values())
        )
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
