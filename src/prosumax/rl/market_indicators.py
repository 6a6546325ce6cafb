"""The market's vital signs, step by step: what agents see of the whole, and what rewards build on.

MARLEM section 3.6, as the paper's words mean it; `surplus` stands beside its "social welfare", which by equation 17 is
turnover. The released code measures the imbalance by the volume traded, so that trade itself counts as imbalance.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from prosumax.simulation.step import Outcome


class Kpis(NamedTuple):
    """Of one step, all scalars; energy in kWh per step, money in the tariff's currency.

    Attributes:
        turnover: sum of price times quantity over local trades (equation 17).
        surplus: what local trades save both sides against the grid's prices, >= 0 for sensible trades.
        liquidity: energy traded between neighbours (equation 18).
        spread: mean ask minus mean bid of the orders (equation 19); 0 while one side is missing.
        volatility: standard deviation of the clearing price over the window.
        imbalance: |ordered purchases minus ordered sales| over the capacity, at most 1 (equation 20).
        congestion: mean loading of all branches, each at most 1; 0 on a copper plate (equation 15).
        balance_kwh: exported minus imported by all homes (equation 16).
        self_consumption: local share of all energy traded (equation 21).
        flexibility: local trade over what could have been sold and bought (equation 22).
        coordination: 1 minus the imbalance (equation 23).
        convergence: 1 minus the relative spread of traded volumes over the window, between 0 and 1.
        price: mean price of local trades; the last one while there are none.
        grid_bought_kwh, grid_sold_kwh: traded with the grid side.
    """

    turnover: Float[Array, ""]
    surplus: Float[Array, ""]
    liquidity: Float[Array, ""]
    spread: Float[Array, ""]
    volatility: Float[Array, ""]
    imbalance: Float[Array, ""]
    congestion: Float[Array, ""]
    balance_kwh: Float[Array, ""]
    self_consumption: Float[Array, ""]
    flexibility: Float[Array, ""]
    coordination: Float[Array, ""]
    convergence: Float[Array, ""]
    price: Float[Array, ""]
    grid_bought_kwh: Float[Array, ""]
    grid_sold_kwh: Float[Array, ""]


class Window(NamedTuple):
    """The last clearing prices and traded volumes, newest last; NaN where there was no step yet [window]."""

    price: Float[Array, " window"]
    volume_kwh: Float[Array, " window"]


def empty_window(steps: int) -> Window:
    """Before the first step."""
    nothing = jnp.full(steps, jnp.nan, jnp.float32)
    return Window(nothing, nothing)


def measure(
    outcome: Outcome, window: Window, last_price: Float[Array, ""], capacity_kwh: Float[Array, ""]
) -> tuple[Kpis, Window]:
    """The figures of a step, and the window with this step in it.

    Arguments:
        outcome: of the step.
        window: before it.
        last_price: clearing price before it.
        capacity_kwh: what the network can carry in a step.
    """
    record, orders, prices = outcome.record, outcome.orders, outcome.prices
    local, flows = record.local, record.flows
    bought, sold = local.bought_kwh.sum(), local.sold_kwh.sum()
    paid, earned = local.paid.sum(), local.earned.sum()
    price = jnp.where(
        bought > 0, (paid + earned) / 2 / jnp.where(bought > 0, bought, 1.0), last_price
    )
    window = Window(_pushed(window.price, price), _pushed(window.volume_kwh, bought))
    worth = (prices.reservation_price * local.bought_kwh - local.paid).sum()
    gain = (local.earned - prices.feed_in * local.sold_kwh).sum()
    bids, asks = orders.buy_kwh > 0, orders.sell_kwh > 0
    both = bids.any() & asks.any()
    spread = jnp.where(both, _mean_of(orders.price, asks) - _mean_of(orders.price, bids), 0.0)
    imbalance = jnp.minimum(jnp.abs(orders.quantity_kwh.sum()) / capacity_kwh, 1.0)
    # A home may sell to a neighbour and buy its own need from the grid in the same step.
    rest = flows.net_kwh - local.bought_kwh + local.sold_kwh
    grid_bought, grid_sold = jnp.maximum(rest, 0.0).sum(), jnp.maximum(-rest, 0.0).sum()
    moved = bought + sold + grid_bought + grid_sold
    available = outcome.available_kwh.sum()
    volume, scatter = _moments(window.volume_kwh)
    congestion = jnp.zeros_like(price)
    if record.grid is not None:
        congestion = jnp.minimum(record.grid.loading, 1.0).mean()
    return (
        Kpis(
            turnover=(paid + earned) / 2,
            surplus=worth + gain,
            liquidity=bought,
            spread=spread,
            volatility=_moments(window.price)[1],
            imbalance=imbalance,
            congestion=congestion,
            balance_kwh=(flows.export_kwh - flows.import_kwh).sum(),
            self_consumption=_share(bought + sold, moved),
            flexibility=jnp.minimum(_share(bought + sold, available), 1.0),
            coordination=1.0 - imbalance,
            convergence=jnp.clip(1.0 - _share(scatter, volume), 0.0, 1.0),
            price=price,
            grid_bought_kwh=grid_bought,
            grid_sold_kwh=grid_sold,
        ),
        window,
    )


def no_kpis(price: Float[Array, ""]) -> Kpis:
    """Before the first step: nothing happened, at the price in the middle of the grid's offers."""
    nothing = jnp.zeros_like(price)
    return Kpis(*[nothing] * len(Kpis._fields))._replace(price=price, coordination=nothing + 1.0)


def _pushed(values: Float[Array, " window"], newest: Float[Array, ""]) -> Float[Array, " window"]:
    return jnp.concatenate([values[1:], newest[None]])


def _mean_of(values: Float[Array, " home"], chosen: Array) -> Float[Array, ""]:
    return jnp.where(chosen, values, 0.0).sum() / jnp.maximum(chosen.sum(), 1)


def _moments(values: Float[Array, " window"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and standard deviation of what is there."""
    there = ~jnp.isnan(values)
    count = jnp.maximum(there.sum(), 1)
    mean = jnp.where(there, values, 0.0).sum() / count
    variance = jnp.where(there, (values - mean) ** 2, 0.0).sum() / count
    return mean, jnp.sqrt(jnp.maximum(variance, 1e-12)) * (variance > 1e-12)


def _share(part: Float[Array, ""], whole: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(whole > 1e-9, part / jnp.where(whole > 1e-9, whole, 1.0), 0.0)
