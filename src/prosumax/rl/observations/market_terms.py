"""Shared observation terms: market indicators of the last step (MARLEM section 3.6)."""

from collections.abc import Callable

from jaxtyping import Array, Float

from prosumax.rl.market_indicators import MarketIndicators
from prosumax.rl.observations.context import ObservationContext, observation_terms
from prosumax.rl.types import Scales


def _register(
    name: str,
    indicator: Callable[[MarketIndicators], Float[Array, ""]],
    scale: Callable[[Scales], Float[Array, ""]] | None,
    summary: str,
) -> None:
    """Register a market indicator of the last step as an observation term.

    Args:
        name: Name of the term.
        indicator: Selects the indicator.
        scale: Computes the divisor; None leaves the indicator as it is.
        summary: One line for listings.
    """

    def term(context: ObservationContext) -> Float[Array, ""]:
        value = indicator(context.state.indicators)
        return value if scale is None else value / scale(context.params.scales)

    term.__name__ = name
    term.__doc__ = f"Scale the market indicator `{name}` of the last step."
    observation_terms.register(name, f"Shared: {summary}")(term)


def _money(scales: Scales) -> Float[Array, ""]:
    return scales.max_price * scales.network_capacity_kwh


def _price(scales: Scales) -> Float[Array, ""]:
    return scales.max_price


def _energy(scales: Scales) -> Float[Array, ""]:
    return scales.network_capacity_kwh


_register(
    "turnover",
    lambda m: m.turnover,
    _money,
    "turnover of local trade over maximum price times network capacity.",
)
_register(
    "gains_from_trade",
    lambda m: m.gains_from_trade,
    _money,
    "gains from local trade over maximum price times network capacity.",
)
_register("spread", lambda m: m.spread, _price, "mean ask minus mean bid over the maximum price.")
_register(
    "volatility",
    lambda m: m.volatility,
    _price,
    "standard deviation of the clearing price over the maximum price.",
)
_register(
    "imbalance",
    lambda m: m.imbalance,
    None,
    "difference of ordered purchases and sales over the network capacity; 0 to 1.",
)
_register("congestion", lambda m: m.congestion, None, "mean loading of all lines; 0 to 1.")
_register(
    "net_export",
    lambda m: m.net_export_kwh,
    _energy,
    "exports minus imports of all homes over the network capacity.",
)
_register(
    "self_consumption",
    lambda m: m.self_consumption,
    None,
    "local share of all traded energy; 0 to 1.",
)
_register(
    "flexibility", lambda m: m.flexibility, None, "local trade over the tradable energy; 0 to 1."
)
_register("coordination", lambda m: m.coordination, None, "1 minus the imbalance; 0 to 1.")
_register(
    "convergence",
    lambda m: m.convergence,
    None,
    "1 minus the relative spread of traded volumes; 0 to 1.",
)
