"""How well neighbours trade: gains from trade, prices, and who has the upper hand.

A kWh has three numbers: its worth to the buyer, the least its seller takes, and the price between them. Worth and least
are true ones, not bids: what the grid would charge less the charges still due on local energy, and what it would pay.
"""

from typing import Any

import numpy as np

from prosumax.metrics.numbers import Values, deviation, ratio


def market_kpis(
    net_kwh: Values,
    bought_kwh: Values,
    sold_kwh: Values,
    paid: Values,
    earned: Values,
    value: Values,
    cost: Values,
    tolerance: float = 1e-5,
) -> dict[str, Values]:
    """Key figures of the trade between neighbours over the period. Every array is [step, home], local trades only.

    Arguments:
        net_kwh: the home's meter: what it needs (positive) or has left over (negative) before any exchange.
        bought_kwh, sold_kwh: energy exchanged with neighbours, >= 0.
        paid, earned: money for it.
        value: what a kWh is worth to a buyer: retail price less the charges due on local energy.
        cost: the least a seller takes for a kWh: the feed-in price.
        tolerance: money per home and step by which a trade may miss the limit before it counts as irrational. Single
            precision leaves some 1e-6 on amounts of a few units; a thousandth of a cent is well above that.

    Returns:
        Name -> number; NaN where a figure means nothing, such as a price without trade.

        In money: `welfare`, the gains from trade, sum of value x bought - cost x sold. It splits into
        `consumer_surplus` (value x bought - paid), `producer_surplus` (earned - cost x sold) and `budget_balance`
        (paid - earned: what the mechanism keeps; negative when it needs a subsidy). `max_welfare` is the most that
        trade within each step can give: see `_most_welfare`. `turnover` is what buyers pay, which MARLEM
        (its equation 17) calls welfare: it says how much money moves, not what anyone gains.

        `allocative_efficiency` is welfare / max_welfare: 1 at best, negative when trade destroys value.

        `liquidity_kwh` is the energy traded. `mean_price` (money per kWh) is weighted by volume; `price_volatility` is
        the standard deviation of `price_series` over the steps with trade, each step counting once. `best_spread` is
        the mean of best bid - best ask over the steps that have both sides, >= 0 when somebody gains from trade.

        `p2p_share`, 0 to 1, is the share of bought energy that came from neighbours.

        `individual_rationality_violations` counts homes and steps in which a buyer paid more than the energy is worth
        or a seller got less than its least. `seller_hhi` and `buyer_hhi` are Herfindahl indices (sum of squared market
        shares) over the period, from 1 / homes to 1 (one home has the whole market).
    """
    xp = net_kwh.__array_namespace__()
    bought, sold = bought_kwh.sum(), sold_kwh.sum()
    worth, least = value * bought_kwh, cost * sold_kwh
    welfare, most = (worth - least).sum(), _most_welfare(net_kwh, value, cost, xp).sum()
    from_grid = xp.maximum(xp.maximum(net_kwh, 0) - bought_kwh, 0).sum()
    best_bid = xp.where(net_kwh > 0, value, -xp.inf).max(1)
    best_ask = xp.where(net_kwh < 0, cost, xp.inf).min(1)
    two_sided = (net_kwh > 0).any(1) & (net_kwh < 0).any(1)
    return {
        "welfare": welfare,
        "consumer_surplus": (worth - paid).sum(),
        "producer_surplus": (earned - least).sum(),
        "max_welfare": most,
        "allocative_efficiency": ratio(welfare, most, xp),
        "turnover": paid.sum(),
        "liquidity_kwh": bought,
        "mean_price": ratio(paid.sum() + earned.sum(), bought + sold, xp),
        "price_volatility": deviation(price_series(bought_kwh, paid, sold_kwh, earned), xp),
        "best_spread": ratio(
            xp.where(two_sided, best_bid - best_ask, 0).sum(), two_sided.sum(), xp
        ),
        "p2p_share": ratio(bought, bought + from_grid, xp),
        "budget_balance": paid.sum() - earned.sum(),
        "individual_rationality_violations": (
            (paid > worth + tolerance) | (earned < least - tolerance)
        ).sum(),
        "seller_hhi": (ratio(sold_kwh.sum(0), sold, xp) ** 2).sum(),
        "buyer_hhi": (ratio(bought_kwh.sum(0), bought, xp) ** 2).sum(),
    }


def price_series(bought_kwh: Values, paid: Values, sold_kwh: Values, earned: Values) -> Values:
    """The price of each step, weighted by volume.

    Arguments:
        bought_kwh, paid, sold_kwh, earned: [step, home], local trades only.

    Returns:
        [step] money per kWh, midway between buyers and sellers where the mechanism keeps or adds money; NaN without
        trade.
    """
    xp = paid.__array_namespace__()
    return ratio(paid.sum(1) + earned.sum(1), bought_kwh.sum(1) + sold_kwh.sum(1), xp)


def payment_matrix(paid: Values, earned: Values) -> Values:
    """Who pays whom where energy goes through a common pool.

    A pool has no pairs, so each step's payments are attributed to its sellers in proportion to what they earned.

    Arguments:
        paid, earned: [step, home], local trades only.

    Returns:
        [buyer, seller] money over the period. Rows add up to what each home paid; columns to what it earned when the
        mechanism is balanced in every step. Payments of a step in which nobody earned anything are left out.
    """
    xp = paid.__array_namespace__()
    total = earned.sum(1, keepdims=True)
    share = xp.where(total != 0, earned / xp.where(total != 0, total, 1), 0)
    return paid.T @ share


def trade_matrix(buyer: Values, seller: Values, amount: Values, homes: int) -> Values:
    """Who trades with whom where trades are bilateral.

    Arguments:
        buyer, seller: [step, slot] indices of homes; any valid index in an empty slot.
        amount: [step, slot] money (or kWh) of each trade, 0 in an empty slot.
        homes: number of homes.

    Returns:
        [buyer, seller] sum over the period.
    """
    xp = amount.__array_namespace__()
    matrix = xp.zeros((homes, homes), dtype=amount.dtype)
    if xp is not np:
        return matrix.at[buyer, seller].add(amount)
    np.add.at(matrix, (buyer, seller), amount)
    return matrix


def _most_welfare(net_kwh: Values, value: Values, cost: Values, xp: Any) -> Values:
    """[step] gains from trade when every kWh that is worth more to a buyer than its seller's least is traded.

    This is the area between the demand and the supply curve left of their crossing. Integrated over prices it is that
    of min(demand at this price or above, supply at this price or below), which needs one sort and no pairing.
    """
    price = xp.where(net_kwh > 0, value, cost)
    order = xp.argsort(price, axis=1)
    price, net_kwh = (xp.take_along_axis(array, order, axis=1) for array in (price, net_kwh))
    supply = xp.cumsum(xp.maximum(-net_kwh, 0), axis=1)
    demand = xp.cumsum(xp.maximum(net_kwh, 0)[:, ::-1], axis=1)[:, ::-1]
    return (xp.diff(price, axis=1) * xp.minimum(supply[:, :-1], demand[:, 1:])).sum(1)
