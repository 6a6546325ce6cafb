"""Charts of the first two pages, which are plain data without code other than formatters."""

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
from prosumax.web.model.translations import Translator  # noqa: E402

_kwh = st.floats(0.0, 60.0)
_langs = st.sampled_from(("en", "fr", "nl"))


def _power(seed, panels, battery):
    rng = np.random.default_rng(seed)
    solar = panels * np.clip(np.sin(np.linspace(-1.5, 4.6, 96)), 0, None)
    return home.HomePower(rng.random(96), solar, rng.random(96) if battery else None)


def _check(chart):
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
    assert all(len(row) == len(chart.table.header) for row in chart.table.rows)


@given(
    _langs,
    st.integers(0, 99),
    st.sampled_from((0.0, 4.0)),
    st.booleans(),
    st.none() | st.integers(0, 95),
)
@settings(max_examples=25)
def test_power_profile(lang, seed, panels, battery, at):
    power = _power(seed, panels, battery)
    chart = home.power_profile(
        Translator(lang), power, 4.0, previous=power if seed % 2 else None, marked_step=at
    )
    _check(chart)
    assert (
        len(chart.option["series"]) == 6
    )  # The browser merges options with equal numbers of series.
    assert len(chart.table.rows) == 24
    assert len(chart.legend) == (3 if panels else 1)


@given(_langs, st.builds(home.HomeEnergy, _kwh, _kwh, _kwh, _kwh, _kwh))
@settings(max_examples=40)
def test_energy_balance_and_flows(lang, energy):
    tr = Translator(lang)
    chart = home.energy_balance(tr, energy)
    _check(chart)
    assert len(chart.option["series"]) == 4
    bars = [[point["value"] for point in series["data"]] for series in chart.option["series"]]
    assert np.sum(bars, axis=0) == pytest.approx([energy.load, energy.generation], abs=3e-3)
    flows = basics.energy_flows(tr, energy, 0.1, 1.0)
    if flows.table.rows:
        _check(flows)
    links = {(one["source"], one["target"]) for one in flows.option["series"][0]["links"]}
    names = {node["name"] for node in flows.option["series"][0]["data"]}
    assert {name for link in links for name in link} == names


@given(_langs, st.lists(st.sampled_from((0.0, 0.3, 1.0)), min_size=4, max_size=4))
@settings(max_examples=25)
def test_allocation_dots(lang, allocated):
    demand = (1.0, 2.0, 4.0, 1.0)
    for rule in ("equal", "use", "auction", "none"):
        chart = basics.allocation_dots(Translator(lang), rule, allocated, demand)
        _check(chart)
        filled, hollow = (len(series["data"]) for series in chart.option["series"])
        assert filled == round(sum(allocated) / basics.DOT_KWH)
        assert filled + hollow == 80


@pytest.mark.parametrize(
    ("baseline", "bill", "text"),
    [
        (4.61, 0.58, "€4.03 less"),
        (1.0, 1.2, "€0.20 more"),
        (1.001, 1.004, "The bill is the same."),
        (0.005, -0.3, "less"),
    ],
)
def test_bill_sentence(baseline, bill, text):
    assert text in home.bill_sentence(Translator("en"), baseline, bill).replace("**", "")


def test_headline_of_a_day_with_earnings_and_of_a_home_without_panels():
    tr = Translator("en")
    assert "you earn €0.30" in home.headline(tr, 1.0, 9.0, 20.0, -0.30, 3.0).replace("**", "")
    assert "Without panels you buy all 14\u00a0kWh" in home.headline(
        tr, 0.0, 14.0, 0.0, 4.0, 4.0
    ).replace("**", "")
