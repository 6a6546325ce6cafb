"""The figures of a run: tiles, a row per home, and each home's bill by who receives the money."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prosumax.report import text
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Table

_MOST_HOMES = 10  # with a column of their own in the table of uses

RECEIVERS = {
    "supplier": "supplier",
    "network_operator": "network operator",
    "government": "government",
    "mechanism": "exchange with neighbours",
}
"""Who is paid: the name in the key figures, and the name on the page."""

COMPONENTS: dict[str, tuple[str, str, int]] = {
    "energy": ("energy", "supplier", 1),
    "supplier_fee": ("fixed fee", "supplier", 1),
    "feed_in": ("sent to the grid", "supplier", -1),
    "network": ("network", "network_operator", 1),
    "network_fee": ("fixed fee", "network_operator", 1),
    "network_fees": ("fees on trades", "network_operator", 1),
    "capacity_charge": ("highest power", "network_operator", 1),
    "prosumer_fee": ("prosumer fee", "network_operator", 1),
    "levies": ("levies", "government", 1),
    "levies_per_year": ("fixed levies", "government", 1),
    "vat": ("VAT", "government", 1),
    "bought_locally": ("bought", "mechanism", 1),
    "sold_locally": ("sold", "mechanism", -1),
    "settlement": ("settled after the period", "mechanism", 1),
}
"""Entry of a home's `bill_items` -> its name, who receives it, and its sign on the bill."""


class Tile(NamedTuple):
    """A key figure: what it is, its value, and what it means."""

    label: str
    value: str
    meaning: str


def tiles(result: Result) -> list[Tile]:
    """The nine figures that people ask for first, and one more where the optimum is known."""
    kpis, homes, currency = result.kpis, result.households, result.scenario.tariff.currency
    bought = sum(home["grid_import_kwh"] for home in homes)
    sent = sum(home["grid_export_kwh"] for home in homes)
    alone = text.money(kpis["cost_without_exchange"], currency)
    surplus = kpis["home_export_kwh"]
    kept = (
        f"{text.number(100 * kpis['traded_kwh'] / surplus)} of every 100 kWh of surplus"
        if surplus > 0
        else "no surplus"
    )
    return [
        Tile("All bills together", text.money(kpis["cost"], currency), f"without exchange {alone}"),
        Tile("Saved by exchanging", text.money(kpis["saving"], currency), "all homes together"),
        Tile("Traded with neighbours", text.energy(kpis["traded_kwh"]), kept),
        Tile(
            "Bought from the grid", text.energy(bought), f"of {text.energy(kpis['load_kwh'])} used"
        ),
        Tile(
            "Sent to the grid",
            text.energy(sent),
            f"of {text.energy(kpis['solar_kwh'])} made by panels",
        ),
        Tile(
            "Self-consumption",
            text.percent(kpis["self_consumption"]),
            "of the sun's power is used in the community",
        ),
        Tile(
            "Self-sufficiency",
            text.percent(kpis["self_sufficiency"]),
            "of the use is covered by the community",
        ),
        Tile("Highest demand", text.power(kpis["peak_kw"]), "of all homes together, from the grid"),
        *_optimum_tiles(kpis, currency),
        Tile(
            "Carbon",
            f"{text.number(kpis['emissions_kg'])}\u00a0kg",
            "CO\u2082 of the power bought from the grid",
        ),
    ]


def _optimum_tiles(kpis: Mapping[str, Any], currency: str) -> list[Tile]:
    if kpis["share_of_gain"] is None:
        return []
    best, own = (text.money(kpis[name], currency) for name in ("community_optimum", "own_optimum"))
    anarchy = kpis["price_of_anarchy"]
    meaning = f"of what perfect foresight could gain together ({best}); each home alone: {own}"
    if anarchy is not None:
        meaning += f"; price of anarchy {text.number(anarchy, 2)}"
    return [Tile("Share of the possible gain", text.percent(kpis["share_of_gain"]), meaning)]


def homes_table(result: Result) -> Table:
    """One row per home."""
    currency, homes, kpis = result.scenario.tariff.currency, result.households, result.kpis
    groups = [
        ("", 2),
        (f"Bill, {currency}", 3),
        ("Bought, kWh", 2),
        ("Sold, kWh", 2),
        ("Own sun, own use", 2),
        ("", 1),
    ]
    head = [
        "Home",
        "Has",
        "with this rule",
        "without exchange",
        "saving",
        "from grid",
        "from neighbours",
        "to neighbours",
        "to grid",
        "self-consumption",
        "self-sufficiency",
        "Peak, kW",
    ]
    amounts = ("grid_import_kwh", "bought_locally_kwh", "sold_locally_kwh", "grid_export_kwh")
    rows = [
        [
            home["name"],
            text.kind(home["kind"]),
            *(text.number(home[name], 2) for name in ("bill", "bill_without_exchange", "saving")),
            *(text.number(home[name]) for name in amounts),
            text.percent(home["self_consumption"], 0),
            text.percent(home["self_sufficiency"], 0),
            text.number(home["peak_kw"], 1),
        ]
        for home in homes
    ]
    foot = [
        "All",
        "",
        *(text.number(kpis[name], 2) for name in ("cost", "cost_without_exchange", "saving")),
        *(text.number(sum(home[name] for home in homes)) for name in amounts),
        text.percent(kpis["self_consumption"], 0),
        text.percent(kpis["self_sufficiency"], 0),
        text.number(kpis["peak_kw"], 1),
    ]
    return Table("Each home over the whole period", head, rows, foot, groups)


_NONE = 0.005  # kWh, kelvin-hours or money: dust of single precision
_DEVICE_COLUMNS = {
    "car_charge_kwh": ("Car, kWh", "charged"),
    "car_discharge_kwh": ("Car, kWh", "given back"),
    "car_unserved_kwh": ("Car, kWh", "charged on the road"),
    "car_short_kwh": ("Car, kWh", "missing at departures"),
    "heat_pump_kwh": ("Heat pump, kWh", "electricity"),
    "heat_kwh": ("Heat pump, kWh", "warmth of rooms"),
    "hot_water_kwh": ("Heat pump, kWh", "warmth of water"),
    "too_cold_kh": ("Rooms, kelvin-hours", "too cold"),
    "too_warm_kh": ("Rooms, kelvin-hours", "too warm"),
    "appliances_kwh": ("", "Appliances, kWh"),
    "battery_wear_cost": ("", "Wear of the battery"),
}
"""Group and heading of the figures of flexible devices and ageing batteries."""


def devices_table(result: Result) -> Table | None:
    """What flexible devices used and failed to deliver, and what batteries wore; None where no home has any."""
    names = [name for name in _DEVICE_COLUMNS if result.kpis.get(name, 0.0) > _NONE]
    homes = [home for home in result.households if any(home[name] > _NONE for name in names)]
    if not homes:
        return None
    found = [_DEVICE_COLUMNS[name][0] for name in names]
    spans = [("", 1)]
    for group in found:
        spans[-1:] = (
            [(group, spans[-1][1] + 1)]
            if spans[-1][0] == group and len(spans) > 1
            else [spans[-1], (group, 1)]
        )
    rows = [
        [home["name"], *(text.number(home[name]) if home[name] > _NONE else "–" for name in names)]
        for home in homes
    ]
    foot = ["All", *(text.number(result.kpis[name]) for name in names)]
    caption = f"Each home over the whole period; wear in {result.scenario.tariff.currency}, on nobody's bill"
    return Table(
        caption, ["Home", *(_DEVICE_COLUMNS[name][1] for name in names)], rows, foot, spans
    )


def bill_table(result: Result) -> Table:
    """Every component of every bill; what lowers a bill is negative, so rows and columns add up."""
    currency, homes = result.scenario.tariff.currency, result.households
    columns = {
        name: [sign * home["bill_items"][name] for home in homes]
        for name, (_, _, sign) in COMPONENTS.items()
    }
    used = {
        name: column
        for name, column in columns.items()
        if any(abs(amount) >= text.CENT for amount in column)
    }
    groups = [
        (label, sum(COMPONENTS[name][1] == receiver for name in used))
        for receiver, label in RECEIVERS.items()
    ]
    rows = [
        [
            home["name"],
            *(text.number(column[i], 2) for column in used.values()),
            text.number(home["bill"], 2),
        ]
        for i, home in enumerate(homes)
    ]
    foot = [
        "All",
        *(text.number(sum(column), 2) for column in used.values()),
        text.number(result.kpis["cost"], 2),
    ]
    head = ["Home", *(COMPONENTS[name][0] for name in used), "Bill"]
    spans = [("", 1), *(group for group in groups if group[1]), ("", 1)]
    return Table(f"Each home's bill, {currency}", head, rows, foot, spans)


def uses_table(result: Result) -> Table | None:
    """Where the electricity went, appliance by appliance; None when no home's load tells."""
    uses = result.uses_kwh.dropna(how="all")
    if not len(uses.columns):
        return None
    single = uses if len(uses) <= _MOST_HOMES else uses.iloc[:0]
    total = float(uses.to_numpy().sum())

    def row(name: str, per_home: list[float], amount: float) -> list[str]:
        share = text.percent(amount / total) if total else text.percent(None)
        return [name, text.number(amount), share, *map(text.number, per_home)]

    rows = [
        row(str(name).capitalize(), list(single[name]), float(uses[name].sum()))
        for name in uses.columns
    ]
    foot = row("All", list(single.sum(axis=1)), total)
    return Table(
        "Energy by use, kWh", ["Use", "All homes", "Share", *map(str, single.index)], rows, foot
    )


def receivers_table(result: Result) -> Table:
    """Who receives what the homes pay."""
    kpis, currency = result.kpis, result.scenario.tariff.currency
    names = {**RECEIVERS, "mechanism": "operator of the exchange"}
    rows = [
        [name.capitalize(), text.number(kpis[f"{party}_receives"], 2)]
        for party, name in names.items()
    ]
    foot = ["All bills together", text.number(kpis["cost"], 2)]
    return Table("Who receives the money", ["Receiver", currency], rows, foot)


def network_tiles(result: Result) -> list[Tile]:
    """What people ask first about the network; what is unknown is left out."""
    wires, period = result.kpis["network"], result.scenario.period
    total = f"of {text.number(period.steps * period.step_hours)} hours"
    share = (
        f"{text.percent(wires['loss_share'])} of what is fed in"
        if wires["loss_share"] is not None
        else ""
    )

    def hours(name: str) -> str:
        return (
            f"{text.number(wires[name], 0 if wires[name] >= 10 or wires[name] == 0 else 2)}\u00a0h"
        )

    found = [
        Tile("Losses", text.energy(wires["loss_kwh"]), share),
        Tile(
            "Fullest line",
            text.percent(wires["highest_line_loading"]),
            "of what it may carry, at most",
        ),
        Tile(
            "Fullest transformer",
            text.percent(wires["highest_transformer_loading"]),
            "of its rating, at most",
        ),
        Tile("Over 100 %", hours("overload_hours"), f"{total}, some line or transformer"),
    ]
    if "lowest_voltage" in wires:
        found += [
            Tile("Lowest voltage", text.percent(wires["lowest_voltage"]), "of nominal"),
            Tile("Highest voltage", text.percent(wires["highest_voltage"]), "of nominal"),
            Tile(
                "Voltage off by over 10 %",
                hours("voltage_violation_hours"),
                f"{total}, at some bus",
            ),
        ]
    found.append(Tile("Feeding back", hours("reverse_flow_hours"), f"{total}, into the grid above"))
    found = [tile for tile in found if tile.value != "–"]
    if wires["not_converged_steps"]:
        steps = f"of {text.plural(period.steps, 'step')}; left out of all other figures"
        found = found if wires["not_converged_steps"] < period.steps else []
        found.insert(
            0, Tile("\u25b2 No solution", text.number(wires["not_converged_steps"]), steps)
        )
    return found


def operator_table(result: Result) -> Table:
    """The network operator's money: what it is paid by tariff and by fees, less what losses cost it."""
    kpis, currency = result.kpis, result.scenario.tariff.currency
    wires = kpis["network"]
    tariff = sum(
        home["bill_items"][name]
        for home in result.households
        for name in ("network", "network_fee", "capacity_charge", "prosumer_fee")
    )
    rows = [
        ["Network charges of the tariff", text.number(tariff, 2)],
        ["Fees on trades", text.number(wires["fees"], 2)],
    ]
    rows.append(["Cost of losses, bought from the supplier", text.number(-wires["loss_cost"], 2)])
    foot = ["What it has left", text.number(kpis["network_operator_receives"], 2)]
    return Table("The network operator's money", ["Item", currency], rows, foot)
