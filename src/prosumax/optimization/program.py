"""The linear program of a problem: written with linopy, solved by HiGHS."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from prosumax.errors import InputError
from prosumax.optimization.flexible import add_flexible, or_idle, price_of_leaving_out, requests_of
from prosumax.optimization.problem import Array, Problem, cost_alone
from prosumax.optimization.storage import Physics, add_storage
from prosumax.types import Requests

OnStage = Callable[[str, float], None]

MOST_BINARIES = 20_000
"""Beyond that a mixed-integer program may take hours."""

_TIME_LIMIT_S = 60.0  # of a program with binaries, whose gap is then reported
_GAP = 1e-6
_TOLERANCE = 1e-9  # of feasibility; HiGHS's own 1e-7 kWh adds up over a year of minutes


class Solution(NamedTuple):
    """What the solver found.

    Attributes:
        charge_kwh, discharge_kwh: at the AC side [step, home], zero for homes without a battery.
        stored_kwh: after each step [step, home].
        objective: money, fees and constants included.
        bound: no plan of this program costs less; below the objective only where binaries ran out of time.
        columns, rows, nonzeros: size of the program.
        seconds: building and solving.
        basis: of the solver, to start the next program from.
        requests: of the devices of the homes that decide, kW [step, home]; None where there are none.
    """

    charge_kwh: Float[Array, "step home"]
    discharge_kwh: Float[Array, "step home"]
    stored_kwh: Float[Array, "step home"]
    objective: float
    bound: float
    columns: int
    rows: int
    nonzeros: int
    seconds: float
    basis: Any
    requests: Requests | None = None


def solve(
    problem: Problem,
    physics: Physics,
    *,
    together: bool,
    on_stage: OnStage = lambda stage, done: None,
    start: Any = None,
    options: dict[str, Any] | None = None,
) -> Solution:
    """The cheapest plan.

    Arguments:
        problem: meters, prices, batteries.
        physics: of the homes that decide, in their order.
        together: one bill for all, surplus going first to whoever needs it at the local charges; otherwise every home
            pays its own bill without exchange (the sum is minimised, which minimises each).
        on_stage: called every few seconds of a long solve.
        start: basis of an earlier solution of a program of the same shape, to begin from.
        options: further HiGHS options by name.

    Raises:
        InputError: linopy or HiGHS is not installed, or there is no optimum.
    """
    _check_size(problem)
    before = time.perf_counter()
    steps, homes = problem.net_kwh.shape
    deciding = problem.deciding
    model, constant = build(problem, physics, together=together)
    matrices = model.matrices
    solver = make_solver(
        matrices,
        {
            "primal_feasibility_tolerance": _TOLERANCE,
            "mip_rel_gap": _GAP,
            "time_limit": _TIME_LIMIT_S if binaries(problem) else np.inf,
            **(options or {}),
        },
    )
    if start is not None:
        solver.setBasis(start)
    columns, rows, nonzeros = len(matrices.c), len(matrices.b), int(matrices.A.nnz)
    size = f"{columns:,} unknowns, {rows:,} conditions"
    on_stage(f"Optimum of {problem.name}: {size}", 0.0)

    def report(event: Any) -> None:
        line = event.message.split()
        if len(line) > 2 and line[0].isdigit() and "e" in line[1]:
            on_stage(
                f"Optimum of {problem.name}: {size}, {int(line[0]):,} steps of the solver", 0.5
            )

    solver.cbLogging += report
    found = run_solver(solver, matrices, problem.name)

    def read(name: str) -> NDArray[np.float64]:
        values = np.zeros((steps, homes))
        values[:, deciding] = found[
            model.variables[name].labels.transpose("step", "home").to_numpy()
        ]
        return values

    requests = None
    if problem.devices is not None:
        requests, left_out = requests_of(
            model, problem.devices.of(deciding), found, problem.step_hours
        )
        constant -= left_out * price_of_leaving_out(problem.buy, problem.sell)
    return Solution(
        read("charge"),
        read("discharge"),
        read("stored"),
        float(solver.getInfo().objective_function_value) + constant,
        float(
            solver.getInfo().mip_dual_bound
            if binaries(problem)
            else solver.getInfo().objective_function_value
        )
        + constant,
        columns,
        rows,
        nonzeros,
        time.perf_counter() - before,
        solver.getBasis(),
        requests,
    )


def binaries(problem: Problem) -> int:
    """How many yes-or-no decisions the program has: steps in which one way of cheating must be ruled out."""
    negative = int(((problem.buy < 0) | (problem.sell < 0)).sum())
    return (negative + int((problem.sell > problem.buy).sum())) * len(problem.deciding)


def _check_size(problem: Problem) -> None:
    if (count := binaries(problem)) > MOST_BINARIES:
        raise InputError(
            f"{problem.name}: optimum",
            f"has {count:,} homes with devices times steps with negative prices or a feed-in price above the price of "
            "buying",
            f"The solver decides at most {MOST_BINARIES:,} of them; shorten the period or change the tariff.",
        )


def run_solver(solver: Any, matrices: Any, name: str) -> NDArray[np.float64]:
    """The value of every variable by its linopy label.

    Raises:
        InputError: there is no optimum; `name` says of what.
    """
    solver.run()
    status = solver.modelStatusToString(solver.getModelStatus())
    out_of_time = (
        status == "Time limit reached" and solver.getInfo().primal_solution_status == 2
    )  # a feasible plan
    if status != "Optimal" and not out_of_time:
        raise _no_optimum(name, status)
    found = np.full(int(matrices.vlabels.max()) + 1, np.nan)
    found[matrices.vlabels] = solver.getSolution().col_value
    return found


def make_solver(matrices: Any, options: dict[str, Any]) -> Any:
    """HiGHS with the program in it; linopy would fill it as well, but HiGHS would write to the terminal meanwhile."""
    import highspy

    solver = highspy.Highs()
    for name, value in {"log_to_console": False, **options}.items():
        solver.setOptionValue(name, value)
    solver.HandleKeyboardInterrupt = True
    columns, table = len(matrices.c), matrices.A.tocsr()
    numbers = np.arange(columns, dtype=np.int32)
    solver.addVars(columns, matrices.lb, matrices.ub)
    solver.changeColsCost(columns, numbers, matrices.c)
    whole = numbers[matrices.vtypes != "C"]
    solver.changeColsIntegrality(len(whole), whole, np.ones(len(whole), dtype=np.uint8))
    lower = np.where(matrices.sense != "<", matrices.b, -np.inf)
    upper = np.where(matrices.sense != ">", matrices.b, np.inf)
    solver.addRows(table.shape[0], lower, upper, table.nnz, table.indptr, table.indices, table.data)
    return solver


def build(problem: Problem, physics: Physics, *, together: bool) -> tuple[Any, float]:
    """The linopy model of a problem, and what its objective leaves out because no plan changes it.

    Arguments as in `solve`. A home's import `i` is a variable and its export `e = i - net - battery` an expression, so
    that the money of a step is `(buy - sell) i + sell (net + battery)`; cars and heat pumps are in `battery`. Where
    buying costs at least what selling pays, no optimum does both at once; elsewhere a binary decides.
    """
    linopy, xr = libraries()
    deciding = problem.deciding
    own = problem.of(deciding)
    steps, homes = own.net_kwh.shape

    def series(values: Any) -> Any:
        return xr.DataArray(values, dims="step")

    rest = own.net_kwh if own.devices is None else own.devices.rest_kwh
    net = xr.DataArray(rest, dims=("step", "home"))
    model = linopy.Model()
    battery, left_out = add_storage(model, or_idle(own.battery), physics, problem.step_hours), None
    most = own.battery.charge_kw, own.battery.discharge_kw
    if own.devices is not None:
        negative = (problem.buy < 0) | (problem.sell < 0)
        price = price_of_leaving_out(problem.buy, problem.sell)
        moved, left_out = add_flexible(model, own.devices, problem.step_hours, negative, price)
        battery, most = battery + moved, own.devices.limits_kw(*most)
    imported = model.add_variables(0, xr.full_like(net, np.inf), name="import")
    model.add_constraints(imported - battery >= net, name="meter")
    cost = (series(problem.buy - problem.sell) * imported).sum() + (
        series(problem.sell) * battery
    ).sum()
    constant = float(problem.sell @ rest.sum(1)) + own.fees.sum()
    paid_to_import = problem.sell > problem.buy
    if paid_to_import.any():
        # Buying to sell would earn in these steps; a meter does one or the other.
        which = xr.DataArray(
            np.broadcast_to(paid_to_import[:, None], net.shape), dims=("step", "home")
        )
        places = [np.arange(steps), np.arange(homes)]
        buying = model.add_variables(
            binary=True, coords=places, dims=("step", "home"), mask=which, name="buying"
        )
        buying = buying.fillna(0)
        most_in = np.maximum(net, 0) + most[0] * problem.step_hours
        most_out = np.maximum(-net, 0) + most[1] * problem.step_hours
        model.add_constraints(imported - most_in * buying <= 0, name="only_import", mask=which)
        model.add_constraints(
            imported - battery + most_out * buying <= most_out + net, name="only_export", mask=which
        )
    if problem.capacity_price.any():
        months = len(problem.capacity_price)
        least = xr.DataArray(
            np.full((months, homes), problem.capacity_minimum_kw), dims=("month", "home")
        )
        peak = model.add_variables(least, name="peak")
        month = xr.DataArray(problem.month, dims="step")
        model.add_constraints(
            imported - problem.step_hours * peak.sel(month=month) <= 0, name="monthly_peak"
        )
        cost = cost + (xr.DataArray(problem.capacity_price, dims="month") * peak).sum()
    if together:
        others = np.setdiff1d(np.arange(problem.net_kwh.shape[1]), deciding)
        fixed = problem.of(others)
        need, surplus = np.maximum(fixed.net_kwh, 0).sum(1), np.maximum(-fixed.net_kwh, 0).sum(1)
        shared = model.add_variables(0, xr.full_like(series(need), np.inf), name="shared")
        model.add_constraints(shared - imported.sum("home") <= series(need), name="shared_need")
        exported = imported.sum("home") - battery.sum("home")
        model.add_constraints(
            shared - exported <= series(surplus) - net.sum("home"), name="shared_surplus"
        )
        cost = (
            cost
            - (series(np.maximum(problem.buy - problem.sell - problem.local, 0)) * shared).sum()
        )
        constant += _idle_cost(fixed)
    else:
        constant += _idle_cost(
            problem.of(np.setdiff1d(np.arange(problem.net_kwh.shape[1]), deciding))
        )
    model.add_objective(cost if left_out is None else cost + left_out)
    return model, constant


def _idle_cost(problem: Problem) -> float:
    return float(cost_alone(problem, problem.net_kwh).sum())


def libraries() -> tuple[Any, Any]:
    """Linopy and xarray.

    Raises:
        InputError: linopy or HiGHS is not installed.
    """
    try:
        import highspy  # noqa: F401 (linopy needs it and does not say so)
        import linopy
        import xarray
    except ImportError as error:
        raise InputError(
            "optimum",
            f"needs linopy and HiGHS, and {error.name} is not installed",
            "Install them with: pip install 'prosumax[optimum]'.",
        ) from error
    return linopy, xarray


def _no_optimum(name: str, status: str) -> InputError:
    causes = {
        "Infeasible": "no plan keeps all batteries within their limits",
        "Unbounded": "a plan can earn without end",
        "Primal infeasible or unbounded": "no plan keeps all limits, or one can earn without end",
    }
    return InputError(
        f"{name}: optimum",
        f"{causes.get(status, 'the solver stopped without one')} (HiGHS says: {status.lower()})",
        "Check the batteries' limits and starting states, and that feed-in prices stay below the prices of buying.",
    )
