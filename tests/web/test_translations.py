"""Texts in three languages and their number formats."""

import json
import re
import string
from importlib import resources

import pytest

from prosumax.web.model import state

pytest.importorskip("babel", reason="the demo needs prosumax[web]")
from prosumax.web.model.translations import LOCALES, Translator, load_texts


def _placeholders(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("lang", state.LANGUAGES)
def test_every_language_has_every_text_with_the_same_placeholders(lang):
    english = load_texts("en")
    translated = load_texts(lang)
    assert set(translated) == set(english)
    for key, text in translated.items():
        forms = text if isinstance(text, dict) else {"other": text}
        original = english[key] if isinstance(english[key], dict) else {"other": english[key]}
        assert isinstance(text, dict) == isinstance(english[key], dict), key
        if isinstance(text, dict):
            assert set(forms) >= set(LOCALES[lang].plural_form.rules) | {"other"}, key
        for name, form in forms.items():
            assert _placeholders(form) <= _placeholders(original["other"]), (key, name)
            assert form.count("**") % 2 == 0, key
            assert form.strip(), key


def test_every_part_has_a_file_in_every_language():
    names = {file.name for file in (resources.files("prosumax.web") / "i18n").iterdir()}
    parts = {name.partition(".")[0] for name in names}
    # English labels of KPIs are those of the catalog.
    names_with_catalog = names | {"kpi.en.json"}
    assert names_with_catalog == {
        f"{part}.{lang}.json" for part in parts for lang in state.LANGUAGES
    }
    for name in names:
        file = resources.files("prosumax.web") / "i18n" / name
        json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", ["fr", "nl"])
def test_translations_differ_from_the_english_texts(lang):
    english = load_texts("en")
    same = {
        key
        for key, text in load_texts(lang).items()
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
def test_numbers_follow_the_format_of_the_language(lang, euro, loss, kwh, share):
    def plain(text):
        return text.replace("\u00a0", " ").replace("\u202f", " ")

    tr = Translator(lang)
    assert plain(tr.euro(0.58)) == euro
    assert plain(tr.euro(-50, 0)) == loss
    assert plain(tr.kwh(3.14)) == kwh
    assert plain(tr.kwh(9.97)) == "10 kWh"
    assert plain(tr.percent(0.79)) == share
    assert tr.euro(-0.001) == tr.euro(0)
    assert tr.time(19.25) == "19:15"
