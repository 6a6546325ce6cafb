"""Texts and numbers in English, French and Dutch.

The texts stand in `i18n/PART.LANGUAGE.json`; the key of a text is `PART.name`. A text with plural forms is an object by
CLDR's names (`one`, `other`), chosen by `n`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from typing import Any

from babel import Locale
from babel.numbers import format_currency, format_decimal

LOCALES: Mapping[str, Locale] = {
    "en": Locale("en", "IE"),  # the euro, with a point
    "fr": Locale("fr", "BE"),
    "nl": Locale("nl", "BE"),
}
ENDONYMS: Mapping[str, str] = {"en": "English", "fr": "Français", "nl": "Nederlands"}
_MINUS = "−"


@cache
def texts(lang: str) -> Mapping[str, Any]:
    """Every text of a language by its key."""
    folder = resources.files("prosumax.web") / "i18n"
    found: dict[str, Any] = {}
    for file in folder.iterdir():
        part, _, rest = file.name.partition(".")
        if rest == f"{lang}.json":
            content = _unbroken(lang, file.read_text(encoding="utf-8"))
            found |= {f"{part}.{key}": text for key, text in json.loads(content).items()}
    return found


def _unbroken(lang: str, content: str) -> str:
    """Spaces where a line must not break: before a unit, and as French sets its punctuation and thousands."""
    content = re.sub(r"(?<=[\d}]) (?=(?:kWh|kWp|kW|MB|Mo|s|[%€])(?!\w))", "\u00a0", content)
    if lang == "fr":
        content = re.sub(r" (?=[;?!])|(?<=\d) (?=\d{3}(?!\d))", "\u202f", content)
        content = re.sub(r" (?=[:»])", "\u00a0", content).replace("« ", "«\u00a0")
    return content


def t(lang: str, key: str, **values: Any) -> str:
    """A text with values put in; `n` chooses the plural form.

    Raises:
        KeyError: there is no such text, or a value is missing.
    """
    text = texts(lang)[key]
    if isinstance(text, dict):
        text = text.get(LOCALES[lang].plural_form(values["n"]), text["other"])
    return str(text).format_map(values)


class Words:
    """Texts and numbers of one language: `words("home.title")`, `words.euro(1.5)`."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._text = partial(t, lang)

    def __call__(self, key: str, **values: Any) -> str:
        """A text with values put in; see `t`."""
        return self._text(key, **values)

    def number(self, value: float, digits: int = 0) -> str:
        """With so many decimals."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return _signed(
            format_decimal(_no_minus_zero(value, digits), format=pattern, locale=LOCALES[self.lang])
        )

    def short(self, value: float, digits: int = 1) -> str:
        """With at most so many decimals."""
        pattern = "#,##0." + "#" * digits
        return _signed(
            format_decimal(_no_minus_zero(value, digits), format=pattern, locale=LOCALES[self.lang])
        )

    def euro(self, value: float, digits: int = 2) -> str:
        """An amount: €0.58; 0,58 €; € 0,58."""
        locale = LOCALES[self.lang]
        pattern = locale.currency_formats["standard"].pattern.split(";")[0]
        if digits != 2:
            pattern = pattern.replace("0.00", "0" + ("." + "0" * digits if digits else ""))
        value = _no_minus_zero(value, digits)
        text = format_currency(
            abs(value), "EUR", format=pattern, locale=locale, currency_digits=False
        )
        return _MINUS + text if value < 0 else text

    def price(self, value: float) -> str:
        """Per kWh."""
        return f"{self.euro(value)}/kWh"

    def kwh(self, value: float) -> str:
        """Energy: without decimals from 10 up."""
        return f"{self.number(value, 0 if abs(value) >= 9.95 else 1)}\u00a0kWh"

    def kw(self, value: float) -> str:
        """Power."""
        return f"{self.number(value, 0 if abs(value) >= 9.95 else 1)}\u00a0kW"

    def kwp(self, value: float) -> str:
        """Size of panels."""
        return f"{self.short(value)}\u00a0kWp"

    def percent(self, share: float) -> str:
        """A share of one, in percent."""
        return self.number(100 * share) + ("%" if self.lang == "en" else "\u00a0%")

    def time(self, hour: float) -> str:
        """An hour of the day with a fraction: 19:15."""
        minutes = round(hour * 60)
        return f"{minutes // 60 % 24 if minutes != 1440 else 24:02d}:{minutes % 60:02d}"


def _signed(text: str) -> str:
    return text.replace("-", _MINUS, 1)


def _no_minus_zero(value: float, digits: int) -> float:
    return 0.0 if round(abs(value), digits) == 0 else value
