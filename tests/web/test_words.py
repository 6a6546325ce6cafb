import json
import re
import string
from importlib import resources

import pytest

from prosumax.web.model import state

pytest.importorskip("babel", reason="the demo needs prosumax[web]")
from prosumax.web.model.translations import (
    LOCALES,
    Words,
    texts,  # noqa: E402
)


def _fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("lang", state.LANGUAGES)
def test_every_language_has_every_text_with_the_same_values(lang):
    english, own = texts("en"), texts(lang)
    assert set(own) == set(english)
    for key, text in own.items():
        forms = text if isinstance(text, dict) else {"other": text}
        there = english[key] if isinstance(english[key], dict) else {"other": english[key]}
        assert isinstance(text, dict) == isinstance(english[key], dict), key
        if isinstance(text, dict):
            assert set(forms) >= set(LOCALES[lang].plural_form.rules) | {"other"}, key
        for name, form in forms.items():
            assert _fields(form) <= _fields(there["other"]), (key, name)
            assert form.count("**") % 2 == 0, key
            assert form.strip(), key


def test_a_file_of_every_language_for_every_part():
    names = {file.name for file in (resources.files("prosumax.web") / "i18n").iterdir()}
    parts = {name.partition(".")[0] for name in names}
    assert names == {f"{part}.{lang}.json" for part in parts for lang in state.LANGUAGES}
    for name in names:
        json.loads((resources.files("prosumax.web") / "i18n" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", ["fr", "nl"])
def test_translations_are_translated(lang):
    english, own = texts("en"), texts(lang)
    same = {
        key
        for key, text in own.items()
        if text == english[key] and len(re.findall(r"[a-z]{3,}", str(text).replace("kWh", ""))) > 2
    }
    assert not same


@pytest.mark.parametrize(
    ("lang", "euro", "loss", "kwh", "share"),
    [
        ("en", "€0.58", "−€50", "3.1 kWh", "79%"),
        ("fr", "0,58 €", "−50 €", "3,1 kWh", "79 %"),
        ("nl", "€ 0,58", "−€ 50", "3,1 kWh", "79 %"),
    ],
)
def test_numbers_are_written_as_the_language_does(lang, euro, loss, kwh, share):
    def plain(text):
        return text.replace("\u00a0", " ").replace("\u202f", " ")

    words = Words(lang)
    assert plain(words.euro(0.58)) == euro
    assert plain(words.euro(-50, 0)) == loss
    assert plain(words.kwh(3.14)) == kwh
    assert plain(words.kwh(9.97)) == "10 kWh"
    assert plain(words.percent(0.79)) == share
    assert words.euro(-0.001) == words.euro(0)
    assert words.time(19.25) == "19:15"
