"""Page 2: one home on one day, updated while controls move."""

import asyncio
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from babel.dates import format_date, get_month_names
from nicegui.events import GenericEventArguments

from prosumax.web import kit
from prosumax.web.charts import home as charts
from prosumax.web.charts.clock import static_svg
from prosumax.web.charts.common import RenderedChart
from prosumax.web.model import home_day, state
from prosumax.web.model.own_data import OwnData, load_own_data, split_by_day
from prosumax.web.model.sample_data import STEPS_PER_DAY
from prosumax.web.model.translations import LOCALES
from prosumax.web.model.view import PageView, add_noscript
from prosumax.web.server.services import get_services
from prosumax.web.server.upload_field import add_upload_field, own_data_text

FAMILIES = (
    state.HomePageState(
        people=2, routine="retired", season="summer", panels_kwp=3.0, weather="clear"
    ),
    state.HomePageState(
        people=4, routine="office", panels_kwp=9.0, battery_kwh=10.0, season="spring"
    ),
    state.HomePageState(people=2, routine="nights", ev="noon", panels_kwp=5.0, season="summer"),
    state.HomePageState(
        people=2, routine="remote", heat_pump="on", season="winter", panels_kwp=6.0
    ),
    state.HomePageState(people=6, routine="home", season="autumn", panels_kwp=0.0),
    state.HomePageState(
        people=1, routine="office", orientation="north", panels_kwp=3.0, season="spring"
    ),
)
"""Examples shown by "Surprise me", in this order; their names are `home.family_1` and following."""

_HOLD_S = 1.2  # without a change after which a slider counts as released
_GHOST_S = 5.0  # for which the previous setting stays visible
_PANEL_KWP = 0.4
_MIN_TOP_KW = 2.0  # smallest end of the power axis


def build(view: PageView[state.HomePageState], banner: kit.Banner) -> None:
    """Build the page.

    Args:
        view: View of the page.
        banner: Banner above the content.
    """
    _Page(view, banner)


class _Page:
    """Controls, charts and sentences that change together."""

    def __init__(self, view: PageView[state.HomePageState], banner: kit.Banner) -> None:
        self.view = view
        self.banner = banner
        self.tr = view.tr
        self._ghost: charts.HomePower | None = None
        self._show_ghost = True
        self._marked_step: int | None = None
        self._measured_kwh: tuple[float, ...] | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        day = self._simulate()
        self._power = self._home_power(day)
        self._top_kw = self._axis_end(self._power)
        drawing = static_svg(self._power.load, self._power.solar)
        add_noscript(self.tr, self.tr("home.title"), [self._headline_text(day)], drawing)
        with kit.tag("div", "x-page x-home"):
            with kit.tag("div", "x-card x-controls"):
                self._controls_box = kit.tag("div")
                with self._controls_box:
                    self._add_controls()
                self._add_own_data()
            with kit.tag("div", "x-stack x-results"):
                self._add_results(day)

    # Controls

    def _add_controls(self) -> None:
        tr = self.tr
        home = self.view.state
        kit.Text("h1", tr("home.title"), "x-h1-small")
        self._slider("people", home.people, lambda count: tr("home.people_text", n=int(count)))
        self._segments("routine")
        self._segments("season")
        self._slider("panels_kwp", home.panels_kwp, self._panels_text, label="panels")
        self._slider("battery_kwh", home.battery_kwh, self._battery_text, label="battery_field")
        with kit.collapsible(tr("home.more_choices"), test_id="more-choices"):
            for field in (
                "ev",
                "heat_pump",
                "appliance_time",
                "day_type",
                "weather",
                "orientation",
                "tariff",
            ):
                self._drop_down(field)
            for field in ("retail_price", "feed_in_price"):
                limits = state.number_range(state.HomePageState, field)
                kit.number_field(
                    tr(f"home.{field}"),
                    getattr(home, field),
                    limits.lowest,
                    limits.highest,
                    limits.step,
                    partial(self._set_field, field),
                    test_id=field,
                )
        with kit.tag("div", "x-buttons"):
            kit.button(
                tr("home.reset"),
                lambda: self._set_home(state.HomePageState(), ""),
                data_testid="reset",
            )
            kit.button(tr("home.surprise"), self._surprise, data_testid="surprise")

    def _slider(
        self,
        field: str,
        value: float,
        format_value: Callable[[float], str],
        label: str | None = None,
    ) -> None:
        limits = state.number_range(state.HomePageState, field)
        kit.range_field(
            self.tr(f"home.{label or field}"),
            value,
            limits.lowest,
            limits.highest,
            limits.step,
            format_value,
            lambda number: self._set_field(field, int(number) if field == "people" else number),
            test_id=label or field,
        )

    def _segments(self, field: str) -> None:
        kit.segmented_control(
            self.tr(f"home.{field}"),
            self._options(field),
            getattr(self.view.state, field),
            partial(self._set_field, field),
            test_id=field,
        )

    def _drop_down(self, field: str) -> None:
        kit.select_field(
            self.tr(f"home.{field}"),
            self._options(field),
            getattr(self.view.state, field),
            partial(self._set_field, field),
            test_id=field,
        )

    def _options(self, field: str) -> dict[str, str]:
        options = state.choice_options(state.HomePageState, field)
        return {key: self.tr(f"home.{field}_{key}") for key in options}

    def _panels_text(self, kwp: float) -> str:
        if kwp <= 0:
            return self.tr("home.panels_none")
        panels = max(round(kwp / _PANEL_KWP), 1)
        return self.tr("home.panels_text", kwp=self.tr.kwp(kwp), n=panels)

    def _battery_text(self, kwh: float) -> str:
        return self.tr("home.battery_none") if kwh <= 0 else f"{self.tr.short(kwh)}\u00a0kWh"

    # Results

    def _add_results(self, day: home_day.HomeDay) -> None:
        tr = self.tr
        with kit.tag("div", "x-watch"):
            with kit.tag("div", "x-card"):
                self._headline = kit.Sentence(
                    self._headline_text(day), tag="h2", classes="x-headline", test_id="sentence"
                )
                self._live_region = kit.LiveRegion()
            first = kit.tag("div")
        rest = kit.tag("div", "x-card x-rest")
        with first:
            self._profile_card = kit.ChartCard(
                tr,
                tr("home.when_title"),
                self._profile_chart(),
                classes="x-first",
                height="",
                rest=rest,
                test_id="chart-a",
            )
        with self._profile_card.below:
            self._add_reading()
        self._balance_card = kit.ChartCard(
            tr,
            tr("home.balance_title"),
            self._balance_chart(day),
            height="11rem",
            classes="x-second",
            test_id="chart-b",
        )
        with (
            kit.collapsible(tr("home.more_title"), "x-card x-more", test_id="more-charts") as more,
            kit.tag("div", "x-stack"),
        ):
            self._bill_card = kit.ChartCard(
                tr, tr("home.bill_title"), self._bill_chart(day), height="9rem", test_id="chart-d"
            )
            self._months_card = kit.ChartCard(
                tr,
                tr("home.months_title"),
                self._months_chart(),
                height="18rem",
                test_id="chart-c",
            )
            self._clock_card = kit.ChartCard(
                tr,
                tr("home.clock_title"),
                charts.day_clock(tr, self._power),
                note=tr("home.clock_note"),
                height="23rem",
                sentence=False,
                test_id="chart-e",
            )
        self._more_open = False
        more.on("toggle", self._toggle_more, js_handler="(e) => emit(e.target.open)")

    def _add_reading(self) -> None:
        """Add a control that reads out one quarter-hour, for keyboard and screen readers."""
        tr = self.tr

        def mark_step(step: float) -> None:
            self._marked_step = int(step)
            self._profile_card.show(self._profile_chart())

        with kit.collapsible(tr("home.read_time"), "x-read", test_id="read-time"):
            kit.range_field(
                tr("home.read_time"),
                48,
                0,
                STEPS_PER_DAY - 1,
                1,
                lambda step: charts.reading_text(tr, self._power, int(step)),
                mark_step,
                test_id="time",
            )
            kit.checkbox_field(tr("home.ghost"), True, self._set_ghost, test_id="ghost")

    # Own meter data

    def _add_own_data(self) -> None:
        with kit.collapsible(self.tr("home.own_title"), test_id="own-data-fold"):
            self._own_data_box = kit.tag("div")
            add_upload_field(self.tr, self._use_own_data)

    def _use_own_data(self, token: str, data: OwnData) -> None:
        """Replace the generated load by that of the first home of an uploaded file."""
        tr = self.tr
        folder = get_services().uploads.folder(token)
        if folder is None:
            return
        _, load_kwh, _ = load_own_data(folder)
        days = split_by_day(data, load_kwh[:, 0])
        dates = pd.date_range(data.first_day, periods=len(days))
        locale = LOCALES[tr.lang]
        names = {
            str(number): format_date(date, "full", locale=locale)
            for number, date in enumerate(dates)
        }

        def show_day(number: str) -> None:
            date = dates[int(number)]
            self._measured_kwh = tuple(days[int(number)].tolist())
            season = state.SEASONS[date.month % 12 // 3]
            day_type = "weekend" if date.dayofweek >= 5 else "weekday"
            notice = tr("home.own_on", name=data.names[0], date=names[number])
            home = state.replace(self.view.state, season=season, day_type=day_type)
            self._set_home(home, notice)

        self.view.own_data = True
        self._own_data_box.clear()
        with self._own_data_box:
            summary = kit.Text("p", own_data_text(tr, data), "x-note")
            kit.set_attributes(summary, data_testid="own-data")
            kit.select_field(tr("home.own_day"), names, "0", show_day, test_id="own-day")
            kit.button(
                tr("home.own_off"), lambda: self._delete_own_data(token), data_testid="own-off"
            )
        show_day("0")

    def _delete_own_data(self, token: str) -> None:
        get_services().uploads.delete(token)
        self._measured_kwh = None
        self.view.own_data = False
        self._own_data_box.clear()
        self._set_home(self.view.state, "")

    # Changes

    def _set_field(self, field: str, value: object) -> None:
        self._update(**{field: value})

    def _set_ghost(self, on: bool) -> None:
        self._show_ghost = on
        self._ghost = None
        self._profile_card.show(self._profile_chart())

    def _update(self, **changes: object) -> None:
        """Change settings, simulate the day, and draw the results."""
        if "hold" not in self._timers:
            self._ghost = self._power
        self.view.update(**changes)
        day = self._simulate()
        self._power = self._home_power(day)
        self._top_kw = max(self._top_kw, self._axis_end(self._power))
        self._draw(day)
        self._schedule("hold", _HOLD_S, self._shrink_axis)
        self._schedule("ghost", _GHOST_S, self._hide_ghost)

    def _draw(self, day: home_day.HomeDay) -> None:
        sentence = self._headline_text(day)
        self._headline.show(sentence)
        self._live_region.show(sentence)
        self._profile_card.show(self._profile_chart())
        self._balance_card.show(self._balance_chart(day))
        if self._more_open:
            self._draw_more(day)

    def _draw_more(self, day: home_day.HomeDay) -> None:
        self._bill_card.show(self._bill_chart(day))
        self._months_card.box.set_visibility(self._measured_kwh is None)
        self._months_card.show(self._months_chart())
        self._clock_card.show(charts.day_clock(self.tr, self._power))

    def _toggle_more(self, event: GenericEventArguments) -> None:
        self._more_open = bool(event.args)
        if self._more_open:
            self._draw_more(self._simulate())

    def _shrink_axis(self) -> None:
        """Adapt the power axis after a slider was released."""
        end = self._axis_end(self._power)
        if end < self._top_kw:
            self._top_kw = end
            self._profile_card.show(self._profile_chart())

    def _hide_ghost(self) -> None:
        if self._ghost is not None:
            self._ghost = None
            self._profile_card.show(self._profile_chart())

    def _schedule(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        """Run an action after a delay; a later call with the same name replaces it."""
        if name in self._timers:
            self._timers[name].cancel()

        def run() -> None:
            self._timers.pop(name, None)
            if not self.view.client.is_deleted:
                action()

        self._timers[name] = asyncio.get_running_loop().call_later(delay_s, run)

    def _set_home(self, home: state.HomePageState, notice: str) -> None:
        """Set all controls at once."""
        self._controls_box.clear()
        self.view.update(**vars(home))
        with self._controls_box:
            self._add_controls()
        self._update()
        self.banner.show(notice)

    def _surprise(self) -> None:
        current = FAMILIES.index(self.view.state) if self.view.state in FAMILIES else -1
        number = (current + 1) % len(FAMILIES)
        name = self.tr(f"home.family_{number + 1}")
        self._set_home(FAMILIES[number], self.tr("home.family", name=name))

    # Data of the charts

    def _simulate(self) -> home_day.HomeDay:
        return home_day.simulate_day(self.view.state, self._measured_kwh)

    def _home_power(self, day: home_day.HomeDay) -> charts.HomePower:
        return charts.HomePower(
            load=day.load_kwh / home_day.STEP_HOURS,
            solar=day.solar_kwh / home_day.STEP_HOURS,
            soc=day.soc if self.view.state.battery_kwh > 0 else None,
        )

    @staticmethod
    def _axis_end(power: charts.HomePower) -> float:
        """Round the highest power up to the end of the axis, kW."""
        highest = max(float(np.max(power.load)), float(np.max(power.solar))) * 1.03
        step = 1.0 if highest < 8 else 2.0
        if highest < 3:
            step = 0.5
        return max(math.ceil(highest / step) * step, _MIN_TOP_KW)

    def _headline_text(self, day: home_day.HomeDay) -> str:
        return charts.headline(
            self.tr,
            day.self_sufficiency,
            float(day.load_kwh.sum()),
            float(day.solar_kwh.sum()),
            day.bill,
            day.baseline_bill,
        )

    def _profile_chart(self) -> RenderedChart:
        ghost = self._ghost if self._show_ghost else None
        return charts.power_profile(self.tr, self._power, self._top_kw, ghost, self._marked_step)

    def _balance_chart(self, day: home_day.HomeDay) -> RenderedChart:
        energy = charts.HomeEnergy(
            direct=float(day.direct_kwh.sum()),
            from_battery=float(day.discharge_kwh.sum()),
            imported=float(day.import_kwh.sum()),
            to_battery=float(day.charge_kwh.sum()),
            exported=float(day.export_kwh.sum()),
        )
        return charts.energy_balance(self.tr, energy)

    def _bill_chart(self, day: home_day.HomeDay) -> RenderedChart:
        return charts.daily_bill(self.tr, day.baseline_bill, day.bill)

    def _months_chart(self) -> RenderedChart:
        names = get_month_names("abbreviated", locale=LOCALES[self.tr.lang])
        return charts.monthly_energy(
            self.tr, list(names.values()), *home_day.monthly_energy(self.view.state)
        )
