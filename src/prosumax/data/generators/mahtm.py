"""Synthetic homes of MAHTM: three daily load shapes and a sine of PV generation, hourly.

Noise and temperature dependence are optional; energies are normalized.

References:
    "MAHTM: A Multi-Agent Framework for Hierarchical Transactive Microgrids" (2023), section 3.1 and
    appendix "Dataset generation", and the code published by its authors (Apache-2.0), from which
    the values of the shapes are taken.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

BASE_LOAD_SHARES = {"family": 0.2, "teenagers": 0.3, "business": 0.6}
"""Base load as a share of the peak, by profile."""

_FAMILY = [
    *(0, 0, 0, 0, 0, 0.25, 0.83, 1, 0.25, 0, 0, 0),
    *(0, 0, 0, 0.33, 0.41, 0.41, 0.66, 0.83, 0.66, 0.25, 0.08, 0),
]
_TEENAGERS = [
    *(1, 1, 1, 0.83, 0.41, 0, 0, 0, 0, 0, 0, 0),
    *(0, 0.25, 0.41, 0.41, 0.41, 0.41, 0.41, 0.83, 1, 1, 1, 1),
]
# The shape behind the paper's figures: that of the family with a peak at 22 h.
_BUSINESS_CODE = [*_FAMILY[:22], 0.83, 0]
# The shape that the paper describes ("high energy usage in the middle of the day"), from the
# authors' later code.
_BUSINESS_PAPER = [
    *(0, 0, 0, 0, 0, 0.2, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7),
    *(0.8, 0.8, 0.8, 0.7, 0.5, 0.5, 0.7, 0.6, 0.6, 0.25, 0.2, 0),
]

_COMFORT_C = 22.0
_LOAD_PER_KELVIN = 0.01
_TEMPERATURE_RANGE_C = (29.0, 31.0)
_LOAD_NOISE_SD = 0.01
_SOLAR_NOISE_SD = 0.1


def mahtm_load_shape(profile: str, business_profile: str = "code") -> Float[Array, " hour"]:
    """Return the load above the base load by hour, as a share of the rest of the peak.

    Args:
        profile: `family`, `business` or `teenagers`.
        business_profile: `code` for the shape behind the paper's figures, `paper` for the shape
            that its text describes.
    """
    shapes = {
        "family": _FAMILY,
        "teenagers": _TEENAGERS,
        "business": {"code": _BUSINESS_CODE, "paper": _BUSINESS_PAPER}[business_profile],
    }
    return np.asarray(shapes[profile], dtype=np.float64)


def mahtm_load(
    hour: Int[Ints, " step"],
    profile: str,
    peak: float,
    *,
    temperature_c: float | None = 30.0,
    noise: bool = False,
    business_profile: str = "code",
    seed: int = 0,
) -> Float[Array, " step"]:
    """Generate the load of a home.

    The published code samples temperatures even in runs without noise, as `temperature_c=None`
    does.

    Args:
        hour: Hour of the day of each step.
        profile: Daily load shape: `family`, `business` or `teenagers`.
        peak: Peak of the load shape, kW.
        temperature_c: Temperature of every hour; None samples each hour between 29 and 31 C. The
            load increases by 0.01 kWh per kelvin above 22 C.
        noise: Whether to add normal noise with a standard deviation of 0.01.
        business_profile: Shape of a business, see `mahtm_load_shape`.
        seed: Seed of the temperatures and the noise.

    Returns:
        Load in kWh per hourly step.
    """
    rng = np.random.default_rng(seed)
    base = BASE_LOAD_SHARES[profile] * peak
    load = base + mahtm_load_shape(profile, business_profile)[hour] * (peak - base)
    if temperature_c is None:
        load = load + _LOAD_PER_KELVIN * (
            rng.uniform(*_TEMPERATURE_RANGE_C, len(hour)) - _COMFORT_C
        )
    else:
        load = load + _LOAD_PER_KELVIN * (temperature_c - _COMFORT_C)
    if noise:
        load = load + rng.normal(0, _LOAD_NOISE_SD, len(hour))
    return np.maximum(load, 0.0)


def mahtm_solar(
    hour: Int[Ints, " step"], peak: float, *, noise: bool = False, seed: int = 0
) -> Float[Array, " step"]:
    """Generate the PV generation of a home: `peak` times the positive part of sin(hour / 4 + 5).

    Args:
        hour: Hour of the day of each step.
        peak: Peak of the PV generation, kW.
        noise: Whether to add normal noise with a standard deviation of 0.1 to the sine, also at
            night, as the published code does.
        seed: Seed of the noise.

    Returns:
        PV generation in kWh per hourly step.
    """
    sine = np.sin(hour / 4 + 5)
    if noise:
        sine = sine + np.random.default_rng(seed).normal(0, _SOLAR_NOISE_SD, len(hour))
    return np.maximum(sine * peak, 0.0)
