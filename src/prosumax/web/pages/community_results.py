"""The right side of the community page: verdicts, who gives to whom, bills, and what was kept to compare."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from prosumax.web import kit
from prosumax.web.charts import analytics
from prosumax.web.charts import community as charts
from prosumax.web.model import state
from prosumax.web.model.communities import STEPS, community_of
from prosumax.web.model.outcome import Outcome
from prosumax.web.model.view import View

_MOST_KEPT = 4
_VERDICTS = ("cost", "efficiency", "fairness")


class Results:
    """All that is shown of runs.

    Arguments:
        view: of the page.
        on_explore: asks whether a home would gain by deciding in another way.
    """

    def __init__(self, view: View[state.Community], on_explore: Callable[[], Any]) -> None:
        self.view, self.words, self.on_explore = view, view.words, on_explore
        self.exploit: kit.Text | None = None
        self.kept: list[analytics.Kept] = []
        self.outcome: Outcome | None = None
        words = view.words
        self.cards: dict[str, kit.ChartCard] = {}
        self.drawn: tuple[bool, str] | None = None
        self.network: Any = None
        with kit.tag("section", "x-card x-verdict-card", aria_label=words("community.results")):
            self.spoken = kit.Spoken("")
            self.empty = kit.attributes(
                kit.Text("p", words("community.waiting"), "x-lead"), data_testid="empty"
            )
            with kit.tag("div") as self.verdict_box:
                with kit.tag("div", "x-verdicts"):
                    self.verdicts = {
                        name: kit.Verdict(words(f"community.verdict_{name}"), f"verdict-{name}")
                        for name in _VERDICTS
                    }
                with (
                    kit.fold(words("community.counted"), "x-as-table", test_id="counted"),
                    kit.tag("div", "x-verdicts"),
                ):
                    self.details = {name: self.counted(name) for name in _VERDICTS}
                self.trained = kit.attributes(kit.Text("p", "", "x-said"), data_testid="trained")
        with kit.tag("div", "x-stack x-charts"):
            self.curve_box = kit.tag("div")
            self.curve: kit.ChartCard | None = None
            with kit.tag("div", "x-stack") as self.box:
                self.pair = kit.tag("div", "x-pair")
                self.below = kit.tag("div", "x-stack")
            self.compare_box = kit.tag(
                "section", "x-card", aria_label=words("community.compare"), data_testid="compare"
            )
        for part in (self.verdict_box, self.box, self.compare_box, self.trained, self.curve_box):
            part.set_visibility(False)

    def counted(self, name: str) -> Element:
        """How a verdict is counted; returns the list for the figures behind it."""
        with kit.tag("div"):
            kit.Text("h3", self.words(f"community.verdict_{name}"))
            kit.Text("p", self.words(f"community.counted_{name}"), "x-hint")
            return kit.tag("dl")

    def nothing(self, text: str) -> None:
        """There is no result, and why."""
        self.outcome = None
        self.empty.set_text(text)
        self.empty.set_visibility(True)
        for part in (self.verdict_box, self.box, self.trained, self.curve_box):
            part.set_visibility(False)

    def stale(self, on: bool) -> None:
        """Whether what is shown is not what is set."""
        for part in (self.verdict_box, self.box):
            part.classes(add="x-busy") if on else part.classes(remove="x-busy")
            kit.attributes(part, aria_busy="true" if on else None)

    def show(self, outcome: Outcome, spec: dict[str, Any], job: str | None) -> None:
        """Show a run.

        Arguments:
            outcome: of the run.
            spec: what was asked.
            job: its id, for downloads; None for own data.
        """
        words, community = self.words, community_of(spec)[0]
        period = community.period if community.preset != "file" else _nearest_period(outcome.days)
        self.outcome = outcome
        self.empty.set_visibility(False)
        told = {
            "cost": charts.cost(words, outcome, period),
            "efficiency": charts.efficiency(words, outcome),
            "fairness": charts.fairness(words, outcome),
        }
        for name, verdict in told.items():
            self.verdicts[name].show(verdict.figure, verdict.sentence)
            self.details[name].clear()
            with self.details[name]:
                for what, value in verdict.details:
                    kit.Text("dt", what)
                    kit.Text("dd", value)
        self.spoken.show(told["cost"].sentence)
        for part in (self.verdict_box, self.box):
            part.set_visibility(True)
        self.say_trained(outcome)
        self.draw(outcome, period, job)
        self.stale(False)

    def say_trained(self, outcome: Outcome) -> None:
        """What learning adds to a result: how long, and how far another try may be off."""
        spread = outcome.spread
        self.trained.set_visibility(spread is not None)
        self.curve_box.set_visibility(spread is not None)
        if spread is not None:
            saved = [
                alone - cost for alone, cost in zip(spread.cost_alone, spread.cost, strict=True)
            ]
            off = self.words.euro(max(saved) - min(saved))
            self.trained.set_text(
                self.words("community.trained", rounds=self.words.number(spread.rounds), spread=off)
            )
            self.learning(spread.curve_rounds, spread.curve, spread.rounds, spread.curve_of)

    def learning(self, rounds: Any, curve: Any, planned: int, what: str) -> None:
        """Draw the learning curve as far as it is known."""
        self.curve_box.set_visibility(True)
        chart = analytics.learning(self.words, rounds, curve, planned, what)
        if self.curve is None:
            with self.curve_box:
                self.curve = kit.ChartCard(
                    self.words,
                    self.words("community.curve"),
                    chart,
                    height="15rem",
                    test_id="curve",
                )
        else:
            self.curve.show(chart)

    def draw(self, outcome: Outcome, period: str, job: str | None) -> None:
        """Every chart of a run."""
        words = self.words
        few = len(outcome.names) <= charts.MOST_AROUND
        made = {
            "bills": charts.bills(words, outcome, period),
            "street": charts.street(words, outcome),
            "lorenz": analytics.lorenz(words, outcome),
            "price": analytics.price(words, outcome),
        }
        height = f"{max(15, 3 + 2.1 * len(outcome.names)):.0f}rem"
        same = self.cards and self.drawn == (few, height)
        if same:
            for name, chart in made.items():
                self.cards[name].show(chart)
            self.show_network(outcome)
        else:
            self.drawn = (few, height)
            self.pair.clear()
            self.below.clear()
            with self.pair:
                self.network_card(outcome, few)
                self.cards = {"bills": self.card("bills", made["bills"], height)}
            with self.below:
                self.cards["street"] = self.card("street", made["street"], "24rem")
                with (
                    kit.tag("section", "x-card"),
                    kit.fold(words("community.curious"), test_id="curious"),
                ):
                    self.cards["lorenz"] = self.card("lorenz", made["lorenz"], "20rem")
                    self.cards["price"] = self.card("price", made["price"], "20rem", "price_title")
                    with kit.tag("section", aria_label=words("community.exploit")):
                        kit.Text("h2", words("community.exploit"), "x-card-title")
                        self.exploit = kit.attributes(
                            kit.Text("p", ""), role="status", data_testid="exploit"
                        )
                        kit.button(
                            words("community.exploit_button"),
                            self.on_explore,
                            data_testid="explore",
                        )
                    self.links = kit.tag("div", "x-buttons")
        if self.exploit is not None:
            self.exploit.set_text("")
        self.links.clear()
        if job is not None:
            with self.links:
                for name, suffix in (("all", "json"), ("scenario", "yaml")):
                    link = kit.link(
                        words(f"community.{name}"), f"/api/run/{job}.{suffix}", "x-small-link"
                    )
                    kit.attributes(link, download=f"community.{suffix}")

    def card(self, name: str, chart: Any, height: str, title: str | None = None) -> kit.ChartCard:
        """A chart by its name in the texts."""
        words = self.words
        key = f"community.{name}_note"
        note = words(key) if name in ("bills", "street") else ""
        return kit.ChartCard(
            words,
            words(f"community.{title or name}"),
            chart,
            note=note,
            height=height,
            test_id=f"chart-{name}",
        )

    # Who gives to whom

    def network_card(self, outcome: Outcome, few: bool) -> None:
        """A circle for few homes, a table of colours for many."""
        words, hour = self.words, int(self.view.state.hour)
        self.matrix: kit.ChartCard | None = None
        if few:
            with kit.tag("section", "x-card", data_testid="network"):
                kit.Text("h2", words("community.who"), "x-card-title")
                kit.Text("p", words("community.who_note"), "x-note")
                self.network = kit.tag("px-network", content=self.content(outcome), hour=hour)
                self.network.on("hour", self.hour_set, js_handler="(e) => emit(e.detail)")
                with kit.fold(words("common.as_table"), "x-as-table"):
                    self.given = ui.html(kit.table_html(charts.given(words, outcome))).classes(
                        "x-table-scroll"
                    )
                    caption = words("community.given_caption")
                    kit.attributes(self.given, tabindex=0, role="region", aria_label=caption)
            return
        with kit.tag("section", "x-card x-with-slider"):
            chart = charts.matrix(words, outcome, hour)
            note = words("community.matrix_note")
            height = f"{8 + 1.8 * sum(outcome.has_sun):.0f}rem"
            self.matrix = kit.ChartCard(
                words, words("community.who"), chart, note=note, height=height, test_id="network"
            )
            kit.range_field(
                words("community.time"), hour, 0, 23, 1, words.time, self.matrix_hour, "hour"
            )

    def content(self, outcome: Outcome) -> dict[str, Any]:
        """What the drawing of the network gets."""
        said = {name: self.words(f"community.{name}") for name in ("play", "pause", "time")}
        return charts.network(self.words, outcome) | {"words": said}

    def show_network(self, outcome: Outcome) -> None:
        """The same drawing with another run."""
        if self.matrix is not None:
            self.matrix.show(charts.matrix(self.words, outcome, int(self.view.state.hour)))
            return
        kit.attributes(self.network, content=self.content(outcome))
        self.given.content = kit.table_html(charts.given(self.words, outcome))

    def hour_set(self, event: Any) -> None:
        """The visitor looks at another hour."""
        self.view.change(hour=float(min(max(int(event.args), 0), 23)))

    def matrix_hour(self, hour: float) -> None:
        """The same of the table of colours."""
        self.view.change(hour=hour)
        if self.matrix is not None and self.outcome is not None:
            self.matrix.show(charts.matrix(self.words, self.outcome, int(hour)))

    def exploring(self, text: str) -> None:
        """How far that is."""
        if self.exploit is not None:
            self.exploit.set_text(text)

    def explored(self, found: Mapping[str, Any]) -> None:
        """Whether a home would gain by deciding in another way.

        Arguments:
            found: from `engine.explore`.
        """
        words = self.words
        if not found["homes"]:
            said = words("community.exploit_none")
        elif "name" in found:
            style = words(
                "community.style_none"
                if found["policy"] == "none"
                else f"community.style_{charts.style_key(found['policy'])}"
            )
            name = charts.home_name(words, found["name"])
            said = words(
                "community.exploit_sentence", name=name, style=style, gain=words.euro(found["gain"])
            )
        else:
            said = words("community.exploit_stable")
        if "share" in found:
            share = words.percent(found["share"])
            said += " " + words(
                "community.optimum_sentence", best=words.euro(found["best"]), share=share
            )
        if self.exploit is not None:
            self.exploit.set_text(said)

    # Keep and compare

    def keep(self, spec: Mapping[str, Any], outcome: Outcome) -> None:
        """Put a run beside others."""
        key = json.dumps(spec, sort_keys=True)
        words = self.words
        if any(run.key == key for run in self.kept):
            ui.notify(words("community.kept_twice"), color="dark")
            return
        if len(self.kept) >= _MOST_KEPT:
            ui.notify(words("community.kept_full"), color="dark")
            return
        self.take(spec, outcome)
        ui.notify(words("community.kept", n=len(self.kept)), color="dark")

    def take(self, spec: Mapping[str, Any], outcome: Outcome) -> None:
        """Add a run to the comparison; the tab remembers it when the page is built anew, in another language say."""
        key = json.dumps(spec, sort_keys=True)
        if len(self.kept) >= _MOST_KEPT or any(run.key == key for run in self.kept):
            return
        self.kept.append(analytics.Kept(self.name_of(spec), outcome, key))
        self.draw_kept()
        self.remember()

    def remember(self) -> None:
        """Tell the tab what is kept; own data stay here."""
        queries = [
            state.write(community_of(json.loads(run.key))[0], "en")
            for run in self.kept
            if '"file"' not in run.key
        ]
        ui.run_javascript(f"sessionStorage.setItem('kept', {json.dumps(json.dumps(queries))})")

    def name_of(self, spec: Mapping[str, Any]) -> str:
        """A run by its rule, and by a number where that is not enough."""
        now = community_of(spec)[0]
        name = self.words(f"community.rule_{now.rule}")
        if now.rule == "equal" and now.rounds == "several":
            name += f", {self.words('community.rounds_several')}"
        if any(run.name == name for run in self.kept):
            name += f" ({sum(run.name.startswith(name) for run in self.kept) + 1})"
        return name

    def draw_kept(self) -> None:
        """The comparison."""
        words = self.words
        self.compare_box.clear()
        self.compare_box.set_visibility(bool(self.kept))
        if not self.kept:
            return
        made = analytics.comparison(words, self.kept)
        height = f"{5.2 + 3.4 * len(self.kept):.1f}rem"
        with self.compare_box:
            kit.Text("h2", words("community.compare"))
            kit.Text("p", words("community.compare_note"), "x-note")
            kit.Sentence(
                analytics.comparison_sentence(words, self.kept), test_id="compare-sentence"
            )
            with kit.tag("div", "x-three"):
                for name, chart in made.items():
                    title = words(f"community.compare_{name}")
                    kit.ChartCard(
                        words,
                        title,
                        chart,
                        height=height,
                        sentence=False,
                        test_id=f"compare-{name}",
                    )
            with kit.tag("ul", "x-kept"):
                for run in self.kept:
                    with kit.tag("li"):
                        kit.button(
                            words("community.forget", name=run.name), partial(self.forget, run.key)
                        )

    def forget(self, key: str) -> None:
        """Take a run out of the comparison."""
        self.kept = [run for run in self.kept if run.key != key]
        self.draw_kept()
        self.remember()


def _nearest_period(days: float) -> str:
    return min(STEPS, key=lambda name: abs(STEPS[name] / 96 - days))
