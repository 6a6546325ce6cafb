"""Charts of the community page, which shows the outcome of a community."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from prosumax.viz.catalog import bills, exchange_profile, trade_matrix
from prosumax.viz.run.bills import arranged
from prosumax.viz.theme import Option
from prosumax.web.charts.common import ChartTable, RenderedChart
from prosumax.web.charts.shared import CURRENCY, figure_chart, formatted_chart
from prosumax.web.model.outcome import CommunityOutcome
from prosumax.web.model.translations import Translator

MAX_CIRCLE_HOMES = 12
"""Largest number of homes drawn as a circle; more homes are drawn as a matrix."""

_HOME_NUMBER = re.compile(r"(\d+[A-Z]?) .+")


class KeyFigure(NamedTuple):
    """Result in one figure.

    Attributes:
        figure: The figure as text.
        sentence: Explanation of the figure.
        details: Names and values of the figures behind it.
    """

    figure: str
    sentence: str
    details: tuple[tuple[str, str], ...]


def home_name(tr: Translator, name: str) -> str:
    """Return the displayed name of a home; names of packaged communities are translated.

    Args:
        tr: Translator of the page's language.
        name: Name in the scenario.
    """
    fixed = {"Building": tr("community.building"), "School": tr("community.school")}
    numbered = _HOME_NUMBER.fullmatch(name)
    return fixed.get(name) or (tr("community.number", number=numbered[1]) if numbered else name)


def home_names(tr: Translator, outcome: CommunityOutcome) -> list[str]:
    """Return the displayed names of all homes.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    return [home_name(tr, name) for name in outcome.names]


def cost_figure(tr: Translator, outcome: CommunityOutcome, period: str) -> KeyFigure:
    """Summarize the sum of all bills and its change by the rule.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
        period: Length of the period, a key of `communities.PERIOD_STEPS`.
    """
    cost = sum(outcome.bill_cents) / 100
    baseline = sum(outcome.baseline_cents) / 100
    sentence = tr(f"community.cost_{period}", now=tr.euro(cost), before=tr.euro(baseline))
    details = (
        (tr.kpi("traded_kwh"), tr.kwh(outcome.kpis["traded_kwh"] or 0.0)),
        (tr("community.retail_price"), tr.price(outcome.retail_price)),
        (tr("community.feed_in_price"), tr.price(outcome.feed_in_price)),
        (tr("community.local_grid_fee"), tr.price(outcome.local_grid_fee)),
    )
    change = cost - baseline
    figure = ("+" if change > 0 else "") + tr.euro(change)
    return KeyFigure(figure, sentence, details)


def efficiency_figure(tr: Translator, outcome: CommunityOutcome) -> KeyFigure:
    """Summarize the share of the surplus that neighbors buy.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    kpis = outcome.kpis
    details = [
        (tr("community.surplus"), tr.kwh(outcome.surplus_kwh)),
        (tr.kpi("self_consumption"), _percent(tr, kpis["self_consumption"])),
        (tr.kpi("self_sufficiency"), _percent(tr, kpis["self_sufficiency"])),
        (tr.kpi("peak_kw"), tr.kw(kpis["peak_kw"] or 0.0)),
    ]
    if any(price is not None for price in outcome.local_price):
        details.append(
            (tr.kpi("allocative_efficiency"), _percent(tr, kpis["allocative_efficiency"]))
        )
    share = outcome.shared_share
    if share is None:
        key = "community.no_surplus" if any(outcome.has_solar) else "community.no_panels"
        return KeyFigure("–", tr(key), tuple(details))
    of_100 = tr.number(100 * share)
    return KeyFigure(
        tr("community.of_hundred", n=of_100), tr("community.stay", n=of_100), tuple(details)
    )


def fairness_figure(tr: Translator, outcome: CommunityOutcome) -> KeyFigure:
    """Summarize the number of homes that pay less, with the savings of groups of homes.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    savings = outcome.saving_cents
    winners = sum(saving > 0 for saving in savings)
    lowest = tr.euro(min(savings) / 100)
    highest = tr.euro(max(savings) / 100)
    if outcome.losers:
        loss = tr.euro(-min(savings) / 100)
        sentence = tr("community.some_lose", n=outcome.losers, most=loss, high=highest)
    elif winners:
        sentence = tr("community.pay_less", low=lowest, high=highest)
    else:
        sentence = tr("community.same_bills")
    details = [(tr("community.smallest"), lowest), (tr("community.largest"), highest)]

    def add_group(name: str, members: Sequence[bool]) -> None:
        group = [saving for saving, member in zip(savings, members, strict=True) if member]
        if group:
            mean = sum(group) / len(group) / 100
            details.append((tr(f"community.gain_{name}"), tr.euro(mean)))

    add_group("with_panels", outcome.has_solar)
    add_group("without_panels", [not has_solar for has_solar in outcome.has_solar])
    policies = sorted(set(outcome.policies))
    if len(policies) > 1:
        for policy in policies:
            homes = zip(outcome.policies, outcome.has_battery, strict=True)
            add_group(style_key(policy), [own == policy and battery for own, battery in homes])
    for name in ("gini", "jain"):
        value = outcome.kpis[name]
        details.append((tr.kpi(name), "–" if value is None else tr.number(value, 2)))
    figure = tr("community.n_of_m", n=winners, m=len(savings))
    return KeyFigure(figure, sentence, tuple(details))


def style_key(policy: str) -> str:
    """Return the decision style of a policy, one of `state.STYLES`.

    Args:
        policy: Name of the policy.
    """
    styles = {"citylearn-basic-battery-rbc": "habits", "qlearning": "q", "ppo": "ppo"}
    return styles.get(policy, "rules")


def home_bills(tr: Translator, outcome: CommunityOutcome, period: str) -> RenderedChart:
    """Draw the bill of each home with and without sharing, the highest on top.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
        period: Length of the period, a key of `communities.PERIOD_STEPS`.
    """
    names = home_names(tr, outcome)
    best = max(range(len(names)), key=lambda home: outcome.saving_cents[home])
    if outcome.saving_cents[best] <= 0 and outcome.losers == 0:
        sentence = tr("community.bills_same")
    else:
        gain = tr.euro(outcome.saving_cents[best] / 100)
        sentence = tr(f"community.bills_{period}", name=names[best], gain=gain)
        if outcome.losers:
            sentence += " " + tr("community.bills_lose", n=outcome.losers)
    table = pd.DataFrame(
        {
            "home": names,
            "bill_without_exchange": [cents / 100 for cents in outcome.baseline_cents],
            "bill": [cents / 100 for cents in outcome.bill_cents],
            "saving": [cents / 100 for cents in outcome.saving_cents],
        }
    )
    return figure_chart(tr, bills, arranged(table, CURRENCY), sentence)


def community_profile(tr: Translator, outcome: CommunityOutcome) -> RenderedChart:
    """Draw import and export of all homes over the mean day, with and without sharing.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    table = pd.DataFrame(
        {
            "step": range(len(outcome.import_kw)),
            "bought_before": list(outcome.baseline_import_kw),
            "bought_after": list(outcome.import_kw),
            "sent_before": list(outcome.baseline_export_kw),
            "sent_after": list(outcome.export_kw),
        }
    )
    return formatted_chart(tr, exchange_profile, table)


def hour_sentence(tr: Translator, outcome: CommunityOutcome, hour: int) -> str:
    """Describe the exchange in an hour of the day.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
        hour: Hour of the day.
    """
    transfers = [transfer for transfer in outcome.transfers_kw if transfer[0] == hour]
    if not transfers:
        return tr("community.hour_none", time=tr.time(hour))
    names = home_names(tr, outcome)
    _, seller, buyer, _ = max(transfers, key=lambda transfer: transfer[3])
    return tr(
        "community.hour",
        time=tr.time(hour),
        kw=tr.kw(sum(transfer[3] for transfer in transfers)),
        seller=names[seller],
        buyer=names[buyer],
    )


def trade_network(tr: Translator, outcome: CommunityOutcome) -> Option:
    """Return the content of the network drawing: homes, flows, and a sentence for every hour.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    names = home_names(tr, outcome)
    homes = zip(names, outcome.has_solar, outcome.has_battery, strict=True)
    return {
        "homes": [
            {"name": name, "solar": has_solar, "battery": has_battery}
            for name, has_solar, has_battery in homes
        ],
        "flows": [list(flow) for flow in outcome.transfers_kw],
        "sentences": [hour_sentence(tr, outcome, hour) for hour in range(24)],
    }


def transfer_table(tr: Translator, outcome: CommunityOutcome) -> ChartTable:
    """Return the table of the network drawing: energy between homes on the mean day, kWh.

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
    """
    names = home_names(tr, outcome)
    sums: dict[tuple[int, int], float] = {}
    for _, seller, buyer, kw in outcome.transfers_kw:
        sums[seller, buyer] = sums.get((seller, buyer), 0.0) + kw
    largest = sorted(sums.items(), key=lambda entry: -entry[1])
    rows = tuple(
        (names[seller], names[buyer], tr.number(kwh, 2)) for (seller, buyer), kwh in largest
    )
    header = (tr("community.seller"), tr("community.buyer"), tr("community.kwh_a_day"))
    no_transfers = ((tr("community.no_home"), "–", "–"),)
    return ChartTable(tr("community.transfers_caption"), header, rows or no_transfers)


def transfer_matrix(tr: Translator, outcome: CommunityOutcome, hour: int) -> RenderedChart:
    """Draw the exchange of an hour as a matrix of sellers (rows) and buyers (columns).

    Args:
        tr: Translator of the page's language.
        outcome: Outcome of the run.
        hour: Hour of the day.
    """
    names = home_names(tr, outcome)
    table = pd.DataFrame(
        [
            (names[seller], names[buyer], kw)
            for hour_of_day, seller, buyer, kw in outcome.transfers_kw
            if hour_of_day == hour
        ],
        columns=["seller", "buyer", "kwh"],
    )
    table.attrs |= {
        "homes": names,
        "sellers": [name for name, pv in zip(names, outcome.has_solar, strict=True) if pv],
        "highest": max((kw for _, _, _, kw in outcome.transfers_kw), default=0.1),
        "unit": "kW",
        "digits": 1,
        "sentence": hour_sentence(tr, outcome, hour),
    }
    return figure_chart(tr, trade_matrix, table)._replace(table=transfer_table(tr, outcome))


def _percent(tr: Translator, share: float | None) -> str:
    return "–" if share is None else tr.percent(share)
