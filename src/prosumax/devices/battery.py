"""Home battery with limits, power-dependent efficiency, self-discharge and capacity loss.

A simple battery is the special case of constant curves and no capacity loss. Powers are on the AC
side of the home.

References:
    The `Battery` of CityLearn 3.0.2; Nweye et al. 2024, arXiv:2405.03848.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray
from pydantic import Field, model_validator

from prosumax.config import Fraction, Positive, PositiveFraction, StrictModel
from prosumax.devices import battery_aging
from prosumax.devices.base import Device, LinearDevice, devices
from prosumax.devices.battery_aging import (
    BatteryAgingConfig,
    BatteryAgingParams,
    BatteryAgingState,
)
from prosumax.devices.linear_program import LinearProgram
from prosumax.metrics.catalog import KPI, MONEY
from prosumax.metrics.numbers import ratio
from prosumax.numerics import AnyArray
from prosumax.scenario.schema.devices import DeviceConfig
from prosumax.types import StorageFlow

# CityLearn finds the efficiency at the power reached by two fixed-point iterations.
_EFFICIENCY_ITERATIONS = 2

_HOURS_PER_MONTH = 720.0  # thirty days, the month of `self_discharge_per_month`

# Points of CityLearn's battery curves. Shorter curves are padded, so that most scenarios share one
# array shape and therefore one compiled program.
_EFFICIENCY_POINTS = 5
_SOC_POINTS = 3


class PiecewiseLinearCurve(StrictModel):
    """A piecewise-linear curve over a fraction from 0 to 1, constant outside its points."""

    at: Annotated[list[Fraction], Field(min_length=2)]
    """Increasing fractions."""
    value: Annotated[list[PositiveFraction], Field(min_length=2)]

    @model_validator(mode="after")
    def _check_points(self) -> "PiecewiseLinearCurve":
        if len(self.at) != len(self.value):
            raise ValueError(
                f"`at` has {len(self.at)} points and `value` has {len(self.value)}; they must match"
            )
        if any(right <= left for left, right in zip(self.at, self.at[1:], strict=False)):
            raise ValueError("the fractions in `at` must increase")
        return self


class BatteryConfig(DeviceConfig):
    """A home battery; the model is `prosumax.devices.battery`."""

    capacity_kwh: Positive
    charge_kw: Positive
    """AC power limit of charging."""
    discharge_kw: Positive | None = None
    """AC power limit of discharging; defaults to `charge_kw`."""
    charge_efficiency: PositiveFraction = 0.9487
    discharge_efficiency: PositiveFraction = 0.9487
    efficiency_curve: PiecewiseLinearCurve | None = None
    """Round-trip efficiency over the fraction of the power limit; replaces the two constants."""
    power_curve: PiecewiseLinearCurve | None = None
    """Available fraction of the power limit over the state of charge."""
    soc_min: Fraction = 0.0
    soc_max: PositiveFraction = 1.0
    initial_soc: Fraction | None = None
    """Defaults to `soc_min`."""
    self_discharge_per_month: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the stored energy lost in 30 days."""
    capacity_loss_coefficient: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of the capacity lost per full cycle, as in CityLearn."""
    aging: BatteryAgingConfig | None = None
    """Loss of capacity by cycles and time, instead of `capacity_loss_coefficient`."""

    @model_validator(mode="after")
    def _check_limits(self) -> "BatteryConfig":
        if self.capacity_loss_coefficient and self.aging is not None:
            raise ValueError(
                "`capacity_loss_coefficient` and `aging` exclude each other; give one of them"
            )
        if self.soc_min >= self.soc_max:
            raise ValueError(f"soc_min ({self.soc_min}) must be below soc_max ({self.soc_max})")
        if self.initial_soc is not None and not self.soc_min <= self.initial_soc <= self.soc_max:
            raise ValueError(
                f"initial_soc ({self.initial_soc}) must lie between soc_min and soc_max"
            )
        return self


class BatteryParams(NamedTuple):
    """Parameters of one battery per home; homes without a battery have zero capacity and power.

    Attributes:
        capacity_kwh: Nominal capacity, the basis of the state of charge.
        charge_kw: AC power limit of charging.
        discharge_kw: AC power limit of discharging.
        soc_min: Lower limit of the state of charge.
        soc_max: Upper limit of the state of charge.
        initial_soc: State of charge before the first step.
        self_discharge_per_step: Fraction of the stored energy lost in one step.
        capacity_loss_coefficient: Fraction of the capacity lost per full equivalent cycle, as in
            CityLearn.
        efficiency_power_points: Points of the efficiency curves, as fractions of the power limit.
        charge_efficiency_curve: One-way efficiency squared at these points, linear in between. For
            a symmetric battery this is the round-trip efficiency, which CityLearn interpolates.
        discharge_efficiency_curve: Like `charge_efficiency_curve`, for discharging.
        power_soc_points: Points of `power_curve`, as states of charge.
        power_curve: Available fraction of the power limit at these points, linear in between.
        aging: Parameters of aging; None where no battery ages.
    """

    capacity_kwh: Float[Array, " home"]
    charge_kw: Float[Array, " home"]
    discharge_kw: Float[Array, " home"]
    soc_min: Float[Array, " home"]
    soc_max: Float[Array, " home"]
    initial_soc: Float[Array, " home"]
    self_discharge_per_step: Float[Array, " home"]
    capacity_loss_coefficient: Float[Array, " home"]
    efficiency_power_points: Float[Array, "home point"]
    charge_efficiency_curve: Float[Array, "home point"]
    discharge_efficiency_curve: Float[Array, "home point"]
    power_soc_points: Float[Array, "home soc_point"]
    power_curve: Float[Array, "home soc_point"]
    aging: BatteryAgingParams | None = None


class BatteryState(NamedTuple):
    """State of the batteries.

    Attributes:
        stored_kwh: Stored energy.
        capacity_kwh: Remaining capacity.
        aging: State of aging; None where no battery ages.
    """

    stored_kwh: Float[Array, " home"]
    capacity_kwh: Float[Array, " home"]
    aging: BatteryAgingState | None = None


def initial_state(params: BatteryParams) -> BatteryState:
    """Return the state before the first step."""
    aging = None if params.aging is None else battery_aging.initial_state(params.initial_soc)
    return BatteryState(params.initial_soc * params.capacity_kwh, params.capacity_kwh, aging)


def step(
    params: BatteryParams,
    state: BatteryState,
    request_kw: Float[Array, " home"],
    step_hours: Float[Array, ""],
) -> tuple[BatteryState, StorageFlow]:
    """Charge or discharge at the requested power within the limits of the battery.

    The state of charge stays within its limits; a battery that starts below `soc_min` is not
    forced to charge.

    Args:
        params: Parameters.
        state: State before the step.
        request_kw: Requested mean AC power, positive for charging; limited to the feasible range.
        step_hours: Length of the step.

    Returns:
        The state after the step and the energy flows.
    """
    capacity = params.capacity_kwh
    exists = capacity > 0
    safe_capacity = jnp.where(exists, capacity, 1.0)
    is_charging = request_kw >= 0

    after_self_discharge = state.stored_kwh * (1.0 - params.self_discharge_per_step)
    # Capacity loss may leave slightly more energy than fits; the excess counts as a loss.
    max_stored = jnp.minimum(state.capacity_kwh, params.soc_max * capacity)
    start = jnp.minimum(after_self_discharge, max_stored)
    headroom = max_stored - start
    available = jnp.maximum(start - params.soc_min * capacity, 0.0)

    limit_kw = jnp.where(is_charging, params.charge_kw, params.discharge_kw)
    soc = state.stored_kwh / safe_capacity
    power_fraction = _interpolate(soc, params.power_soc_points, params.power_curve)
    limit_kwh = limit_kw * power_fraction * step_hours
    requested_kwh = jnp.minimum(jnp.abs(request_kw), limit_kw) * step_hours

    curve = jnp.where(
        is_charging[..., None],
        params.charge_efficiency_curve,
        params.discharge_efficiency_curve,
    )
    full_power_kwh = jnp.where(limit_kw > 0, limit_kw * step_hours, 1.0)
    exchanged = requested_kwh
    efficiency = jnp.ones_like(exchanged)
    for _ in range(_EFFICIENCY_ITERATIONS):
        squared = _interpolate(exchanged / full_power_kwh, params.efficiency_power_points, curve)
        efficiency = jnp.sqrt(squared)
        reachable = jnp.where(is_charging, headroom / efficiency, available * efficiency)
        exchanged = jnp.minimum(jnp.minimum(requested_kwh, limit_kwh), reachable)
    exchanged = jnp.where(exists, exchanged, 0.0)

    charge = jnp.where(is_charging, exchanged, 0.0)
    discharge = jnp.where(is_charging, 0.0, exchanged)
    stored = jnp.where(is_charging, start + charge * efficiency, start - discharge / efficiency)
    # Rounding must not move the stored energy past a limit that it just reached.
    stored = jnp.clip(stored, jnp.minimum(start, params.soc_min * capacity), max_stored)
    capacity_loss = (
        params.capacity_loss_coefficient
        * capacity
        * exchanged
        / (2.0 * jnp.where(exists, state.capacity_kwh, 1.0))
    )
    loss = state.stored_kwh + charge - discharge - stored
    remaining = jnp.maximum(state.capacity_kwh - capacity_loss, 0.0)
    aging = state.aging
    aging_loss = None
    life_used = None
    if params.aging is not None and aging is not None:
        after = jnp.where(exists, stored / safe_capacity, 0.0)
        aging, loss_fraction, life_used = battery_aging.step(params.aging, aging, after, step_hours)
        aging_loss = loss_fraction * capacity
        remaining = jnp.maximum(remaining - aging_loss, 0.0)
    flow = StorageFlow(
        charge_kwh=charge,
        discharge_kwh=discharge,
        loss_kwh=jnp.maximum(loss, 0.0),
        stored_kwh=stored,
        capacity_loss_kwh=aging_loss,
        life_used=life_used,
    )
    return BatteryState(stored, remaining, aging), flow


def energy_limits_kwh(
    params: BatteryParams, state: BatteryState, step_hours: Float[Array, ""]
) -> tuple[Float[Array, " home"], Float[Array, " home"]]:
    """Compute the largest charge and discharge in one step on the AC side.

    Unlike the equations of the reference, these limits include power limits and efficiency.

    Args:
        params: Parameters.
        state: State before the step.
        step_hours: Length of the step.

    Returns:
        Largest charge and largest discharge, kWh.

    References:
        Equations 11c and 11d of the MARLEM paper.
    """
    _, charging = step(params, state, params.charge_kw, step_hours)
    _, discharging = step(params, state, -params.discharge_kw, step_hours)
    return charging.charge_kwh, discharging.discharge_kwh


def _interpolate(
    x: Float[Array, " home"], points: Float[Array, "home point"], values: Float[Array, "home point"]
) -> Float[Array, " home"]:
    """Evaluate one piecewise-linear curve per home, constant outside its points.

    A sum of clipped ramps needs no gather, is differentiable, and is fast for few points.
    """
    fraction = (x[..., None] - points[..., :-1]) / jnp.diff(points, axis=-1)
    increments = jnp.diff(values, axis=-1) * jnp.clip(fraction, 0.0, 1.0)
    return values[..., 0] + jnp.sum(increments, axis=-1)


def _battery_params(batteries: Sequence[BatteryConfig | None], step_hours: float) -> BatteryParams:
    """Build one battery slot per home; a home without a battery gets one of size zero."""
    absent = BatteryConfig(capacity_kwh=1.0, charge_kw=1.0)
    efficiency_curves = [b.efficiency_curve for b in batteries if b and b.efficiency_curve]
    power_curves = [b.power_curve for b in batteries if b and b.power_curve]
    # Constant curves need a single point, which saves a third of the time of a step's physics.
    efficiency_points = max((len(curve.at) for curve in efficiency_curves), default=1)
    if efficiency_curves:
        efficiency_points = max(efficiency_points, _EFFICIENCY_POINTS)
    soc_points = max((len(curve.at) for curve in power_curves), default=1)
    if power_curves:
        soc_points = max(soc_points, _SOC_POINTS)
    rows = [
        _battery_row(
            battery or absent, battery is not None, step_hours, efficiency_points, soc_points
        )
        for battery in batteries
    ]
    stacked = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    arrays = {name: jnp.asarray(part, jnp.float32) for name, part in stacked.items()}
    aging = None
    if any(battery is not None and battery.aging is not None for battery in batteries):
        sizes = [(b.aging, b.capacity_kwh) if b else (None, 0.0) for b in batteries]
        aging = battery_aging.build_params(sizes)
    return BatteryParams(**arrays, aging=aging)


def _battery_row(
    battery: BatteryConfig,
    exists: bool,
    step_hours: float,
    efficiency_points: int,
    soc_points: int,
) -> dict[str, NDArray[np.float64] | float]:
    """Collect the `BatteryParams` of one battery: numbers and short vectors by field name."""
    discharge_kw = battery.charge_kw if battery.discharge_kw is None else battery.discharge_kw
    if battery.efficiency_curve is not None:
        power = _pad(battery.efficiency_curve.at, efficiency_points, rising=True)
        charge_efficiency_curve = _pad(battery.efficiency_curve.value, efficiency_points)
        discharge_efficiency_curve = charge_efficiency_curve
    else:
        power = np.linspace(0.0, 1.0, efficiency_points)
        charge_efficiency_curve = np.full(efficiency_points, battery.charge_efficiency**2)
        discharge_efficiency_curve = np.full(efficiency_points, battery.discharge_efficiency**2)
    if battery.power_curve is not None:
        soc = _pad(battery.power_curve.at, soc_points, rising=True)
        power_share = _pad(battery.power_curve.value, soc_points)
    else:
        soc = np.linspace(0.0, 1.0, soc_points)
        power_share = np.ones(soc_points)
    retention = (1.0 - battery.self_discharge_per_month) ** (step_hours / _HOURS_PER_MONTH)
    return {
        "capacity_kwh": battery.capacity_kwh * exists,
        "charge_kw": battery.charge_kw * exists,
        "discharge_kw": discharge_kw * exists,
        "soc_min": battery.soc_min,
        "soc_max": battery.soc_max,
        "initial_soc": battery.soc_min if battery.initial_soc is None else battery.initial_soc,
        "self_discharge_per_step": 1.0 - retention,
        "capacity_loss_coefficient": battery.capacity_loss_coefficient,
        "efficiency_power_points": power,
        "charge_efficiency_curve": charge_efficiency_curve,
        "discharge_efficiency_curve": discharge_efficiency_curve,
        "power_soc_points": soc,
        "power_curve": power_share,
    }


def _pad(points: list[float], count: int, rising: bool = False) -> NDArray[np.float64]:
    """Extend a curve to `count` points beyond its last point, where it is constant."""
    extra = max(count - len(points), 0)
    tail = [points[-1] + (step + 1.0 if rising else 0.0) for step in range(extra)]
    return np.asarray([*points, *tail], dtype=np.float64)


class Battery(Device[BatteryConfig, BatteryParams, None, BatteryState, StorageFlow]):
    """Home batteries, which balance the meters of the homes."""

    kind = "battery"
    summary = "Home battery with efficiency curves and aging; balances the meter of the home."
    config = BatteryConfig
    order = 0
    surplus_order = 1000
    power_fields = ("charge_kw", "discharge_kw")
    kpis = (
        KPI(
            "battery_wear_cost",
            "Battery wear",
            MONEY,
            2,
            "share of battery life used x price of a new battery",
            "Loss of value of the batteries; not part of any bill.",
            notes="not billed",
            better="lower",
        ),
        KPI(
            "battery_state_of_health",
            "Battery state of health",
            "%",
            1,
            "1 - capacity lost / nominal capacity",
            notes="null without a battery",
            better="higher",
            summed=False,
        ),
    )

    def build_params(
        self, configs: Sequence[Sequence[BatteryConfig]], names: Sequence[str], step_hours: float
    ) -> BatteryParams:
        """Build the parameters of all homes (see `Device.build_params`)."""
        return _battery_params([next(iter(own), None) for own in configs], step_hours)

    def init(self, params: BatteryParams) -> BatteryState:
        """Return the state before the first step."""
        return initial_state(params)

    def step(
        self,
        params: BatteryParams,
        state: BatteryState,
        inputs: None,
        request_kw: Float[Array, "home 1"],
        step_hours: Float[Array, ""],
    ) -> tuple[BatteryState, StorageFlow]:
        """Charge or discharge at the requested power (see `Device.step`)."""
        return step(params, state, request_kw[:, 0], step_hours)

    def default_request(
        self,
        params: BatteryParams,
        state: BatteryState,
        inputs: None,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> Float[Array, "home 1"]:
        """Request zero power."""
        return jnp.zeros_like(params.charge_kw)[:, None]

    def surplus_request(
        self,
        params: BatteryParams,
        state: BatteryState,
        inputs: None,
        surplus_kw: Float[Array, " home"],
        step_hours: Float[Array, ""],
    ) -> tuple[Float[Array, "home 1"], Float[Array, " home"]]:
        """Charge from surplus and cover the deficit."""
        power_kw = jnp.clip(surplus_kw, -params.discharge_kw, params.charge_kw)
        return power_kw[:, None], power_kw

    def slot_limits_kw(
        self, params: BatteryParams
    ) -> tuple[Float[AnyArray, "home 1"], Float[AnyArray, "home 1"]]:
        """Return the power limits of charging and discharging."""
        return params.charge_kw[..., None], params.discharge_kw[..., None]

    def stored_kwh(self, params: BatteryParams, state: BatteryState) -> Float[Array, " home"]:
        """Return the stored energy."""
        return state.stored_kwh

    def capacity_kwh(self, params: BatteryParams) -> Float[AnyArray, " home"]:
        """Return the nominal capacity."""
        return params.capacity_kwh

    def compute_kpis(
        self, params: BatteryParams, flow: StorageFlow
    ) -> dict[str, Float[AnyArray, " home"]]:
        """Compute cost of aging and remaining capacity; nothing where no battery ages.

        The cost is in the currency of the tariff. The state of health is NaN without a battery.
        """
        if params.aging is None or flow.capacity_loss_kwh is None or flow.life_used is None:
            return {}
        lost = ratio(flow.capacity_loss_kwh.sum(0), params.capacity_kwh, np)
        return {
            "battery_wear_cost": flow.life_used.sum(0) * params.aging.replacement_cost,
            "battery_state_of_health": 1 - lost,
        }

    def milp(
        self,
        program: LinearProgram,
        params: BatteryParams,
        series: None,
        step_hours: float,
        negative: Bool[NDArray[np.bool_], " step"],
    ) -> LinearDevice:
        """Add linear batteries that no real battery outperforms (see `Device.milp`)."""
        # This module is imported there.
        from prosumax.devices.battery_program import (
            add_storage,
            best_case_storage,
            replace_absent_batteries,
        )

        battery = replace_absent_batteries(params)
        storage = best_case_storage(battery, program.shape[0], step_hours, negative)
        net = add_storage(program.model, battery, storage, step_hours)
        return LinearDevice(net, (("charge", "discharge"),))


devices.register(Battery.kind, Battery.summary)(Battery())
