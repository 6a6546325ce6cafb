"""The street of page one: eight homes on one day, and four who want more than there is."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from prosumax import market
from prosumax.data.cache import cached, code_key, file_key
from prosumax.market.mechanism import MarketOptions, mechanisms
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import read_profiles
from prosumax.types import Orders, Prices
from prosumax.web.model import communities, sample_data, state

Series = NDArray[np.float64]

_MORE_KWP = 4.0  # of the homes that have no panels in the preset street

WANTED_KWH = (1.0, 2.0, 4.0, 1.0)
"""What four homes want in one quarter-hour."""
BIDS = (0.20, 0.30, 0.25, 0.33)
"""What each of them offers for a kWh in the auction, EUR."""
RETAIL, FEED_IN = 0.34, 0.05
RULES: Mapping[str, str] = {
    "equal": "key_equal",
    "use": "key_pro_rata",
    "auction": "double_auction",
}
"""Rules whose shares are shown, by the simulator's mechanism."""


def day(season: str) -> tuple[Series, Series]:
    """Demand and production of the preset street's homes on the season's day, kW [quarter, home].

    Every home has panels here; those that have some in the preset come first.
    """
    at = state.SEASONS.index(season)
    return _drawn()["load"][at], _drawn()["solar"][at]


@cache
def _drawn() -> dict[str, Series]:
    """All four days; read from the cache where they are kept."""
    code = code_key(
        "generators/household/load",
        "generators/household/occupancy",
        "generators/household/lifestyles",
        "generators/household/appliances",
        "generators/solar/pv",
        "generators/solar/sky",
        "generators/solar/sun",
    )
    files = [
        file_key(Path(file)) for file in (__file__, communities.__file__, sample_data.__file__)
    ]
    return cached("demo_street", {"code": code, "files": files}, _draw)


def _draw() -> dict[str, Series]:
    homes = sorted(communities.PRESETS["street"], key=lambda home: home.panels_kwp <= 0)
    roofed = tuple(
        replace(home, panels_kwp=home.panels_kwp or _MORE_KWP, battery_kwh=0.0) for home in homes
    )
    days = []
    for season in state.SEASONS:
        asked = communities.scenario_of(
            state.Community(preset="own", homes=roofed, period="day", season=season)
        )
        # The day and the sky of the home above it on the page.
        same_day = {
            "period.start": f"{sample_data.date(season, 'weekday')}T00:00",
            "seed": sample_data.SEED,
        }
        made = read_profiles(load_scenario(asked, same_day))
        days.append((made.load_kwh / 0.25, made.solar_kwh / 0.25))
    load, solar = (np.stack(part) for part in zip(*days, strict=True))
    return {"load": load, "solar": solar}


def net_kw(season: str, roofs: int) -> Series:
    """What the street draws from the grid less what it sends there, kW [quarter]: below zero nobody here can use it."""
    load, solar = day(season)
    return np.asarray(load.sum(axis=1) - solar[:, :roofs].sum(axis=1))


def shares(surplus_kwh: float) -> dict[str, tuple[float, ...]]:
    """What each of the four homes gets of a surplus under every rule, kWh: by the simulator's own markets."""
    taken = jax.device_get(_shares(jnp.float32(surplus_kwh)))
    found = {rule: tuple(round(float(kwh), 3) for kwh in taken[rule]) for rule in RULES}
    return {**found, "none": (0.0,) * len(WANTED_KWH)}


@cache
def _stages() -> dict[str, tuple[market.Stage, ...]]:
    options = MarketOptions.default(len(WANTED_KWH) + 1)
    return {
        rule: (*mechanisms.get(name, "rule").build(options), market.grid)
        for rule, name in RULES.items()
    }


@jax.jit
def _shares(surplus_kwh: Float[Array, ""]) -> dict[str, Array]:
    """Four buyers and one seller, whose surplus it is."""
    homes = len(WANTED_KWH) + 1
    quantity = jnp.concatenate([jnp.asarray(WANTED_KWH), -surplus_kwh[None]])
    prices = Prices(jnp.full(homes, RETAIL), jnp.full(homes, FEED_IN), jnp.zeros(homes))
    orders = Orders(
        quantity_kwh=quantity,
        price=jnp.asarray((*BIDS, FEED_IN)),
        partner=jnp.full(homes, -1, jnp.int32),
        priority=jnp.zeros(homes),
        arrival=jnp.zeros(homes),
    )
    got = {
        rule: market.clear(stages, orders, prices)[0].bought_kwh
        for rule, stages in _stages().items()
    }
    return {rule: kwh[: len(WANTED_KWH)] for rule, kwh in got.items()}


def warm() -> None:
    """Draw and compile what page one shows."""
    _drawn()
    shares(state.Basics().surplus_kwh)
