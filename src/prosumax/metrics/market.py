"""Performance of the local market: gains from trade, prices and concentration.

A traded kWh has a value to its buyer, a cost to its seller, and a price between the two. Value and
cost are true ones, not bids: the retail price less the charges due on local energy, and the
feed-in price.
"""

from types import ModuleType

import numpy as np

from prosumax.metrics.numbers import nan_std, ratio
from prosumax.numerics import MONEY_TOLERANCE, AnyArray


def market_kpis(
    net_kwh: AnyArray,
    bought_kwh: AnyArray,
    sold_kwh: AnyArray,
    paid: AnyArray,
    earned: AnyArray,
    value: AnyArray,
    cost: AnyArray,
    tolerance: float = MONEY_TOLERANCE,
) -> dict[str, AnyArray]:
    """Compute the KPIs of local trade over the period. Arrays are [step, home], local trades only.

    Args:
        net_kwh: Net energy at the meter of the home before any exchange: deficit (positive) or
            surplus (negative).
        bought_kwh: Energy bought locally, >= 0.
        sold_kwh: Energy sold locally, >= 0.
        paid: Money paid for the energy bought.
        earned: Money earned for the energy sold.
        value: Value of a kWh to a buyer: retail price less the charges due on local energy.
        cost: Cost of a kWh to a seller: the feed-in price.
        tolerance: Money per home and step by which a trade may miss the limit before it counts as
            irrational. Single precision leaves some 1e-6 on amounts of a few units; a thousandth
            of a cent is well above that.

    Returns:
        KPI -> number; NaN where a KPI is undefined, such as a price without trade.

        In money: `welfare`, the gains from trade, sum of value x bought - cost x sold. It splits
        into `consumer_surplus` (value x bought - paid), `producer_surplus` (earned - cost x sold)
        and `budget_balance` (paid - earned: kept by the mechanism; negative where it needs a
        subsidy). `max_welfare` is the highest welfare that trade within each step can give.
        `turnover` is what buyers pay (MARLEM, equation 17, calls it welfare): it measures how much
        money moves, not what the homes gain.

        `allocative_efficiency` is welfare / max_welfare: 1 at best, negative where trade destroys
        value.

        `liquidity_kwh` is the energy traded. `mean_price` (money per kWh) is weighted by volume;
        `price_volatility` is the standard deviation of `price_series` over the steps with trade,
        each step counting once. `bid_ask_gap` is the mean of best bid - best ask over the steps
        that have both sides, >= 0 where there are gains from trade.

        `p2p_share`, 0 to 1, is the share of bought energy that was bought locally.

        `individual_rationality_violations` counts homes and steps in which a buyer paid more than
        the value of its energy or a seller earned less than its cost. `seller_hhi` and `buyer_hhi`
        are Herfindahl-Hirschman indices (sum of squared market shares) over the period, from
        1 / homes to 1 (one home has the whole market).
    """
    xp = net_kwh.__array_namespace__()
    bought = bought_kwh.sum()
    sold = sold_kwh.sum()
    bought_value = value * bought_kwh
    sold_cost = cost * sold_kwh
    welfare = (bought_value - sold_cost).sum()
    max_welfare = _max_welfare(net_kwh, value, cost, xp).sum()
    from_grid = xp.maximum(xp.maximum(net_kwh, 0) - bought_kwh, 0).sum()
    best_bid = xp.where(net_kwh > 0, value, -xp.inf).max(1)
    best_ask = xp.where(net_kwh < 0, cost, xp.inf).min(1)
    two_sided = (net_kwh > 0).any(1) & (net_kwh < 0).any(1)
    gap = xp.where(two_sided, best_bid - best_ask, 0)
    prices = price_series(bought_kwh, paid, sold_kwh, earned)
    irrational = (paid > bought_value + tolerance) | (earned < sold_cost - tolerance)
    return {
        "welfare": welfare,
        "consumer_surplus": (bought_value - paid).sum(),
        "producer_surplus": (earned - sold_cost).sum(),
        "max_welfare": max_welfare,
        "allocative_efficiency": ratio(welfare, max_welfare, xp),
        "turnover": paid.sum(),
        "liquidity_kwh": bought,
        "mean_price": ratio(paid.sum() + earned.sum(), bought + sold, xp),
        "price_volatility": nan_std(prices, xp),
        "bid_ask_gap": ratio(gap.sum(), two_sided.sum(), xp),
        "p2p_share": ratio(bought, bought + from_grid, xp),
        "budget_balance": paid.sum() - earned.sum(),
        "individual_rationality_violations": irrational.sum(),
        "seller_hhi": herfindahl_index(sold_kwh.sum(0), xp),
        "buyer_hhi": herfindahl_index(bought_kwh.sum(0), xp),
    }


def herfindahl_index(amount: AnyArray, xp: ModuleType) -> AnyArray:
    """Compute the Herfindahl-Hirschman index, the sum of squared market shares.

    Args:
        amount: Amounts >= 0 [home].
        xp: Array namespace, `numpy` or `jax.numpy`.

    Returns:
        1 / homes (all equal) to 1 (one home has the whole market); NaN where all amounts are zero.
    """
    return (ratio(amount, amount.sum(), xp) ** 2).sum()


def price_series(
    bought_kwh: AnyArray, paid: AnyArray, sold_kwh: AnyArray, earned: AnyArray
) -> AnyArray:
    """Compute the local price of each step, weighted by volume. Arrays are [step, home].

    Args:
        bought_kwh: Energy bought locally.
        paid: Money paid for it.
        sold_kwh: Energy sold locally.
        earned: Money earned for it.

    Returns:
        [step] money per kWh, midway between buyers and sellers where the mechanism keeps or adds
        money; NaN without trade.
    """
    xp = paid.__array_namespace__()
    return ratio(paid.sum(1) + earned.sum(1), bought_kwh.sum(1) + sold_kwh.sum(1), xp)


def payment_matrix(paid: AnyArray, earned: AnyArray) -> AnyArray:
    """Attribute the payments through a common pool to pairs of buyer and seller.

    A pool has no pairs, so the payments of each step are attributed to its sellers in proportion
    to what they earned.

    Args:
        paid: Money paid locally [step, home].
        earned: Money earned locally [step, home].

    Returns:
        [buyer, seller] money over the period. Rows add up to what each home paid; columns to what
        it earned where the mechanism is balanced in every step. Payments of a step without
        earnings are left out.
    """
    xp = paid.__array_namespace__()
    total = earned.sum(1, keepdims=True)
    share = xp.where(total != 0, earned / xp.where(total != 0, total, 1), 0)
    payments: AnyArray = paid.T @ share
    return payments


def trade_matrix(buyer: AnyArray, seller: AnyArray, amount: AnyArray, homes: int) -> AnyArray:
    """Sum bilateral trades by pair of buyer and seller.

    Args:
        buyer: Index of the buying home [step, slot]; any valid index in an empty slot.
        seller: Index of the selling home [step, slot]; any valid index in an empty slot.
        amount: Money (or kWh) of each trade [step, slot], 0 in an empty slot.
        homes: Number of homes.

    Returns:
        [buyer, seller] sum over the period.
    """
    xp = amount.__array_namespace__()
    matrix: AnyArray = xp.zeros((homes, homes), dtype=amount.dtype)
    if not isinstance(matrix, np.ndarray):
        return matrix.at[buyer, seller].add(amount)
    np.add.at(matrix, (np.asarray(buyer), np.asarray(seller)), amount)
    return matrix


def _max_welfare(net_kwh: AnyArray, value: AnyArray, cost: AnyArray, xp: ModuleType) -> AnyArray:
    """Compute the highest gains from trade of each step [step].

    They are reached where every kWh whose value to a buyer exceeds its cost to a seller is traded:
    the area between the demand and the supply curve left of their crossing. Integrated over prices
    it is the area under min(demand at this price or above, supply at this price or below), which
    needs one sort and no pairing.
    """
    price = xp.where(net_kwh > 0, value, cost)
    order = xp.argsort(price, axis=1)
    price = xp.take_along_axis(price, order, axis=1)
    net_kwh = xp.take_along_axis(net_kwh, order, axis=1)
    supply = xp.cumsum(xp.maximum(-net_kwh, 0), axis=1)
    demand = xp.cumsum(xp.maximum(net_kwh, 0)[:, ::-1], axis=1)[:, ::-1]
    area = xp.diff(price, axis=1) * xp.minimum(supply[:, :-1], demand[:, 1:])
    welfare: AnyArray = area.sum(1)
    return welfare
