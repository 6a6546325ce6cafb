from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax.web.model import state
from prosumax.web.model.state import Basics, Community, Home, OwnHome

PAGES = (Basics, Home, Community)


def _query(url):
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(url).query))


def _values(kind):
    if isinstance(kind, state.Number):
        steps = round((kind.highest - kind.lowest) / kind.step)
        return st.integers(0, steps).map(lambda n: kind.read(str(kind.lowest + n * kind.step)))
    if isinstance(kind, state.Choice):
        return st.sampled_from(kind.options)
    half = st.integers(0, 24).map(lambda n: n / 2)
    home = st.builds(
        OwnHome,
        name=st.integers(0, len(state.FIRST_NAMES) - 1),
        people=st.integers(1, 6),
        routine=st.sampled_from(state.ROUTINES),
        panels_kwp=half,
        battery_kwh=half,
        goal=st.sampled_from(state.GOALS),
        style=st.sampled_from(state.STYLES),
    )
    return st.lists(home, max_size=state.MOST_HOMES).map(tuple)


_states = st.one_of(
    st.builds(page, **{one.name: _values(one.metadata["kind"]) for one in fields(page)})
    for page in PAGES
)


@given(_states, st.sampled_from(state.LANGUAGES))
def test_a_url_says_what_it_was_made_from(now, lang):
    url = state.write(now, lang)
    again, changed = state.read(type(now), _query(url))
    assert again == now
    assert changed == []
    assert state.language(_query(url), "") == lang
    assert len(url) < 400


@given(
    st.sampled_from(PAGES),
    st.dictionaries(
        st.sampled_from([one.metadata["kind"].key for page in PAGES for one in fields(page)]),
        st.one_of(st.text(max_size=30), st.floats().map(str), st.integers().map(str)),
    ),
)
def test_any_query_gives_an_allowed_state(page, query):
    now, changed = state.read(page, query)
    for one in fields(page):
        kind, value = one.metadata["kind"], getattr(now, one.name)
        if isinstance(kind, state.Number):
            assert kind.lowest <= value <= kind.highest
        elif isinstance(kind, state.Choice):
            assert value in kind.options
        else:
            assert len(value) <= state.MOST_HOMES
    assert state.read(page, _query(state.write(now, "en"))) == (now, [])
    assert set(changed) <= {one.name for one in fields(page)}


@pytest.mark.parametrize(
    ("query", "changed", "field", "value"),
    [
        ({"pv": "99"}, ["panels_kwp"], "panels_kwp", 12),
        ({"pv": "-1"}, ["panels_kwp"], "panels_kwp", 0),
        ({"pv": "4.3"}, ["panels_kwp"], "panels_kwp", 4.5),
        ({"pv": "<img src=x>"}, ["panels_kwp"], "panels_kwp", 4),
        ({"pv": "nan"}, ["panels_kwp"], "panels_kwp", 4),
        ({"pv": "inf"}, ["panels_kwp"], "panels_kwp", 12),
        ({"r": "office'--"}, ["routine"], "routine", "office"),
        ({"utm_source": "x"}, [], "people", 3),
    ],
)
def test_junk_is_replaced_and_named(query, changed, field, value):
    now, found = state.read(Home, query)
    assert found == changed
    assert getattr(now, field) == value


@pytest.mark.parametrize(
    ("accept", "lang"),
    [
        ("", "en"),
        ("fr-BE,fr;q=0.9,en;q=0.8", "fr"),
        ("de,nl;q=0.9", "nl"),
        ("en;q=0.4, nl-BE;q=0.7", "nl"),
        ("de", "en"),
        ("fr;q=x,nl", "nl"),
    ],
)
def test_the_browsers_language_counts_unless_the_link_says_one(accept, lang):
    assert state.language({}, accept) == lang
    assert state.language({"lang": "fr"}, accept) == "fr"
    assert state.language({"lang": "xx"}, accept) == lang
