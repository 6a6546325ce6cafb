"""Puts a report on paper: one HTML file with everything inside."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from prosumax.control.rules import policies
from prosumax.market.mechanism import mechanisms
from prosumax.report import comparison, kpi_glossary, tables
from prosumax.report import text as words
from prosumax.report.analytics import Fold, comparison_folds, run_folds, study_charts, study_tables
from prosumax.report.bill_lines import bill_lines
from prosumax.report.mechanism_groups import ORDER, grouped
from prosumax.report.training import (
    episode_kpi,
    learning_verdict,
    players_table,
    training_charts,
)
from prosumax.rl.algorithms.registry import algorithms
from prosumax.rl.training.comparison import TEST_METRICS
from prosumax.rl.training.training import TrainingResult
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.results.result import Result
from prosumax.viz.chart import Chart
from prosumax.viz.day_curves import Dashboard
from prosumax.viz.energy_charts import run_charts
from prosumax.viz.mechanism_charts import comparison_charts
from prosumax.viz.network.feeder_activity import ACTIVITIES
from prosumax.viz.network.feeder_charts import feeder_section
from prosumax.viz.network.payments import payments_table
from prosumax.viz.network.trade_network import GREYS
from prosumax.viz.theme import LINES, LOADS, LOOKS, NOT_RATED, VOLTS

# Studies load the learners and solvers, which a report of a run does not need.
if TYPE_CHECKING:
    from prosumax.studies.engine import StudyResult

_LONGEST_LIST = 48  # numbers in the shown YAML; the saved scenario.yaml has all


def write_report(result: Result, path: str | Path) -> None:
    """Write the report of one run.

    Arguments:
        result: what `prosumax.run` returned.
        path: HTML file to write; its folder must exist.
    """
    charts = run_charts(result)
    html = _page(
        "run.html",
        result,
        charts,
        title=result.scenario.name,
        answer=f"{words.verdict(result)} {words.trouble(result)}".strip(),
        tiles=tables.tiles(result),
        homes=tables.homes_table(result),
        devices=tables.devices_table(result),
        bills=tables.bill_table(result),
        receivers=tables.receivers_table(result),
        bill_lines=bill_lines(result),
        payments=payments_table(result),
        uses=tables.uses_table(result),
        wires=feeder_section(result),
        folds=run_folds(result),
        beside=[chart for chart in charts if chart.id.startswith("feeder-")],
        facts={
            "The market": kpi_glossary.market_entries(result),
            "Who gains": kpi_glossary.fairness_entries(result),
        },
        rules={result.scenario.market.mechanism: _rule_summary(result.scenario.market.mechanism)},
        command="prosumax run scenario.yaml",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_comparison(results: Mapping[str, Result], path: str | Path) -> None:
    """Write the report of a scenario under several mechanisms.

    Arguments:
        results: what `prosumax.compare` returned, mechanism -> result; the same homes in each.
        path: HTML file to write; its folder must exist.

    Raises:
        ValueError: there are no results.
    """
    if not results:
        raise ValueError("there are no results to compare")
    first = next(iter(results.values()))
    groups = grouped(results)
    charts = comparison_charts(groups)
    html = _page(
        "comparison.html",
        first,
        charts,
        title=f"{first.scenario.name}: {words.plural(len(results), 'rule')} compared",
        answer=comparison.verdict(groups),
        order=ORDER,
        overview=comparison.overview(groups),
        heat=comparison.heat(groups),
        wires=comparison.wires(results),
        folds=comparison_folds(groups),
        rules={name: _rule_summary(name) for name in results},
        command=f"prosumax compare scenario.yaml --mechanisms {_names(results)}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_training(training: TrainingResult, path: str | Path) -> None:
    """Write the report of a training run.

    Arguments:
        training: what `prosumax.train` returned.
        path: HTML file to write; its folder must exist.
    """
    plan, scenario = training.config, load_scenario(training.config.scenario)
    period = scenario.period
    who = [
        f"{part.policy} ({part.paradigm})"
        for part in scenario.population
        if part.policy in algorithms
    ]
    html = _render(
        "training.html",
        training_charts(training),
        [],
        scenario=scenario,
        yaml=_shown_yaml(scenario),
        description=scenario.description,
        title=f"{scenario.name}: homes that learn",
        about=[
            f"{period.steps:,} steps of {period.step_minutes} minutes",
            words.plural(len(scenario.homes), "home"),
            words.plural(plan.seeds, "seed"),
            ", ".join(who),
        ],
        answer=learning_verdict(training),
        test_days="Learners play the best they know; those of each seed that did best on the validation days.",
        players=players_table(training.test_metrics),
        meanings="; ".join(
            f"{episode_kpi(name).heading}: {episode_kpi(name).definition}" for name in TEST_METRICS
        ),
        made=f"seeds {plan.first_seed} to {plan.first_seed + plan.seeds - 1} · {training.iteration:,} iterations of "
        f"{plan.num_envs} communities · {training.seconds:.0f} s of training",
        notes=[],
        rules={scenario.market.mechanism: _rule_summary(scenario.market.mechanism)},
        command=f"prosumax train scenario.yaml --iterations {plan.iterations} --seeds {plan.seeds} "
        f"--num-envs {plan.num_envs}{'' if plan.bootstrap_on_truncation else ' --no-bootstrap-on-truncation'}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_study(found: "StudyResult", path: str | Path) -> None:
    """Write the report of a study: its charts, tables and notes.

    Args:
        found: Result of `studies.run_study`.
        path: HTML file to write; its folder must exist.
    """
    from prosumax.studies.engine import studies
    from prosumax.studies.tables import table_legend

    seeds = len(found.seeds)
    html = _render(
        "charts.html",
        study_charts(found),
        [],
        title=f"Study {found.name}",
        description="",
        about=[words.plural(len(found.study.variants), "variant"), words.plural(seeds, "seed")],
        answer=studies.summaries().get(found.name, ""),
        tables=study_tables(found),
        legend=table_legend(found),
        notes=found.study.notes,
        command=f"prosumax study {found.name} --seeds {seeds}",
    )
    Path(path).write_text(html, encoding="utf-8")


def write_charts(
    figures: Sequence[Chart | Dashboard], path: str | Path, title: str, lead: str = ""
) -> None:
    """Write charts and dashboards of your own choice as one page.

    Arguments:
        figures: charts come before dashboards; each at most once.
        path: HTML file to write; its folder must exist.
        title, lead: of the page.
    """
    html = _render(
        "charts.html",
        [figure for figure in figures if isinstance(figure, Chart)],
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


def _page(
    template: str, result: Result, charts: list[Chart], folds: Sequence[Fold], **content: Any
) -> str:
    scenario, period = result.scenario, result.scenario.period
    local = result.profiles.local_index
    about = [
        words.days(local[0], local[-1]),
        f"{period.step_minutes}-minute steps",
        period.time_zone or "clock without daylight saving",
        words.plural(len(scenario.homes), "home"),
    ]
    return _render(
        template,
        charts,
        [board for fold in folds for board in fold.boards],
        folded=[chart for fold in folds for chart in fold.charts],
        folds=folds,
        description=scenario.description,
        scenario=scenario,
        about=about,
        notes=result.notes,
        timing=result.timing,
        yaml=_shown_yaml(scenario),
        **content,
    )


def _render(
    template: str,
    charts: Sequence[Chart],
    boards: Sequence[Dashboard],
    folded: Sequence[Chart] = (),
    **content: Any,
) -> str:
    drawn = [*charts, *folded, *(panel for board in boards for panel in board.panels)]
    return (
        _environment()
        .get_template(template)
        .render(
            version=_version(),
            looks=LOOKS,
            curves=LINES,
            loads=[*LOADS, NOT_RATED],
            volts=VOLTS,
            greys=GREYS,
            activities=ACTIVITIES,
            echarts=_echarts(),
            charts=charts,
            boards=boards,
            drawings=[
                {
                    "id": chart.id,
                    "unit": chart.unit,
                    "option": chart.option,
                    # The first choice is what the option already shows.
                    "choices": [choice.patch for choice in chart.choices]
                    if len(chart.choices) > 1
                    else [],
                }
                for chart in drawn
            ],
            **content,
        )
    )


@lru_cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("prosumax.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    # `tojson` escapes <, >, & and quotes, so no text can leave its script element.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


@lru_cache
def _echarts() -> str:
    return (resources.files("prosumax.report") / "assets" / "echarts-6.1.0.min.js").read_text(
        encoding="utf-8"
    )


def _version() -> str:
    try:
        return metadata.version("prosumax")
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "development"


def _rule_summary(mechanism: str) -> str:
    # With several policies a result is called `mechanism, policy`.
    mechanism, _, policy = mechanism.partition(", ")
    summary = mechanisms.summaries().get(mechanism, "")
    return f"{summary} Batteries: {policies.summaries()[policy]}" if policy in policies else summary


def _names(results: Mapping[str, Result]) -> str:
    """The options that name what was compared."""
    mechanism_names = dict.fromkeys(result.scenario.market.mechanism for result in results.values())
    policy_names = dict.fromkeys(name.partition(", ")[2] for name in results)
    return ",".join(mechanism_names) + (
        f" --policies {','.join(policy_names)}" if any(policy_names) else ""
    )


def _shown_yaml(scenario: Scenario) -> str:
    raw = _shortened(scenario.model_dump(mode="json", exclude_none=True))
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)


def _shortened(node: Any) -> Any:
    """Long lists of numbers cut, since nobody reads a year of them."""
    match node:
        case dict():
            return {key: _shortened(value) for key, value in node.items()}
        case [float() | int(), *_] if len(node) > _LONGEST_LIST:
            return [
                *node[:_LONGEST_LIST],
                f"... and {len(node) - _LONGEST_LIST:,} more in scenario.yaml",
            ]
        case list():
            return [_shortened(value) for value in node]
        case _:
            return node
