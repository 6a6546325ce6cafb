"""MARLEM's days: reproducible, a draw of its own for every home, and the shapes the paper describes."""

import numpy as np
import pytest

from prosumax.data.generators import marlem

CAPACITY = np.array([90.0, 90.0, 40.0])
SAME = np.ones(3)


def days(draw, count=200):
    return np.stack([draw(seed) for seed in range(count)])


@pytest.mark.parametrize(
    "draw",
    [
        lambda seed: marlem.generation_kwh(CAPACITY, seed),
        lambda seed: marlem.demand_kwh(CAPACITY, SAME, seed),
        lambda seed: np.stack(marlem.grid_prices(0.04, 0.25, seed)),
    ],
    ids=["generation", "demand", "prices"],
)
def test_a_seed_is_a_day(draw):
    assert np.array_equal(draw(3), draw(3))
    assert not np.allclose(draw(3), draw(4))


def test_homes_of_the_same_size_have_days_of_their_own():
    generation, demand = marlem.generation_kwh(CAPACITY, 0), marlem.demand_kwh(CAPACITY, SAME, 0)
    for energy in (generation, demand):
        assert np.abs(energy[:, 0] - energy[:, 1]).max() > 1
    clouds = days(lambda seed: marlem.generation_kwh(CAPACITY, seed).sum(0))
    assert abs(np.corrcoef(clouds[:, 0], clouds[:, 1])[0, 1]) < 0.2


def test_the_sun_is_a_gaussian_around_noon_between_6_and_18():
    generation = days(lambda seed: marlem.generation_kwh(CAPACITY, seed))
    mean = generation.mean(0) / CAPACITY
    assert (mean[:6] == 0).all() and (mean[19:] == 0).all() and (mean[6:19] > 0).all()
    assert set(mean.argmax(0).tolist()) <= {11, 12, 13}
    # Equation 13 with a mean shade of 25 %: 0.75 exp(-((h - 12) / 6)^2), apart from smoothing and the noise of means.
    assert mean[9] == pytest.approx(0.75 * np.exp(-0.25), rel=0.05)
    assert (generation >= 0).all() and (generation <= 1.3 * CAPACITY).all()


def test_noise_scales_with_the_sun():
    """Equation 13 multiplies; MARLEM's released code adds, which shows as equal spread in the morning and at noon."""
    spread = days(lambda seed: marlem.generation_kwh(np.ones(1), seed)).std(0)[:, 0]
    assert spread[7] < 0.7 * spread[12]


def test_demand_has_two_peaks_and_follows_its_factor():
    demand = days(lambda seed: marlem.demand_kwh(CAPACITY, SAME, seed)).mean(0)[:, 0]
    assert demand[7:9].mean() > 1.15 * demand[10:18].mean() > 2 * 0.8 * demand[2:5].mean()
    assert demand[19:21].mean() > 1.15 * demand[10:18].mean()
    double = marlem.demand_kwh(CAPACITY, 2 * SAME, 1)
    assert np.allclose(double, 2 * marlem.demand_kwh(CAPACITY, SAME, 1))


def test_prices_stay_in_the_market_and_retail_above_feed_in():
    prices = days(lambda seed: np.stack(marlem.grid_prices(0.04, 0.25, seed)))
    feed_in, retail = prices[:, 0], prices[:, 1]
    assert (retail - feed_in >= 0.05 * 0.21 - 1e-12).all()
    assert feed_in.min() >= 0.04 and retail.max() <= 0.25 + 1e-12
    assert retail[:, 18:22].mean() > 1.3 * retail[:, 2:5].mean()
    assert feed_in[:, 19:21].mean() > 1.3 * feed_in[:, 11:15].mean()


def test_the_moving_average_keeps_its_height_at_the_edges():
    assert np.allclose(marlem._smooth(np.full(24, 3.0)), 3.0)
