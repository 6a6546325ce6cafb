"""Judge what was learned: whole episodes on given days, no learning, and the figures that matter to people."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from numpy.typing import NDArray

from prosumax.rl.engine.rollout import Game, rollout, start
from prosumax.rl.env import CommunityEnv
from prosumax.rl.types import EnvParams, TimeStep


class Account(NamedTuple):
    """Of every home in a step; energy in kWh, money in the tariff's currency.

    Attributes:
        reward: as the environment pays it, of price agents too.
        bill: energy, fees and local trade.
        bought, sold: local trade.
        grid_in, grid_out: what is traded with the grid side.
        carbon: emissions of what came from the grid, kg; NaN where the intensity is unknown.
        solar: produced.
        surplus: the community's gains from local trade, shared out evenly.
        imbalance: of the community's orders, 0 to 1; the same for all.
    """

    reward: Float[Array, "*batch agent"]
    bill: Float[Array, "*batch home"]
    bought: Float[Array, "*batch home"]
    sold: Float[Array, "*batch home"]
    grid_in: Float[Array, "*batch home"]
    grid_out: Float[Array, "*batch home"]
    carbon: Float[Array, "*batch home"]
    solar: Float[Array, "*batch home"]
    surplus: Float[Array, "*batch home"]
    imbalance: Float[Array, "*batch home"]


def account(step: TimeStep, carbon_kg: Array | float = float("nan")) -> Account:
    """The account of a step.

    Arguments:
        step: what the environment returned.
        carbon_kg: intensity of the grid in it.
    """
    record, kpis = step.info["record"], step.info["kpis"]
    local, flows = record.local, record.flows
    rest = flows.net_kwh - local.bought_kwh + local.sold_kwh
    bought = jnp.maximum(rest, 0.0)
    homes = rest.shape[-1]
    everybody = lambda value: jnp.broadcast_to(value[..., None], rest.shape)  # noqa: E731
    return Account(
        reward=step.reward,
        bill=record.bill.total,
        bought=local.bought_kwh,
        sold=local.sold_kwh,
        grid_in=bought,
        grid_out=jnp.maximum(-rest, 0.0),
        carbon=bought * carbon_kg,
        solar=flows.solar_kwh,
        surplus=everybody(kpis.surplus / homes),
        imbalance=everybody(kpis.imbalance),
    )


def fixed(game: Game, steps: int) -> Game:
    """The same game with episodes of `steps` that begin at the first step of whatever series they are given."""
    env: CommunityEnv = game.env
    return game._replace(
        env=CommunityEnv(replace(env.config, steps=steps, start_every=0), env.params)
    )


def play(
    game: Game,
    states: Sequence[Any],
    hps: Sequence[Any],
    params: EnvParams,
    first: Int[Array, " day"],
    key: PRNGKeyArray,
    *,
    explore: bool = False,
) -> Account:
    """Play an episode from each of some steps of the period, all at once.

    Arguments:
        game: who plays; from `fixed`.
        states, hps: of the teams' learners.
        params: of the environment, over the whole period.
        first: where episodes begin.
        key: of whatever is drawn; each episode has its own.
        explore: whether learners try things.

    Returns:
        Sums over the episode, of the imbalance the mean [day, home].
    """
    steps, ahead = game.env.config.steps, game.env.config.forecast_steps + 1

    def one(at: Array, key: PRNGKeyArray) -> Account:
        community = params.community
        rows = jnp.minimum(at + jnp.arange(steps + ahead), community.series.hour.shape[0] - 1)
        series = jax.tree.map(lambda leaf: leaf[rows], community.series)
        own = params._replace(community=community._replace(series=series))
        begin_key, key = jax.random.split(key)
        carry = start(game, own, begin_key, 1)
        _, found = rollout(
            game, states, hps, carry, own, key, steps, explore=explore, watch=account
        )
        days: Account = jax.tree.map(lambda leaf: leaf[:, 0], found.watched)
        carbon = days.grid_in * series.tariff.carbon_kg[:steps, None]
        sums: Account = jax.tree.map(lambda leaf: leaf.sum(0), days._replace(carbon=carbon))
        return sums._replace(imbalance=days.imbalance.mean(0))

    return jax.vmap(one)(first, jax.random.split(key, first.shape[0]))


class Split(NamedTuple):
    """Where episodes begin: days to train on, to choose by, and to report on; steps of the period.

    Attributes:
        training: steps of the period that are trained on, from 0.
        validation, test: first steps of whole episodes, behind those.
        apart: whether the three are different days; a period of one episode has one day for all.
    """

    training: int
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    apart: bool


def split(length: int, steps: int, every: int, most: int = 64) -> Split:
    """70 % of a period's episodes to train on, 15 % to choose by, 15 % to report on, in this order in time.

    Arguments:
        length: of the period in steps.
        steps: of an episode.
        every: steps between two beginnings; 0 where all begin at the first step.
        most: episodes of each kind; evenly spread ones where there are more.
    """
    if every == 0 or length < 10 * steps:
        only = np.zeros(1, np.int64)
        return Split(length, only, only, False)
    stride = max(every, -(-steps // every) * every)
    firsts = np.arange(0, length - steps + 1, stride)
    a, b = int(0.7 * len(firsts)), int(0.85 * len(firsts))
    return Split(int(firsts[a]), _spread(firsts[a:b], most), _spread(firsts[b:], most), True)


def between(params: EnvParams, first: int, last: int) -> EnvParams:
    """The same environment with a part of its period only."""
    series = jax.tree.map(lambda leaf: leaf[first:last], params.community.series)
    return params._replace(community=params.community._replace(series=series))


def _spread(firsts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return firsts[np.unique(np.linspace(0, len(firsts) - 1, most).round().astype(int))]
