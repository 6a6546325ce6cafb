"""Indicators by hour of the day: ratios of sums, by local hour or over the whole period."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from prosumax.metrics import KPI, catalog
from prosumax.numerics import SMALL
from prosumax.simulation.results.result import Result
from prosumax.simulation.results.series import SummarySeries
from prosumax.viz.parts import Values

if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult

Runs = Mapping[str, Sequence[SummarySeries]]
"""Title -> summary series: of one run each, or of the seeds of one variant of a study."""

_HOURS = 24


def analysis_runs(results: Result | Mapping[str, Result]) -> Runs:
    """Return the summary series of a run or of a comparison, by title.

    Args:
        results: One run, or the runs of a comparison by name.
    """
    if isinstance(results, Result):
        return {results.scenario.name: [results.summary_series]}
    return {name: [result.summary_series] for name, result in results.items()}


def study_runs(result: "StudyResult") -> dict[str, Runs]:
    """Return the summary series of every variant of a study that has them.

    Args:
        result: Result of a study.

    Returns:
        Group -> variant -> seeds.
    """
    groups: dict[str, dict[str, Sequence[SummarySeries]]] = {}
    for variant, seeds in zip(result.study.variants, result.series, strict=False):
        if seeds:
            groups.setdefault(variant.group, {})[variant.name] = seeds
    return dict(groups)


class Indicator(NamedTuple):
    """A ratio of sums that has a value in every hour of the day and over the whole period.

    Label, unit, decimals and definition are those of its entry in the KPI catalog. Steps in which
    the numerator or the denominator is NaN count in neither sum.

    Attributes:
        name: Name; the key of its catalog entry is `hourly.` and the name.
        numerator: Values of each step to sum in the numerator.
        denominator: Values of each step to sum in the denominator.
    """

    name: str
    numerator: Callable[[SummarySeries], Values]
    denominator: Callable[[SummarySeries], Values]

    @property
    def kpi(self) -> KPI:
        """Entry of the KPI catalog."""
        return catalog.get(f"hourly.{self.name}")

    @property
    def label(self) -> str:
        """Name for readers."""
        return self.kpi.label

    @property
    def digits(self) -> int:
        """Decimals in tables."""
        return self.kpi.digits

    @property
    def definition(self) -> str:
        """Definition with its reference."""
        reference = f" ({self.kpi.reference})" if self.kpi.reference else ""
        return f"{self.kpi.definition}{reference}"


def _hours(series: SummarySeries) -> Values:
    return np.full(len(series.hour), series.step_hours)


def _steps(series: SummarySeries) -> Values:
    return np.ones(len(series.hour))


def _all_trade(series: SummarySeries) -> Values:
    return series.traded + series.grid_import + series.grid_export


def _payments(series: SummarySeries) -> Values:
    return np.where(np.isfinite(series.price), series.price * series.traded, 0.0)


def _priced_trade(series: SummarySeries) -> Values:
    return np.where(np.isfinite(series.price), series.traded, 0.0)


def _capacity(series: SummarySeries) -> Values:
    return np.full(len(series.hour), series.capacity_kwh)


_INDICATORS = (
    Indicator("balance", lambda s: s.balance, _hours),
    Indicator("imbalance", lambda s: np.abs(s.balance), _hours),
    Indicator("loading", lambda s: s.mean_loading, _steps),
    Indicator("max_loading", lambda s: s.max_loading, _steps),
    Indicator("losses", lambda s: s.loss, lambda s: s.network_input),
    Indicator("min_voltage", lambda s: s.min_voltage_pu, _steps),
    Indicator("price", _payments, _priced_trade),
    Indicator("traded", lambda s: s.traded, _hours),
    Indicator("gains", lambda s: s.gains, _hours),
    Indicator("p2p_ratio", lambda s: s.traded, _all_trade),
    Indicator("solar", lambda s: s.solar, _hours),
    Indicator("battery", lambda s: s.charge - s.discharge, _hours),
    Indicator("stored", lambda s: s.stored, _capacity),
    Indicator("matched", lambda s: s.traded, lambda s: s.tradable),
    Indicator("grid_import", lambda s: s.grid_import, _hours),
    Indicator("grid_export", lambda s: s.grid_export, _hours),
    Indicator("fees", lambda s: s.fees, _hours),
    Indicator("interventions", lambda s: s.intervention, _steps),
)

INDICATORS: dict[str, Indicator] = {indicator.name: indicator for indicator in _INDICATORS}
"""Every indicator by name."""


class DashboardSpec(NamedTuple):
    """Contents of a dashboard.

    Attributes:
        title: Title.
        lead: Sentence below the title.
        indicators: Names of its indicators; those undefined for the runs are left out.
    """

    title: str
    lead: str
    indicators: tuple[str, ...]


DASHBOARDS: dict[str, DashboardSpec] = {
    "stability": DashboardSpec(
        "Grid stability",
        "Power balance of the community, and loading, losses and voltages of the network.",
        ("balance", "imbalance", "loading", "max_loading", "losses", "min_voltage"),
    ),
    "economy": DashboardSpec(
        "Economic efficiency",
        "Price, volume and gains of local trade.",
        ("price", "traded", "gains", "p2p_ratio"),
    ),
    "resources": DashboardSpec(
        "Resource use",
        "PV generation, batteries, and the share of the surplus that is traded locally.",
        ("solar", "battery", "stored", "matched"),
    ),
    "operator": DashboardSpec(
        "Grid side",
        "Energy bought from and sold to the grid, and fees and interventions of its operator.",
        ("grid_import", "grid_export", "fees", "interventions"),
    ),
}
"""The four dashboards of section 3.8 of MARLEM, by name."""


def hourly_values(seeds: Sequence[SummarySeries], indicator: Indicator) -> Values:
    """Compute an indicator by local hour over all days and seeds; NaN where it is undefined.

    Args:
        seeds: Summary series of each seed.
        indicator: The indicator.

    Returns:
        Displayed values [24].
    """
    numerator = np.zeros(_HOURS)
    denominator = np.zeros(_HOURS)
    for series in seeds:
        above, below = _terms(series, indicator)
        numerator += np.bincount(series.hour, weights=above, minlength=_HOURS)
        denominator += np.bincount(series.hour, weights=below, minlength=_HOURS)
    return _ratio(numerator, denominator, indicator)


def overall_value(seeds: Sequence[SummarySeries], indicator: Indicator) -> float:
    """Compute an indicator over all steps and seeds; NaN where it is undefined.

    Args:
        seeds: Summary series of each seed.
        indicator: The indicator.
    """
    sums = np.sum([[term.sum() for term in _terms(one, indicator)] for one in seeds], axis=0)
    return float(_ratio(sums[:1], sums[1:], indicator)[0])


def values_per_seed(seeds: Sequence[SummarySeries], indicator: Indicator) -> Values:
    """Compute an indicator over all steps of each seed [seed].

    Args:
        seeds: Summary series of each seed.
        indicator: The indicator.
    """
    return np.array([overall_value([series], indicator) for series in seeds])


def unit_text(runs: Runs, indicator: Indicator) -> str:
    """Return the unit of an indicator with the currency of the runs.

    Args:
        runs: Runs by title.
        indicator: The indicator.
    """
    first = next(iter(runs.values()))[0]
    return indicator.kpi.unit_in(first.currency)


def _terms(series: SummarySeries, indicator: Indicator) -> tuple[Values, Values]:
    """Return numerator and denominator of each step; both zero where either is NaN."""
    numerator = indicator.numerator(series)
    denominator = indicator.denominator(series)
    known = np.isfinite(numerator) & np.isfinite(denominator)
    return np.where(known, numerator, 0.0), np.where(known, denominator, 0.0)


def _ratio(numerator: Values, denominator: Values, indicator: Indicator) -> Values:
    defined = denominator > SMALL
    quotient = indicator.kpi.factor * numerator / np.where(defined, denominator, 1.0)
    return np.where(defined, quotient, np.nan)
