"""Synthetic days of MARLEM: reproducibility, independent homes and the shapes of the paper."""

import numpy as np
import pytest

from prosumax.data.generators import marlem

CAPACITY = np.array([90.0, 90.0, 40.0])
UNIT_FACTOR = np.ones(3)


def sample_days(sample, count=200):
    """Return the days of the first seeds, stacked."""
    return np.stack([sample(seed) for seed in range(count)])


@pytest.mark.parametrize(
    "sample",
    [
        lambda seed: marlem.generation_kwh(CAPACITY, seed),
        lambda seed: marlem.demand_kwh(CAPACITY, UNIT_FACTOR, seed),
        lambda seed: np.stack(marlem.grid_prices(0.04, 0.25, seed)),
    ],
    ids=["generation", "demand", "prices"],
)
def test_same_seed_gives_the_same_day(sample):
    assert np.array_equal(sample(3), sample(3))
    assert not np.allclose(sample(3), sample(4))


def test_homes_of_the_same_size_are_independent():
    generation = marlem.generation_kwh(CAPACITY, 0)
    demand = marlem.demand_kwh(CAPACITY, UNIT_FACTOR, 0)
    for energy in (generation, demand):
        assert np.abs(energy[:, 0] - energy[:, 1]).max() > 1
    daily = sample_days(lambda seed: marlem.generation_kwh(CAPACITY, seed).sum(0))
    assert abs(np.corrcoef(daily[:, 0], daily[:, 1])[0, 1]) < 0.2


def test_generation_is_a_gaussian_around_noon_between_6_and_18():
    generation = sample_days(lambda seed: marlem.generation_kwh(CAPACITY, seed))
    mean = generation.mean(0) / CAPACITY
    assert (mean[:6] == 0).all() and (mean[19:] == 0).all() and (mean[6:19] > 0).all()
    assert set(mean.argmax(0).tolist()) <= {11, 12, 13}
    # Equation 13 with a mean reduction of 25 % by clouds: 0.75 exp(-((h - 12) / 6)^2); the
    # tolerance covers the moving average and the sampling error.
    assert mean[9] == pytest.approx(0.75 * np.exp(-0.25), rel=0.05)
    assert (generation >= 0).all() and (generation <= 1.3 * CAPACITY).all()


def test_noise_scales_with_generation():
    """Noise is multiplicative as in equation 13, not additive as in MARLEM's released code."""
    spread = sample_days(lambda seed: marlem.generation_kwh(np.ones(1), seed)).std(0)[:, 0]
    assert spread[7] < 0.7 * spread[12]


def test_demand_has_two_peaks_and_follows_its_factor():
    demand = sample_days(lambda seed: marlem.demand_kwh(CAPACITY, UNIT_FACTOR, seed)).mean(0)[:, 0]
    assert demand[7:9].mean() > 1.15 * demand[10:18].mean() > 2 * 0.8 * demand[2:5].mean()
    assert demand[19:21].mean() > 1.15 * demand[10:18].mean()
    double = marlem.demand_kwh(CAPACITY, 2 * UNIT_FACTOR, 1)
    assert np.allclose(double, 2 * marlem.demand_kwh(CAPACITY, UNIT_FACTOR, 1))


def test_prices_stay_within_bounds_and_retail_exceeds_feed_in():
    prices = sample_days(lambda seed: np.stack(marlem.grid_prices(0.04, 0.25, seed)))
    feed_in, retail = prices[:, 0], prices[:, 1]
    assert (retail - feed_in >= 0.05 * 0.21 - 1e-12).all()
    assert feed_in.min() >= 0.04 and retail.max() <= 0.25 + 1e-12
    assert retail[:, 18:22].mean() > 1.3 * retail[:, 2:5].mean()
    assert feed_in[:, 19:21].mean() > 1.3 * feed_in[:, 11:15].mean()


def test_moving_average_preserves_the_level_at_the_edges():
    assert np.allclose(marlem._moving_average(np.full(24, 3.0)), 3.0)
