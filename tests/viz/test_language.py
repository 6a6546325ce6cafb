"""Languages of charts: the same texts in each, plural forms, and number formats."""

import json
import string
from importlib import resources

import pytest

from prosumax import Result
from prosumax.errors import InputError
from prosumax.viz.language import LANGUAGES, Language


def _texts(code: str) -> dict[str, dict[str, object]]:
    file = resources.files("prosumax.viz") / "i18n" / f"charts.{code}.json"
    texts: dict[str, dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))
    return texts


def _fields(text: object) -> set[str]:
    forms = text.values() if isinstance(text, dict) else [text]
    return {name for form in forms for _, name, _, _ in string.Formatter().parse(str(form)) if name}


@pytest.mark.parametrize("code", ["fr", "nl"])
def test_a_language_has_every_text_with_the_same_values(code: str) -> None:
    english = _texts("en")
    translated = _texts(code)
    assert {part: set(texts) for part, texts in translated.items()} == {
        part: set(texts) for part, texts in english.items()
    }
    for part, texts in english.items():
        for name, text in texts.items():
            own = translated[part][name]
            assert isinstance(own, dict) == isinstance(text, dict), (part, name)
            assert _fields(own) == _fields(text), (part, name)


@pytest.mark.parametrize(
    ("code", "number", "money", "symbol"),
    [
        ("en", "\u22121,234.50", "12.30 EUR", "€12.30"),
        ("fr", "\u22121\u202f234,50", "12,30 EUR", "12,30 €"),
        ("nl", "\u22121.234,50", "12,30 EUR", "€ 12,30"),
    ],
)
def test_numbers_are_formatted_in_the_language(
    code: str, number: str, money: str, symbol: str
) -> None:
    language = Language(code)
    assert language.number(-1234.5, 2) == number
    assert language.money(12.3, "EUR").replace("\u00a0", " ") == money
    with_symbols = Language(code, currency_symbols=True)
    assert with_symbols.money(12.3, "EUR").replace("\u00a0", " ") == symbol


def test_plural_forms_follow_the_language() -> None:
    assert [Language("en")("common.homes", n=n) for n in (0, 1, 2)] == [
        "0 homes",
        "1 home",
        "2 homes",
    ]
    assert [Language("fr")("common.homes", n=n) for n in (0, 1, 2)] == [
        "0 logement",
        "1 logement",
        "2 logements",
    ]


def test_unknown_languages_are_refused(result: Result) -> None:
    with pytest.raises(InputError, match="'de' is not supported. Choose one of en, fr, nl"):
        result.plot.bills(language="de")
    assert set(LANGUAGES) == {"en", "fr", "nl"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_shared_charts_are_drawn_in_every_language(code: str, result: Result) -> None:
    for name in ("bills", "energy_by_source", "mean_day", "trade_network", "price_distribution"):
        figure = result.plot(name, language=code)
        assert figure.title and figure.summary.endswith(".") and figure.table is not None
