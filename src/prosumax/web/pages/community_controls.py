"""The left column of the community page: homes, rule, period."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from prosumax.market.mechanism import mechanisms
from prosumax.web import kit
from prosumax.web.model import state
from prosumax.web.model.communities import (
    LEARNED,
    PRESETS,
    category_prices,
    citylearn_is_here,
    drawn_homes,
    homes_of,
)
from prosumax.web.model.own_data import OwnData
from prosumax.web.model.state import (
    FIRST_NAMES,
    GOALS,
    MOST_HOMES,
    ROUTINES,
    RULES,
    SEASONS,
    STYLES,
    OwnHome,
)
from prosumax.web.model.view import View
from prosumax.web.server.upload_field import found_text, upload_field

_PRICED = ("equal", "use", "hybrid")
_PRESETS = ("street", "block", "school", "village", "citylearn", "own", "file")


class Controls:
    """Three steps, each a fold with what is set in its summary.

    Arguments:
        view: of the page.
        on_change: called after something was set.
        on_file: called with the token of a file that was taken, or None when it was deleted.
    """

    def __init__(
        self,
        view: View[state.Community],
        on_change: Callable[[], Any],
        on_file: Callable[[str | None], Any],
    ) -> None:
        self.view, self.words, self.on_change, self.on_file = view, view.words, on_change, on_file
        self.found: OwnData | None = None
        with kit.tag("section", "x-card", aria_label=self.words("community.step_homes")):
            with kit.tag("details", "x-fold x-step", data_testid="step-homes"):
                self.homes_now = self.summary("homes")
                self.presets = kit.tag("div")
                self.homes_box = kit.tag("div", data_testid="homes")
            with kit.tag("details", "x-fold x-step", data_testid="step-rule") as rule:
                rule.props["^open"] = "open"
                self.rule_now = self.summary("rule")
                self.rules()
                self.rule_box = kit.tag("div")
            with kit.tag("details", "x-fold x-step", data_testid="step-period"):
                self.period_now = self.summary("period")
                self.period_box = kit.tag("div")
        self.preset_cards()
        self.homes()
        self.rule_options()
        self.period()
        self.say()

    def summary(self, name: str) -> kit.Text:
        """What a closed step shows: its title, and the line that is returned."""
        with kit.tag("summary"):
            kit.Text("span", self.words(f"community.step_{name}"))
            return kit.Text("span", "", "x-step-now")

    def set(self, **changes: Any) -> None:
        """Change the state, and say so."""
        self.view.change(**changes)
        self.say()
        self.on_change()

    def say(self) -> None:
        """What is set, in the summaries."""
        now, words = self.view.state, self.words
        named = words(f"community.preset_{now.preset}")
        if now.preset == "own":
            named += f" ({words('community.homes_n', n=len(now.homes))})"
        self.homes_now.set_text(named)
        self.rule_now.set_text(words(f"community.rule_{now.rule}"))
        season = "" if now.period == "year" or now.preset in ("file", "citylearn") else now.season
        period = words(f"community.period_{now.period}")
        self.period_now.set_text(
            f"{period}, {words(f'community.season_{season}').lower()}" if season else period
        )

    # Homes

    def preset_cards(self) -> None:
        """Which community."""
        words = self.words
        self.presets.clear()
        options = {}
        for name in _PRESETS:
            missing = name == "citylearn" and not citylearn_is_here()
            if not missing:
                options[name] = (
                    words(f"community.preset_{name}"),
                    words(f"community.preset_{name}_text"),
                )
        with self.presets:
            kit.choice_cards(
                words("community.presets"), options, self.view.state.preset, self.choose, "presets"
            )
            if not citylearn_is_here():
                kit.Text("p", words("community.preset_citylearn_missing"), "x-hint")

    def choose(self, preset: str) -> None:
        """Another community; one's own begins with the homes of the one before."""
        now = self.view.state
        changes: dict[str, Any] = {"preset": preset}
        if preset == "own" and not now.homes:
            changes["homes"] = homes_of(now) or PRESETS["street"]
        self.view.change(**changes)
        self.homes()
        self.period()
        self.say()
        self.on_change()

    def homes(self) -> None:
        """The table of own homes, or the file."""
        self.homes_box.clear()
        with self.homes_box:
            if self.view.state.preset == "own":
                self.own_homes()
            elif self.view.state.preset == "file":
                self.file()

    def own_homes(self) -> None:
        """One fold per home."""
        words, now = self.words, self.view.state
        kit.Text("p", words("community.style_hint"), "x-hint")
        for at, home in enumerate(now.homes):
            self.home(at, home)
        if len(now.homes) >= MOST_HOMES:
            kit.Text("p", words("community.most_homes"), "x-hint")
        with kit.tag("div", "x-buttons"):
            more = kit.button(words("community.add"), self.add, data_testid="add-home")
            kit.attributes(more, disabled=len(now.homes) >= MOST_HOMES)
            kit.button(words("community.draw", n=now.seed), self.draw, data_testid="draw-homes")

    def home(self, at: int, home: OwnHome) -> None:
        """The controls of one home."""
        words = self.words
        with kit.tag("details", "x-fold x-home-row", data_testid=f"home-{at}"):
            summary = kit.Text("summary", self.home_text(home))

            def change(**changes: Any) -> None:
                homes = list(self.view.state.homes)
                homes[at] = replace(homes[at], **changes)
                summary.set_text(self.home_text(homes[at]))
                self.set(homes=tuple(homes))

            names = {str(number): name for number, name in enumerate(FIRST_NAMES)}
            kit.select_field(
                words("community.name"), names, str(home.name), lambda v: change(name=int(v))
            )
            kit.range_field(
                words("community.people"), home.people, 1, 6, 1, lambda v: words("community.people_n", n=int(v)),
                lambda v: change(people=int(v)),
            )  # fmt: skip
            self.select("routine", ROUTINES, home.routine, lambda v: change(routine=v))
            kit.range_field(
                words("community.panels"), home.panels_kwp, 0, 12, 0.5, words.kwp, lambda v: change(panels_kwp=v),
                f"panels-{at}",
            )  # fmt: skip
            kit.range_field(
                words("community.battery"),
                home.battery_kwh,
                0,
                15,
                0.5,
                words.kwh,
                lambda v: change(battery_kwh=v),
            )
            self.select("goal", GOALS, home.goal, lambda v: change(goal=v))
            self.select("style", STYLES, home.style, lambda v: change(style=v), f"style-{at}")
            with kit.tag("div", "x-buttons"):
                name = FIRST_NAMES[home.name]
                again = kit.button(words("community.duplicate"), lambda: self.duplicate(at))
                kit.attributes(again, aria_label=f"{words('community.duplicate')}: {name}")
                kit.attributes(again, disabled=len(self.view.state.homes) >= MOST_HOMES)
                away = kit.button(
                    words("community.remove"), lambda: self.remove(at), data_testid=f"remove-{at}"
                )
                kit.attributes(away, aria_label=f"{words('community.remove')}: {name}")

    def select(
        self,
        name: str,
        options: tuple[str, ...],
        value: str,
        on_change: Callable[[str], Any],
        test_id: str | None = None,
    ) -> None:
        """One of some words of the page's texts."""
        shown = {option: self.words(f"community.{name}_{option}") for option in options}
        kit.select_field(self.words(f"community.{name}"), shown, value, on_change, test_id)

    def home_text(self, home: OwnHome) -> str:
        """A home in one line."""
        parts = [self.words("community.people_n", n=home.people)]
        parts += [self.words.kwp(home.panels_kwp)] if home.panels_kwp else []
        parts += [self.words.kwh(home.battery_kwh)] if home.battery_kwh else []
        return f"{FIRST_NAMES[home.name]}: {', '.join(parts)}"

    def add(self) -> None:
        """A home by a name that is free."""
        used = {home.name for home in self.view.state.homes}
        name = next((number for number in range(len(FIRST_NAMES)) if number not in used), 0)
        self.become((*self.view.state.homes, OwnHome(name)))

    def duplicate(self, at: int) -> None:
        """The same home once more."""
        homes = self.view.state.homes
        self.become((*homes[: at + 1], homes[at], *homes[at + 1 :]))

    def remove(self, at: int) -> None:
        """One home less."""
        homes = self.view.state.homes
        self.become((*homes[:at], *homes[at + 1 :]))

    def draw(self) -> None:
        """Eight other homes, and another weather with the next number."""
        seed = (self.view.state.seed + 1) % 1000
        self.view.change(seed=seed)
        self.become(drawn_homes(8, seed))

    def become(self, homes: tuple[OwnHome, ...]) -> None:
        """Take these homes."""
        self.view.change(homes=homes[:MOST_HOMES])
        self.homes()
        self.say()
        self.on_change()

    def file(self) -> None:
        """The visitor's file."""
        words = self.words
        if self.found is not None:
            kit.attributes(
                kit.Text("p", words("upload.own_data"), "x-said"), data_testid="own-data"
            )
            kit.Text("p", found_text(words, self.found))
            kit.button(words("upload.delete"), self.forget, data_testid="delete-file")
        upload_field(words, self.taken)

    def taken(self, token: str, found: OwnData) -> None:
        """A file was understood."""
        self.found = found
        self.on_file(token)
        self.homes()

    def forget(self) -> None:
        """Delete the file."""
        self.found = None
        self.on_file(None)
        self.homes()

    # Rule

    def rules(self) -> None:
        """Which rule."""
        words = self.words
        known = [name for name in RULES if name != "learned" or LEARNED in mechanisms]
        options = {
            name: (words(f"community.rule_{name}"), words(f"community.rule_{name}_text"))
            for name in known
        }
        kit.choice_cards(
            words("community.rules"), options, self.view.state.rule, self.choose_rule, "rules"
        )

    def choose_rule(self, rule: str) -> None:
        """Another rule."""
        self.view.change(rule=rule)
        self.rule_options()
        self.say()
        self.on_change()

    def rule_options(self) -> None:
        """What belongs to the rule: rounds, price, distance."""
        now, words = self.view.state, self.words
        self.rule_box.clear()
        with self.rule_box:
            if now.rule == "equal":
                rounds = {name: words(f"community.rounds_{name}") for name in ("one", "several")}
                kit.segments(
                    words("community.rounds_label"),
                    rounds,
                    now.rounds,
                    lambda v: self.set(rounds=v),
                    "rounds",
                )
            if now.rule in _PRICED:
                limits = state.range_of(state.Community, "price")
                kit.range_field(
                    words("community.price_label"), now.price, limits.lowest, limits.highest, limits.step, words.price,
                    self.set_price, "price",
                )  # fmt: skip
                self.price_hint = kit.Text("p", "", "x-hint")
                self.say_price()
            if now.rule != "none":
                options = {name: words(f"community.category_{name}") for name in "ABCD"}
                kit.select_field(
                    words("community.category"),
                    options,
                    now.category,
                    self.set_category,
                    "category",
                )

    def set_price(self, price: float) -> None:
        """Another price."""
        self.set(price=price)
        self.say_price()

    def set_category(self, category: str) -> None:
        """Nearer or further."""
        self.set(category=category)
        if self.view.state.rule in _PRICED:
            self.say_price()

    def say_price(self) -> None:
        """What a neighbour's kWh costs in all."""
        now, words = self.view.state, self.words
        retail, charges = category_prices(now.category)
        values: Mapping[str, float] = {
            "charges": charges,
            "total": now.price + charges,
            "retail": retail,
        }
        self.price_hint.set_text(
            words(
                "community.price_hint",
                **{name: words.euro(value) for name, value in values.items()},
            )
        )

    # Period

    def period(self) -> None:
        """How long, and when."""
        now, words = self.view.state, self.words
        self.period_box.clear()
        with self.period_box:
            lengths = {
                name: words(f"community.period_{name}")
                for name in state.options_of(state.Community, "period")
            }
            kit.segments(words("community.period"), lengths, now.period, self.set_period, "period")
            if now.period != "year" and now.preset not in ("file", "citylearn"):
                seasons = {name: words(f"community.season_{name}") for name in SEASONS}
                kit.segments(
                    words("community.season"),
                    seasons,
                    now.season,
                    lambda v: self.set(season=v),
                    "season",
                )

    def set_period(self, period: str) -> None:
        """Another length."""
        self.view.change(period=period)
        self.period()
        self.say()
        self.on_change()
