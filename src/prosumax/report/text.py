"""Verdicts in plain language: short sentences, frequencies before percentages, losers first."""

from collections.abc import Sequence

import pandas as pd

from prosumax.devices.base import ordered
from prosumax.metrics import catalog
from prosumax.metrics.records import HouseholdKPIs
from prosumax.scenario.schema.community import HomeConfig, Period
from prosumax.simulation.results.result import Result
from prosumax.viz.language import ENGLISH
from prosumax.viz.run.bills import arranged
from prosumax.viz.run.bills import sentence as bills_sentence
from prosumax.viz.text import (
    CENT,
    day,
    days,
    mechanism_label,
    moment,
    plural,
    round_percentages,
    several,
)

__all__ = [
    "CENT",
    "convergence_warning",
    "cost_change",
    "day",
    "days",
    "device_list",
    "energy",
    "hours",
    "joined",
    "length",
    "mechanism_label",
    "moment",
    "money",
    "network_description",
    "network_warnings",
    "number",
    "round_percentages",
    "operator_sentences",
    "percent",
    "plural",
    "power",
    "savings_sentence",
    "several",
    "simulated_time",
    "verdict",
]

number = ENGLISH.number
money = ENGLISH.money
energy = ENGLISH.energy
power = ENGLISH.power
length = ENGLISH.length
percent = ENGLISH.percent
joined = ENGLISH.joined

_PERIODS = (
    ("year", 364.5, 366.5),
    ("month", 27.9, 31.1),
    ("week", 6.95, 7.05),
    ("day", 0.95, 1.05),
)
_UNITS = (("day", 1440), ("hour", 60), ("minute", 1))


def device_list(home: HomeConfig) -> str:
    """Return the devices of a home: `panels, battery`; a hyphen without any."""
    owned = [] if home.solar is None else ["panels"]
    return ", ".join([*owned, *(device.title for device in ordered(home.devices))]) or "-"


def simulated_time(period: Period) -> str:
    """Return `this simulated year` or `these 12 simulated days`."""
    minutes = period.steps * period.step_minutes
    length_days = minutes / 1440
    for name, low, high in _PERIODS:
        if low <= length_days <= high:
            return f"this simulated {name}"
    if minutes == 60:
        return "this simulated hour"
    unit, size = next(
        (unit, size) for unit, size in _UNITS if minutes >= 2 * size or unit == "minute"
    )
    count = minutes / size
    return f"these {count:,.0f} simulated {unit}s" if count != 1 else f"this simulated {unit}"


def hours(count: float) -> str:
    """Return `1 hour` or `12.25 hours`."""
    return f"{number(count, 0 if float(count).is_integer() else 2)} hour{'' if count == 1 else 's'}"


def verdict(result: Result) -> str:
    """Describe what the homes pay together, and which of them gain or lose by exchanging energy."""
    scenario = result.scenario
    kpis = result.kpis
    homes = result.households
    currency = scenario.tariff.currency
    cost = kpis["cost"]
    verb = "pay" if cost >= -CENT else "earn"
    subject = f"the {len(homes)} homes of {scenario.name} {verb}"
    if len(homes) == 1:
        subject = f"the one home of {scenario.name} {verb}s"
    together = " together" if len(homes) > 1 else ""
    start = f"In {simulated_time(scenario.period)} {subject} {money(abs(cost), currency)}{together}"
    if kpis["traded_kwh"] <= 0 and all(abs(home["saving"]) < CENT for home in homes):
        if scenario.market.mechanism == "none":
            return (
                f"{start}. No electricity is exchanged between neighbors (the mechanism is none),"
                " so no home gains or loses by it."
            )
        return (
            f"{start}. No electricity was exchanged, so every bill is the same as without exchange."
        )
    change = cost_change(kpis["saving"], kpis["cost_without_exchange"], cost, currency)
    return f"{start}, {change}. {savings_sentence(homes, currency)}"


def cost_change(saving: float, before: float, after: float, currency: str) -> str:
    """Compare costs: `214 EUR (3.4 %) less than without exchange`.

    Args:
        saving: Amount saved.
        before: Cost without exchange.
        after: Cost with exchange.
        currency: Currency of the amounts.
    """
    if abs(saving) < CENT:
        return "the same as without exchange"
    amount = money(abs(saving), currency)
    if before < -CENT < CENT < after or after < -CENT < CENT < before:
        return f"{amount} {'better' if saving > 0 else 'worse'} than without exchange"
    share = f" ({percent(abs(saving / before))})" if abs(before) > CENT else ""
    # Earning more is better, paying more is worse.
    more = (saving < 0) == (after >= -CENT)
    return f"{amount}{share} {'more' if more else 'less'} than without exchange"


def savings_sentence(homes: Sequence[HouseholdKPIs], currency: str) -> str:
    """Describe how many homes pay more and less than without exchange, losing homes first."""
    table = pd.DataFrame(
        {
            "home": [home["name"] for home in homes],
            "bill_without_exchange": [home["bill"] + home["saving"] for home in homes],
            "bill": [home["bill"] for home in homes],
            "saving": [home["saving"] for home in homes],
        }
    )
    return bills_sentence(arranged(table, currency), ENGLISH)


_FLOWS = {
    "path": "Each trade loads the shortest path between its two ends; trade through a pool and with"
    " the supplier goes through the upstream grid. This model has no voltages.",
    "linear": "Flows and voltages are those of the linear model (LinDistFlow).",
    "ac": "Flows and voltages are those of an AC power flow.",
}


def network_warnings(result: Result) -> str:
    """Warn of overloads, voltages out of their band and steps without a solution."""
    kpis = result.kpis["network"]
    period = result.scenario.period
    if kpis is None:
        return ""
    problems = []
    overload = kpis["overload_hours"]
    if overload > 0:
        problems.append(f"some line or transformer exceeds its rating in {hours(overload)}")
    violations = catalog.value(kpis, "voltage_violation_hours") or 0.0
    if violations > 0:
        problems.append(f"some voltage is more than 10 % off in {hours(violations)}")
    total = f"of {number(period.steps * period.step_hours)}"
    warning = f"In the network {joined(problems)} {total}." if problems else ""
    return f"{convergence_warning(result)} {warning}".strip()


def convergence_warning(result: Result) -> str:
    """Warn of steps without a solution; empty where every step has one."""
    kpis = result.kpis["network"]
    steps = result.scenario.period.steps
    failed = 0 if kpis is None else int(kpis["not_converged_steps"])
    if not failed:
        return ""
    which = "any step" if failed == steps else f"{failed:,} of {plural(steps, 'step')}"
    warning = f"The network cannot carry the load in {which}: the power flow has no solution there."
    if failed == steps:
        return f"{warning} So the network has no KPIs."
    return f"{warning} The network's KPIs leave these steps out."


def network_description(result: Result) -> str:
    """Describe the network, its power flow and its background load."""
    spec = result.scenario.network
    feeder = result.profiles.feeder
    record = result.trajectory.record
    if feeder is None or record.grid is None:
        return ""
    transformers = int(feeder.branches.is_transformer.sum())
    parts = [plural(len(feeder.branches.name) - transformers, "line")]
    if transformers:
        parts.append(plural(transformers, "transformer"))
    buses = f"{len(feeder.buses):,} bus{'es' if len(feeder.buses) != 1 else ''}"
    name = f"{feeder.name[:1].upper()}{feeder.name[1:]}"
    if buses not in feeder.name:  # The name of a generated network contains its size.
        name = feeder.name
        parts.insert(0, buses)
    sentences = [f"{name}: {joined(parts)}.", _FLOWS[spec.flow]]
    background = float(record.grid.background_kwh.sum())
    if background > 0:
        share = percent(spec.background_load_share, 0)
        sentences.append(
            f"Beside these homes the network's own loads draw {energy(background)}, {share} of"
            " nominal at all times."
        )
    elif spec.flow != "path":
        sentences.append("Only these homes load it, so its loading may be lower than a real one.")
    if spec.trade_limit != "none":
        which = "all by the same share"
        if spec.trade_limit != "pro_rata":
            which = "those with the lowest value first"
        sentences.append(
            f"Trades that would overload it are reduced, {which}; the rest goes to the grid."
        )
    trades = record.local.trades
    has_pairs = trades is not None and bool((trades.kwh > 0).any())
    if result.kpis["traded_kwh"] > 0 and not has_pairs:
        sentences.append(
            "Local energy goes through a pool, which has no pairs, so trades have no distance."
        )
    return " ".join(sentences)


def operator_sentences(result: Result) -> list[str]:
    """Describe the settings of the network operator and what it did."""
    settings = result.scenario.network.operator
    kpis = result.kpis["network"]
    sentences = ["It charges no fees on trades."]
    if settings.fees:
        sentences = [
            "It charges fees on trades; half of each is paid by the buyer, half by the seller."
        ]
    if settings.intervention == "none" or kpis is None:
        return [*sentences, "It does not intervene when lines are congested."]
    threshold = settings.congestion_threshold
    limit = percent(threshold, 0 if (100 * threshold) % 1 < 1e-9 else 1)
    inspections = ""
    if settings.inspection_probability < 1:
        share = number(100 * settings.inspection_probability)
        inspections = f" It inspects {share} of every 100 steps, at random."
    if settings.adaptive:
        inspections += " It inspects more often and is stricter after recent overloads."
    count = f"{kpis['interventions']:,.0f} of {plural(result.scenario.period.steps, 'step')}"
    if settings.intervention == "penalize":
        sentences.append(
            "Setting: penalize. Trades on a path with a line or transformer over"
            f" {limit} loading cost more.{inspections}"
        )
        traded = result.kpis["traded_kwh"]
        share = f" of the {energy(traded)} traded between neighbors" if traded > 0 else ""
        sentences.append(f"It did so in {count}, for {energy(kpis['penalized_kwh'])}{share}.")
        return sentences
    order = "all that cause it by the same share"
    if settings.curtail_by == "price":
        order = "most expensive offers first"
    sentences.append(
        "Setting: curtail. Before trading it curtails export of PV power that would load a line or"
        f" transformer over {limit}, {order}.{inspections}"
    )
    sentences.append(f"It did so in {count} and curtailed {energy(kpis['curtailed_kwh'])}.")
    return sentences
