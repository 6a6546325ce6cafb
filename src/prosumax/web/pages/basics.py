"""Page 1: five ideas of sharing electricity, each with one control."""

from typing import cast

from nicegui import ui

from prosumax.web import kit
from prosumax.web.charts import basics as charts
from prosumax.web.charts import community as community_charts
from prosumax.web.charts.clock import static_svg
from prosumax.web.charts.common import RenderedChart
from prosumax.web.charts.home import HomeEnergy, HomePower
from prosumax.web.model import home_day, state, street
from prosumax.web.model.communities import to_job_spec
from prosumax.web.model.outcome import CommunityOutcome
from prosumax.web.model.view import PageView, add_noscript
from prosumax.web.server.services import get_services

_BATTERY_KWH = 5.0
_RULES = ("equal", "use", "auction", "none")
_BETS = ("with", "without", "same")
_SAME_GAIN = 0.25  # largest relative difference of gains that count as about the same
_POLL_S = 0.1


def build(view: PageView[state.BasicsPageState], banner: kit.Banner) -> None:
    """Build the page.

    Args:
        view: View of the page.
        banner: Banner above the content.
    """
    _Page(view)


class _Page:
    """The five ideas, from top to bottom."""

    def __init__(self, view: PageView[state.BasicsPageState]) -> None:
        self.view = view
        self.tr = view.tr
        tr = self.tr
        day = home_day.simulate_day(self._home())
        charts_shown = (self._flows_chart(), self._clock_chart(), self._duck_chart())
        sentences = [tr("basics.lead"), *(chart.sentence for chart in charts_shown)]
        drawing = static_svg(day.load_kwh, day.solar_kwh)
        add_noscript(tr, tr("basics.headline"), sentences, drawing)
        kit.Text("h1", tr("basics.headline"))
        kit.Text("p", tr("basics.lead"), "x-lead")
        with kit.tag("div", "x-columns"):
            self._add_clock()
            self._add_flows()
        self._add_duck_curve()
        self._add_bet()
        self._add_rules()
        with kit.tag("div", "x-buttons x-ends"):
            kit.link(tr("basics.try_home"), f"/home?lang={tr.lang}", "x-button primary")
            kit.link(tr("basics.build_community"), f"/community?lang={tr.lang}", "x-button")

    # Charts of the home

    def _home(self) -> state.HomePageState:
        page_state = self.view.state
        battery_kwh = _BATTERY_KWH if page_state.battery == "on" else 0.0
        return state.HomePageState(season=page_state.season, battery_kwh=battery_kwh)

    def _clock_chart(self) -> RenderedChart:
        day = home_day.simulate_day(self._home())
        power = HomePower(
            day.load_kwh / home_day.STEP_HOURS, day.solar_kwh / home_day.STEP_HOURS, None
        )
        return charts.day_clock(self.tr, power)

    def _flows_chart(self) -> RenderedChart:
        home = self._home()
        day = home_day.simulate_day(home)
        energy = HomeEnergy(
            direct=float(day.direct_kwh.sum()),
            from_battery=float(day.discharge_kwh.sum()),
            imported=float(day.import_kwh.sum()),
            to_battery=float(day.charge_kwh.sum()),
            exported=float(day.export_kwh.sum()),
        )
        earned = home.feed_in_price * energy.exported
        paid = home.retail_price * energy.imported
        return charts.energy_flows(self.tr, energy, earned, paid)

    def _flows_note(self) -> str:
        has_battery = self.view.state.battery == "on"
        return self.tr("basics.where_note_battery" if has_battery else "basics.where_note")

    def _add_clock(self) -> None:
        tr = self.tr
        self._clock = kit.ChartCard(
            tr,
            tr("basics.clock_title"),
            self._clock_chart(),
            note=tr("basics.clock_note"),
            height="25rem",
            test_id="clock",
        )
        self._clock.drawing.classes("x-clock")
        with self._clock.below:
            kit.segmented_control(
                tr("home.season"),
                {key: tr(f"home.season_{key}") for key in state.SEASONS},
                self.view.state.season,
                self._set_season,
                test_id="season",
            )
            pause = kit.button(
                tr("basics.pause"),
                classes="x-quiet x-pause",
                aria_pressed="false",
                data_testid="pause",
            )
            # The hand is animated by the style sheet, so that it stops without a request.
            pause.on("click", js_handler=_PAUSE_SCRIPT)

    def _add_flows(self) -> None:
        tr = self.tr
        self._flows = kit.ChartCard(
            tr,
            tr("basics.where_title"),
            self._flows_chart(),
            note=self._flows_note(),
            height="19rem",
            test_id="where",
        )
        with self._flows.below:
            kit.segmented_control(
                tr("home.battery_field"),
                {key: tr(f"basics.battery_{key}") for key in ("off", "on")},
                self.view.state.battery,
                self._set_battery,
                test_id="battery",
            )
            kit.link(tr("basics.what_if"), "#x-street", "x-button primary")

    def _set_season(self, season: str) -> None:
        self.view.update(season=season)
        self._clock.show(self._clock_chart())
        self._flows.show(self._flows_chart())
        self._duck.show(self._duck_chart())

    def _set_battery(self, battery: str) -> None:
        self.view.update(battery=battery)
        self._flows.show(self._flows_chart(), self._flows_note())

    # Net load of the street

    def _duck_chart(self) -> RenderedChart:
        page_state = self.view.state
        homes = street.street_day(page_state.season)[0].shape[1]
        net_kw = street.net_load_kw(page_state.season, page_state.pv_homes)
        return charts.duck_curve(self.tr, net_kw, page_state.pv_homes, homes)

    def _add_duck_curve(self) -> None:
        tr = self.tr
        limits = state.number_range(state.BasicsPageState, "pv_homes")
        with kit.tag("section", "x-idea", id="x-street"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", tr("basics.duck_title"), "x-idea-title")
                kit.Text("p", tr("basics.duck_text"))
                kit.range_field(
                    tr("basics.pv_homes"),
                    self.view.state.pv_homes,
                    limits.lowest,
                    limits.highest,
                    limits.step,
                    lambda count: tr("basics.pv_homes_text", n=int(count)),
                    self._set_pv_homes,
                    test_id="pv-homes",
                )
            self._duck = kit.ChartCard(
                tr,
                tr("basics.duck_chart"),
                self._duck_chart(),
                height="19rem",
                level=3,
                test_id="duck",
            )

    def _set_pv_homes(self, count: float) -> None:
        self.view.update(pv_homes=int(count))
        self._duck.show(self._duck_chart())

    # Bet

    def _add_bet(self) -> None:
        tr = self.tr
        cents = tr.number(100 * state.CommunityPageState().price)
        with kit.tag("section", "x-idea x-idea-top"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", tr("basics.bet_title"), "x-idea-title")
                kit.Text("p", tr("basics.bet_text", cents=cents))
                kit.choice_cards(
                    tr("basics.bet"),
                    {key: (tr(f"basics.bet_{key}"), tr(f"basics.bet_{key}_text")) for key in _BETS},
                    self.view.state.bet,
                    self._place_bet,
                    test_id="bet",
                )
                self._just_show = kit.button(
                    tr("basics.just_show"),
                    lambda: self._place_bet("show"),
                    "x-quiet",
                    data_testid="just-show",
                )
            with kit.tag("div", "x-card", data_testid="bet-answer") as self._answer:
                kit.Text("p", tr("basics.bet_wait"), "x-note")
        if self.view.state.bet != "open":
            self._place_bet(self.view.state.bet)

    def _place_bet(self, bet: str) -> None:
        self.view.update(bet=bet)
        self._just_show.set_visibility(False)
        self._answer.clear()
        with self._answer:
            status_line = kit.Text("p", self.tr("basics.bet_running"))
            kit.set_attributes(status_line, role="status")
        self._simulate_bet(bet, status_line)

    def _simulate_bet(self, bet: str, status_line: kit.Text) -> None:
        """Run the preset street under the rule "by use", as on page three."""
        owner = f"basics-{self.view.client.id}"
        jobs = get_services().jobs
        spec = to_job_spec(state.CommunityPageState())
        job = jobs.submit("quick", "run", spec, owner=owner)

        def poll() -> None:
            status = jobs.status(job, owner)
            if status is None or status.state in ("failed", "cancelled"):
                timer.cancel()
                status_line.set_text(self.tr("basics.bet_failed"))
            elif status.state == "done":
                timer.cancel()
                self._show_answer(bet, cast(CommunityOutcome, status.result))

        with self._answer:
            timer = ui.timer(_POLL_S, poll)

    def _show_answer(self, bet: str, outcome: CommunityOutcome) -> None:
        tr = self.tr
        gain_with = _mean_saving(outcome, has_solar=True)
        gain_without = _mean_saving(outcome, has_solar=False)
        if abs(gain_with - gain_without) < _SAME_GAIN * max(gain_with, gain_without):
            answer = "same"
        else:
            answer = "with" if gain_with > gain_without else "without"
        verdict = "right" if bet == answer else "wrong"
        if bet == "show":
            verdict = "show"
        self._answer.clear()
        with self._answer:
            sentence = kit.Sentence(
                tr(f"basics.bet_{verdict}", answer=tr(f"basics.bet_{answer}")),
                classes="x-sentence",
            )
            kit.set_attributes(sentence, role="status")
            amounts = {"with_": tr.euro(gain_with, 0), "without": tr.euro(gain_without, 0)}
            kit.Sentence(tr(f"basics.bet_because_{answer}", **amounts), classes="x-sentence")
            kit.ChartCard(
                tr,
                tr("basics.bet_chart"),
                community_charts.home_bills(tr, outcome, "month"),
                note=tr("basics.bet_note"),
                height="20rem",
                level=3,
                classes="x-plain",
                test_id="bills",
            )

    # Rules

    def _add_rules(self) -> None:
        tr = self.tr
        limits = state.number_range(state.BasicsPageState, "surplus_kwh")
        with kit.tag("section", "x-idea x-idea-wide"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", tr("basics.rules_title"), "x-idea-title")
                kit.Text("p", tr("basics.rules_text"))
                kit.range_field(
                    tr("basics.surplus"),
                    self.view.state.surplus_kwh,
                    limits.lowest,
                    limits.highest,
                    limits.step,
                    tr.kwh,
                    self._set_surplus,
                    test_id="surplus",
                )
                kit.Text("p", tr("basics.dot"), "x-note")
            with kit.tag("div", "x-columns"):
                self._allocations = {
                    rule: kit.ChartCard(
                        tr,
                        tr(f"basics.rule_{rule}"),
                        chart,
                        height="9rem",
                        level=3,
                        test_id=f"dots-{rule}",
                    )
                    for rule, chart in self._allocation_charts().items()
                }

    def _allocation_charts(self) -> dict[str, RenderedChart]:
        allocated = street.allocations(self.view.state.surplus_kwh)
        return {
            rule: charts.allocation_dots(self.tr, rule, allocated[rule], street.DEMAND_KWH)
            for rule in _RULES
        }

    def _set_surplus(self, kwh: float) -> None:
        self.view.update(surplus_kwh=kwh)
        for rule, chart in self._allocation_charts().items():
            self._allocations[rule].show(chart)


def _mean_saving(outcome: CommunityOutcome, has_solar: bool) -> float:
    """Compute the mean saving of homes with or without PV, EUR."""
    pairs = zip(outcome.saving_cents, outcome.has_solar, strict=True)
    savings = [saving for saving, solar in pairs if solar == has_solar]
    return sum(savings) / len(savings) / 100


_PAUSE_SCRIPT = """(e) => {
  const button = e.currentTarget, still = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', still);
  document.querySelector('.x-clock')?.classList.toggle('x-still', still);
}"""
