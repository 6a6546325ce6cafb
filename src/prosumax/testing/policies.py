"""Check of policies in small communities."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial
from jaxtyping import Array, PRNGKeyArray

from prosumax.control.planning import planners
from prosumax.control.rules import policies
from prosumax.runner import run as run_scenario
from prosumax.scenario.loading import ScenarioLike, load_scenario
from prosumax.scenario.schema.community import Scenario
from prosumax.simulation.community import Community, build
from prosumax.simulation.policy import ControlContext, ControlRule, RuleBasedPolicy
from prosumax.simulation.rollout import Trajectory, rollout_policy
from prosumax.testing.errors import CheckError, run_traced, worst_index
from prosumax.types import GRID_ONLY, Dispatch

_STEPS = 48
_NUM_KEYS = 2
_ROUNDING = 1e-4

_TRACE_FIX = (
    "Compute on arrays with jax.numpy (jnp.where, not `if`), draw random numbers from `key`, and "
    "expect that a community may lack a kind of device and posted prices."
)


class _Decision(NamedTuple):
    """A decision of the policy on the host.

    Attributes:
        battery_kw: Requested battery power.
        price: Limit price.
        partner: Preferred partner.
        requests: Requests to the other devices by kind.
    """

    battery_kw: Array
    price: Array
    partner: Array
    requests: dict[str, Array]


def check_policy(
    policy: ControlRule | str, scenario: ScenarioLike | None = None, *, seed: int = 0
) -> None:
    """Check that a policy decides for every community.

    The policy controls all homes of a community with batteries only, and of one with posted prices,
    electric vehicles and water heaters. It returns a `Dispatch` with the shapes of the protocol,
    requests power of kinds that the community has, names existing partners, and returns no infinite
    or missing values but NaN prices (truthful bids) and NaN requests (default control). The same
    key gives the same decisions, and all energy flows and bills are finite.

    Args:
        policy: Rule, or the name of a registered policy; planners are run as a whole.
        scenario: Scenario in place of these communities, such as one with a device that the policy
            controls.
        seed: Seed of keys and data.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
        InputError: If there is no policy of that name.
    """
    where = f"policy {policy!r}" if isinstance(policy, str) else "policy"
    rule = policies.get(policy, "policy") if isinstance(policy, str) else policy
    given = _scenarios(seed) if scenario is None else [scenario]
    for case in given:
        loaded = load_scenario(case)
        if isinstance(policy, str) and policy in planners:
            _check_planner(policy, loaded, where)
        else:
            _check_rule(rule, build(loaded), where, seed)


def _scenarios(seed: int) -> list[Mapping[str, object]]:
    """Return a community with batteries only, and one with devices and posted prices."""
    rng = np.random.default_rng(seed)

    def values(high: float) -> dict[str, object]:
        return {"source": "values", "values": rng.uniform(0, high, _STEPS).round(3).tolist()}

    battery = {"capacity_kwh": 6, "charge_kw": 3, "soc_min": 0.1, "initial_soc": 0.5}
    shared: dict[str, object] = {
        "seed": seed,
        "period": {"start": "2023-04-01T00:00", "steps": _STEPS, "step_minutes": 60},
        "tariff": {"energy": values(0.4), "network": 0.05, "feed_in": 0.03},
    }
    plain: list[dict[str, object]] = [
        {"name": "a", "load": values(2), "solar": values(4), "battery": battery},
        {"name": "b", "load": values(2)},
        {"name": "c", "load": values(1), "battery": battery},
    ]
    devices: list[dict[str, object]] = [
        {"ev": {"v2g": True}, "water_heater": {}},
        {"water_heater": {}},
        {"ev": {}},
    ]
    equipped = [home | own for home, own in zip(plain, devices, strict=True)]
    return [
        {"name": "batteries", "homes": plain, **shared},
        {
            "name": "devices",
            "homes": equipped,
            "market": {"mechanism": "price_mid_market"},
            **shared,
        },
    ]


def _check_rule(rule: ControlRule, community: Community, where: str, seed: int) -> None:
    """Simulate a community twice with recorded decisions, in a batch over keys."""
    decisions: list[_Decision] = []

    def record(battery_kw: Array, price: Array, partner: Array, requests: dict[str, Array]) -> None:
        decisions.append(_Decision(battery_kw, price, partner, requests))

    def recorded_rule(context: ControlContext, key: PRNGKeyArray) -> Dispatch:
        dispatch = rule(context, key)
        _check_dispatch(dispatch, context, where)
        jax.debug.callback(
            record,
            dispatch.battery_kw,
            dispatch.price,
            dispatch.partner,
            dict(dispatch.devices or {}),
        )
        return dispatch

    homes = community.series.load_kwh.shape[1]
    controlled = RuleBasedPolicy((Partial(recorded_rule),), jnp.ones((1, homes), bool))
    keys = jax.random.split(jax.random.key(seed), _NUM_KEYS)
    run = partial(jax.jit(jax.vmap(rollout_policy, (None, None, 0))), community, controlled, keys)
    trajectory: Trajectory = run_traced(run, where, "compiled by jax.jit and jax.vmap", _TRACE_FIX)
    jax.block_until_ready(trajectory)
    jax.effects_barrier()
    _check_decisions(decisions, homes, where)
    _check_trajectory(trajectory, run(), where)


def _check_dispatch(dispatch: Dispatch, context: ControlContext, where: str) -> None:
    """Check shapes, dtypes and kinds of a decision while it is traced."""
    if not isinstance(dispatch, Dispatch):
        problem = f"it returns {type(dispatch).__name__}"
        raise CheckError(where, problem, "Return prosumax.control.truthful_dispatch(power).")
    homes = context.load_kwh.shape
    fix = "Return one entry per home."
    for name in ("battery_kw", "price", "partner"):
        value = getattr(dispatch, name)
        if jnp.shape(value) != homes:
            raise CheckError(where, f"{name} has shape {jnp.shape(value)}, not {homes}", fix)
    if not jnp.issubdtype(dispatch.partner.dtype, jnp.integer):
        problem = f"partner has dtype {dispatch.partner.dtype}"
        raise CheckError(where, problem, "Return indices of homes.")
    for device in context.params.flexible:
        request = (dispatch.devices or {}).get(device.kind)
        expected = device.slot_limits_kw(context.params.devices[device.kind])[0].shape
        if request is not None and request.shape != expected:
            problem = f"the request to {device.kind!r} has shape {request.shape}, not {expected}"
            raise CheckError(where, problem, "Return [home, slot].")
    known = {device.kind for device in context.params.flexible}
    if unknown := sorted(set(dispatch.devices or {}) - known):
        problem = f"it requests power of {unknown[0]!r}, which no home has"
        raise CheckError(where, problem, "Request kinds in context.params.devices only.")


def _check_decisions(decisions: list[_Decision], homes: int, where: str) -> None:
    """Check the values of all decisions."""
    for name in ("battery_kw", "price"):
        value = np.stack([np.asarray(getattr(each, name), np.float64) for each in decisions])
        is_invalid = np.isinf(value) if name == "price" else ~np.isfinite(value)
        if (worst := worst_index(is_invalid)) is not None:
            problem = f"{name} is {value[worst]} for home {worst[1]}"
            fix = "Guard divisions with prosumax.numerics.safe_divide."
            raise CheckError(where, problem, fix)
    partner = np.stack([np.asarray(each.partner) for each in decisions])
    if (worst := worst_index((partner < GRID_ONLY) | (partner >= homes))) is not None:
        problem = f"home {worst[1]} prefers partner {partner[worst]} of {homes} homes"
        raise CheckError(where, problem, "Return an index, NO_PREFERENCE or GRID_ONLY.")
    for kind in decisions[0].requests:
        value = np.stack([np.asarray(each.requests[kind], np.float64) for each in decisions])
        if (worst := worst_index(np.isinf(value))) is not None:
            problem = f"the request to {kind!r} is {value[worst]} for home {worst[1]}"
            raise CheckError(where, problem, "Request finite power, or NaN for default control.")


def _check_trajectory(trajectory: Trajectory, repeated: Trajectory, where: str) -> None:
    """Check that meters and bills are finite, and the same when the run is repeated."""
    for name, value, again in (
        ("net load", trajectory.record.flows.net_kwh, repeated.record.flows.net_kwh),
        ("bill", trajectory.record.bill.total, repeated.record.bill.total),
    ):
        array = np.asarray(value, np.float64)
        other = np.asarray(again, np.float64)
        if (worst := worst_index(~np.isfinite(array))) is not None:
            problem = f"the {name} of home {worst[2]} is {array[worst]} in step {worst[1]}"
            raise CheckError(where, problem, "Return finite power.")
        if (worst := worst_index(np.abs(array - other), _ROUNDING)) is not None:
            problem = (
                f"the {name} of home {worst[2]} is {array[worst]:.6g} and then "
                f"{other[worst]:.6g} with the same key in step {worst[1]}"
            )
            raise CheckError(where, problem, "Draw random numbers from the key only.")


def _check_planner(policy: str, scenario: Scenario, where: str) -> None:
    """Check that a run with a planner gives finite bills."""
    homes = [home.model_copy(update={"policy": None}) for home in scenario.homes]
    planned = scenario.model_copy(update={"policy": policy, "homes": homes})
    result = run_scenario(planned, optimum=False)
    bills = np.asarray([home["bill"] for home in result.households], np.float64)
    if (worst := worst_index(~np.isfinite(bills))) is not None:
        problem = f"the bill of home {worst[0]} is {bills[worst]}"
        raise CheckError(where, problem, "Plan finite power.")
