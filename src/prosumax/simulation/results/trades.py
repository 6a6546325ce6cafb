"""Local trades of a run as a table and as a payment matrix."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.types import Fills, Trades

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

POOL_NAME = "pool"
"""Counterparty of trades with a common pool."""

TRADE_COLUMNS = ("step", "time", "buyer", "seller", "kwh", "buyer_price", "seller_price")

# Further decimals are rounding errors of single precision.
_DECIMALS = 6


class _PoolTotals(NamedTuple):
    """Energy and money of each home's trades with pools."""

    bought_kwh: Float[Array, "step home"]
    sold_kwh: Float[Array, "step home"]
    paid: Float[Array, "step home"]
    earned: Float[Array, "step home"]


def make_trade_table(local: Fills, homes: list[str], index: "pd.DatetimeIndex") -> "pd.DataFrame":
    """List all local trades in the order of steps.

    Args:
        local: Local trades in all steps as NumPy arrays.
        homes: Names of the homes.
        index: Step starts in UTC.

    Returns:
        Table with columns `TRADE_COLUMNS`. A trade with a pool has `pool` as its counterparty, with
        one row per home and step.
    """
    import pandas as pd

    names = np.array([*homes, POOL_NAME], dtype=object)
    pool = len(homes)
    trades = _bilateral_trades(local)
    step, slot = np.nonzero(trades.kwh > 0)
    bilateral = pd.DataFrame(
        {
            "step": step,
            "buyer": np.asarray(trades.buyer)[step, slot].astype(int),
            "seller": np.asarray(trades.seller)[step, slot].astype(int),
            "kwh": np.asarray(trades.kwh)[step, slot],
            "buyer_price": np.asarray(trades.buyer_price)[step, slot],
            "seller_price": np.asarray(trades.seller_price)[step, slot],
        }
    )
    totals = _pool_totals(local)
    purchases = _pool_rows(totals.bought_kwh, totals.paid, "buyer", "seller", pool)
    sales = _pool_rows(totals.sold_kwh, totals.earned, "seller", "buyer", pool)
    parts = [part for part in (bilateral, purchases, sales) if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else bilateral
    table.insert(1, "time", index[table["step"].to_numpy()])
    for column in ("buyer", "seller"):
        table[column] = names[table[column].to_numpy()]
    for column in ("kwh", "buyer_price", "seller_price"):
        table[column] = np.round(table[column].to_numpy(np.float64), _DECIMALS)
    ordered = table.sort_values("step", kind="stable", ignore_index=True)
    return ordered[list(TRADE_COLUMNS)]


def make_payment_matrix(local: Fills, num_homes: int) -> Float[Array, "buyer seller"]:
    """Sum the payments for local energy over the period; pools are shared pro rata.

    Args:
        local: Local trades in all steps as NumPy arrays.
        num_homes: Number of homes.
    """
    trades = _bilateral_trades(local)
    money = np.asarray(trades.kwh * trades.buyer_price, dtype=np.float64)
    bilateral = metrics.trade_matrix(
        trades.buyer.astype(int), trades.seller.astype(int), money, num_homes
    )
    totals = _pool_totals(local)
    return np.asarray(bilateral + metrics.payment_matrix(totals.paid, totals.earned))


def _bilateral_trades(local: Fills) -> Trades:
    """Return the bilateral trades, which have no slots where all trade is with pools."""
    assert local.trades is not None
    return local.trades


def _pool_totals(local: Fills) -> _PoolTotals:
    """Subtract the bilateral trades from the totals of each home."""
    bought = np.array(local.bought_kwh, dtype=np.float64)
    sold = np.array(local.sold_kwh, dtype=np.float64)
    paid = np.array(local.paid, dtype=np.float64)
    earned = np.array(local.earned, dtype=np.float64)
    trades = _bilateral_trades(local)
    if not trades.kwh.shape[1]:
        return _PoolTotals(bought, sold, paid, earned)
    steps = np.arange(len(trades.kwh))[:, None]
    buyers = trades.buyer.astype(int)
    sellers = trades.seller.astype(int)
    np.subtract.at(bought, (steps, buyers), trades.kwh)
    np.subtract.at(sold, (steps, sellers), trades.kwh)
    np.subtract.at(paid, (steps, buyers), trades.kwh * trades.buyer_price)
    np.subtract.at(earned, (steps, sellers), trades.kwh * trades.seller_price)
    buys = bought > ENERGY_TOLERANCE_KWH
    sells = sold > ENERGY_TOLERANCE_KWH
    return _PoolTotals(
        bought_kwh=np.where(buys, bought, 0.0),
        sold_kwh=np.where(sells, sold, 0.0),
        paid=np.where(buys, paid, 0.0),
        earned=np.where(sells, earned, 0.0),
    )


def _pool_rows(
    kwh: Float[Array, "step home"],
    money: Float[Array, "step home"],
    home_column: str,
    pool_column: str,
    pool: int,
) -> "pd.DataFrame":
    """Return one row for each home that trades with the pool in a step."""
    import pandas as pd

    step, home = np.nonzero(kwh > ENERGY_TOLERANCE_KWH)
    amount = kwh[step, home]
    price = money[step, home] / amount
    return pd.DataFrame(
        {
            "step": step,
            home_column: home,
            pool_column: np.full(len(home), pool),
            "kwh": amount,
            "buyer_price": price,
            "seller_price": price,
        }
    )
