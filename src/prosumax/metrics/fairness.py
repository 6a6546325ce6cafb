"""How evenly the gains of an energy community are shared.

No index says what is fair: each is one way of looking at savings, and all of them break when somebody loses. Look at
`homes_that_lose` and `lowest_saving` first; the indices of evenness are NaN when they would hide a loser.
"""

import numpy as np

from prosumax.metrics.numbers import Values, deviation, ratio


def fairness_kpis(
    saving: Values,
    bill_without_exchange: Values,
    served_share: Values,
    price_paid: Values,
    price_range: Values,
    tolerance: float = 0.005,
) -> dict[str, Values]:
    """Key figures of how a community shares its gains. Arrays are [home], over the whole period.

    Arguments:
        saving: bill when staying alone less bill in the community, money.
        bill_without_exchange: bill when staying alone, money.
        served_share: energy traded with neighbours / energy that could have been, 0 to 1; NaN where none could.
        price_paid: mean price per kWh bought from neighbours; NaN where none was.
        price_range: highest less lowest price that a neighbour could be charged (retail less feed-in).
        tolerance: a loss counts above this: half a cent does not show on a bill.

    Returns:
        Name -> number. A saving below a millionth of the bill counts as none: it is what single precision leaves.

        `lowest_saving` (money) and `homes_that_lose` (number of homes). The next five are NaN when somebody loses or
        nobody gains: `gini`, sum over pairs |x_i - x_j| / (2 homes^2 mean), from 0 (all equal) to 1 - 1 / homes (one
        has all); `jain`, (sum x)^2 / (homes sum x^2), from 1 / homes to 1 (all equal) (Jain, Chiu, Hawe 1984,
        DEC-TR-301); `min_max`, lowest / highest saving, 0 to 1; `relative_saving_gini`, the Gini of savings in % of the
        own bill, also NaN when a bill alone is not positive; `nash_welfare`, sum of log savings (Nash 1950), any
        sign, only for comparing rules in the same community, also NaN when one home gains nothing.

        `quality_of_service`, 1 / homes to 1: Jain's index of the served shares. `quality_of_experience`, 0 to 1:
        1 - sd / sd_max of the prices paid, with sd_max = price_range / 2, which half the homes at each end would give
        (Hossfeld, Skorin-Kapov, Heegaard, Varela 2017, IEEE Communications Letters 21(1)). Both, and the weaknesses of
        all these: Dynge, Anfinnsen, Cali, "Evaluating fairness indicators for local electricity markets".
    """
    xp = saving.__array_namespace__()
    losing = saving < -tolerance
    gain = xp.where(saving > 1e-6 * xp.abs(bill_without_exchange), saving, 0)
    gain = xp.where(losing.any(), xp.nan, gain)
    return {
        "lowest_saving": saving.min(),
        "homes_that_lose": losing.sum(),
        "gini": gini(gain),
        "jain": jain(gain),
        "min_max": ratio(gain.min(), gain.max(), xp),
        "relative_saving_gini": gini(100 * ratio(gain, bill_without_exchange, xp)),
        "quality_of_service": jain(served_share),
        "quality_of_experience": 1 - ratio(deviation(price_paid, xp), price_range / 2, xp),
        "nash_welfare": xp.where(
            (gain > 0).all(), xp.log(xp.where(gain > 0, gain, 1)).sum(), xp.nan
        ),
    }


def gini(amount: Values) -> Values:
    """Gini coefficient of amounts >= 0 [home]: 0 (all equal) to 1 - 1 / homes; NaN when all are zero or one is NaN.

    Half the mean absolute difference of two homes, in units of the mean (Gini 1912). Between the k-th and the next
    amount in order lie k (homes - k) pairs, so summing the gaps with these weights needs no table of pairs.
    """
    xp = amount.__array_namespace__()
    homes = amount.shape[0]
    below = xp.arange(1, homes)
    gaps = xp.diff(xp.sort(amount))
    return ratio((below * (homes - below) * gaps).sum(), homes * amount.sum(), xp)


def jain(amount: Values) -> Values:
    """Jain's index of amounts >= 0 [home]: 1 / homes (one has all) to 1 (all equal).

    Homes with NaN are left out; NaN when no home is left or all have zero.
    """
    xp = amount.__array_namespace__()
    known = ~xp.isnan(amount)
    kept = xp.where(known, amount, 0)
    return ratio(kept.sum() ** 2, known.sum() * (kept**2).sum(), xp)


def price_of_fairness(best_total_saving: Values, total_saving: Values) -> Values:
    """Share of the best total saving that a fairer rule gives up: 0 (none) to 1 (all); above 1 when it loses money.

    NaN when the best is not positive. Source: Bertsimas, Farias, Trichakis 2011, "The price of fairness", Operations
    Research 59(1).

    Arguments:
        best_total_saving: sum of savings under the rule that makes it largest, money.
        total_saving: sum of savings under the rule in question, money.
    """
    xp = (
        best_total_saving.__array_namespace__()
        if hasattr(best_total_saving, "__array_namespace__")
        else np
    )
    return ratio(best_total_saving - total_saving, best_total_saving, xp)


def distance_to(reference_saving: Values, saving: Values) -> Values:
    """Mean absolute difference between savings and a reference split, money per home, >= 0.

    With Shapley values as reference it tells how far a rule pays homes from what they bring to the community.

    Arguments:
        reference_saving, saving: [home], money.
    """
    return abs(saving - reference_saving).mean()


def lorenz_curve(saving: Values) -> tuple[Values, Values]:
    """The Lorenz curve (Lorenz 1905): which share of all savings the homes with least have together.

    The Gini coefficient is twice the area between it and the diagonal, on which all have the same. With losers the
    curve dips below zero.

    Arguments:
        saving: [home], money.

    Returns:
        Share of homes and share of savings, both [home + 1] from 0 to 1; the latter NaN when the total is not positive.
    """
    xp = saving.__array_namespace__()
    homes = saving.shape[0]
    together = xp.concatenate([xp.zeros(1, dtype=saving.dtype), xp.cumsum(xp.sort(saving))])
    return xp.arange(homes + 1) / homes, ratio(together, together[-1], xp)
