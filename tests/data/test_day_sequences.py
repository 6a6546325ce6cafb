"""Daily profiles mapped to the days of a period."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax.data.generators.day_sequences import (
    cyclic_weekday_selector,
    map_days_to_period,
    nearest_weekday_selector,
)

BRUSSELS = "Europe/Brussels"


@settings(max_examples=30, deadline=None)
@given(
    first=st.dates(pd.Timestamp("2015-01-01").date(), pd.Timestamp("2030-01-01").date()),
    dates=st.lists(
        st.dates(pd.Timestamp("2000-01-01").date(), pd.Timestamp("2040-12-31").date()), min_size=1
    ),
)
def test_nearest_day_has_the_same_weekday(first: object, dates: list[object]) -> None:
    start = pd.Timestamp(str(first)).replace(month=1, day=1)
    index = pd.DatetimeIndex([str(day) for day in dates])
    days = 366 if start.is_leap_year else 365
    rows = nearest_weekday_selector(start, days)(index)
    assert ((rows >= 0) & (rows < days)).all()
    assert ((start.dayofweek + rows) % 7 == index.dayofweek).all()
    assert (np.abs(rows - (index.dayofyear - 1)) <= 7).all()
    mid_year = (index.dayofyear > 10) & (index.dayofyear < 350)
    assert (np.abs(rows - (index.dayofyear - 1))[mid_year] <= 3).all()


@pytest.mark.parametrize("freq", ["5min", "15min", "60min"])
def test_mapped_days_preserve_energy_and_local_time(freq: str) -> None:
    table = np.arange(3 * 96, dtype=float).reshape(3, 96)
    start = pd.Timestamp("2023-06-05", tz=BRUSSELS)
    index = pd.date_range(
        start, start + pd.Timedelta(days=2), freq=freq, inclusive="left"
    ).tz_convert("UTC")
    select = cyclic_weekday_selector(start.dayofweek, 3)
    mapped = map_days_to_period(table, select, index, BRUSSELS)
    rows = select(pd.DatetimeIndex(["2023-06-05", "2023-06-06"]))
    assert list(rows) == [0, 1]
    np.testing.assert_allclose(mapped.reshape(2, -1).sum(axis=1), table[:2].sum(axis=1))
