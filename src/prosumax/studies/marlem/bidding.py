"""MARLEM's case studies of bidding: batteries, pricing rules, market power, cooperation and size.

The paper shows results of the first alone (sections 4.1 and 5). Communities are the presets of the
same names; homes follow the bidders of `prosumax.rl.bidding` in an environment whose actions are
bids, one day of 24 hours per seed.
"""

from prosumax.studies.daily_episodes import (
    CONCENTRATION_METRICS,
    GAIN_METRICS,
    PRICE_METRICS,
    SPEED_METRICS,
    VOLUME_METRICS,
    run_daily_episodes,
)
from prosumax.studies.engine import Study, StudyMetric, Variant, studies

MARLEM_ZERO_INTELLIGENCE = "marlem-zero-intelligence"
ZERO_INTELLIGENCE = "zero-intelligence"
ZERO_INTELLIGENCE_PLUS = "zero-intelligence-plus"

BIDDER_TITLES = {
    MARLEM_ZERO_INTELLIGENCE: "any price (MARLEM)",
    ZERO_INTELLIGENCE: "budget-constrained (ours)",
    ZERO_INTELLIGENCE_PLUS: "learned margins (ours)",
}
"""Titles of tables by bidder."""

NOTES = (
    "One day of 24 hours per seed. A seed samples profiles, prices, charge of the batteries, line"
    " lengths and placement of the homes; variants share the sample.",
    "Bids are limited to what a home can deliver or take (equation 11), the battery covers what an"
    " order leaves open, and what is neither ordered nor covered comes from the grid.",
    "P2P ratio: local trade over local trade, purchases from and sales to the grid, as MARLEM"
    " counts it. Step price: over the same trades, weighted by energy; local price: of local trades"
    " alone.",
)

BATTERY_DEPLOYMENTS = {
    "none": "no battery",
    "small": "small",
    "large": "large",
    "mixed": "mixed",
    "strategic": "strategic",
    "degradation": "degradation",
}
"""The six deployments of the battery study: preset -> title."""

PRICING_RULES = (
    "midpoint",
    "nash_bargaining",
    "proportional_surplus",
    "bid_ask_spread",
    "pay_as_ask",
    "pay_as_bid_price",
)
"""The six pricing rules of MARLEM: average, Nash bargaining, proportional surplus, bid-ask spread,
pay seller (its "pay-as-bid") and pay buyer (its "pay-as-offer")."""

_WITHOUT_BATTERIES = {f"homes.{number}.battery": None for number in range(7)}


def _make_study(
    variants: tuple[Variant, ...],
    metrics: tuple[StudyMetric, ...],
    notes: tuple[str, ...] = NOTES,
) -> Study:
    """Make a study of daily episodes."""
    return Study(variants, None, metrics, notes, run_daily_episodes, currency="$")


def _deployment_variants(bidder: str) -> tuple[Variant, ...]:
    """Make one variant per deployment of batteries."""
    return tuple(
        Variant(
            BIDDER_TITLES[bidder], title, {"preset": f"marlem-battery-{name}", "bidder": bidder}
        )
        for name, title in BATTERY_DEPLOYMENTS.items()
    )


def _strategic_variants(bidder: str) -> tuple[Variant, ...]:
    """Make the strategic deployment without and with its batteries."""
    settings: dict[str, object] = {"preset": "marlem-battery-strategic", "bidder": bidder}
    group = f"strategic homes, {BIDDER_TITLES[bidder]}"
    return (
        Variant(group, "without batteries", settings | _WITHOUT_BATTERIES),
        Variant(group, "with batteries", settings),
    )


def _pricing_variants(bidder: str) -> tuple[Variant, ...]:
    """Make one variant per pricing rule."""
    settings = {"preset": "marlem-mechanisms", "bidder": bidder}
    return tuple(
        Variant(BIDDER_TITLES[bidder], rule, settings | {"market.mechanism": rule})
        for rule in PRICING_RULES
    )


def _concentration_variants(bidder: str) -> tuple[Variant, ...]:
    """Make one variant per concentration of generation."""
    suffixes = {
        "balanced": "",
        "monopoly": "-monopoly",
        "oligopoly": "-oligopoly",
        "cooperative": "-cooperative",
    }
    return tuple(
        Variant(
            BIDDER_TITLES[bidder],
            title,
            {"preset": f"marlem-market-power{suffix}", "bidder": bidder},
        )
        for title, suffix in suffixes.items()
    )


def _cooperation_variants() -> tuple[Variant, ...]:
    """Make one variant per bidder."""
    bidders = (*BIDDER_TITLES, "truthful", "self-consumption", "linear-ramp")
    return tuple(
        Variant("eight members", bidder, {"preset": "marlem-cooperation", "bidder": bidder})
        for bidder in bidders
    )


def _scale_variants() -> tuple[Variant, ...]:
    """Make one variant per number of homes."""
    settings = {"preset": "marlem-scale", "bidder": MARLEM_ZERO_INTELLIGENCE, "timed": True}
    # An auction needs two homes.
    single = {"market.mechanism": "none"}
    return tuple(
        Variant(
            "zero-intelligence homes",
            f"{homes}",
            settings | {"homes": homes} | (single if homes == 1 else {}),
        )
        for homes in (1, 5, 10, 20, 50, 100, 1000)
    )


studies.register(
    "marlem-battery",
    "MARLEM's case study 5: no, small, large, mixed, strategic and aged batteries.",
)(
    _make_study(
        (
            *_deployment_variants(MARLEM_ZERO_INTELLIGENCE),
            *_strategic_variants(MARLEM_ZERO_INTELLIGENCE),
            *_deployment_variants(ZERO_INTELLIGENCE),
            *_strategic_variants(ZERO_INTELLIGENCE),
        ),
        PRICE_METRICS + VOLUME_METRICS,
    )
)

studies.register("marlem-mechanisms", "MARLEM's case study 1: six pricing rules in one auction.")(
    _make_study(
        (*_pricing_variants(ZERO_INTELLIGENCE), *_pricing_variants(ZERO_INTELLIGENCE_PLUS)),
        PRICE_METRICS + GAIN_METRICS + VOLUME_METRICS,
    )
)

studies.register(
    "marlem-market-power",
    "MARLEM's case study 2: equal homes, a monopoly, an oligopoly, a common plant.",
)(
    _make_study(
        (
            *_concentration_variants(MARLEM_ZERO_INTELLIGENCE),
            *_concentration_variants(ZERO_INTELLIGENCE),
            *_concentration_variants(ZERO_INTELLIGENCE_PLUS),
        ),
        PRICE_METRICS + CONCENTRATION_METRICS + GAIN_METRICS + VOLUME_METRICS,
    )
)

studies.register("marlem-cooperation", "MARLEM's case study 6: baselines that do not learn.")(
    _make_study(_cooperation_variants(), PRICE_METRICS + GAIN_METRICS + VOLUME_METRICS)
)

studies.register("marlem-scale", "MARLEM's case study 7: 1 to 1000 homes, time and KPIs.")(
    _make_study(
        _scale_variants(),
        SPEED_METRICS + PRICE_METRICS + VOLUME_METRICS,
        (*NOTES, "Times are of this machine, all seeds at once, and differ from run to run."),
    )
)
