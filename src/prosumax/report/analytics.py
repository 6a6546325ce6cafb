"""Which analytics go where: folded away in the reports of a run and of a comparison, in front in that of a study."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from prosumax.report.mechanism_groups import Group
from prosumax.report.metrics import DASHBOARDS, Runs, analysis_runs, study_runs
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart, Table, chosen
from prosumax.viz.day_curves import Dashboard, dashboard, day_curve
from prosumax.viz.distributions import price_distribution, volume_distribution
from prosumax.viz.network.trade_network import trade_network

# Studies load the learners and solvers, which a report of a run does not need.
if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult


class Fold(NamedTuple):
    """Charts and dashboards that a reader opens who wants them."""

    title: str
    charts: Sequence[Chart]
    boards: Sequence[Dashboard]


def run_folds(result: Result) -> list[Fold]:
    """The analytics of one run; those about trade only where there is any."""
    return _folds(analysis_runs(result))


def comparison_folds(groups: Sequence[Group]) -> list[Fold]:
    """The analytics of several rules side by side."""
    return _folds({group.short: [group.result.summary_series] for group in groups})


def _folds(runs: Runs) -> list[Fold]:
    found = []
    if any(len(trace.pairs.kwh) for seeds in runs.values() for trace in seeds):
        spread = [price_distribution(runs), volume_distribution(runs)]
        found = [
            Fold("Prices and volumes: how they are spread", spread, []),
            Fold("Who trades with whom, and how far apart", [trade_network(runs)], []),
        ]
    boards = [board for name in DASHBOARDS if (board := dashboard(runs, name)).panels]
    titles = {"operator": "supplier and network operator"}
    names = [titles.get(board.id.removeprefix("board-"), board.title.lower()) for board in boards]
    return [*found, Fold(f"Dashboards: {', '.join(names)}", [], boards)]


def study_charts(found: "StudyResult") -> list[Chart]:
    """The plots of a study, one table of it at a time: figures 4 to 7 of the MARLEM paper, over all seeds."""
    groups = study_runs(found)
    if not groups:
        return []
    plots: tuple[Callable[[Runs], Chart], ...] = (
        lambda runs: price_distribution(runs, "MWh"),
        volume_distribution,
        lambda runs: day_curve(runs, "p2p_ratio"),
        lambda runs: day_curve(runs, "balance"),
    )
    charts = [
        chosen({name: plot(runs) for name, runs in groups.items()}, "Table") for plot in plots
    ]
    networks: Mapping[str, Runs] = (
        {
            f"{group}: {name}": {name: seeds}
            for group, runs in groups.items()
            for name, seeds in runs.items()
        }
        if len(groups) > 1
        else {name: {name: seeds} for runs in groups.values() for name, seeds in runs.items()}
    )
    return [
        *charts,
        chosen({name: trade_network(one) for name, one in networks.items()}, "Variant"),
    ]


def study_tables(found: "StudyResult") -> list[Table]:
    """Return the tables of a study.

    Args:
        found: Result of the study.
    """
    from prosumax.studies.tables import make_tables

    return [Table(table.title, ["", *table.header], table.rows) for table in make_tables(found)]
