"""State of each page: frozen values that are encoded in the URL.

Every field declares its key in the URL and its allowed values. `parse_query` never fails: a value
that is out of range or not understood is replaced by the nearest allowed value or the default, and
its field is reported, so that the page can show a notice.
"""

import base64
import binascii
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode

Number = TypeVar("Number", int, float)

VERSION = "1"
LANGUAGES = ("en", "fr", "nl")


class NumberField(NamedTuple):
    """Numeric field of a page state.

    Attributes:
        key: Key in the URL.
        lowest: Smallest allowed value.
        highest: Largest allowed value.
        step: Increment to which values are rounded.
    """

    key: str
    lowest: float
    highest: float
    step: float

    def parse(self, text: str) -> float | None:
        """Return the nearest allowed value, or None if the text is not a number."""
        try:
            value = float(text)
        except ValueError:
            return None
        if value != value:
            return None
        value = min(max(value, self.lowest), self.highest)
        value = self.lowest + round((value - self.lowest) / self.step) * self.step
        return int(round(value)) if float(self.step).is_integer() else round(value, 6)

    def format(self, value: float) -> str:
        """Format a value for the URL."""
        return f"{value:g}"


class ChoiceField(NamedTuple):
    """Field of a page state that takes one of several words.

    Attributes:
        key: Key in the URL.
        options: Allowed words.
    """

    key: str
    options: tuple[str, ...]

    def parse(self, text: str) -> str | None:
        """Return the word, or None if it is not an option."""
        return text if text in self.options else None

    def format(self, value: str) -> str:
        """Format a value for the URL."""
        return value


SEASONS = ("winter", "spring", "summer", "autumn")
ROUTINES = ("office", "home", "remote", "retired", "nights")
GOALS = ("bill", "self_consumption", "community")
STYLES = ("habits", "rules", "q", "ppo")
RULES = ("none", "equal", "use", "hybrid", "auction", "learned")
FIRST_NAMES = (
    "Amina", "Bert", "Chloé", "Daan", "Elif", "Fatou", "Georges", "Hanne", "Ibrahim", "Julie",
    "Karel", "Lina", "Mehdi", "Nora", "Omar", "Pauline", "Quinten", "Rosa", "Samir", "Tine", "Ugo",
    "Vera", "Wout", "Yasmina",
)  # fmt: skip
MAX_HOMES = 24

_BYTES_PER_HOME = 6


@dataclass(frozen=True)
class CustomHome:
    """One home of a community composed by a visitor.

    Attributes:
        name: Index into `FIRST_NAMES`.
        people: Number of residents, 1 to 6.
        routine: One of `ROUTINES`.
        panels_kwp: PV peak power, a multiple of 0.5 kWp.
        battery_kwh: Battery capacity, a multiple of 0.5 kWh.
        goal: Objective of a home that learns, one of `GOALS`.
        style: How the home decides, one of `STYLES`.
    """

    name: int = 0
    people: int = 3
    routine: str = "office"
    panels_kwp: float = 0.0
    battery_kwh: float = 0.0
    goal: str = "bill"
    style: str = "rules"


class HomesField(NamedTuple):
    """Field that holds a list of custom homes, six bytes per home in base64url.

    Attributes:
        key: Key in the URL.
    """

    key: str

    def parse(self, text: str) -> tuple[CustomHome, ...] | None:
        """Decode the homes, or return None if the text is not a list of homes."""
        try:
            padded = text + "=" * (-len(text) % 4)
            data = base64.b64decode(padded, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(data) % _BYTES_PER_HOME or len(data) > _BYTES_PER_HOME * MAX_HOMES:
            return None
        starts = range(0, len(data), _BYTES_PER_HOME)
        return tuple(_decode_home(data[start : start + _BYTES_PER_HOME]) for start in starts)

    def format(self, homes: tuple[CustomHome, ...]) -> str:
        """Encode the homes for the URL."""
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
        data = bytes(number for row in rows for number in row)
        return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode_home(row: bytes) -> CustomHome:
    """Decode six bytes as a home; each value is clipped to its range."""
    goal, style = divmod(min(row[5], len(GOALS) * len(STYLES) - 1), len(STYLES))
    return CustomHome(
        name=min(row[0], len(FIRST_NAMES) - 1),
        people=min(max(row[1], 1), 6),
        routine=ROUTINES[min(row[2], len(ROUTINES) - 1)],
        panels_kwp=min(row[3], 24) / 2,
        battery_kwh=min(row[4], 30) / 2,
        goal=GOALS[goal],
        style=STYLES[style],
    )


def _number_field(
    default: Number, key: str, lowest: float, highest: float, step: float = 1
) -> Number:
    return field(default=default, metadata={"codec": NumberField(key, lowest, highest, step)})


def _choice_field(default: str, key: str, options: tuple[str, ...]) -> str:
    return field(default=default, metadata={"codec": ChoiceField(key, options)})


@dataclass(frozen=True)
class BasicsPageState:
    """Settings of page 1, one for each of its five ideas.

    Attributes:
        season: Season of the day that is shown.
        battery: Whether the home has a battery.
        pv_homes: Number of homes with PV in the street.
        bet: The visitor's guess, or `open` before it is made.
        surplus_kwh: Surplus that four homes share in one step, kWh.
    """

    season: str = _choice_field("spring", "s", SEASONS)
    battery: str = _choice_field("off", "b", ("off", "on"))
    pv_homes: int = _number_field(3, "n", 0, 8)
    bet: str = _choice_field("open", "g", ("open", "with", "without", "same", "show"))
    surplus_kwh: float = _number_field(3.0, "k", 0, 8, 0.5)


@dataclass(frozen=True)
class HomePageState:
    """Settings of page 2, one home on one day; prices in EUR/kWh with all taxes.

    Attributes:
        people: Number of residents.
        routine: When the residents are at home.
        season: Season of the day.
        panels_kwp: PV peak power, kWp.
        battery_kwh: Battery capacity, kWh.
        ev: When an electric car charges, if there is one.
        heat_pump: Whether a heat pump heats the home.
        appliance_time: When washing machine and dishwasher run.
        day_type: Weekday or weekend.
        weather: Cloudiness of the day.
        orientation: Compass direction of the PV panels.
        tariff: One price, or a lower price at night and at the weekend.
        retail_price: Price of an imported kWh.
        feed_in_price: Price of an exported kWh.
    """

    people: int = _number_field(3, "p", 1, 6)
    routine: str = _choice_field("office", "r", ROUTINES)
    season: str = _choice_field("spring", "s", SEASONS)
    panels_kwp: float = _number_field(4.0, "pv", 0, 12, 0.5)
    battery_kwh: float = _number_field(0.0, "b", 0, 15, 0.5)
    ev: str = _choice_field("none", "ev", ("none", "night", "noon"))
    heat_pump: str = _choice_field("off", "hp", ("off", "on"))
    appliance_time: str = _choice_field("evening", "w", ("morning", "noon", "evening"))
    day_type: str = _choice_field("weekday", "d", ("weekday", "weekend"))
    weather: str = _choice_field("mixed", "sky", ("clear", "mixed", "gray"))
    orientation: str = _choice_field("south", "o", ("south", "eastwest", "north"))
    tariff: str = _choice_field("single", "t", ("single", "daynight"))
    retail_price: float = _number_field(0.34, "buy", 0.05, 1.0, 0.01)
    feed_in_price: float = _number_field(0.05, "sell", 0.0, 0.5, 0.01)


@dataclass(frozen=True)
class CommunityPageState:
    """Settings of page 3: a community, its sharing rule and a period.

    Attributes:
        preset: Which community; `own` for the visitor's `homes`, `file` for uploaded data.
        homes: Homes of the community when `preset` is `own`.
        rule: Sharing rule.
        rounds: Number of allocation rounds of equal shares.
        price: Price inside the community, EUR/kWh.
        category: Proximity category of the local grid fee, A to D.
        period: Length of the simulated period.
        season: Season of the period.
        seed: Seed of the random profiles.
        hour: Hour of the day shown in the exchange chart.
    """

    preset: str = _choice_field(
        "street", "c", ("street", "block", "school", "village", "citylearn", "own", "file")
    )
    homes: tuple[CustomHome, ...] = field(default=(), metadata={"codec": HomesField("h")})
    rule: str = _choice_field("use", "m", RULES)
    rounds: str = _choice_field("one", "rounds", ("one", "several"))
    price: float = _number_field(0.14, "price", 0.05, 0.34, 0.01)
    category: str = _choice_field("B", "cat", ("A", "B", "C", "D"))
    period: str = _choice_field("month", "len", ("day", "week", "month", "year"))
    season: str = _choice_field("spring", "s", SEASONS)
    seed: int = _number_field(7, "seed", 0, 999)
    hour: float = _number_field(12.0, "at", 0, 23.75, 0.25)


PAGES: Mapping[str, type] = {
    "basics": BasicsPageState,
    "home": HomePageState,
    "community": CommunityPageState,
}
PATHS: Mapping[str, str] = {"basics": "/", "home": "/home", "community": "/community"}

PageState = TypeVar("PageState", BasicsPageState, HomePageState, CommunityPageState)
State = TypeVar("State", CustomHome, BasicsPageState, HomePageState, CommunityPageState)


def parse_query(page: type[PageState], query: Mapping[str, str]) -> tuple[PageState, list[str]]:
    """Decode the state held by a URL query.

    Args:
        page: Class of the page's state.
        query: Decoded query parameters; unknown keys are ignored.

    Returns:
        The state, and the names of the fields whose values had to be replaced.
    """
    values: dict[str, object] = {}
    replaced = []
    for item in fields(page):
        codec = item.metadata["codec"]
        if codec.key not in query:
            continue
        text = query[codec.key]
        value = codec.parse(text)
        if value is None or (isinstance(codec, NumberField) and abs(float(text) - value) > 1e-9):
            replaced.append(item.name)
        if value is not None:
            values[item.name] = value
    # The codec of a field returns values of its type.
    return page(**values), replaced  # type: ignore[arg-type]


def to_url(state: BasicsPageState | HomePageState | CommunityPageState, language: str) -> str:
    """Encode a state as path and query; values that equal their default are left out.

    Args:
        state: State of a page.
        language: Language code of the link.
    """
    page = next(name for name, page_class in PAGES.items() if isinstance(state, page_class))
    query = {"lang": language, "v": VERSION}
    for item in fields(state):
        value = getattr(state, item.name)
        if value != item.default:
            codec = item.metadata["codec"]
            query[codec.key] = codec.format(value)
    return f"{PATHS[page]}?{urlencode(query)}"


def replace(state: State, **changes: object) -> State:
    """Return a copy of the state with some fields changed."""
    # The fields of the classes differ, so that keywords have no common signature.
    return dataclasses.replace(state, **changes)  # type: ignore[arg-type]


def number_range(page: type, name: str) -> NumberField:
    """Return the range and step of a numeric field.

    Args:
        page: Class of the page's state.
        name: Name of the field.
    """
    codec = _get_codec(page, name)
    assert isinstance(codec, NumberField)
    return codec


def choice_options(page: type, name: str) -> tuple[str, ...]:
    """Return the allowed words of a choice field.

    Args:
        page: Class of the page's state.
        name: Name of the field.
    """
    codec = _get_codec(page, name)
    assert isinstance(codec, ChoiceField)
    return codec.options


def _get_codec(page: type, name: str) -> object:
    codec: object = next(item for item in fields(page) if item.name == name).metadata["codec"]
    return codec


def select_language(query: Mapping[str, str], accept: str) -> str:
    """Select the language of a page.

    Args:
        query: Decoded query parameters; `lang` takes precedence.
        accept: Value of the Accept-Language header.

    Returns:
        A code of `LANGUAGES`; English when neither names a known language.
    """
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
