"""Page 1: five ideas, one control each."""

from typing import Any

from nicegui import ui

from prosumax.web import kit
from prosumax.web.charts import basics as charts
from prosumax.web.charts import community as community_charts
from prosumax.web.charts.clock import still
from prosumax.web.charts.home import Energy, Power
from prosumax.web.model import home_day, state, street
from prosumax.web.model.communities import asked
from prosumax.web.model.outcome import Outcome
from prosumax.web.model.view import View, without_scripts
from prosumax.web.server.services import services

_BATTERY_KWH = 5.0
_RULES = ("equal", "use", "auction", "none")
_ALIKE = 0.25  # gains that differ by less, of the larger, are about the same
_BETS = ("with", "without", "same")


def build(view: View[state.Basics], banner: kit.Banner) -> None:
    """Lay the page out."""
    _Page(view)


class _Page:
    """The five ideas, from top to bottom."""

    def __init__(self, view: View[state.Basics]) -> None:
        self.view, self.words = view, view.words
        words = self.words
        day = home_day.day(self._home())
        said = [
            words("basics.lead"),
            self._where().sentence,
            self._hours().sentence,
            self._duck_chart().sentence,
        ]
        without_scripts(words, words("basics.headline"), said, still(day.use_kwh, day.solar_kwh))
        kit.Text("h1", words("basics.headline"))
        kit.Text("p", words("basics.lead"), "x-lead")
        with kit.tag("div", "x-columns"):
            self._day_clock()
            self._sankey()
        self._duck_part()
        self._bet_part()
        self._rules_part()
        with kit.tag("div", "x-buttons x-ends"):
            kit.link(words("basics.try_home"), f"/home?lang={words.lang}", "x-button primary")
            kit.link(words("basics.build_community"), f"/community?lang={words.lang}", "x-button")

    def _home(self) -> state.Home:
        now = self.view.state
        return state.Home(
            season=now.season, battery_kwh=_BATTERY_KWH if now.battery == "on" else 0.0
        )

    def _hours(self) -> Any:
        day = home_day.day(self._home())
        return charts.hours(
            self.words, Power(day.use_kwh / home_day.HOURS, day.solar_kwh / home_day.HOURS, None)
        )

    def _where(self) -> Any:
        home = self._home()
        day = home_day.day(home)
        flows = (day.direct_kwh, day.discharge_kwh, day.import_kwh, day.charge_kwh, day.export_kwh)
        energy = Energy(*(float(part.sum()) for part in flows))
        return charts.where(self.words, energy, home.sell * energy.sent, home.buy * energy.bought)

    def _note(self) -> str:
        return self.words(
            "basics.where_note_battery" if self.view.state.battery == "on" else "basics.where_note"
        )

    def _day_clock(self) -> None:
        words = self.words
        self._clock = kit.ChartCard(
            words,
            words("basics.clock_title"),
            self._hours(),
            note=words("basics.clock_note"),
            height="25rem",
            test_id="clock",
        )
        self._clock.drawing.classes("x-clock")
        with self._clock.below:
            options = {key: words(f"home.season_{key}") for key in state.SEASONS}
            kit.segments(
                words("home.season"),
                options,
                self.view.state.season,
                self._season,
                test_id="season",
            )
            hand = kit.button(
                words("basics.pause"),
                classes="x-quiet x-pause",
                aria_pressed="false",
                data_testid="pause",
            )
            # The hand is drawn by the style sheet; stopping it needs no server.
            hand.on("click", js_handler=_PAUSE)

    def _sankey(self) -> None:
        words = self.words
        self._flows = kit.ChartCard(
            words,
            words("basics.where_title"),
            self._where(),
            note=self._note(),
            height="19rem",
            test_id="where",
        )
        with self._flows.below:
            options = {key: words(f"basics.battery_{key}") for key in ("off", "on")}
            kit.segments(
                words("home.battery_field"),
                options,
                self.view.state.battery,
                self._battery,
                test_id="battery",
            )
            kit.link(words("basics.what_if"), "#x-street", "x-button primary")

    def _season(self, season: str) -> None:
        self.view.change(season=season)
        self._clock.show(self._hours())
        self._flows.show(self._where())
        self._duck.show(self._duck_chart())

    def _battery(self, battery: str) -> None:
        self.view.change(battery=battery)
        self._flows.show(self._where(), self._note())

    def _duck_chart(self) -> Any:
        now = self.view.state
        homes = street.day(now.season)[0].shape[1]
        return charts.duck(self.words, street.net_kw(now.season, now.roofs), now.roofs, homes)

    def _duck_part(self) -> None:
        words, span = self.words, state.range_of(state.Basics, "roofs")
        with kit.tag("section", "x-idea", id="x-street"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", words("basics.duck_title"), "x-idea-title")
                kit.Text("p", words("basics.duck_text"))
                kit.range_field(
                    words("basics.roofs"),
                    self.view.state.roofs,
                    span.lowest,
                    span.highest,
                    span.step,
                    lambda n: words("basics.roofs_text", n=int(n)),
                    self._roofs,
                    test_id="roofs",
                )
            self._duck = kit.ChartCard(
                words,
                words("basics.duck_chart"),
                self._duck_chart(),
                height="19rem",
                level=3,
                test_id="duck",
            )

    def _roofs(self, roofs: float) -> None:
        self.view.change(roofs=int(roofs))
        self._duck.show(self._duck_chart())

    def _bet_part(self) -> None:
        words = self.words
        with kit.tag("section", "x-idea x-idea-top"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", words("basics.bet_title"), "x-idea-title")
                kit.Text(
                    "p", words("basics.bet_text", cents=words.number(100 * state.Community().price))
                )
                options = {
                    key: (words(f"basics.bet_{key}"), words(f"basics.bet_{key}_text"))
                    for key in _BETS
                }
                kit.choice_cards(
                    words("basics.bet"), options, self.view.state.bet, self._bet, test_id="bet"
                )
                self._just_show = kit.button(
                    words("basics.just_show"),
                    lambda: self._bet("show"),
                    "x-quiet",
                    data_testid="just-show",
                )
            with kit.tag("div", "x-card", data_testid="bet-answer") as self._answer:
                kit.Text("p", words("basics.bet_wait"), "x-note")
        if self.view.state.bet != "open":
            self._bet(self.view.state.bet)

    def _bet(self, bet: str) -> None:
        self.view.change(bet=bet)
        self._just_show.set_visibility(False)
        self._answer.clear()
        with self._answer:
            line = kit.attributes(kit.Text("p", self.words("basics.bet_running")), role="status")
        self._ask(bet, line)

    def _ask(self, bet: str, line: kit.Text) -> None:
        """The preset street under the rule "by use", as page three shows it."""
        owner = f"basics-{self.view.client.id}"
        jobs = services().jobs
        job = jobs.submit("quick", "run", asked(state.Community()), owner=owner)

        def look() -> None:
            seen = jobs.see(job, owner)
            if seen is None or seen.state in ("failed", "stopped"):
                timer.cancel()
                line.set_text(self.words("basics.bet_failed"))
            elif seen.state == "done":
                timer.cancel()
                self._show_bet(bet, seen.result)

        with self._answer:
            timer = ui.timer(0.1, look)

    def _show_bet(self, bet: str, outcome: Outcome) -> None:
        words = self.words
        gains = {
            roofs: [
                gain
                for gain, has in zip(outcome.gain_cents, outcome.has_sun, strict=True)
                if has == roofs
            ]
            for roofs in (True, False)
        }
        mean = {roofs: sum(found) / len(found) / 100 for roofs, found in gains.items()}
        apart = mean[True] - mean[False]
        right = "with" if apart > 0 else "without"
        if abs(apart) < _ALIKE * max(mean.values()):
            right = "same"
        self._answer.clear()
        with self._answer:
            said = "show" if bet == "show" else "right" if bet == right else "wrong"
            amounts = {"with_": words.euro(mean[True], 0), "without": words.euro(mean[False], 0)}
            answer = kit.Sentence(
                words(f"basics.bet_{said}", answer=words(f"basics.bet_{right}")),
                classes="x-sentence",
            )
            kit.attributes(answer, role="status")
            kit.Sentence(words(f"basics.bet_because_{right}", **amounts), classes="x-sentence")
            chart = community_charts.bills(words, outcome, "month")
            kit.ChartCard(
                words,
                words("basics.bet_chart"),
                chart,
                note=words("basics.bet_note"),
                height="20rem",
                level=3,
                classes="x-plain",
                test_id="bills",
            )

    def _rules_part(self) -> None:
        words, now = self.words, self.view.state
        span = state.range_of(state.Basics, "surplus_kwh")
        with kit.tag("section", "x-idea x-idea-wide"):
            with kit.tag("div", "x-idea-words"):
                kit.Text("h2", words("basics.rules_title"), "x-idea-title")
                kit.Text("p", words("basics.rules_text"))
                kit.range_field(
                    words("basics.surplus"),
                    now.surplus_kwh,
                    span.lowest,
                    span.highest,
                    span.step,
                    words.kwh,
                    self._surplus,
                    test_id="surplus",
                )
                kit.Text("p", words("basics.dot"), "x-note")
            with kit.tag("div", "x-columns"):
                self._dots = {
                    rule: kit.ChartCard(
                        words,
                        words(f"basics.rule_{rule}"),
                        chart,
                        height="9rem",
                        level=3,
                        test_id=f"dots-{rule}",
                    )
                    for rule, chart in self._dot_charts().items()
                }

    def _dot_charts(self) -> dict[str, Any]:
        taken = street.shares(self.view.state.surplus_kwh)
        return {
            rule: charts.dots(self.words, rule, taken[rule], street.WANTED_KWH) for rule in _RULES
        }

    def _surplus(self, kwh: float) -> None:
        self.view.change(surplus_kwh=kwh)
        for rule, chart in self._dot_charts().items():
            self._dots[rule].show(chart)


_PAUSE = """(e) => {
  const button = e.currentTarget, still = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', still);
  document.querySelector('.x-clock')?.classList.toggle('x-still', still);
}"""
