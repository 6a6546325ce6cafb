"""Figures and verdicts in plain words: short sentences, frequencies before percentages, losers before winners."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from prosumax.experiments import Result
from prosumax.scenario import Period

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
    for name, low, high in (("year", 364.5, 366.5), ("month", 27.9, 31.1), ("week", 6.95, 7.05), ("day", 0.95, 1.05)):
        if low <= days <= high:
            return f"this simulated {name}"
    unit, size = next((u, s) for u, s in (("day", 1440), ("hour", 60), ("minute", 1)) if minutes >= 2 * s or s == 1)
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
    same_year, same_month = first.year == last.year, (first.year, first.month) == (last.year, last.month)
    start = str(first.day) if same_month else f"{first.day} {first:%B}" if same_year else day(first)
    return f"{start} to {day(last)}"


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
    return f"{money(abs(saving), currency)}{share} {'more' if more else 'less'} than without exchange"


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
            f"{home['name']} ({money(-home['saving'], currency)}{'' if earns else ' more'})" for home in losers[:3]
        )
        others = f" and {plural(len(losers) - 3, 'other')}" if len(losers) > 3 else ""
        more = "more or earn less" if earns else "more"
        sentences.append(f"{len(losers)} of {plural(total, 'home')} {_verb(len(losers))} {more}: {named}{others}.")
    if winners or not losers:
        sentences.append(f"{len(winners)} of {plural(total, 'home')} {_verb(len(winners))} {less}.")
    if same := total - len(losers) - len(winners):
        sentences.append(f"For {plural(same, 'home')} nothing changes.")
    if len(winners) > 1:
        best = f"Highest saving {money(winners[-1]['saving'], currency)} ({winners[-1]['name']})"
        low = winners[0]
        least = f", lowest {money(low['saving'], currency)} ({low['name']})" if len(winners) == total else ""
        sentences.append(f"{best}{least}.")
    return " ".join(sentences)


def _verb(count: int) -> str:
    return "pays" if count == 1 else "pay"
