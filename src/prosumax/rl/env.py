"""The environment: reset, step, and what they take and give; pure, so that one line of `vmap` makes a batch of it."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from prosumax import tariff
from prosumax.market.pricing import posted as announced
from prosumax.market.pricing.posted import price_columns, price_observations
from prosumax.rl.actions import (
    BidMask,
    WithPrices,
    bid_mask,
    decode_bid,
    decode_level,
    decode_power,
    device_mask,
)
from prosumax.rl.market_indicators import empty_window, measure, no_kpis
from prosumax.rl.observations import home_terms as seeing
from prosumax.rl.observations.home_terms import Seen, observations
from prosumax.rl.rewards.home_terms import Paid, rewards
from prosumax.rl.rewards.price_terms import price_rewards
from prosumax.rl.types import EnvParams, EnvState, TimeStep
from prosumax.simulation.build import Community
from prosumax.simulation.step import initial_state, offers, outlook, step
from prosumax.types import Action


@dataclass(frozen=True)
class EnvConfig:
    """What stays the same over a batch: shapes and functions.

    Attributes:
        agents: names of the homes.
        control: `dispatch` or `bid`.
        levels: powers to choose from under dispatch; None for a continuous one.
        reach: the outermost level, as a share of the battery's power.
        steps: length of an episode.
        start_every: episodes begin at multiples of it within the period; 0 for always at the first step.
        observations, rewards: names of the terms.
        forecast: `perfect`, `persistence` or `noisy`.
        forecast_steps: how far it looks.
        noisy: whether load and sun are drawn around their series.
        random_arrival: whether orders arrive in random order.
        window: steps of volatility and convergence.
        slots: names of what a home steers under dispatch; the battery alone where nobody has flexible devices.
        price_agents: names of those who announce prices.
        price_observations, price_rewards: names of their terms.
    """

    agents: tuple[str, ...]
    control: str
    levels: int | None
    reach: float
    steps: int
    start_every: int
    observations: tuple[str, ...]
    rewards: tuple[str, ...]
    forecast: str
    forecast_steps: int
    noisy: bool
    random_arrival: bool
    window: int
    slots: tuple[str, ...] = ("battery",)
    price_agents: tuple[str, ...] = ()
    price_observations: tuple[str, ...] = ()
    price_rewards: tuple[str, ...] = ()


class CommunityEnv:
    """A community as an environment of many agents (a Dec-POMDP; MARLEM section 3.2).

    `reset` and `step` are pure: jit them, `vmap` them over keys, states and actions, and over `params` to give every
    copy its own homes, prices or weights. There is no automatic reset; `auto_reset` adds one.

        >>> env = prosumax.make("marlem-battery-strategic")
        >>> obs, state = env.reset(jax.random.key(0))
        >>> ts = env.step(jax.random.key(1), state, env.sample_action(jax.random.key(2)))
    """

    def __init__(self, config: EnvConfig, params: EnvParams) -> None:
        """An environment with parameters that are used where none are given; `prosumax.make` builds both."""
        self.config, self.params = config, params
        self._terms = tuple(
            observations.get(name, "environment.observations") for name in config.observations
        )
        self._rewards = tuple(rewards.get(name, "environment.rewards") for name in config.rewards)
        seen, paid = config.price_observations, config.price_rewards
        self._price_terms = tuple(
            price_observations.get(name, "environment.price_observations") for name in seen
        )
        self._price_rewards = tuple(
            price_rewards.get(name, "environment.price_goal") for name in paid
        )

    @property
    def agents(self) -> list[str]:
        """Names of the homes, then of price agents, in the order of every array."""
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
        machines = sum(slot.startswith("appliance") for slot in self.config.slots)
        return seeing.columns_of(
            self.config.observations, self.num_homes, self.config.forecast_steps, machines
        )

    @property
    def price_observation_names(self) -> list[str]:
        """Name of every column of a price agent's observation."""
        return price_columns(self.config.price_observations)

    @property
    def reward_names(self) -> list[str]:
        """Name of every row of `info["reward_terms"]`."""
        return list(self.config.rewards)

    @property
    def action_size(self) -> int:
        """Numbers per home: 4 for a bid (as one Box), 1 for each slot of a dispatch; 0 when `levels` are chosen."""
        return (
            4
            if self.config.control == "bid"
            else 0
            if self.config.levels
            else len(self.config.slots)
        )

    @property
    def action_names(self) -> list[str]:
        """Name of every column of an action: devices under dispatch, or the parts of a bid."""
        return (
            ["price", "quantity", "side", "partner"]
            if self.config.control == "bid"
            else list(self.config.slots)
        )

    def reset(
        self, key: PRNGKeyArray, params: EnvParams | None = None
    ) -> tuple[Float[Array, "agent feature"], EnvState]:
        """Begin an episode.

        Arguments:
            key: of where it begins and of all noise in its first observation.
            params: instead of the environment's own.

        Returns:
            Every agent's observation, and the state.
        """
        params = self.params if params is None else params
        start_key, noise_key, forecast_key = jax.random.split(key, 3)
        community = params.community
        start = self._start(start_key, community)
        load, solar = self._coming(noise_key, params, start)
        nothing = jnp.zeros_like(load)
        now = seeing.row(community.series, start)
        prices = tariff.offered_prices(now.tariff, community.rates, load.shape[0])
        middle = ((prices.reservation_price + prices.feed_in) / 2).mean()
        state = EnvState(
            community=initial_state(community),
            start=start,
            time=jnp.int32(0),
            load_kwh=load,
            solar_kwh=solar,
            forecast_key=forecast_key,
            window=empty_window(self.config.window),
            kpis=no_kpis(middle),
            profit=nothing,
            need_kwh=nothing,
            unmet_kwh=nothing,
            net_kwh=nothing,
            traded_kwh=nothing,
        )
        return self.observe(state, params), state

    def step(
        self, key: PRNGKeyArray, state: EnvState, action: Any, params: EnvParams | None = None
    ) -> TimeStep:
        """Let all homes act at once.

        Arguments:
            key: of the order of arrival and of the noise of the step after this one.
            state: from `reset` or the step before.
            action: bids as [home, 4] numbers between 0 and 1 or as a `RawBid`; powers as [home, slot] numbers between
                -1 and 1; levels as [home] whole numbers, or [home, slot] where there is more than the battery. Where
                there are price agents, a `WithPrices` of that.
            params: instead of the environment's own.

        Returns:
            A `TimeStep`; with `truncated` after the last step of the episode.
        """
        params = self.params if params is None else params
        community = params.community
        market_key, noise_key, forecast_key = jax.random.split(key, 3)
        arrival = jax.random.uniform(
            market_key if self.config.random_arrival else jax.random.key(0), (self.num_homes,)
        )
        now, shares, posted = self._now(state, params), None, state.community.posted
        if self.config.price_agents:
            action, shares = action
        after, outcome = step(
            community, state.community, now, self.decode(action, params), key, arrival, shares
        )
        kpis, window = jax.lax.optimization_barrier(
            measure(outcome, state.window, state.kpis.price, params.scales.capacity_kwh)
        )
        paid = Paid(params, outcome, kpis, window, None if posted is None else posted.saved)
        terms = jax.lax.optimization_barrier(
            jnp.stack([term(paid) for term in self._rewards]) * params.weights
        )
        record, flows, local = outcome.record, outcome.record.flows, outcome.record.local
        time = state.time + 1
        load, solar = self._coming(noise_key, params, state.start + time)
        need = jnp.maximum(flows.load_kwh - flows.solar_kwh, 0.0)
        new = EnvState(
            community=after,
            start=state.start,
            time=time,
            load_kwh=load,
            solar_kwh=solar,
            # Where nothing is drawn with it, not even the splitting above is computed.
            forecast_key=forecast_key if self.config.forecast == "noisy" else state.forecast_key,
            window=window,
            kpis=kpis,
            profit=state.profit + rewards.get("profit", "reward")(paid),
            need_kwh=state.need_kwh + need,
            unmet_kwh=state.unmet_kwh + outcome.unmet_kwh,
            net_kwh=flows.net_kwh,
            traded_kwh=local.bought_kwh - local.sold_kwh,
        )
        obs = self.observe(new, params)
        info = {
            "reward_terms": terms,
            "kpis": kpis,
            "limited_kwh": outcome.limited_kwh,
            "record": record,
        }
        never, reward = jnp.zeros(self.num_agents, bool), terms.sum(0)
        if self._price_rewards and params.price_weights is not None:
            goals = jnp.stack([term(paid) for term in self._price_rewards]) * params.price_weights
            reward = jnp.concatenate([reward, goals.sum(0)])
        return TimeStep(obs, new, reward, never, time >= self.config.steps, obs, info)

    def observe(
        self, state: EnvState, params: EnvParams | None = None
    ) -> Float[Array, "agent feature"]:
        """What every agent sees before it acts: homes, then price agents, filled up with zeros to the same width."""
        params = self.params if params is None else params
        now, community = self._now(state, params), state.community
        prices = offers(params.community, community, now)
        share = state.time / self.config.steps
        own = seeing.observe(
            self._terms, Seen(params, state, now, self._ahead(state, params), prices, share)
        )
        seen = outlook(params.community, community, now)
        if seen is None or not self.config.price_agents:
            return own
        theirs = announced.see(seen, self._price_terms)
        wide = max(own.shape[1], theirs.shape[1])
        return jnp.concatenate(
            [jnp.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in (own, theirs)]
        )

    def decode(self, action: Any, params: EnvParams | None = None) -> Action:
        """What homes do in a step, in energy and money."""
        params = self.params if params is None else params
        if self.config.control == "bid":
            return decode_bid(action, params)
        if self.config.levels is not None:
            return decode_level(action, self.config.levels, self.config.reach, params)
        return decode_power(action, params)

    def action_mask(self, state: EnvState, params: EnvParams | None = None) -> BidMask | Array:
        """What makes sense in the coming step: sides and partners of a bid, devices [home, slot], or levels.

        Levels are [home, level], or [home, slot, level] where there is more than the battery. Without a device one
        level counts, the one nearest to zero.
        """
        params = self.params if params is None else params
        if self.config.control == "bid":
            return bid_mask(params, state)
        has = device_mask(params)
        if self.config.levels is None:
            return has
        levels = has[:, :, None] | (jnp.arange(self.config.levels) == (self.config.levels - 1) // 2)
        return levels[:, 0] if len(self.config.slots) == 1 else levels

    def sample_action(self, key: PRNGKeyArray) -> Any:
        """An action drawn evenly from all there are (bids as one Box)."""
        if not self.config.price_agents:
            return self._sample_homes(key)
        key, price_key = jax.random.split(key)
        shares = jax.random.uniform(price_key, (len(self.config.price_agents), 2))
        return WithPrices(self._sample_homes(key), shares)

    def _sample_homes(self, key: PRNGKeyArray) -> Any:
        homes = self.num_homes
        if self.config.control == "bid":
            return jax.random.uniform(key, (homes, 4))
        if self.config.levels is not None:
            slots = len(self.config.slots)
            return jax.random.randint(
                key, (homes,) if slots == 1 else (homes, slots), 0, self.config.levels
            )
        return jax.random.uniform(key, (homes, len(self.config.slots)), minval=-1.0, maxval=1.0)

    def _start(self, key: PRNGKeyArray, community: Community) -> Int[Array, ""]:
        """A step at which an episode can begin, so that it ends within the period."""
        every, length = self.config.start_every, community.series.hour.shape[0]
        if every == 0:
            return jnp.int32(0)
        return every * jax.random.randint(key, (), 0, (length - self.config.steps) // every + 1)

    def _now(self, state: EnvState, params: EnvParams) -> seeing.Series:
        """The coming step's row of the series, with the load and sun that it brings."""
        now = seeing.row(params.community.series, state.start + state.time)
        return now._replace(load_kwh=state.load_kwh, solar_kwh=state.solar_kwh)

    def _coming(
        self, key: PRNGKeyArray, params: EnvParams, at: Int[Array, ""]
    ) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
        """What a step brings every home: its series, with noise of its own."""
        row = seeing.row(params.community.series, at)
        if not self.config.noisy:
            return row.load_kwh, row.solar_kwh
        draw = jax.random.normal(key, (2, self.num_homes))
        factor = jnp.maximum(1.0 + params.noise * draw, 0.0)
        return row.load_kwh * factor[0], row.solar_kwh * factor[1]

    def _ahead(self, state: EnvState, params: EnvParams) -> seeing.Series:
        """Forecasts of the steps after the coming one."""
        count = self.config.forecast_steps
        ahead = seeing.rows(params.community.series, state.start + state.time + 1, count)
        if self.config.forecast == "persistence":
            flat = (
                jnp.broadcast_to(part, (count, self.num_homes))
                for part in (state.load_kwh, state.solar_kwh)
            )
            load, solar = flat
            return ahead._replace(load_kwh=load, solar_kwh=solar)
        if self.config.forecast == "noisy":
            draw = jax.random.normal(state.forecast_key, (2, count, self.num_homes))
            factor = jnp.maximum(1.0 + params.forecast_noise * draw, 0.0)
            return ahead._replace(
                load_kwh=ahead.load_kwh * factor[0], solar_kwh=ahead.solar_kwh * factor[1]
            )
        return ahead


def auto_reset(
    env: CommunityEnv,
    key: PRNGKeyArray,
    state: EnvState,
    action: Any,
    params: EnvParams | None = None,
) -> TimeStep:
    """A step that begins a new episode where one is over; `final_obs` keeps the last observation of the old one.

    Arguments:
        env: the environment.
        key, state, action, params: as in `CommunityEnv.step`.
    """
    step_key, reset_key = jax.random.split(key)
    done = env.step(step_key, state, action, params)
    obs, fresh = env.reset(reset_key, params)
    pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(done.truncated, a, b), new, old)  # noqa: E731
    return done._replace(obs=pick(obs, done.obs), state=pick(fresh, done.state))
