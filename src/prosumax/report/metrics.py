"""What dashboards and curves over the day measure: one ratio of sums per measure, by local hour or over everything."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from prosumax.simulation.results.result import Result
from prosumax.simulation.results.series import Trace
from prosumax.studies.engine import StudyResult
from prosumax.viz.series import Values

Runs = Mapping[str, Sequence[Trace]]
"""What is looked at, by title: one run each, or the seeds of one variant of a study."""


def traces(results: Result | Mapping[str, Result]) -> Runs:
    """What analytics look at, of a run or of a comparison."""
    if isinstance(results, Result):
        return {results.scenario.name: [results.trace]}
    return {name: [result.trace] for name, result in results.items()}


def study_runs(found: StudyResult) -> dict[str, Runs]:
    """What analytics look at, of every variant of a study that has it: group -> variant -> seeds."""
    groups: dict[str, dict[str, Sequence[Trace]]] = {}
    for variant, seeds in zip(found.study.variants, found.traces, strict=False):
        if not seeds:
            continue
        groups.setdefault(variant.group, {})[variant.name] = seeds
    return dict(groups)


class Measure(NamedTuple):
    """A figure that has a value in every hour of the day and over the whole period: sum of one thing over another.

    Attributes:
        title: what it measures, for a reader.
        unit: with `{money}` for the currency.
        above, below: what is summed above and below the line, of each step; steps in which either is NaN count in
            neither.
        factor: of the ratio.
        digits: behind the point in tables.
        meaning: how it is computed, and its source.
    """

    title: str
    unit: str
    above: Callable[[Trace], Values]
    below: Callable[[Trace], Values]
    meaning: str
    factor: float = 1.0
    digits: int = 2


def _hours(trace: Trace) -> Values:
    return np.full(len(trace.hour), trace.step_hours)


def _steps(trace: Trace) -> Values:
    return np.ones(len(trace.hour))


def _all_trade(trace: Trace) -> Values:
    return trace.traded + trace.from_grid + trace.to_grid


def _all_money(trace: Trace) -> Values:
    return np.where(np.isfinite(trace.price), trace.price * trace.traded, 0.0)


MEASURES: dict[str, Measure] = {
    "balance": Measure(
        "Balance of all meters",
        "kW",
        lambda t: t.balance,
        _hours,
        "exported less imported by all homes together; below zero they draw from the grid (MARLEM, equation 16)",
    ),
    "imbalance": Measure(
        "Size of the imbalance",
        "kW",
        lambda t: np.abs(t.balance),
        _hours,
        "mean size of that balance: what the grid above must give or take",
    ),
    "loading": Measure(
        "Mean loading of the lines",
        "%",
        lambda t: t.loading,
        _steps,
        "of what each may carry, mean over all lines (MARLEM's grid congestion, equation 15)",
        100,
    ),
    "fullest": Measure(
        "Loading of the fullest line",
        "%",
        lambda t: t.fullest,
        _steps,
        "of what it may carry, mean over the steps",
        100,
    ),
    "losses": Measure(
        "Losses in the network",
        "%",
        lambda t: t.loss,
        lambda t: t.fed_in,
        "of what source and homes feed in (MARLEM, equation 14, or the power flow)",
        100,
        2,
    ),
    "low_voltage": Measure(
        "Lowest voltage",
        "% of nominal",
        lambda t: t.low_pu,
        _steps,
        "over all buses, mean over the steps",
        100,
    ),
    "price": Measure(
        "Price between neighbours",
        "{money}/kWh",
        _all_money,
        lambda t: np.where(np.isfinite(t.price), t.traded, 0.0),
        "weighted by energy; midway where buyers and sellers see two prices",
        1,
        4,
    ),
    "traded": Measure(
        "Traded between neighbours",
        "kW",
        lambda t: t.traded,
        _hours,
        "energy traded, as mean power (MARLEM's liquidity, equation 18)",
    ),
    "gains": Measure(
        "Gains from trade",
        "{money}/h",
        lambda t: t.gains,
        _hours,
        "what the energy is worth to its buyers less the least its sellers take, at the grid's prices; not the turnover"
        " that MARLEM's equation 17 calls welfare",
        1,
        3,
    ),
    "p2p_ratio": Measure(
        "P2P ratio",
        "%",
        lambda t: t.traded,
        _all_trade,
        "trade between neighbours, of that and purchases from and sales to the grid (MARLEM, equation 21)",
        100,
    ),
    "solar": Measure("Made by panels", "kW", lambda t: t.solar, _hours, "mean power"),
    "battery": Measure(
        "Batteries: charging less discharging",
        "kW",
        lambda t: t.charge - t.discharge,
        _hours,
        "mean power at the homes",
    ),
    "stored": Measure(
        "Charge of the batteries",
        "%",
        lambda t: t.stored,
        lambda t: np.full(len(t.hour), t.capacity_kwh),
        "energy in all batteries, of their capacity",
        100,
    ),
    "matched": Measure(
        "Surplus and need that met",
        "%",
        lambda t: t.traded,
        lambda t: t.most_traded,
        "trade between neighbours, of the most that the meters allow in the step: the lesser of all need and all"
        " surplus. Over 100 % where homes sell what they must then buy from the grid",
        100,
    ),
    "from_grid": Measure(
        "Bought from the grid", "kW", lambda t: t.from_grid, _hours, "as mean power"
    ),
    "to_grid": Measure("Sent to the grid", "kW", lambda t: t.to_grid, _hours, "as mean power"),
    "fees": Measure(
        "Fees on trades",
        "{money}/h",
        lambda t: t.fees,
        _hours,
        "paid to the network operator (MARLEM, equation 4)",
        1,
        3,
    ),
    "interventions": Measure(
        "Interventions",
        "% of the steps",
        lambda t: t.intervened,
        _steps,
        "the operator cut an export or punished",
        100,
    ),
}
"""Every measure by name."""


class Board(NamedTuple):
    """Which measures a dashboard shows.

    Attributes:
        title: what it is about.
        lead: what one reads from it.
        measures: those that mean nothing for the runs are left out.
    """

    title: str
    lead: str
    measures: tuple[str, ...]


BOARDS: dict[str, Board] = {
    "stability": Board(
        "Grid stability",
        "How much the community asks of the network and of the grid above.",
        ("balance", "imbalance", "loading", "fullest", "losses", "low_voltage"),
    ),
    "economy": Board(
        "Economic efficiency",
        "What trade between neighbours costs, how much there is of it, and what it gains.",
        ("price", "traded", "gains", "p2p_ratio"),
    ),
    "resources": Board(
        "Resource use",
        "What panels and batteries do, and how much of the surplus finds a neighbour.",
        ("solar", "battery", "stored", "matched"),
    ),
    "operator": Board(
        "Grid side",
        "What supplier and network operator deliver, take back, charge, and prevent.",
        ("from_grid", "to_grid", "fees", "interventions"),
    ),
}
"""The four dashboards of section 3.8 of MARLEM, by name."""


def by_hour(seeds: Sequence[Trace], measure: Measure) -> Values:
    """By local hour, over all days and seeds [24]; NaN in hours in which it means nothing."""
    above, below = np.zeros(24), np.zeros(24)
    for trace in seeds:
        hour, parts = trace.hour, _parts(trace, measure)
        for total, part in zip((above, below), parts, strict=True):
            total += np.bincount(hour, weights=part, minlength=24)
    return _ratio(above, below, measure)


def overall(seeds: Sequence[Trace], measure: Measure) -> float:
    """Over all steps and seeds; NaN where it means nothing."""
    sums = np.sum([[part.sum() for part in _parts(trace, measure)] for trace in seeds], axis=0)
    return float(_ratio(sums[:1], sums[1:], measure)[0])


def per_seed(seeds: Sequence[Trace], measure: Measure) -> Values:
    """Over all steps of each seed [seed]."""
    return np.array([overall([trace], measure) for trace in seeds])


def unit(runs: Runs, measure: Measure) -> str:
    """With the currency of the runs."""
    return measure.unit.format(money=next(iter(runs.values()))[0].currency)


def _parts(trace: Trace, measure: Measure) -> tuple[Values, Values]:
    above, below = measure.above(trace), measure.below(trace)
    known = np.isfinite(above) & np.isfinite(below)
    return np.where(known, above, 0.0), np.where(known, below, 0.0)


def _ratio(above: Values, below: Values, measure: Measure) -> Values:
    some = below > 1e-9
    return np.where(some, measure.factor * above / np.where(some, below, 1.0), np.nan)
