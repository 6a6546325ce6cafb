"""Market indicators of each step, used by observations and rewards.

The definitions follow MARLEM section 3.6 in words. `gains_from_trade` is reported in addition to
the paper's "social welfare", which by its equation 17 is turnover. The released code of MARLEM
computes the imbalance from the traded volume, so that trade itself counts as imbalance; here it is
the difference of ordered purchases and sales.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from prosumax.numerics import SMALL, safe_divide
from prosumax.simulation.dynamics import StepOutcome


class MarketIndicators(NamedTuple):
    """Scalar market indicators of one step.

    Energy is in kWh per step, money in the currency of the tariff; equations are those of MARLEM.

    Attributes:
        turnover: Sum of price times quantity over local trades (equation 17).
        gains_from_trade: Savings of buyers and sellers against the grid's prices.
        liquidity: Locally traded energy (equation 18).
        spread: Mean ask minus mean bid of the orders (equation 19); 0 if one side is missing.
        volatility: Standard deviation of the clearing price over the window.
        imbalance: Absolute difference of ordered purchases and sales over the network capacity, at
            most 1 (equation 20).
        congestion: Mean loading of all branches, each at most 1; 0 on a copper plate (equation 15).
        net_export_kwh: Exports minus imports of all homes (equation 16).
        self_consumption: Local share of all traded energy (equation 21).
        flexibility: Local trade over the tradable energy (equation 22).
        coordination: 1 minus the imbalance (equation 23).
        convergence: 1 minus the relative spread of traded volumes over the window, in [0, 1].
        clearing_price: Mean price of local trades per kWh; the last one if there are none.
        grid_import_kwh: Energy bought from the grid.
        grid_export_kwh: Energy sold to the grid.
    """

    turnover: Float[Array, ""]
    gains_from_trade: Float[Array, ""]
    liquidity: Float[Array, ""]
    spread: Float[Array, ""]
    volatility: Float[Array, ""]
    imbalance: Float[Array, ""]
    congestion: Float[Array, ""]
    net_export_kwh: Float[Array, ""]
    self_consumption: Float[Array, ""]
    flexibility: Float[Array, ""]
    coordination: Float[Array, ""]
    convergence: Float[Array, ""]
    clearing_price: Float[Array, ""]
    grid_import_kwh: Float[Array, ""]
    grid_export_kwh: Float[Array, ""]


class IndicatorWindow(NamedTuple):
    """Recent clearing prices and traded volumes, newest last; NaN before the first step.

    Attributes:
        price: Clearing prices per kWh.
        volume_kwh: Locally traded energy.
    """

    price: Float[Array, " window"]
    volume_kwh: Float[Array, " window"]


def initial_window(steps: int) -> IndicatorWindow:
    """Return the empty window before the first step.

    Args:
        steps: Length of the window.
    """
    empty = jnp.full(steps, jnp.nan, jnp.float32)
    return IndicatorWindow(empty, empty)


def initial_indicators(price: Float[Array, ""]) -> MarketIndicators:
    """Return the indicators before the first step.

    Args:
        price: Value of the clearing price before the first trade.
    """
    zero = jnp.zeros_like(price)
    indicators = MarketIndicators(*[zero] * len(MarketIndicators._fields))
    return indicators._replace(clearing_price=price, coordination=zero + 1.0)


def update_indicators(
    outcome: StepOutcome,
    window: IndicatorWindow,
    last_price: Float[Array, ""],
    network_capacity_kwh: Float[Array, ""],
) -> tuple[MarketIndicators, IndicatorWindow]:
    """Compute the indicators of a step and append it to the window.

    Args:
        outcome: Outcome of the step.
        window: Window before the step.
        last_price: Clearing price before the step.
        network_capacity_kwh: Energy that the network can carry in a step.
    """
    record = outcome.record
    orders = outcome.orders
    prices = outcome.prices
    local = record.local
    flows = record.flows
    bought = local.bought_kwh.sum()
    sold = local.sold_kwh.sum()
    turnover = (local.paid.sum() + local.earned.sum()) / 2
    price = jnp.where(bought > 0, safe_divide(turnover, bought), last_price)
    window = IndicatorWindow(_append(window.price, price), _append(window.volume_kwh, bought))
    buyer_gain = (prices.reservation_price * local.bought_kwh - local.paid).sum()
    seller_gain = (local.earned - prices.feed_in * local.sold_kwh).sum()
    bids = orders.buy_kwh > 0
    asks = orders.sell_kwh > 0
    spread = _masked_mean(orders.price, asks) - _masked_mean(orders.price, bids)
    ordered = jnp.abs(orders.quantity_kwh.sum())
    imbalance = jnp.minimum(ordered / network_capacity_kwh, 1.0)
    residual = flows.grid_kwh(local)
    grid_import = jnp.maximum(residual, 0.0).sum()
    grid_export = jnp.maximum(-residual, 0.0).sum()
    traded = bought + sold + grid_import + grid_export
    mean_volume, volume_std = _moments(window.volume_kwh)
    relative_std = safe_divide(volume_std, mean_volume, minimum=SMALL)
    flexibility = safe_divide(bought + sold, outcome.tradable_kwh.sum(), minimum=SMALL)
    congestion = jnp.zeros_like(price)
    if record.grid is not None:
        congestion = jnp.minimum(record.grid.loading, 1.0).mean()
    indicators = MarketIndicators(
        turnover=turnover,
        gains_from_trade=buyer_gain + seller_gain,
        liquidity=bought,
        spread=jnp.where(bids.any() & asks.any(), spread, 0.0),
        volatility=_moments(window.price)[1],
        imbalance=imbalance,
        congestion=congestion,
        net_export_kwh=(flows.export_kwh - flows.import_kwh).sum(),
        self_consumption=safe_divide(bought + sold, traded, minimum=SMALL),
        flexibility=jnp.minimum(flexibility, 1.0),
        coordination=1.0 - imbalance,
        convergence=jnp.clip(1.0 - relative_std, 0.0, 1.0),
        clearing_price=price,
        grid_import_kwh=grid_import,
        grid_export_kwh=grid_export,
    )
    return indicators, window


def _append(values: Float[Array, " window"], newest: Float[Array, ""]) -> Float[Array, " window"]:
    return jnp.concatenate([values[1:], newest[None]])


def _masked_mean(values: Float[Array, " home"], mask: Bool[Array, " home"]) -> Float[Array, ""]:
    return jnp.where(mask, values, 0.0).sum() / jnp.maximum(mask.sum(), 1)


def _moments(values: Float[Array, " window"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Compute mean and standard deviation of the values that are not NaN."""
    valid = ~jnp.isnan(values)
    count = jnp.maximum(valid.sum(), 1)
    mean = jnp.where(valid, values, 0.0).sum() / count
    variance = jnp.where(valid, (values - mean) ** 2, 0.0).sum() / count
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-12)) * (variance > 1e-12)
