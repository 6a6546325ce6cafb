"""Charts of the first two pages: plain data, the same number of series whatever is shown, no code but ours."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("babel", reason="the demo needs prosumax[web]")

from prosumax.web.charts import (
    basics,
    home,  # noqa: E402
)
from prosumax.web.charts.common import FORMATTERS
from prosumax.web.model.translations import Words  # noqa: E402

_kwh = st.floats(0.0, 60.0)
_langs = st.sampled_from(("en", "fr", "nl"))


def _power(seed, panels, battery):
    dice = np.random.default_rng(seed)
    sun = panels * np.clip(np.sin(np.linspace(-1.5, 4.6, 96)), 0, None)
    return home.Power(dice.random(96), sun, dice.random(96) if battery else None)


def _sound(chart):
    json.dumps(chart.option)
    stack = [chart.option]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            for key, value in part.items():
                assert not key.startswith(":") or value in FORMATTERS.values()
                stack.append(value)
        elif isinstance(part, list):
            stack.extend(part)
    assert chart.sentence
    assert chart.table.rows
    assert all(len(row) == len(chart.table.head) for row in chart.table.rows)


@given(
    _langs,
    st.integers(0, 99),
    st.sampled_from((0.0, 4.0)),
    st.booleans(),
    st.none() | st.integers(0, 95),
)
@settings(max_examples=25)
def test_when(lang, seed, panels, battery, at):
    now = _power(seed, panels, battery)
    chart = home.when(Words(lang), now, 4.0, before=now if seed % 2 else None, at=at)
    _sound(chart)
    assert len(chart.option["series"]) == 6  # the browser merges drawings with as many series
    assert len(chart.table.rows) == 24
    assert len(chart.marks) == (3 if panels else 1)


@given(_langs, st.builds(home.Energy, _kwh, _kwh, _kwh, _kwh, _kwh))
@settings(max_examples=40)
def test_balance_and_ways(lang, energy):
    words = Words(lang)
    chart = home.balance(words, energy)
    _sound(chart)
    assert len(chart.option["series"]) == 4
    bars = [[point["value"] for point in series["data"]] for series in chart.option["series"]]
    assert np.sum(bars, axis=0) == pytest.approx([energy.used, energy.made], abs=3e-3)
    ways = basics.where(words, energy, 0.1, 1.0)
    if ways.table.rows:
        _sound(ways)
    links = {(one["source"], one["target"]) for one in ways.option["series"][0]["links"]}
    names = {node["name"] for node in ways.option["series"][0]["data"]}
    assert {name for link in links for name in link} == names


@given(_langs, st.lists(st.sampled_from((0.0, 0.3, 1.0)), min_size=4, max_size=4))
@settings(max_examples=25)
def test_dots(lang, got):
    wanted = (1.0, 2.0, 4.0, 1.0)
    for rule in ("equal", "use", "auction", "none"):
        chart = basics.dots(Words(lang), rule, got, wanted)
        _sound(chart)
        filled, hollow = (len(series["data"]) for series in chart.option["series"])
        assert filled == round(sum(got) / basics.DOT_KWH)
        assert filled + hollow == 80


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (4.61, 0.58, "€4.03 less"),
        (1.0, 1.2, "€0.20 more"),
        (1.001, 1.004, "The bill is the same."),
        (0.005, -0.3, "less"),
    ],
)
def test_saving_in_words(before, after, said):
    assert said in home.bill_sentence(Words("en"), before, after).replace("**", "")


def test_a_day_that_earns_and_one_without_panels_say_so():
    words = Words("en")
    assert "you earn €0.30" in home.headline(words, 1.0, 9.0, 20.0, -0.30, 3.0).replace("**", "")
    assert "Without panels you buy all 14\u00a0kWh" in home.headline(
        words, 0.0, 14.0, 0.0, 4.0, 4.0
    ).replace("**", "")
