"""Texts and number formats in English, French and Dutch.

Texts are stored in `i18n/PART.LANGUAGE.json`; the key of a text is `PART.name`. A text with plural
forms is an object keyed by the plural categories of CLDR (`one`, `other`), selected by `n`.
Labels of KPIs are keyed by the KPI catalog: English ones are those of the catalog, others are in
`i18n/kpi.LANGUAGE.json`.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, partial
from importlib import resources
from typing import cast

from babel import Locale
from babel.numbers import format_currency, format_decimal

from prosumax.metrics import catalog

LOCALES: Mapping[str, Locale] = {
    "en": Locale("en", "IE"),  # English with euro amounts and a decimal point
    "fr": Locale("fr", "BE"),
    "nl": Locale("nl", "BE"),
}
ENDONYMS: Mapping[str, str] = {"en": "English", "fr": "Français", "nl": "Nederlands"}
_MINUS = "−"


@cache
def load_texts(lang: str) -> Mapping[str, object]:
    """Load all texts of a language, by key.

    Args:
        lang: Language code.
    """
    folder = resources.files("prosumax.web") / "i18n"
    found: dict[str, object] = {}
    for file in folder.iterdir():
        part, _, rest = file.name.partition(".")
        if rest == f"{lang}.json":
            content = _add_nonbreaking_spaces(lang, file.read_text(encoding="utf-8"))
            found |= {f"{part}.{key}": text for key, text in json.loads(content).items()}
    if lang == "en":
        translated = json.loads((folder / "kpi.fr.json").read_text(encoding="utf-8"))
        found |= {f"kpi.{key}": catalog.get(key).label for key in translated}
    return found


def _add_nonbreaking_spaces(lang: str, content: str) -> str:
    """Insert no-break spaces before units, and where French typography requires them."""
    content = re.sub(r"(?<=[\d}]) (?=(?:kWh|kWp|kW|MB|Mo|s|[%€])(?!\w))", "\u00a0", content)
    if lang == "fr":
        content = re.sub(r" (?=[;?!])|(?<=\d) (?=\d{3}(?!\d))", "\u202f", content)
        content = re.sub(r" (?=[:»])", "\u00a0", content).replace("« ", "«\u00a0")
    return content


def translate(lang: str, key: str, **values: object) -> str:
    """Return a text with values inserted.

    Args:
        lang: Language code.
        key: Key of the text.
        **values: Values of the placeholders; `n` selects the plural form.

    Raises:
        KeyError: The text does not exist, or a value is missing.
    """
    text = load_texts(lang)[key]
    if isinstance(text, dict):
        text = text.get(LOCALES[lang].plural_form(cast(float, values["n"])), text["other"])
    return str(text).format_map(values)


class Translator:
    """Texts and number formats of one language: `tr("home.title")`, `tr.euro(1.5)`.

    Args:
        lang: Language code.
    """

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._translate = partial(translate, lang)

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with values inserted; see `translate`."""
        return self._translate(key, **values)

    def kpi(self, key: str) -> str:
        """Return the label of a KPI.

        Args:
            key: Key of the KPI catalog.
        """
        return catalog.get(key).label if self.lang == "en" else self._translate(f"kpi.{key}")

    def number(self, value: float, digits: int = 0) -> str:
        """Format a number with a fixed number of decimals."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return self._decimal(value, digits, pattern)

    def short(self, value: float, digits: int = 1) -> str:
        """Format a number without trailing zeros.

        Args:
            value: Number to format.
            digits: Largest number of decimals.
        """
        return self._decimal(value, digits, "#,##0." + "#" * digits)

    def _decimal(self, value: float, digits: int, pattern: str) -> str:
        value = _round_negative_zero(value, digits)
        text = format_decimal(value, format=pattern, locale=LOCALES[self.lang])
        return text.replace("-", _MINUS, 1)

    def euro(self, value: float, digits: int = 2) -> str:
        """Format an amount of money, such as €0.58, 0,58 € or € 0,58."""
        locale = LOCALES[self.lang]
        pattern = locale.currency_formats["standard"].pattern.split(";")[0]
        if digits != 2:
            pattern = pattern.replace("0.00", "0" + ("." + "0" * digits if digits else ""))
        value = _round_negative_zero(value, digits)
        text = format_currency(
            abs(value), "EUR", format=pattern, locale=locale, currency_digits=False
        )
        return _MINUS + text if value < 0 else text

    def price(self, value: float) -> str:
        """Format a price in EUR/kWh."""
        return f"{self.euro(value)}/kWh"

    def kwh(self, value: float) -> str:
        """Format an energy in kWh, without decimals from 10 kWh upwards."""
        return f"{self.number(value, 0 if abs(value) >= 9.95 else 1)}\u00a0kWh"

    def kw(self, value: float) -> str:
        """Format a power in kW, without decimals from 10 kW upwards."""
        return f"{self.number(value, 0 if abs(value) >= 9.95 else 1)}\u00a0kW"

    def kwp(self, value: float) -> str:
        """Format a PV peak power in kWp."""
        return f"{self.short(value)}\u00a0kWp"

    def percent(self, share: float) -> str:
        """Format a share between 0 and 1 as a percentage."""
        return self.number(100 * share) + ("%" if self.lang == "en" else "\u00a0%")

    def time(self, hour: float) -> str:
        """Format a fractional hour of the day, such as 19:15."""
        minutes = round(hour * 60)
        return f"{minutes // 60 % 24 if minutes != 1440 else 24:02d}:{minutes % 60:02d}"


def _round_negative_zero(value: float, digits: int) -> float:
    """Return 0 for values that would be printed as -0."""
    return 0.0 if round(abs(value), digits) == 0 else value
