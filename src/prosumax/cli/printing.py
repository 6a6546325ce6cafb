"""Output of the commands: tables of names, one run, a comparison, properties of mechanisms."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prosumax import report
from prosumax.devices.base import devices, ordered
from prosumax.metrics import catalog
from prosumax.report.tables import events_table
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.result import Result

if TYPE_CHECKING:
    from prosumax.studies.mechanism_properties import MechanismProperties

_PROPERTIES_LEGEND = (
    "\nRandom order books of 6 homes. Where homes bid, the value of a kWh differs between them;"
    " elsewhere it is the grid price. Operator: what the mechanism keeps (+) or what is added from"
    " outside (-), in % of the possible gains from trade. Worse off: truthful homes that lose"
    " against no trade. Efficiency: realized gains from local trade. Gain by misreporting: best"
    " misreported price of one home, in % of the mean gain of a truthful home; '-' where homes do"
    " not bid."
)

_SUMMARY_KPIS = (
    ("cost", ""),
    ("saving", ""),
    ("import_kwh", "at one meter around the community"),
    ("export_kwh", "at one meter around the community"),
    ("traded_kwh", ""),
    ("self_consumption", "of the PV generation"),
    ("self_sufficiency", "of the load"),
    ("peak_kw", ""),
    ("share_of_optimal_gain", ""),
    ("emissions_kg", ""),
)
"""KPIs of a run and a remark on each."""

_COMPARISON_KPIS = (
    "losing_homes",
    "lowest_saving",
    "saving",
    "gini",
    "cost",
    "mechanism_revenue",
)
_HOME_COLUMNS = (
    ("home.bill", 11),
    ("home.saving", 9),
    ("home.import_kwh", 8),
    ("home.export_kwh", 8),
    ("home.self_consumption", 10),
)
"""KPIs of a home and the minimum width of their columns."""

_MAX_USES = 12
_MAX_MECHANISM_COLUMNS = 5
_CENT_TOLERANCE = 0.005

_out = Console()
_err = Console(stderr=True)


def print_names(title: str, described: Mapping[str, str]) -> None:
    """Print a table of names with a line about each.

    Args:
        title: Heading of the names.
        described: Name -> description.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True, style="bold")
    table.add_column("Description")
    for name, line in described.items():
        table.add_row(escape(name), escape(line))
    _out.print(table)


def print_result(result: Result) -> None:
    """Print the KPIs of a run and a row per home."""
    scenario = result.scenario
    _print_title(scenario)
    line = f"mechanism {scenario.market.mechanism}, policy {scenario.policy}\n"
    _out.print(line, highlight=False)
    summary = Table(box=None, pad_edge=False, show_header=False)
    summary.add_column(style="dim")
    summary.add_column(justify="right", style="bold")
    summary.add_column(style="dim")
    for row in (*_summary_rows(result), *_device_rows(result), *_network_rows(result)):
        summary.add_row(*row)
    _out.print(summary)
    _out.print()
    _print_homes(result)
    _print_uses(result)
    _print_events(result)
    for note in result.notes:
        _err.print(f"Note: {note}", style="dim", highlight=False, markup=False)
    timing = result.timing
    speed = timing["steps"] * len(result.households) / max(timing["simulate_s"], 1e-9)
    _out.print(
        f"\n{timing['steps']:,} steps: data {timing['build_s']:.1f} s,"
        f" compile {timing['compile_s']:.1f} s, simulate {timing['simulate_s']:.2f} s"
        f" ({speed / 1e6:.1f} million home-steps/s)",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )


def _kpi_row(result: Result, key: str, remark: str = "") -> tuple[str, str, str]:
    """Return label, value and remark of a KPI of a run."""
    kpi = catalog.get(key)
    value = catalog.value(result.kpis, key)
    return kpi.label, kpi.text(value, result.scenario.tariff.currency), remark


def _summary_rows(result: Result) -> Iterable[tuple[str, str, str]]:
    kpis = result.kpis
    for key, remark in _SUMMARY_KPIS:
        label, text, remark = _kpi_row(result, key, remark)
        if key == "saving":
            remark = _percent(kpis["saving"], kpis["cost_without_exchange"])
        elif key == "share_of_optimal_gain" and not kpis.get(key):
            continue
        elif key == "emissions_kg" and kpis["emissions_kg"] is None:
            text = "unknown"
        yield label, text, remark


def _device_rows(result: Result) -> list[tuple[str, str, str]]:
    """Return the first KPI of each kind of device, and the unserved energy, where present."""
    rows = []
    for device in ordered(devices.entries()):
        kpi = next((kpi for kpi in device.kpis if kpi.key in result.kpis), None)
        if kpi is None:
            continue
        remark = kpi.notes
        if kpi.beside:
            label, text, _ = _kpi_row(result, kpi.beside)
            remark = f"{label}: {text}"
        rows.append(_kpi_row(result, kpi.key, remark))
    if "unserved_kwh" in result.kpis:
        rows.append(_kpi_row(result, "unserved_kwh", "requested from devices"))
    if "shed_kwh" in result.kpis:
        rows.append(_kpi_row(result, "shed_kwh", "by a limit of the supply"))
    return rows


def _network_rows(result: Result) -> list[tuple[str, str, str]]:
    """Return losses, loading, voltages and interventions, where there is a network."""
    network = result.kpis["network"]
    if network is None:
        return []
    spec = result.scenario.network
    _, share, _ = _kpi_row(result, "network.loss_share")
    _, overload, _ = _kpi_row(result, "network.overload_hours")
    rows = [
        _kpi_row(result, "network.loss_kwh", f"{share}, network {spec.kind}"),
        _kpi_row(result, "network.max_line_loading", f"above 100 % in {overload}"),
    ]
    if network["max_transformer_loading"] is not None:
        rows.append(_kpi_row(result, "network.max_transformer_loading"))
    if network.get("min_voltage_pu") is not None:
        _, violations, _ = _kpi_row(result, "network.voltage_violation_hours")
        rows.append(_kpi_row(result, "network.min_voltage_pu", f"outside ±10 % in {violations}"))
        rows.append(_kpi_row(result, "network.max_voltage_pu"))
    if spec.operator.fees:
        rows.append(_kpi_row(result, "network.fees"))
    remark = f"in {network['interventions']:,.0f} steps"
    if spec.operator.intervention == "curtail":
        rows.append(_kpi_row(result, "network.curtailed_kwh", remark))
    if spec.operator.intervention == "penalize":
        rows.append(_kpi_row(result, "network.penalized_kwh", remark))
    return rows


def _print_homes(result: Result) -> None:
    """Print bill, saving, meter readings and self-consumption of each home."""
    scenario = result.scenario
    kpis = [catalog.get(key) for key, _ in _HOME_COLUMNS]
    titles = [kpi.title(scenario.tariff.currency) for kpi in kpis]
    _out.print(f"Each home: {'; '.join(titles)}", style="dim", highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Home", no_wrap=True, max_width=14)
    table.add_column("Devices", min_width=14)
    # Names may be truncated; numbers must not be.
    for key, width in _HOME_COLUMNS:
        heading = catalog.get(key).heading
        table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for home, spec in zip(result.households, scenario.homes, strict=True):
        owned = ["solar"] if spec.solar is not None else []
        owned += [device.title for device in ordered(spec.devices)]
        numbers = [kpi.number(catalog.value(home, kpi.name)) for kpi in kpis]
        table.add_row(escape(home["name"]), escape(", ".join(owned)) or "-", *numbers)
    _out.print(table)


def _print_events(result: Result) -> None:
    """Print what happened when, to whom, and with what effect."""
    events = events_table(result)
    if events is None:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in events.head:
        table.add_column(heading)
    for row in events.rows:
        table.add_row(*(escape(cell) for cell in row))
    _out.print(f"\n{events.caption}", style="dim", highlight=False)
    _out.print(table)


def _print_uses(result: Result) -> None:
    """Print the energy by end use of all homes, the largest first."""
    uses = result.end_use_kwh.dropna(how="all")
    if not len(uses.columns):
        return
    kwh = uses.sum()
    shown = kwh.iloc[:_MAX_USES]
    rows = [(str(name), float(amount)) for name, amount in shown.items()]
    if len(kwh) > len(shown):
        rows.append((f"{len(kwh) - len(shown)} others", float(kwh.iloc[_MAX_USES:].sum())))
    homes = f" of {len(uses)} homes" if len(uses) > 1 else ""
    _out.print(f"\nEnergy by end use{homes}, kWh", style="dim", highlight=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(justify="right", style="dim")
    for name, amount in rows:
        table.add_row(escape(name), f"{amount:,.0f}", _percent(amount, float(kwh.sum())))
    _out.print(table)


def print_properties(properties: "Mapping[str, MechanismProperties]") -> None:
    """Print the measured properties of every mechanism.

    Args:
        properties: Mechanism -> properties.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("Mechanism", no_wrap=True)
    for title in ("Operator", "Worse off", "Efficiency", "Gain by misreporting"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, measured in properties.items():
        surplus = f"{100 * measured.operator_surplus:+.0f} %"
        gain = "-"
        if measured.misreport_gain is not None:
            gain = f"{100 * measured.misreport_gain:.1f} %"
        table.add_row(
            name,
            "balanced" if abs(measured.operator_surplus) < 1e-4 else surplus,
            f"{100 * measured.worse_off_share:.0f} %",
            f"{100 * measured.efficiency:.0f} %",
            gain,
        )
    _out.print(table)
    _out.print(_PROPERTIES_LEGEND, style="dim", highlight=False)


def print_comparison(results: Mapping[str, Result], policies: bool) -> None:
    """Print runs side by side; homes that lose come first.

    Args:
        results: Name -> run, all of the same scenario.
        policies: True where policies are compared, not mechanisms.
    """
    first = next(iter(results.values()))
    currency = first.scenario.tariff.currency
    _print_title(first.scenario)
    if policies:
        _print_gains(results)
        return
    _print_losing_homes(results)
    _out.print()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("Mechanism", no_wrap=True)
    kpis = [catalog.get(key) for key in _COMPARISON_KPIS]
    for kpi in kpis:
        table.add_column(kpi.heading, justify="right", no_wrap=True)
    for name, result in results.items():
        table.add_row(name, *(kpi.number(catalog.value(result.kpis, kpi.key)) for kpi in kpis))
    _out.print(table)
    legend = "; ".join(f"{kpi.heading}: {kpi.title(currency)}" for kpi in kpis)
    _out.print(f"\n{legend}.", style="dim", highlight=False)
    if any(result.kpis.get("share_of_optimal_gain") is not None for result in results.values()):
        _out.print()
        _print_gains(results)
    if len(results) <= _MAX_MECHANISM_COLUMNS:
        _print_bills(results)


def _print_losing_homes(results: Mapping[str, Result]) -> None:
    """Print the homes that lose under each mechanism; half a cent does not show on a bill."""
    any_loses = False
    for name, result in results.items():
        currency = result.scenario.tariff.currency
        kpi = catalog.get("home.saving")
        losing = [
            f"{home['name']} loses {kpi.text(-home['saving'], currency)}"
            for home in result.households
            if home["saving"] < -_CENT_TOLERANCE
        ]
        if losing:
            any_loses = True
            line = f"{name}: {', '.join(losing)}"
            _out.print(line, markup=False, highlight=False, soft_wrap=True)
    if not any_loses:
        _out.print("No home loses against no exchange.", highlight=False)


def _print_bills(results: Mapping[str, Result]) -> None:
    """Print the bill of each home under each mechanism."""
    first = next(iter(results.values()))
    kpi = catalog.get("home.bill")
    title = kpi.title(first.scenario.tariff.currency)
    _out.print(f"\nEach home: {title}", highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("Home", no_wrap=True)
    for name in results:
        table.add_column(name, justify="right")
    for number, home in enumerate(first.households):
        bills = [result.households[number]["bill"] for result in results.values()]
        table.add_row(escape(home["name"]), *(kpi.number(bill) for bill in bills))
    _out.print(table)


def _print_gains(results: Mapping[str, Result]) -> None:
    """Print the optimality gap of each run."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    rows = report.gain_rows(results)
    # Headings wrap; names and numbers must not be truncated.
    table.add_column("Outcome", no_wrap=True, min_width=max(len(row[0]) for row in rows))
    for title in report.gain_columns():
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    _out.print(table)
    note = report.gain_note(next(iter(results.values())))
    _out.print(f"\n{note}", style="dim", highlight=False)


def _print_title(scenario: Scenario) -> None:
    """Print name and description; markup is off, since a name may hold brackets."""
    title = f"{scenario.name}: {scenario.description}" if scenario.description else scenario.name
    _out.print(f"\n{title}", style="bold", markup=False, highlight=False, soft_wrap=True)


def _percent(part: float, whole: float) -> str:
    """Format a share; empty where the whole is not positive."""
    # Adding zero turns -0.0 into 0.0.
    return f"{round(100 * part / whole, 1) + 0.0:.1f} %" if whole > 0 else ""
