"""Linear program of the MAHTM authors (column CVXPY of table 2), which is not an optimum.

It is restated to reproduce the figures of the paper.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from prosumax.optimization.problem import Array, Problem
from prosumax.optimization.program import create_solver, import_linopy, run_solver

if TYPE_CHECKING:
    import xarray

_DIMS = ("step", "home")


def plan_mahtm_solver(
    planned_problem: Problem, simulated_problem: Problem
) -> Float[Array, "step home"]:
    """Plan the batteries with the program that the MAHTM authors posed.

    Per home, with fractions `b` of the capacity and their changes `a`:
    `b[t+1] = b[t] + eta a[t]`, `c = net + eta a`, and the sum of max(c buy, 0) + max(-c sell, 0) is
    minimized. Its known defects are reproduced on purpose:

    1. Exports cost money (the second term should be subtracted).
    2. The capacity is missing: `a` is a fraction in `b` and a kWh in `c`; in the simulation it is
       multiplied by the capacity.
    3. `eta` multiplies the grid side as well as the storage, so that the plan is lossless at every
       efficiency.
    4. The discharge limit bounds `a` from above; discharge itself is only limited by -1.
    5. The plan is made for one sample of the temperatures and simulated with another.
    6. The optimum is not unique, so that the choice of the solver changes the scores by about 1e-4.

    Args:
        planned_problem: Problem that the solver knows.
        simulated_problem: Problem of the homes for which the plan is made; it differs if
            temperature or noise are sampled again.

    Returns:
        Requested power of each battery, kW [step, home].

    References:
        rl-energy-management, branch iclr_paper (Apache-2.0), restated from its behavior; table 2
        of the MAHTM paper.
    """
    linopy, xr = import_linopy()
    storage_homes = planned_problem.storage_homes
    own = planned_problem.select_homes(storage_homes)
    battery = own.battery
    steps, homes = own.net_kwh.shape

    def table(values: ArrayLike) -> "xarray.DataArray":
        array: xarray.DataArray = xr.DataArray(np.broadcast_to(values, (steps, homes)), dims=_DIMS)
        return array

    eta = table(np.sqrt(battery.charge_efficiency_curve.max(-1)))
    limit_kw = np.minimum(battery.charge_kw, battery.discharge_kw)
    limits = limit_kw * planned_problem.step_hours / battery.capacity_kwh
    start = np.zeros((steps, homes))
    start[0] = battery.initial_soc
    model = linopy.Model()
    change = model.add_variables(-1, table(np.minimum(limits, 1.0)), name="change")
    level = model.add_variables(table(battery.soc_min), table(battery.soc_max), name="level")
    before = level.shift(step=1).fillna(0)
    model.add_constraints(level - before - eta * change == table(start), name="store")
    zero = table(np.zeros(homes))
    infinite = table(np.full(homes, np.inf))
    imported = model.add_variables(zero, infinite, name="import")
    exported = model.add_variables(zero, infinite, name="export")
    net = xr.DataArray(own.net_kwh, dims=_DIMS)
    model.add_constraints(imported - exported - eta * change == net, name="meter")
    buy = xr.DataArray(planned_problem.buy_price, dims="step")
    sell = xr.DataArray(planned_problem.sell_price, dims="step")
    model.add_objective((buy * imported).sum() + (sell * exported).sum())
    matrices = model.matrices
    solution = run_solver(create_solver(matrices, {}), matrices, planned_problem.name)
    labels = model.variables["change"].labels.transpose(*_DIMS).to_numpy()
    power = np.zeros_like(simulated_problem.net_kwh)
    power[:, storage_homes] = solution[labels] * battery.capacity_kwh / planned_problem.step_hours
    return power
