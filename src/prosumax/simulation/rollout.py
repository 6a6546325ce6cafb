"""Simulation of a whole period in one compiled scan."""

import os
import time
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTreeDef
from numpy.typing import NDArray

from prosumax import market, tariff
from prosumax.devices import home
from prosumax.files import cache_dir
from prosumax.grid.network import standalone_fees
from prosumax.simulation import dynamics
from prosumax.simulation.community import Community, ExogenousInputs
from prosumax.simulation.dynamics import CommunityState, StepRecord
from prosumax.simulation.policy import (
    ControlContext,
    ControlSchedule,
    DiscretePowerPolicy,
    RuleBasedPolicy,
)

_MIN_CACHED_COMPILE_S = 0.3


class Trajectory(NamedTuple):
    """Results of a simulated period.

    Attributes:
        record: Results of every step, with the step axis first.
        standalone_bill: Bill of each home with the same meter and no exchange.
    """

    record: StepRecord
    standalone_bill: Float[Array | NDArray[np.float64], "step home"]


def rollout_policy(
    community: Community,
    policy: RuleBasedPolicy | DiscretePowerPolicy,
    key: PRNGKeyArray,
    schedule: ControlSchedule | None = None,
) -> Trajectory:
    """Simulate a community under a policy over all its steps.

    The function is pure, so it can be jitted and batched.

    Args:
        community: Community from `build`.
        policy: Policy that decides for all homes.
        key: Source of all randomness; step t uses `fold_in(key, t)`.
        schedule: Requests [step, home] for rules that follow a plan, from `make_schedule`.
    """

    def advance(
        state: CommunityState, step: tuple[Array, ExogenousInputs, ControlSchedule | None]
    ) -> tuple[CommunityState, StepRecord]:
        number, inputs, requests = step
        context = ControlContext(
            load_kwh=inputs.load_kwh,
            solar_kwh=inputs.solar_kwh,
            hour=inputs.hour,
            step_hours=community.step_hours,
            prices=dynamics.available_prices(community, state, inputs),
            params=home.available(community.homes, inputs.devices),
            state=state.homes,
            schedule=requests,
            device_inputs=inputs.devices,
        )
        policy_key, market_key = jax.random.split(jax.random.fold_in(key, number))
        arrival = jax.random.uniform(market_key, inputs.load_kwh.shape)
        action = policy(context, policy_key)
        state, outcome = dynamics.step(community, state, inputs, action, market_key, arrival)
        return state, outcome.record

    steps = (jnp.arange(community.series.hour.shape[0]), community.series, schedule)
    _, record = jax.lax.scan(advance, dynamics.initial_state(community), steps)
    return Trajectory(record, standalone_bill(community, record))


def standalone_bill(community: Community, record: StepRecord) -> Float[Array, "step home"]:
    """Compute the bill of each home and step with the same meter and no exchange.

    Args:
        community: Simulated community.
        record: Results of every step.
    """

    def step_bill(
        series: tariff.TariffSeries,
        net_kwh: Float[Array, " home"],
        present: Bool[Array, " home"] | None,
    ) -> Float[Array, " home"]:
        prices = tariff.grid_prices(series, community.rates, net_kwh.shape[-1])
        orders = market.truthful_orders(net_kwh, prices)
        local, grid = market.clear((market.grid_stage,), orders, prices)
        fees = None if community.network is None else standalone_fees(community.network, grid)
        bill = tariff.settle_step(series, community.rates, local, grid, fees, present)
        return jnp.asarray(bill.total)

    present = dynamics.present_homes(community.series)
    return jax.vmap(step_bill)(community.series.tariff, record.flows.net_kwh, present)


def simulate(
    community: Community,
    policy: RuleBasedPolicy | DiscretePowerPolicy,
    seed: int,
    schedule: ControlSchedule | None = None,
) -> tuple[Trajectory, float, float]:
    """Compile once per shape, simulate, and copy the results to the host.

    Args:
        community: Community from `build`.
        policy: Policy that decides for all homes.
        seed: Seed of all randomness.
        schedule: Requests [step, home] for rules that follow a plan, from `make_schedule`.

    Returns:
        Trajectory as NumPy arrays, compile time in seconds, and simulation time in seconds.
    """
    enable_compilation_cache()
    schedule = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), schedule)
    arguments = (community, policy, jax.random.key(seed), schedule)
    start = time.perf_counter()
    leaves, structure = jax.tree.flatten(arguments)
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)
    compiled = _compile(structure, shapes)
    compile_s = time.perf_counter() - start
    start = time.perf_counter()
    trajectory = jax.block_until_ready(compiled(*arguments))
    simulate_s = time.perf_counter() - start
    return jax.tree.map(np.asarray, trajectory), compile_s, simulate_s


def enable_compilation_cache() -> None:
    """Keep compiled programs between processes, unless the user configured JAX's cache."""
    configured = getattr(jax.config, "jax_compilation_cache_dir", None) is not None
    if configured or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _MIN_CACHED_COMPILE_S)


@lru_cache(maxsize=64)
def _compile(structure: PyTreeDef, shapes: tuple[jax.ShapeDtypeStruct, ...]) -> jax.stages.Compiled:
    return jax.jit(rollout_policy).lower(*jax.tree.unflatten(structure, shapes)).compile()
