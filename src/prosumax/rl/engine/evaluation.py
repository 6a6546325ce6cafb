"""Evaluation of policies: whole episodes without learning, and their energy and money."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree
from numpy.typing import NDArray

from prosumax.rl.engine.rollout import MultiAgentSetup, collect_rollout, init_rollout
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams, TimeStep


class EpisodeMetrics(NamedTuple):
    """Energy and money of every home, of a step or summed over an episode.

    Attributes:
        reward: Reward of every home and price agent.
        bill: Cost of energy, fees and local trade, in the tariff's currency.
        local_bought_kwh: Energy bought from other homes.
        local_sold_kwh: Energy sold to other homes.
        grid_import_kwh: Energy bought from the grid.
        grid_export_kwh: Energy sold to the grid.
        emissions_kg: Emissions of the energy bought from the grid; NaN if unknown.
        pv_kwh: PV generation.
        welfare: The community's gains from local trade, divided equally, in currency.
        imbalance: Imbalance of the community's orders in [0, 1], the same for all homes.
    """

    reward: Float[Array, "*batch agent"]
    bill: Float[Array, "*batch home"]
    local_bought_kwh: Float[Array, "*batch home"]
    local_sold_kwh: Float[Array, "*batch home"]
    grid_import_kwh: Float[Array, "*batch home"]
    grid_export_kwh: Float[Array, "*batch home"]
    emissions_kg: Float[Array, "*batch home"]
    pv_kwh: Float[Array, "*batch home"]
    welfare: Float[Array, "*batch home"]
    imbalance: Float[Array, "*batch home"]


def step_metrics(
    step: TimeStep, emission_factor_kg_per_kwh: Array | float = float("nan")
) -> EpisodeMetrics:
    """Compute the metrics of a step.

    Args:
        step: Result of the environment's step.
        emission_factor_kg_per_kwh: Emission factor of the grid in the step.
    """
    record = step.info["record"]
    indicators = step.info["indicators"]
    local = record.local
    grid_kwh = record.flows.grid_kwh(local)
    grid_import_kwh = jnp.maximum(grid_kwh, 0.0)
    num_homes = grid_kwh.shape[-1]

    def for_every_home(value: Array) -> Array:
        return jnp.broadcast_to(value[..., None], grid_kwh.shape)

    return EpisodeMetrics(
        reward=step.reward,
        bill=record.bill.total,
        local_bought_kwh=local.bought_kwh,
        local_sold_kwh=local.sold_kwh,
        grid_import_kwh=grid_import_kwh,
        grid_export_kwh=jnp.maximum(-grid_kwh, 0.0),
        emissions_kg=grid_import_kwh * emission_factor_kg_per_kwh,
        pv_kwh=record.flows.solar_kwh,
        welfare=for_every_home(indicators.gains_from_trade / num_homes),
        imbalance=for_every_home(indicators.imbalance),
    )


def with_fixed_start(agents: MultiAgentSetup, episode_steps: int) -> MultiAgentSetup:
    """Return the setup with episodes that start at the first step of any series they receive.

    Args:
        agents: Community and policies.
        episode_steps: Number of steps of an episode.
    """
    env: CommunityEnv = agents.env
    config = replace(env.config, episode_steps=episode_steps, start_interval=0)
    return agents._replace(env=CommunityEnv(config, env.params))


def evaluate_episodes(
    agents: MultiAgentSetup,
    states: Sequence[PyTree],
    configs: Sequence[PyTree],
    params: EnvParams,
    first_steps: Int[Array, " episode"],
    key: PRNGKeyArray,
    *,
    deterministic: bool = True,
) -> EpisodeMetrics:
    """Play one episode from each of several steps of the period, all in parallel.

    Args:
        agents: Community and policies, from `with_fixed_start`.
        states: State of every group's learner.
        configs: Hyperparameters of every group's learner.
        params: Parameters of the environment over the whole period.
        first_steps: Steps of the period at which the episodes start.
        key: Random key, which is split over episodes.
        deterministic: Whether learners select their best known actions instead of exploring.

    Returns:
        Sums over the episode, and the mean of the imbalance [episode, home].
    """
    episode_steps = agents.env.config.episode_steps
    num_rows = episode_steps + agents.env.config.forecast_steps + 1

    def evaluate_episode(first_step: Array, key: PRNGKeyArray) -> EpisodeMetrics:
        community = params.community
        period_steps = community.series.hour.shape[0]
        rows = jnp.minimum(first_step + jnp.arange(num_rows), period_steps - 1)
        series = jax.tree.map(lambda leaf: leaf[rows], community.series)
        episode_params = params._replace(community=community._replace(series=series))
        init_key, key = jax.random.split(key)
        _, steps = collect_rollout(
            agents,
            states,
            configs,
            init_rollout(agents, episode_params, init_key, 1),
            episode_params,
            key,
            episode_steps,
            deterministic=deterministic,
            metrics_fn=step_metrics,
        )
        metrics: EpisodeMetrics = jax.tree.map(lambda leaf: leaf[:, 0], steps.metrics)
        emission_factor = series.tariff.emission_factor_kg_per_kwh[:episode_steps, None]
        metrics = metrics._replace(emissions_kg=metrics.grid_import_kwh * emission_factor)
        sums: EpisodeMetrics = jax.tree.map(lambda leaf: leaf.sum(0), metrics)
        return sums._replace(imbalance=metrics.imbalance.mean(0))

    keys = jax.random.split(key, first_steps.shape[0])
    return jax.vmap(evaluate_episode)(first_steps, keys)


class EpisodeSplit(NamedTuple):
    """Split of a period's episodes into training, validation and test.

    Attributes:
        training_steps: Number of steps of the period that are trained on, from its first one.
        validation: First steps of the validation episodes.
        test: First steps of the test episodes.
        disjoint: Whether the three are different days; a short period has one episode for all.
    """

    training_steps: int
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    disjoint: bool


def split_episodes(
    length: int, episode_steps: int, start_interval: int, max_episodes: int = 64
) -> EpisodeSplit:
    """Split a period in time: 70 % of its episodes for training, 15 % validation, 15 % test.

    Args:
        length: Number of steps of the period.
        episode_steps: Number of steps of an episode.
        start_interval: Number of steps between two possible starts; 0 where all episodes start at
            the first step.
        max_episodes: Maximum number of validation, and of test, episodes, which are spaced evenly
            where there are more.
    """
    if start_interval == 0 or length < 10 * episode_steps:
        first = np.zeros(1, np.int64)
        return EpisodeSplit(length, first, first, False)
    stride = max(start_interval, -(-episode_steps // start_interval) * start_interval)
    first_steps = np.arange(0, length - episode_steps + 1, stride)
    validation = int(0.7 * len(first_steps))
    test = int(0.85 * len(first_steps))
    return EpisodeSplit(
        training_steps=int(first_steps[validation]),
        validation=evenly_spaced(first_steps[validation:test], max_episodes),
        test=evenly_spaced(first_steps[test:], max_episodes),
        disjoint=True,
    )


def slice_period(params: EnvParams, first: int, last: int) -> EnvParams:
    """Return the parameters with steps `first` to `last` (exclusive) of the period only."""
    series = jax.tree.map(lambda leaf: leaf[first:last], params.community.series)
    return params._replace(community=params.community._replace(series=series))


def evenly_spaced(values: NDArray[np.int64], max_count: int) -> NDArray[np.int64]:
    """Select at most `max_count` values at even distances, the first and the last among them."""
    index = np.linspace(0, len(values) - 1, max_count).round().astype(int)
    selected: NDArray[np.int64] = values[np.unique(index)]
    return selected
