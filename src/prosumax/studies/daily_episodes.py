"""Daily episodes of an environment, one per seed and all at once, for studies of bidding."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Required, SupportsFloat, TypedDict, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree
from numpy.typing import NDArray

from prosumax.data.generators.marlem import initial_charge
from prosumax.devices.home import BATTERY
from prosumax.metrics import herfindahl_index
from prosumax.rl.bidding import bidders, rollout_bidder
from prosumax.rl.env import CommunityEnv
from prosumax.rl.factory import env_config, env_params
from prosumax.rl.market_indicators import MarketIndicators
from prosumax.rl.types import EnvParams
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, assemble
from prosumax.simulation.dynamics import StepRecord
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.simulation.results.series import SummarySeries, make_summary_series
from prosumax.simulation.rollout import enable_compilation_cache
from prosumax.studies.engine import StudyMetric, StudyProgress, stack_communities

Array = NDArray[np.float64]

_EPISODE_SETTINGS: dict[str, object] = {"period.steps": 24, "environment.episode_start": "first"}


class _Settings(TypedDict, total=False):
    """Settings of a run beside the changes to the scenario; see `run_daily_episodes`."""

    preset: Required[str]
    bidder: Required[str]
    homes: int
    timed: bool


class DailyEpisode(NamedTuple):
    """A day of a community, NumPy in double precision.

    Attributes:
        reward: Reward of each home.
        indicators: Market indicators of the environment [step].
        record: Record of each step.
        retail: Retail price per kWh.
        feed_in: Feed-in price per kWh.
        seconds: Wall time of this day, all days of the batch running at once; NaN without timing.
        summary_series: Series for charts.
    """

    reward: Float[Array, "step home"]
    indicators: MarketIndicators
    record: StepRecord
    retail: Float[Array, " step"]
    feed_in: Float[Array, " step"]
    seconds: float
    summary_series: SummarySeries


def _ignore_progress(share: float) -> None:
    """Discard progress reports."""


def run_daily_episodes(
    settings: Mapping[str, object],
    seeds: Sequence[int],
    on_progress: StudyProgress = _ignore_progress,
) -> list[DailyEpisode]:
    """Run one day of a preset per seed, all in one compiled program.

    A seed samples the profiles, the prices, the line lengths and placement of the network and the
    initial charge of the batteries.

    Args:
        settings: `preset` and `bidder` by name; `homes` (a number) repeats the homes of the preset
            in turn; `timed` measures the wall time. Everything else is a change to the scenario,
            path -> value.
        seeds: Seeds of the days.
        on_progress: Not called: all days end at once.
    """
    enable_compilation_cache()
    own = cast(_Settings, settings)
    bidders.check(own["bidder"], "bidder")
    changes = {
        name: value for name, value in settings.items() if name not in _Settings.__annotations__
    }
    base = load_scenario(own["preset"], changes | _EPISODE_SETTINGS)
    if "homes" in own:
        base = _repeat_homes(base, own["homes"])
    scenarios = [base.model_copy(update={"seed": seed}) for seed in seeds]
    profiles = [read_profiles(scenario) for scenario in scenarios]
    params = _stack_params(scenarios, profiles)
    # Agents are numbered, not named, so that variants share a compiled program.
    agents = tuple(str(number) for number in range(len(base.homes)))
    env = CommunityEnv(replace(env_config(base), agents=agents), params)
    key = jax.random.key(0)
    rollout = jax.block_until_ready(rollout_bidder(env, own["bidder"], key, len(seeds), params))
    seconds = float("nan")
    if own.get("timed"):
        before = time.perf_counter()
        jax.block_until_ready(rollout_bidder(env, own["bidder"], key, len(seeds), params))
        seconds = (time.perf_counter() - before) / len(seeds)
    outcome: PyTree = _double_precision((rollout.reward, rollout.info))
    tariff = _double_precision(params.community.series.tariff)

    def make_episode(at: int) -> DailyEpisode:
        reward, info = jax.tree.map(lambda leaf: leaf[at], outcome)
        return DailyEpisode(
            reward=reward,
            indicators=info["indicators"],
            record=info["record"],
            retail=tariff.energy[at],
            feed_in=tariff.feed_in[at],
            seconds=seconds,
            summary_series=make_summary_series(scenarios[at], profiles[at], info["record"]),
        )

    return [make_episode(at) for at in range(len(seeds))]


def _double_precision(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def _stack_params(scenarios: Sequence[Scenario], profiles: Sequence[Profiles]) -> EnvParams:
    """Stack the parameters of all days along a leading axis."""
    pairs = list(zip(scenarios, profiles, strict=True))
    communities = [
        _randomize_charge(assemble(scenario, series), scenario.seed) for scenario, series in pairs
    ]
    # Communities differ in size and are stacked apart.
    rest = [
        env_params(scenario, community)._replace(community=None)  # type: ignore[arg-type]
        for scenario, community in zip(scenarios, communities, strict=True)
    ]
    stacked: EnvParams = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rest)
    return stacked._replace(community=stack_communities(communities))


def _randomize_charge(community: Community, seed: int) -> Community:
    """Set the initial state of charge of batteries at random between their limits, as MARLEM."""
    battery = community.homes.battery
    charge = initial_charge(battery.capacity_kwh.shape[0], seed)
    share = jnp.asarray(charge, jnp.float32)
    initial_soc = battery.soc_min + share * (battery.soc_max - battery.soc_min)
    charged = battery._replace(initial_soc=initial_soc)
    devices = {**community.homes.devices, BATTERY: charged}
    return community._replace(homes=community.homes._replace(devices=devices))


def _repeat_homes(scenario: Scenario, num_homes: int) -> Scenario:
    """Repeat the homes of a scenario in turn; the capacity of the network grows with them."""
    content = scenario.model_dump(mode="json")
    homes = content["homes"]
    content["homes"] = [
        {**homes[number % len(homes)], "name": f"home {number + 1}"} for number in range(num_homes)
    ]
    if scenario.network.capacity_kw is not None:
        capacity_kw = scenario.network.capacity_kw * num_homes / len(homes)
        content["network"]["capacity_kw"] = capacity_kw
    return load_scenario(content)


# Readers of the metrics below.


def _statistic(
    function: Callable[[Array], SupportsFloat], prices: Callable[[DailyEpisode], Array]
) -> Callable[[DailyEpisode], float]:
    """Make a reader of a statistic of the hourly prices of a day; NaN without any price."""

    def read(day: DailyEpisode) -> float:
        values = prices(day)
        return float(function(values)) if len(values) else float("nan")

    return read


def _local_prices(day: DailyEpisode) -> Array:
    """Return the prices of the hours with local trade."""
    return np.asarray(day.indicators.clearing_price[day.indicators.liquidity > 0], np.float64)


def _grid_trade_kwh(day: DailyEpisode, sign: int) -> Array:
    """Return what homes buy from (sign 1) or sell to (sign -1) the grid, kWh [step].

    A home may do so beside a local trade on the other side: a home that sells energy which it then
    lacks buys that energy from the grid.
    """
    grid_kwh = day.record.flows.grid_kwh(day.record.local)
    traded: Array = np.maximum(sign * grid_kwh, 0.0).sum(-1)
    return traded


def _step_prices(day: DailyEpisode) -> Array:
    """Return the mean price of each hour over all trades, those with the grid included."""
    bill = day.record.bill
    money = day.indicators.turnover + (bill.energy + bill.feed_in).sum(-1)
    volume = day.indicators.liquidity + _grid_trade_kwh(day, 1) + _grid_trade_kwh(day, -1)
    return np.asarray(money[volume > 0] / volume[volume > 0], np.float64)


def _p2p_ratio(day: DailyEpisode) -> float:
    local = day.indicators.liquidity.sum()
    purchases = _grid_trade_kwh(day, 1).sum()
    return float(local / (local + purchases + _grid_trade_kwh(day, -1).sum()))


def _welfare(day: DailyEpisode) -> float:
    return float(day.indicators.gains_from_trade.sum())


def _producer_surplus(day: DailyEpisode) -> float:
    local = day.record.local
    return float((local.earned.sum(-1) - day.feed_in * local.sold_kwh.sum(-1)).sum())


def _loss_kwh(day: DailyEpisode) -> float:
    return float("nan") if day.record.grid is None else float(day.record.grid.loss_kwh.sum())


def _seller_hhi(day: DailyEpisode) -> float:
    return float(herfindahl_index(day.record.local.sold_kwh.sum(0), np))


def _largest_share(day: DailyEpisode) -> float:
    """Return the share of local sales of the home with the most PV generation."""
    sold = day.record.local.sold_kwh.sum(0)
    largest = day.record.flows.solar_kwh.sum(0).argmax()
    return float(sold[largest] / sold.sum()) if sold.sum() > 0 else float("nan")


PRICE_METRICS = (
    StudyMetric("day.mean_price", _statistic(np.mean, _local_prices)),
    StudyMetric("day.median_price", _statistic(np.median, _local_prices)),
    StudyMetric("day.price_std", _statistic(np.std, _local_prices)),
    StudyMetric("day.mean_step_price", _statistic(np.mean, _step_prices)),
    StudyMetric("day.median_step_price", _statistic(np.median, _step_prices)),
    StudyMetric("day.step_price_std", _statistic(np.std, _step_prices)),
)
"""Prices over the hours of a day: local ones, and those of all trades, the grid included."""

VOLUME_METRICS = (
    StudyMetric("day.traded_kwh", lambda day: float(day.indicators.liquidity.sum())),
    StudyMetric("day.p2p_ratio", _p2p_ratio),
    StudyMetric("day.grid_import_kwh", lambda day: float(_grid_trade_kwh(day, 1).sum())),
    StudyMetric("day.grid_export_kwh", lambda day: float(_grid_trade_kwh(day, -1).sum())),
    StudyMetric(
        "day.imbalance_kwh", lambda day: float(np.abs(day.indicators.net_export_kwh).mean())
    ),
    StudyMetric("day.loss_kwh", _loss_kwh),
    StudyMetric("day.coordination", lambda day: float(day.indicators.coordination.mean())),
    StudyMetric("day.flexibility", lambda day: float(day.indicators.flexibility.mean())),
    StudyMetric("day.reward", lambda day: float(day.reward.sum(-1).mean())),
    StudyMetric("day.cost", lambda day: float(np.asarray(day.record.bill.total).sum())),
)
"""Energy, market indicators, reward and bills of the community over the day."""

GAIN_METRICS = (
    StudyMetric("day.welfare", _welfare),
    StudyMetric("day.producer_surplus", _producer_surplus),
    StudyMetric("day.consumer_surplus", lambda day: _welfare(day) - _producer_surplus(day)),
)
"""Gains from local trade and their split."""

CONCENTRATION_METRICS = (
    StudyMetric("day.seller_hhi", _seller_hhi),
    StudyMetric("day.largest_share", _largest_share),
)
"""Concentration of local sales."""

SPEED_METRICS = (
    StudyMetric("day.run_time", lambda day: day.seconds),
    StudyMetric("day.throughput", lambda day: day.reward.size / day.seconds),
)
"""Speed of the simulation."""
