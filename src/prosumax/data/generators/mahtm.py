"""MAHTM's generated homes: three day shapes, a sine of sun, noise and temperature as switches; hourly, normalised.

Source: "MAHTM: A Multi-Agent Framework for Hierarchical Transactive Microgrids" (2023), section 3.1 and appendix
("Dataset generation"), and the code its authors published (Apache-2.0), from which the numbers of the curves are.
"""

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Array = NDArray[np.float64]

BASE_RATES = {"family": 0.2, "teenagers": 0.3, "business": 0.6}
"""Share of the peak that is always on."""

_FAMILY = [
    0,
    0,
    0,
    0,
    0,
    0.25,
    0.83,
    1,
    0.25,
    0,
    0,
    0,
    0,
    0,
    0,
    0.33,
    0.41,
    0.41,
    0.66,
    0.83,
    0.66,
    0.25,
    0.08,
    0,
]
_TEENAGERS = [1, 1, 1, 0.83, 0.41, *[0] * 8, 0.25, 0.41, 0.41, 0.41, 0.41, 0.41, 0.83, 1, 1, 1, 1]
# What produced the paper's figures: the family's day with a bump at 22 h.
_BUSINESS_CODE = [*_FAMILY[:22], 0.83, 0]
# What the paper describes ("high energy usage in the middle of the day"), from the authors' later code.
_BUSINESS_PAPER = [
    *[0] * 5, 0.2, 0.6, 0.7, 0.8, 0.8, 0.8, 0.7, 0.8, 0.8, 0.8, 0.7, 0.5, 0.5, 0.7, 0.6, 0.6, 0.25, 0.2, 0
]  # fmt: skip

_COMFORT_C, _PER_DEGREE = 22.0, 0.01
_TEMPERATURES_C = (29.0, 31.0)
_LOAD_NOISE, _SOLAR_NOISE = 0.01, 0.1


def mahtm_load_shape(profile: str, business_profile: str = "code") -> Float[Array, " hour"]:
    """Use above the base rate by hour, as a share of the rest of the peak [24].

    Arguments:
        profile: `family`, `business` or `teenagers`.
        business: `code` for the shape behind the paper's figures, `paper` for the one its words describe.
    """
    shapes = {
        "family": _FAMILY,
        "teenagers": _TEENAGERS,
        "business": {"code": _BUSINESS_CODE, "paper": _BUSINESS_PAPER}[business_profile],
    }
    return np.asarray(shapes[profile], dtype=np.float64)


def mahtm_load(
    hour: NDArray[np.int64],
    profile: str,
    peak: float,
    *,
    temperature_c: float | None = 30.0,
    noise: bool = False,
    business_profile: str = "code",
    seed: int = 0,
) -> Float[Array, " step"]:
    """Demand of a home, kWh per hourly step [step].

    Arguments:
        hour: of the day, each step.
        profile: day shape.
        peak: highest use of the shape.
        temperature_c: of every hour; None draws each hour between 29 and 31 C. Above 22 C a degree adds 0.01.
        noise: adds a normal error of standard deviation 0.01.
        business: see `mahtm_shape`.
        seed: of the draws.

    The published code draws temperatures even in runs that it calls free of noise; so does `temperature_c=None`.
    """
    rng = np.random.default_rng(seed)
    base = BASE_RATES[profile] * peak
    load = base + mahtm_load_shape(profile, business_profile)[hour] * (peak - base)
    degrees = rng.uniform(*_TEMPERATURES_C, len(hour)) if temperature_c is None else temperature_c
    load = load + _PER_DEGREE * (degrees - _COMFORT_C)
    if noise:
        load = load + rng.normal(0, _LOAD_NOISE, len(hour))
    return np.maximum(load, 0.0)


def mahtm_solar(
    hour: NDArray[np.int64], peak: float, *, noise: bool = False, seed: int = 0
) -> Float[Array, " step"]:
    """Production of a roof, kWh per hourly step: `peak` times the positive part of sin(hour / 4 + 5) [step].

    Arguments:
        hour: of the day, each step.
        peak: of the roof.
        noise: adds a normal error of standard deviation 0.1 to the sine, also at night, as the published code does.
        seed: of the draws.
    """
    sine = np.sin(hour / 4 + 5)
    if noise:
        sine = sine + np.random.default_rng(seed).normal(0, _SOLAR_NOISE, len(hour))
    return np.maximum(sine * peak, 0.0)
