"""Cars and heat pumps as a linear program sees them: variables, limits, and what they add to their homes' meters.

Both are linear, so that the program is exact, but for three things. Charging and giving back at once is ruled out where
burning energy pays, by the same binaries as for batteries. A car with V2G that comes home below its reserve is charged
to it first. And what is wanted but impossible (a trip, a departure, a warm room, a shower) may be left out at a
price that no plan pays by choice; that price is taken off the cost again. Appliances keep their habit: whether to
start one is a yes-or-no question.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.devices import flexible as _devices
from prosumax.devices import heat_pump
from prosumax.devices.battery import BatteryParams
from prosumax.devices.flexible import DeviceParams, DeviceSeries
from prosumax.devices.home import HomeParams
from prosumax.types import Requests

Array = NDArray[np.float64]
_DIMS = ("step", "home")
SLACKS = ("car_short", "car_missed", "car_below", "cold", "dry")
"""Variables of what is left out, kWh or kelvins."""


class Flexible(NamedTuple):
    """The flexible devices of a problem.

    Attributes:
        params, series: NumPy, one slot per home.
        base_kwh: load less solar without any of them [step, home].
        rest_kwh: with the appliances, which are not planned [step, home].
    """

    params: DeviceParams
    series: DeviceSeries
    base_kwh: Float[Array, "step home"]
    rest_kwh: Float[Array, "step home"]

    def of(self, homes: NDArray[np.int64]) -> "Flexible":
        """The same for some of the homes."""
        params: Any = jax.tree.map(lambda leaf: leaf[homes], self.params)
        # The weather is that of all homes; everything else is [step, home, ..].
        series: Any = jax.tree.map(
            lambda leaf: leaf if leaf.ndim == 1 else leaf[:, homes], self.series
        )
        return Flexible(params, series, self.base_kwh[:, homes], self.rest_kwh[:, homes])

    def between(
        self, first: int, last: int, step_hours: float
    ) -> "tuple[Flexible, Float[Array, 'step home']]":
        """The same for some steps, and the meters: devices begin them as they begin the period."""
        series: Any = jax.tree.map(lambda leaf: leaf[first:last], self.series)
        return _with_habits(self.params, series, self.base_kwh[first:last], step_hours)

    @property
    def planned(self) -> Bool[NDArray[np.bool_], " home"]:
        """Which homes have a car or a heat pump."""
        there = np.zeros(self.base_kwh.shape[1], bool)
        if self.params.car is not None:
            there |= np.asarray(self.params.car.charge_kw) > 0
        return (
            there
            if self.params.heat_pump is None
            else there | (np.asarray(self.params.heat_pump.exists) > 0)
        )

    def limits_kw(self, charge_kw: Any, discharge_kw: Any) -> tuple[Any, Any]:
        """The most that all devices of a home take and give, with a battery of these limits."""
        most, back = np.asarray(charge_kw, np.float64), np.asarray(discharge_kw, np.float64)
        taken, given = _devices.limits_kw(self.params)
        return most + taken, back + given


def flexible_devices(
    homes: HomeParams,
    series: DeviceSeries | None,
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[Flexible | None, Float[Array, "step home"]]:
    """The devices of a problem, and the meters with all of them following their habits (batteries idle).

    Arguments:
        homes, series: as the simulation has them.
        base_kwh: load less solar without flexible devices [step, home].
        step_hours: length of a step.
    """
    if homes.devices is None or series is None:
        return None, base_kwh
    params, exact = jax.tree.map(_exact, (homes.devices, series))
    return _with_habits(params, exact, base_kwh, step_hours)


def _with_habits(
    params: DeviceParams,
    series: DeviceSeries,
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[Flexible, Float[Array, "step home"]]:
    usual, runs = jax.tree.map(_exact, _play_habits(params, series, jnp.float32(step_hours)))
    return Flexible(params, series, base_kwh, base_kwh + runs), base_kwh + usual


def _exact(leaf: Any) -> NDArray[Any]:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@jax.jit
def _play_habits(params: DeviceParams, series: DeviceSeries, step_hours: jax.Array) -> Any:
    """What all devices and what appliances alone draw [step, home]."""

    def advance(state: Any, now: DeviceSeries) -> tuple[Any, tuple[Any, Any]]:
        asked = _devices.habits(params, state, now, step_hours)
        state, flows = _devices.step(params, state, now, asked, step_hours)
        runs = 0.0 if flows.appliances is None else flows.appliances.used_kwh.sum(-1)
        net = _devices.net_kwh(flows)
        return state, (net, runs + jnp.zeros_like(net))

    return jax.lax.scan(advance, _devices.initial_state(params), series)[1]


def or_idle(battery: BatteryParams) -> BatteryParams:
    """The same batteries; one of size zero becomes one that can do nothing, so that nobody divides by zero."""
    absent = ~(np.asarray(battery.capacity_kwh) > 0)
    if not absent.any():
        return battery
    nothing = {
        "charge_kw": 0.0,
        "discharge_kw": 0.0,
        "soc_min": 0.0,
        "initial_soc": 0.0,
        "standing_loss": 0.0,
    }
    values: dict[str, float] = {"capacity_kwh": 1.0, "soc_max": 1.0, **nothing}
    idle: dict[str, Any] = {
        name: np.where(absent, value, getattr(battery, name)) for name, value in values.items()
    }
    return battery._replace(**idle)


def price_of_leaving_out(buy: Float[Array, " step"], sell: Float[Array, " step"]) -> float:
    """Money for a kWh or a kelvin that is left out: far beyond what energy can earn or save."""
    return 1.0 + 20.0 * float(max(np.abs(buy).max(), np.abs(sell).max()))


def add_flexible(
    model: Any, devices: Flexible, step_hours: float, negative: Bool[Any, " step"], price: float
) -> tuple[Any, Any]:
    """Give a model the cars and heat pumps of its homes.

    Arguments:
        model: a linopy model whose dimensions are `step` and `home`.
        devices: of the same homes.
        step_hours: length of a step.
        negative: steps in which buying or selling a kWh has a negative price.
        price: from `price_of_leaving_out`.

    Returns:
        What they add to the meters, kWh [step, home], and the price of what is left out: linopy expressions.
    """
    parts = []
    if devices.params.car is not None:
        parts.append(_add_cars(model, devices, step_hours, negative))
    if devices.params.heat_pump is not None:
        parts.append(_add_heat_pumps(model, devices, step_hours))
    nets, left_out = zip(*parts, strict=True)
    return sum(nets[1:], nets[0]), price * sum(left_out[1:], left_out[0])


def requests_of(
    model: Any, devices: Flexible, found: Float[Array, " label"], step_hours: float
) -> tuple[Requests, float]:
    """What a solved model asks of the devices, kW [step, home], and how much it leaves out, kWh and kelvins."""
    shape = devices.rest_kwh.shape

    def power(*names: str) -> Any:
        if names[0] not in model.variables:
            return None
        parts = [_read(model, name, found, shape) for name in names if name in model.variables]
        return (parts[0] - sum(parts[1:], np.zeros(shape))) / step_hours

    left_out = sum(
        _read(model, name, found, shape).sum() for name in SLACKS if name in model.variables
    )
    return Requests(power("car_in", "car_out"), power("rooms"), power("water")), float(left_out)


def _read(
    model: Any, name: str, found: Float[Array, " label"], shape: tuple[int, ...]
) -> Float[Array, "step home"]:
    labels = model.variables[name].labels.transpose(*_DIMS).to_numpy()
    return np.where(labels >= 0, found[labels], 0.0).reshape(shape)


class _Tables:
    """Tables and masked variables over steps and homes."""

    def __init__(self, model: Any, shape: tuple[int, int]) -> None:
        import xarray as xr

        self.model, self.shape, self.xr = model, shape, xr
        self.places = [np.arange(shape[0]), np.arange(shape[1])]

    def table(self, values: Any) -> Any:
        return self.xr.DataArray(np.broadcast_to(values, self.shape), dims=_DIMS)

    def variable(self, name: str, low: Any, high: Any, where: Any) -> Any:
        """A variable where it is needed, 0 elsewhere."""
        return self.model.add_variables(
            self.table(low), self.table(high), mask=self.table(where), name=name
        ).fillna(0)

    def before(self, name: str) -> Any:
        """The variable one step earlier, 0 before the first."""
        return self.model.variables[name].shift(step=1).fillna(0)

    def binary(self, name: str, where: Any) -> Any:
        return self.model.add_variables(
            binary=True, coords=self.places, dims=_DIMS, mask=self.table(where), name=name
        ).fillna(0)

    def condition(self, name: str, inequality: Any, where: Any) -> None:
        self.model.add_constraints(inequality, mask=self.table(where), name=name)


def _add_cars(
    model: Any, devices: Flexible, step_hours: float, negative: Bool[Any, " step"]
) -> tuple[Any, Any]:
    car, series = devices.params.car, devices.series.car
    assert car is not None and series is not None
    shape = devices.rest_kwh.shape
    on = _Tables(model, shape)
    exists = np.broadcast_to(np.asarray(car.charge_kw) > 0, shape)
    left, trip = np.asarray(series.hours_left), np.asarray(series.trip_kwh)
    plugged = exists & (left > 0)
    leaves = plugged & (left <= step_hours * 1.001)
    gives = plugged & (np.asarray(car.discharge_kw) > 0)
    drives = exists & (trip > 0)
    into = on.variable("car_in", 0, car.charge_kw * step_hours, plugged)
    level = on.variable("car_level", 0, car.capacity_kwh, exists)
    missed = on.variable("car_missed", 0, trip, drives)
    short = on.variable("car_short", 0, car.required_kwh, leaves)
    start = np.zeros(shape)
    start[0] = car.initial_kwh
    before = on.before("car_level")
    change = level - before - on.table(car.charge_efficiency) * into - missed
    net, left_out = into, missed.sum() + short.sum()
    if gives.any():
        back = on.variable("car_out", 0, car.discharge_kw * step_hours, gives)
        below = on.variable("car_below", 0, car.reserve_kwh, gives)
        change = change + on.table(1 / np.asarray(car.discharge_efficiency)) * back
        net, left_out = net - back, left_out + below.sum()
        on.condition("car_reserve", level + below >= on.table(car.reserve_kwh), gives)
        lossy = np.asarray(car.charge_efficiency * car.discharge_efficiency) < 1
        either = gives & np.asarray(negative)[:, None] & lossy
        if either.any():
            charging = on.binary("car_charging", either)
            full, full_back = (
                on.table(car.charge_kw * step_hours),
                on.table(car.discharge_kw * step_hours),
            )
            on.condition("car_only_in", into - full * charging <= 0, either)
            on.condition("car_only_out", back + full_back * charging <= full_back, either)
    on.condition("car_store", change == on.table(start - trip), exists)
    on.condition("car_departure", level + short >= on.table(car.required_kwh), leaves)
    return net, left_out


def _add_heat_pumps(model: Any, devices: Flexible, step_hours: float) -> tuple[Any, Any]:
    pump, series = devices.params.heat_pump, devices.series.heat_pump
    assert pump is not None and series is not None
    shape = devices.rest_kwh.shape
    on = _Tables(model, shape)
    exists = np.broadcast_to(np.asarray(pump.exists) > 0, shape)
    has_tank = exists & (np.asarray(pump.tank_highest_c) > np.asarray(pump.tank_lowest_c))
    outdoor = np.asarray(series.outdoor_c)[:, None]
    single: Any = jax.tree.map(jnp.asarray, pump)
    coefficients = jax.vmap(lambda outside: heat_pump.performance(single, outside))(
        jnp.asarray(outdoor[:, 0])
    )
    cop, water_cop = (np.asarray(part, np.float64) for part in coefficients)
    kept, per_kwh = (
        np.asarray(part, np.float64) for part in heat_pump.building(single, jnp.float32(step_hours))
    )
    gain, wanted = np.asarray(series.gain_kwh), np.asarray(series.water_kwh)
    ceiling, most_vented = _warmest(pump, outdoor[:, 0], gain, kept, per_kwh)
    most = np.asarray(pump.power_kw) * step_hours
    rooms = on.variable("rooms", 0, most, exists)
    indoor = on.variable("indoor", -np.inf, ceiling, exists)
    cold = on.variable("cold", 0, np.inf, exists)
    vented = on.variable("vented", 0, most_vented, exists & (most_vented > 0))
    first = np.zeros(shape)
    first[0] = kept * np.asarray(pump.initial_c)
    alone = (1 - kept) * outdoor + gain * per_kwh + first
    before = on.before("indoor")
    heated = on.table(cop * per_kwh) * rooms - on.table(per_kwh) * vented
    on.condition("building", indoor - on.table(kept) * before - heated == on.table(alone), exists)
    on.condition("warm", indoor + cold >= on.table(pump.lowest_c), exists)
    net, left_out = rooms, cold.sum()
    if has_tank.any():
        loss = np.asarray(pump.tank_loss_kw_k) * step_hours / np.asarray(pump.tank_kwh_k)
        water = on.variable("water", 0, most, has_tank)
        tank = on.variable("tank", pump.tank_lowest_c, pump.tank_highest_c, has_tank)
        dry = on.variable("dry", 0, wanted, has_tank & (wanted > 0))
        initial = np.zeros(shape)
        initial[0] = (1 - loss) * np.asarray(pump.tank_initial_c)
        earlier = on.before("tank")
        change = (
            tank
            - on.table(1 - loss) * earlier
            - on.table(water_cop / np.asarray(pump.tank_kwh_k)) * water
        )
        change = change - on.table(1 / np.asarray(pump.tank_kwh_k)) * dry
        drawn = loss * heat_pump.TANK_ROOM_C - wanted / np.asarray(pump.tank_kwh_k) + initial
        on.condition("tank_heat", change == on.table(drawn), has_tank)
        on.condition("compressor", rooms + water <= on.table(most), has_tank)
        net, left_out = net + water, left_out + dry.sum()
    return net, left_out


def _warmest(
    pump: Any,
    outdoor: Float[Array, " step"],
    gain: Float[Array, "step home"],
    kept: Any,
    per_kwh: Any,
) -> tuple[Float[Array, "step home"], Float[Array, "step home"]]:
    """The warmest that rooms get however they were heated before, and the most that is then vented, kWh."""
    ceiling, vented = np.empty_like(gain), np.empty_like(gain)
    level = np.maximum(np.asarray(pump.initial_c), np.asarray(pump.highest_c))
    for step, outside in enumerate(outdoor):
        closed = outside + (level - outside) * kept
        level = np.maximum(closed, pump.highest_c)
        vented[step] = np.clip(
            (closed + gain[step] * per_kwh - pump.highest_c) / per_kwh, 0, gain[step]
        )
        ceiling[step] = level
    return ceiling, vented
