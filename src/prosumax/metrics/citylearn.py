"""CityLearn's key figures by its own formulas (version 3.0.2), so that results can be laid beside its papers.

Each is a ratio of the run to the same run without storage. Mind what they leave out: exports earn nothing and cost
never turns negative, only upward ramps count, and the community's figure is the mean of the homes' ratios.
"""

from typing import Any

from prosumax.metrics.numbers import Values


def citylearn_kpis(
    net_kwh: Values, baseline_kwh: Values, price: Values, carbon_kg: Values, step_hours: float
) -> dict[str, Values]:
    """CityLearn's cost functions.

    Arguments:
        net_kwh: each home's meter [step, home], positive imports.
        baseline_kwh: the same without storage, load minus solar.
        price, carbon_kg: retail price and carbon intensity per kWh [step].
        step_hours: length of a step; windows are a day and 730 hours.

    Returns:
        Ratios under CityLearn's names (1 = as without storage, lower is better; NaN where the baseline is zero), and
        the equity figures: Gini and top-20 % share over positive relative benefits, percentage of homes that lose.
    """
    xp = net_kwh.__array_namespace__()
    day, month = round(24 / step_hours), round(730 / step_hours)
    bought, baseline_bought = xp.maximum(net_kwh, 0).sum(0), xp.maximum(baseline_kwh, 0).sum(0)
    cost, baseline_cost = (
        xp.maximum(n * price[:, None], 0).sum(0) for n in (net_kwh, baseline_kwh)
    )
    carbon, baseline_carbon = (
        xp.maximum(n * carbon_kg[:, None], 0).sum(0) for n in (net_kwh, baseline_kwh)
    )
    district, baseline = net_kwh.sum(1), baseline_kwh.sum(1)

    def versus_baseline(measure: Any, *args: Any) -> Values:
        return _ratio(measure(district, *args, xp), measure(baseline, *args, xp), xp)

    benefit = 100 * _ratio(baseline_cost - cost, baseline_cost, xp)
    gained = xp.sort(xp.maximum(benefit, 0))
    homes = gained.shape[0]
    top = -(-homes // 5)
    spread = xp.abs(gained[:, None] - gained[None, :]).sum()
    return {
        "electricity_consumption_total": _ratio(bought, baseline_bought, xp).mean(),
        "zero_net_energy": _ratio(net_kwh.sum(0), baseline_kwh.sum(0), xp).mean(),
        "carbon_emissions_total": _ratio(carbon, baseline_carbon, xp).mean(),
        "cost_total": _ratio(cost, baseline_cost, xp).mean(),
        "ramping_average": versus_baseline(_up_ramps),
        "daily_one_minus_load_factor_average": versus_baseline(_one_minus_load_factor, day),
        "monthly_one_minus_load_factor_average": versus_baseline(_one_minus_load_factor, month),
        "daily_peak_average": versus_baseline(_mean_peak, day),
        "all_time_peak_average": _ratio(district.max(), baseline.max(), xp),
        "equity_gini": _ratio(spread, 2 * homes * gained.sum(), xp),
        "equity_top_20_percent_share": _ratio(gained[homes - top :].sum(), gained.sum(), xp),
        "equity_losers_percent": 100 * (benefit < 0).mean(),
    }


def _up_ramps(net: Values, xp: Any) -> Values:
    return xp.maximum(xp.diff(net), 0).sum()


def _one_minus_load_factor(net: Values, window: int, xp: Any) -> Values:
    means, peaks = _windows(net, window, xp)
    factors = _ratio(means, peaks, xp)
    defined = ~xp.isnan(factors)  # a window without any power has no load factor and is passed over
    return _ratio(xp.where(defined, 1 - factors, 0).sum(), defined.sum(), xp)


def _mean_peak(net: Values, window: int, xp: Any) -> Values:
    return _windows(net, window, xp)[1].mean()


def _windows(net: Values, window: int, xp: Any) -> tuple[Values, Values]:
    """Mean and maximum of each window; the last may be shorter."""
    count = -(-net.shape[0] // window)
    missing = count * window - net.shape[0]
    padded = xp.concatenate([net, xp.full(missing, xp.nan, dtype=net.dtype)]).reshape(count, window)
    return xp.nanmean(padded, axis=1), xp.nanmax(padded, axis=1)


def _ratio(part: Values, whole: Values, xp: Any) -> Values:
    """Part / whole, NaN where the whole is zero; unlike elsewhere a negative whole is kept, as CityLearn does."""
    return xp.where(whole != 0, part / xp.where(whole != 0, whole, 1), xp.nan)
