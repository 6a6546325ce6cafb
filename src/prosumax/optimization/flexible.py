"""EVs and heat pumps in a linear program: variables, constraints, and their effect on meters.

Both devices are linear, so that the program is exact, with three additions. Binaries exclude
simultaneous charging and discharging where dissipating energy pays, as for batteries. An EV with
V2G that returns below its reserve is charged to it first. Requirements that cannot be met (a trip,
a departure, the indoor temperature, hot water) may be violated at a price that no plan pays by
choice; that price is subtracted from the cost again. Appliances keep their default control, because
starting one is a binary decision.
"""

from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.devices import flexible as device_models
from prosumax.devices import heat_pump
from prosumax.devices.battery import BatteryParams
from prosumax.devices.flexible import DeviceParams, DeviceSeries, DeviceState
from prosumax.devices.heat_pump import HeatPumpParams
from prosumax.devices.home import HomeParams
from prosumax.types import DeviceRequests

if TYPE_CHECKING:
    import xarray as xr
    from linopy import LinearExpression, Model, Variable
    from linopy.types import ConstraintLike

Array = NDArray[np.float64]

SLACK_VARIABLES = (
    "ev_shortfall",
    "ev_unserved",
    "ev_below_reserve",
    "underheating",
    "hot_water_unserved",
)
"""Variables of violated requirements, kWh or kelvins."""

_DIMS = ("step", "home")

# Tolerance of the comparison of times with the step length.
_TIME_TOLERANCE = 1.001

# Factor on the highest price that makes violating a requirement unattractive.
_SLACK_PRICE_FACTOR = 20.0


class FlexibleDevices(NamedTuple):
    """Flexible devices of a problem.

    Attributes:
        params: Parameters in NumPy, one entry per home.
        series: Exogenous series of the devices in NumPy.
        base_net_kwh: Load minus PV generation without any of the devices [step, home].
        uncontrolled_net_kwh: The same with appliances, which are not planned [step, home].
    """

    params: DeviceParams
    series: DeviceSeries
    base_net_kwh: Float[Array, "step home"]
    uncontrolled_net_kwh: Float[Array, "step home"]

    def select_homes(self, homes: NDArray[np.int64]) -> "FlexibleDevices":
        """Return the devices of some homes.

        Args:
            homes: Positions of the homes.
        """
        params: DeviceParams = jax.tree.map(lambda leaf: leaf[homes], self.params)
        # Weather is shared by all homes; everything else is [step, home, ..].
        series: DeviceSeries = jax.tree.map(
            lambda leaf: leaf if leaf.ndim == 1 else leaf[:, homes], self.series
        )
        return FlexibleDevices(
            params, series, self.base_net_kwh[:, homes], self.uncontrolled_net_kwh[:, homes]
        )

    def select_steps(
        self, first: int, last: int, step_hours: float
    ) -> "tuple[FlexibleDevices, Float[Array, 'step home']]":
        """Return the devices for some steps, and the meters with their default control.

        The devices start these steps in the state in which they start the period.

        Args:
            first: First step.
            last: One past the last step.
            step_hours: Length of a step in hours.
        """
        series: DeviceSeries = jax.tree.map(lambda leaf: leaf[first:last], self.series)
        return _with_default_control(self.params, series, self.base_net_kwh[first:last], step_hours)

    @property
    def is_planned(self) -> Bool[NDArray[np.bool_], " home"]:
        """True where a home has an EV or a heat pump [home]."""
        planned = np.zeros(self.base_net_kwh.shape[1], bool)
        if self.params.ev is not None:
            planned |= np.asarray(self.params.ev.charge_kw) > 0
        if self.params.heat_pump is not None:
            planned |= np.asarray(self.params.heat_pump.exists) > 0
        return planned

    def limits_kw(
        self, charge_kw: ArrayLike, discharge_kw: ArrayLike
    ) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
        """Return the power limits of all devices of a home together.

        Args:
            charge_kw: Charging limit of the battery.
            discharge_kw: Discharging limit of the battery.

        Returns:
            Largest power drawn and largest power fed back.
        """
        drawn, fed_back = device_models.power_limits_kw(self.params)
        max_drawn = np.asarray(charge_kw, np.float64) + np.asarray(drawn)
        max_fed_back = np.asarray(discharge_kw, np.float64) + np.asarray(fed_back)
        return max_drawn, max_fed_back


def build_flexible_devices(
    homes: HomeParams,
    series: DeviceSeries | None,
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[FlexibleDevices | None, Float[Array, "step home"]]:
    """Collect the flexible devices of a problem.

    Args:
        homes: Parameters of the homes, as in the simulation.
        series: Exogenous series of the devices, as in the simulation.
        base_kwh: Load minus PV generation without flexible devices [step, home].
        step_hours: Length of a step in hours.

    Returns:
        The devices, None if there are none, and the meters with all devices under their default
        control and batteries idle [step, home].
    """
    if homes.devices is None or series is None:
        return None, base_kwh
    params, exact_series = jax.tree.map(_to_double, (homes.devices, series))
    return _with_default_control(params, exact_series, base_kwh, step_hours)


def _with_default_control(
    params: DeviceParams,
    series: DeviceSeries,
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[FlexibleDevices, Float[Array, "step home"]]:
    simulated = _simulate_default_control(params, series, jnp.float32(step_hours))
    devices_kwh, appliances_kwh = jax.tree.map(_to_double, simulated)
    devices = FlexibleDevices(params, series, base_kwh, base_kwh + appliances_kwh)
    return devices, base_kwh + devices_kwh


def _to_double(leaf: ArrayLike) -> PyTree:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@jax.jit
def _simulate_default_control(
    params: DeviceParams, series: DeviceSeries, step_hours: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the energy drawn by all devices and by appliances alone, both [step, home]."""

    def advance(
        state: DeviceState, inputs: DeviceSeries
    ) -> tuple[DeviceState, tuple[jax.Array, jax.Array]]:
        requests = device_models.default_requests(params, state, inputs, step_hours)
        state, flows = device_models.step(params, state, inputs, requests, step_hours)
        net = jnp.asarray(device_models.net_kwh(flows))
        appliances = jnp.zeros_like(net)
        if flows.appliances is not None:
            appliances = flows.appliances.consumption_kwh.sum(-1) + appliances
        return state, (net, appliances)

    drawn: tuple[jax.Array, jax.Array]
    _, drawn = jax.lax.scan(advance, device_models.initial_state(params), series)
    return drawn


def replace_absent_batteries(battery: BatteryParams) -> BatteryParams:
    """Replace batteries of size zero by ones without power, which avoids division by zero.

    Args:
        battery: Batteries in NumPy, one entry per home.
    """
    is_absent = ~(np.asarray(battery.capacity_kwh) > 0)
    if not is_absent.any():
        return battery
    placeholder = {
        "capacity_kwh": 1.0,
        "soc_max": 1.0,
        "charge_kw": 0.0,
        "discharge_kw": 0.0,
        "soc_min": 0.0,
        "initial_soc": 0.0,
        "self_discharge_per_step": 0.0,
    }
    values: dict[str, PyTree] = {
        name: np.where(is_absent, value, getattr(battery, name))
        for name, value in placeholder.items()
    }
    return battery._replace(**values)


def slack_price(buy: Float[Array, " step"], sell: Float[Array, " step"]) -> float:
    """Return the price of violating a requirement by a kWh or a kelvin.

    It is far above what energy can earn or save.

    Args:
        buy: Price of buying a kWh.
        sell: Price of selling a kWh.
    """
    return 1.0 + _SLACK_PRICE_FACTOR * float(max(np.abs(buy).max(), np.abs(sell).max()))


def add_flexible_devices(
    model: "Model",
    devices: FlexibleDevices,
    step_hours: float,
    negative: Bool[NDArray[np.bool_], " step"],
    price: float,
) -> tuple["Variable | LinearExpression", "LinearExpression"]:
    """Add the EVs and heat pumps of the homes to a model.

    Args:
        model: A linopy model with dimensions `step` and `home`.
        devices: Devices of the same homes.
        step_hours: Length of a step in hours.
        negative: Steps in which the price of buying or selling a kWh is negative.
        price: Price of violated requirements, from `slack_price`.

    Returns:
        Net energy that the devices add to the meters, kWh [step, home], and the cost of violated
        requirements: linopy expressions.
    """
    parts = []
    if devices.params.ev is not None:
        parts.append(_add_evs(model, devices, step_hours, negative))
    if devices.params.heat_pump is not None:
        parts.append(_add_heat_pumps(model, devices, step_hours))
    nets, slacks = zip(*parts, strict=True)
    return sum(nets[1:], nets[0]), price * sum(slacks[1:], slacks[0])


def extract_requests(
    model: "Model", devices: FlexibleDevices, solution: Float[Array, " label"], step_hours: float
) -> tuple[DeviceRequests, float]:
    """Read the requests to the devices from a solved model.

    Args:
        model: The model.
        devices: Devices of the same homes.
        solution: Value of every variable by its linopy label.
        step_hours: Length of a step in hours.

    Returns:
        Requests in kW [step, home], and the sum of violated requirements, kWh and kelvins.
    """
    shape = devices.uncontrolled_net_kwh.shape

    def power_kw(positive: str, negative: str | None = None) -> PyTree:
        if positive not in model.variables:
            return None
        energy = _read(model, positive, solution, shape)
        if negative is not None and negative in model.variables:
            energy = energy - _read(model, negative, solution, shape)
        return energy / step_hours

    slack = sum(
        _read(model, name, solution, shape).sum()
        for name in SLACK_VARIABLES
        if name in model.variables
    )
    requests = DeviceRequests(
        power_kw("ev_charge", "ev_discharge"), power_kw("space_heating"), power_kw("hot_water")
    )
    return requests, float(slack)


def _read(
    model: "Model", name: str, solution: Float[Array, " label"], shape: tuple[int, ...]
) -> Float[Array, "step home"]:
    labels = model.variables[name].labels.transpose(*_DIMS).to_numpy()
    return np.where(labels >= 0, solution[labels], 0.0).reshape(shape)


class _ModelBuilder:
    """Adds masked variables and constraints over steps and homes to a model."""

    def __init__(self, model: "Model", shape: tuple[int, int]) -> None:
        import xarray as xr

        self.model = model
        self.shape = shape
        self.xr = xr
        self.coords = [list(range(size)) for size in shape]

    def table(self, values: ArrayLike) -> "xr.DataArray":
        return self.xr.DataArray(np.broadcast_to(values, self.shape), dims=_DIMS)

    def variable(
        self, name: str, lower: ArrayLike, upper: ArrayLike, mask: ArrayLike
    ) -> "Variable | LinearExpression":
        """Add a variable where the mask is true; it is 0 elsewhere."""
        return self.model.add_variables(
            self.table(lower), self.table(upper), mask=self.table(mask), name=name
        ).fillna(0)

    def previous(self, name: str) -> "LinearExpression":
        """Return the variable one step earlier, 0 before the first step."""
        previous: LinearExpression = self.model.variables[name].shift(step=1).fillna(0)
        return previous

    def binary(self, name: str, mask: ArrayLike) -> "Variable | LinearExpression":
        """Add a binary variable where the mask is true; it is 0 elsewhere."""
        return self.model.add_variables(
            binary=True, coords=self.coords, dims=_DIMS, mask=self.table(mask), name=name
        ).fillna(0)

    def constraint(self, name: str, expression: "ConstraintLike", mask: ArrayLike) -> None:
        self.model.add_constraints(expression, mask=self.table(mask), name=name)


def _add_evs(
    model: "Model",
    devices: FlexibleDevices,
    step_hours: float,
    negative: Bool[NDArray[np.bool_], " step"],
) -> tuple["Variable | LinearExpression", "LinearExpression"]:
    ev = devices.params.ev
    series = devices.series.ev
    assert ev is not None and series is not None
    shape = devices.uncontrolled_net_kwh.shape
    builder = _ModelBuilder(model, shape)
    exists = np.broadcast_to(np.asarray(ev.charge_kw) > 0, shape)
    hours_to_departure = np.asarray(series.hours_to_departure)
    trip = np.asarray(series.trip_kwh)
    is_plugged = exists & (hours_to_departure > 0)
    departs = is_plugged & (hours_to_departure <= step_hours * _TIME_TOLERANCE)
    has_v2g = is_plugged & (np.asarray(ev.discharge_kw) > 0)
    drives = exists & (trip > 0)
    charge = builder.variable("ev_charge", 0, ev.charge_kw * step_hours, is_plugged)
    stored = builder.variable("ev_stored", 0, ev.capacity_kwh, exists)
    unserved = builder.variable("ev_unserved", 0, trip, drives)
    shortfall = builder.variable("ev_shortfall", 0, ev.departure_kwh, departs)
    start = np.zeros(shape)
    start[0] = ev.initial_kwh
    before = builder.previous("ev_stored")
    change = stored - before - builder.table(ev.charge_efficiency) * charge - unserved
    net = charge
    slack = unserved.sum() + shortfall.sum()
    if has_v2g.any():
        discharge = builder.variable("ev_discharge", 0, ev.discharge_kw * step_hours, has_v2g)
        below_reserve = builder.variable("ev_below_reserve", 0, ev.reserve_kwh, has_v2g)
        change = change + builder.table(1 / np.asarray(ev.discharge_efficiency)) * discharge
        net = net - discharge
        slack = slack + below_reserve.sum()
        reserve = builder.table(ev.reserve_kwh)
        builder.constraint("ev_reserve", stored + below_reserve >= reserve, has_v2g)
        is_lossy = np.asarray(ev.charge_efficiency * ev.discharge_efficiency) < 1
        exclusive = has_v2g & np.asarray(negative)[:, None] & is_lossy
        if exclusive.any():
            is_charging = builder.binary("ev_is_charging", exclusive)
            max_charge = builder.table(ev.charge_kw * step_hours)
            max_discharge = builder.table(ev.discharge_kw * step_hours)
            builder.constraint("ev_only_charge", charge - max_charge * is_charging <= 0, exclusive)
            builder.constraint(
                "ev_only_discharge",
                discharge + max_discharge * is_charging <= max_discharge,
                exclusive,
            )
    builder.constraint("ev_store", change == builder.table(start - trip), exists)
    required = builder.table(ev.departure_kwh)
    builder.constraint("ev_departure", stored + shortfall >= required, departs)
    return net, slack


def _add_heat_pumps(
    model: "Model", devices: FlexibleDevices, step_hours: float
) -> tuple["Variable | LinearExpression", "LinearExpression"]:
    pump = devices.params.heat_pump
    series = devices.series.heat_pump
    assert pump is not None and series is not None
    shape = devices.uncontrolled_net_kwh.shape
    builder = _ModelBuilder(model, shape)
    exists = np.broadcast_to(np.asarray(pump.exists) > 0, shape)
    has_tank = exists & (np.asarray(pump.max_tank_c) > np.asarray(pump.min_tank_c))
    outdoor = np.asarray(series.outdoor_c)[:, None]
    single: HeatPumpParams = jax.tree.map(jnp.asarray, pump)
    coefficients = jax.vmap(
        lambda outdoor_c: heat_pump.coefficients_of_performance(single, outdoor_c)
    )(jnp.asarray(outdoor[:, 0]))
    cop, water_cop = (np.asarray(part, np.float64) for part in coefficients)
    building = heat_pump.building_coefficients(single, jnp.float32(step_hours))
    retention, kelvin_per_kwh = (np.asarray(part, np.float64) for part in building)
    gain = np.asarray(series.heat_gain_kwh)
    max_indoor, max_vented = _max_indoor_temperature(
        pump, outdoor[:, 0], gain, retention, kelvin_per_kwh
    )
    max_kwh = np.asarray(pump.power_kw) * step_hours
    heating = builder.variable("space_heating", 0, max_kwh, exists)
    indoor = builder.variable("indoor", -np.inf, max_indoor, exists)
    underheating = builder.variable("underheating", 0, np.inf, exists)
    vented = builder.variable("vented", 0, max_vented, exists & (max_vented > 0))
    initial = np.zeros(shape)
    initial[0] = retention * np.asarray(pump.initial_indoor_c)
    unheated = (1 - retention) * outdoor + gain * kelvin_per_kwh + initial
    before = builder.previous("indoor")
    heated = builder.table(cop * kelvin_per_kwh) * heating - builder.table(kelvin_per_kwh) * vented
    builder.constraint(
        "building",
        indoor - builder.table(retention) * before - heated == builder.table(unheated),
        exists,
    )
    builder.constraint("comfort", indoor + underheating >= builder.table(pump.min_indoor_c), exists)
    net = heating
    slack = underheating.sum()
    if has_tank.any():
        demand = np.asarray(series.hot_water_kwh)
        heat_capacity = np.asarray(pump.tank_heat_capacity_kwh_per_k)
        loss = np.asarray(pump.tank_heat_loss_kw_per_k) * step_hours / heat_capacity
        water = builder.variable("hot_water", 0, max_kwh, has_tank)
        tank = builder.variable("tank", pump.min_tank_c, pump.max_tank_c, has_tank)
        unserved = builder.variable("hot_water_unserved", 0, demand, has_tank & (demand > 0))
        initial = np.zeros(shape)
        initial[0] = (1 - loss) * np.asarray(pump.initial_tank_c)
        before = builder.previous("tank")
        change = (
            tank
            - builder.table(1 - loss) * before
            - builder.table(water_cop / heat_capacity) * water
        )
        change = change - builder.table(1 / heat_capacity) * unserved
        balance = loss * heat_pump.TANK_AMBIENT_C - demand / heat_capacity + initial
        builder.constraint("tank_heat", change == builder.table(balance), has_tank)
        builder.constraint("compressor", heating + water <= builder.table(max_kwh), has_tank)
        net = net + water
        slack = slack + unserved.sum()
    return net, slack


def _max_indoor_temperature(
    pump: HeatPumpParams,
    outdoor: Float[Array, " step"],
    gain: Float[Array, "step home"],
    retention: Float[Array, " home"],
    kelvin_per_kwh: Float[Array, " home"],
) -> tuple[Float[Array, "step home"], Float[Array, "step home"]]:
    """Return the highest indoor temperature after any heating, and the heat then vented, kWh."""
    maximum = np.empty_like(gain)
    vented = np.empty_like(gain)
    level = np.maximum(np.asarray(pump.initial_indoor_c), np.asarray(pump.max_indoor_c))
    for step, outdoor_c in enumerate(outdoor):
        unvented = outdoor_c + (level - outdoor_c) * retention
        level = np.maximum(unvented, pump.max_indoor_c)
        excess = unvented + gain[step] * kelvin_per_kwh - pump.max_indoor_c
        vented[step] = np.clip(excess / kelvin_per_kwh, 0, gain[step])
        maximum[step] = level
    return maximum, vented
