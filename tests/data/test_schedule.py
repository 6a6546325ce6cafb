"""Load of buildings with opening hours."""

import numpy as np
import pandas as pd
import pytest

from prosumax.data.generators.household.schedule import OpeningPeriod, schedule_kwh

BRUSSELS = "Europe/Brussels"


def test_schedule_follows_opening_hours_and_closed_days() -> None:
    start = pd.Timestamp("2025-07-04", tz=BRUSSELS)  # A Friday.
    index = pd.date_range(
        start, start + pd.Timedelta(days=18), freq="60min", inclusive="left"
    ).tz_convert("UTC")
    hours = [OpeningPeriod(8.0, 7, 18, "weekdays")]
    kwh = schedule_kwh(index, BRUSSELS, 1.5, hours, [((7, 8), (8, 27))], 0.0, 0).reshape(18, 24)
    assert kwh[0].sum() == pytest.approx(24 * 1.5 + 11 * 8)
    assert kwh[0, 7] == 9.5
    assert kwh[0, 18] == 1.5
    np.testing.assert_allclose(kwh[1:3], 1.5)  # Weekend.
    np.testing.assert_allclose(kwh[4:], 1.5)  # Closed from 8 July on.
    over_new_year = schedule_kwh(index, BRUSSELS, 0.0, hours, [((12, 25), (1, 7))], 0.0, 0)
    # 11 working days, since 21 July is a public holiday.
    assert over_new_year.sum() == pytest.approx(11 * 8 * 11)
    random = schedule_kwh(index, BRUSSELS, 0.0, hours, [], 0.2, 3).reshape(18, 24)
    assert random[0].std() > 0
    np.testing.assert_array_equal(
        schedule_kwh(index[24:], BRUSSELS, 0.0, hours, [], 0.2, 3).reshape(17, 24), random[1:]
    )
