"""Multi-agent environment of an energy community with pure `reset` and `step` functions."""

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from prosumax import tariff
from prosumax.market.pricing.posted import (
    observe_prices,
    price_observation_columns,
    price_observations,
)
from prosumax.rl.actions import (
    BidMask,
    JointAction,
    bid_mask,
    decode_bid,
    decode_power,
    decode_power_level,
    device_mask,
    slot_counts,
)
from prosumax.rl.market_indicators import initial_indicators, initial_window, update_indicators
from prosumax.rl.observations import (
    ObservationContext,
    observation_bounds,
    observation_columns,
    observation_terms,
    observe,
)
from prosumax.rl.rewards import RewardContext, price_reward_terms, reward_terms
from prosumax.rl.rewards.home_terms import profit
from prosumax.rl.spaces import Box, Discrete, MultiDiscrete, Product, Space
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.simulation import dynamics
from prosumax.simulation.community import (
    Community,
    ExogenousInputs,
    inputs_at,
    inputs_window,
)
from prosumax.types import Action


@dataclass(frozen=True)
class EnvConfig:
    """Static configuration of an environment: shapes and functions, the same over a batch.

    Attributes:
        agents: Names of the homes.
        action_mode: `dispatch` or `bid`.
        power_levels: Number of discrete power levels in mode `dispatch`; None for continuous power.
        max_power_fraction: Outermost power level as a fraction of the device power.
        episode_steps: Length of an episode in steps.
        start_interval: Episodes start at multiples of this step of the period; 0 for the first
            step only.
        observations: Names of the observation terms of homes.
        rewards: Names of the reward terms of homes.
        forecast: `perfect`, `persistence` or `noisy`.
        forecast_steps: Length of the forecast in steps.
        has_profile_noise: True if load and PV generation deviate randomly from their series.
        random_arrival: True if orders arrive in random order.
        indicator_window: Number of steps of the indicators volatility and convergence.
        action_slots: Names of the controlled devices in mode `dispatch`, in the order of
            `slot_devices`.
        price_agents: Names of the price agents.
        price_observations: Names of the observation terms of price agents.
        price_rewards: Names of the reward terms of price agents.
    """

    agents: tuple[str, ...]
    action_mode: str
    power_levels: int | None
    max_power_fraction: float
    episode_steps: int
    start_interval: int
    observations: tuple[str, ...]
    rewards: tuple[str, ...]
    forecast: str
    forecast_steps: int
    has_profile_noise: bool
    random_arrival: bool
    indicator_window: int
    action_slots: tuple[str, ...] = ("battery",)
    price_agents: tuple[str, ...] = ()
    price_observations: tuple[str, ...] = ()
    price_rewards: tuple[str, ...] = ()


class CommunityEnv:
    """Energy community as a multi-agent environment (a Dec-POMDP; MARLEM section 3.2).

    `reset` returns `(obs, state)` and `step` returns a `TimeStep`, with or without price agents.
    Both are pure: jit them, and `vmap` them over keys, states, actions and `params`. Arrays are
    stacked over agents, homes first. There is no automatic reset; `auto_reset` adds one.

        >>> env = prosumax.make("marlem-battery-strategic")
        >>> obs, state = env.reset(jax.random.key(0))
        >>> action = env.action_space.sample(jax.random.key(1))
        >>> timestep = env.step(jax.random.key(2), state, action)

    Args:
        config: Static configuration, from `env_config`.
        params: Default parameters, from `env_params`.
    """

    def __init__(self, config: EnvConfig, params: EnvParams) -> None:
        self.config = config
        self.params = params
        self._terms = tuple(
            observation_terms.get(name, "environment.observations") for name in config.observations
        )
        self._rewards = tuple(
            reward_terms.get(name, "environment.rewards") for name in config.rewards
        )
        self._price_terms = tuple(
            price_observations.get(name, "environment.price_observations")
            for name in config.price_observations
        )
        self._price_rewards = tuple(
            price_reward_terms.get(name, "environment.price_rewards")
            for name in config.price_rewards
        )

    @property
    def agents(self) -> list[str]:
        """Names of the homes, then of the price agents, in the order of every agent axis."""
        return [*self.config.agents, *self.config.price_agents]

    @property
    def num_agents(self) -> int:
        """Number of homes and price agents."""
        return len(self.agents)

    @property
    def num_homes(self) -> int:
        """Number of homes."""
        return len(self.config.agents)

    @property
    def observation_names(self) -> list[str]:
        """Name of every column of a home's observation."""
        return observation_columns(self.config.observations, *self._observation_sizes())

    @property
    def price_observation_names(self) -> list[str]:
        """Name of every column of a price agent's observation."""
        return price_observation_columns(self.config.price_observations)

    @property
    def reward_names(self) -> list[str]:
        """Name of every row of `info["reward_terms"]`."""
        return list(self.config.rewards)

    @property
    def action_names(self) -> list[str]:
        """Name of every column of a home's action: devices, or the parts of a bid."""
        if self.config.action_mode == "bid":
            return ["price", "quantity", "side", "partner"]
        return list(self.config.action_slots)

    @cached_property
    def home_observation_space(self) -> Box:
        """Space of one home's observation, [feature]."""
        bounds = observation_bounds(self.config.observations, *self._observation_sizes())
        low, high = np.asarray(bounds, np.float32).T
        return Box(low, high)

    @cached_property
    def observation_space(self) -> Box:
        """Space of the observations of all agents, [agent, feature].

        Columns of price agents are unbounded, padding columns are zero.
        """
        homes = self.home_observation_space
        if not self.config.price_agents:
            return homes.batch(self.num_homes)
        width = len(self.price_observation_names)
        total = max(width, *homes.shape)
        prices = Box.with_bounds(-np.inf, np.inf, (width,))
        rows = [homes] * self.num_homes + [prices] * len(self.config.price_agents)
        return Box(
            np.stack([np.pad(row.low, (0, total - row.low.size)) for row in rows]),
            np.stack([np.pad(row.high, (0, total - row.high.size)) for row in rows]),
        )

    @cached_property
    def home_action_space(self) -> Discrete | MultiDiscrete | Box:
        """Space of one home's action: a power level or power of each device, or a bid as a box."""
        if self.config.action_mode == "bid":
            return Box.with_bounds(0.0, 1.0, (len(self.action_names),))
        slots = len(self.config.action_slots)
        if self.config.power_levels is None:
            return Box.with_bounds(-1.0, 1.0, (slots,))
        if slots == 1:
            return Discrete(self.config.power_levels)
        return MultiDiscrete(self.config.power_levels, (slots,))

    @cached_property
    def action_space(self) -> Space:
        """Space of the actions of all homes, [home, ...]; with price agents, a `JointAction`."""
        homes = self.home_action_space.batch(self.num_homes)
        if not self.config.price_agents:
            return homes
        price_shares = Box.with_bounds(0.0, 1.0, (len(self.config.price_agents), 2))
        # Spaces in place of the arrays.
        return Product(JointAction(homes, price_shares))  # type: ignore[arg-type]

    def reset(
        self, key: PRNGKeyArray, params: EnvParams | None = None
    ) -> tuple[Float[Array, "agent feature"], EnvState]:
        """Start an episode.

        Args:
            key: Source of randomness of the start and the noise of the first observation.
            params: Parameters; the environment's own if None.

        Returns:
            Observation of every agent, and the state.
        """
        params = self.params if params is None else params
        start_key, noise_key, forecast_key = jax.random.split(key, 3)
        community = params.community
        start = self._sample_start(start_key, community)
        load, solar = self._sample_profiles(noise_key, params, start)
        zeros = jnp.zeros_like(load)
        inputs = inputs_at(community.series, start)
        prices = tariff.grid_prices(inputs.tariff, community.rates, load.shape[0])
        midpoint = ((prices.reservation_price + prices.feed_in) / 2).mean()
        state = EnvState(
            community=dynamics.initial_state(community),
            start_step=start,
            time=jnp.int32(0),
            load_kwh=load,
            solar_kwh=solar,
            forecast_key=forecast_key,
            window=initial_window(self.config.indicator_window),
            indicators=initial_indicators(midpoint),
            profit=zeros,
            deficit_kwh=zeros,
            unmet_kwh=zeros,
            net_kwh=zeros,
            net_bought_kwh=zeros,
        )
        return self.observe(state, params), state

    def step(
        self, key: PRNGKeyArray, state: EnvState, action: PyTree, params: EnvParams | None = None
    ) -> TimeStep:
        """Simulate one step with the actions of all agents.

        Args:
            key: Source of randomness of the arrival of orders, the operator's inspections and the
                noise of the next step.
            state: State from `reset` or the previous step.
            action: Element of `action_space`. In mode `bid`, also a `RawBid`.
            params: Parameters; the environment's own if None.

        Returns:
            Result of the step, truncated after the last step of the episode.
        """
        params = self.params if params is None else params
        community = params.community
        market_key, noise_key, forecast_key = jax.random.split(key, 3)
        arrival_key = market_key if self.config.random_arrival else jax.random.key(0)
        arrival = jax.random.uniform(arrival_key, (self.num_homes,))
        inputs = self._inputs(state, params)
        pricing = state.community.pricing
        price_shares = None
        if self.config.price_agents:
            action, price_shares = action
        decisions = self.decode(action, params)
        community_state, outcome = dynamics.step(
            community, state.community, inputs, decisions, key, arrival, price_shares
        )
        indicators, window = jax.lax.optimization_barrier(
            update_indicators(
                outcome,
                state.window,
                state.indicators.clearing_price,
                params.scales.network_capacity_kwh,
            )
        )
        prior_savings = None if pricing is None else pricing.savings
        context = RewardContext(params, outcome, indicators, window, prior_savings)
        terms = jnp.stack([term(context) for term in self._rewards])
        terms = jax.lax.optimization_barrier(terms * params.reward_weights)
        record = outcome.record
        flows = record.flows
        time = state.time + 1
        load, solar = self._sample_profiles(noise_key, params, state.start_step + time)
        deficit = jnp.maximum(flows.load_kwh - flows.solar_kwh, 0.0)
        new_state = EnvState(
            community=community_state,
            start_step=state.start_step,
            time=time,
            load_kwh=load,
            solar_kwh=solar,
            # An unused key is not stored, so that XLA removes its split above.
            forecast_key=forecast_key if self.config.forecast == "noisy" else state.forecast_key,
            window=window,
            indicators=indicators,
            profit=state.profit + profit(context),
            deficit_kwh=state.deficit_kwh + deficit,
            unmet_kwh=state.unmet_kwh + outcome.unmet_kwh,
            net_kwh=flows.net_kwh,
            net_bought_kwh=record.local.bought_kwh - record.local.sold_kwh,
        )
        obs = self.observe(new_state, params)
        reward = terms.sum(0)
        if self._price_rewards and params.price_reward_weights is not None:
            price_terms = jnp.stack([term(context) for term in self._price_rewards])
            price_reward = (price_terms * params.price_reward_weights).sum(0)
            reward = jnp.concatenate([reward, price_reward])
        return TimeStep(
            obs=obs,
            state=new_state,
            reward=reward,
            terminated=jnp.zeros(self.num_agents, bool),
            truncated=time >= self.config.episode_steps,
            final_obs=obs,
            info={
                "reward_terms": terms,
                "indicators": indicators,
                "infeasible_kwh": outcome.infeasible_kwh,
                "record": record,
            },
        )

    def observe(
        self, state: EnvState, params: EnvParams | None = None
    ) -> Float[Array, "agent feature"]:
        """Compute the observations of all agents before a step.

        Args:
            state: State of the episode.
            params: Parameters; the environment's own if None.

        Returns:
            Observations of homes, then of price agents; the narrower ones are padded with zeros.
        """
        params = self.params if params is None else params
        community = params.community
        inputs = self._inputs(state, params)
        context = ObservationContext(
            params=params,
            state=state,
            inputs=inputs,
            forecast=self._forecast(state, params),
            prices=dynamics.available_prices(community, state.community, inputs),
            progress=state.time / self.config.episode_steps,
        )
        obs = observe(self._terms, context)
        pricing_context = dynamics.pricing_context(community, state.community, inputs)
        if pricing_context is None or not self.config.price_agents:
            return obs
        price_obs = observe_prices(pricing_context, self._price_terms)
        width = max(obs.shape[1], price_obs.shape[1])
        parts = [jnp.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in (obs, price_obs)]
        return jnp.concatenate(parts)

    def decode(self, action: PyTree, params: EnvParams | None = None) -> Action:
        """Convert the actions of homes to energy and money.

        Args:
            action: Actions of homes, without those of price agents.
            params: Parameters; the environment's own if None.
        """
        params = self.params if params is None else params
        config = self.config
        if config.action_mode == "bid":
            return decode_bid(action, params)
        if config.power_levels is not None:
            return decode_power_level(
                action, config.power_levels, config.max_power_fraction, params
            )
        return decode_power(action, params)

    def action_mask(self, state: EnvState, params: EnvParams | None = None) -> BidMask | Array:
        """Compute which parts of an action are meaningful in the coming step; True is allowed.

        Args:
            state: State of the episode.
            params: Parameters; the environment's own if None.

        Returns:
            Masks of sides and partners in mode `bid`; else a mask of devices [home, slot], or of
            power levels [home, level] (with several slots [home, slot, level]). A missing device
            allows one level only, the one nearest to zero.
        """
        params = self.params if params is None else params
        if self.config.action_mode == "bid":
            return bid_mask(params, state)
        has_device = device_mask(params)
        if self.config.power_levels is None:
            return has_device
        is_idle = jnp.arange(self.config.power_levels) == (self.config.power_levels - 1) // 2
        levels = has_device[:, :, None] | is_idle
        return levels[:, 0] if len(self.config.action_slots) == 1 else levels

    def _observation_sizes(self) -> tuple[int, int, dict[str, int]]:
        """Return the numbers of homes, of forecast steps, and of slots of each kind of device."""
        slots = slot_counts(self.params.community.homes)
        return self.num_homes, self.config.forecast_steps, slots

    def _sample_start(self, key: PRNGKeyArray, community: Community) -> Int[Array, ""]:
        """Draw a start step such that the episode ends within the period."""
        interval = self.config.start_interval
        if interval == 0:
            return jnp.asarray(0, jnp.int32)
        length = community.series.hour.shape[0]
        num_starts = (length - self.config.episode_steps) // interval + 1
        return interval * jax.random.randint(key, (), 0, num_starts)

    def _inputs(self, state: EnvState, params: EnvParams) -> ExogenousInputs:
        """Return the inputs of the coming step, with its noisy load and PV generation."""
        inputs = inputs_at(params.community.series, state.start_step + state.time)
        return inputs._replace(load_kwh=state.load_kwh, solar_kwh=state.solar_kwh)

    def _sample_profiles(
        self, key: PRNGKeyArray, params: EnvParams, step: Int[Array, ""]
    ) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
        """Draw load and PV generation of a step with independent noise of every home."""
        inputs = inputs_at(params.community.series, step)
        if not self.config.has_profile_noise:
            return inputs.load_kwh, inputs.solar_kwh
        noise = jax.random.normal(key, (2, self.num_homes))
        factor = jnp.maximum(1.0 + params.profile_noise * noise, 0.0)
        return inputs.load_kwh * factor[0], inputs.solar_kwh * factor[1]

    def _forecast(self, state: EnvState, params: EnvParams) -> ExogenousInputs:
        """Forecast the inputs of the steps after the coming one."""
        num_steps = self.config.forecast_steps
        first = state.start_step + state.time + 1
        forecast = inputs_window(params.community.series, first, num_steps)
        if self.config.forecast == "persistence":
            shape = (num_steps, self.num_homes)
            return forecast._replace(
                load_kwh=jnp.broadcast_to(state.load_kwh, shape),
                solar_kwh=jnp.broadcast_to(state.solar_kwh, shape),
            )
        if self.config.forecast == "noisy":
            noise = jax.random.normal(state.forecast_key, (2, num_steps, self.num_homes))
            factor = jnp.maximum(1.0 + params.forecast_noise * noise, 0.0)
            return forecast._replace(
                load_kwh=forecast.load_kwh * factor[0], solar_kwh=forecast.solar_kwh * factor[1]
            )
        return forecast


def auto_reset(
    env: CommunityEnv,
    key: PRNGKeyArray,
    state: EnvState,
    action: PyTree,
    params: EnvParams | None = None,
) -> TimeStep:
    """Step an environment and start a new episode when the time limit is reached.

    Args:
        env: Environment.
        key: Source of randomness of the step and the reset.
        state: State from `reset` or the previous step.
        action: Element of `env.action_space`.
        params: Parameters; the environment's own if None.

    Returns:
        Result of the step; after the last step of an episode, `obs` and `state` belong to the new
        episode and `final_obs` to the old one.
    """
    step_key, reset_key = jax.random.split(key)
    timestep = env.step(step_key, state, action, params)
    reset_obs, reset_state = env.reset(reset_key, params)

    def select(reset: PyTree, current: PyTree) -> PyTree:
        return jax.tree.map(lambda a, b: jnp.where(timestep.truncated, a, b), reset, current)

    return timestep._replace(
        obs=select(reset_obs, timestep.obs), state=select(reset_state, timestep.state)
    )
