"""The solver run of the MAHTM paper (column CVXPY of its table 2), kept to reproduce its figures; it is no optimum."""

from typing import Any

import numpy as np
from jaxtyping import Float

from prosumax.optimization.problem import Array, Problem
from prosumax.optimization.program import libraries, make_solver, run_solver


def plan_like_the_paper(planned: Problem, played: Problem) -> Float[Array, "step home"]:
    """Power asked of each battery by the program that the MAHTM authors posed, kW [step, home].

    Arguments:
        planned: what the solver knows.
        played: the homes that the plan is for; differs from `planned` where temperature or noise were drawn anew.

    Per home: fractions `b` of the capacity and changes `a` of it, `b[t+1] = b[t] + eta a[t]`, `c = net + eta a`,
    minimise the sum of max(c buy, 0) + max(-c sell, 0). Known defects, kept on purpose:

    1. Exports cost money (the second term should be subtracted).
    2. Capacity is absent: `a` is a fraction in `b` and a kWh in `c`; when played it is multiplied by the capacity.
    3. `eta` multiplies the grid side as well as the store, so that the plan is lossless at every efficiency.
    4. The discharge limit bounds `a` from above; discharge is only limited by -1.
    5. The plan is made for one draw of the temperatures and played on another.
    6. The optimum is not unique, so that the choice of the solver moves the scores by about 1e-4.

    Source: rl-energy-management, branch iclr_paper (Apache-2.0), restated from its behaviour; table 2 of the paper.
    """
    linopy, xr = libraries()
    storing = planned.storing
    own = planned.of(storing)
    battery, dims = own.battery, ("step", "home")
    steps, homes = own.net_kwh.shape

    def table(values: Any) -> Any:
        return xr.DataArray(np.broadcast_to(values, (steps, homes)), dims=dims)

    eta = table(np.sqrt(battery.charge_curve.max(-1)))
    limits = (
        np.minimum(battery.charge_kw, battery.discharge_kw)
        * planned.step_hours
        / battery.capacity_kwh
    )
    start = np.zeros((steps, homes))
    start[0] = battery.initial_soc
    model = linopy.Model()
    change = model.add_variables(-1, table(np.minimum(limits, 1.0)), name="change")
    level = model.add_variables(table(battery.soc_min), table(battery.soc_max), name="level")
    model.add_constraints(
        level - level.shift(step=1).fillna(0) - eta * change == table(start), name="store"
    )
    nothing, endless = table(np.zeros(homes)), table(np.full(homes, np.inf))
    bought = model.add_variables(nothing, endless, name="import")
    sold = model.add_variables(nothing, endless, name="export")
    net = xr.DataArray(own.net_kwh, dims=dims)
    model.add_constraints(bought - sold - eta * change == net, name="meter")
    buy, sell = (xr.DataArray(series, dims="step") for series in (planned.buy, planned.sell))
    model.add_objective((buy * bought).sum() + (sell * sold).sum())
    matrices = model.matrices
    found = run_solver(make_solver(matrices, {}), matrices, planned.name)
    power = np.zeros_like(played.net_kwh)
    labels = model.variables["change"].labels.transpose(*dims).to_numpy()
    power[:, storing] = found[labels] * battery.capacity_kwh / planned.step_hours
    return power
