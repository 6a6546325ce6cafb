"""What a visitor is told of a run: bills in whole cents, flows between homes, and the curves behind the charts."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prosumax import metrics
from prosumax.simulation.results.result import Result

_HOURS = 24
_DUST_KWH = 1e-5

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Spread:
    """What another try of the learning would have given.

    Attributes:
        cost, cost_alone: all bills with and without sharing, by try.
        shared_share: of the surplus kept in the community, by try.
        losers: homes that pay more, by try.
        rounds: of training.
        curve_rounds: rounds at which it was looked at.
        curve: what is learned, by look and try: all bills of a day (`cost`), or the mean difference of two homes' gains
            of a day (`uneven`).
        curve_of: which of them.
    """

    cost: Numbers
    cost_alone: Numbers
    shared_share: Numbers
    losers: tuple[int, ...]
    rounds: int
    curve_rounds: tuple[int, ...]
    curve: tuple[Numbers, ...]
    curve_of: str = "cost"


@dataclass(frozen=True)
class Outcome:
    """A run of a community, plain numbers only.

    Attributes:
        names, has_sun, has_battery: of the homes.
        styles: how each decides: the policy's name.
        days: length of the period.
        bill_cents, alone_cents: each home's bill under the rule and without sharing, in whole cents; each within a
            cent of the exact one, and their sum is the exact sum rounded.
        surplus_kwh: what homes did not use themselves.
        shared_kwh: what of it neighbours took.
        kpis: of the community, as `prosumax run` names them.
        gives_kw: mean power by hour of the day, from home to home: (hour, giver, taker, kW).
        buys_kw, buys_alone_kw: of all homes from the grid by quarter-hour of the day, with sharing and without.
        sends_kw, sends_alone_kw: the same of what goes to the grid.
        price: between neighbours by hour of the day, EUR/kWh; None without trade.
        retail, feed_in, local_charges: EUR/kWh, means of the period; the last is due on a neighbour's kWh.
        lorenz: share of all savings of the homes that save least, from 0 to all homes; None where there is no saving.
        spread: where something was learned.
        notes: what was filled in.
    """

    names: tuple[str, ...]
    has_sun: tuple[bool, ...]
    has_battery: tuple[bool, ...]
    styles: tuple[str, ...]
    days: float
    bill_cents: tuple[int, ...]
    alone_cents: tuple[int, ...]
    surplus_kwh: float
    shared_kwh: float
    kpis: dict[str, float | None]
    gives_kw: tuple[tuple[int, int, int, float], ...]
    buys_kw: Numbers
    buys_alone_kw: Numbers
    sends_kw: Numbers
    sends_alone_kw: Numbers
    price: tuple[float | None, ...]
    retail: float
    feed_in: float
    local_charges: float
    lorenz: Numbers | None
    spread: Spread | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def gain_cents(self) -> tuple[int, ...]:
        """What each home pays less than without sharing."""
        return tuple(
            alone - bill for bill, alone in zip(self.bill_cents, self.alone_cents, strict=True)
        )

    @property
    def shared_share(self) -> float | None:
        """Share of the surplus that stays with neighbours; None without surplus."""
        return self.shared_kwh / self.surplus_kwh if self.surplus_kwh > 0.05 else None

    @property
    def losers(self) -> int:
        """Homes that pay at least a cent more."""
        return sum(gain < 0 for gain in self.gain_cents)


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


def outcome_of(result: Result, spread: Spread | None = None) -> Outcome:
    """What is shown of a run.

    Arguments:
        result: of the run.
        spread: of the tries, where something was learned.
    """
    bills = np.array([home["bill"] for home in result.households])
    alone = np.array([home["bill_without_exchange"] for home in result.households])
    record: Any = result.trajectory.record
    imports, exports = (
        np.asarray(part, np.float64) for part in (record.flows.import_kwh, record.flows.export_kwh)
    )
    bought, sold, paid, earned = (np.asarray(part, np.float64) for part in record.local[:4])
    period, prices, terms = result.scenario.period, result.profiles.prices, result.scenario.tariff
    hour = np.asarray(result.profiles.local.hour)
    slot = (hour * 60 + np.asarray(result.profiles.local.minute)) * 4 // 60
    gross = 1 + terms.vat
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * gross
    charges = (
        terms.local_network_share * prices["network"] + terms.local_levies * prices["levies"]
    ) * gross
    saving = alone - bills
    curve = metrics.lorenz_curve(np.maximum(saving, 0.0))[1] if saving.max() > 0.005 else None
    return Outcome(
        names=tuple(home.name for home in result.scenario.homes),
        has_sun=tuple(home.solar is not None for home in result.scenario.homes),
        has_battery=tuple(home.battery is not None for home in result.scenario.homes),
        styles=tuple(home["policy"] for home in result.households),
        days=period.steps * period.step_hours / 24,
        bill_cents=whole_cents(bills),
        alone_cents=whole_cents(alone),
        surplus_kwh=float(exports.sum()),
        shared_kwh=float(bought.sum()),
        kpis={name: result.kpis.get(name) for name in _KPIS},
        gives_kw=_gives(record.local, hour, period.step_hours),
        buys_kw=_by_slot(imports - bought, slot, period.step_hours),
        buys_alone_kw=_by_slot(imports, slot, period.step_hours),
        sends_kw=_by_slot(exports - sold, slot, period.step_hours),
        sends_alone_kw=_by_slot(exports, slot, period.step_hours),
        price=_price(bought, sold, paid, earned, hour),
        retail=float(retail.mean()),
        feed_in=float(prices["feed_in"].mean()),
        local_charges=float(charges.mean()),
        lorenz=None if curve is None else tuple(np.asarray(curve, np.float64).round(6).tolist()),
        spread=spread,
        notes=tuple(result.notes),
    )


def whole_cents(amounts: NDArray[np.float64]) -> tuple[int, ...]:
    """Amounts in cents, rounded so that they add up to the rounded sum (largest remainders).

    Arguments:
        amounts: [home], money.
    """
    cents = 100 * np.asarray(amounts, np.float64)
    down = np.floor(cents)
    missing = int(round(float(cents.sum())) - down.sum())
    up = np.argsort(-(cents - down), kind="stable")[:missing]
    down[up] += 1
    return tuple(int(value) for value in down)


def _by_slot(kwh: NDArray[np.float64], slot: NDArray[np.int64], hours: float) -> Numbers:
    """Mean power of all homes in each quarter-hour of the day, kW; a longer step is spread over its quarters."""
    total = np.maximum(kwh, 0).sum(1) / hours
    sums, counts = np.bincount(slot, total, 96), np.bincount(slot, minlength=96)
    at = np.arange(96)
    known = np.maximum.accumulate(np.where(counts > 0, at, 0))
    return tuple(np.round(sums[known] / np.maximum(counts[known], 1), 4).tolist())


def _price(
    bought: NDArray[np.float64],
    sold: NDArray[np.float64],
    paid: NDArray[np.float64],
    earned: NDArray[np.float64],
    hour: NDArray[np.int64],
) -> tuple[float | None, ...]:
    """Price of a local kWh in each hour of the day, weighted by energy."""
    money = np.bincount(hour, (paid + earned).sum(1), _HOURS)
    kwh = np.bincount(hour, (bought + sold).sum(1), _HOURS)
    return tuple(
        round(m / k, 4) if k > 0.01 else None
        for m, k in zip(money.tolist(), kwh.tolist(), strict=True)
    )


def _gives(
    local: Any, hour: NDArray[np.int64], step_hours: float
) -> tuple[tuple[int, int, int, float], ...]:
    """Who gives to whom in each hour of the day; what goes through a pool is split in proportion to what homes gave."""
    bought, sold = np.array(local.bought_kwh, np.float64), np.array(local.sold_kwh, np.float64)
    homes, trades = bought.shape[1], local.trades
    steps = np.arange(len(bought))[:, None]
    if trades is not None and trades.kwh.shape[1]:
        buyer, seller = np.asarray(trades.buyer).astype(int), np.asarray(trades.seller).astype(int)
        kwh = np.asarray(trades.kwh, np.float64)
        np.subtract.at(bought, (steps, buyer), kwh)
        np.subtract.at(sold, (steps, seller), kwh)
    pooled = [np.where(part > _DUST_KWH, part, 0.0) for part in (bought, sold)]
    found = []
    for now in range(_HOURS):
        at = hour == now
        if not at.any():
            continue
        taken = metrics.payment_matrix(pooled[0][at], pooled[1][at])
        if trades is not None and trades.kwh.shape[1]:
            taken = taken + metrics.trade_matrix(buyer[at], seller[at], kwh[at], homes)
        power = taken / (at.sum() * step_hours)
        for taker, giver in zip(*np.nonzero(power > 0.0005), strict=True):
            found.append((now, int(giver), int(taker), round(float(power[taker, giver]), 4)))
    return tuple(found)
