"""Tables of a run: tiles of KPIs, a row per home, and each home's bill by receiver of the money."""

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import NamedTuple

from prosumax.devices.base import devices, ordered
from prosumax.metrics import KPI, HouseholdKPIs, catalog
from prosumax.report import text
from prosumax.report.kpi_glossary import KPIEntry
from prosumax.simulation.results.events import effect_text
from prosumax.simulation.results.result import Result
from prosumax.tariff.component import tariff_parts
from prosumax.viz.chart import Table

_MAX_HOME_COLUMNS = 10
"""Number of homes with a column of their own in the table of end uses."""

_NUMERICAL_ZERO = 0.005
"""Energy, degree hours or money below this amount are rounding errors of single precision."""

RECEIVERS = {
    "supplier": "supplier",
    "network_operator": "network operator",
    "government": "government",
    "mechanism": "local exchange",
    "community": "community",
}
"""Receivers of money: name in the KPIs -> name on the page."""


class BillColumn(NamedTuple):
    """An entry of a home's `bill_items` as a column of a table.

    Attributes:
        title: Heading of the column.
        receiver: Receiver of the money, one of `RECEIVERS`.
        sign: -1 for a revenue of the home, which lowers the bill; else 1.
    """

    title: str
    receiver: str
    sign: int = 1


_TRADE_COLUMNS = {
    "network_fees": BillColumn("fees on trades", "network_operator"),
    "bought_locally": BillColumn("bought", "mechanism"),
    "sold_locally": BillColumn("sold", "mechanism", -1),
    "settlement": BillColumn("settled after the period", "mechanism"),
}
"""Entries of `bill_items` that no component of the tariff has."""


def bill_columns(result: Result) -> dict[str, BillColumn]:
    """Return the entries of `bill_items` by receiver: those of the tariff, then those of trades.

    Args:
        result: Result of a run.
    """
    columns = {
        part.item: BillColumn(part.title, part.receiver, -1 if part.item == "feed_in" else 1)
        for part in tariff_parts(result.scenario.tariff)
    } | _TRADE_COLUMNS
    return {
        name: column
        for receiver in RECEIVERS
        for name, column in columns.items()
        if column.receiver == receiver
    }


def _tile(key: str, value: str, meaning: str | None = None) -> KPIEntry:
    """Make a tile of a KPI; its explanation is that of the catalog unless there is a better one."""
    kpi = catalog.get(key)
    return KPIEntry(kpi.label, value, kpi.explanation if meaning is None else meaning)


def tiles(result: Result) -> list[KPIEntry]:
    """Return the main KPIs of a run: bills, energy, power, emissions and the optimality gap."""
    kpis = result.kpis
    currency = result.scenario.tariff.currency
    baseline = text.money(kpis["cost_without_exchange"], currency)
    surplus = kpis["home_export_kwh"]
    shared = "no surplus"
    if surplus > 0:
        shared = f"{text.number(100 * kpis['traded_kwh'] / surplus)} of every 100 kWh of surplus"
    load = text.energy(kpis["load_kwh"])
    generation = text.energy(kpis["solar_kwh"])
    emissions = catalog.get("emissions_kg")
    return [
        _tile("cost", text.money(kpis["cost"], currency), f"without exchange {baseline}"),
        _tile("saving", text.money(kpis["saving"], currency), "all homes together"),
        _tile("traded_kwh", text.energy(kpis["traded_kwh"]), shared),
        _tile("grid_import_kwh", text.energy(kpis["grid_import_kwh"]), f"of {load} of load"),
        _tile(
            "grid_export_kwh",
            text.energy(kpis["grid_export_kwh"]),
            f"of {generation} of PV generation",
        ),
        _tile("self_consumption", text.percent(kpis["self_consumption"])),
        _tile("self_sufficiency", text.percent(kpis["self_sufficiency"])),
        _tile("peak_kw", text.power(kpis["peak_kw"])),
        *_optimality_tiles(result),
        _tile("emissions_kg", f"{text.number(kpis['emissions_kg'])}\u00a0{emissions.unit}"),
    ]


def _optimality_tiles(result: Result) -> list[KPIEntry]:
    kpis = result.kpis
    currency = result.scenario.tariff.currency
    share = kpis.get("share_of_optimal_gain")
    individual_optimum = kpis.get("individual_optimum")
    community_optimum = kpis.get("community_optimum")
    if share is None or individual_optimum is None or community_optimum is None:
        return []
    meaning = (
        "of what perfect foresight could gain together"
        f" ({text.money(community_optimum, currency)});"
        f" each home alone: {text.money(individual_optimum, currency)}"
    )
    anarchy = kpis.get("price_of_anarchy")
    if anarchy is not None:
        meaning += f"; price of anarchy {text.number(anarchy, 2)}"
    return [_tile("share_of_optimal_gain", text.percent(share), meaning)]


def homes_table(result: Result) -> Table:
    """Make a table with one row per home."""
    currency = result.scenario.tariff.currency
    homes = result.households
    kpis = result.kpis
    groups = [
        ("", 2),
        (f"Bill, {currency}", 3),
        ("Bought, kWh", 2),
        ("Sold, kWh", 2),
        ("Own PV generation", 2),
        ("", 1),
    ]
    peak = catalog.get("home.peak_kw")
    head = [
        "Home",
        "Devices",
        "with exchange",
        catalog.get("home.bill_without_exchange").heading,
        catalog.get("home.saving").label.lower(),
        "from the grid",
        "locally",
        "locally",
        "to the grid",
        catalog.get("home.self_consumption").label.lower(),
        catalog.get("home.self_sufficiency").label.lower(),
        peak.title(),
    ]
    configs = {home.name: home for home in result.scenario.homes}
    bills = ("bill", "bill_without_exchange", "saving")
    amounts = ("grid_import_kwh", "bought_locally_kwh", "sold_locally_kwh", "grid_export_kwh")

    def row(home: HouseholdKPIs) -> list[str]:
        return [
            home["name"],
            text.device_list(configs[home["name"]]),
            *(text.number(catalog.value(home, name), 2) for name in bills),
            *(text.number(catalog.value(home, name)) for name in amounts),
            text.percent(home["self_consumption"], 0),
            text.percent(home["self_sufficiency"], 0),
            text.number(home["peak_kw"], peak.digits),
        ]

    foot = [
        "All",
        "",
        *(text.number(kpis[name], 2) for name in ("cost", "cost_without_exchange", "saving")),
        *(text.number(_total(result, name)) for name in amounts),
        text.percent(kpis["self_consumption"], 0),
        text.percent(kpis["self_sufficiency"], 0),
        text.number(kpis["peak_kw"], 1),
    ]
    rows = [row(home) for home in homes]
    return Table("Each home over the whole period", head, rows, foot, groups)


def _total(result: Result, name: str) -> float:
    """Sum a KPI over the homes."""
    return sum(catalog.value(home, name) or 0.0 for home in result.households)


def devices_table(result: Result) -> Table | None:
    """Make a table of the KPIs that devices declare; None where no home has any.

    KPIs with a short heading stand below the kind of their device and their unit.
    """

    def amount(kpis: Mapping[str, object], kpi: KPI) -> float:
        return catalog.value(kpis, kpi.key) or 0.0

    shown = [
        (device, catalog.get(kpi.key))
        for device in ordered(devices.entries())
        for kpi in device.kpis
        if amount(result.kpis, kpi) > _NUMERICAL_ZERO
    ]
    kpis = [kpi for _, kpi in shown]
    homes = [
        home
        for home in result.households
        if any(amount(home, kpi) > _NUMERICAL_ZERO for kpi in kpis)
    ]
    if not homes:
        return None
    currency = result.scenario.tariff.currency
    groups = [
        f"{device.title[:1].upper()}{device.title[1:]}, {kpi.unit_in(currency)}"
        if kpi.short
        else ""
        for device, kpi in shown
    ]
    spans = [("", 1), *((name, len(list(members))) for name, members in groupby(groups))]
    head = ["Home", *(kpi.short or kpi.title(currency) for kpi in kpis)]

    def number(value: float, kpi: KPI) -> str:
        return text.number(kpi.factor * value, kpi.digits)

    def cell(home: HouseholdKPIs, kpi: KPI) -> str:
        value = amount(home, kpi)
        return number(value, kpi) if value > _NUMERICAL_ZERO else "–"

    rows = [[home["name"], *(cell(home, kpi) for kpi in kpis)] for home in homes]
    foot = ["All", *(number(amount(result.kpis, kpi), kpi) for kpi in kpis)]
    caption = "Devices over the whole period; battery wear is not billed"
    return Table(caption, head, rows, foot, spans)


def bill_table(result: Result) -> Table:
    """Make a table of every item of every bill.

    Items that lower a bill are negative, so that rows and columns add up.
    """
    homes = result.households
    entries = bill_columns(result)
    columns = {
        name: [entry.sign * home["bill_items"].get(name, 0.0) for home in homes]
        for name, entry in entries.items()
    }
    used = {
        name: column
        for name, column in columns.items()
        if any(abs(amount) >= text.CENT for amount in column)
    }
    rows = []
    for number, home in enumerate(homes):
        items = [text.number(column[number], 2) for column in used.values()]
        rows.append([home["name"], *items, text.number(home["bill"], 2)])
    totals = [text.number(sum(column), 2) for column in used.values()]
    foot = ["All", *totals, text.number(result.kpis["cost"], 2)]
    head = ["Home", *(entries[name].title for name in used), catalog.get("home.bill").label]
    receivers = [
        (label, sum(entries[name].receiver == receiver for name in used))
        for receiver, label in RECEIVERS.items()
    ]
    spans = [("", 1), *(group for group in receivers if group[1]), ("", 1)]
    caption = f"Each home's bill, {result.scenario.tariff.currency}"
    return Table(caption, head, rows, foot, spans)


def uses_table(result: Result) -> Table | None:
    """Make a table of the energy by end use; None where no load tells its end uses."""
    uses = result.end_use_kwh.dropna(how="all")
    if not len(uses.columns):
        return None
    single = uses if len(uses) <= _MAX_HOME_COLUMNS else uses.iloc[:0]
    total = float(uses.to_numpy().sum())

    def row(name: str, per_home: list[float], amount: float) -> list[str]:
        share = text.percent(amount / total if total else None)
        return [name, text.number(amount), share, *map(text.number, per_home)]

    rows = [
        row(str(name).capitalize(), list(single[name]), float(uses[name].sum()))
        for name in uses.columns
    ]
    foot = row("All", list(single.sum(axis=1)), total)
    head = ["End use", "All homes", "Share", *map(str, single.index)]
    return Table("Energy by end use, kWh", head, rows, foot)


def events_table(result: Result) -> Table | None:
    """Make a table of what happened when, to whom, and with what effect; None without events."""
    if not result.events:
        return None
    rows = []
    for event in result.events:
        start, end = (time.replace("T", " ") for time in (event["start"], event["end"]))
        is_limit = event["event"] == "supply_limit"
        homes = event["homes"]
        whom = (
            "all homes" if is_limit and len(homes) == len(result.households) else text.joined(homes)
        )
        until = f" to {end}" if end else ""
        rows.append([f"{start}{until}", event["what"], whom, effect_text(event)])
    return Table("Events, local time", ["When", "What", "Whom", "Effect"], rows)


def receivers_table(result: Result) -> Table:
    """Make a table of the receivers of what the homes pay."""
    names = {**RECEIVERS, "mechanism": "operator of the exchange"}
    revenues = {name: catalog.value(result.kpis, f"{name}_revenue") for name in names}
    rows = [
        [name.capitalize(), text.number(revenues[receiver], 2)]
        for receiver, name in names.items()
        if receiver != "community" or revenues[receiver]
    ]
    foot = [catalog.get("cost").label, text.number(result.kpis["cost"], 2)]
    head = ["Receiver", result.scenario.tariff.currency]
    return Table("Receivers of the money", head, rows, foot)


def network_tiles(result: Result) -> list[KPIEntry]:
    """Return the main KPIs of the network; undefined ones are left out."""
    network = result.kpis["network"]
    period = result.scenario.period
    if network is None:
        return []
    total = f"of {text.number(period.steps * period.step_hours)} hours"
    share = ""
    if network["loss_share"] is not None:
        share = f"{text.percent(network['loss_share'])} of the infeed"

    def tile(key: str, format_value: Callable[[float], str], meaning: str) -> KPIEntry | None:
        value = catalog.value(result.kpis, f"network.{key}")
        return None if value is None else _tile(f"network.{key}", format_value(value), meaning)

    found = [
        tile("loss_kwh", text.energy, share),
        tile("max_line_loading", text.percent, "of its rating, at most"),
        tile("max_transformer_loading", text.percent, "of its rating, at most"),
        tile("overload_hours", _hours, f"{total}, some line or transformer"),
        tile("min_voltage_pu", text.percent, "of nominal"),
        tile("max_voltage_pu", text.percent, "of nominal"),
        tile("voltage_violation_hours", _hours, f"{total}, at some bus"),
        tile("reverse_flow_hours", _hours, f"{total}, into the grid above"),
    ]
    entries = [entry for entry in found if entry is not None]
    not_converged = network["not_converged_steps"]
    if not_converged:
        label = catalog.get("network.not_converged_steps").label
        meaning = f"of {text.plural(period.steps, 'step')}; left out of all other KPIs"
        warning = KPIEntry(f"\u25b2 {label}", text.number(not_converged), meaning)
        entries = [warning, *(entries if not_converged < period.steps else [])]
    return entries


def _hours(value: float) -> str:
    return f"{text.number(value, 0 if value >= 10 or value == 0 else 2)}\u00a0h"


def operator_table(result: Result) -> Table:
    """Make a table of the network operator's money: tariff and fees, less the cost of losses."""
    network = result.kpis["network"]
    assert network is not None
    tariff = sum(
        home["bill_items"].get(name, 0.0)
        for home in result.households
        for name, column in bill_columns(result).items()
        if column.receiver == "network_operator" and name not in _TRADE_COLUMNS
    )
    rows = [
        ["Network charges of the tariff", text.number(tariff, 2)],
        [catalog.get("network.fees").label, text.number(network["fees"], 2)],
        [
            f"{catalog.get('network.loss_cost').label}, bought from the supplier",
            text.number(-network["loss_cost"], 2),
        ],
    ]
    revenue = catalog.get("network_operator_revenue")
    foot = [revenue.label, text.number(result.kpis["network_operator_revenue"], 2)]
    head = ["Item", result.scenario.tariff.currency]
    return Table("Money of the network operator", head, rows, foot)
