"""Language of a chart: its texts, and numbers as that language writes them.

Texts are in `i18n/charts.LANGUAGE.json`; the key of a text is `chart.name`. A text with plural
forms is an object with `one` and `other`, chosen by the value `n`. Charts that only reports draw
have English texts; in other languages their numbers are translated and their texts are not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from prosumax.errors import InputError

LANGUAGES: Mapping[str, str] = {"en": "English", "fr": "Français", "nl": "Nederlands"}
"""Supported languages: code -> own name."""

NBSP = "\u00a0"
MINUS = "\u2212"
MISSING = "–"
"""Shown where a figure is undefined."""

# Thousands and decimal separators.
_SEPARATORS = {"en": (",", "."), "fr": ("\u202f", ","), "nl": (".", ",")}
_CURRENCY_SYMBOLS = {"EUR": "€", "GBP": "£", "USD": "$"}
_SYMBOL_PATTERNS = {
    "en": "{symbol}{amount}",
    "fr": "{amount}" + NBSP + "{symbol}",
    "nl": "{symbol}" + NBSP + "{amount}",
}
_INTL_TAGS = {"en": "en", "fr": "fr-BE", "nl": "nl-BE"}
_WHOLE_FROM = 9.95  # From here on, amounts of energy are written without decimals.


@dataclass(frozen=True)
class Language:
    """Texts and number formats of one language.

    Attributes:
        code: One of `LANGUAGES`.
        currency_symbols: Whether amounts carry a symbol (€0.58) instead of a code (0.58 EUR).
        texts: Texts by key that replace those of the language.
    """

    code: str = "en"
    currency_symbols: bool = False
    texts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.code not in LANGUAGES:
            raise InputError(
                "language",
                f"{self.code!r} is not supported",
                f"Choose one of {', '.join(LANGUAGES)}.",
            )

    def __call__(self, key: str, **values: object) -> str:
        """Return the text of a key with values filled in; `n` selects the plural form."""
        text = self.texts.get(key) or _texts(self.code).get(key)
        if text is None:
            text = _texts("en")[key]
        if isinstance(text, dict):
            count = values["n"]
            assert isinstance(count, int | float)
            text = text[self._plural_form(count)]
        return text.format_map(values)

    def _plural_form(self, n: float) -> str:
        is_one = 0 <= n < 2 if self.code == "fr" else n == 1
        return "one" if is_one else "other"

    @property
    def tag(self) -> str:
        """BCP 47 tag, for number formats in a browser."""
        return _INTL_TAGS[self.code]

    def number(self, value: float | None, digits: int = 0) -> str:
        """Format a number with fixed decimals; `None` gives a dash."""
        if value is None:
            return MISSING
        rounded = round(float(value), digits) + 0.0  # Adding zero removes a negative zero.
        thousands, decimal = _SEPARATORS[self.code]
        text = f"{rounded:,.{digits}f}".replace("-", MINUS)
        return text.translate(str.maketrans(",.", thousands + decimal))

    def money(self, amount: float, currency: str, digits: int | None = None) -> str:
        """Format an amount of money; cents are shown below 100 unless `digits` is given."""
        if digits is None:
            digits = 0 if abs(amount) >= 100 else 2
        symbol = _CURRENCY_SYMBOLS.get(currency)
        if not self.currency_symbols or symbol is None:
            return f"{self.number(amount, digits)}{NBSP}{currency}"
        text = self.number(amount, digits)
        sign = MINUS if text.startswith(MINUS) else ""
        pattern = _SYMBOL_PATTERNS[self.code]
        return sign + pattern.format(symbol=symbol, amount=text.removeprefix(MINUS))

    def energy(self, kwh: float | None) -> str:
        """Format energy in kWh, with one decimal below ten."""
        if kwh is None:
            return MISSING
        return f"{self.number(kwh, 0 if abs(kwh) >= _WHOLE_FROM else 1)}{NBSP}kWh"

    def power(self, kw: float) -> str:
        """Format power in kW with one decimal, two below one."""
        return f"{self.number(kw, 1 if abs(kw) >= 1 else 2)}{NBSP}kW"

    def length(self, km: float) -> str:
        """Format a length in meters below one kilometer, in kilometers from there on."""
        return f"{self.number(1000 * km)}{NBSP}m" if km < 1 else f"{self.number(km, 2)}{NBSP}km"

    def percent(self, fraction: float | None, digits: int = 1) -> str:
        """Format a fraction as a percentage."""
        if fraction is None:
            return MISSING
        return f"{self.number(100 * fraction, digits)}{NBSP}%"

    def joined(self, parts: Sequence[str]) -> str:
        """Join parts as in `a, b and c`."""
        if len(parts) < 2:
            return parts[0]
        return f"{', '.join(parts[:-1])} {self('common.and')} {parts[-1]}"


ENGLISH = Language("en")
"""Language of reports."""


@cache
def _texts(code: str) -> Mapping[str, str | dict[str, str]]:
    """Return all texts of a language by key."""
    file = resources.files("prosumax.viz") / "i18n" / f"charts.{code}.json"
    parts = json.loads(file.read_text(encoding="utf-8"))
    return {f"{part}.{name}": text for part, texts in parts.items() for name, text in texts.items()}
