"""Construction of an environment from a scenario."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from prosumax.errors import InputError, did_you_mean
from prosumax.market.mechanism import mechanisms
from prosumax.market.pricing.hierarchy import price_agent_names
from prosumax.market.pricing.posted import price_observations
from prosumax.rl.actions import slot_devices
from prosumax.rl.env import CommunityEnv, EnvConfig
from prosumax.rl.observations import OBSERVATION_PRESETS, observation_terms, preset_terms
from prosumax.rl.rewards import price_reward_terms, reward_terms
from prosumax.rl.types import EnvParams, Scales
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, build, market_options
from prosumax.tariff.prices import retail_price

_MINUTES_PER_DAY = 24 * 60
_MIN_SCALE_KWH = 1e-6


def make(
    scenario: str | Path | Mapping[str, object] | Scenario,
    overrides: Iterable[str] | Mapping[str, object] = (),
    *,
    data_dir: str | Path | None = None,
) -> CommunityEnv:
    """Build the environment of a scenario.

    Args:
        scenario: Preset name, YAML file, mapping or `Scenario`; its `environment` section defines
            actions, observations, rewards and episodes.
        overrides: Overrides as in `prosumax.run`: `{"environment.action_mode": "bid"}`.
        data_dir: Folder with data sets, searched before the cache.

    Raises:
        InputError: If the scenario or its data is invalid.
    """
    checked = load_scenario(scenario, overrides)
    return CommunityEnv(env_config(checked), env_params(checked, build(checked, data_dir)))


def env_config(scenario: Scenario) -> EnvConfig:
    """Build the static configuration of a scenario's environment.

    Args:
        scenario: Validated scenario.

    Raises:
        InputError: If a term does not exist or the period is shorter than an episode.
    """
    config = scenario.environment
    period = scenario.period
    where = f"{scenario.name}: environment"
    if config.episode_steps > period.steps:
        problem = (
            f"the episode has {config.episode_steps} steps, but the period has {period.steps} steps"
        )
        fix = "Shorten the episode or lengthen the period."
        raise InputError(f"{where}.episode_steps", problem, fix)
    steps_per_day = _MINUTES_PER_DAY // period.step_minutes
    start_intervals = {"first": 0, "random_day": steps_per_day, "random_step": 1}
    return EnvConfig(
        agents=tuple(home.name for home in scenario.homes),
        action_mode=config.action_mode,
        power_levels=config.power_levels,
        max_power_fraction=config.max_power_fraction,
        episode_steps=config.episode_steps,
        start_interval=start_intervals[config.episode_start],
        observations=_observation_names(scenario),
        rewards=_reward_names(scenario),
        forecast=config.forecast,
        forecast_steps=config.forecast_steps,
        has_profile_noise=config.profile_noise > 0,
        random_arrival=config.random_arrival,
        indicator_window=config.indicator_window,
        action_slots=_action_slots(scenario),
        **_price_agent_config(scenario),
    )


def env_params(scenario: Scenario, community: Community) -> EnvParams:
    """Build the default parameters of a scenario's environment.

    Args:
        scenario: Validated scenario.
        community: Community of the scenario.
    """
    config = scenario.environment
    names = _reward_names(scenario)
    rewards = [config.rewards if home.rewards is None else home.rewards for home in scenario.homes]
    weights = [[home.get(name, 0.0) for home in rewards] for name in names]
    return EnvParams(
        community=community,
        reward_weights=jnp.asarray(weights, jnp.float32),
        scales=_scales(scenario, community),
        profile_noise=jnp.float32(config.profile_noise),
        forecast_noise=jnp.float32(config.forecast_noise),
        price_reward_weights=_price_reward_weights(scenario),
    )


def _action_slots(scenario: Scenario) -> tuple[str, ...]:
    names: list[str] = []
    for device in slot_devices(scenario.device_kinds):
        names += device.action_slots(max(map(len, scenario.device_configs(device.kind))))
    return tuple(names)


def _observation_names(scenario: Scenario) -> tuple[str, ...]:
    observations = scenario.environment.observations
    where = f"{scenario.name}: environment.observations"
    if isinstance(observations, str):
        if observations not in OBSERVATION_PRESETS:
            problem = f"there is no preset {observations!r}"
            fix = did_you_mean(observations, list(OBSERVATION_PRESETS))
            raise InputError(where, problem, fix)
        return preset_terms(observations, scenario.device_kinds)
    for name in observations:
        observation_terms.check(name, where)
    if not observations:
        fix = f"Name a preset ({', '.join(OBSERVATION_PRESETS)}) or observation terms."
        raise InputError(where, "the list is empty", fix)
    return tuple(observations)


def _reward_names(scenario: Scenario) -> tuple[str, ...]:
    where = f"{scenario.name}: environment.rewards"
    own = [home.rewards for home in scenario.homes if home.rewards is not None]
    rewards = [scenario.environment.rewards, *own]
    names = tuple(dict.fromkeys(name for weights in rewards for name in weights))
    for name in names:
        reward_terms.check(name, where)
    if not names:
        raise InputError(where, "the list is empty", f"Name some of: {', '.join(reward_terms)}.")
    return names


def _price_agent_config(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Return the `EnvConfig` fields of price agents; empty in markets without any."""
    mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    if not mechanism.has_price_agents:
        return {}
    config = scenario.environment
    where = f"{scenario.name}: environment"
    for name in config.price_observations:
        price_observations.check(name, f"{where}.price_observations")
    agents = price_agent_names(mechanism.levels, market_options(scenario))
    unknown = sorted(set(config.price_agent_rewards) - set(agents))
    if unknown:
        problem = f"there is no price agent {unknown[0]!r}"
        fix = did_you_mean(unknown[0], agents)
        raise InputError(f"{where}.price_agent_rewards", problem, fix)
    rewards = _price_rewards(scenario, agents)
    names = tuple(dict.fromkeys(name for weights in rewards for name in weights))
    for name in names:
        price_reward_terms.check(name, f"{where}.price_rewards")
    if not names:
        fix = f"Name some of: {', '.join(price_reward_terms)}."
        raise InputError(f"{where}.price_rewards", "the list is empty", fix)
    return {
        "price_agents": agents,
        "price_observations": tuple(config.price_observations),
        "price_rewards": names,
    }


def _price_rewards(scenario: Scenario, agents: Iterable[str]) -> list[dict[str, float]]:
    """Return the reward weights of each price agent."""
    config = scenario.environment
    return [config.price_agent_rewards.get(agent, config.price_rewards) for agent in agents]


def _price_reward_weights(scenario: Scenario) -> Float[Array, "term agent"] | None:
    config = _price_agent_config(scenario)
    if not config:
        return None
    rewards = _price_rewards(scenario, config["price_agents"])
    rows = [[weights.get(name, 0.0) for weights in rewards] for name in config["price_rewards"]]
    return jnp.asarray(rows, jnp.float32)


def _scales(scenario: Scenario, community: Community) -> Scales:
    config = scenario.environment
    series = community.series
    vat = float(community.rates.vat)
    prices = {
        name: np.asarray(value, np.float64)
        for name, value in series.tariff._asdict().items()
        if name != "surcharges"
    }
    retail = retail_price(prices["energy"], prices["network"], prices["levies"], vat)
    if series.tariff.surcharges is not None:
        surcharges = series.tariff.surcharges
        retail = retail + np.asarray(surcharges.imported + surcharges.bought, np.float64)
    max_price = float(retail.max()) if config.max_price is None else config.max_price
    min_price = float(prices["feed_in"].min()) if config.min_price is None else config.min_price
    if min_price >= max_price:
        where = f"{scenario.name}: environment.min_price and max_price"
        problem = f"leave no range of bids: they are {min_price:g} and {max_price:g}"
        raise InputError(where, problem, "Set both, with min_price below max_price.")
    hours = float(community.step_hours)
    max_load = np.asarray(series.load_kwh, np.float64).max(0)
    max_solar = np.asarray(series.solar_kwh, np.float64).max(0)
    draw_kw = np.zeros(max_load.shape, np.float32)
    supply_kw = np.zeros(max_load.shape, np.float32)
    for device in slot_devices(community.homes.devices):
        limits_kw = device.limits_kw(community.homes.devices[device.kind])
        draw_kw = draw_kw + np.asarray(limits_kw[0])
        supply_kw = supply_kw + np.asarray(limits_kw[1])
    max_orders = np.maximum(max_load + draw_kw * hours, max_solar + supply_kw * hours)
    max_order = config.max_order_kwh
    if max_order is None:
        max_order = float(max_orders.max())
    capacity_kw = scenario.network.capacity_kw
    capacity_kwh = float(max_orders.sum()) if capacity_kw is None else capacity_kw * hours
    factors = prices["emission_factor_kg_per_kwh"]
    max_factor = float(np.nanmax(factors)) if np.isfinite(factors).any() else 1.0
    return Scales(
        max_order_kwh=jnp.float32(max(max_order, _MIN_SCALE_KWH)),
        max_price=jnp.float32(max_price),
        min_price=jnp.float32(min_price),
        network_capacity_kwh=jnp.float32(max(capacity_kwh, _MIN_SCALE_KWH)),
        max_emission_factor=jnp.float32(max_factor or 1.0),
    )
