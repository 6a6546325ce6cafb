"""Fairness of the distribution of gains within an energy community.

No single index defines fairness, and all of them are misleading where a home loses: read
`losing_homes` and `lowest_saving` first. The indices of evenness are NaN where they would hide a
home that loses.
"""

import numpy as np

from prosumax.metrics.numbers import nan_std, ratio
from prosumax.numerics import AnyArray

_RELATIVE_ROUNDING = 1e-6
"""A saving below this share of the bill counts as none: single precision leaves as much."""


def fairness_kpis(
    saving: AnyArray,
    bill_without_exchange: AnyArray,
    served_share: AnyArray,
    price_paid: AnyArray,
    price_range: AnyArray,
    tolerance: float = 0.005,
) -> dict[str, AnyArray]:
    """Compute how evenly a community shares its gains. Arrays are [home], over the whole period.

    Args:
        saving: Bill without exchange less bill with it, money.
        bill_without_exchange: Bill with the same meter readings and without local trade, money.
        served_share: Energy traded locally / tradable energy, 0 to 1; NaN where none was tradable.
        price_paid: Mean price per kWh bought locally; NaN where none was.
        price_range: Highest less lowest local price that is possible (retail less feed-in).
        tolerance: Losses up to this amount do not count: half a cent does not show on a bill.

    Returns:
        KPI -> number.

        `lowest_saving` (money) and `losing_homes` (number of homes). The next five are NaN where a
        home loses or no home gains: `gini`, sum over pairs |x_i - x_j| / (2 homes^2 mean), from 0
        (all equal) to 1 - 1 / homes (one has all); `jain`, (sum x)^2 / (homes sum x^2), from
        1 / homes to 1 (all equal); `min_max_ratio`, lowest / highest saving, 0 to 1;
        `relative_saving_gini`, the Gini index of savings in % of the own bill, also NaN where a
        bill without exchange is not positive; `nash_welfare`, sum of log savings, any sign, only
        for comparing mechanisms in the same community, also NaN where one home gains nothing.

        `quality_of_service`, 1 / homes to 1: Jain's index of the served shares.
        `quality_of_experience`, 0 to 1: 1 - std / max std of the prices paid, with
        max std = price_range / 2, which half the homes at each end of the range would give.

    References:
        Jain, Chiu, Hawe 1984, DEC-TR-301. Nash 1950, Econometrica 18(2). Hossfeld, Skorin-Kapov,
        Heegaard, Varela 2017, IEEE Communications Letters 21(1). The weaknesses of all these:
        Dynge, Anfinnsen, Cali, "Evaluating fairness indicators for local electricity markets".
    """
    xp = saving.__array_namespace__()
    losing = saving < -tolerance
    gain = xp.where(saving > _RELATIVE_ROUNDING * xp.abs(bill_without_exchange), saving, 0)
    gain = xp.where(losing.any(), xp.nan, gain)
    log_gain = xp.log(xp.where(gain > 0, gain, 1))
    return {
        "lowest_saving": saving.min(),
        "losing_homes": losing.sum(),
        "gini": gini(gain),
        "jain": jain(gain),
        "min_max_ratio": ratio(gain.min(), gain.max(), xp),
        "relative_saving_gini": gini(100 * ratio(gain, bill_without_exchange, xp)),
        "quality_of_service": jain(served_share),
        "quality_of_experience": 1 - ratio(nan_std(price_paid, xp), price_range / 2, xp),
        "nash_welfare": xp.where((gain > 0).all(), log_gain.sum(), xp.nan),
    }


def gini(amount: AnyArray) -> AnyArray:
    """Compute the Gini index: 0 (all equal) to 1 - 1 / homes (one has all).

    It is half the mean absolute difference of two homes, in units of the mean. Between the k-th
    and the next amount in order lie k (homes - k) pairs, so summing the gaps with these weights
    needs no table of pairs.

    Args:
        amount: Amounts >= 0 [home].

    Returns:
        Index; NaN where all amounts are zero or one is NaN.

    References:
        Gini 1912, Variabilità e mutabilità.
    """
    xp = amount.__array_namespace__()
    homes = amount.shape[0]
    below = xp.arange(1, homes)
    gaps = xp.diff(xp.sort(amount))
    return ratio((below * (homes - below) * gaps).sum(), homes * amount.sum(), xp)


def jain(amount: AnyArray) -> AnyArray:
    """Compute Jain's index: 1 / homes (one has all) to 1 (all equal).

    Args:
        amount: Amounts >= 0 [home]; homes with NaN are left out.

    Returns:
        Index; NaN where no home is left or all amounts are zero.

    References:
        Jain, Chiu, Hawe 1984, DEC-TR-301.
    """
    xp = amount.__array_namespace__()
    known = ~xp.isnan(amount)
    kept = xp.where(known, amount, 0)
    return ratio(kept.sum() ** 2, known.sum() * (kept**2).sum(), xp)


def price_of_fairness(
    best_total_saving: AnyArray | float, total_saving: AnyArray | float
) -> AnyArray:
    """Compute the share of the best total saving that a fairer mechanism gives up.

    Args:
        best_total_saving: Sum of savings under the mechanism that maximizes it, money.
        total_saving: Sum of savings under the mechanism in question, money.

    Returns:
        0 (none) to 1 (all); above 1 where the mechanism loses money; NaN where the best total
        saving is not positive.

    References:
        Bertsimas, Farias, Trichakis 2011, "The price of fairness", Operations Research 59(1).
    """
    if isinstance(best_total_saving, float | int):
        xp = np
    else:
        xp = best_total_saving.__array_namespace__()
    return ratio(best_total_saving - total_saving, best_total_saving, xp)


def distance_to_reference(reference_saving: AnyArray, saving: AnyArray) -> AnyArray:
    """Compute the mean absolute difference between savings and a reference split.

    With Shapley values as the reference it measures how far a mechanism rewards homes from what
    they contribute to the community.

    Args:
        reference_saving: Savings of the reference [home], money.
        saving: Savings of the mechanism [home], money.

    Returns:
        Money per home, >= 0.
    """
    mean: AnyArray = (saving - reference_saving).__abs__().mean()
    return mean


def lorenz_curve(saving: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Compute the Lorenz curve of savings.

    The Gini index is twice the area between the curve and the diagonal of equal savings. Where
    homes lose, the curve falls below zero.

    Args:
        saving: Savings [home], money.

    Returns:
        Cumulative share of homes, those with the lowest savings first, and their share of all
        savings, both [home + 1] from 0 to 1; the latter NaN where the total is not positive.

    References:
        Lorenz 1905, Publications of the American Statistical Association 9(70).
    """
    xp = saving.__array_namespace__()
    homes = saving.shape[0]
    zero = xp.zeros(1, dtype=saving.dtype)
    cumulative = xp.concatenate([zero, xp.cumsum(xp.sort(saving))])
    return xp.arange(homes + 1) / homes, ratio(cumulative, cumulative[-1], xp)
