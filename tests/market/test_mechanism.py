"""Properties of every registered mechanism; a new mechanism is tested once it is registered."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prosumax import market
from prosumax.testing import check_mechanism
from prosumax.types import GRID_ONLY, NO_PREFERENCE

# Every family of mechanisms in the fast tests, every mechanism in the slow ones.
FAST = {
    "mid_market_rate",
    "supply_demand_ratio",
    "double_auction",
    "mcafee",
    "preferred_partners",
    "hierarchy",
    "net_metering",
    "share_shapley",
}
NAMES = [
    pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in market.mechanisms
]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(seed=st.integers(0, 2**31))
def test_mechanism_has_the_declared_properties(name, seed):
    check_mechanism(name, seed=seed)


@pytest.mark.parametrize("name", NAMES)
def test_orders_for_the_grid_only_are_filled_by_the_grid(name, books):
    partner = [GRID_ONLY, NO_PREFERENCE, NO_PREFERENCE, GRID_ONLY]
    orders = books.orders([1, 1, -1, -1], [0.3, 0.3, 0.05, 0.05], partner=partner)
    local, grid = books.clear(name, orders, books.prices(4))
    assert float(local.bought_kwh[0]) == 0 and float(grid.bought_kwh[0]) == pytest.approx(1)
    assert float(local.sold_kwh[3]) == 0 and float(grid.sold_kwh[3]) == pytest.approx(1)
