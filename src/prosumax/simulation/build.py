"""From a scenario to arrays: `build` reads every file and returns a `Community` that runs without any."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from prosumax import market
from prosumax.devices import from_scenario
from prosumax.devices.battery import BatteryParams
from prosumax.devices.flexible import DeviceSeries
from prosumax.devices.home import HomeParams
from prosumax.errors import InputError
from prosumax.grid import catalog
from prosumax.grid.limits import Limits, pools_pro_rata, trades_by_worth, trades_pro_rata
from prosumax.grid.network import Network
from prosumax.market.mechanism import MarketOptions, grid, mechanisms
from prosumax.market.pricing import hierarchy
from prosumax.market.pricing.posted import price_rules
from prosumax.scenario.schema.community import Battery, Scenario
from prosumax.scenario.schema.tariff import Tariff, total
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.tariff.bill import TariffRates, TariffSeries

_HOURS_PER_YEAR = 8760.0
_HOURS_PER_MONTH = 720.0  # thirty days, the month of `self_discharge_per_month`
_CURVE_POINTS, _SOC_POINTS = (
    5,
    3,
)  # of CityLearn's curves; shorter ones are padded, so that most scenarios share a shape


class Series(NamedTuple):
    """What comes from outside, step by step.

    Attributes:
        load_kwh, solar_kwh: per home.
        hour: local hour of the day at the start of the step, 0..23.
        tariff: prices and carbon intensity.
        devices: what cars, heat pumps and appliances meet; None where there are none.
    """

    load_kwh: Float[Array, "*step home"]
    solar_kwh: Float[Array, "*step home"]
    hour: Int[Array, "*step"]
    tariff: TariffSeries
    devices: DeviceSeries | None = None


class Community(NamedTuple):
    """All that a run needs, as one pytree of arrays with fixed shapes; everything may be batched with `vmap`.

    Attributes:
        homes: device parameters, one slot per home and device.
        series: time series over the period.
        rates: constants of the tariff.
        step_hours: length of a step.
        stages: the market's cascade; functions are static, their parameters are arrays.
        network: the wires; None for a copper plate.
        pricing: who announces prices; None under rules without price agents.
    """

    homes: HomeParams
    series: Series
    rates: TariffRates
    step_hours: Float[Array, ""]
    stages: tuple[Partial, ...]
    network: Network | None
    pricing: market.Pricing | None = None


def build(scenario: Scenario, data_dir: Path | str | None = None) -> Community:
    """Read the data a scenario names and turn it into arrays.

    Arguments:
        scenario: checked scenario, from `load_scenario`.
        data_dir: folder with data sets, looked at before the cache.

    Raises:
        InputError: a file, a column or a value is not right, or the mechanism does not exist.
    """
    return assemble(scenario, read_profiles(scenario, data_dir))


def assemble(scenario: Scenario, series: Profiles) -> Community:
    """The community of a scenario whose time series have been read."""
    hours = scenario.period.step_hours
    mechanism = mechanisms.get(scenario.market.mechanism, f"{scenario.name}: market.mechanism")
    options, wires = market_options(scenario), None
    if series.feeder is not None and mechanism.reads_distance:
        options = replace(options, distance=catalog.distances(series.feeder, series.home_bus))
    local = tuple(
        stage if isinstance(stage, Partial) else Partial(stage)
        for stage in mechanism.build(options)
    )
    if series.feeder is not None:
        wires = catalog.wire(scenario.network, series.feeder, series.home_bus)
        if scenario.network.trade_limit != "none" and local:
            local = (
                _limited(
                    local,
                    catalog.trade_limits(scenario.network, series.feeder, series.home_bus),
                    scenario,
                ),
            )
    return Community(
        homes=HomeParams(
            _batteries([home.battery for home in scenario.homes], hours),
            from_scenario.ageing_params(scenario),
            from_scenario.device_params(scenario),
        ),
        series=Series(
            load_kwh=jnp.asarray(series.load_kwh, jnp.float32),
            solar_kwh=jnp.asarray(series.solar_kwh, jnp.float32),
            hour=jnp.asarray(series.local.hour, jnp.int32),
            tariff=TariffSeries(
                **{name: jnp.asarray(price, jnp.float32) for name, price in series.prices.items()}
            ),
            devices=jax.tree.map(jnp.asarray, series.devices),
        ),
        rates=_rates(scenario.tariff, hours),
        step_hours=jnp.float32(hours),
        stages=(*local, Partial(grid)),
        network=wires,
        pricing=_pricing(scenario, series, mechanism, options),
    )


def _pricing(
    scenario: Scenario, series: Profiles, mechanism: market.Mechanism, options: MarketOptions
) -> market.Pricing | None:
    """Who announces prices; a rule does until somebody trains."""
    if not mechanism.levels:
        return None
    if scenario.network.trade_limit != "none" and len(mechanism.levels) > 1:
        what = f"does not go with mechanism {scenario.market.mechanism}, whose levels it would mix"
        raise InputError(f"{scenario.name}: network.trade_limit", what, "Set it to none.")
    rule = mechanism.price_policy or (
        options.price_policy if options.price_policy in price_rules else "mid-market"
    )
    members = hierarchy.memberships(mechanism.levels, options)
    load, solar = np.asarray(series.load_kwh, np.float64), np.asarray(series.solar_kwh, np.float64)
    net = (load - solar) @ np.concatenate(members).T
    prices = {name: np.asarray(price, np.float64) for name, price in series.prices.items()}
    retail = (prices["energy"] + prices["network"] + prices["levies"]) * (1 + scenario.tariff.vat)
    carbon = np.nan_to_num(prices["carbon_kg"]).max()
    return market.Pricing(
        members=tuple(jnp.asarray(part, jnp.float32) for part in members),
        rule=price_rules.get(rule, f"{scenario.name}: market.price_policy")(options),
        policy=None,
        rational=jnp.asarray(options.individually_rational),
        one_price=jnp.asarray(scenario.market.one_price),
        scale_kwh=jnp.asarray(np.maximum(np.abs(net).max(0), 1e-6), jnp.float32),
        highest=jnp.float32(max(float(np.abs(retail).max()), 1e-9)),
        carbon_scale=jnp.float32(carbon or 1.0),
    )


def _limited(stages: tuple[Partial, ...], limits: Limits, scenario: Scenario) -> Partial:
    """The same stages, trading no more than the lines can carry."""
    fit = {
        "limits": limits,
        "threshold": jnp.float32(scenario.network.operator.congestion_threshold),
        "step_hours": jnp.float32(scenario.period.step_hours),
    }
    trades = trades_by_worth if scenario.network.trade_limit == "price" else trades_pro_rata
    return Partial(
        market.within_limits,
        stages=stages,
        trade_shares=Partial(trades, **fit),
        pool_share=Partial(pools_pro_rata, **fit),
    )


def market_options(scenario: Scenario) -> MarketOptions:
    """The scenario's market with everything it leaves open filled in."""
    names, market = [home.name for home in scenario.homes], scenario.market
    options = MarketOptions.default(len(names))
    microgrids = list(dict.fromkeys(home.microgrid or "microgrid" for home in scenario.homes))
    return replace(
        options,
        shares=options.shares
        if market.shares is None
        else np.array([market.shares[name] for name in names]),
        rank=options.rank
        if market.order is None
        else np.array([market.order.index(name) for name in names]),
        price_rule=market.price_rule,
        price=0.0 if market.price is None else market.price,
        compensation=market.compensation,
        k=market.k,
        spread_share=market.spread_share,
        price_tick=market.price_tick,
        energy_tick_kwh=market.energy_tick_kwh,
        incentive=market.incentive,
        microgrid=np.array(
            [microgrids.index(home.microgrid or "microgrid") for home in scenario.homes]
        ),
        microgrids=tuple(microgrids),
        price_policy=market.price_policy,
        feedback=market.feedback,
        individually_rational=market.individual_rationality,
        nearest_first=market.nearest_first,
    )


def _rates(tariff: Tariff, hours: float) -> TariffRates:
    return TariffRates(
        vat=jnp.float32(tariff.vat),
        local_network=jnp.float32(tariff.local_network_share),
        local_levies=jnp.float32(tariff.local_levies),
        supplier_fee=jnp.float32(total(tariff.supplier_fee_per_year) * hours / _HOURS_PER_YEAR),
        network_fee=jnp.float32(total(tariff.network_fee_per_year) * hours / _HOURS_PER_YEAR),
    )


def _batteries(batteries: list[Battery | None], hours: float) -> BatteryParams:
    """One slot per home; a home without a battery gets one of size zero."""
    absent = Battery(capacity_kwh=1.0, charge_kw=1.0)
    efficiency_curves = [b.efficiency_curve for b in batteries if b and b.efficiency_curve]
    power_curves = [b.power_curve for b in batteries if b and b.power_curve]
    # Without any curve one point says it all, and the physics of a step costs a third.
    points = (
        max(
            [
                _CURVE_POINTS if efficiency_curves else 1,
                *(len(curve.at) for curve in efficiency_curves),
            ]
        ),
        max([_SOC_POINTS if power_curves else 1, *(len(curve.at) for curve in power_curves)]),
    )
    rows = [
        _battery(battery or absent, battery is not None, hours, *points) for battery in batteries
    ]
    return BatteryParams(
        **{
            name: jnp.asarray(np.stack([row[name] for row in rows]), jnp.float32)
            for name in rows[0]
        }
    )


def _battery(
    battery: Battery, exists: bool, hours: float, curve_points: int, soc_points: int
) -> dict[str, Any]:
    """Parameters of one battery by name: numbers and short vectors."""
    discharge_kw = battery.charge_kw if battery.discharge_kw is None else battery.discharge_kw
    if battery.efficiency_curve is not None:
        power = _pad(battery.efficiency_curve.at, curve_points, rising=True)
        charge_curve = discharge_curve = _pad(battery.efficiency_curve.value, curve_points)
    else:
        power = np.linspace(0.0, 1.0, curve_points)
        charge_curve = np.full(curve_points, battery.charge_efficiency**2)
        discharge_curve = np.full(curve_points, battery.discharge_efficiency**2)
    if battery.power_curve is not None:
        soc, share = (
            _pad(battery.power_curve.at, soc_points, rising=True),
            _pad(battery.power_curve.value, soc_points),
        )
    else:
        soc, share = np.linspace(0.0, 1.0, soc_points), np.ones(soc_points)
    initial = battery.soc_min if battery.initial_soc is None else battery.initial_soc
    return {
        "capacity_kwh": battery.capacity_kwh * exists,
        "charge_kw": battery.charge_kw * exists,
        "discharge_kw": discharge_kw * exists,
        "soc_min": battery.soc_min,
        "soc_max": battery.soc_max,
        "initial_soc": initial,
        "standing_loss": 1.0
        - (1.0 - battery.self_discharge_per_month) ** (hours / _HOURS_PER_MONTH),
        "fade": battery.fade,
        "efficiency_power": power,
        "charge_curve": charge_curve,
        "discharge_curve": discharge_curve,
        "power_soc": soc,
        "power_curve": share,
    }


def _pad(points: list[float], count: int, rising: bool = False) -> NDArray[np.float64]:
    """Fill a curve up to `count` points behind its last one, where it is constant anyway."""
    extra = max(count - len(points), 0)
    tail = [points[-1] + (step + 1.0 if rising else 0.0) for step in range(extra)]
    return np.asarray([*points, *tail], dtype=np.float64)
