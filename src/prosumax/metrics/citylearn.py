"""KPIs of CityLearn 3.0.2 by its own formulas, for comparison with its papers.

Each is a ratio of the run to the same run without storage. Exports earn nothing and the cost is
never negative, only upward ramps count, and the value of the community is the mean of the ratios
of its homes.
"""

from collections.abc import Callable
from types import ModuleType

from prosumax.metrics.numbers import ratio
from prosumax.numerics import AnyArray


def citylearn_kpis(
    net_kwh: AnyArray,
    baseline_kwh: AnyArray,
    price: AnyArray,
    emission_factor_kg_per_kwh: AnyArray,
    step_hours: float,
) -> dict[str, AnyArray]:
    """Compute the cost functions of CityLearn.

    Args:
        net_kwh: Net energy at the meter of each home [step, home]; positive values are imports.
        baseline_kwh: Net energy without storage, load minus PV generation [step, home].
        price: Retail price per kWh [step].
        emission_factor_kg_per_kwh: CO2 of grid electricity [step].
        step_hours: Length of a step; windows are a day and 730 hours.

    Returns:
        Ratios under CityLearn's names (1 is equal to the run without storage, lower is better; NaN
        where the baseline is zero), and the equity indices: Gini index and top-20-percent share
        over positive relative benefits, and the percentage of homes that lose.

    References:
        CityLearn 3.0.2, `citylearn.cost_function` and `citylearn.citylearn.evaluate`.
    """
    xp = net_kwh.__array_namespace__()
    day = round(24 / step_hours)
    month = round(730 / step_hours)
    district = net_kwh.sum(1)
    baseline_district = baseline_kwh.sum(1)

    def bills(net: AnyArray) -> AnyArray:
        total: AnyArray = xp.maximum(net * price[:, None], 0).sum(0)
        return total

    def emissions(net: AnyArray) -> AnyArray:
        total: AnyArray = xp.maximum(net * emission_factor_kg_per_kwh[:, None], 0).sum(0)
        return total

    def imports(net: AnyArray) -> AnyArray:
        total: AnyArray = xp.maximum(net, 0).sum(0)
        return total

    def mean_of_homes(total: Callable[[AnyArray], AnyArray]) -> AnyArray:
        return _ratio(total(net_kwh), total(baseline_kwh), xp).mean()

    def of_district(cost_function: Callable[[AnyArray], AnyArray]) -> AnyArray:
        return _ratio(cost_function(district), cost_function(baseline_district), xp)

    def one_minus_load_factor(window: int) -> AnyArray:
        return of_district(lambda net: _one_minus_load_factor(net, window, xp))

    baseline_bills = bills(baseline_kwh)
    benefit = 100 * _ratio(baseline_bills - bills(net_kwh), baseline_bills, xp)
    gained = xp.sort(xp.maximum(benefit, 0))
    homes = gained.shape[0]
    num_top = -(-homes // 5)
    spread = xp.abs(gained[:, None] - gained[None, :]).sum()
    return {
        "electricity_consumption_total": mean_of_homes(imports),
        "zero_net_energy": mean_of_homes(lambda net: net.sum(0)),
        "carbon_emissions_total": mean_of_homes(emissions),
        "cost_total": mean_of_homes(bills),
        "ramping_average": of_district(lambda net: _upward_ramps(net, xp)),
        "daily_one_minus_load_factor_average": one_minus_load_factor(day),
        "monthly_one_minus_load_factor_average": one_minus_load_factor(month),
        "daily_peak_average": of_district(lambda net: _mean_peak(net, day, xp)),
        "all_time_peak_average": _ratio(district.max(), baseline_district.max(), xp),
        "equity_gini": _ratio(spread, 2 * homes * gained.sum(), xp),
        "equity_top_20_percent_share": _ratio(gained[homes - num_top :].sum(), gained.sum(), xp),
        "equity_losers_percent": 100 * (benefit < 0).mean(),
    }


def _upward_ramps(net: AnyArray, xp: ModuleType) -> AnyArray:
    ramps: AnyArray = xp.maximum(xp.diff(net), 0).sum()
    return ramps


def _one_minus_load_factor(net: AnyArray, window: int, xp: ModuleType) -> AnyArray:
    means, peaks = _window_means_and_peaks(net, window, xp)
    factors = _ratio(means, peaks, xp)
    # A window without power has no load factor and is left out of the mean.
    defined = ~xp.isnan(factors)
    return _ratio(xp.where(defined, 1 - factors, 0).sum(), defined.sum(), xp)


def _mean_peak(net: AnyArray, window: int, xp: ModuleType) -> AnyArray:
    _, peaks = _window_means_and_peaks(net, window, xp)
    return peaks.mean()


def _window_means_and_peaks(
    net: AnyArray, window: int, xp: ModuleType
) -> tuple[AnyArray, AnyArray]:
    """Compute mean and maximum of each window; the last window may be shorter."""
    count = -(-net.shape[0] // window)
    missing = count * window - net.shape[0]
    padding = xp.full(missing, xp.nan, dtype=net.dtype)
    padded = xp.concatenate([net, padding]).reshape(count, window)
    return xp.nanmean(padded, axis=1), xp.nanmax(padded, axis=1)


def _ratio(part: AnyArray, whole: AnyArray, xp: ModuleType) -> AnyArray:
    """Divide; NaN only where the divisor is zero: CityLearn keeps negative baselines."""
    size = xp.abs(whole)
    quotient: AnyArray = xp.sign(whole) * ratio(part, size, xp)
    return quotient
