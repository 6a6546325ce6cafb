"""Page 2: one home on one day, live while sliding."""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from babel.dates import format_date, get_month_names

from prosumax.web import kit
from prosumax.web.charts import home as charts
from prosumax.web.charts.clock import still
from prosumax.web.model import home_day, state
from prosumax.web.model.own_data import OwnData, by_day, stored
from prosumax.web.model.translations import LOCALES
from prosumax.web.model.view import View, without_scripts
from prosumax.web.server.services import services
from prosumax.web.server.upload_field import found_text, upload_field

FAMILIES = (
    state.Home(people=2, routine="retired", season="summer", panels_kwp=3.0, weather="clear"),
    state.Home(people=4, routine="office", panels_kwp=9.0, battery_kwh=10.0, season="spring"),
    state.Home(people=2, routine="nights", car="noon", panels_kwp=5.0, season="summer"),
    state.Home(people=2, routine="remote", heat_pump="on", season="winter", panels_kwp=6.0),
    state.Home(people=6, routine="home", season="autumn", panels_kwp=0.0),
    state.Home(people=1, routine="office", roof="north", panels_kwp=3.0, season="spring"),
)
"""What "Surprise me" shows one after the other; their names are the texts `home.family_1` and on."""

_HELD_S = 1.2  # without a change: the slider is let go, and the axis may shrink again
_GHOST_S = 5.0
_PANEL_KWP = 0.4
_TOP_KW = 2.0  # the least that the axis shows


def build(view: View[state.Home], banner: kit.Banner) -> None:
    """Lay the page out."""
    _Page(view, banner)


class _Page:
    """The parts of the page that change together."""

    def __init__(self, view: View[state.Home], banner: kit.Banner) -> None:
        self.view, self.banner, self.words = view, banner, view.words
        self._top_kw = _TOP_KW
        self._ghost: charts.Power | None = None
        self._wants_ghost = True
        self._at: int | None = None
        self._own: tuple[float, ...] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._shown = self._power(self._day())
        self._top_kw = self._needed(self._shown)
        first = self._sentence(self._day())
        without_scripts(
            self.words, self.words("home.title"), [first], still(self._shown.use, self._shown.solar)
        )
        with kit.tag("div", "x-page x-home"):
            with kit.tag("div", "x-card x-controls"):
                self._controls_box = kit.tag("div")
                with self._controls_box:
                    self._controls()
                self._own_data()
            with kit.tag("div", "x-stack x-results"):
                self._results()

    def _controls(self) -> None:
        words, now = self.words, self.view.state
        kit.Text("h1", words("home.title"), "x-h1-small")
        self._slider("people", now.people, lambda n: words("home.people_text", n=int(n)))
        self._segments("routine")
        self._segments("season")
        self._slider("panels_kwp", now.panels_kwp, self._panels_text, label="panels")
        self._slider("battery_kwh", now.battery_kwh, self._battery_text, label="battery_field")
        with kit.fold(words("home.more_choices"), test_id="more-choices"):
            for field in ("car", "heat_pump", "wash", "day", "weather", "roof", "tariff"):
                self._select(field)
            for field in ("buy", "sell"):
                span = state.range_of(state.Home, field)
                kit.number_field(
                    words(f"home.{field}"),
                    getattr(now, field),
                    span.lowest,
                    span.highest,
                    span.step,
                    partial(self._set_one, field),
                    test_id=field,
                )
        with kit.tag("div", "x-buttons"):
            kit.button(
                words("home.reset"), lambda: self._jump(state.Home(), ""), data_testid="reset"
            )
            kit.button(words("home.surprise"), self._surprise, data_testid="surprise")

    def _slider(
        self, field: str, value: float, text: Callable[[float], str], label: str | None = None
    ) -> None:
        span = state.range_of(state.Home, field)
        kit.range_field(
            self.words(f"home.{label or field}"),
            value,
            span.lowest,
            span.highest,
            span.step,
            text,
            lambda now: self._set_one(field, int(now) if field == "people" else now),
            test_id=label or field,
        )

    def _segments(self, field: str) -> None:
        options = {
            key: self.words(f"home.{field}_{key}") for key in state.options_of(state.Home, field)
        }
        chosen = getattr(self.view.state, field)
        kit.segments(
            self.words(f"home.{field}"),
            options,
            chosen,
            lambda key: self._set(**{field: key}),
            test_id=field,
        )

    def _select(self, field: str) -> None:
        options = {
            key: self.words(f"home.{field}_{key}") for key in state.options_of(state.Home, field)
        }
        chosen = getattr(self.view.state, field)
        kit.select_field(
            self.words(f"home.{field}"),
            options,
            chosen,
            partial(self._set_one, field),
            test_id=field,
        )

    def _panels_text(self, kwp: float) -> str:
        if kwp <= 0:
            return self.words("home.panels_none")
        return self.words(
            "home.panels_text", kwp=self.words.kwp(kwp), n=max(round(kwp / _PANEL_KWP), 1)
        )

    def _battery_text(self, kwh: float) -> str:
        return self.words("home.battery_none") if kwh <= 0 else f"{self.words.short(kwh)}\u00a0kWh"

    def _results(self) -> None:
        words, day = self.words, self._day()
        with kit.tag("div", "x-watch"):
            with kit.tag("div", "x-card"):
                self._headline = kit.Sentence(
                    self._sentence(day), tag="h2", classes="x-headline", test_id="sentence"
                )
                self._spoken = kit.Spoken()
            first = kit.tag("div")
        rest = kit.tag("div", "x-card x-rest")
        with first:
            self._when = kit.ChartCard(
                words,
                words("home.when_title"),
                self._when_chart(),
                classes="x-first",
                height="",
                rest=rest,
                test_id="chart-a",
            )
        with self._when.below:
            self._reading()
        self._balance = kit.ChartCard(
            words,
            words("home.balance_title"),
            self._balance_chart(day),
            height="11rem",
            classes="x-second",
            test_id="chart-b",
        )
        with (
            kit.fold(words("home.more_title"), "x-card x-more", test_id="more-charts") as more,
            kit.tag("div", "x-stack"),
        ):
            self._bill = kit.ChartCard(
                words,
                words("home.bill_title"),
                self._bill_chart(day),
                height="9rem",
                test_id="chart-d",
            )
            self._months = kit.ChartCard(
                words,
                words("home.months_title"),
                self._months_chart(),
                height="18rem",
                test_id="chart-c",
            )
            self._clock = kit.ChartCard(
                words,
                words("home.clock_title"),
                charts.around_the_clock(words, self._shown),
                note=words("home.clock_note"),
                height="23rem",
                sentence=False,
                test_id="chart-e",
            )
        self._more_open = False
        more.on("toggle", self._more_toggled, js_handler="(e) => emit(e.target.open)")

    def _reading(self) -> None:
        """A time that is read out: the chart's numbers for the keyboard."""
        words = self.words

        def read(quarter: float) -> None:
            self._at = int(quarter)
            self._when.show(self._when_chart())

        with kit.fold(words("home.read_time"), "x-read", test_id="read-time"):
            kit.range_field(
                words("home.read_time"),
                48,
                0,
                home_day.QUARTERS - 1,
                1,
                lambda quarter: charts.reading(words, self._shown, int(quarter)),
                read,
                test_id="time",
            )
            kit.check_field(words("home.ghost"), True, self._set_ghost, test_id="ghost")

    def _own_data(self) -> None:
        with kit.fold(self.words("home.own_title"), test_id="own-data-fold"):
            self._own_box = kit.tag("div")
            upload_field(self.words, self._taken)

    def _taken(self, token: str, found: OwnData) -> None:
        """A file was understood: its first home's use counts from now on."""
        folder = services().uploads.folder(token)
        if folder is None:
            return
        _, load_kwh, _ = stored(folder)
        days = by_day(found, load_kwh[:, 0])
        dates = pd.date_range(found.first, periods=len(days))
        names = {
            str(at): format_date(date, "full", locale=LOCALES[self.words.lang])
            for at, date in enumerate(dates)
        }

        def show(at: str) -> None:
            date = dates[int(at)]
            self._own = tuple(days[int(at)].tolist())
            month = date.month % 12 // 3
            kind = "weekend" if date.dayofweek >= 5 else "weekday"
            said = self.words("home.own_on", name=found.names[0], date=names[at])
            self._jump(state.replace(self.view.state, season=state.SEASONS[month], day=kind), said)

        self.view.own_data = True
        self._own_box.clear()
        with self._own_box:
            kit.attributes(
                kit.Text("p", found_text(self.words, found), "x-note"), data_testid="own-data"
            )
            kit.select_field(self.words("home.own_day"), names, "0", show, test_id="own-day")
            kit.button(
                self.words("home.own_off"), lambda: self._own_off(token), data_testid="own-off"
            )
        show("0")

    def _own_off(self, token: str) -> None:
        services().uploads.delete(token)
        self._own, self.view.own_data = None, False
        self._own_box.clear()
        self._jump(self.view.state, "")

    def _set_one(self, field: str, value: Any) -> None:
        self._set(**{field: value})

    def _set_ghost(self, on: bool) -> None:
        self._wants_ghost = on
        self._ghost = None
        self._when.show(self._when_chart())

    def _set(self, **changes: Any) -> None:
        """One control was moved: simulate, draw, say."""
        if "held" not in self._timers:
            self._ghost = self._shown
        self.view.change(**changes)
        day = self._day()
        self._shown = self._power(day)
        self._top_kw = max(self._top_kw, self._needed(self._shown))
        self._draw(day)
        self._later("held", _HELD_S, self._let_go)
        self._later("ghost", _GHOST_S, self._forget_ghost)

    def _draw(self, day: home_day.Day) -> None:
        sentence = self._sentence(day)
        self._headline.show(sentence)
        self._spoken.show(sentence)
        self._when.show(self._when_chart())
        self._balance.show(self._balance_chart(day))
        if self._more_open:
            self._draw_more(day)

    def _draw_more(self, day: home_day.Day) -> None:
        self._bill.show(self._bill_chart(day))
        self._months.box.set_visibility(self._own is None)
        self._months.show(self._months_chart())
        self._clock.show(charts.around_the_clock(self.words, self._shown))

    def _more_toggled(self, event: Any) -> None:
        self._more_open = bool(event.args)
        if self._more_open:
            self._draw_more(self._day())

    def _let_go(self) -> None:
        needed = self._needed(self._shown)
        if needed < self._top_kw:
            self._top_kw = needed
            self._when.show(self._when_chart())

    def _forget_ghost(self) -> None:
        if self._ghost is not None:
            self._ghost = None
            self._when.show(self._when_chart())

    def _later(self, what: str, seconds: float, do: Callable[[], None]) -> None:
        if what in self._timers:
            self._timers[what].cancel()

        def now() -> None:
            self._timers.pop(what, None)
            if not self.view.client.is_deleted:
                do()

        self._timers[what] = asyncio.get_running_loop().call_later(seconds, now)

    def _jump(self, home: state.Home, notice: str) -> None:
        """All controls at once."""
        self._controls_box.clear()
        self.view.change(**vars(home))
        with self._controls_box:
            self._controls()
        self._set()
        self.banner.show(notice)

    def _surprise(self) -> None:
        known = FAMILIES.index(self.view.state) if self.view.state in FAMILIES else -1
        number = (known + 1) % len(FAMILIES)
        words = self.words
        self._jump(FAMILIES[number], words("home.family", name=words(f"home.family_{number + 1}")))

    def _day(self) -> home_day.Day:
        return home_day.day(self.view.state, self._own)

    def _power(self, day: home_day.Day) -> charts.Power:
        stored = day.stored_share if self.view.state.battery_kwh > 0 else None
        return charts.Power(day.use_kwh / home_day.HOURS, day.solar_kwh / home_day.HOURS, stored)

    @staticmethod
    def _needed(power: charts.Power) -> float:
        """End of the axis: the next half or whole kW above all of it."""
        highest = max(float(np.max(power.use)), float(np.max(power.solar))) * 1.03
        step = 0.5 if highest < 3 else 1.0 if highest < 8 else 2.0
        return max(math.ceil(highest / step) * step, _TOP_KW)

    def _sentence(self, day: home_day.Day) -> str:
        used, made = float(day.use_kwh.sum()), float(day.solar_kwh.sum())
        return charts.headline(self.words, day.own_share, used, made, day.bill, day.bill_without)

    def _when_chart(self) -> charts.Chart:
        ghost = self._ghost if self._wants_ghost else None
        return charts.when(self.words, self._shown, self._top_kw, ghost, self._at)

    def _balance_chart(self, day: home_day.Day) -> charts.Chart:
        direct = float(day.direct_kwh.sum())
        sums = (day.discharge_kwh, day.import_kwh, day.charge_kwh, day.export_kwh)
        return charts.balance(
            self.words, charts.Energy(direct, *(float(part.sum()) for part in sums))
        )

    def _bill_chart(self, day: home_day.Day) -> charts.Chart:
        return charts.bill(self.words, day.bill_without, day.bill)

    def _months_chart(self) -> charts.Chart:
        names = list(get_month_names("abbreviated", locale=LOCALES[self.words.lang]).values())
        return charts.months(self.words, names, *home_day.months(self.view.state))
