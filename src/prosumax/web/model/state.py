"""What a visitor has set on each page: frozen values that a URL holds.

Every field names its key in the URL and what it may be. `read` never fails: what is out of range or not understood is
replaced by the nearest value, or the default, and named, so that the page can say so.
"""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

VERSION = "1"
LANGUAGES = ("en", "fr", "nl")


class Number(NamedTuple):
    """A field that is a number: `key` in the URL, range, and the step it is rounded to."""

    key: str
    lowest: float
    highest: float
    step: float

    def read(self, text: str) -> float | None:
        """The nearest allowed value; None for what is no number."""
        try:
            value = float(text)
        except ValueError:
            return None
        if value != value:
            return None
        value = min(max(value, self.lowest), self.highest)
        value = self.lowest + round((value - self.lowest) / self.step) * self.step
        return int(round(value)) if float(self.step).is_integer() else round(value, 6)

    def write(self, value: float) -> str:
        """As it stands in the URL."""
        return f"{value:g}"


class Choice(NamedTuple):
    """A field that is one of some words."""

    key: str
    options: tuple[str, ...]

    def read(self, text: str) -> str | None:
        """The word; None for another one."""
        return text if text in self.options else None

    def write(self, value: str) -> str:
        """As it stands in the URL."""
        return value


SEASONS = ("winter", "spring", "summer", "autumn")
ROUTINES = ("office", "home", "remote", "retired", "nights")
GOALS = ("bill", "sun", "street")
STYLES = ("habits", "rules", "q", "ppo")
RULES = ("none", "equal", "use", "hybrid", "auction", "learned")
FIRST_NAMES = (
    "Amina", "Bert", "Chloé", "Daan", "Elif", "Fatou", "Georges", "Hanne", "Ibrahim", "Julie", "Karel", "Lina",
    "Mehdi", "Nora", "Omar", "Pauline", "Quinten", "Rosa", "Samir", "Tine", "Ugo", "Vera", "Wout", "Yasmina",
)  # fmt: skip
MOST_HOMES = 24


@dataclass(frozen=True)
class OwnHome:
    """One home of a community that a visitor made.

    name: number of a first name, of `FIRST_NAMES`. panels_kwp and battery_kwh are multiples of a half.
    """

    name: int = 0
    people: int = 3
    routine: str = "office"
    panels_kwp: float = 0.0
    battery_kwh: float = 0.0
    goal: str = "bill"
    style: str = "rules"


class Homes(NamedTuple):
    """A field that is a list of own homes, six bytes each in base64url."""

    key: str

    def read(self, text: str) -> tuple[OwnHome, ...] | None:
        """The homes; None for what is not a list of homes."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(data) % 6 or len(data) > 6 * MOST_HOMES:
            return None
        return tuple(_home(data[start : start + 6]) for start in range(0, len(data), 6))

    def write(self, homes: tuple[OwnHome, ...]) -> str:
        """As it stands in the URL."""
        rows = (
            (
                home.name,
                home.people,
                ROUTINES.index(home.routine),
                round(2 * home.panels_kwp),
                round(2 * home.battery_kwh),
                GOALS.index(home.goal) * len(STYLES) + STYLES.index(home.style),
            )
            for home in homes
        )
        return (
            base64.urlsafe_b64encode(bytes(number for row in rows for number in row))
            .decode()
            .rstrip("=")
        )


def _home(row: bytes) -> OwnHome:
    """Six bytes as a home; each is brought into its range."""
    goal, style = divmod(min(row[5], len(GOALS) * len(STYLES) - 1), len(STYLES))
    return OwnHome(
        name=min(row[0], len(FIRST_NAMES) - 1),
        people=min(max(row[1], 1), 6),
        routine=ROUTINES[min(row[2], len(ROUTINES) - 1)],
        panels_kwp=min(row[3], 24) / 2,
        battery_kwh=min(row[4], 30) / 2,
        goal=GOALS[goal],
        style=STYLES[style],
    )


def _number(default: float, key: str, lowest: float, highest: float, step: float = 1) -> Any:
    return field(default=default, metadata={"kind": Number(key, lowest, highest, step)})


def _choice(default: str, key: str, options: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"kind": Choice(key, options)})


@dataclass(frozen=True)
class Basics:
    """Page 1: the five ideas' controls. `bet` is what the visitor guessed, `open` before."""

    season: str = _choice("spring", "s", SEASONS)
    battery: str = _choice("off", "b", ("off", "on"))
    roofs: int = _number(3, "n", 0, 8)
    bet: str = _choice("open", "g", ("open", "with", "without", "same", "show"))
    surplus_kwh: float = _number(3.0, "k", 0, 8, 0.5)


@dataclass(frozen=True)
class Home:
    """Page 2: one home on one day. Prices are EUR/kWh, all taxes included."""

    people: int = _number(3, "p", 1, 6)
    routine: str = _choice("office", "r", ROUTINES)
    season: str = _choice("spring", "s", SEASONS)
    panels_kwp: float = _number(4.0, "pv", 0, 12, 0.5)
    battery_kwh: float = _number(0.0, "b", 0, 15, 0.5)
    car: str = _choice("none", "ev", ("none", "night", "noon"))
    heat_pump: str = _choice("off", "hp", ("off", "on"))
    wash: str = _choice("evening", "w", ("morning", "noon", "evening"))
    day: str = _choice("weekday", "d", ("weekday", "weekend"))
    weather: str = _choice("mixed", "sky", ("clear", "mixed", "grey"))
    roof: str = _choice("south", "o", ("south", "eastwest", "north"))
    tariff: str = _choice("single", "t", ("single", "daynight"))
    buy: float = _number(0.34, "buy", 0.05, 1.0, 0.01)
    sell: float = _number(0.05, "sell", 0.0, 0.5, 0.01)


@dataclass(frozen=True)
class Community:
    """Page 3: a community, its rule and a period. `homes` count when `preset` is "own"."""

    preset: str = _choice(
        "street", "c", ("street", "block", "school", "village", "citylearn", "own", "file")
    )
    homes: tuple[OwnHome, ...] = field(default=(), metadata={"kind": Homes("h")})
    rule: str = _choice("use", "m", RULES)
    rounds: str = _choice("one", "rounds", ("one", "several"))
    price: float = _number(0.14, "price", 0.05, 0.34, 0.01)
    category: str = _choice("B", "cat", ("A", "B", "C", "D"))
    period: str = _choice("month", "len", ("day", "week", "month", "year"))
    season: str = _choice("spring", "s", SEASONS)
    seed: int = _number(7, "seed", 0, 999)
    hour: float = _number(12.0, "at", 0, 23.75, 0.25)


PAGES: Mapping[str, type] = {"basics": Basics, "home": Home, "community": Community}
PATHS: Mapping[str, str] = {"basics": "/", "home": "/home", "community": "/community"}

State = TypeVar("State", Basics, Home, Community)


def read(page: type[State], query: Mapping[str, str]) -> tuple[State, list[str]]:
    """The state that a query holds, and the names of the fields that had to be changed to something allowed.

    Arguments:
        page: `Basics`, `Home` or `Community`.
        query: key -> text, as a server decodes it; keys of nobody are left alone.
    """
    values, changed = {}, []
    for one in fields(page):
        kind = one.metadata["kind"]
        if kind.key not in query:
            continue
        text = query[kind.key]
        value = kind.read(text)
        if value is None or (isinstance(kind, Number) and abs(float(text) - value) > 1e-9):
            changed.append(one.name)
        if value is not None:
            values[one.name] = value
    return page(**values), changed


def write(state: Basics | Home | Community, language: str) -> str:
    """Path and query of a state: everything that differs from the default."""
    page = next(name for name, kind in PAGES.items() if isinstance(state, kind))
    query = {"lang": language, "v": VERSION}
    for one in fields(state):
        value = getattr(state, one.name)
        if value != one.default:
            query[one.metadata["kind"].key] = one.metadata["kind"].write(value)
    return f"{PATHS[page]}?{urlencode(query)}"


def replace(state: State, **changes: Any) -> State:
    """The state with some fields changed."""
    return dataclasses.replace(state, **changes)


def range_of(page: type, name: str) -> Number:
    """Range and step of a number, for its control."""
    kind = next(one for one in fields(page) if one.name == name).metadata["kind"]
    assert isinstance(kind, Number)
    return kind


def options_of(page: type, name: str) -> tuple[str, ...]:
    """Words that a choice may be, for its control."""
    kind = next(one for one in fields(page) if one.name == name).metadata["kind"]
    assert isinstance(kind, Choice)
    return kind.options


def language(query: Mapping[str, str], accept: str) -> str:
    """`lang` of the query, or the best of an Accept-Language header, or English."""
    if query.get("lang") in LANGUAGES:
        return query["lang"]
    ranked = []
    for position, part in enumerate(accept.split(",")[:20]):
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=") if rest else "1"
        try:
            ranked.append((-float(weight), position, tag[:2].lower()))
        except ValueError:
            continue
    return next((tag for _, _, tag in sorted(ranked) if tag in LANGUAGES), "en")
