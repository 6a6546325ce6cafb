"""Page states and their URLs."""

from dataclasses import fields
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prosumax.web.model import state
from prosumax.web.model.state import (
    BasicsPageState,
    CommunityPageState,
    CustomHome,
    HomePageState,
)

PAGES = (BasicsPageState, HomePageState, CommunityPageState)


def _query(url):
    return dict(parse_qsl(urlsplit(url).query))


def _values(codec):
    if isinstance(codec, state.NumberField):
        steps = round((codec.highest - codec.lowest) / codec.step)
        return st.integers(0, steps).map(lambda n: codec.parse(str(codec.lowest + n * codec.step)))
    if isinstance(codec, state.ChoiceField):
        return st.sampled_from(codec.options)
    half = st.integers(0, 24).map(lambda n: n / 2)
    home = st.builds(
        CustomHome,
        name=st.integers(0, len(state.FIRST_NAMES) - 1),
        people=st.integers(1, 6),
        routine=st.sampled_from(state.ROUTINES),
        panels_kwp=half,
        battery_kwh=half,
        goal=st.sampled_from(state.GOALS),
        style=st.sampled_from(state.STYLES),
    )
    return st.lists(home, max_size=state.MAX_HOMES).map(tuple)


_states = st.one_of(
    st.builds(page, **{item.name: _values(item.metadata["codec"]) for item in fields(page)})
    for page in PAGES
)


@given(_states, st.sampled_from(state.LANGUAGES))
def test_url_decodes_to_the_state_it_encodes(page_state, lang):
    url = state.to_url(page_state, lang)
    decoded, replaced = state.parse_query(type(page_state), _query(url))
    assert decoded == page_state
    assert replaced == []
    assert state.select_language(_query(url), "") == lang
    assert len(url) < 400


@given(
    st.sampled_from(PAGES),
    st.dictionaries(
        st.sampled_from([item.metadata["codec"].key for page in PAGES for item in fields(page)]),
        st.one_of(st.text(max_size=30), st.floats().map(str), st.integers().map(str)),
    ),
)
def test_any_query_gives_an_allowed_state(page, query):
    page_state, replaced = state.parse_query(page, query)
    for item in fields(page):
        codec = item.metadata["codec"]
        value = getattr(page_state, item.name)
        if isinstance(codec, state.NumberField):
            assert codec.lowest <= value <= codec.highest
        elif isinstance(codec, state.ChoiceField):
            assert value in codec.options
        else:
            assert len(value) <= state.MAX_HOMES
    again = state.parse_query(page, _query(state.to_url(page_state, "en")))
    assert again == (page_state, [])
    assert set(replaced) <= {item.name for item in fields(page)}


@pytest.mark.parametrize(
    ("query", "replaced", "field", "value"),
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
def test_invalid_values_are_replaced_and_reported(query, replaced, field, value):
    home, found = state.parse_query(HomePageState, query)
    assert found == replaced
    assert getattr(home, field) == value


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
def test_language_of_the_link_precedes_that_of_the_browser(accept, lang):
    assert state.select_language({}, accept) == lang
    assert state.select_language({"lang": "fr"}, accept) == "fr"
    assert state.select_language({"lang": "xx"}, accept) == lang
