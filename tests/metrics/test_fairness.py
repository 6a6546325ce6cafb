"""Fairness KPIs by hand, on annual bills of real homes, and their bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from prosumax import metrics
from prosumax.metrics.fairness import gini, jain

# Annual bills of five CityLearn 2022 homes without exchange and at the mid-market rate.
WITHOUT_EXCHANGE = np.array([2068.072, 1834.759, 1157.804, 1630.585, 1429.984])
MID_MARKET_RATE = np.array([1984.113, 1751.832, 1080.540, 1540.661, 1350.863])
# Shapley values of five homes, computed by hand.
SHAPLEY = np.array([0.075417, 0.029583, 0.010833, 0.137917, 0.04625])
INDICES = ("gini", "jain", "min_max_ratio", "relative_saving_gini", "nash_welfare")


def kpis(saving, bill=100.0, served=1.0, price=0.2, price_range=0.3, xp=np):
    """Compute the fairness KPIs; scalars hold for every home."""
    saving = xp.asarray(saving)
    return metrics.fairness_kpis(
        saving,
        bill + 0 * saving,
        xp.asarray(served) + 0 * saving,
        xp.asarray(price) + 0 * saving,
        price_range,
    )


def test_three_homes_by_hand():
    """Savings 2, 1 and 3 on bills of 100, 100 and 50: differences 1, 1 and 2, each twice."""
    found = kpis(np.array([2.0, 1.0, 3.0]), np.array([100.0, 100.0, 50.0]))
    assert (found["lowest_saving"], found["losing_homes"]) == (1, 0)
    assert found["gini"] == pytest.approx(8 / (2 * 9 * 2))
    assert found["jain"] == pytest.approx(36 / (3 * 14))
    assert found["min_max_ratio"] == pytest.approx(1 / 3)
    # Relative savings of 2, 1 and 6 %.
    assert found["relative_saving_gini"] == pytest.approx(2 * (1 + 4 + 5) / (2 * 9 * 3))
    assert found["nash_welfare"] == pytest.approx(np.log(6))


def test_indices_of_equal_savings_and_of_a_single_saver():
    equal, one = kpis(np.full(4, 5.0)), kpis(np.array([0.0, 0.0, 8.0, 0.0]))
    assert (equal["gini"], equal["jain"], equal["min_max_ratio"]) == (0, 1, 1)
    assert (one["gini"], one["jain"], one["min_max_ratio"]) == (0.75, 0.25, 0)
    assert one["losing_homes"] == 0 and np.isnan(one["nash_welfare"])


def test_mid_market_rate_on_real_homes_is_fair():
    found = kpis(WITHOUT_EXCHANGE - MID_MARKET_RATE, WITHOUT_EXCHANGE)
    assert found["gini"] == pytest.approx(0.029, abs=5e-4)
    assert found["lowest_saving"] == pytest.approx(77.264)
    assert found["losing_homes"] == 0


def test_indices_are_undefined_where_a_home_loses():
    found = kpis(np.array([50.0, 60.0, -61.55]))
    assert (found["lowest_saving"], found["losing_homes"]) == (-61.55, 1)
    assert all(np.isnan(found[name]) for name in INDICES)


def test_less_than_half_a_cent_is_no_loss():
    found = kpis(np.array([1.0, -0.004]))
    assert (found["losing_homes"], found["gini"], found["lowest_saving"]) == (0, 0.5, -0.004)
    small = metrics.fairness_kpis(
        *np.array([[0.01, -0.004], [1, 1], [1, 1], [1, 1]]), 0.3, tolerance=1e-3
    )
    assert small["losing_homes"] == 1


def test_rounding_errors_are_no_saving():
    """Without exchange the two bills differ by the rounding of single precision at most."""
    found = kpis(np.array([3e-5, 0.0, -2e-5]), 1500.0)
    assert found["losing_homes"] == 0
    assert all(np.isnan(found[name]) for name in INDICES)


def test_a_home_with_a_negative_bill_has_no_relative_saving():
    found = kpis(np.array([1.0, 1.0]), np.array([100.0, -20.0]))
    assert found["gini"] == 0 and np.isnan(found["relative_saving_gini"])


def test_quality_of_service_and_experience_by_hand():
    """Home 2 had nothing to trade. Shares 1 and 1/2; prices 0.10 and 0.20 in a range of 0.25."""
    found = kpis(np.ones(3), served=[1.0, 0.5, np.nan], price=[0.1, 0.2, np.nan], price_range=0.25)
    assert found["quality_of_service"] == pytest.approx(1.5**2 / (2 * 1.25))
    assert found["quality_of_experience"] == pytest.approx(1 - 0.05 / 0.125)
    extremes = kpis(np.ones(4), price=[0.05, 0.3, 0.05, 0.3], price_range=0.25)
    assert extremes["quality_of_experience"] == pytest.approx(0, abs=1e-15)
    no_trade = kpis(np.ones(2), served=np.nan, price=np.nan)
    assert np.isnan(no_trade["quality_of_service"]) and np.isnan(no_trade["quality_of_experience"])
    assert np.isnan(kpis(np.ones(2), price_range=0.0)["quality_of_experience"])


def test_price_of_fairness_by_hand():
    assert metrics.price_of_fairness(200.0, 150.0) == 0.25
    assert metrics.price_of_fairness(jnp.asarray(200.0), jnp.asarray(200.0)) == 0
    assert np.isnan(metrics.price_of_fairness(0.0, 0.0))


def test_distance_to_shapley_by_hand():
    assert metrics.distance_to_reference(SHAPLEY, SHAPLEY) == 0
    mid_market_rate = np.array([0.09, 0.045, 0.015, 0.1125, 0.0375])
    by_hand = (0.014583 + 0.015417 + 0.004167 + 0.025417 + 0.00875) / 5
    assert metrics.distance_to_reference(SHAPLEY, mid_market_rate) == pytest.approx(
        by_hand, rel=1e-12
    )


def test_lorenz_curve_by_hand():
    homes, savings = metrics.lorenz_curve(np.array([3.0, 1.0, 2.0, 4.0]))
    np.testing.assert_allclose(homes, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(savings, [0, 0.1, 0.3, 0.6, 1])
    dip = metrics.lorenz_curve(np.array([3.0, -1.0]))[1]
    np.testing.assert_allclose(dip, [0, -0.5, 1])
    assert np.isnan(metrics.lorenz_curve(np.array([-3.0, 1.0]))[1]).all()


# Cents from none to thousands: what a year's saving can be, with ties.
amounts = hnp.arrays(int, st.integers(1, 12), elements=st.integers(0, 500_000)).map(
    lambda cents: cents / 100
)


@given(amounts)
def test_indices_are_within_their_bounds(amount):
    """Tolerance: a dozen doubles are added, 1e-12 is a thousand rounding errors."""
    homes = len(amount)
    if amount.sum() == 0:
        assert np.isnan(gini(amount)) and np.isnan(jain(amount))
        return
    assert 0 <= gini(amount) <= 1 - 1 / homes + 1e-12
    assert 1 / homes - 1e-12 <= jain(amount) <= 1 + 1e-12
    found = kpis(amount)
    assert 0 <= found["min_max_ratio"] <= 1
    assert found["gini"] == pytest.approx(
        found["relative_saving_gini"], abs=1e-12
    )  # all bills alike
    by_pairs = np.abs(amount[:, None] - amount[None, :]).sum() / (2 * homes**2 * amount.mean())
    assert gini(amount) == pytest.approx(by_pairs, abs=1e-12)
    share, together = metrics.lorenz_curve(amount)
    assert gini(amount) == pytest.approx(1 - 2 * np.trapezoid(together, share), abs=1e-12)


@given(amounts, st.randoms(use_true_random=False), st.floats(0.01, 100))
def test_indices_do_not_depend_on_order_and_currency(amount, random, rate):
    shuffled = np.array(random.sample(list(amount), len(amount))) * rate
    for index in (gini, jain):
        assert index(shuffled) == pytest.approx(index(amount), rel=1e-9, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("saving", [[2.0, 1.0, 3.0], [2.0, -1.0, 3.0], [0.0, 0.0, 0.0]])
def test_jax_and_numpy_agree(saving):
    """The compiled program has single precision."""
    served, price = np.array([1.0, 0.5, np.nan]), np.array([0.1, 0.2, np.nan])
    plain = kpis(np.array(saving), served=served, price=price)
    jitted = jax.jit(lambda x: kpis(x, served=served, price=price, xp=jnp))(jnp.asarray(saving))
    for name, number in plain.items():
        assert float(jitted[name]) == pytest.approx(
            float(number), rel=1e-6, abs=1e-6, nan_ok=True
        ), name
    for one, other in zip(
        metrics.lorenz_curve(np.array(saving)),
        metrics.lorenz_curve(jnp.asarray(saving)),
        strict=True,
    ):
        np.testing.assert_allclose(other, one, rtol=1e-6)
