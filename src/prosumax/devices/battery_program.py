"""Batteries in a linear program: variables, constraints, and their effect on meters."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, PyTree
from numpy.typing import ArrayLike, NDArray

from prosumax.devices.battery import Battery, BatteryParams
from prosumax.devices.linear_program import DIMS
from prosumax.numerics import AnyArray
from prosumax.types import EventSeries

if TYPE_CHECKING:
    from linopy import LinearExpression, Model

Array = NDArray[np.float64]

# Increase of a slope above which a power curve counts as not concave.
_SLOPE_TOLERANCE = 1e-6

# Share of a battery's charging power that may be needed to hold `soc_min`; the rest is left for
# decisions. Only a battery that loses most of its energy in a day needs more.
_HOLDING_POWER_SHARE = 0.5


class StorageModel(NamedTuple):
    """Parameters of linear batteries in every step; all [step, home].

    Attributes:
        charge_efficiency: One-way efficiency from AC to storage.
        discharge_efficiency: One-way efficiency from storage to AC.
        min_stored_kwh: Lower limit of the stored energy after the step.
        max_stored_kwh: Upper limit of the stored energy after the step.
        exclusive: Whether a binary must exclude simultaneous charging and discharging, because
            dissipating energy pays.
    """

    charge_efficiency: Float[Array, "step home"]
    discharge_efficiency: Float[Array, "step home"]
    min_stored_kwh: Float[Array, "step home"]
    max_stored_kwh: Float[Array, "step home"]
    exclusive: Bool[NDArray[np.bool_], "step home"]


def best_case_storage(
    battery: BatteryParams,
    steps: int,
    step_hours: float,
    negative: Bool[NDArray[np.bool_], " step"],
) -> StorageModel:
    """Return a linear model that no real battery outperforms: best efficiency, no capacity loss.

    A battery with constant efficiency is described exactly, with one exception: where
    self-discharge would take it below `soc_min`, it is charged as far as its power permits.

    Args:
        battery: Batteries in NumPy, one entry per home. Power limits and self-discharge may be
            [step, home].
        steps: Number of steps.
        step_hours: Length of a step in hours.
        negative: Steps in which the price of buying or selling a kWh is negative.
    """
    shape = (steps, len(battery.capacity_kwh))
    charge = np.sqrt(battery.charge_efficiency_curve.max(-1))
    discharge = np.sqrt(battery.discharge_efficiency_curve.max(-1))
    is_lossy = (charge * discharge < 1) & (battery.charge_kw > 0)
    return StorageModel(
        charge_efficiency=np.broadcast_to(charge, shape),
        discharge_efficiency=np.broadcast_to(discharge, shape),
        min_stored_kwh=_min_stored_kwh(battery, steps, charge * battery.charge_kw * step_hours),
        max_stored_kwh=np.broadcast_to(battery.soc_max * battery.capacity_kwh, shape),
        exclusive=np.asarray(negative)[:, None] & is_lossy,
    )


def typical_storage(
    battery: BatteryParams, steps: int, step_hours: float, typical_kw: Float[Array, " home"]
) -> StorageModel:
    """Return a linear model with the efficiency at a typical power and without binaries.

    Args:
        battery: Batteries in NumPy, one entry per home.
        steps: Number of steps.
        step_hours: Length of a step in hours.
        typical_kw: Power at which the efficiency is taken.
    """
    charge = _efficiency_at(
        typical_kw / battery.charge_kw,
        battery.efficiency_power_points,
        battery.charge_efficiency_curve,
    )
    discharge = _efficiency_at(
        typical_kw / battery.discharge_kw,
        battery.efficiency_power_points,
        battery.discharge_efficiency_curve,
    )
    shape = (steps, len(battery.capacity_kwh))
    at_minimum = battery._replace(initial_soc=battery.soc_min)
    return StorageModel(
        charge_efficiency=np.broadcast_to(charge, shape),
        discharge_efficiency=np.broadcast_to(discharge, shape),
        min_stored_kwh=_min_stored_kwh(at_minimum, steps, charge * battery.charge_kw * step_hours),
        max_stored_kwh=np.broadcast_to(battery.soc_max * battery.capacity_kwh, shape),
        exclusive=np.zeros(shape, bool),
    )


def _efficiency_at(share: AnyArray, points: AnyArray, curve: AnyArray) -> Float[Array, " home"]:
    """Return the one-way efficiency of each home at a share of its power limit."""
    round_trip = [np.interp(*home) for home in zip(share, points, curve, strict=True)]
    return np.sqrt(round_trip)


def _min_stored_kwh(
    battery: BatteryParams, steps: int, max_charge_kwh: Float[Array, "*step home"]
) -> Float[Array, "step home"]:
    """Return the energy at `soc_min`, or what a battery can hold that cannot reach it.

    A battery may start lower, or be too weak for its own self-discharge.
    """
    keep = 1 - np.asarray(battery.self_discharge_per_step)
    is_constant = max_charge_kwh.ndim == 1 and keep.ndim == 1
    level: AnyArray = battery.initial_soc * battery.capacity_kwh
    target = battery.soc_min * battery.capacity_kwh
    floor = np.empty((steps, len(target)))
    max_charge = np.broadcast_to(max_charge_kwh, floor.shape)
    kept = np.broadcast_to(keep, floor.shape)
    for step in range(steps):
        level = np.minimum(target, kept[step] * level + _HOLDING_POWER_SHARE * max_charge[step])
        floor[step] = level
        if step and is_constant and np.array_equal(floor[step], floor[step - 1]):
            floor[step:] = level
            break
    return floor


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


def limit_batteries(battery: BatteryParams, events: EventSeries | None) -> BatteryParams:
    """Return batteries without power while they failed, and frozen while their home is absent.

    Args:
        battery: Batteries in NumPy, one entry per home.
        events: Events of the same homes in NumPy; None without any.

    Returns:
        Batteries with power limits and self-discharge [step, home]; the same without events.
    """
    if events is None:
        return battery
    works = np.asarray(events.availability.get(Battery.kind, 1.0))
    present = np.asarray(1.0 if events.present is None else events.present)
    if not works.ndim and not present.ndim:
        return battery
    fields: dict[str, PyTree] = {
        "charge_kw": battery.charge_kw * works * present,
        "discharge_kw": battery.discharge_kw * works * present,
        "self_discharge_per_step": battery.self_discharge_per_step * present,
    }
    return battery._replace(**fields)


def power_limit_lines(
    battery: BatteryParams,
) -> list[tuple[Float[Array, " home"], Float[Array, " home"]]]:
    """Return lines over the state of charge that bound the share of the power limit.

    A concave curve is the minimum of its lines, which is exact. A curve that is not concave is
    replaced by its minimum, which is conservative.

    Args:
        battery: Batteries in NumPy, one entry per home.

    Returns:
        Intercept and slope of each line, each [home].
    """
    homes = [
        _curve_lines(*(np.asarray(part) for part in home))
        for home in zip(
            battery.power_soc_points,
            battery.power_curve,
            battery.soc_min,
            battery.soc_max,
            strict=True,
        )
    ]
    count = max(len(lines) for lines in homes)
    padded = np.array([lines + [lines[-1]] * (count - len(lines)) for lines in homes])
    return [(padded[:, line, 0], padded[:, line, 1]) for line in range(count)]


def _curve_lines(
    points: Array, values: Array, lowest: Array, highest: Array
) -> list[tuple[float, float]]:
    inside = points[(points > lowest) & (points < highest)]
    soc = np.concatenate([[lowest], inside, [highest]])
    share = np.interp(soc, points, values)
    slopes = np.diff(share) / np.diff(soc)
    if (np.diff(slopes) > _SLOPE_TOLERANCE).any():
        return [(float(share.min()), 0.0)]
    return [
        (float(value - slope * x), float(slope))
        for x, value, slope in zip(soc, share, slopes, strict=False)
    ]


def add_storage(
    model: "Model", battery: BatteryParams, storage: StorageModel, step_hours: float
) -> "LinearExpression":
    """Add the batteries of the homes to a model.

    The variables are `charge` and `discharge` (kWh at the AC side) and `stored` (kWh after the
    step).

    Args:
        model: A linopy model with dimensions `step` and `home`.
        battery: Batteries in NumPy, one entry per home, none of size zero. Power limits and
            self-discharge may be [step, home].
        storage: Linear parameters of the same batteries.
        step_hours: Length of a step in hours.

    Returns:
        Net energy that the batteries add to the meters, kWh [step, home]: a linopy expression.
    """
    import xarray as xr

    steps, homes = storage.min_stored_kwh.shape

    def table(values: ArrayLike) -> xr.DataArray:
        return xr.DataArray(np.broadcast_to(values, (steps, homes)), dims=DIMS)

    charge_kwh = battery.charge_kw * step_hours
    discharge_kwh = battery.discharge_kw * step_hours
    lines = power_limit_lines(battery)
    line_maxima = [
        intercept + np.maximum(slope * battery.soc_min, slope * battery.soc_max)
        for intercept, slope in lines
    ]
    max_share = np.min(line_maxima, axis=0)
    charge = model.add_variables(0, table(charge_kwh * max_share), name="charge")
    discharge = model.add_variables(0, table(discharge_kwh * max_share), name="discharge")
    stored = model.add_variables(
        table(storage.min_stored_kwh), table(storage.max_stored_kwh), name="stored"
    )
    # The energy before the first step is a constant on the right-hand side.
    before = stored.shift(step=1).fillna(0)
    start = np.zeros((steps, homes))
    start[0] = battery.initial_soc * battery.capacity_kwh
    keep = 1 - np.asarray(battery.self_discharge_per_step)
    model.add_constraints(
        stored
        - table(keep) * before
        - table(storage.charge_efficiency) * charge
        + table(1 / storage.discharge_efficiency) * discharge
        == table(keep) * start,
        name="store",
    )
    for number, (intercept, slope) in enumerate(lines):
        if not slope.any():
            continue
        per_kwh = slope / battery.capacity_kwh
        for name, variable, limit in (
            ("charge", charge, charge_kwh),
            ("discharge", discharge, discharge_kwh),
        ):
            model.add_constraints(
                variable - table(limit * per_kwh) * before
                <= table(limit * (intercept + per_kwh * start)),
                name=f"{name}_power_{number}",
            )
    if storage.exclusive.any():
        mask = table(storage.exclusive)
        coords = [list(range(steps)), list(range(homes))]
        is_charging = model.add_variables(
            binary=True, coords=coords, dims=DIMS, mask=mask, name="is_charging"
        ).fillna(0)
        model.add_constraints(
            charge - table(charge_kwh) * is_charging <= 0, name="only_charge", mask=mask
        )
        model.add_constraints(
            discharge + table(discharge_kwh) * is_charging <= table(discharge_kwh),
            name="only_discharge",
            mask=mask,
        )
    return charge - discharge
