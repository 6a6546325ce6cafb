"""Single days in the environment, one per seed, all at once: what studies of bidding are made of."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from prosumax.rl.bidders import bidders, play
from prosumax.rl.env import CommunityEnv
from prosumax.rl.make import env_config, env_params
from prosumax.rl.market_indicators import Kpis
from prosumax.rl.types import EnvParams
from prosumax.scenario.loading import load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.build import Community, assemble
from prosumax.simulation.inputs import Profiles, read_profiles
from prosumax.simulation.results.series import Trace, make_trace
from prosumax.simulation.rollout import use_compilation_cache
from prosumax.simulation.step import Record
from prosumax.studies.engine import Figure, Tell, stacked

_CHARGE = 12  # what a seed is drawn for; profiles and networks have numbers of their own
_HOURS = 24
_PLAYED: dict[str, Any] = {"period.steps": _HOURS, "environment.starts": "first"}


class Day(NamedTuple):
    """A day of a community, NumPy in double precision.

    Attributes:
        reward: of each home [step, home].
        kpis: of the environment [step].
        record: of each step.
        retail, feed_in: what the grid side asks and pays, per kWh [step].
        seconds: for this day, all days of the batch running at once; NaN unless it was asked for.
        trace: what analytics look at.
    """

    reward: NDArray[np.float64]
    kpis: Kpis
    record: Record
    retail: NDArray[np.float64]
    feed_in: NDArray[np.float64]
    seconds: float
    trace: Trace


def days(
    settings: Mapping[str, Any], seeds: Sequence[int], tell: Tell = lambda share: None
) -> list[Day]:
    """One day of a preset per seed, all in one compiled program.

    A seed draws the profiles, the prices, the lengths and places of the network and the charge of the batteries.

    Arguments:
        settings: `preset` and `bidder` by name; `homes` (how many) repeats the preset's homes in turn; `timed` asks
            for seconds. Everything else is a change to the scenario, path -> value.
        seeds: of the days.
        tell: not called: all days end at once.
    """
    use_compilation_cache()
    own = {
        name: settings[name] for name in ("preset", "bidder", "homes", "timed") if name in settings
    }
    bidders.check(own["bidder"], "bidder")
    changes = {name: value for name, value in settings.items() if name not in own}
    base = load_scenario(own["preset"], changes | _PLAYED)
    if "homes" in own:
        base = _repeated(base, own["homes"])
    scenarios = [base.model_copy(update={"seed": seed}) for seed in seeds]
    profiles = [read_profiles(one) for one in scenarios]
    params = _params(scenarios, profiles)
    # The names of the homes count for nothing here, and without them variants share a compiled program.
    config = replace(
        env_config(base), agents=tuple(str(number) for number in range(len(base.homes)))
    )
    env, key = CommunityEnv(config, params), jax.random.key(0)
    played = jax.block_until_ready(play(env, own["bidder"], key, len(seeds), params))
    seconds = float("nan")
    if own.get("timed"):
        before = time.perf_counter()
        jax.block_until_ready(play(env, own["bidder"], key, len(seeds), params))
        seconds = (time.perf_counter() - before) / len(seeds)
    found: Any = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), (played.reward, played.info)
    )
    tariff = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params.community.series.tariff)

    def one(at: int) -> Day:
        reward, info = jax.tree.map(lambda leaf: leaf[at], found)
        trace = make_trace(scenarios[at], profiles[at], info["record"])
        return Day(
            reward,
            info["kpis"],
            info["record"],
            tariff.energy[at],
            tariff.feed_in[at],
            seconds,
            trace,
        )

    return [one(at) for at in range(len(seeds))]


def _params(scenarios: Sequence[Scenario], profiles: Sequence[Profiles]) -> EnvParams:
    """The parameters of all days, with a leading axis."""
    communities = [
        _charged(assemble(*one), one[0].seed) for one in zip(scenarios, profiles, strict=True)
    ]
    rest = [
        env_params(*pair)._replace(community=None)  # type: ignore[arg-type]
        for pair in zip(scenarios, communities, strict=True)
    ]
    together: EnvParams = jax.tree.map(lambda *leaves: jnp.stack(leaves), *rest)
    return together._replace(community=stacked(communities))


def _charged(community: Community, seed: int) -> Community:
    """Batteries begin the day anywhere between their limits, as MARLEM's do."""
    battery = community.homes.battery
    share = jnp.asarray(
        np.random.default_rng((seed, _CHARGE)).random(battery.capacity_kwh.shape[0]), jnp.float32
    )
    initial = battery.soc_min + share * (battery.soc_max - battery.soc_min)
    return community._replace(
        homes=community.homes._replace(battery=battery._replace(initial_soc=initial))
    )


def _repeated(scenario: Scenario, homes: int) -> Scenario:
    """The same kinds of homes in turn, so many; the network grows with them."""
    content = scenario.model_dump(mode="json")
    kinds = content["homes"]
    content["homes"] = [{**kinds[at % len(kinds)], "name": f"home {at + 1}"} for at in range(homes)]
    if scenario.network.capacity_kw is not None:
        content["network"]["capacity_kw"] = scenario.network.capacity_kw * homes / len(kinds)
    return load_scenario(content)


def _hourly(
    read: Callable[[NDArray[np.float64]], Any], prices: Callable[[Day], Any]
) -> Callable[[Day], float]:
    """A statistic of the day's hourly prices in $/MWh; NaN without any."""

    def figure(day: Day) -> float:
        values = prices(day)
        return 1000 * float(read(values)) if len(values) else float("nan")

    return figure


def _local_prices(day: Day) -> Any:
    return day.kpis.price[day.kpis.liquidity > 0]


def _with_grid(day: Day, sign: int) -> Any:
    """What homes buy from (1) or sell to (-1) the grid side, kWh [step].

    A home may do so beside a local trade on the other side: who sells what it then lacks buys it from the grid.
    """
    flows, local = day.record.flows, day.record.local
    rest = flows.import_kwh - flows.export_kwh - local.bought_kwh + local.sold_kwh
    return np.maximum(sign * rest, 0.0).sum(-1)


def _step_prices(day: Day) -> Any:
    """Mean price of an hour over all trades, those with the grid side included."""
    bill = day.record.bill
    money = day.kpis.turnover + (bill.energy + bill.feed_in).sum(-1)
    volume = day.kpis.liquidity + _with_grid(day, 1) + _with_grid(day, -1)
    return money[volume > 0] / volume[volume > 0]


def _local_share(day: Day) -> float:
    local = day.kpis.liquidity.sum()
    return 100 * float(local / (local + _with_grid(day, 1).sum() + _with_grid(day, -1).sum()))


def _sellers_gain(day: Day) -> float:
    local = day.record.local
    return float((local.earned.sum(-1) - day.feed_in * local.sold_kwh.sum(-1)).sum())


def _losses(day: Day) -> float:
    return float("nan") if day.record.grid is None else float(day.record.grid.loss_kwh.sum())


def _concentration(day: Day) -> float:
    """Herfindahl-Hirschman index of local sales: 1 / homes for equal ones, 1 for a single seller."""
    sold = day.record.local.sold_kwh.sum(0)
    return float(((sold / sold.sum()) ** 2).sum()) if sold.sum() > 0 else float("nan")


def _largest_share(day: Day) -> float:
    """Of local sales, % by the home with the largest roof."""
    sold, largest = day.record.local.sold_kwh.sum(0), day.record.flows.solar_kwh.sum(0).argmax()
    return 100 * float(sold[largest] / sold.sum()) if sold.sum() > 0 else float("nan")


PRICES = {
    "mean_price": Figure("Local price, mean, $/MWh", _hourly(np.mean, _local_prices)),
    "median_price": Figure("Local price, median, $/MWh", _hourly(np.median, _local_prices)),
    "price_sd": Figure("Local price, sd over hours, $/MWh", _hourly(np.std, _local_prices)),
    "mean_step_price": Figure("Step price, mean, $/MWh", _hourly(np.mean, _step_prices)),
    "median_step_price": Figure("Step price, median, $/MWh", _hourly(np.median, _step_prices)),
    "step_price_sd": Figure("Step price, sd over hours, $/MWh", _hourly(np.std, _step_prices)),
}
"""Over the hours of a day: between neighbours in hours with such trade, and over all trades, the grid's included."""

VOLUMES = {
    "traded_kwh": Figure("Traded locally, kWh", lambda day: float(day.kpis.liquidity.sum()), 0),
    "p2p_ratio": Figure("P2P ratio, %", _local_share),
    "grid_sold": Figure(
        "Bought from the grid, kWh", lambda day: float(_with_grid(day, 1).sum()), 0
    ),
    "grid_bought": Figure("Sold to the grid, kWh", lambda day: float(_with_grid(day, -1).sum()), 0),
    "balance": Figure(
        "Imbalance of the meters, kWh", lambda day: float(np.abs(day.kpis.balance_kwh).mean())
    ),
    "losses": Figure("Losses, kWh", _losses, 0),
    "coordination": Figure(
        "Coordination score, %", lambda day: 100 * float(day.kpis.coordination.mean())
    ),
    "flexibility": Figure(
        "Flexibility used, %", lambda day: 100 * float(day.kpis.flexibility.mean())
    ),
    "reward": Figure(
        "Reward, sum of homes per hour", lambda day: float(day.reward.sum(-1).mean()), 2
    ),
    "cost": Figure("All bills, $", lambda day: float(np.asarray(day.record.bill.total).sum())),
}
"""Of the community over the day; `docs/studies.md` explains each."""

GAINS = {
    "surplus": Figure("Gains from local trade, $", lambda day: float(day.kpis.surplus.sum()), 2),
    "sellers_gain": Figure("of which sellers', $", _sellers_gain, 2),
    "buyers_gain": Figure(
        "of which buyers', $", lambda day: float(day.kpis.surplus.sum()) - _sellers_gain(day), 2
    ),
}
CONCENTRATION = {
    "hhi": Figure("Concentration of sales (HHI)", _concentration, 2),
    "largest_share": Figure("Largest home's share of sales, %", _largest_share),
}
SPEED = {
    "milliseconds": Figure("Time per day, ms", lambda day: 1000 * day.seconds, 2),
    "per_second": Figure(
        "Home-steps per second, thousand", lambda day: day.reward.size / day.seconds / 1000, 0
    ),
}
