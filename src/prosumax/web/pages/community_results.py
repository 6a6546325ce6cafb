"""Results of the community page: key figures, exchange, bills, and the comparison of saved runs."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from prosumax.web import kit
from prosumax.web.charts import analytics
from prosumax.web.charts import community as charts
from prosumax.web.charts.common import RenderedChart
from prosumax.web.charts.shared import OUTCOME_CHARTS, outcome_chart
from prosumax.web.model import state
from prosumax.web.model.communities import PERIOD_STEPS, from_job_spec
from prosumax.web.model.outcome import CommunityOutcome, Exploration
from prosumax.web.model.view import PageView

_MAX_SAVED_RUNS = 4
_CRITERIA = ("cost", "efficiency", "fairness")
_SHARED_HEIGHTS = {"mean_day": "21rem", "trade_network": "28rem", "price_distribution": "21rem"}


class CommunityResults:
    """Charts and key figures of the runs of a community.

    Args:
        view: View of the page.
        on_explore: Called to search for a home that would gain by another policy.
    """

    def __init__(
        self, view: PageView[state.CommunityPageState], on_explore: Callable[[], object]
    ) -> None:
        self.view = view
        self.tr = view.tr
        self.on_explore = on_explore
        self.exploration: kit.Text | None = None
        self.saved_runs: list[analytics.SavedRun] = []
        self.outcome: CommunityOutcome | None = None
        self.cards: dict[str, kit.ChartCard] = {}
        self.layout: tuple[bool, str] | None = None
        self.network: Element | None = None
        self.matrix: kit.ChartCard | None = None
        tr = view.tr
        with kit.tag("section", "x-card x-verdict-card", aria_label=tr("community.results")):
            self.live_region = kit.LiveRegion("")
            self.empty = kit.Text("p", tr("community.waiting"), "x-lead")
            kit.set_attributes(self.empty, data_testid="empty")
            with kit.tag("div") as self.verdict_box:
                self._add_verdicts()
        with kit.tag("div", "x-stack x-charts"):
            self.curve_box = kit.tag("div")
            self.curve: kit.ChartCard | None = None
            with kit.tag("div", "x-stack") as self.charts_box:
                self.pair_box = kit.tag("div", "x-pair")
                self.below_box = kit.tag("div", "x-stack")
            self.comparison_box = kit.tag(
                "section", "x-card", aria_label=tr("community.compare"), data_testid="compare"
            )
        for part in (
            self.verdict_box,
            self.charts_box,
            self.comparison_box,
            self.training_note,
            self.curve_box,
        ):
            part.set_visibility(False)

    def _add_verdicts(self) -> None:
        tr = self.tr
        with kit.tag("div", "x-verdicts"):
            self.verdicts = {
                name: kit.VerdictCard(tr(f"community.verdict_{name}"), f"verdict-{name}")
                for name in _CRITERIA
            }
        with (
            kit.collapsible(tr("community.counted"), "x-as-table", test_id="counted"),
            kit.tag("div", "x-verdicts"),
        ):
            self.details = {name: self._add_definition(name) for name in _CRITERIA}
        self.training_note = kit.Text("p", "", "x-said")
        kit.set_attributes(self.training_note, data_testid="trained")

    def _add_definition(self, criterion: str) -> Element:
        """Add the definition of a criterion and return the list for its detailed figures."""
        with kit.tag("div"):
            kit.Text("h3", self.tr(f"community.verdict_{criterion}"))
            kit.Text("p", self.tr(f"community.counted_{criterion}"), "x-hint")
            return kit.tag("dl")

    def show_empty(self, text: str) -> None:
        """Show that there is no result.

        Args:
            text: Translated reason.
        """
        self.outcome = None
        self.empty.set_text(text)
        self.empty.set_visibility(True)
        for part in (self.verdict_box, self.charts_box, self.training_note, self.curve_box):
            part.set_visibility(False)

    def set_outdated(self, outdated: bool) -> None:
        """Mark the shown results as those of other settings, or remove the mark.

        Args:
            outdated: Whether the settings differ from those of the results.
        """
        for part in (self.verdict_box, self.charts_box):
            if outdated:
                part.classes(add="x-busy")
            else:
                part.classes(remove="x-busy")
            kit.set_attributes(part, aria_busy="true" if outdated else None)

    def show(self, outcome: CommunityOutcome, spec: dict[str, object], job: str | None) -> None:
        """Show the outcome of a run.

        Args:
            outcome: Outcome of the run.
            spec: Specification of the job.
            job: Id of the job, for downloads; None for own data.
        """
        tr = self.tr
        community = from_job_spec(spec)[0]
        period = community.period
        if community.preset == "file":
            period = _nearest_period(outcome.days)
        self.outcome = outcome
        self.empty.set_visibility(False)
        figures = {
            "cost": charts.cost_figure(tr, outcome, period),
            "efficiency": charts.efficiency_figure(tr, outcome),
            "fairness": charts.fairness_figure(tr, outcome),
        }
        for name, figure in figures.items():
            self.verdicts[name].show(figure.figure, figure.sentence)
            self.details[name].clear()
            with self.details[name]:
                for label, value in figure.details:
                    kit.Text("dt", label)
                    kit.Text("dd", value)
        self.live_region.show(figures["cost"].sentence)
        for part in (self.verdict_box, self.charts_box):
            part.set_visibility(True)
        self._show_training(outcome)
        self._draw(outcome, period, job)
        self.set_outdated(False)

    def _show_training(self, outcome: CommunityOutcome) -> None:
        """Show the number of training rounds and the spread between seeds."""
        spread = outcome.spread
        self.training_note.set_visibility(spread is not None)
        self.curve_box.set_visibility(spread is not None)
        if spread is not None:
            pairs = zip(spread.baseline_cost, spread.cost, strict=True)
            savings = [baseline - cost for baseline, cost in pairs]
            self.training_note.set_text(
                self.tr(
                    "community.trained",
                    rounds=self.tr.number(spread.rounds),
                    spread=self.tr.euro(max(savings) - min(savings)),
                )
            )
            self.show_learning_curve(
                spread.curve_rounds, spread.curve, spread.rounds, spread.curve_metric
            )

    def show_learning_curve(
        self,
        rounds: Sequence[int],
        curve: Sequence[Sequence[float]],
        planned_rounds: int,
        metric: str,
    ) -> None:
        """Draw the learning curve as far as it is known.

        Args:
            rounds: Iterations of the evaluations.
            curve: Evaluated quantity by evaluation and seed.
            planned_rounds: Iterations of the whole training.
            metric: Evaluated quantity, see `TrainingSpread.curve_metric`.
        """
        tr = self.tr
        self.curve_box.set_visibility(True)
        chart = analytics.learning_curve(tr, rounds, curve, planned_rounds, metric)
        if self.curve is None:
            with self.curve_box:
                self.curve = kit.ChartCard(
                    tr, tr("community.curve"), chart, height="15rem", test_id="curve"
                )
        else:
            self.curve.show(chart)

    def _draw(self, outcome: CommunityOutcome, period: str, job: str | None) -> None:
        """Draw every chart of a run; cards are rebuilt only when their layout changes."""
        tr = self.tr
        as_circle = len(outcome.names) <= charts.MAX_CIRCLE_HOMES
        drawings = {
            "bills": charts.home_bills(tr, outcome, period),
            "day_profile": charts.community_profile(tr, outcome),
            "lorenz": analytics.lorenz_curve(tr, outcome),
            "price": analytics.price_profile(tr, outcome),
        }
        names = charts.home_names(tr, outcome)
        for name in OUTCOME_CHARTS:
            drawings[name] = outcome_chart(tr, outcome, name, names)
        height = f"{max(15, 3 + 2.1 * len(outcome.names)):.0f}rem"
        if self.cards and self.layout == (as_circle, height):
            for name, chart in drawings.items():
                self.cards[name].show(chart)
            self._update_network(outcome)
        else:
            self.layout = (as_circle, height)
            self._build_cards(outcome, drawings, height, as_circle)
        if self.exploration is not None:
            self.exploration.set_text("")
        self.links.clear()
        if job is not None:
            with self.links:
                for name, suffix in (("all", "json"), ("scenario", "yaml")):
                    url = f"/api/run/{job}.{suffix}"
                    link = kit.link(tr(f"community.{name}"), url, "x-small-link")
                    kit.set_attributes(link, download=f"community.{suffix}")

    def _build_cards(
        self,
        outcome: CommunityOutcome,
        drawings: Mapping[str, RenderedChart],
        height: str,
        as_circle: bool,
    ) -> None:
        tr = self.tr
        self.pair_box.clear()
        self.below_box.clear()
        with self.pair_box:
            if as_circle:
                self._add_network(outcome)
            else:
                self._add_matrix(outcome)
            self.cards = {"bills": self._add_card("bills", drawings["bills"], height)}
        with self.below_box:
            self.cards["day_profile"] = self._add_card(
                "day_profile", drawings["day_profile"], "24rem"
            )
            with (
                kit.tag("section", "x-card"),
                kit.collapsible(tr("community.more_details"), test_id="more-details"),
            ):
                self.cards["lorenz"] = self._add_card("lorenz", drawings["lorenz"], "20rem")
                self.cards["price"] = self._add_card(
                    "price", drawings["price"], "20rem", "price_title"
                )
                for name in OUTCOME_CHARTS:
                    self.cards[name] = self._add_shared_card(name, drawings[name], height)
                with kit.tag("section", aria_label=tr("community.explore")):
                    kit.Text("h2", tr("community.explore"), "x-card-title")
                    self.exploration = kit.Text("p", "")
                    kit.set_attributes(self.exploration, role="status", data_testid="exploration")
                    kit.button(
                        tr("community.explore_button"), self.on_explore, data_testid="explore"
                    )
                self.links = kit.tag("div", "x-buttons")

    def _add_card(
        self, name: str, chart: RenderedChart, height: str, title: str | None = None
    ) -> kit.ChartCard:
        """Add the card of a chart whose texts are `community.NAME` and `community.NAME_note`."""
        tr = self.tr
        return kit.ChartCard(
            tr,
            tr(f"community.{title or name}"),
            chart,
            note=tr(f"community.{name}_note") if name in ("bills", "day_profile") else "",
            height=height,
            test_id=f"chart-{name.replace('_', '-')}",
        )

    def _add_shared_card(self, name: str, chart: RenderedChart, rows_height: str) -> kit.ChartCard:
        """Add the card of a chart that reports show as well; it brings its own title and note."""
        return kit.ChartCard(
            self.tr,
            chart.title,
            chart,
            note=chart.note,
            height=rows_height if name == "energy_by_source" else _SHARED_HEIGHTS[name],
            test_id=f"chart-{name.replace('_', '-')}",
        )

    # Exchange between homes

    def _add_network(self, outcome: CommunityOutcome) -> None:
        """Add the circle that shows the exchange of few homes."""
        tr = self.tr
        self.matrix = None
        with kit.tag("section", "x-card", data_testid="network"):
            kit.Text("h2", tr("community.transfers"), "x-card-title")
            kit.Text("p", tr("community.transfers_note"), "x-note")
            network = kit.tag(
                "px-network",
                content=self._network_content(outcome),
                hour=int(self.view.state.hour),
            )
            self.network = network
            network.on("hour", self._on_network_hour, js_handler="(e) => emit(e.detail)")
            with kit.collapsible(tr("common.as_table"), "x-as-table"):
                table = kit.table_html(charts.transfer_table(tr, outcome))
                self.transfer_table = ui.html(table).classes("x-table-scroll")
                caption = tr("community.transfers_caption")
                kit.set_attributes(
                    self.transfer_table, tabindex=0, role="region", aria_label=caption
                )

    def _add_matrix(self, outcome: CommunityOutcome) -> None:
        """Add the matrix that shows the exchange of many homes."""
        tr = self.tr
        hour = int(self.view.state.hour)
        with kit.tag("section", "x-card x-with-slider"):
            self.matrix = kit.ChartCard(
                tr,
                tr("community.transfers"),
                charts.transfer_matrix(tr, outcome, hour),
                note=tr("community.matrix_note"),
                height=f"{8 + 1.8 * sum(outcome.has_solar):.0f}rem",
                test_id="network",
            )
            kit.range_field(
                tr("community.time"), hour, 0, 23, 1, tr.time, self._on_matrix_hour, "hour"
            )

    def _network_content(self, outcome: CommunityOutcome) -> dict[str, object]:
        labels = {name: self.tr(f"community.{name}") for name in ("play", "pause", "time")}
        return charts.trade_network(self.tr, outcome) | {"labels": labels}

    def _update_network(self, outcome: CommunityOutcome) -> None:
        """Show another run in the existing circle or matrix."""
        if self.matrix is not None:
            hour = int(self.view.state.hour)
            self.matrix.show(charts.transfer_matrix(self.tr, outcome, hour))
            return
        kit.set_attributes(self.network, content=self._network_content(outcome))
        self.transfer_table.content = kit.table_html(charts.transfer_table(self.tr, outcome))

    def _on_network_hour(self, event: GenericEventArguments) -> None:
        self.view.update(hour=float(min(max(int(event.args), 0), 23)))

    def _on_matrix_hour(self, hour: float) -> None:
        self.view.update(hour=hour)
        if self.matrix is not None and self.outcome is not None:
            self.matrix.show(charts.transfer_matrix(self.tr, self.outcome, int(hour)))

    # Exploration of other policies

    def show_exploration_status(self, text: str) -> None:
        """Show the progress or the failure of the exploration.

        Args:
            text: Translated text.
        """
        if self.exploration is not None:
            self.exploration.set_text(text)

    def show_exploration(self, result: Exploration) -> None:
        """Show whether a home would gain by another policy.

        Args:
            result: Result of `tasks.explore_policies`.
        """
        tr = self.tr
        if not result["homes"]:
            text = tr("community.explore_none")
        elif "name" in result:
            policy = result["policy"]
            style = "none" if policy == "none" else charts.style_key(policy)
            text = tr(
                "community.explore_sentence",
                name=charts.home_name(tr, result["name"]),
                style=tr(f"community.style_{style}"),
                gain=tr.euro(result["gain"]),
            )
        else:
            text = tr("community.explore_stable")
        if "share" in result:
            best = tr.euro(result["best"])
            share = tr.percent(result["share"])
            text += f" {tr('community.optimum_sentence', best=best, share=share)}"
        self.show_exploration_status(text)

    # Comparison of saved runs

    def save_run(self, spec: Mapping[str, object], outcome: CommunityOutcome) -> None:
        """Save a run for comparison and notify the visitor.

        Args:
            spec: Specification of the job.
            outcome: Outcome of the run.
        """
        tr = self.tr
        if self._is_saved(_run_key(spec)):
            ui.notify(tr("community.kept_twice"), color="dark")
            return
        if len(self.saved_runs) >= _MAX_SAVED_RUNS:
            ui.notify(tr("community.kept_full"), color="dark")
            return
        self.add_saved_run(spec, outcome)
        ui.notify(tr("community.kept", n=len(self.saved_runs)), color="dark")

    def add_saved_run(self, spec: Mapping[str, object], outcome: CommunityOutcome) -> None:
        """Add a run to the comparison; the tab stores it for reloads in another language.

        Args:
            spec: Specification of the job.
            outcome: Outcome of the run.
        """
        key = _run_key(spec)
        if len(self.saved_runs) >= _MAX_SAVED_RUNS or self._is_saved(key):
            return
        self.saved_runs.append(analytics.SavedRun(self._run_name(spec), outcome, key))
        self._draw_comparison()
        self._store_saved_runs()

    def _is_saved(self, key: str) -> bool:
        return any(run.key == key for run in self.saved_runs)

    def _store_saved_runs(self) -> None:
        """Store the saved runs in the session storage of the tab, except those on own data."""
        specs = [json.loads(run.key) for run in self.saved_runs]
        urls = [state.to_url(from_job_spec(spec)[0], "en") for spec in specs if "file" not in spec]
        content = json.dumps(json.dumps(urls))
        ui.run_javascript(f"sessionStorage.setItem('kept', {content})")

    def _run_name(self, spec: Mapping[str, object]) -> str:
        """Name a run by its rule; repeated names are numbered."""
        community = from_job_spec(spec)[0]
        name = self.tr(f"community.rule_{community.rule}")
        if community.rule == "equal" and community.rounds == "several":
            name += f", {self.tr('community.rounds_several')}"
        if any(run.name == name for run in self.saved_runs):
            name += f" ({sum(run.name.startswith(name) for run in self.saved_runs) + 1})"
        return name

    def _draw_comparison(self) -> None:
        tr = self.tr
        self.comparison_box.clear()
        self.comparison_box.set_visibility(bool(self.saved_runs))
        if not self.saved_runs:
            return
        height = f"{5.2 + 3.4 * len(self.saved_runs):.1f}rem"
        with self.comparison_box:
            kit.Text("h2", tr("community.compare"))
            kit.Text("p", tr("community.compare_note"), "x-note")
            sentence = analytics.comparison_sentence(tr, self.saved_runs)
            kit.Sentence(sentence, test_id="compare-sentence")
            with kit.tag("div", "x-three"):
                for name, chart in analytics.comparison_charts(tr, self.saved_runs).items():
                    kit.ChartCard(
                        tr,
                        tr(f"community.compare_{name}"),
                        chart,
                        height=height,
                        sentence=False,
                        test_id=f"compare-{name}",
                    )
            with kit.tag("ul", "x-kept"):
                for run in self.saved_runs:
                    with kit.tag("li"):
                        label = tr("community.forget", name=run.name)
                        kit.button(label, partial(self._remove_saved_run, run.key))

    def _remove_saved_run(self, key: str) -> None:
        self.saved_runs = [run for run in self.saved_runs if run.key != key]
        self._draw_comparison()
        self._store_saved_runs()


def _run_key(spec: Mapping[str, object]) -> str:
    return json.dumps(spec, sort_keys=True)


def _nearest_period(days: float) -> str:
    """Return the period whose length is closest to a number of days."""
    return min(PERIOD_STEPS, key=lambda name: abs(PERIOD_STEPS[name] / 96 - days))
