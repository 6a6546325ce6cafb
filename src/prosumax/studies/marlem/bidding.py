"""MARLEM's case studies in which bids are what counts: batteries, pricing rules, market power, cooperation, size.

The paper shows results of the first alone (sections 4.1 and 5). Communities are the presets of the same names; homes
are baselines of `prosumax.rl.bidders` in the environment with control `bid`, a day of 24 hours per seed.
"""

from typing import Any

from prosumax.studies.daily_episodes import CONCENTRATION, GAINS, PRICES, SPEED, VOLUMES, days
from prosumax.studies.engine import Study, Variant, studies

ZERO, BUDGET, PLUS = "marlem-zero-intelligence", "zero-intelligence", "zero-intelligence-plus"
GROUPS = {
    ZERO: "any price (MARLEM)",
    BUDGET: "never at a loss (ours)",
    PLUS: "learned margins (ours)",
}
"""Titles of tables by bidder."""

NOTES = (
    "One day of 24 hours per seed. A seed draws profiles, prices, charge of the batteries, lengths of the lines and"
    " places of the homes; variants share it.",
    "Bids are limited to what a home can deliver or take (equation 11), the battery covers what an order leaves open,"
    " and what is neither ordered nor covered comes from the grid side.",
    "P2P ratio: local trade over local trade, purchases from and sales to the grid side, as MARLEM counts it. Step"
    " price: over the same trades, by energy; local price: between neighbours alone.",
)

DEPLOYMENTS = {
    "none": "no battery",
    "small": "small",
    "large": "large",
    "mixed": "mixed",
    "strategic": "strategic",
    "degradation": "degradation",
}
"""The six deployments of the battery study: preset -> title."""

RULES = (
    "midpoint",
    "nash_bargaining",
    "proportional_surplus",
    "bid_ask_spread",
    "pay_as_bid",
    "pay_as_offer",
)
"""MARLEM's six, by our names: average, Nash bargaining, proportional surplus, bid-ask spread, pay seller, pay buyer."""

_IDLE = {f"homes.{at}.battery": None for at in range(7)}


def _deployments(bidder: str) -> tuple[Variant, ...]:
    return tuple(
        Variant(GROUPS[bidder], title, {"preset": f"marlem-battery-{name}", "bidder": bidder})
        for name, title in DEPLOYMENTS.items()
    )


def _strategic(bidder: str) -> tuple[Variant, ...]:
    settings: dict[str, Any] = {"preset": "marlem-battery-strategic", "bidder": bidder}
    group = f"strategic homes, {GROUPS[bidder]}"
    return Variant(group, "without their batteries", settings | _IDLE), Variant(
        group, "with them", settings
    )


studies.register(
    "marlem-battery",
    "MARLEM's case study 5: no, small, large, mixed, strategic and aged batteries.",
)(
    Study(
        variants=(
            *_deployments(ZERO),
            *_strategic(ZERO),
            *_deployments(BUDGET),
            *_strategic(BUDGET),
        ),
        draw=None,
        figures=PRICES | VOLUMES,
        notes=NOTES,
        batch=days,
    )
)

studies.register("marlem-mechanisms", "MARLEM's case study 1: six pricing rules in one auction.")(
    Study(
        variants=tuple(
            Variant(
                GROUPS[bidder],
                rule,
                {"preset": "marlem-mechanisms", "bidder": bidder, "market.mechanism": rule},
            )
            for bidder in (BUDGET, PLUS)
            for rule in RULES
        ),
        draw=None,
        figures=PRICES | GAINS | VOLUMES,
        notes=NOTES,
        batch=days,
    )
)

studies.register(
    "marlem-market-power",
    "MARLEM's case study 2: equal homes, a monopoly, an oligopoly, a common plant.",
)(
    Study(
        variants=tuple(
            Variant(
                GROUPS[bidder], title, {"preset": f"marlem-market-power{suffix}", "bidder": bidder}
            )
            for bidder in (ZERO, BUDGET, PLUS)
            for title, suffix in (
                ("balanced", ""),
                ("monopoly", "-monopoly"),
                ("oligopoly", "-oligopoly"),
                ("cooperative", "-cooperative"),
            )
        ),
        draw=None,
        figures=PRICES | CONCENTRATION | GAINS | VOLUMES,
        notes=NOTES,
        batch=days,
    )
)

studies.register(
    "marlem-cooperation", "MARLEM's case study 6: what baselines reach that do not learn."
)(
    Study(
        variants=tuple(
            Variant("eight members", bidder, {"preset": "marlem-cooperation", "bidder": bidder})
            for bidder in (ZERO, BUDGET, PLUS, "truthful", "self-consumption", "linear-ramp")
        ),
        draw=None,
        figures=PRICES | GAINS | VOLUMES,
        notes=NOTES,
        batch=days,
    )
)

_ALONE = {"market.mechanism": "none"}  # an auction needs two

studies.register("marlem-scale", "MARLEM's case study 7: 1 to 1000 homes, time and key figures.")(
    Study(
        variants=tuple(
            Variant(
                "zero-intelligence homes",
                f"{homes}",
                {"preset": "marlem-scale", "bidder": ZERO, "homes": homes, "timed": True}
                | (_ALONE if homes == 1 else {}),
            )
            for homes in (1, 5, 10, 20, 50, 100, 1000)
        ),
        draw=None,
        figures=SPEED | PRICES | VOLUMES,
        notes=(*NOTES, "Times are of this machine, all seeds at once, and differ from run to run."),
        batch=days,
    )
)
