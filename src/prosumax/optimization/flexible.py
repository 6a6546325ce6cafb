"""Devices other than the home battery in a linear program, and their effect on meters.

Every kind of device describes itself (`Device.milp`); kinds without a program keep their default
control. Requirements that cannot be met (a trip, a departure, the indoor temperature, hot water)
may be violated at a price that no plan pays by choice; that price is subtracted from the cost
again.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.devices.base import AnyDevice, LinearDevice, devices, ordered
from prosumax.devices.home import (
    HomeParams,
    HomeState,
    devices_net_kwh,
    initial_state,
    step_devices,
)
from prosumax.devices.linear_program import DIMS, LinearProgram
from prosumax.types import EVENTS, DeviceRequests, EventSeries

if TYPE_CHECKING:
    from linopy import LinearExpression, Model

Array = NDArray[np.float64]

# Factor on the highest price that makes violating a requirement unattractive.
_SLACK_PRICE_FACTOR = 20.0

# Price of shedding a kWh of load over that of violating a requirement of a device, so that devices
# give way first, as in the simulation.
_SHED_PRICE_FACTOR = 1000.0

# The same of drawing a kWh where PV generation may be curtailed, so that a battery does not charge
# and discharge at once instead, which costs as much.
_DISSIPATION_PRICE_FACTOR = 3e-7


class FlexibleDevices(NamedTuple):
    """Devices of a problem other than the home battery.

    Attributes:
        params: Parameters in NumPy by kind of device.
        series: Exogenous series in NumPy by kind of device.
        base_net_kwh: Load minus PV generation without any of the devices [step, home].
        uncontrolled_net_kwh: The same with the devices that have no program, under their default
            control [step, home].
    """

    params: dict[str, PyTree]
    series: dict[str, PyTree]
    base_net_kwh: Float[Array, "step home"]
    uncontrolled_net_kwh: Float[Array, "step home"]

    def select_homes(self, homes: NDArray[np.int64]) -> "FlexibleDevices":
        """Return the devices of some homes.

        Args:
            homes: Positions of the homes.
        """
        params: dict[str, PyTree] = jax.tree.map(lambda leaf: leaf[homes], self.params)
        # Series without an axis of homes, such as weather, are shared by all homes.
        series: dict[str, PyTree] = jax.tree.map(
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
        series: dict[str, PyTree] = jax.tree.map(lambda leaf: leaf[first:last], self.series)
        return _with_default_control(self.params, series, self.base_net_kwh[first:last], step_hours)

    @property
    def events(self) -> EventSeries | None:
        """Events of the homes in NumPy; None without any."""
        events: EventSeries | None = self.series.get(EVENTS)
        return events

    def program_params(self, device: AnyDevice) -> PyTree:
        """Return the parameters of a device for a program.

        Args:
            device: Kind of device.

        Returns:
            Parameters whose power limits are [step, home] if there are events, and zero where the
            device failed or its home is absent.
        """
        params: PyTree = self.params[device.kind]
        if self.events is None:
            return params
        works = self.events.availability.get(device.kind, 1.0)
        present = 1.0 if self.events.present is None else self.events.present
        share = np.broadcast_to(np.asarray(works) * present, self.base_net_kwh.shape)
        return device.scale_power(params, share)

    @property
    def kinds(self) -> tuple[AnyDevice, ...]:
        """Kinds of devices, in the order in which they act."""
        return ordered(self.params)

    @property
    def planned_kinds(self) -> tuple[AnyDevice, ...]:
        """Kinds of devices that have a program."""
        return tuple(device for device in self.kinds if device.has_program)

    @property
    def is_planned(self) -> Bool[NDArray[np.bool_], " home"]:
        """True where a home has a device with a program [home]."""
        planned = np.zeros(self.base_net_kwh.shape[1], bool)
        for device in self.planned_kinds:
            planned |= has_device(device, self.params[device.kind])
        return planned

    def limits_kw(
        self, charge_kw: ArrayLike, discharge_kw: ArrayLike
    ) -> tuple[Float[Array, "*step home"], Float[Array, "*step home"]]:
        """Return the power limits of all devices of a home together.

        Args:
            charge_kw: Charging limit of the battery.
            discharge_kw: Discharging limit of the battery.

        Returns:
            Largest power drawn and largest power fed back.
        """
        max_drawn = np.asarray(charge_kw, np.float64)
        max_fed_back = np.asarray(discharge_kw, np.float64)
        for device in self.kinds:
            drawn, fed_back = device.limits_kw(self.params[device.kind])
            max_drawn = max_drawn + np.asarray(drawn)
            max_fed_back = max_fed_back + np.asarray(fed_back)
        return max_drawn, max_fed_back


def has_device(device: AnyDevice, params: PyTree) -> Bool[NDArray[np.bool_], " home"]:
    """Return the homes in which any slot of a device has power.

    Args:
        device: Kind of device.
        params: Its parameters in NumPy.
    """
    draw_kw, supply_kw = device.slot_limits_kw(params)
    has_power = np.any(np.maximum(draw_kw, supply_kw) > 0, axis=-1)
    # Power limits may vary over time.
    return np.asarray(np.atleast_2d(has_power).any(0), bool)


def build_flexible_devices(
    homes: HomeParams,
    series: Mapping[str, PyTree],
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[FlexibleDevices | None, Float[Array, "step home"]]:
    """Collect the devices of a problem other than the home battery.

    Args:
        homes: Parameters of the homes, as in the simulation.
        series: Exogenous series by kind of device, as in the simulation.
        base_kwh: Load minus PV generation without devices [step, home].
        step_hours: Length of a step in hours.

    Returns:
        The devices, None if there are neither devices nor events, and the meters with all devices
        under their default control and batteries idle [step, home].
    """
    kinds = [device.kind for device in homes.flexible]
    if not kinds and EVENTS not in series:
        return None, base_kwh
    params: dict[str, PyTree] = jax.tree.map(
        _to_double, {kind: homes.devices[kind] for kind in kinds}
    )
    exact_series: dict[str, PyTree] = jax.tree.map(_to_double, dict(series))
    return _with_default_control(params, exact_series, base_kwh, step_hours)


def _with_default_control(
    params: dict[str, PyTree],
    series: dict[str, PyTree],
    base_kwh: Float[Array, "step home"],
    step_hours: float,
) -> tuple[FlexibleDevices, Float[Array, "step home"]]:
    simulated = _simulate_default_control(
        params, series, base_kwh.astype(np.float32), jnp.float32(step_hours)
    )
    all_kwh, unplanned_kwh = jax.tree.map(_to_double, simulated)
    flexible = FlexibleDevices(params, series, base_kwh, base_kwh + unplanned_kwh)
    return flexible, base_kwh + all_kwh


def _to_double(leaf: ArrayLike) -> PyTree:
    array = np.asarray(leaf)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@jax.jit
def _simulate_default_control(
    params: dict[str, PyTree],
    series: dict[str, PyTree],
    base_net_kwh: Float[jax.Array, "step home"],
    step_hours: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Return the net energy of all devices and of those without a program, both [step, home]."""
    homes = HomeParams(params)

    def advance(
        state: HomeState, step: tuple[dict[str, PyTree], jax.Array]
    ) -> tuple[HomeState, tuple[jax.Array, jax.Array]]:
        inputs, net_load_kwh = step
        state, flows, _ = step_devices(homes, state, inputs, None, net_load_kwh, step_hours)
        unplanned = {
            kind: flow
            for kind, flow in flows.items()
            if not devices.get(kind, "devices").has_program
        }
        zero = jnp.zeros_like(net_load_kwh)
        return state, (zero + devices_net_kwh(flows), zero + devices_net_kwh(unplanned))

    drawn: tuple[jax.Array, jax.Array]
    _, drawn = jax.lax.scan(advance, initial_state(homes), (series, base_net_kwh))
    return drawn


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
    flexible: FlexibleDevices,
    step_hours: float,
    negative: Bool[NDArray[np.bool_], " step"],
    holding_kwh: Float[Array, "step home"],
) -> dict[str, LinearDevice]:
    """Add the devices that have a program to a model.

    Args:
        model: A linopy model with dimensions `step` and `home`.
        flexible: Devices of the same homes.
        step_hours: Length of a step in hours.
        negative: Steps in which the price of buying or selling a kWh is negative.
        holding_kwh: Energy that holds the home batteries at their lowest state of charge, which a
            limit of the supply must not make infeasible.

    Returns:
        Net energy, variables and violated requirements by kind of device, and those of the limits
        of the supply.
    """
    steps, homes = flexible.base_net_kwh.shape
    events = flexible.events
    present = None
    if events is not None and events.present is not None:
        present = np.asarray(events.present)
    program = LinearProgram(model, (steps, homes), present)
    parts = {}
    for device in flexible.planned_kinds:
        kind = device.kind
        parts[kind] = device.milp(
            program,
            flexible.program_params(device),
            flexible.series.get(kind),
            step_hours,
            negative,
        )
    if events is not None and events.import_kwh is not None and events.export_kwh is not None:
        net = flexible.uncontrolled_net_kwh
        # Only what no device can avoid is shed or curtailed.
        max_shed = np.maximum(net + holding_kwh - events.import_kwh, 0)
        max_curtailed = np.maximum(-net - events.export_kwh, 0)
        shed = program.variable("shed", 0, max_shed, max_shed > 0)
        curtailed = program.variable("curtailed", 0, max_curtailed, max_curtailed > 0)
        slack = _SHED_PRICE_FACTOR * shed.sum()
        if max_curtailed.any():
            slack = slack + _DISSIPATION_PRICE_FACTOR * _drawn_energy(
                model, parts, max_curtailed > 0
            )
        parts[EVENTS] = LinearDevice(curtailed - shed, (), slack)
    return parts


def _drawn_energy(
    model: "Model", parts: Mapping[str, LinearDevice], mask: Bool[NDArray[np.bool_], "step home"]
) -> "LinearExpression":
    """Sum the energy that batteries and other devices draw where a mask is true."""
    names = [name for part in parts.values() for name, _ in part.slots if name is not None]
    table = LinearProgram(model, mask.shape).table(mask.astype(float))
    drawn = [(table * model.variables[name].fillna(0)).sum() for name in ["charge", *names]]
    return sum(drawn[1:], drawn[0])


def total_slack(parts: Mapping[str, LinearDevice]) -> "LinearExpression | None":
    """Sum the violated requirements of all devices; None without requirements.

    Args:
        parts: Devices in the program, from `add_flexible_devices`.
    """
    slacks = [part.slack for part in parts.values() if part.slack is not None]
    return sum(slacks[1:], slacks[0]) if slacks else None


def extract_requests(
    model: "Model",
    flexible: FlexibleDevices,
    parts: Mapping[str, LinearDevice],
    solution: Float[Array, " label"],
    step_hours: float,
) -> tuple[DeviceRequests, float]:
    """Read the requests to the devices from a solved model.

    Args:
        model: The model.
        flexible: Devices of the same homes.
        parts: Devices in the program, from `add_flexible_devices`.
        solution: Value of every variable by its linopy label.
        step_hours: Length of a step in hours.

    Returns:
        Requests in kW [step, home, slot] by kind of device, NaN for homes without it, and the sum
        of violated requirements, kWh and kelvins.
    """
    shape = flexible.base_net_kwh.shape

    def read(name: str | None) -> Float[Array, "step home"]:
        if name is None:
            return np.zeros(shape)
        labels = model.variables[name].labels.transpose(*DIMS).to_numpy()
        return np.where(labels >= 0, solution[labels], 0.0).reshape(shape)

    requests: dict[str, PyTree] = {}
    for device in flexible.planned_kinds:
        kind = device.kind
        part = parts[kind]
        energy = [read(drawn) - read(supplied) for drawn, supplied in part.slots]
        exists = has_device(device, flexible.params[kind])[:, None]
        requests[kind] = np.where(exists, np.stack(energy, axis=-1) / step_hours, np.nan)
    slack = total_slack(parts)
    return requests, 0.0 if slack is None else _evaluate(slack, solution)


def _evaluate(expression: "LinearExpression", solution: Float[Array, " label"]) -> float:
    """Return the value of an expression without dimensions."""
    labels = np.asarray(expression.vars).ravel()
    coefficients = np.asarray(expression.coeffs).ravel()
    used = labels >= 0
    return float(coefficients[used] @ solution[labels[used]] + np.asarray(expression.const))
