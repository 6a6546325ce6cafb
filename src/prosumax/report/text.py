"""Figures and verdicts in plain words: short sentences, frequencies before percentages, losers before winners."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prosumax.scenario.schema.community import Period
from prosumax.simulation.results.result import Result

CENT = 0.005
"""Differences below half a cent are none."""

_KINDS = {
    "active prosumer": "panels, battery",
    "passive prosumer": "panels",
    "active consumer": "battery",
    "passive consumer": "no panels",
}
_SPACE = "\u00a0"  # a number and its unit stay on one line


def number(value: float | None, digits: int = 0) -> str:
    """With thousands separators and a true minus sign; a dash where a figure means nothing."""
    if value is None:
        return "–"
    rounded = round(value, digits) + 0.0  # no minus zero
    return f"{rounded:,.{digits}f}".replace("-", "\u2212")


def money(amount: float, currency: str) -> str:
    """Cents only below a hundred."""
    return f"{number(amount, 0 if abs(amount) >= 100 else 2)}{_SPACE}{currency}"


def energy(kwh: float | None) -> str:
    """kWh, a decimal only below ten."""
    return "–" if kwh is None else f"{number(kwh, 0 if abs(kwh) >= 10 else 1)}{_SPACE}kWh"


def power(kw: float) -> str:
    """In kW with one decimal, two below one."""
    return f"{number(kw, 1 if abs(kw) >= 1 else 2)}{_SPACE}kW"


def length(km: float) -> str:
    """In metres up to a kilometre."""
    return f"{number(1000 * km)}{_SPACE}m" if km < 1 else f"{number(km, 2)}{_SPACE}km"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return "–" if fraction is None else f"{number(100 * fraction, digits)}{_SPACE}%"


def plural(count: int, noun: str) -> str:
    """`1 home`, `8 homes`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def joined(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def of_hundred(parts: Sequence[float]) -> list[int]:
    """Shares of the whole as whole numbers that add up to 100 (largest remainders)."""
    whole = sum(parts)
    if whole <= 0:
        return [0] * len(parts)
    exact = [100 * part / whole for part in parts]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: 100 - sum(counts)]:
        counts[i] += 1
    return counts


def kind(name: str) -> str:
    """What a home has; kinds that are not in the table speak for themselves."""
    return _KINDS.get(name, name)


def rule(mechanism: str) -> str:
    """A mechanism's name for a reader."""
    return "none (no exchange)" if mechanism == "none" else mechanism


def simulated_time(period: Period) -> str:
    """`this simulated year`, `these 12 simulated days`."""
    minutes = period.steps * period.step_minutes
    days = minutes / 1440
    for name, low, high in (
        ("year", 364.5, 366.5),
        ("month", 27.9, 31.1),
        ("week", 6.95, 7.05),
        ("day", 0.95, 1.05),
    ):
        if low <= days <= high:
            return f"this simulated {name}"
    unit, size = next(
        (u, s)
        for u, s in (("day", 1440), ("hour", 60), ("minute", 1))
        if minutes >= 2 * s or s == 1
    )
    if minutes == 60:
        return "this simulated hour"
    count = minutes / size
    return f"these {count:,.0f} simulated {unit}s" if count != 1 else f"this simulated {unit}"


def day(moment: pd.Timestamp) -> str:
    """`5 June 2023`."""
    return f"{moment.day} {moment:%B %Y}"


def days(first: pd.Timestamp, last: pd.Timestamp) -> str:
    """`5 to 11 June 2023`, as short as it can be said."""
    if first.date() == last.date():
        return day(first)
    same_year, same_month = (
        first.year == last.year,
        (first.year, first.month) == (last.year, last.month),
    )
    start = str(first.day) if same_month else f"{first.day} {first:%B}" if same_year else day(first)
    return f"{start} to {day(last)}"


def moment(when: pd.Timestamp) -> str:
    """`5 June 2023 at 18:15`."""
    return f"{day(when)} at {when:%H:%M}"


def several(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def verdict(result: Result) -> str:
    """The answer first: what the homes pay together, and who gains or loses by exchanging."""
    scenario, kpis, homes = result.scenario, result.kpis, result.households
    currency, cost, saving = scenario.tariff.currency, kpis["cost"], kpis["saving"]
    what = "pay" if cost >= -CENT else "earn"
    who = (
        f"the {len(homes)} homes of {scenario.name} {what}"
        if len(homes) > 1
        else f"the one home of {scenario.name} {what}s"
    )
    together = " together" if len(homes) > 1 else ""
    start = f"In {simulated_time(scenario.period)} {who} {money(abs(cost), currency)}{together}"
    if kpis["traded_kwh"] <= 0 and all(abs(home["saving"]) < CENT for home in homes):
        reason = (
            "No electricity is exchanged between neighbours (the rule is none), so nobody gains or loses by it."
            if scenario.market.mechanism == "none"
            else "No electricity was exchanged, so every bill is the same as without exchange."
        )
        return f"{start}. {reason}"
    return f"{start}, {difference(saving, kpis['cost_without_exchange'], cost, currency)}. {gains(homes, currency)}"


def difference(saving: float, before: float, after: float, currency: str) -> str:
    """`214 EUR (3.4 %) less than without exchange`."""
    if abs(saving) < CENT:
        return "the same as without exchange"
    share = f" ({percent(abs(saving / before))})" if abs(before) > CENT else ""
    # Someone who earns is better off with more, someone who pays with less.
    more = (saving < 0) == (after >= -CENT)
    if before < -CENT < CENT < after or after < -CENT < CENT < before:
        return f"{money(abs(saving), currency)} {'better' if saving > 0 else 'worse'} than without exchange"
    return (
        f"{money(abs(saving), currency)}{share} {'more' if more else 'less'} than without exchange"
    )


def gains(homes: Sequence[Mapping[str, Any]], currency: str) -> str:
    """How many homes pay more, and less, than without exchange, and the two ends; losers come first."""
    ranked = sorted(homes, key=lambda home: home["saving"])
    losers = [home for home in ranked if home["saving"] <= -CENT]
    winners = [home for home in ranked if home["saving"] >= CENT]
    total, sentences = len(homes), []
    earns = any(home["bill"] < -CENT for home in losers)
    less = "less or earn more" if any(home["bill"] < -CENT for home in winners) else "less"
    if losers:
        named = ", ".join(
            f"{home['name']} ({money(-home['saving'], currency)}{'' if earns else ' more'})"
            for home in losers[:3]
        )
        others = f" and {plural(len(losers) - 3, 'other')}" if len(losers) > 3 else ""
        more = "more or earn less" if earns else "more"
        sentences.append(
            f"{len(losers)} of {plural(total, 'home')} {_verb(len(losers))} {more}: {named}{others}."
        )
    if winners or not losers:
        sentences.append(f"{len(winners)} of {plural(total, 'home')} {_verb(len(winners))} {less}.")
    if same := total - len(losers) - len(winners):
        sentences.append(f"For {plural(same, 'home')} nothing changes.")
    if len(winners) > 1:
        best = f"Highest saving {money(winners[-1]['saving'], currency)} ({winners[-1]['name']})"
        low = winners[0]
        least = (
            f", lowest {money(low['saving'], currency)} ({low['name']})"
            if len(winners) == total
            else ""
        )
        sentences.append(f"{best}{least}.")
    return " ".join(sentences)


def _verb(count: int) -> str:
    return "pays" if count == 1 else "pay"


_FLOWS = {
    "path": "Each trade loads the shortest way between its two ends; what goes through a pool or to the supplier"
    " goes by the grid above. This model knows no voltages.",
    "linear": "Flows and voltages are those of the linear model (LinDistFlow).",
    "ac": "Flows and voltages are those of an AC power flow.",
}


def hours(count: float) -> str:
    """`1 hour`, `12.25 hours`."""
    return f"{number(count, 0 if float(count).is_integer() else 2)} hour{'' if count == 1 else 's'}"


def trouble(result: Result) -> str:
    """What an answer must not leave out: overloads, voltages out of their band, steps without a solution."""
    wires, period = result.kpis["network"], result.scenario.period
    if wires is None:
        return ""
    found = []
    if wires["overload_hours"] > 0:
        found.append(
            f"some line or transformer carries more than it may in {hours(wires['overload_hours'])}"
        )
    if wires.get("voltage_violation_hours", 0) > 0:
        found.append(
            f"some voltage is more than 10 % off in {hours(wires['voltage_violation_hours'])}"
        )
    total = f"of {number(period.steps * period.step_hours)}"
    said = f"In the network {joined(found)} {total}." if found else ""
    return f"{not_converged(result)} {said}".strip()


def not_converged(result: Result) -> str:
    """A warning; empty where the power flow has a solution in every step."""
    wires, steps = result.kpis["network"], result.scenario.period.steps
    failed = 0 if wires is None else int(wires["not_converged_steps"])
    if not failed:
        return ""
    which = "any step" if failed == steps else f"{failed:,} of {plural(steps, 'step')}"
    said = (
        f"The network cannot carry what is drawn in {which}: the power flow has no solution there."
    )
    return said + (
        " So there are no figures about it."
        if failed == steps
        else " Its figures leave these steps out."
    )


def network(result: Result) -> str:
    """Which network it is, how flows are found, and what loads it."""
    spec, feeder, record = result.scenario.network, result.profiles.feeder, result.trajectory.record
    if feeder is None or record.grid is None:
        return ""
    transformers = int(feeder.branches.is_transformer.sum())
    parts = [plural(len(feeder.branches.name) - transformers, "line")]
    parts += [plural(transformers, "transformer")] if transformers else []
    buses = f"{len(feeder.buses):,} bus{'es' if len(feeder.buses) != 1 else ''}"
    if buses in feeder.name:  # a generated one is called after its size
        said = [f"{feeder.name[:1].upper()}{feeder.name[1:]}: {joined(parts)}.", _FLOWS[spec.flow]]
    else:
        said = [f"{feeder.name}: {joined([buses, *parts])}.", _FLOWS[spec.flow]]
    drawn = float(record.grid.background_kwh.sum())
    if drawn > 0:
        share = percent(spec.background_load_share, 0)
        said.append(
            f"Beside these homes the network's own loads draw {energy(drawn)}, {share} of nominal at all times."
        )
    elif spec.flow != "path":
        said.append("Nothing but these homes loads it, so it may be emptier than a real one.")
    if spec.trade_limit != "none":
        which = (
            "all by the same share" if spec.trade_limit == "pro_rata" else "those worth least first"
        )
        said.append(
            f"Trades that would overload it are cut back, {which}; what is cut goes to the grid."
        )
    trades = record.local.trades
    if result.kpis["traded_kwh"] > 0 and (trades is None or not (trades.kwh > 0).any()):
        said.append(
            "Local power goes through a pool, which has no pairs, so there is no distance of a trade."
        )
    return " ".join(said)


def operator(result: Result) -> list[str]:
    """What the network operator was told to do, and what it did."""
    rules, wires = result.scenario.network.operator, result.kpis["network"]
    said = [
        "It charges fees on trades; half of each is paid by the buyer, half by the seller."
        if rules.fees
        else "It charges no fees on trades."
    ]
    limit = percent(
        rules.congestion_threshold, 0 if (100 * rules.congestion_threshold) % 1 < 1e-9 else 1
    )
    if rules.intervention == "none" or wires is None:
        return [*said, "It does not intervene when lines are full."]
    looks = (
        ""
        if rules.inspection_probability >= 1
        else f" It looks at {number(100 * rules.inspection_probability)} of every 100 steps, at random."
    )
    looks += (
        " It looks more often and is stricter when lines were overloaded lately."
        if rules.adaptive
        else ""
    )
    count = f"{wires['interventions']:,.0f} of {plural(result.scenario.period.steps, 'step')}"
    if rules.intervention == "penalize":
        said.append(
            f"Setting: penalize. Trades on a way with a line or transformer over {limit} full cost more.{looks}"
        )
        kwh, traded = wires["penalized_kwh"], result.kpis["traded_kwh"]
        share = f" of the {energy(traded)} traded between neighbours" if traded > 0 else ""
        said.append(f"It did so in {count}, for {energy(kwh)}{share}.")
    else:
        whose = (
            "dearest offers first"
            if rules.curtail_by == "price"
            else "all who cause it by the same share"
        )
        said.append(
            f"Setting: curtail. Before trading it cuts export of solar power that would fill a line or transformer over"
            f" {limit}, {whose}.{looks}"
        )
        said.append(f"It did so in {count} and cut {energy(wires['curtailed_kwh'])}.")
    return said
