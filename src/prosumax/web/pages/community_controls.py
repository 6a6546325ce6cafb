"""Controls of the community page: homes, sharing rule and period."""

from collections.abc import Callable

from prosumax.market.mechanism import mechanisms
from prosumax.web import kit
from prosumax.web.model import state
from prosumax.web.model.communities import (
    LEARNED_PRICE_MECHANISM,
    PRESETS,
    category_prices,
    citylearn_available,
    community_homes,
    random_homes,
)
from prosumax.web.model.own_data import OwnData
from prosumax.web.model.state import (
    FIRST_NAMES,
    GOALS,
    MAX_HOMES,
    ROUTINES,
    RULES,
    SEASONS,
    STYLES,
    CustomHome,
)
from prosumax.web.model.view import PageView
from prosumax.web.server.upload_field import add_upload_field, own_data_text

_RULES_WITH_PRICE = ("equal", "use", "hybrid")
_PRESETS = ("street", "block", "school", "village", "citylearn", "own", "file")
_RANDOM_HOMES = 8


class CommunityControls:
    """Three collapsible steps whose summaries show the current settings.

    Args:
        view: View of the page.
        on_change: Called after a setting changed.
        on_file: Called with the token of an uploaded file, or None when it was deleted.
    """

    def __init__(
        self,
        view: PageView[state.CommunityPageState],
        on_change: Callable[[], object],
        on_file: Callable[[str | None], object],
    ) -> None:
        self.view = view
        self.tr = view.tr
        self.on_change = on_change
        self.on_file = on_file
        self.own_data: OwnData | None = None
        with kit.tag("section", "x-card", aria_label=self.tr("community.step_homes")):
            with kit.tag("details", "x-fold x-step", data_testid="step-homes"):
                self.homes_summary = self._add_summary("homes")
                self.presets_box = kit.tag("div")
                self.homes_box = kit.tag("div", data_testid="homes")
            with kit.tag("details", "x-fold x-step", data_testid="step-rule") as rule_step:
                rule_step.props["^open"] = "open"
                self.rule_summary = self._add_summary("rule")
                self._add_rules()
                self.rule_box = kit.tag("div")
            with kit.tag("details", "x-fold x-step", data_testid="step-period"):
                self.period_summary = self._add_summary("period")
                self.period_box = kit.tag("div")
        self._add_presets()
        self._build_homes()
        self._build_rule_options()
        self._build_period()
        self._update_summaries()

    def _add_summary(self, name: str) -> kit.Text:
        """Add the summary of a step and return its line with the current settings."""
        with kit.tag("summary"):
            kit.Text("span", self.tr(f"community.step_{name}"))
            return kit.Text("span", "", "x-step-now")

    def _update(self, **changes: object) -> None:
        """Change the state and notify the page."""
        self.view.update(**changes)
        self._notify()

    def _notify(self) -> None:
        self._update_summaries()
        self.on_change()

    def _update_summaries(self) -> None:
        community = self.view.state
        tr = self.tr
        homes = tr(f"community.preset_{community.preset}")
        if community.preset == "own":
            homes += f" ({tr('community.homes_n', n=len(community.homes))})"
        self.homes_summary.set_text(homes)
        self.rule_summary.set_text(tr(f"community.rule_{community.rule}"))
        period = tr(f"community.period_{community.period}")
        if self._has_season():
            period += f", {tr(f'community.season_{community.season}').lower()}"
        self.period_summary.set_text(period)

    def _has_season(self) -> bool:
        community = self.view.state
        return community.period != "year" and community.preset not in ("file", "citylearn")

    # Homes

    def _add_presets(self) -> None:
        tr = self.tr
        available = citylearn_available()
        options = {
            name: (tr(f"community.preset_{name}"), tr(f"community.preset_{name}_text"))
            for name in _PRESETS
            if name != "citylearn" or available
        }
        with self.presets_box:
            kit.choice_cards(
                tr("community.presets"),
                options,
                self.view.state.preset,
                self._choose_preset,
                "presets",
            )
            if not available:
                kit.Text("p", tr("community.preset_citylearn_missing"), "x-hint")

    def _choose_preset(self, preset: str) -> None:
        """Change the preset; custom homes start as a copy of the previous community."""
        community = self.view.state
        changes: dict[str, object] = {"preset": preset}
        if preset == "own" and not community.homes:
            changes["homes"] = community_homes(community) or PRESETS["street"]
        self.view.update(**changes)
        self._build_homes()
        self._build_period()
        self._notify()

    def _build_homes(self) -> None:
        """Build the controls of custom homes, or of an uploaded file."""
        self.homes_box.clear()
        with self.homes_box:
            if self.view.state.preset == "own":
                self._add_custom_homes()
            elif self.view.state.preset == "file":
                self._add_file()

    def _add_custom_homes(self) -> None:
        tr = self.tr
        community = self.view.state
        is_full = len(community.homes) >= MAX_HOMES
        kit.Text("p", tr("community.style_hint"), "x-hint")
        for index, home in enumerate(community.homes):
            self._add_home(index, home)
        if is_full:
            kit.Text("p", tr("community.most_homes"), "x-hint")
        with kit.tag("div", "x-buttons"):
            add = kit.button(tr("community.add"), self._append_home, data_testid="add-home")
            kit.set_attributes(add, disabled=is_full)
            kit.button(
                tr("community.draw", n=community.seed), self._draw_homes, data_testid="draw-homes"
            )

    def _add_home(self, index: int, home: CustomHome) -> None:
        """Add the controls of one home."""
        tr = self.tr
        with kit.tag("details", "x-fold x-home-row", data_testid=f"home-{index}"):
            summary = kit.Text("summary", self._home_text(home))

            def change(**changes: object) -> None:
                homes = list(self.view.state.homes)
                homes[index] = state.replace(homes[index], **changes)
                summary.set_text(self._home_text(homes[index]))
                self._update(homes=tuple(homes))

            kit.select_field(
                tr("community.name"),
                {str(number): name for number, name in enumerate(FIRST_NAMES)},
                str(home.name),
                lambda value: change(name=int(value)),
            )
            kit.range_field(
                tr("community.people"),
                home.people,
                1,
                6,
                1,
                lambda count: tr("community.people_n", n=int(count)),
                lambda count: change(people=int(count)),
            )
            self._select("routine", ROUTINES, home.routine, lambda value: change(routine=value))
            kit.range_field(
                tr("community.panels"),
                home.panels_kwp,
                0,
                12,
                0.5,
                tr.kwp,
                lambda kwp: change(panels_kwp=kwp),
                f"panels-{index}",
            )
            kit.range_field(
                tr("community.battery"),
                home.battery_kwh,
                0,
                15,
                0.5,
                tr.kwh,
                lambda kwh: change(battery_kwh=kwh),
            )
            self._select("goal", GOALS, home.goal, lambda value: change(goal=value))
            self._select(
                "style", STYLES, home.style, lambda value: change(style=value), f"style-{index}"
            )
            with kit.tag("div", "x-buttons"):
                name = FIRST_NAMES[home.name]
                duplicate = tr("community.duplicate")
                kit.set_attributes(
                    kit.button(duplicate, lambda: self._duplicate_home(index)),
                    aria_label=f"{duplicate}: {name}",
                    disabled=len(self.view.state.homes) >= MAX_HOMES,
                )
                remove = tr("community.remove")
                kit.set_attributes(
                    kit.button(
                        remove, lambda: self._remove_home(index), data_testid=f"remove-{index}"
                    ),
                    aria_label=f"{remove}: {name}",
                )

    def _select(
        self,
        name: str,
        options: tuple[str, ...],
        value: str,
        on_change: Callable[[str], object],
        test_id: str | None = None,
    ) -> None:
        labels = {option: self.tr(f"community.{name}_{option}") for option in options}
        kit.select_field(self.tr(f"community.{name}"), labels, value, on_change, test_id)

    def _home_text(self, home: CustomHome) -> str:
        """Describe a home in one line."""
        parts = [self.tr("community.people_n", n=home.people)]
        if home.panels_kwp:
            parts.append(self.tr.kwp(home.panels_kwp))
        if home.battery_kwh:
            parts.append(self.tr.kwh(home.battery_kwh))
        return f"{FIRST_NAMES[home.name]}: {', '.join(parts)}"

    def _append_home(self) -> None:
        """Add a home with an unused name."""
        used = {home.name for home in self.view.state.homes}
        name = next((number for number in range(len(FIRST_NAMES)) if number not in used), 0)
        self._set_homes((*self.view.state.homes, CustomHome(name)))

    def _duplicate_home(self, index: int) -> None:
        homes = self.view.state.homes
        self._set_homes((*homes[: index + 1], homes[index], *homes[index + 1 :]))

    def _remove_home(self, index: int) -> None:
        homes = self.view.state.homes
        self._set_homes((*homes[:index], *homes[index + 1 :]))

    def _draw_homes(self) -> None:
        """Draw random homes with the next seed, which changes the weather too."""
        seed = (self.view.state.seed + 1) % 1000
        self.view.update(seed=seed)
        self._set_homes(random_homes(_RANDOM_HOMES, seed))

    def _set_homes(self, homes: tuple[CustomHome, ...]) -> None:
        self.view.update(homes=homes[:MAX_HOMES])
        self._build_homes()
        self._notify()

    def _add_file(self) -> None:
        tr = self.tr
        if self.own_data is not None:
            title = kit.Text("p", tr("upload.own_data"), "x-said")
            kit.set_attributes(title, data_testid="own-data")
            kit.Text("p", own_data_text(tr, self.own_data))
            kit.button(tr("upload.delete"), self._delete_file, data_testid="delete-file")
        add_upload_field(tr, self._use_file)

    def _use_file(self, token: str, data: OwnData) -> None:
        self.own_data = data
        self.on_file(token)
        self._build_homes()

    def _delete_file(self) -> None:
        self.own_data = None
        self.on_file(None)
        self._build_homes()

    # Sharing rule

    def _add_rules(self) -> None:
        tr = self.tr
        options = {
            name: (tr(f"community.rule_{name}"), tr(f"community.rule_{name}_text"))
            for name in RULES
            if name != "learned" or LEARNED_PRICE_MECHANISM in mechanisms
        }
        kit.choice_cards(
            tr("community.rules"), options, self.view.state.rule, self._choose_rule, "rules"
        )

    def _choose_rule(self, rule: str) -> None:
        self.view.update(rule=rule)
        self._build_rule_options()
        self._notify()

    def _build_rule_options(self) -> None:
        """Build the options of the rule: rounds, price and proximity category."""
        community = self.view.state
        tr = self.tr
        self.rule_box.clear()
        with self.rule_box:
            if community.rule == "equal":
                kit.segmented_control(
                    tr("community.rounds_label"),
                    {name: tr(f"community.rounds_{name}") for name in ("one", "several")},
                    community.rounds,
                    lambda value: self._update(rounds=value),
                    "rounds",
                )
            if community.rule in _RULES_WITH_PRICE:
                limits = state.number_range(state.CommunityPageState, "price")
                kit.range_field(
                    tr("community.price_label"),
                    community.price,
                    limits.lowest,
                    limits.highest,
                    limits.step,
                    tr.price,
                    self._set_price,
                    "price",
                )
                self.price_hint = kit.Text("p", "", "x-hint")
                self._update_price_hint()
            if community.rule != "none":
                kit.select_field(
                    tr("community.category"),
                    {name: tr(f"community.category_{name}") for name in "ABCD"},
                    community.category,
                    self._set_category,
                    "category",
                )

    def _set_price(self, price: float) -> None:
        self._update(price=price)
        self._update_price_hint()

    def _set_category(self, category: str) -> None:
        self._update(category=category)
        if self.view.state.rule in _RULES_WITH_PRICE:
            self._update_price_hint()

    def _update_price_hint(self) -> None:
        """Show the total price of a neighbor's kWh."""
        community = self.view.state
        tr = self.tr
        retail, local_grid_fee = category_prices(community.category)
        self.price_hint.set_text(
            tr(
                "community.price_hint",
                charges=tr.euro(local_grid_fee),
                total=tr.euro(community.price + local_grid_fee),
                retail=tr.euro(retail),
            )
        )

    # Period

    def _build_period(self) -> None:
        """Build the controls of length and season."""
        community = self.view.state
        tr = self.tr
        self.period_box.clear()
        with self.period_box:
            lengths = state.choice_options(state.CommunityPageState, "period")
            kit.segmented_control(
                tr("community.period"),
                {name: tr(f"community.period_{name}") for name in lengths},
                community.period,
                self._set_period,
                "period",
            )
            if self._has_season():
                kit.segmented_control(
                    tr("community.season"),
                    {name: tr(f"community.season_{name}") for name in SEASONS},
                    community.season,
                    lambda value: self._update(season=value),
                    "season",
                )

    def _set_period(self, period: str) -> None:
        self.view.update(period=period)
        self._build_period()
        self._notify()
