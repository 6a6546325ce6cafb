"""The year in one jitted scan."""

import os
import time
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from prosumax import market, tariff
from prosumax.data.datasets import cache_folder
from prosumax.grid.network import fees_alone
from prosumax.simulation.build import Community, Series
from prosumax.simulation.policy import Levelled, Planned, Policy, View
from prosumax.simulation.step import Record, State, initial_state, offers
from prosumax.simulation.step import step as step_step


class Trajectory(NamedTuple):
    """A whole period: what `env.Record` says of each step, [step, home], and each home's bill had it been alone."""

    record: Record
    bill_alone: Float[Array | np.ndarray, "step home"]


def rollout(
    community: Community, policy: Policy | Levelled, key: PRNGKeyArray, plan: Planned | None = None
) -> Trajectory:
    """Run a community under a policy over all its steps; pure, so it may be jitted and batched.

    Arguments:
        community: what `build` returned.
        policy: which rule decides for which home.
        key: source of all randomness; step t uses `fold_in(key, t)`.
        plan: for policies that follow one, from `make_plan`.
    """

    def advance(state: State, step: tuple[Array, Series, Planned | None]) -> tuple[State, Record]:
        number, now, planned = step
        prices = offers(community, state, now)
        seen = (
            now.load_kwh,
            now.solar_kwh,
            now.hour,
            community.step_hours,
            prices,
            community.homes,
            state.homes,
        )
        view = View(*seen, planned, now.devices)
        policy_key, market_key = jax.random.split(jax.random.fold_in(key, number))
        arrival = jax.random.uniform(market_key, now.load_kwh.shape)
        after, outcome = step_step(
            community, state, now, policy(view, policy_key), market_key, arrival
        )
        return after, outcome.record

    steps = jnp.arange(community.series.hour.shape[0])
    _, record = jax.lax.scan(advance, initial_state(community), (steps, community.series, plan))
    return Trajectory(record, bill_alone(community, record))


def bill_alone(community: Community, record: Record) -> Float[Array, "step home"]:
    """What each home would pay in every step with the same meter and no exchange."""

    def one(now: tariff.TariffSeries, net_kwh: Float[Array, " home"]) -> Float[Array, " home"]:
        prices = tariff.offered_prices(now, community.rates, net_kwh.shape[-1])
        local, grid = market.clear((market.grid,), market.truthful_orders(net_kwh, prices), prices)
        fees = None if community.network is None else fees_alone(community.network, grid)
        return jnp.asarray(tariff.settle(now, community.rates, local, grid, fees).total)

    return jax.vmap(one)(community.series.tariff, record.flows.net_kwh)


def simulate(
    community: Community, policy: Policy | Levelled, seed: int, plan: Planned | None = None
) -> tuple[Trajectory, float, float]:
    """Compile once per shape, run, and bring the result to the host.

    Returns:
        The trajectory as NumPy arrays, seconds spent compiling, seconds spent simulating.
    """
    use_compilation_cache()
    key = jax.random.key(seed)
    arguments = (
        community,
        policy,
        key,
        jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), plan),
    )
    before = time.perf_counter()
    leaves, structure = jax.tree.flatten(arguments)
    compiled = _compile(
        structure, tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    )
    compile_s = time.perf_counter() - before
    before = time.perf_counter()
    trajectory = jax.block_until_ready(compiled(*arguments))
    simulate_s = time.perf_counter() - before
    return jax.tree.map(np.asarray, trajectory), compile_s, simulate_s


@lru_cache(maxsize=64)
def _compile(structure: Any, shapes: tuple[jax.ShapeDtypeStruct, ...]) -> jax.stages.Compiled:
    return jax.jit(rollout).lower(*jax.tree.unflatten(structure, shapes)).compile()


def use_compilation_cache() -> None:
    """Keep compiled programs between runs, unless the user has said where (or that none) already."""
    if (
        getattr(jax.config, "jax_compilation_cache_dir", None) is None
        and "JAX_COMPILATION_CACHE_DIR" not in os.environ
    ):
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
