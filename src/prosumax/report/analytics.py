"""Analytics: folded at the end of the reports of runs and comparisons, first in that of a study."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from prosumax.simulation.results.result import Result
from prosumax.viz.catalog import day_curve, price_distribution, trade_network, volume_distribution
from prosumax.viz.chart import Chart, Figure, Table, combined
from prosumax.viz.indicators.day_curves import Dashboard, dashboard
from prosumax.viz.indicators.indicators import DASHBOARDS, Runs, analysis_runs, study_runs
from prosumax.viz.language import ENGLISH
from prosumax.viz.mechanisms.groups import MechanismGroup
from prosumax.viz.theme import THEME

# Studies load the learners and solvers, which a report of a run does not need.
if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult

_TITLES = {"operator": "supplier and network operator"}


class Fold(NamedTuple):
    """Figures and dashboards that are hidden until the reader opens them."""

    title: str
    charts: Sequence[Figure]
    boards: Sequence[Dashboard]


def run_folds(result: Result) -> list[Fold]:
    """Return the analytics of one run; those about trade only where there is any."""
    return _folds(analysis_runs(result))


def comparison_folds(groups: Sequence[MechanismGroup]) -> list[Fold]:
    """Return the analytics of several mechanisms side by side."""
    return _folds({group.axis_label: [group.result.summary_series] for group in groups})


def _folds(runs: Runs) -> list[Fold]:
    folds = []
    if any(len(run.pairs.kwh) for seeds in runs.values() for run in seeds):
        spread = [_figure(price_distribution, runs), _figure(volume_distribution, runs)]
        networks = _networks(runs, "Run")
        folds = [
            Fold("Distribution of prices and volumes", spread, []),
            Fold("Who trades with whom, and how far apart", [networks], []),
        ]
    boards = [board for name in DASHBOARDS if (board := dashboard(runs, name)).panels]
    names = [_TITLES.get(board.id.removeprefix("board-"), board.title.lower()) for board in boards]
    return [*folds, Fold(f"Dashboards: {', '.join(names)}", [], boards)]


def study_figures(result: "StudyResult") -> list[Figure]:
    """Return the figures of a study over all seeds (figures 4 to 7 of the MARLEM paper)."""
    groups = study_runs(result)
    if not groups:
        return []
    plots: Sequence[tuple[Chart, Mapping[str, object]]] = (
        (price_distribution, {"per": "MWh"}),
        (volume_distribution, {}),
        (day_curve, {"indicator": "p2p_ratio"}),
        (day_curve, {"indicator": "balance"}),
    )
    figures = [
        combined({name: _figure(chart, runs, **options) for name, runs in groups.items()}, "Table")
        for chart, options in plots
    ]
    variants = {
        f"{group}: {name}" if len(groups) > 1 else name: seeds
        for group, runs in groups.items()
        for name, seeds in runs.items()
    }
    return [*figures, _networks(variants, "Variant")]


def _networks(runs: Runs, choice_label: str) -> Figure:
    """Return one trade network per run to choose from."""
    figures = {name: _figure(trade_network, {name: seeds}) for name, seeds in runs.items()}
    return combined(figures, choice_label)


def _figure(chart: Chart, runs: Runs, **options: object) -> Figure:
    figure = chart.draw(runs, theme=THEME, language=ENGLISH, **options)
    assert figure is not None  # Charts of summary series draw empty tables, too.
    return figure


def study_tables(result: "StudyResult") -> list[Table]:
    """Return the tables of a study.

    Args:
        result: Result of the study.
    """
    from prosumax.studies.tables import make_tables

    return [Table(table.title, ["", *table.header], table.rows) for table in make_tables(result)]
