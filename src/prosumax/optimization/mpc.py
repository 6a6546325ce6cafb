"""Rolling-horizon control: in every step the best plan for the hours ahead, of which only the first step is done.

Prices are known over the horizon (a day-ahead tariff is); load and sun are known for the running step and forecast for
the others. The program is written once and only its numbers change, so that a step takes milliseconds.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.devices import battery as _battery
from prosumax.errors import InputError
from prosumax.optimization.planning import silent
from prosumax.optimization.problem import Array, Problem, check_bounded
from prosumax.optimization.program import OnStage, build, make_solver
from prosumax.optimization.storage import Physics, power_limits, usual_physics

Forecast = Callable[[int], Float[Array, "horizon home"]]
"""First step of the horizon -> net energy of every home in its steps, the first one true; zero behind the period."""

_REPORTS = 50  # progress lines of a run


def forecaster(
    problem: Problem,
    kind: Literal["perfect", "persistence", "noisy"],
    horizon: int,
    error: float = 0.2,
    seed: int = 0,
) -> Forecast:
    """What a controller believes about the steps ahead.

    Arguments:
        problem: holds the truth.
        kind: `perfect`; `persistence`, the same hour of the last day that is known (on the first day: the present
            value); `noisy`, the truth with normal errors that are drawn anew in every step.
        horizon: in steps.
        error: standard deviation of the noisy forecast at the end of the horizon, as a share of the home's mean
            absolute net energy; it grows with the root of the distance.
        seed: of the errors.
    """
    net = problem.net_kwh
    steps, homes = net.shape
    day = max(1, round(24 / problem.step_hours))
    truth = np.vstack([net, np.zeros((horizon, homes))])
    ahead = np.arange(horizon)

    def perfect(now: int) -> Float[Array, "horizon home"]:
        return truth[now : now + horizon]

    def persistence(now: int) -> Float[Array, "horizon home"]:
        known = now + ahead - day * np.maximum(np.ceil(ahead / day).astype(int), 1)
        known = np.where(ahead == 0, now, np.where(known < 0, now, known))
        return np.where((now + ahead < steps)[:, None], net[known], 0.0)

    def noisy(now: int) -> Float[Array, "horizon home"]:
        rng = np.random.default_rng((seed, now))
        spread = error * np.sqrt(ahead / max(horizon - 1, 1))[:, None] * np.abs(net).mean(0)
        drawn = truth[now : now + horizon] + spread * rng.standard_normal((horizon, homes))
        return np.where((now + ahead < steps)[:, None], drawn, 0.0)

    return {"perfect": perfect, "persistence": persistence, "noisy": noisy}[kind]


def plan_rolling(
    problem: Problem,
    forecast: Forecast,
    horizon: int,
    *,
    together: bool,
    on_stage: OnStage = silent,
) -> Float[Array, "step home"]:
    """Power asked of each battery when every step is planned anew [step, home].

    Arguments:
        problem: from `pose`.
        forecast: from `forecaster`.
        horizon: in steps.
        together: plan the community as one, or each home for itself.
        on_stage: progress.

    A battery whose efficiency depends on power is planned with its efficiency at the home's usual power. What is left
    in the battery behind the horizon is worth nothing to the plan. Other devices keep their habits.

    Raises:
        InputError: linopy or HiGHS is not installed, or a step has no plan.
    """
    check_bounded(problem)
    problem = problem.without_devices
    storing = problem.storing
    power = np.zeros_like(problem.net_kwh)
    if not len(storing):
        return power
    window = _Window(problem, horizon, together)
    state: Any = _battery.initial_state(window.params)
    peaks = np.full(len(storing), problem.capacity_minimum_kw)
    steps = len(power)
    for now in range(steps):
        if now % max(1, steps // _REPORTS) == 0:
            on_stage(f"Rolling horizon: step {now:,} of {steps:,}", now / steps)
        if now and problem.month[now] != problem.month[now - 1]:
            peaks = np.full(len(storing), problem.capacity_minimum_kw)
        power[now, storing] = window.first_power(
            now, forecast(now), np.asarray(state.stored_kwh, np.float64), peaks
        )
        state, flow = _one_step(
            window.params, state, jnp.asarray(power[now, storing], jnp.float32), window.hours
        )
        bought = (
            problem.net_kwh[now, storing]
            + np.asarray(flow.charge_kwh)
            - np.asarray(flow.discharge_kwh)
        )
        peaks = np.maximum(peaks, bought / problem.step_hours)
    return power


_one_step = jax.jit(_battery.step)


class _Window:
    """The program of one horizon, held by the solver; its numbers move on with the steps."""

    def __init__(self, problem: Problem, horizon: int, together: bool) -> None:
        self.problem, self.horizon, self.together = problem, horizon, together
        self.storing = problem.storing
        self.others = np.setdiff1d(np.arange(problem.net_kwh.shape[1]), self.storing)
        self.battery = problem.of(self.storing).battery
        self.params: Any = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), self.battery)
        self.hours = jnp.float32(problem.step_hours)
        blank = replace(
            problem.between(0, 1),
            net_kwh=np.zeros((horizon, problem.net_kwh.shape[1])),
            month=np.zeros(horizon, np.int64),
            metered=np.arange(horizon),
            capacity_price=problem.capacity_price[:1],
            buy=np.ones(horizon),
            retail=np.ones(horizon),
            sell=np.ones(horizon),
            local=np.ones(horizon),
        )
        usual_kw = np.abs(problem.net_kwh[:, self.storing]).mean(0) / problem.step_hours
        self.physics: Physics = usual_physics(self.battery, horizon, problem.step_hours, usual_kw)
        model, _ = build(blank, self.physics, together=together)
        matrices = model.matrices
        self.solver = make_solver(matrices, {"threads": 1, "presolve": "off", "output_flag": False})
        self.columns = {
            name: _places(model.variables[name].labels, matrices.vlabels)
            for name in model.variables
        }
        self.rows = {
            name: _places(model.constraints[name].labels, matrices.clabels)
            for name in model.constraints
        }
        self.lines = power_limits(self.battery)

    def first_power(
        self,
        now: int,
        net: Float[Array, "horizon home"],
        stored: Float[Array, " home"],
        peaks: Float[Array, " home"],
    ) -> Float[Array, " home"]:
        """Power of the first step of the best plan from here, kW, for the homes with a battery."""
        self._set_prices(now)
        self._set_state(stored)
        own, rest = net[:, self.storing], net[:, self.others]
        self._bound("meter", own, np.inf)
        if self.together:
            need, surplus = np.maximum(rest, 0).sum(1), np.maximum(-rest, 0).sum(1)
            self._bound("shared_need", -np.inf, need)
            self._bound("shared_surplus", -np.inf, surplus - own.sum(1))
        if "peak" in self.columns:
            at = self.columns["peak"].ravel()
            self.solver.changeColsBounds(len(at), at, np.ravel(peaks), np.full(len(at), np.inf))
        self.solver.run()
        status = self.solver.modelStatusToString(self.solver.getModelStatus())
        if status != "Optimal":
            where = f"{self.problem.name}: mpc, step {now}"
            raise InputError(
                where, f"has no plan (HiGHS says: {status.lower()})", "Check the batteries' limits."
            )
        found = np.asarray(self.solver.getSolution().col_value)
        charge, discharge = found[self.columns["charge"][0]], found[self.columns["discharge"][0]]
        return (charge - discharge) / self.problem.step_hours

    def _set_prices(self, now: int) -> None:
        problem, homes = self.problem, len(self.storing)
        ahead = slice(now, now + self.horizon)
        offers = (problem.buy, problem.sell, problem.local)
        buy, sell, local = (_filled(series[ahead], self.horizon) for series in offers)
        costs = {"import": buy - sell, "charge": sell, "discharge": -sell}
        for name, cost in costs.items():
            self._price(name, np.repeat(cost, homes))
        if self.together:
            self._price("shared", -np.maximum(buy - sell - local, 0))
        if "peak" in self.columns:
            self._price("peak", np.full(homes, problem.capacity_price[problem.month[now]]))

    def _set_state(self, stored: Float[Array, " home"]) -> None:
        battery, hours = self.battery, self.problem.step_hours
        # Single precision and standing loss may leave it a trace outside.
        start = np.clip(
            stored, battery.soc_min * battery.capacity_kwh, battery.soc_max * battery.capacity_kwh
        )
        kept = (1 - battery.standing_loss) * start
        rows = self.rows["store"][0]
        self.solver.changeRowsBounds(len(rows), rows, kept, kept)
        for number, (intercept, slope) in enumerate(self.lines):
            for name, limit in (("charge", battery.charge_kw), ("discharge", battery.discharge_kw)):
                if (key := f"{name}_power_{number}") in self.rows:
                    share = intercept + slope * start / battery.capacity_kwh
                    rows = self.rows[key][0]
                    self.solver.changeRowsBounds(
                        len(rows), rows, np.full(len(rows), -np.inf), limit * hours * share
                    )

    def _price(self, name: str, cost: Float[Array, " column"]) -> None:
        at = self.columns[name].ravel()
        self.solver.changeColsCost(len(at), at, np.ascontiguousarray(cost, np.float64))

    def _bound(self, name: str, low: Any, high: Any) -> None:
        at = self.rows[name].ravel()
        low, high = (
            np.ascontiguousarray(np.broadcast_to(side, self.rows[name].shape)).ravel()
            for side in (low, high)
        )
        self.solver.changeRowsBounds(len(at), at, low.astype(np.float64), high.astype(np.float64))


def _filled(series: Float[Array, " step"], horizon: int) -> Float[Array, " horizon"]:
    """Behind the period nothing costs anything."""
    return np.concatenate([series, np.zeros(horizon - len(series))])


def _places(labels: Any, ordered: NDArray[np.int64]) -> NDArray[np.int32]:
    """Column or row number of each label, with `step` first."""
    array = labels.transpose(
        *[dim for dim in ("month", "step", "home") if dim in labels.dims]
    ).to_numpy()
    return np.searchsorted(ordered, array).astype(np.int32)
