"""Street of page one: eight homes on one day, and four homes that share a surplus."""

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
from prosumax.data.cache import file_digest, load_or_compute, source_digest
from prosumax.data.generators.household import appliances, lifestyles, load, occupancy
from prosumax.data.generators.solar import position, pv, weather
from prosumax.market.mechanism import MarketOptions, mechanisms
from prosumax.scenario.loading import load_scenario
from prosumax.simulation.inputs import read_profiles
from prosumax.types import Orders, Prices
from prosumax.web.model import communities, sample_data, state

Series = NDArray[np.float64]

_ADDED_KWP = 4.0  # PV of homes that have none in the preset street
_STEP_HOURS = 0.25

DEMAND_KWH = (1.0, 2.0, 4.0, 1.0)
"""Demand of four homes in one quarter-hour."""
BID_PRICES = (0.20, 0.30, 0.25, 0.33)
"""Bid of each of them in the auction, EUR/kWh."""
RETAIL_PRICE = 0.34
FEED_IN_PRICE = 0.05
RULE_MECHANISMS: Mapping[str, str] = {
    "equal": "key_equal",
    "use": "key_pro_rata",
    "auction": "double_auction",
}
"""Mechanism of each rule whose allocation is shown."""


def street_day(season: str) -> tuple[Series, Series]:
    """Return load and PV generation of the preset street on the representative day, kW.

    Every home has PV here; homes that have PV in the preset come first.

    Args:
        season: One of `state.SEASONS`.

    Returns:
        Load [step, home] and PV generation [step, home].
    """
    index = state.SEASONS.index(season)
    profiles = _load_profiles()
    return profiles["load"][index], profiles["solar"][index]


@cache
def _load_profiles() -> dict[str, Series]:
    """Load the profiles of all seasons from the cache, or generate them."""
    generators = source_digest(load, occupancy, lifestyles, appliances, pv, weather, position)
    modules = (__file__, communities.__file__, sample_data.__file__)
    files = [file_digest(Path(file)) for file in modules]
    return load_or_compute("demo_street", {"code": generators, "files": files}, _generate)


def _generate() -> dict[str, Series]:
    homes = sorted(communities.PRESETS["street"], key=lambda home: home.panels_kwp <= 0)
    pv_homes = tuple(
        replace(home, panels_kwp=home.panels_kwp or _ADDED_KWP, battery_kwh=0.0) for home in homes
    )
    load_kw = []
    solar_kw = []
    for season in state.SEASONS:
        street = state.CommunityPageState(preset="own", homes=pv_homes, period="day", season=season)
        # Date and seed are those of the home that page one shows above the street.
        date = sample_data.representative_date(season, "weekday")
        same_day = {"period.start": f"{date}T00:00", "seed": sample_data.SEED}
        profiles = read_profiles(load_scenario(communities.community_scenario(street), same_day))
        load_kw.append(profiles.load_kwh / _STEP_HOURS)
        solar_kw.append(profiles.solar_kwh / _STEP_HOURS)
    return {"load": np.stack(load_kw), "solar": np.stack(solar_kw)}


def net_load_kw(season: str, pv_homes: int) -> Series:
    """Compute the net load of the street, kW [step]; negative values are exported.

    Args:
        season: One of `state.SEASONS`.
        pv_homes: Number of homes with PV.
    """
    load_kw, solar_kw = street_day(season)
    return np.asarray(load_kw.sum(axis=1) - solar_kw[:, :pv_homes].sum(axis=1))


def allocations(surplus_kwh: float) -> dict[str, tuple[float, ...]]:
    """Allocate a surplus to the four homes under each rule, with the simulator's mechanisms.

    Args:
        surplus_kwh: Surplus to share, kWh.

    Returns:
        Energy of each home by rule, kWh.
    """
    bought = jax.device_get(_clear_rules(jnp.float32(surplus_kwh)))
    rounded = {
        rule: tuple(round(float(kwh), 3) for kwh in bought[rule]) for rule in RULE_MECHANISMS
    }
    return {**rounded, "none": (0.0,) * len(DEMAND_KWH)}


@cache
def _rule_stages() -> dict[str, tuple[market.Stage, ...]]:
    options = MarketOptions.default(len(DEMAND_KWH) + 1)
    return {
        rule: (*mechanisms.get(name, "rule").build(options), market.grid_stage)
        for rule, name in RULE_MECHANISMS.items()
    }


@jax.jit
def _clear_rules(surplus_kwh: Float[Array, ""]) -> dict[str, Array]:
    """Clear the market of four buyers and one seller under each rule."""
    homes = len(DEMAND_KWH) + 1
    orders = Orders(
        quantity_kwh=jnp.concatenate([jnp.asarray(DEMAND_KWH), -surplus_kwh[None]]),
        price=jnp.asarray((*BID_PRICES, FEED_IN_PRICE)),
        partner=jnp.full(homes, -1, jnp.int32),
        priority=jnp.zeros(homes),
        arrival=jnp.zeros(homes),
    )
    prices = Prices(jnp.full(homes, RETAIL_PRICE), jnp.full(homes, FEED_IN_PRICE), jnp.zeros(homes))
    bought = {
        rule: market.clear(stages, orders, prices)[0].bought_kwh
        for rule, stages in _rule_stages().items()
    }
    return {rule: kwh[: len(DEMAND_KWH)] for rule, kwh in bought.items()}


def warm_up() -> None:
    """Load the profiles and compile the markets of page one."""
    _load_profiles()
    allocations(state.BasicsPageState().surplus_kwh)
