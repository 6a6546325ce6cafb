"""A battery as a linear program sees it: variables, limits, and what it adds to its home's meter."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

from prosumax.devices.battery import BatteryParams

Array = NDArray[np.float64]
_DIMS = ("step", "home")


class Physics(NamedTuple):
    """The numbers a linear battery has in each step; all [step, home].

    Attributes:
        charge_efficiency, discharge_efficiency: one way, AC to store and store to AC.
        floor_kwh, ceiling_kwh: least and most energy inside after the step.
        both_ways: whether charging and discharging at once must be ruled out by a binary, because burning energy pays.
    """

    charge_efficiency: Float[Array, "step home"]
    discharge_efficiency: Float[Array, "step home"]
    floor_kwh: Float[Array, "step home"]
    ceiling_kwh: Float[Array, "step home"]
    both_ways: Bool[NDArray[np.bool_], "step home"]


def best_physics(
    battery: BatteryParams, steps: int, step_hours: float, negative: Bool[Any, " step"]
) -> Physics:
    """No real battery does better: the best efficiency of the curves, nothing worn.

    A battery whose efficiency is the same at every power is described exactly, with one exception: where standing loss
    would carry it below `soc_min`, it is topped up, as far as its power reaches.

    Arguments:
        battery: NumPy, one slot per home.
        steps: of the plan.
        step_hours: length of a step.
        negative: steps in which buying or selling a kWh has a negative price.
    """
    shape = (steps, len(battery.capacity_kwh))
    charge, discharge = (
        np.sqrt(curve.max(-1)) for curve in (battery.charge_curve, battery.discharge_curve)
    )
    lossy = (charge * discharge < 1) & (battery.charge_kw > 0)
    return Physics(
        np.broadcast_to(charge, shape),
        np.broadcast_to(discharge, shape),
        _floor(battery, steps, charge * battery.charge_kw * step_hours),
        np.broadcast_to(battery.soc_max * battery.capacity_kwh, shape),
        np.asarray(negative)[:, None] & lossy[None, :],
    )


def usual_physics(
    battery: BatteryParams, steps: int, step_hours: float, usual_kw: Float[Array, " home"]
) -> Physics:
    """The battery at one power: its efficiency at `usual_kw`, `soc_min` and `soc_max` as they are; no binaries."""
    share = usual_kw / battery.charge_kw, usual_kw / battery.discharge_kw
    charge, discharge = (
        np.sqrt(
            [np.interp(power, points, curve) for power, points, curve in zip(*rows, strict=True)]
        )
        for rows in (
            (share[0], battery.efficiency_power, battery.charge_curve),
            (share[1], battery.efficiency_power, battery.discharge_curve),
        )
    )
    shape = (steps, len(battery.capacity_kwh))
    return Physics(
        np.broadcast_to(charge, shape),
        np.broadcast_to(discharge, shape),
        _floor(
            battery._replace(initial_soc=battery.soc_min),
            steps,
            charge * battery.charge_kw * step_hours,
        ),
        np.broadcast_to(battery.soc_max * battery.capacity_kwh, shape),
        np.zeros(shape, bool),
    )


def _floor(
    battery: BatteryParams, steps: int, reach_kwh: Float[Array, " home"]
) -> Float[Array, "step home"]:
    """`soc_min`, or what a battery can be kept at that starts lower or is too weak for its own standing loss."""
    keep: Any = 1 - battery.standing_loss
    level: Any = battery.initial_soc * battery.capacity_kwh
    wanted = battery.soc_min * battery.capacity_kwh
    floor = np.empty((steps, len(wanted)))
    for step in range(steps):
        # Half of its power is left for decisions; only a battery that loses most of its energy a day needs more.
        level = np.minimum(wanted, keep * level + 0.5 * reach_kwh)
        floor[step] = level
        if step and np.array_equal(floor[step], floor[step - 1]):
            floor[step:] = level
            break
    return floor


def power_limits(
    battery: BatteryParams,
) -> list[tuple[Float[Array, " home"], Float[Array, " home"]]]:
    """Lines (intercept, slope) over the state of charge, each [home], under which the share of the power limit stays.

    A concave curve is the least of its lines and thereby exact. Of a curve that is not concave the least value stands
    for all of it, which is on the safe side.
    """
    homes = [
        _lines(*(np.asarray(part) for part in home))
        for home in zip(
            battery.power_soc, battery.power_curve, battery.soc_min, battery.soc_max, strict=True
        )
    ]
    most = max(len(lines) for lines in homes)
    padded = np.array([lines + [lines[-1]] * (most - len(lines)) for lines in homes])
    return [(padded[:, line, 0], padded[:, line, 1]) for line in range(most)]


def _lines(
    points: Array, values: Array, lowest: Array, highest: Array
) -> list[tuple[float, float]]:
    inside = points[(points > lowest) & (points < highest)]
    at = np.concatenate([[lowest], inside, [highest]])
    share = np.interp(at, points, values)
    slopes = np.diff(share) / np.diff(at)
    if (np.diff(slopes) > 1e-6).any():
        return [(float(share.min()), 0.0)]
    return [
        (float(value - slope * x), float(slope))
        for x, value, slope in zip(at, share, slopes, strict=False)
    ]


def add_storage(model: Any, battery: BatteryParams, physics: Physics, step_hours: float) -> Any:
    """Give a model the batteries of its homes.

    Arguments:
        model: a linopy model whose dimensions are `step` and `home`.
        battery: NumPy, one slot per home, none of size zero.
        physics: of the same homes.
        step_hours: length of a step.

    Returns:
        What they add to the meters, kWh [step, home]: a linopy expression. The variables are called `charge`,
        `discharge` (kWh at the AC side) and `stored` (kWh after the step).
    """
    import xarray as xr

    steps, homes = physics.floor_kwh.shape

    def table(values: Any) -> Any:
        return xr.DataArray(np.broadcast_to(values, (steps, homes)), dims=_DIMS)

    charge_kwh, discharge_kwh = battery.charge_kw * step_hours, battery.discharge_kw * step_hours
    lines = power_limits(battery)
    most = np.min(
        [i + np.maximum(s * battery.soc_min, s * battery.soc_max) for i, s in lines], axis=0
    )
    charge = model.add_variables(0, table(charge_kwh * most), name="charge")
    discharge = model.add_variables(0, table(discharge_kwh * most), name="discharge")
    stored = model.add_variables(
        table(physics.floor_kwh), table(physics.ceiling_kwh), name="stored"
    )
    before = stored.shift(step=1).fillna(
        0
    )  # what is inside before the first step is a number, on the right side
    start = np.zeros((steps, homes))
    start[0] = battery.initial_soc * battery.capacity_kwh
    keep = 1 - battery.standing_loss
    model.add_constraints(
        stored
        - table(keep) * before
        - table(physics.charge_efficiency) * charge
        + table(1 / physics.discharge_efficiency) * discharge
        == table(keep * start),
        name="store",
    )
    for number, (intercept, slope) in enumerate(lines):
        if not slope.any():
            continue
        per_kwh = slope / battery.capacity_kwh
        for name, variable, full in (
            ("charge", charge, charge_kwh),
            ("discharge", discharge, discharge_kwh),
        ):
            model.add_constraints(
                variable - table(full * per_kwh) * before
                <= table(full * (intercept + per_kwh * start)),
                name=f"{name}_power_{number}",
            )
    if physics.both_ways.any():
        which = table(physics.both_ways)
        places = [np.arange(steps), np.arange(homes)]
        charging = model.add_variables(
            binary=True, coords=places, dims=_DIMS, mask=which, name="charging"
        ).fillna(0)
        model.add_constraints(
            charge - table(charge_kwh) * charging <= 0, name="only_charge", mask=which
        )
        model.add_constraints(
            discharge + table(discharge_kwh) * charging <= table(discharge_kwh),
            name="only_discharge",
            mask=which,
        )
    return charge - discharge
