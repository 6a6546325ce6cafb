"""Parameters, state and step result of the environment."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float, Int, PyTree

from prosumax.rl.market_indicators import IndicatorWindow, MarketIndicators
from prosumax.simulation.community import Community
from prosumax.simulation.dynamics import CommunityState


class Scales(NamedTuple):
    """Fixed scales of observations and bounds of bids.

    Attributes:
        max_order_kwh: Maximum energy that a home may order in a step.
        max_price: Upper bound of bid prices per kWh.
        min_price: Lower bound of bid prices per kWh.
        network_capacity_kwh: Energy that the network can carry in a step; on a copper plate, the
            sum of the homes' largest orders.
        max_emission_factor: Highest emission factor of the period, kg CO2 per kWh; 1 when unknown.
    """

    max_order_kwh: Float[Array, ""]
    max_price: Float[Array, ""]
    min_price: Float[Array, ""]
    network_capacity_kwh: Float[Array, ""]
    max_emission_factor: Float[Array, ""]


class EnvParams(NamedTuple):
    """Parameters of an environment that may vary over a batch.

    Attributes:
        community: Community with its time series over the whole period.
        reward_weights: Weight of each reward term for each home.
        scales: Scales of observations and bounds of bids.
        profile_noise: Relative standard deviation of load and PV generation around their series.
        forecast_noise: Relative standard deviation of noisy forecasts.
        price_reward_weights: Weight of each reward term for each price agent; None without any.
    """

    community: Community
    reward_weights: Float[Array, "term home"]
    scales: Scales
    profile_noise: Float[Array, ""]
    forecast_noise: Float[Array, ""]
    price_reward_weights: Float[Array, "term agent"] | None = None


class EnvState(NamedTuple):
    """State of an episode between two steps.

    Attributes:
        community: State of devices, reputation, network operator and price agents.
        start_step: Step of the period at which the episode began.
        time: Number of steps since the start of the episode.
        load_kwh: Load of each home in the coming step, with noise.
        solar_kwh: PV generation of each home in the coming step, with noise.
        forecast_key: PRNG key of the forecast noise.
        window: Recent clearing prices and traded volumes.
        indicators: Market indicators of the last step.
        profit: Revenue minus payments of each home so far (MARLEM, equation 10).
        deficit_kwh: Energy deficit (load minus PV generation, where positive) of each home so far.
        unmet_kwh: Part of the deficit that was neither ordered nor covered by the battery.
        net_kwh: Net load at the meter of each home in the last step; positive imports.
        net_bought_kwh: Local purchases minus local sales of each home in the last step.
    """

    community: CommunityState
    start_step: Int[Array, ""]
    time: Int[Array, ""]
    load_kwh: Float[Array, " home"]
    solar_kwh: Float[Array, " home"]
    forecast_key: Array
    window: IndicatorWindow
    indicators: MarketIndicators
    profit: Float[Array, " home"]
    deficit_kwh: Float[Array, " home"]
    unmet_kwh: Float[Array, " home"]
    net_kwh: Float[Array, " home"]
    net_bought_kwh: Float[Array, " home"]


class TimeStep(NamedTuple):
    """Result of `CommunityEnv.step`: homes first, then price agents, on every agent axis.

    Attributes:
        obs: Observation of each agent; shorter observations are padded with zeros.
        state: State after the step.
        reward: Reward of each agent.
        terminated: True where an agent reached a terminal state; always False, since episodes end
            by their time limit only.
        truncated: True when the time limit is reached; the value of the state continues beyond it.
        final_obs: Observation at the end of the step, also where `auto_reset` replaced `obs` by
            the first observation of a new episode.
        info: `reward_terms` [term, home] (weighted), `indicators` (`MarketIndicators`),
            `infeasible_kwh` [home] and `record` (`simulation.StepRecord`).
    """

    obs: Float[Array, "agent feature"]
    state: EnvState
    reward: Float[Array, " agent"]
    terminated: Bool[Array, " agent"]
    truncated: Bool[Array, ""]
    final_obs: Float[Array, "agent feature"]
    info: dict[str, PyTree]
