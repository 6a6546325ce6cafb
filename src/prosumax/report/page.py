"""HTML pages of a run, a comparison, a training, a study, or of figures of your own choice."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from jinja2 import Environment, PackageLoader

from prosumax.control.rules import policies
from prosumax.market.mechanism import mechanisms
from prosumax.report import comparison, kpi_glossary, tables, text
from prosumax.report.analytics import (
    Fold,
    comparison_folds,
    run_folds,
    study_figures,
    study_tables,
)
from prosumax.report.bill_lines import bill_tables
from prosumax.report.network import network_section
from prosumax.report.payments import payments_table
from prosumax.report.training import episode_kpi, learning_verdict, players_table
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.rl.training.training import TrainingResult
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Figure, section_figures
from prosumax.viz.indicators.day_curves import Dashboard
from prosumax.viz.mechanisms.groups import ORDER, MechanismGroup, group_mechanisms
from prosumax.viz.rendering import page_parts, template_environment

# Studies load the learners and solvers, which a report of a run does not need.
if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult

RUN_SECTIONS = ("power", "bills", "payments", "levels", "energy", "duration", "network")
"""Sections of charts in the report of a run."""

_MAX_LIST = 48
"""Numbers of a list in the displayed YAML; the saved scenario.yaml has all."""


def run_figures(result: Result) -> list[Figure]:
    """Return every figure of the report of a run, in the order of the catalog of charts."""
    return section_figures(result, RUN_SECTIONS)


def comparison_figures(groups: Sequence[MechanismGroup]) -> list[Figure]:
    """Return every figure of the report of a comparison."""
    return section_figures(groups, ("comparison",))


def write_report(result: Result, path: str | Path) -> None:
    """Write the report of one run.

    Args:
        result: Result of `prosumax.run`.
        path: HTML file to write; its folder must exist.
    """
    figures = run_figures(result)
    mechanism = result.scenario.market.mechanism
    html = _result_page(
        "run.html",
        result,
        figures,
        run_folds(result),
        title=result.scenario.name,
        answer=f"{text.verdict(result)} {text.network_warnings(result)}".strip(),
        tiles=tables.tiles(result),
        homes=tables.homes_table(result),
        devices=tables.devices_table(result),
        events=tables.events_table(result),
        bills=tables.bill_table(result),
        receivers=tables.receivers_table(result),
        bill_lines=bill_tables(result),
        payments=payments_table(result),
        uses=tables.uses_table(result),
        network=network_section(result),
        network_figures=[figure for figure in figures if figure.section == "network"],
        kpis={
            "The market": kpi_glossary.market_entries(result),
            "Fairness": kpi_glossary.fairness_entries(result),
        },
        mechanisms={mechanism: _mechanism_summary(mechanism)},
        command="prosumax run scenario.yaml",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_comparison(results: Mapping[str, Result], path: str | Path) -> None:
    """Write the report of a scenario under several mechanisms.

    Args:
        results: Result of `prosumax.compare`, mechanism -> result; the same homes in each.
        path: HTML file to write; its folder must exist.

    Raises:
        ValueError: There are no results.
    """
    if not results:
        raise ValueError("There are no results to compare.")
    first = next(iter(results.values()))
    groups = group_mechanisms(results)
    html = _result_page(
        "comparison.html",
        first,
        comparison_figures(groups),
        comparison_folds(groups),
        title=f"{first.scenario.name}: {text.plural(len(results), 'mechanism')} compared",
        answer=comparison.verdict(groups),
        order=ORDER,
        overview=comparison.overview(groups),
        heat=comparison.heat_table(groups),
        network=comparison.network_table(results),
        mechanisms={name: _mechanism_summary(name) for name in results},
        command=f"prosumax compare scenario.yaml --mechanisms {_compared_names(results)}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_training(training: TrainingResult, path: str | Path) -> None:
    """Write the report of a training run.

    Args:
        training: Result of `prosumax.train`.
        path: HTML file to write; its folder must exist.
    """
    config = training.config
    scenario = load_scenario(config.scenario)
    period = scenario.period
    mechanism = scenario.market.mechanism
    learners = [
        f"{group.policy} ({group.paradigm})"
        for group in scenario.population
        if group.policy in algorithms
    ]
    metrics = [episode_kpi(name) for name in TEST_METRICS]
    last_seed = config.first_seed + config.seeds - 1
    option = "" if config.bootstrap_on_truncation else " --no-bootstrap-on-truncation"
    html = _render(
        "training.html",
        section_figures(training, ("training",)),
        scenario=scenario,
        yaml=_displayed_yaml(scenario),
        description=scenario.description,
        title=f"{scenario.name}: homes that learn",
        about=[
            f"{period.steps:,} steps of {period.step_minutes} minutes",
            text.plural(len(scenario.homes), "home"),
            text.plural(config.seeds, "seed"),
            ", ".join(learners),
        ],
        answer=learning_verdict(training),
        test_days="Learners act deterministically; of each seed the policy that did best on the"
        " validation days.",
        players=players_table(training.test_metrics),
        meanings="; ".join(f"{kpi.heading}: {kpi.definition}" for kpi in metrics),
        made=f"seeds {config.first_seed} to {last_seed} · {training.iteration:,} iterations of"
        f" {config.num_envs} communities · {training.seconds:.0f} s of training",
        notes=[],
        mechanisms={mechanism: _mechanism_summary(mechanism)},
        command=f"prosumax train scenario.yaml --iterations {config.iterations}"
        f" --seeds {config.seeds} --num-envs {config.num_envs}{option}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_study(result: "StudyResult", path: str | Path) -> None:
    """Write the report of a study: its figures, tables and notes.

    Args:
        result: Result of `studies.run_study`.
        path: HTML file to write; its folder must exist.
    """
    from prosumax.studies.engine import studies
    from prosumax.studies.tables import table_legend

    seeds = len(result.seeds)
    html = _render(
        "charts.html",
        study_figures(result),
        title=f"Study {result.name}",
        description="",
        about=[text.plural(len(result.study.variants), "variant"), text.plural(seeds, "seed")],
        answer=studies.summaries().get(result.name, ""),
        tables=study_tables(result),
        legend=table_legend(result),
        notes=result.study.notes,
        command=f"prosumax study {result.name} --seeds {seeds}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_charts(
    figures: Sequence[Figure | Dashboard], path: str | Path, title: str, lead: str = ""
) -> None:
    """Write figures and dashboards of your own choice as one page.

    Args:
        figures: Figures come before dashboards; each at most once.
        path: HTML file to write; its folder must exist.
        title: Title of the page.
        lead: Sentence below the title.
    """
    html = _render(
        "charts.html",
        [figure for figure in figures if isinstance(figure, Figure)],
        [figure for figure in figures if isinstance(figure, Dashboard)],
        title=title,
        description="",
        about=[],
        answer=lead,
        tables=[],
        legend="",
        notes=[],
        command="",
    )
    Path(path).write_text(html, encoding="utf-8")


def _result_page(
    template: str,
    result: Result,
    figures: Sequence[Figure],
    folds: Sequence[Fold],
    **content: object,
) -> str:
    scenario = result.scenario
    period = scenario.period
    local = result.profiles.local_index
    about = [
        text.days(local[0], local[-1]),
        f"{period.step_minutes}-minute steps",
        period.time_zone or "clock without daylight saving",
        text.plural(len(scenario.homes), "home"),
    ]
    return _render(
        template,
        figures,
        [board for fold in folds for board in fold.boards],
        folded=[figure for fold in folds for figure in fold.charts],
        folds=folds,
        description=scenario.description,
        scenario=scenario,
        about=about,
        notes=result.notes,
        timing=result.timing,
        yaml=_displayed_yaml(scenario),
        **content,
    )


def _render(
    template: str,
    figures: Sequence[Figure],
    boards: Sequence[Dashboard] = (),
    folded: Sequence[Figure] = (),
    **content: object,
) -> str:
    panels = [panel for board in boards for panel in board.panels]
    return (
        _environment()
        .get_template(template)
        .render(
            version=_version(),
            figures=figures,
            boards=boards,
            **page_parts([*figures, *folded, *panels]),
            **content,
        )
    )


@lru_cache
def _environment() -> Environment:
    return template_environment(PackageLoader("prosumax.report"))


def _version() -> str:
    try:
        return metadata.version("prosumax")
    except metadata.PackageNotFoundError:  # A checkout that is not installed has no version.
        return "development"


def _mechanism_summary(mechanism: str) -> str:
    # With several policies a result is called `mechanism, policy`.
    mechanism, _, policy = mechanism.partition(", ")
    summary = mechanisms.summaries().get(mechanism, "")
    return f"{summary} Batteries: {policies.summaries()[policy]}" if policy in policies else summary


def _compared_names(results: Mapping[str, Result]) -> str:
    """Return the command-line options that name the compared mechanisms and policies."""
    mechanism_names = dict.fromkeys(result.scenario.market.mechanism for result in results.values())
    policy_names = dict.fromkeys(name.partition(", ")[2] for name in results)
    names = ",".join(mechanism_names)
    return f"{names} --policies {','.join(policy_names)}" if any(policy_names) else names


def _displayed_yaml(scenario: Scenario) -> str:
    raw = _shortened(scenario.model_dump(mode="json", exclude_none=True))
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


def _shortened(node: object) -> object:
    """Return a copy with long lists of numbers cut."""
    match node:
        case dict():
            return {key: _shortened(value) for key, value in node.items()}
        case [float() | int(), *_] if len(node) > _MAX_LIST:
            more = len(node) - _MAX_LIST
            return [*node[:_MAX_LIST], f"... and {more:,} more in scenario.yaml"]
        case list():
            return [_shortened(value) for value in node]
        case _:
            return node
