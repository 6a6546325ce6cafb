"""From a scenario to an environment."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from prosumax.devices import flexible, from_scenario
from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import agent_names
from prosumax.market.pricing.posted import price_observations
from prosumax.rl.env import CommunityEnv, EnvConfig
from prosumax.rl.observations.home_terms import PRESETS, observations
from prosumax.rl.rewards.home_terms import rewards
from prosumax.rl.rewards.price_terms import price_rewards
from prosumax.rl.types import EnvParams, Scales
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, build, market_options


def make(
    scenario: str | Path | Mapping[str, Any] | Scenario,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    data_dir: str | Path | None = None,
) -> CommunityEnv:
    """The environment of a scenario.

    Arguments:
        scenario: preset name, YAML file, mapping, or `Scenario`; its `environment` says what agents do, see and earn.
        overrides: as in `prosumax.run`: `{"environment.control": "bid"}`.
        data_dir: folder with data sets, looked at before the cache.

    Raises:
        InputError: something in the scenario or its data is not right.
    """
    checked = load_scenario(scenario, overrides)
    return CommunityEnv(env_config(checked), env_params(checked, build(checked, data_dir)))


def env_config(scenario: Scenario) -> EnvConfig:
    """Shapes and functions of a scenario's environment.

    Raises:
        InputError: a term does not exist, or the period is shorter than an episode.
    """
    spec, period = scenario.environment, scenario.period
    where = f"{scenario.name}: environment"
    if spec.episode_steps > period.steps:
        what = f"is {spec.episode_steps}, but the period has {period.steps} steps"
        raise InputError(
            f"{where}.episode_steps", what, "Shorten the episode or lengthen the period."
        )
    per_day = 24 * 60 // period.step_minutes
    every = {"first": 0, "days": per_day, "any": 1}[spec.starts]
    return EnvConfig(
        agents=tuple(home.name for home in scenario.homes),
        control=spec.control,
        levels=spec.levels,
        reach=spec.reach,
        steps=spec.episode_steps,
        start_every=every,
        observations=_terms(spec.observations, f"{where}.observations"),
        rewards=_reward_names(scenario),
        forecast=spec.forecast,
        forecast_steps=spec.forecast_steps,
        noisy=spec.noise > 0,
        random_arrival=spec.random_arrival,
        window=spec.window,
        slots=("battery", *from_scenario.slot_names(scenario)),
        **_price_agents(scenario),
    )


def _price_agents(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Names and terms of those who announce prices; nothing under rules without them."""
    mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    if not mechanism.has_agents:
        return {}
    spec, where = scenario.environment, f"{scenario.name}: environment"
    for name in spec.price_observations:
        price_observations.check(name, f"{where}.price_observations")
    names = agent_names(mechanism.levels, market_options(scenario))
    unknown = sorted(set(spec.price_goals) - set(names))
    if unknown:
        raise InputError(
            f"{where}.price_goals",
            f"there is no price agent {unknown[0]!r}",
            f"There are: {names}.",
        )
    goals = _price_goals(scenario, names)
    terms = tuple(dict.fromkeys(name for goal in goals for name in goal))
    for name in terms:
        price_rewards.check(name, f"{where}.price_goal")
    if not terms:
        raise InputError(
            f"{where}.price_goal", "is empty", f"Name some of: {', '.join(price_rewards)}."
        )
    return {
        "price_agents": names,
        "price_observations": tuple(spec.price_observations),
        "price_rewards": terms,
    }


def _price_goals(scenario: Scenario, names: Iterable[str]) -> list[dict[str, float]]:
    spec = scenario.environment
    return [spec.price_goals.get(name, spec.price_goal) for name in names]


def env_params(scenario: Scenario, community: Community) -> EnvParams:
    """The arrays of a scenario's environment; everything in them may vary over a batch."""
    spec, names = scenario.environment, _reward_names(scenario)
    own = [
        scenario.environment.rewards if home.rewards is None else home.rewards
        for home in scenario.homes
    ]
    weights = [[goals.get(name, 0.0) for goals in own] for name in names]
    return EnvParams(
        community=community,
        weights=jnp.asarray(weights, jnp.float32),
        scales=_scales(scenario, community),
        noise=jnp.float32(spec.noise),
        forecast_noise=jnp.float32(spec.forecast_noise),
        price_weights=_price_weights(scenario),
    )


def _price_weights(scenario: Scenario) -> Float[Array, "term agent"] | None:
    found = _price_agents(scenario)
    if not found:
        return None
    goals = _price_goals(scenario, found["price_agents"])
    return jnp.asarray(
        [[goal.get(name, 0.0) for goal in goals] for name in found["price_rewards"]], jnp.float32
    )


def _scales(scenario: Scenario, community: Community) -> Scales:
    spec, series, rates = scenario.environment, community.series, community.rates
    prices = {
        name: np.asarray(value, np.float64) for name, value in series.tariff._asdict().items()
    }
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * (1 + float(rates.vat))
    highest = float(retail.max()) if spec.highest_price is None else spec.highest_price
    lowest = float(prices["feed_in"].min()) if spec.lowest_price is None else spec.lowest_price
    if lowest >= highest:
        what = f"leave no room: bids lie between {lowest:g} and {highest:g}"
        raise InputError(
            f"{scenario.name}: environment.lowest_price and highest_price", what, "Set both."
        )
    battery, hours = community.homes.battery, float(community.step_hours)
    charge_kw, discharge_kw = np.asarray(battery.charge_kw), np.asarray(battery.discharge_kw)
    if community.homes.devices is not None:
        taken, given = flexible.limits_kw(community.homes.devices)
        charge_kw, discharge_kw = charge_kw + np.asarray(taken), discharge_kw + np.asarray(given)
    load, solar = (
        np.asarray(series.load_kwh, np.float64).max(0),
        np.asarray(series.solar_kwh, np.float64).max(0),
    )
    wanted = np.maximum(load + charge_kw * hours, solar + discharge_kw * hours)
    most = float(wanted.max()) if spec.most_kwh is None else spec.most_kwh
    capacity = scenario.network.capacity_kw
    carbon = np.nanmax(prices["carbon_kg"]) if np.isfinite(prices["carbon_kg"]).any() else 1.0
    values = {
        "energy_kwh": max(most, 1e-6),
        "price": highest,
        "lowest_price": lowest,
        "capacity_kwh": max(float(wanted.sum()) if capacity is None else capacity * hours, 1e-6),
        "carbon_kg": float(carbon) or 1.0,
    }
    return Scales(**{name: jnp.float32(value) for name, value in values.items()})


def _terms(asked: str | list[str], where: str) -> tuple[str, ...]:
    if isinstance(asked, str):
        if asked not in PRESETS:
            raise InputError(
                where, f"there is no preset {asked!r}", did_you_mean(asked, list(PRESETS))
            )
        return PRESETS[asked]
    for name in asked:
        observations.check(name, where)
    if not asked:
        raise InputError(where, "is empty", f"Name a preset ({', '.join(PRESETS)}) or terms.")
    return tuple(asked)


def _reward_names(scenario: Scenario) -> tuple[str, ...]:
    goals = [
        scenario.environment.rewards,
        *(home.rewards for home in scenario.homes if home.rewards is not None),
    ]
    names = tuple(dict.fromkeys(name for goal in goals for name in goal))
    for name in names:
        rewards.check(name, f"{scenario.name}: environment.rewards")
    if not names:
        raise InputError(
            f"{scenario.name}: environment.rewards",
            "is empty",
            f"Name some of: {', '.join(rewards)}.",
        )
    return names
