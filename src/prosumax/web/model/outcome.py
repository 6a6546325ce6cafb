"""Results of a run as the pages show them: bills in whole cents, exchange, and daily curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NotRequired, TypedDict, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.devices.home import BATTERY
from prosumax.numerics import ENERGY_TOLERANCE_KWH
from prosumax.simulation.results.result import Result
from prosumax.types import Fills
from prosumax.viz.catalog import (
    energy_by_source,
    exchange_profile,
    mean_day,
    price_distribution,
    price_profile,
    trade_network,
)
from prosumax.viz.indicators.indicators import analysis_runs
from prosumax.viz.market.distributions import binned
from prosumax.viz.parts import optional_numbers

_HOURS = 24
_MIN_SURPLUS_KWH = 0.05  # below it a share of the surplus is meaningless
_MIN_TRANSFER_KW = 0.0005
_MIN_SAVING = 0.005  # half a cent

Floats = tuple[float, ...]


class Exploration(TypedDict):
    """Result of the search for a home that would gain by another policy.

    Attributes:
        homes: Number of homes with a battery.
        name: Home with the highest gain, if one gains at least a cent.
        policy: Policy by which it gains.
        gain: Its gain, money.
        best: Sum of the bills at the optimum, if it was computed.
        share: Share of the optimal gain that the community achieves.
    """

    homes: int
    name: NotRequired[str]
    policy: NotRequired[str]
    gain: NotRequired[float]
    best: NotRequired[float]
    share: NotRequired[float]


class CurveDetails(TypedDict):
    """Learning curve of a training that is running.

    Attributes:
        curve: Metric of each seed after each evaluation.
        curve_rounds: Iteration of each evaluation.
        curve_metric: Name of the metric.
        rounds: Number of iterations.
    """

    curve: tuple[tuple[float, ...], ...]
    curve_rounds: tuple[int, ...]
    curve_metric: str
    rounds: int


@dataclass(frozen=True)
class TrainingSpread:
    """Differences between repetitions of a training with other seeds.

    Attributes:
        cost: Sum of all bills, by seed.
        baseline_cost: Sum of all bills without sharing, by seed.
        shared_share: Share of the surplus kept in the community, by seed.
        losers: Number of homes that pay more, by seed.
        rounds: Number of training iterations.
        curve_rounds: Iterations of the evaluations.
        curve: Evaluated quantity, by evaluation and seed.
        curve_metric: `cost`, the sum of all bills of a day, or `uneven`, the mean difference of
            two homes' savings of a day.
    """

    cost: Floats
    baseline_cost: Floats
    shared_share: Floats
    losers: tuple[int, ...]
    rounds: int
    curve_rounds: tuple[int, ...]
    curve: tuple[Floats, ...]
    curve_metric: str = "cost"


@dataclass(frozen=True)
class CommunityOutcome:
    """Results of a run of a community, plain numbers only.

    Attributes:
        names: Names of the homes.
        has_solar: Whether each home has PV.
        has_battery: Whether each home has a battery.
        policies: Policy of each home.
        days: Length of the period.
        bill_cents: Bill of each home, in whole cents; each is within one cent of the exact bill,
            and their sum is the exact sum rounded.
        baseline_cents: The same without sharing.
        surplus_kwh: Energy that homes did not use themselves.
        shared_kwh: Part of the surplus bought by neighbors.
        kpis: KPIs of the community.
        transfers_kw: Mean power by hour of the day between homes: (hour, seller, buyer, kW).
        import_kw: Mean import from the grid of all homes by quarter-hour of the day.
        baseline_import_kw: The same without sharing.
        export_kw: Mean export to the grid of all homes by quarter-hour of the day.
        baseline_export_kw: The same without sharing.
        local_price: Price between neighbors by hour of the day, EUR/kWh; None without trade.
        retail_price: Mean price of imported energy, EUR/kWh.
        feed_in_price: Mean price of exported energy, EUR/kWh.
        local_grid_fee: Mean network fees and levies on a neighbor's kWh, EUR/kWh.
        lorenz: Lorenz curve of the savings, from 0 to all homes; None without savings.
        spread: Differences between repetitions; None without training.
        notes: Remarks about filled-in data.
        chart_data: Data of the charts that reports show as well, by the name of the chart.
    """

    names: tuple[str, ...]
    has_solar: tuple[bool, ...]
    has_battery: tuple[bool, ...]
    policies: tuple[str, ...]
    days: float
    bill_cents: tuple[int, ...]
    baseline_cents: tuple[int, ...]
    surplus_kwh: float
    shared_kwh: float
    kpis: dict[str, float | None]
    transfers_kw: tuple[tuple[int, int, int, float], ...]
    import_kw: Floats
    baseline_import_kw: Floats
    export_kw: Floats
    baseline_export_kw: Floats
    local_price: tuple[float | None, ...]
    retail_price: float
    feed_in_price: float
    local_grid_fee: float
    lorenz: Floats | None
    spread: TrainingSpread | None = None
    notes: tuple[str, ...] = field(default=())
    chart_data: Mapping[str, pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)

    @property
    def saving_cents(self) -> tuple[int, ...]:
        """Savings of each home against no sharing, in whole cents."""
        pairs = zip(self.bill_cents, self.baseline_cents, strict=True)
        return tuple(baseline - bill for bill, baseline in pairs)

    @property
    def shared_share(self) -> float | None:
        """Share of the surplus bought by neighbors; None without surplus."""
        return self.shared_kwh / self.surplus_kwh if self.surplus_kwh > _MIN_SURPLUS_KWH else None

    @property
    def losers(self) -> int:
        """Number of homes that pay at least one cent more."""
        return sum(saving < 0 for saving in self.saving_cents)


_KPIS = (
    "cost",
    "cost_without_exchange",
    "self_consumption",
    "self_sufficiency",
    "peak_kw",
    "traded_kwh",
    "solar_kwh",
    "load_kwh",
    "allocative_efficiency",
    "gini",
    "jain",
    "mean_price",
    "individual_rationality_violations",
)


def summarize_outcome(result: Result, spread: TrainingSpread | None = None) -> CommunityOutcome:
    """Summarize a run for the pages.

    Args:
        result: The run.
        spread: Differences between repetitions of a training.
    """
    scenario = result.scenario
    bills = np.array([home["bill"] for home in result.households])
    baseline = np.array([home["bill_without_exchange"] for home in result.households])
    record = result.trajectory.record
    exports = np.asarray(record.flows.export_kwh, np.float64)
    bought = np.asarray(record.local.bought_kwh, np.float64)
    power = exchange_profile.data(result)
    prices = price_profile.data(result)

    step_hours = scenario.period.step_hours
    hour = np.asarray(result.profiles.local_index.hour)
    retail_price = prices.attrs["retail_price"]

    savings = baseline - bills
    lorenz = None
    if savings.max() > _MIN_SAVING:
        curve = metrics.lorenz_curve(np.maximum(savings, 0.0))[1]
        lorenz = tuple(np.asarray(curve, np.float64).round(6).tolist())
    kpis = cast(Mapping[str, float | None], result.kpis)
    return CommunityOutcome(
        names=tuple(home.name for home in scenario.homes),
        has_solar=tuple(home.solar is not None for home in scenario.homes),
        has_battery=tuple(home.device(BATTERY) is not None for home in scenario.homes),
        policies=tuple(home["policy"] for home in result.households),
        days=scenario.period.steps * step_hours / 24,
        bill_cents=round_to_cents(bills),
        baseline_cents=round_to_cents(baseline),
        surplus_kwh=float(exports.sum()),
        shared_kwh=float(bought.sum()),
        kpis={name: kpis.get(name) for name in _KPIS},
        transfers_kw=_hourly_transfers(record.local, hour, step_hours),
        import_kw=tuple(power["bought_after"].tolist()),
        baseline_import_kw=tuple(power["bought_before"].tolist()),
        export_kw=tuple(power["sent_after"].tolist()),
        baseline_export_kw=tuple(power["sent_before"].tolist()),
        local_price=tuple(optional_numbers(prices["price"].to_numpy(), 4)),
        retail_price=retail_price,
        feed_in_price=prices.attrs["feed_in_price"],
        local_grid_fee=retail_price - prices.attrs["reservation_price"],
        lorenz=lorenz,
        spread=spread,
        notes=tuple(result.notes),
        chart_data=_chart_data(result),
    )


def _chart_data(result: Result) -> dict[str, pd.DataFrame]:
    """Compute the data of the charts that reports show as well."""
    runs = analysis_runs(result)
    return {
        energy_by_source.name: energy_by_source.data(result),
        mean_day.name: mean_day.data(result, season="period", by_home=False),
        price_distribution.name: binned(price_distribution.data(runs)),
        trade_network.name: trade_network.data(runs),
    }


def round_to_cents(amounts: NDArray[np.float64]) -> tuple[int, ...]:
    """Round amounts to cents such that their sum is the rounded sum (largest remainders).

    Args:
        amounts: Amounts of money [home].
    """
    cents = 100 * np.asarray(amounts, np.float64)
    rounded = np.floor(cents)
    missing = int(round(float(cents.sum())) - rounded.sum())
    largest = np.argsort(-(cents - rounded), kind="stable")[:missing]
    rounded[largest] += 1
    return tuple(int(value) for value in rounded)


def _hourly_transfers(
    local: Fills, hour: NDArray[np.int64], step_hours: float
) -> tuple[tuple[int, int, int, float], ...]:
    """Compute the mean power from home to home in each hour of the day.

    Energy of a pool is attributed to sellers in proportion to what they sold.

    Returns:
        Entries (hour, seller, buyer, kW).
    """
    bought = np.array(local.bought_kwh, np.float64)
    sold = np.array(local.sold_kwh, np.float64)
    homes = bought.shape[1]
    trades = local.trades
    has_trades = trades is not None and trades.kwh.shape[1] > 0
    if trades is not None and has_trades:
        steps = np.arange(len(bought))[:, None]
        buyer = np.asarray(trades.buyer).astype(int)
        seller = np.asarray(trades.seller).astype(int)
        kwh = np.asarray(trades.kwh, np.float64)
        np.subtract.at(bought, (steps, buyer), kwh)
        np.subtract.at(sold, (steps, seller), kwh)
    pool_bought = np.where(bought > ENERGY_TOLERANCE_KWH, bought, 0.0)
    pool_sold = np.where(sold > ENERGY_TOLERANCE_KWH, sold, 0.0)
    transfers = []
    for hour_of_day in range(_HOURS):
        at = hour == hour_of_day
        if not at.any():
            continue
        transferred = metrics.payment_matrix(pool_bought[at], pool_sold[at])
        if has_trades:
            transferred = transferred + metrics.trade_matrix(buyer[at], seller[at], kwh[at], homes)
        power = transferred / (at.sum() * step_hours)
        for taker, giver in zip(*np.nonzero(power > _MIN_TRANSFER_KW), strict=True):
            kw = round(float(power[taker, giver]), 4)
            transfers.append((hour_of_day, int(giver), int(taker), kw))
    return tuple(transfers)
