"""The bills of a run, line by line."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prosumax.scenario.schema.community import Scenario
from prosumax.scenario.schema.tariff import BILL_ITEM_LABELS, TimeOfUsePrice, charge_components
from prosumax.simulation.inputs import Profiles
from prosumax.simulation.results.annual import PeriodSettlement
from prosumax.tariff.statement import StatementLine, BillStatement, fixed_line, kwh_lines, mean_line, money_line

Array = NDArray[np.float64]

_RECEIVER = {
    "energy": "supplier",
    "network": "network_operator",
    "levies": "government",
    "vat_exempt_levies": "government",
}


def make_statements(
    scenario: Scenario, profiles: Profiles, exact: Any, year: PeriodSettlement, settlement: Array
) -> list[BillStatement]:
    """The bill of every home; its total is the home's bill, from the kWh and the prices of every step.

    Arguments:
        scenario, profiles: what was run.
        exact: the trajectory in double precision.
        year: what was settled after the period.
        settlement: what the mechanism settled after the period, money [home].
    """
    local, flows, period = exact.record.local, exact.record.flows, scenario.period
    zeros = np.zeros(len(scenario.homes))
    cancelled = zeros if year.net_metering is None else year.net_metering.netted_kwh.sum(0)
    made = []
    for number, home in enumerate(scenario.homes):
        lines = [
            *_supplier(scenario, profiles, year, number),
            *_charged(scenario, profiles, year, local.bought_kwh[:, number], number, ("network",)),
            *_network_fees(scenario, exact, year, number),
            *_charged(
                scenario,
                profiles,
                year,
                local.bought_kwh[:, number],
                number,
                ("levies", "vat_exempt_levies"),
            ),
            *_fees(scenario, "levies_per_year", "government", year.years),
            *_neighbours(local, number),
            *money_line(
                "mechanism", "Settled by the exchange after the period", float(settlement[number])
            ),
        ]
        made.append(
            BillStatement(
                home=home.name,
                tariff=scenario.tariff.description,
                currency=scenario.tariff.currency,
                first_day=f"{profiles.local_index[0]:%Y-%m-%d}",
                last_day=f"{profiles.local_index[-1]:%Y-%m-%d}",
                days=period.steps * period.step_hours / 24,
                vat_rate=scenario.tariff.vat,
                import_kwh=float(flows.import_kwh[:, number].sum()),
                export_kwh=float(flows.export_kwh[:, number].sum()),
                netted_kwh=float(cancelled[number]),
                lines=lines,
            )
        )
    return made


def _supplier(scenario: Scenario, profiles: Profiles, year: PeriodSettlement, number: int) -> Iterable[StatementLine]:
    yield from _charged(
        scenario, profiles, year, np.zeros(len(profiles.local_index)), number, ("energy",)
    )
    yield from _fees(scenario, "supplier_fee_per_year", "supplier", year.years)
    (price,) = (
        profiles.charges["feed_in"].values()
        if profiles.charges["feed_in"]
        else (np.zeros(len(profiles.local_index)),)
    )
    sold = year.sold_kwh[:, number]
    money = float(sold @ price)
    kwh = float(sold.sum())
    if year.net_metering is not None:
        kwh -= float(year.net_metering.netted_kwh[:, number].sum())
        money -= float(year.net_metering.lost_feed_in[number])
    for line in money_line("supplier", BILL_ITEM_LABELS["feed_in"], -money, -kwh):
        yield replace(line, is_mean_price=bool(np.ptp(price) > 0))


def _charged(
    scenario: Scenario,
    profiles: Profiles,
    year: PeriodSettlement,
    shared_kwh: Array,
    number: int,
    fields: tuple[str, ...],
) -> Iterable[StatementLine]:
    """Charges per kWh, on energy from the grid and on what neighbours supplied."""
    terms = scenario.tariff
    for field in fields:
        vat = 0.0 if field == "vat_exempt_levies" else terms.vat
        share = terms.resolved_local_network_share if field == "network" else terms.local_levies_share
        specs = charge_components(field, getattr(terms, field))
        for name, price in profiles.charges[field].items():
            off = None
            if year.net_metering is not None:
                _, first = np.unique(year.net_metering.register, return_index=True)
                off = (year.net_metering.netted_kwh[:, number], price[first])
            labels = _hours(specs[name])
            yield from kwh_lines(
                _RECEIVER[field], name, year.bought_kwh[:, number], price, vat, labels, off
            )
        for name, price in profiles.charges[field].items():
            said = f"{name}, shared" + ("" if share == 1 else f" at {100 * share:g} %")
            if share > 0:
                yield from mean_line(_RECEIVER[field], said, shared_kwh, price * share, vat)


def _network_fees(scenario: Scenario, exact: Any, year: PeriodSettlement, number: int) -> Iterable[StatementLine]:
    terms, vat, receiver = scenario.tariff, scenario.tariff.vat, "network_operator"
    yield from _fees(scenario, "network_fee_per_year", receiver, year.years)
    months = len(year.month_coverage)
    said = (
        "Highest quarter-hour"
        if months == 1
        else f"Mean of the highest quarter-hours of {months} months"
    )
    if scenario.period.step_minutes > 15:
        said = said.replace("quarter-hour", f"{scenario.period.step_minutes} minutes").replace(
            "minutess", "minutes"
        )
    rate = terms.capacity_charge_per_kw_year * float(year.month_coverage.sum()) / 12
    yield from fixed_line(receiver, said, float(year.mean_peak_kw[number]), "kW", rate, vat)
    inverter_kw = scenario.homes[number].net_metering_kw or 0.0
    prosumer = terms.prosumer_fee_per_kw_year * year.years
    yield from fixed_line(receiver, "Prosumer fee, inverter", inverter_kw, "kW", prosumer, vat)
    on_trades = float(exact.record.bill.network_fees[:, number].sum())
    yield from money_line(receiver, "Fees on trades with neighbours", on_trades)


def _neighbours(local: Any, number: int) -> Iterable[StatementLine]:
    bought, sold, paid, earned = (float(part[:, number].sum()) for part in local[:4])
    yield from money_line("mechanism", "Bought from neighbours", paid, bought)
    yield from money_line("mechanism", "Sold to neighbours", -earned, -sold)


def _fees(scenario: Scenario, field: str, receiver: str, years: float) -> Iterable[StatementLine]:
    for name, fee in charge_components(field, getattr(scenario.tariff, field)).items():
        yield from fixed_line(receiver, name, years, "year", fee, scenario.tariff.vat)


def _hours(price: Any) -> dict[float, str]:
    """Price -> the hours in which it holds, for prices by the clock."""
    if not isinstance(price, TimeOfUsePrice):
        return {}
    said: dict[float, list[str]] = {}
    for window in price.windows:
        days = "" if window.days == "all" else f" on {window.days}"
        said.setdefault(window.price, []).append(f"{window.from_hour}-{window.to_hour} h{days}")
    return {value: " and ".join(hours) for value, hours in said.items() if value != price.default}
