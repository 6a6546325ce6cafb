"""Model predictive control: a receding-horizon plan in every step, of which one step is executed.

Prices are known over the horizon, as with a day-ahead tariff. Load and PV generation are known for
the current step and forecast for the others. The program is built once and only its numbers
change, so that a step takes milliseconds.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from prosumax.devices import battery as battery_model
from prosumax.devices.battery import BatteryParams
from prosumax.devices.battery_program import StorageModel, power_limit_lines, typical_storage
from prosumax.errors import InputError
from prosumax.numerics import AnyArray
from prosumax.optimization.planning import ignore_progress
from prosumax.optimization.problem import Array, Problem, check_bounded
from prosumax.optimization.program import ProgressCallback, build_model, create_solver

if TYPE_CHECKING:
    import xarray as xr

Forecast = Callable[[int], Float[Array, "horizon home"]]
"""Function from the first step of the horizon to the net energy of every home in its steps.

The first step is exact; steps after the end of the period are zero.
"""

_HOURS_PER_DAY = 24

# Number of progress messages of a run.
_NUM_MESSAGES = 50


def make_forecaster(
    problem: Problem,
    kind: Literal["perfect", "persistence", "noisy"],
    horizon: int,
    error: float = 0.2,
    seed: int = 0,
) -> Forecast:
    """Return a forecast of the net energy.

    Args:
        problem: The problem, with the true net energy.
        kind: `perfect`; `persistence`, the same hour of the last known day (on the first day the
            present value); or `noisy`, the true value with normal errors that are sampled in every
            step.
        horizon: Number of steps.
        error: Standard deviation of the noisy forecast at the end of the horizon, as a share of
            the mean absolute net energy of the home; it grows with the square root of the distance.
        seed: Seed of the errors.
    """
    net = problem.net_kwh
    steps, homes = net.shape
    day = max(1, round(_HOURS_PER_DAY / problem.step_hours))
    truth = np.vstack([net, np.zeros((horizon, homes))])
    ahead = np.arange(horizon)

    def perfect(start: int) -> Float[Array, "horizon home"]:
        return truth[start : start + horizon]

    def persistence(start: int) -> Float[Array, "horizon home"]:
        days_back = np.maximum(np.ceil(ahead / day).astype(int), 1)
        known = start + ahead - day * days_back
        known = np.where(known < 0, start, known)
        known = np.where(ahead == 0, start, known)
        return np.where((start + ahead < steps)[:, None], net[known], 0.0)

    def noisy(start: int) -> Float[Array, "horizon home"]:
        rng = np.random.default_rng((seed, start))
        growth = np.sqrt(ahead / max(horizon - 1, 1))[:, None]
        spread = error * growth * np.abs(net).mean(0)
        noise = spread * rng.standard_normal((horizon, homes))
        forecast = truth[start : start + horizon] + noise
        return np.where((start + ahead < steps)[:, None], forecast, 0.0)

    return {"perfect": perfect, "persistence": persistence, "noisy": noisy}[kind]


def plan_receding_horizon(
    problem: Problem,
    forecast: Forecast,
    horizon: int,
    *,
    joint: bool,
    on_progress: ProgressCallback = ignore_progress,
) -> Float[Array, "step home"]:
    """Plan the batteries again in every step and execute the first step of each plan.

    A battery whose efficiency depends on power is planned with the efficiency at the typical power
    of its home, and aging is neglected. Energy that is stored after the horizon has no value. Other
    devices keep their default control.

    Args:
        problem: The problem, from `build_problem`.
        forecast: Forecast from `make_forecaster`.
        horizon: Number of steps.
        joint: Whether the community is planned together; otherwise each home for itself.
        on_progress: Called with a message and the completed share of the work.

    Returns:
        Requested power of each battery, kW [step, home].

    Raises:
        InputError: If linopy or HiGHS is not installed, or a step has no plan.
    """
    check_bounded(problem)
    problem = problem.without_devices
    homes = problem.storage_homes
    power = np.zeros_like(problem.net_kwh)
    if not len(homes):
        return power
    program = _RecedingHorizonProgram(problem, horizon, joint)
    state = battery_model.initial_state(program.params)
    min_peaks = np.full(len(homes), problem.min_billed_peak_kw)
    peaks = min_peaks
    steps = len(power)
    for step in range(steps):
        if step % max(1, steps // _NUM_MESSAGES) == 0:
            on_progress(f"Receding horizon: step {step:,} of {steps:,}", step / steps)
        if step and problem.month[step] != problem.month[step - 1]:
            peaks = min_peaks
        stored = np.asarray(state.stored_kwh, np.float64)
        power[step, homes] = program.plan_step(step, forecast(step), stored, peaks)
        requested = jnp.asarray(power[step, homes], jnp.float32)
        state, flow = _step_battery(program.params, state, requested, program.hours)
        charge = np.asarray(flow.charge_kwh)
        meter = problem.net_kwh[step, homes] + charge - np.asarray(flow.discharge_kwh)
        peaks = np.maximum(peaks, meter / problem.step_hours)
    return power


_step_battery = jax.jit(battery_model.step)


class _RecedingHorizonProgram:
    """Program of one horizon in a solver, whose numbers are updated from step to step."""

    def __init__(self, problem: Problem, horizon: int, joint: bool) -> None:
        self.problem = problem
        self.horizon = horizon
        self.joint = joint
        self.homes = problem.storage_homes
        self.others = np.setdiff1d(np.arange(problem.net_kwh.shape[1]), self.homes)
        self.battery = problem.select_homes(self.homes).battery._replace(aging=None)
        self.params: BatteryParams = jax.tree.map(
            lambda leaf: jnp.asarray(leaf, jnp.float32), self.battery
        )
        self.hours = jnp.float32(problem.step_hours)
        template = replace(
            problem.select_steps(0, 1),
            net_kwh=np.zeros((horizon, problem.net_kwh.shape[1])),
            month=np.zeros(horizon, np.int64),
            metering_interval=np.arange(horizon),
            capacity_price=problem.capacity_price[:1],
            buy_price=np.ones(horizon),
            retail_price=np.ones(horizon),
            sell_price=np.ones(horizon),
            local_grid_fee=np.ones(horizon),
        )
        typical_kw = np.abs(problem.net_kwh[:, self.homes]).mean(0) / problem.step_hours
        storage: StorageModel = typical_storage(
            self.battery, horizon, problem.step_hours, typical_kw
        )
        model, _ = build_model(template, storage, joint=joint)
        matrices = model.matrices
        options: dict[str, float | str] = {"threads": 1, "presolve": "off", "output_flag": False}
        self.solver = create_solver(matrices, options)
        self.columns = {
            name: _positions(model.variables[name].labels, matrices.vlabels)
            for name in model.variables
        }
        self.rows = {
            name: _positions(model.constraints[name].labels, matrices.clabels)
            for name in model.constraints
        }
        self.lines = power_limit_lines(self.battery)

    def plan_step(
        self,
        step: int,
        net: Float[Array, "horizon home"],
        stored: Float[Array, " home"],
        peaks: Float[Array, " home"],
    ) -> Float[Array, " home"]:
        """Return the battery power of the first step of the best plan, kW.

        Args:
            step: First step of the horizon.
            net: Forecast net energy of all homes.
            stored: Stored energy of the batteries.
            peaks: Highest import of the month so far, kW.
        """
        self._set_prices(step)
        self._set_state(stored)
        own = net[:, self.homes]
        rest = net[:, self.others]
        self._set_bounds("meter", own, np.inf)
        if self.joint:
            deficit = np.maximum(rest, 0).sum(1)
            surplus = np.maximum(-rest, 0).sum(1)
            self._set_bounds("shared_deficit", -np.inf, deficit)
            self._set_bounds("shared_surplus", -np.inf, surplus - own.sum(1))
        if "peak" in self.columns:
            columns = self.columns["peak"].ravel()
            unlimited = np.full(len(columns), np.inf)
            self.solver.changeColsBounds(len(columns), columns, np.ravel(peaks), unlimited)
        self.solver.run()
        status = self.solver.modelStatusToString(self.solver.getModelStatus())
        if status != "Optimal":
            raise InputError(
                f"{self.problem.name}: mpc, step {step}",
                f"the problem has no plan (HiGHS says: {status.lower()})",
                "Check the limits of the batteries.",
            )
        solution = np.asarray(self.solver.getSolution().col_value)
        charge = solution[self.columns["charge"][0]]
        discharge = solution[self.columns["discharge"][0]]
        power: Array = (charge - discharge) / self.problem.step_hours
        return power

    def _set_prices(self, step: int) -> None:
        problem = self.problem
        homes = len(self.homes)
        ahead = slice(step, step + self.horizon)
        buy = _pad(problem.buy_price[ahead], self.horizon)
        sell = _pad(problem.sell_price[ahead], self.horizon)
        fee = _pad(problem.local_grid_fee[ahead], self.horizon)
        costs = {"import": buy - sell, "charge": sell, "discharge": -sell}
        for name, cost in costs.items():
            self._set_cost(name, np.repeat(cost, homes))
        if self.joint:
            self._set_cost("shared", -np.maximum(buy - sell - fee, 0))
        if "peak" in self.columns:
            price = problem.capacity_price[problem.month[step]]
            self._set_cost("peak", np.full(homes, price))

    def _set_state(self, stored: Float[Array, " home"]) -> None:
        battery = self.battery
        hours = self.problem.step_hours
        # Single precision and self-discharge may leave the state slightly outside its limits.
        start = np.clip(
            stored, battery.soc_min * battery.capacity_kwh, battery.soc_max * battery.capacity_kwh
        )
        kept = (1 - battery.self_discharge_per_step) * start
        rows = self.rows["store"][0]
        self._change_rows(rows, kept, kept)
        for number, (intercept, slope) in enumerate(self.lines):
            share = intercept + slope * start / battery.capacity_kwh
            for name, limit in (("charge", battery.charge_kw), ("discharge", battery.discharge_kw)):
                key = f"{name}_power_{number}"
                if key in self.rows:
                    rows = self.rows[key][0]
                    unlimited = np.full(len(rows), -np.inf)
                    self._change_rows(rows, unlimited, limit * hours * share)

    def _set_cost(self, name: str, cost: Float[Array, " column"]) -> None:
        columns = self.columns[name].ravel()
        self.solver.changeColsCost(len(columns), columns, np.ascontiguousarray(cost, np.float64))

    def _set_bounds(self, name: str, lower: ArrayLike, upper: ArrayLike) -> None:
        shape = self.rows[name].shape
        rows = self.rows[name].ravel()
        lower, upper = (
            np.ascontiguousarray(np.broadcast_to(side, shape)).ravel() for side in (lower, upper)
        )
        self._change_rows(rows, lower.astype(np.float64), upper.astype(np.float64))

    def _change_rows(self, rows: NDArray[np.int32], lower: AnyArray, upper: AnyArray) -> None:
        # The method has a vectorized overload that the stubs of HiGHS leave out.
        change = self.solver.changeRowsBounds  # type: ignore[attr-defined]
        change(len(rows), rows, lower, upper)


def _pad(series: Float[Array, " step"], horizon: int) -> Float[Array, " horizon"]:
    """Append zero prices after the end of the period."""
    return np.concatenate([series, np.zeros(horizon - len(series))])


def _positions(labels: "xr.DataArray", ordered: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the column or row number of each label, with dimension `step` first."""
    dims = [dim for dim in ("month", "step", "home") if dim in labels.dims]
    positions = np.searchsorted(ordered, labels.transpose(*dims).to_numpy())
    return np.asarray(positions, np.int32)
