"""Check of a kind of device under random requests, and of its plan in a linear program."""

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, PyTree
from numpy.typing import ArrayLike, NDArray
from pydantic import ValidationError

from prosumax.data.generators.solar.weather import synthetic_weather
from prosumax.data.seeds import derive_seed
from prosumax.devices.base import AnyDevice, DeviceContext, LinearDevice, devices
from prosumax.devices.linear_program import DIMS, LinearProgram
from prosumax.optimization.flexible import slack_price
from prosumax.optimization.program import create_solver, import_linopy, run_solver
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.testing.errors import CheckError, run_traced, same_structure, worst_index
from prosumax.types import DeviceFlow

Amounts = NDArray[np.float64]

_NAMES = ("with", "without", "with too")
_START = "2023-01-16T00:00"
_TIME_ZONE = "Europe/Brussels"
_LATITUDE_DEG = 50.85
_LONGITUDE_DEG = 4.35
_ALTITUDE_M = 50.0
_LIFESTYLE = "family"

# Single precision keeps seven digits of the stored energy, in a balance of a few numbers.
_RELATIVE_ROUNDING = 5e-6
_ABSOLUTE_ROUNDING = 5e-6
_BOUND_TOLERANCE = 1e-5

# Single precision and the tolerance of the solver, as a share of the energy of the plan.
_PLAN_TOLERANCE = 0.01

# Requested power far above any limit.
_EXTREME_KW = 1e4

_TRACE_FIX = "Compute on arrays with jax.numpy (jnp.where, not `if`), and make no NumPy calls."

_NON_NEGATIVE_SUFFIXES = ("_kw", "_kwh", "_w", "_m2", "_hours", "_efficiency", "_liters")


class _Case(NamedTuple):
    """A device of some homes with its exogenous inputs.

    Attributes:
        device: Kind of device.
        where: Name of the device in messages.
        config: Configurations of a home that has the device.
        exists: Homes that have the device [home].
        params: Parameters.
        series: Exogenous inputs of all steps; None without any.
        steps: Number of steps.
        step_hours: Length of a step.
        slots: Names of the action slots.
    """

    device: AnyDevice
    where: str
    config: tuple[DeviceConfig, ...]
    exists: NDArray[np.bool_]
    params: PyTree
    series: PyTree
    steps: int
    step_hours: float
    slots: list[str]


class _Steps(NamedTuple):
    """Results of all steps.

    Attributes:
        flow: Energy flows.
        before_kwh: Stored energy before each step.
        after_kwh: Stored energy after each step.
        consumption_kwh: Energy drawn at the AC bus.
        supply_kwh: Energy delivered to the AC bus.
        released_kwh: Energy that left the device.
        service: Terms that must not be negative, by name.
        observed: Observation terms by name.
        default_kw: Request of the default control.
        surplus_kw: Request that uses PV surplus first.
        taken_kw: Net power that this request takes from the surplus.
        state: State after the step.
    """

    flow: PyTree
    before_kwh: Array
    after_kwh: Array
    consumption_kwh: Array
    supply_kwh: Array
    released_kwh: Array
    service: dict[str, Array]
    observed: dict[str, Array]
    default_kw: Array
    surplus_kw: Array
    taken_kw: Array
    state: PyTree


def check_device(
    device: AnyDevice | str,
    config: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
    *,
    steps: int = 96,
    step_minutes: int = 15,
    seed: int = 0,
) -> None:
    """Check that a kind of device has the properties that the simulation relies on.

    The device is built for two homes that have it and one that has not, on a day in January in
    Brussels. Under default control, surplus control, and random and extreme requests, the following
    holds. Energy closes in every home and step: the stored energy changes by what was drawn less
    what was supplied and released. Power stays within the limits, also when a failure sets
    `power_fields` to zero. A home without the device has no flows. All values are finite, and
    shapes and dtypes are those of the protocol, so that a step can be scanned and batched.
    Observations, action slots and KPIs are those that the kind declares. The configuration rejects
    unknown fields and negative power or energy. The plan of the device's linear program, if it has
    one, keeps its promise when the device simulates it.

    Args:
        device: Kind of device, or the name of a registered one.
        config: YAML section of the device, for a kind with required fields or to check a feature; a
            list for a kind of which a home may have several.
        steps: Number of steps.
        step_minutes: Length of a step.
        seed: Seed of requests, prices and weather.

    Raises:
        CheckError: If a property does not hold; the message names it with the numbers.
        InputError: If there is no device of that name.
    """
    if isinstance(device, str):
        device = devices.get(device, "device")
    where = f"device {getattr(device, 'kind', type(device).__name__)!r}"
    _check_declarations(device, where)
    given = [config] if isinstance(config, Mapping) else list(config or [{}])
    configs = tuple(_validate(device, own, where) for own in given)
    _check_config(device, given[0], where)
    case = _build(device, configs, where, steps, step_minutes, seed)
    _check_slots(case)
    _check_step_signature(case)
    results = _simulate(case, seed)
    _check_finite(results, case)
    _check_energy(results, case)
    _check_absent(results, case)
    _check_limits(results, case)
    _check_controls(results, case)
    _check_observations(results, case)
    _check_batching(results, case, seed)
    _check_failure(case)
    _check_kpis(results, case)
    if device.has_program and all(find_spec(name) for name in ("linopy", "highspy")):
        _check_plan(results, case, seed)


def _check_declarations(device: AnyDevice, where: str) -> None:
    for name in ("kind", "summary", "config"):
        if not getattr(device, name, None):
            raise CheckError(where, f"it has no `{name}`", "Declare it in the class.")
    if not device.kind.isidentifier():
        problem = f"its kind {device.kind!r} cannot be a key in YAML"
        raise CheckError(where, problem, "Use letters, digits and underscores.")
    if not issubclass(device.config, DeviceConfig):
        problem = f"its config is {device.config.__name__}"
        raise CheckError(
            where, problem, "Derive it from prosumax.scenario.schema.devices.DeviceConfig."
        )
    for name, term in device.observations.items():
        if not term.low <= term.high:
            problem = f"observation {name!r} has bounds {term.low:g} and {term.high:g}"
            raise CheckError(where, problem, "Declare low <= high.")
    names = [kpi.name for kpi in device.kpis]
    others = [devices.get(kind, "devices") for kind in devices if kind != device.kind]
    for kind, known, own in (
        ("KPI", {kpi.name for other in others for kpi in other.kpis}, names),
        (
            "observation",
            {name for other in others for name in other.observations},
            list(device.observations),
        ),
    ):
        taken = sorted(known & set(own)) or sorted({name for name in own if own.count(name) > 1})
        if taken:
            problem = f"its {kind} {taken[0]!r} is declared twice"
            raise CheckError(where, problem, f"Begin its name with {device.kind!r}.")


def _validate(device: AnyDevice, config: Mapping[str, object], where: str) -> DeviceConfig:
    try:
        return device.config.model_validate(dict(config))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "config"
        problem = f"the configuration is invalid: {field}: {first['msg']}"
        fix = "Pass the YAML section of the device as `config`, with its required fields."
        raise CheckError(where, problem, fix) from error


def _check_config(device: AnyDevice, config: Mapping[str, object], where: str) -> None:
    """Check that the schema rejects invalid fields and survives a round trip through YAML."""

    def accepts(extra: Mapping[str, object]) -> bool:
        try:
            device.config.model_validate({**config, **extra})
        except ValidationError:
            return False
        return True

    place = f"{where}, config"
    if accepts({"no_such_field": 1}):
        raise CheckError(place, "it accepts unknown fields", "Derive it from DeviceConfig.")
    for name in device.config.model_fields:
        if name.endswith(_NON_NEGATIVE_SUFFIXES) and accepts({name: -1.0}):
            problem = f"{name} accepts -1"
            raise CheckError(place, problem, "Annotate it with prosumax.config.Positive.")
    first = device.config.model_validate(dict(config))
    if device.config.model_validate(first.model_dump(mode="json")) != first:
        problem = "it changes when it is written and read again"
        raise CheckError(place, problem, "Use fields that YAML can hold.")


def _build(
    device: AnyDevice,
    config: tuple[DeviceConfig, ...],
    where: str,
    steps: int,
    step_minutes: int,
    seed: int,
) -> _Case:
    """Build parameters and series, and check their shapes and values."""
    exists = np.array([True, device.shared, True])
    configs = [config if has_device else () for has_device in exists]
    local_index = pd.date_range(_START, periods=steps, freq=f"{step_minutes}min", tz=_TIME_ZONE)
    index = local_index.tz_convert("UTC")
    step_hours = step_minutes / 60
    site = (_LATITUDE_DEG, _LONGITUDE_DEG, _ALTITUDE_M)
    context = DeviceContext(
        index=index,
        local_index=local_index,
        step_hours=step_hours,
        time_zone=_TIME_ZONE,
        lifestyles=(_LIFESTYLE,) * len(_NAMES),
        weather=lambda: synthetic_weather(index, *site, seed),
        seed=partial(derive_seed, seed),
    )
    params = device.build_params(configs, _NAMES, step_hours)
    series = jax.tree.map(jnp.asarray, device.build_series(configs, context))
    homes = len(_NAMES)
    _check_leaves(params, (homes,), f"{where}.build_params")
    for path, leaf in jax.tree.leaves_with_path(series):
        name = jax.tree_util.keystr(path)
        if leaf.shape[:1] != (steps,) or (leaf.ndim > 1 and leaf.shape[1] != homes):
            problem = f"{name} has shape {leaf.shape}"
            fix = f"Return [step] or [step, home, ...], here {(steps, homes)}."
            raise CheckError(f"{where}.build_series", problem, fix)
        if not np.isfinite(np.asarray(leaf, np.float64)).all():
            problem = f"{name} has values that are not finite"
            raise CheckError(f"{where}.build_series", problem, "Fill gaps.")
    series = jax.tree.map(_to_single, series)
    state = device.init(params)
    _check_leaves(state, (homes,), f"{where}.init")
    count = len(config) if device.max_per_home > 1 else 1
    slots = device.action_slots(count)
    return _Case(device, where, config, exists, params, series, steps, step_hours, slots)


def _to_single(leaf: Array) -> Array:
    return leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def _check_leaves(tree: PyTree, first_axes: tuple[int, ...], place: str) -> None:
    for path, leaf in jax.tree.leaves_with_path(tree):
        name = jax.tree_util.keystr(path)
        shape = np.shape(leaf)
        if shape[: len(first_axes)] != first_axes:
            problem = f"{name} has shape {shape}"
            fix = f"Put the homes on the first axis, here of length {first_axes[0]}."
            raise CheckError(place, problem, fix)
        if not np.isfinite(np.asarray(leaf, np.float64)).all():
            raise CheckError(place, f"{name} has values that are not finite", "Use finite ones.")


def _check_step_signature(case: _Case) -> None:
    """Check that a step keeps the structure of the state and returns energy flows."""
    place = f"{case.where}.step"
    state = case.device.init(case.params)
    request = jnp.zeros((len(_NAMES), len(case.slots)))
    inputs = jax.tree.map(lambda leaf: leaf[0], case.series)
    result = run_traced(
        partial(
            jax.eval_shape,
            case.device.step,
            case.params,
            state,
            inputs,
            request,
            jnp.float32(case.step_hours),
        ),
        place,
        "traced by jax.jit",
        _TRACE_FIX,
    )
    is_pair = isinstance(result, tuple) and len(result) == 2
    if not is_pair or not isinstance(result[1], DeviceFlow):
        problem = f"it returns {type(result).__name__}"
        raise CheckError(place, problem, "Return the state and a subclass of DeviceFlow.")
    after, flow = result
    if not same_structure(state, after):
        problem = "the state after the step has another structure than that of `init`"
        raise CheckError(place, problem, "Return the same fields.")
    leaves = zip(jax.tree.leaves_with_path(state), jax.tree.leaves(after), strict=True)
    for (path, old), new in leaves:
        if (old.shape, old.dtype) != (new.shape, new.dtype):
            problem = f"state{jax.tree_util.keystr(path)} changes from {old.shape} {old.dtype} to "
            problem += f"{new.shape} {new.dtype}"
            raise CheckError(
                place, problem, "Keep shapes and dtypes, so that steps can be scanned."
            )
    for path, leaf in jax.tree.leaves_with_path(flow):
        if leaf.shape[:1] != (len(_NAMES),):
            problem = f"flow{jax.tree_util.keystr(path)} has shape {leaf.shape}"
            raise CheckError(place, problem, "Put the homes on the first axis.")


def _check_slots(case: _Case) -> None:
    """Check that slots, their limits and the default request agree."""
    shape = (len(_NAMES), len(case.slots))
    if len(set(case.slots)) != len(case.slots):
        problem = f"names repeat: {case.slots}"
        raise CheckError(f"{case.where}.action_slots", problem, "Name every slot differently.")
    place = f"{case.where}.slot_limits_kw"
    for name, limit in zip(("drawn", "supplied"), _slot_limits(case), strict=True):
        if limit.shape != shape:
            problem = f"the largest power {name} has shape {limit.shape}, not {shape}"
            raise CheckError(place, problem, "Return one column for each name of action_slots.")
        if (worst := worst_index(-limit)) is not None:
            problem = f"the largest power {name} is {limit[worst]:g} kW"
            raise CheckError(place, problem, "Return powers >= 0 on both sides.")
        if limit[~case.exists].any():
            problem = f"the largest power {name} is above 0 in a home without the device"
            raise CheckError(place, problem, "Build power limits of zero for such a home.")


def _slot_limits(case: _Case) -> tuple[Amounts, Amounts]:
    draw_kw, supply_kw = case.device.slot_limits_kw(case.params)
    return np.asarray(draw_kw, np.float64), np.asarray(supply_kw, np.float64)


def _simulate(case: _Case, seed: int) -> _Steps:
    """Simulate a batch of request patterns [pattern, step, ...], see `_requests`."""
    requests, surplus_kw, follows_surplus = _requests(case, seed)
    run = jax.jit(jax.vmap(partial(_run, case.device), in_axes=(None, None, None, 0, 0, 0)))
    arguments = (case.params, case.series, jnp.float32(case.step_hours))
    results: _Steps = run_traced(
        partial(run, *arguments, requests, surplus_kw, follows_surplus),
        case.where,
        "compiled by jax.jit and jax.vmap",
        _TRACE_FIX,
    )
    return results


def _requests(case: _Case, seed: int) -> tuple[Array, Array, Array]:
    """Return requests [pattern, step, home, slot], surplus [pattern, step, home] and a mode.

    The patterns are default control (NaN), zero power, the largest draw, the largest supply, random
    powers of three sizes, switching at full power, a mixture with default control, and control that
    uses PV surplus first.
    """
    rng = np.random.default_rng(seed)
    shape = (case.steps, len(_NAMES), len(case.slots))
    limit = np.maximum(*_slot_limits(case)) + 0.1
    noise = rng.normal(size=(4, *shape)) * limit
    patterns = [
        np.full(shape, np.nan),
        np.zeros(shape),
        np.full(shape, _EXTREME_KW),
        np.full(shape, -_EXTREME_KW),
        0.3 * noise[0],
        noise[1],
        50.0 * noise[2],
        np.sign(noise[3]) * limit,
        np.where(rng.random(shape) < 0.5, np.nan, noise[0]),
        np.full(shape, np.nan),
    ]
    surplus_kw = rng.normal(0, 3, (len(patterns), *shape[:2]))
    follows_surplus = np.arange(len(patterns)) == len(patterns) - 1
    return (
        jnp.asarray(np.stack(patterns), jnp.float32),
        jnp.asarray(surplus_kw, jnp.float32),
        jnp.asarray(follows_surplus),
    )


def _run(
    device: AnyDevice,
    params: PyTree,
    series: PyTree,
    step_hours: Float[Array, ""],
    requests: Array,
    surplus_kw: Array,
    follows_surplus: Array,
) -> _Steps:
    """Simulate all steps with requests; NaN applies the default control."""
    zero = jnp.zeros(len(_NAMES))

    def advance(state: PyTree, step: tuple[PyTree, Array, Array]) -> tuple[PyTree, _Steps]:
        inputs, request, surplus = step
        own = (params, state, inputs)
        default = device.default_request(*own, surplus, step_hours)
        surplus_request, taken = device.surplus_request(*own, surplus, step_hours)
        applied = jnp.where(jnp.isnan(request), default, request)
        applied = jnp.where(follows_surplus, surplus_request, applied)
        after, flow = device.step(*own, applied, step_hours)
        return after, _Steps(
            flow=flow,
            before_kwh=device.stored_kwh(params, state) + zero,
            after_kwh=device.stored_kwh(params, after) + zero,
            consumption_kwh=flow.consumption_kwh,
            supply_kwh=flow.supply_kwh,
            released_kwh=flow.released_kwh,
            service={
                "total_unserved_kwh": flow.total_unserved_kwh,
                "penalized_kwh": flow.penalized_kwh,
                "discomfort_kh": flow.discomfort_kh,
            },
            observed=dict(device.observe(*own)),
            default_kw=default,
            surplus_kw=surplus_request,
            taken_kw=taken,
            state=after,
        )

    _, results = jax.lax.scan(advance, device.init(params), (series, requests, surplus_kw))
    return results


def _check_finite(results: _Steps, case: _Case) -> None:
    for path, leaf in jax.tree.leaves_with_path(results):
        values = np.asarray(leaf, np.float64)
        if (worst := worst_index(~np.isfinite(values))) is not None:
            name = jax.tree_util.keystr(path).lstrip(".")
            problem = f"{name} is {values[worst]} ({_at(worst)})"
            fix = "Guard divisions with prosumax.numerics.safe_divide."
            raise CheckError(case.where, problem, fix)


def _check_energy(results: _Steps, case: _Case) -> None:
    """Check that stored energy changes by what is drawn less what is supplied and released."""
    before = _array(results.before_kwh)
    after = _array(results.after_kwh)
    drawn = _array(results.consumption_kwh)
    supplied = _array(results.supply_kwh)
    released = _array(results.released_kwh)
    scale = 1 + np.abs(before) + np.abs(drawn) + np.abs(released)
    gap = before + drawn - supplied - released - after
    if (worst := worst_index(np.abs(gap), _RELATIVE_ROUNDING * scale)) is not None:
        verb = "appear" if gap[worst] < 0 else "disappear"
        problem = (
            f"energy does not close: {abs(gap[worst]):.6g} kWh {verb} in a step, with "
            f"{before[worst]:.6g} kWh stored before and {after[worst]:.6g} kWh after, "
            f"{drawn[worst]:.6g} kWh drawn, {supplied[worst]:.6g} kWh supplied and "
            f"{released[worst]:.6g} kWh released ({_at(worst)})"
        )
        raise CheckError(case.where, problem, "Name every loss and use in released_kwh.")
    capacity = np.broadcast_to(_array(case.device.capacity_kwh(case.params)), after.shape)
    if (worst := worst_index(np.where(capacity > 0, after - capacity, 0.0), 1e-4)) is not None:
        problem = (
            f"{after[worst]:.6g} kWh are stored with a capacity of {capacity[worst]:.6g} kWh "
            f"({_at(worst)})"
        )
        raise CheckError(case.where, problem, "Limit the charge to the room that is left.")


def _check_limits(results: _Steps, case: _Case) -> None:
    """Check that energy is not negative and stays within the power limits."""
    for name, energy, limit_kw in zip(
        ("draws", "supplies"),
        (_array(results.consumption_kwh), _array(results.supply_kwh)),
        case.device.limits_kw(case.params),
        strict=True,
    ):
        limit = _array(limit_kw) * case.step_hours
        if (worst := worst_index(-energy, _ABSOLUTE_ROUNDING)) is not None:
            problem = f"it {name} {energy[worst]:.6g} kWh ({_at(worst)})"
            raise CheckError(case.where, problem, "Return consumption_kwh and supply_kwh >= 0.")
        tolerance = _ABSOLUTE_ROUNDING + _RELATIVE_ROUNDING * np.broadcast_to(limit, energy.shape)
        if (worst := worst_index(energy - limit, tolerance)) is not None:
            problem = (
                f"it {name} {energy[worst] / case.step_hours:.6g} kW with a limit of "
                f"{limit[worst[-1]] / case.step_hours:.6g} kW ({_at(worst)})"
            )
            raise CheckError(case.where, problem, "Limit requests to slot_limits_kw in `step`.")
    for name, value in results.service.items():
        if (worst := worst_index(-_array(value), _ABSOLUTE_ROUNDING)) is not None:
            problem = f"{name} is {float(value[worst]):.6g} ({_at(worst)})"
            raise CheckError(case.where, problem, f"Return {name} >= 0.")


def _check_absent(results: _Steps, case: _Case) -> None:
    """Check that a home without the device has no flows and observes zero."""
    absent = ~case.exists
    terms = {
        "consumption_kwh": results.consumption_kwh,
        "supply_kwh": results.supply_kwh,
        "released_kwh": results.released_kwh,
        **results.service,
    }
    for name, value in terms.items():
        if (worst := worst_index(np.abs(_array(value)) * absent)) is not None:
            problem = f"{name} is {float(value[worst]):.6g} in a home without the device"
            fix = "Build zero power and capacity for homes without a configuration."
            raise CheckError(case.where, f"{problem} ({_at(worst)})", fix)
    for name, value in results.observed.items():
        if np.asarray(value)[:, :, absent].any():
            problem = f"observation {name!r} is not zero in a home without the device"
            raise CheckError(case.where, problem, "Multiply it by whether the home has the device.")


def _check_controls(results: _Steps, case: _Case) -> None:
    """Check the shapes of the requests of default and surplus control."""
    for name, request in (
        ("default_request", results.default_kw),
        ("surplus_request", results.surplus_kw),
    ):
        expected = (len(_NAMES), len(case.slots))
        if request.shape[2:] != expected:
            problem = f"the request has shape {request.shape[2:]}, not {expected}"
            raise CheckError(f"{case.where}.{name}", problem, "Return [home, slot].")
    if results.taken_kw.shape[2:] != (len(_NAMES),):
        problem = f"the net power has shape {results.taken_kw.shape[2:]}, not {(len(_NAMES),)}"
        raise CheckError(f"{case.where}.surplus_request", problem, "Return one power per home.")


def _check_observations(results: _Steps, case: _Case) -> None:
    """Check that observations are those that the kind declares, within their bounds."""
    place = f"{case.where}.observe"
    declared = case.device.observations
    if set(results.observed) != set(declared):
        problem = f"it returns {sorted(results.observed)}, but declares {sorted(declared)}"
        raise CheckError(place, problem, "Declare what `observe` returns in `observations`.")
    for name, term in declared.items():
        value = _array(results.observed[name])
        expected = (len(_NAMES), len(case.slots)) if term.per_slot else (len(_NAMES),)
        if value.shape[2:] != expected:
            problem = f"{name} has shape {value.shape[2:]}, not {expected}"
            raise CheckError(place, problem, "Set per_slot to True for [home, slot].")
        excess = np.maximum(term.low - value, value - term.high)
        if (worst := worst_index(excess, _BOUND_TOLERANCE)) is not None:
            problem = (
                f"{name} is {value[worst]:.6g}, outside its bounds {term.low:g} to {term.high:g} "
                f"({_at(worst)})"
            )
            raise CheckError(place, problem, "Scale or clip it, or declare other bounds.")


def _check_batching(results: _Steps, case: _Case, seed: int) -> None:
    """Check that a single simulation gives the results of the batch."""
    requests, surplus_kw, follows_surplus = _requests(case, seed)
    run = jax.jit(partial(_run, case.device))
    arguments = (case.params, case.series, jnp.float32(case.step_hours))
    pattern = 5
    single = run(*arguments, requests[pattern], surplus_kw[pattern], follows_surplus[pattern])
    for name in ("consumption_kwh", "supply_kwh", "after_kwh"):
        one = _array(getattr(single, name))
        many = _array(getattr(results, name)[pattern])
        tolerance = 1e-3 * (1 + np.abs(one))
        if (worst := worst_index(np.abs(one - many), tolerance)) is not None:
            problem = (
                f"{name} is {one[worst]:.6g} without jax.vmap and {many[worst]:.6g} with it (step "
                f"{worst[0]}, home {worst[1]})"
            )
            raise CheckError(case.where, problem, "Reduce over the axes of one community only.")


def _check_failure(case: _Case) -> None:
    """Check that a device whose power fields are zero draws and supplies nothing."""
    fields = case.device.power_fields
    if not fields:
        return
    place = f"{case.where}.power_fields"
    missing = [name for name in fields if not hasattr(case.params, name)]
    if missing:
        problem = f"the parameters have no {missing[0]!r}"
        raise CheckError(place, problem, "Name fields of the parameters.")
    params = case.params._replace(
        **{name: jnp.zeros_like(getattr(case.params, name)) for name in fields}
    )
    failed = case._replace(params=params)
    requests, surplus_kw, _ = _requests(case, 0)
    for pattern in (2, 3):
        result = jax.jit(partial(_run, case.device))(
            failed.params,
            failed.series,
            jnp.float32(case.step_hours),
            requests[pattern],
            surplus_kw[pattern],
            jnp.asarray(False),
        )
        for name in ("consumption_kwh", "supply_kwh"):
            value = _array(getattr(result, name))
            if (worst := worst_index(np.abs(value), _ABSOLUTE_ROUNDING)) is not None:
                problem = f"{name} is {value[worst]:.6g} although all of {fields} are zero"
                raise CheckError(place, problem, "Name all power limits of the parameters.")


def _check_kpis(results: _Steps, case: _Case) -> None:
    """Check that KPIs are declared, one number per home, and finite where the device exists."""
    place = f"{case.where}.compute_kpis"
    flow = jax.tree.map(lambda leaf: np.asarray(leaf)[0], results.flow)
    params = jax.tree.map(np.asarray, case.params)
    values = case.device.compute_kpis(params, flow)
    declared = {kpi.name for kpi in case.device.kpis}
    if unknown := sorted(set(values) - declared):
        problem = f"it returns {unknown[0]!r}, which `kpis` does not declare"
        raise CheckError(place, problem, "Declare it as a KPI with label, unit and definition.")
    for name, value in values.items():
        if np.shape(value) != (len(_NAMES),):
            problem = f"{name} has shape {np.shape(value)}, not {(len(_NAMES),)}"
            raise CheckError(place, problem, "Sum over the steps, and keep the homes.")
        if not np.isfinite(np.asarray(value)[case.exists]).all():
            problem = f"{name} is {np.asarray(value)}"
            raise CheckError(place, problem, "Return finite numbers where the device exists.")


def _check_plan(results: _Steps, case: _Case, seed: int) -> None:
    """Check that the plan of the linear program is feasible for the device and not beaten."""
    place = f"{case.where}.milp"
    rng = np.random.default_rng(seed)
    price = rng.uniform(0.05, 0.4, case.steps)
    planned, requests, objective = _solve_plan(case, price, place)
    _, surplus_kw, _ = _requests(case, seed)
    simulated = jax.jit(partial(_run, case.device))(
        case.params,
        case.series,
        jnp.float32(case.step_hours),
        jnp.asarray(requests, jnp.float32),
        surplus_kw[0],
        jnp.asarray(False),
    )
    net = _array(simulated.consumption_kwh - simulated.supply_kwh)
    error = np.abs(net - planned).sum(0)
    throughput = np.abs(planned).sum(0)
    excess = error - _PLAN_TOLERANCE * throughput
    if (worst := worst_index(excess, 1e-3)) is not None:
        home = worst[0]
        step = int(np.argmax(np.abs(net - planned)[:, home]))
        problem = (
            f"the plan of home {home} is off by {error[home]:.6g} kWh of "
            f"{throughput[home]:.6g} kWh when the device simulates it; in step {step} it plans "
            f"{planned[step, home]:.6g} kWh, and the device draws {net[step, home]:.6g} kWh"
        )
        fix = "Give the program the limits, losses and initial state of `step`."
        raise CheckError(place, problem, fix)
    default = _array(results.consumption_kwh - results.supply_kwh)[0]
    missed = sum(_array(term)[0] for term in results.service.values())
    # A requirement that the default control misses may cost the plan more.
    if np.any(missed > _ABSOLUTE_ROUNDING):
        return
    cost = float((price[:, None] * default).sum())
    if objective > cost + _PLAN_TOLERANCE * abs(cost) + 1e-3:
        problem = (
            f"the optimum costs {objective:.6g}, but the default control only {cost:.6g} and meets "
            f"all requirements"
        )
        raise CheckError(place, problem, "Remove constraints that the device does not have.")


def _solve_plan(
    case: _Case, price: Amounts, place: str
) -> tuple[Amounts, Float[NDArray[np.float64], "step home slot"], float]:
    """Return the net energy [step, home], the requests and the cost of the cheapest plan."""
    linopy, xr = import_linopy()
    params = jax.tree.map(_to_double, case.params)
    series = jax.tree.map(_to_double, case.series)
    model = linopy.Model()
    program = LinearProgram(model, (case.steps, len(_NAMES)))
    negative = np.zeros(case.steps, bool)
    linear = case.device.milp(program, params, series, case.step_hours, negative)
    if not isinstance(linear, LinearDevice) or len(linear.slots) != len(case.slots):
        problem = f"it returns {type(linear).__name__}, with slots {getattr(linear, 'slots', ())}"
        fix = f"Return a LinearDevice with the variables of each of the {len(case.slots)} slots."
        raise CheckError(place, problem, fix)
    cost = (xr.DataArray(price, dims="step") * linear.net_kwh).sum()
    total = cost
    if linear.slack is not None:
        total = total + slack_price(price, price) * linear.slack
    model.add_objective(total)
    matrices = model.matrices
    solver = create_solver(matrices, {"time_limit": 60.0})
    solution = run_traced(
        partial(run_solver, solver, matrices, case.where),
        place,
        "solved",
        "Give every requirement a slack, so that a plan always exists.",
    )

    def read(name: str | None) -> Amounts:
        if name is None:
            return np.zeros((case.steps, len(_NAMES)))
        labels = model.variables[name].labels.transpose(*DIMS).to_numpy()
        # Masked variables have the label -1.
        return np.where(labels >= 0, solution[labels], 0.0).reshape(case.steps, len(_NAMES))

    energy = np.stack([read(drawn) - read(supplied) for drawn, supplied in linear.slots], axis=-1)
    net = _evaluate(1 * linear.net_kwh, solution)
    return net, energy / case.step_hours, float((price[:, None] * net).sum())


def _evaluate(expression: PyTree, solution: Amounts) -> Amounts:
    """Return the value of a linopy expression [step, home]."""
    labels = expression.vars.transpose(*DIMS, "_term").to_numpy()
    coefficients = expression.coeffs.transpose(*DIMS, "_term").to_numpy()
    terms = np.where(labels >= 0, coefficients * solution[labels], 0.0).sum(-1)
    return _array(terms + expression.const.transpose(*DIMS).to_numpy())


def _to_double(leaf: ArrayLike) -> PyTree:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _array(values: ArrayLike) -> Amounts:
    return np.asarray(values, np.float64)


def _at(index: tuple[int, ...]) -> str:
    """Return the place of an entry [pattern, step, home, ...]."""
    return f"step {index[1]}, home {index[2]}, request pattern {index[0]}"
