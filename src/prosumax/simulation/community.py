"""Construction of a community, one pytree of arrays, from a scenario.

`build` reads every file a scenario refers to; the simulation itself reads none.
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int, PyTree

from prosumax import market
from prosumax.devices.base import devices
from prosumax.devices.home import BATTERY, HomeParams
from prosumax.errors import InputError
from prosumax.grid import catalog
from prosumax.grid.limits import (
    NetworkLimits,
    limit_pools_pro_rata,
    limit_trades_by_value,
    limit_trades_pro_rata,
)
from prosumax.grid.network import DistributionNetwork
from prosumax.market.mechanism import MarketOptions, grid_stage, mechanisms
from prosumax.market.pricing import hierarchy
from prosumax.market.pricing.posted import posted_price_rules
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.tariff.bill import TariffRates, TariffSeries, tariff_rates, tariff_series
from prosumax.tariff.prices import retail_price_series


class ExogenousInputs(NamedTuple):
    """Exogenous time series of a community; without the step axis, the inputs of one step.

    Attributes:
        load_kwh: Load of each home without flexible devices, >= 0.
        solar_kwh: PV generation of each home, >= 0.
        hour: Local hour of the day at the start of the step, 0 to 23.
        tariff: Prices and emission factor of the grid.
        devices: Inputs by kind of device, of kinds that have any.
    """

    load_kwh: Float[Array, "*step home"]
    solar_kwh: Float[Array, "*step home"]
    hour: Int[Array, "*step"]
    tariff: TariffSeries
    devices: dict[str, PyTree] = {}  # noqa: RUF012 (never changed in place)


class Community(NamedTuple):
    """All arrays that a simulation needs, with fixed shapes; every leaf may be batched.

    Attributes:
        homes: Device parameters, one slot per home and device.
        series: Exogenous time series over the period.
        rates: Constants of the tariff.
        step_hours: Length of a step in hours.
        stages: Market stages in order; functions are static, their parameters are arrays.
        network: Distribution network; None for a copper plate.
        pricing: Posted-price scheme; None in markets without posted prices.
    """

    homes: HomeParams
    series: ExogenousInputs
    rates: TariffRates
    step_hours: Float[Array, ""]
    stages: tuple[Partial, ...]
    network: DistributionNetwork | None
    pricing: market.PricingScheme | None = None


def inputs_window(
    series: ExogenousInputs, first_step: Int[Array, ""], num_steps: int
) -> ExogenousInputs:
    """Select consecutive steps of the series; the last step repeats beyond the end.

    Args:
        series: Exogenous time series.
        first_step: First selected step.
        num_steps: Number of selected steps.
    """
    last = series.hour.shape[0] - 1
    index = jnp.minimum(first_step + jnp.arange(num_steps), last)
    window: ExogenousInputs = jax.tree.map(lambda leaf: leaf[index], series)
    return window


def inputs_at(series: ExogenousInputs, step: Int[Array, ""]) -> ExogenousInputs:
    """Select the inputs of one step.

    Args:
        series: Exogenous time series.
        step: Step of the period.
    """
    window = inputs_window(series, step, 1)
    inputs: ExogenousInputs = jax.tree.map(lambda leaf: leaf[0], window)
    return inputs


def build(scenario: Scenario, data_dir: Path | str | None = None) -> Community:
    """Read the data of a scenario and build its community.

    Args:
        scenario: Validated scenario, from `load_scenario`.
        data_dir: Folder with data sets, searched before the cache.

    Returns:
        Community that simulates without reading any file.

    Raises:
        InputError: If a file, column or value is invalid, or the mechanism does not exist.
    """
    return assemble(scenario, read_profiles(scenario, data_dir))


def assemble(scenario: Scenario, profiles: Profiles) -> Community:
    """Build a community from a scenario and its time series.

    Args:
        scenario: Validated scenario.
        profiles: Time series of the scenario, from `read_profiles`.

    Raises:
        InputError: If the mechanism does not exist or does not fit the network.
    """
    step_hours = scenario.period.step_hours
    mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    options = market_options(scenario)
    feeder = profiles.feeder
    if feeder is not None and mechanism.uses_distance:
        distance = catalog.relative_distances(feeder, profiles.home_bus)
        options = replace(options, distance=distance)
    local_stages = tuple(
        stage if isinstance(stage, Partial) else Partial(stage)
        for stage in mechanism.build(options)
    )
    network = None
    if feeder is not None:
        network = catalog.build_network(scenario.network, feeder, profiles.home_bus)
        if scenario.network.trade_limit != "none" and local_stages:
            limits = catalog.build_trade_limits(scenario.network, feeder, profiles.home_bus)
            local_stages = (_limit_stages(local_stages, limits, scenario),)
    return Community(
        homes=HomeParams(device_params(scenario)),
        series=ExogenousInputs(
            load_kwh=jnp.asarray(profiles.load_kwh, jnp.float32),
            solar_kwh=jnp.asarray(profiles.solar_kwh, jnp.float32),
            hour=jnp.asarray(profiles.local_index.hour, jnp.int32),
            tariff=tariff_series(profiles.prices),
            devices=jax.tree.map(jnp.asarray, profiles.devices),
        ),
        rates=tariff_rates(scenario.tariff, step_hours),
        step_hours=jnp.float32(step_hours),
        stages=(*local_stages, Partial(grid_stage)),
        network=network,
        pricing=_pricing_scheme(scenario, profiles, mechanism, options),
    )


def device_params(scenario: Scenario) -> dict[str, PyTree]:
    """Build the parameters of each kind of device in the scenario, and of home batteries."""
    names = [home.name for home in scenario.homes]
    kinds = dict.fromkeys((BATTERY, *scenario.device_kinds))
    step_hours = scenario.period.step_hours
    return {
        kind: devices.get(kind, "devices").build_params(
            scenario.device_configs(kind), names, step_hours
        )
        for kind in kinds
    }


def market_options(scenario: Scenario) -> MarketOptions:
    """Build the options of a mechanism, with defaults for whatever the scenario leaves open.

    Args:
        scenario: Validated scenario.
    """
    names = [home.name for home in scenario.homes]
    config = scenario.market
    options = MarketOptions.default(len(names))
    microgrids = [home.microgrid or "microgrid" for home in scenario.homes]
    microgrid_names = tuple(dict.fromkeys(microgrids))
    shares = options.shares
    if config.shares is not None:
        shares = np.array([config.shares[name] for name in names])
    rank = options.rank
    if config.cascade_order is not None:
        rank = np.array([config.cascade_order.index(name) for name in names])
    return replace(
        options,
        shares=shares,
        rank=rank,
        price_rule=config.price_rule,
        price=0.0 if config.price is None else config.price,
        compensation_price=config.compensation_price,
        k=config.k,
        spread_share=config.spread_share,
        price_tick=config.price_tick,
        energy_tick_kwh=config.energy_tick_kwh,
        incentive_per_kwh=config.incentive,
        microgrid_index=np.array([microgrid_names.index(name) for name in microgrids]),
        microgrid_names=microgrid_names,
        price_policy=config.price_policy,
        feedback_gain=config.feedback_gain,
        individually_rational=config.individual_rationality,
        nearest_first=config.nearest_first,
    )


def _pricing_scheme(
    scenario: Scenario, profiles: Profiles, mechanism: market.Mechanism, options: MarketOptions
) -> market.PricingScheme | None:
    """Build the posted-price scheme; prices follow a rule until price agents are trained."""
    if not mechanism.levels:
        return None
    if scenario.network.trade_limit != "none" and len(mechanism.levels) > 1:
        problem = (
            f"{scenario.network.trade_limit!r} cannot limit mechanism "
            f"{scenario.market.mechanism!r}, since it would mix its market levels"
        )
        raise InputError(f"{scenario.name}: network.trade_limit", problem, "Set it to none.")
    rule = mechanism.price_policy
    if not rule:
        # A price policy that is no rule is the folder of a training run.
        is_rule = options.price_policy in posted_price_rules
        rule = options.price_policy if is_rule else "mid-market"
    members = hierarchy.pool_memberships(mechanism.levels, options)
    load = np.asarray(profiles.load_kwh, np.float64)
    solar = np.asarray(profiles.solar_kwh, np.float64)
    net_load = (load - solar) @ np.concatenate(members).T
    retail = retail_price_series(profiles.prices, scenario.tariff)
    emission_factor = np.nan_to_num(profiles.prices["emission_factor_kg_per_kwh"]).max()
    return market.PricingScheme(
        members=tuple(jnp.asarray(part, jnp.float32) for part in members),
        rule=posted_price_rules.get(rule, f"{scenario.name}: market.price_policy")(options),
        policy=None,
        individually_rational=jnp.asarray(options.individually_rational),
        single_price=jnp.asarray(scenario.market.single_price),
        energy_scale_kwh=jnp.asarray(np.maximum(np.abs(net_load).max(0), 1e-6), jnp.float32),
        max_price=jnp.float32(max(float(np.abs(retail).max()), 1e-9)),
        max_emission_factor=jnp.float32(emission_factor or 1.0),
    )


def _limit_stages(
    stages: tuple[Partial, ...], limits: NetworkLimits, scenario: Scenario
) -> Partial:
    """Wrap market stages so that their trades respect the limits of the network."""
    options = {
        "limits": limits,
        "threshold": jnp.float32(scenario.network.operator.congestion_threshold),
        "step_hours": jnp.float32(scenario.period.step_hours),
    }
    by_value = scenario.network.trade_limit == "price"
    limit_trades = limit_trades_by_value if by_value else limit_trades_pro_rata
    return Partial(
        market.clear_within_limits,
        stages=stages,
        trade_shares=Partial(limit_trades, **options),
        pool_share=Partial(limit_pools_pro_rata, **options),
    )
