"""What an environment is made of: parameters that may vary over a batch, state, and what a step returns."""

from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float, Int

from prosumax.rl.market_indicators import Kpis, Window
from prosumax.simulation.build import Community
from prosumax.simulation.step import State


class Scales(NamedTuple):
    """Fixed scales that make observations about one in size, and the bounds of bids.

    Attributes:
        energy_kwh: the most any home may order in a step.
        price: highest price a bid may have.
        lowest_price: lowest.
        capacity_kwh: what the network carries in a step; all homes' orders together on a copper plate.
        carbon_kg: highest carbon intensity; 1 when unknown.
    """

    energy_kwh: Float[Array, ""]
    price: Float[Array, ""]
    lowest_price: Float[Array, ""]
    capacity_kwh: Float[Array, ""]
    carbon_kg: Float[Array, ""]


class EnvParams(NamedTuple):
    """All that a batch of environments may differ in.

    Attributes:
        community: with its time series over the whole period.
        weights: of the reward terms, for each home.
        scales: of observations and bids.
        noise: relative standard deviation of load and sun around their series.
        forecast_noise: of noisy forecasts.
        price_weights: of the goals of price agents, for each agent; None without any.
    """

    community: Community
    weights: Float[Array, "term home"]
    scales: Scales
    noise: Float[Array, ""]
    forecast_noise: Float[Array, ""]
    price_weights: Float[Array, "term agent"] | None = None


class EnvState(NamedTuple):
    """What an episode remembers.

    Attributes:
        community: devices, reputation, the operator's memory.
        start: step of the period at which the episode began.
        time: steps since then.
        load_kwh, solar_kwh: what the coming step will bring each home, noise included.
        forecast_key: of the noise in forecasts.
        window, kpis: the market so far.
        profit: money earned minus paid so far (equation 10).
        need_kwh, unmet_kwh: needs of homes so far, and the part that was neither ordered nor covered.
        net_kwh, traded_kwh: each home's meter, and its local trade, in the last step; bought is positive.
    """

    community: State
    start: Int[Array, ""]
    time: Int[Array, ""]
    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    forecast_key: Array
    window: Window
    kpis: Kpis
    profit: Float[Array, " home"]
    need_kwh: Float[Array, " home"]
    unmet_kwh: Float[Array, " home"]
    net_kwh: Float[Array, " home"]
    traded_kwh: Float[Array, " home"]


class TimeStep(NamedTuple):
    """What a step returns.

    Attributes:
        obs: each home's observation, then each price agent's; zeros behind those that are shorter.
        state: after the step.
        reward: of each home, then of each price agent.
        terminated: whether a home's episode came to an end of its own; never, here.
        truncated: whether the episode's time is up; its value goes on beyond that.
        final_obs: the observation at the end of the episode, also when `obs` is that of a new one.
        info: `reward_terms` [term, home] (weighted), `kpis`, `limited_kwh` [home], and the `record` of the step.
    """

    obs: Float[Array, "agent feature"]
    state: EnvState
    reward: Float[Array, " agent"]
    terminated: Bool[Array, " agent"]
    truncated: Bool[Array, ""]
    final_obs: Float[Array, "agent feature"]
    info: dict[str, Any]
