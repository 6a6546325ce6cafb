"""Linear and mixed-integer programs of a problem: built with linopy, solved by HiGHS."""

import time
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray

from prosumax.devices.base import LinearDevice
from prosumax.devices.battery_program import (
    StorageModel,
    add_storage,
    limit_batteries,
    replace_absent_batteries,
)
from prosumax.devices.linear_program import DIMS
from prosumax.errors import InputError
from prosumax.numerics import AnyArray
from prosumax.optimization.flexible import (
    add_flexible_devices,
    extract_requests,
    slack_price,
    total_slack,
)
from prosumax.optimization.problem import Array, Problem, individual_cost
from prosumax.types import DeviceRequests

if TYPE_CHECKING:
    import xarray
    from highspy import Highs, HighsBasis, HighsCallbackEvent
    from linopy import LinearExpression, Model, Variable
    from linopy.matrices import MatrixAccessor

ProgressCallback = Callable[[str, float], None]
"""Function that receives a message and the completed share of the work."""

MAX_BINARIES = 20_000
"""Largest number of binaries; a mixed-integer program with more may take hours."""

# Time limit of a program with binaries, whose optimality gap is then reported.
_TIME_LIMIT_S = 60.0
_MIP_GAP = 1e-6

# Feasibility tolerance: the default of HiGHS, 1e-7 kWh, adds up over a year of minutes.
_FEASIBILITY_TOLERANCE = 1e-9

# Status code of HiGHS for a feasible primal solution.
_FEASIBLE = 2


class Solution(NamedTuple):
    """Solution of a program.

    Attributes:
        charge_kwh: Battery charge at the AC side [step, home], zero for homes without a battery.
        discharge_kwh: Battery discharge at the AC side [step, home].
        stored_kwh: Stored energy after each step [step, home].
        objective: Cost, fees and constants included.
        bound: Lower bound of the cost of any plan of this program; below the objective only if the
            time limit was reached.
        num_variables: Number of variables.
        num_constraints: Number of constraints.
        num_nonzeros: Number of nonzero coefficients.
        seconds: Time of building and solving.
        basis: Basis of the solver, to start the next program from.
        requests: Requests to the devices of the controllable homes by kind, kW [step, home, slot];
            None if there are no devices.
    """

    charge_kwh: Float[Array, "step home"]
    discharge_kwh: Float[Array, "step home"]
    stored_kwh: Float[Array, "step home"]
    objective: float
    bound: float
    num_variables: int
    num_constraints: int
    num_nonzeros: int
    seconds: float
    basis: "HighsBasis"
    requests: DeviceRequests | None = None


def _ignore_progress(message: str, done: float) -> None:
    pass


def solve(
    problem: Problem,
    storage: StorageModel,
    *,
    joint: bool,
    on_progress: ProgressCallback = _ignore_progress,
    start_basis: "HighsBasis | None" = None,
    options: Mapping[str, float | str] | None = None,
) -> Solution:
    """Compute the cheapest plan.

    Args:
        problem: Meters, prices and devices.
        storage: Linear batteries of the controllable homes, in their order.
        joint: Whether the homes have one bill, with surplus covering deficits at the local grid
            fee before it is sold. Otherwise every home pays its own bill without exchange; the
            sum is minimized, which minimizes each bill.
        on_progress: Called every few seconds of a long solve.
        start_basis: Basis of a solution of a program of the same shape.
        options: Further HiGHS options by name.

    Raises:
        InputError: If linopy or HiGHS is not installed, or there is no optimum.
    """
    _check_size(problem)
    before = time.perf_counter()
    steps, homes = problem.net_kwh.shape
    controllable = problem.controllable_homes
    has_binaries = count_binaries(problem) > 0
    model, constant, parts = _build_model(problem, storage, joint)
    matrices = model.matrices
    coefficients = matrices.A
    assert coefficients is not None, "every model has constraints"
    solver = create_solver(
        matrices,
        {
            "primal_feasibility_tolerance": _FEASIBILITY_TOLERANCE,
            "mip_rel_gap": _MIP_GAP,
            "time_limit": _TIME_LIMIT_S if has_binaries else np.inf,
            **(options or {}),
        },
    )
    if start_basis is not None:
        solver.setBasis(start_basis)
    num_variables = len(matrices.c)
    num_constraints = len(matrices.b)
    size = f"{num_variables:,} variables, {num_constraints:,} constraints"
    on_progress(f"Optimum of {problem.name}: {size}", 0.0)

    def report(event: "HighsCallbackEvent") -> None:
        line = event.message.split()
        if len(line) > 2 and line[0].isdigit() and "e" in line[1]:
            iterations = f"{int(line[0]):,} solver iterations"
            on_progress(f"Optimum of {problem.name}: {size}, {iterations}", 0.5)

    solver.cbLogging += report
    solution = run_solver(solver, matrices, problem.name)

    def read(name: str) -> NDArray[np.float64]:
        values = np.zeros((steps, homes))
        labels = model.variables[name].labels.transpose(*DIMS).to_numpy()
        values[:, controllable] = solution[labels]
        return values

    requests = None
    if problem.devices is not None:
        devices = problem.devices.select_homes(controllable)
        requests, slack = extract_requests(model, devices, parts, solution, problem.step_hours)
        constant -= slack * slack_price(problem.buy_price, problem.sell_price)
    info = solver.getInfo()
    objective = float(info.objective_function_value)
    bound = float(info.mip_dual_bound) if has_binaries else objective
    return Solution(
        charge_kwh=read("charge"),
        discharge_kwh=read("discharge"),
        stored_kwh=read("stored"),
        objective=objective + constant,
        bound=bound + constant,
        num_variables=num_variables,
        num_constraints=num_constraints,
        num_nonzeros=int(coefficients.nnz),
        seconds=time.perf_counter() - before,
        basis=solver.getBasis(),
        requests=requests,
    )


def count_binaries(problem: Problem) -> int:
    """Return the number of binaries, steps in which a physically impossible plan must be excluded.

    Args:
        problem: The problem.
    """
    negative = int(problem.has_negative_price.sum())
    arbitrage = int((problem.sell_price > problem.buy_price).sum())
    return (negative + arbitrage) * len(problem.controllable_homes)


def _check_size(problem: Problem) -> None:
    count = count_binaries(problem)
    if count > MAX_BINARIES:
        raise InputError(
            f"{problem.name}: optimum",
            f"the problem has {count:,} homes with devices times steps with negative prices or a"
            " feed-in price"
            " above the price of buying",
            f"Shorten the period or change the tariff; at most {MAX_BINARIES:,} binary variables"
            " are supported.",
        )


def run_solver(solver: "Highs", matrices: "MatrixAccessor", name: str) -> NDArray[np.float64]:
    """Solve a program.

    Args:
        solver: The solver, from `create_solver`.
        matrices: Matrices of the linopy model.
        name: Name of the problem, for messages.

    Returns:
        Value of every variable by its linopy label.

    Raises:
        InputError: If there is no optimum.
    """
    solver.run()
    status = solver.modelStatusToString(solver.getModelStatus())
    has_plan = solver.getInfo().primal_solution_status == _FEASIBLE
    is_out_of_time = status == "Time limit reached" and has_plan
    if status != "Optimal" and not is_out_of_time:
        raise _no_optimum_error(name, status)
    solution = np.full(int(matrices.vlabels.max()) + 1, np.nan)
    solution[matrices.vlabels] = solver.getSolution().col_value
    return solution


def create_solver(matrices: "MatrixAccessor", options: Mapping[str, float | str]) -> "Highs":
    """Create a HiGHS solver with a program.

    Linopy could do so too, but HiGHS would write to the terminal.

    Args:
        matrices: Matrices of a linopy model.
        options: HiGHS options by name.
    """
    import highspy

    solver = highspy.Highs()
    for name, value in {"log_to_console": False, **options}.items():
        solver.setOptionValue(name, value)
    solver.HandleKeyboardInterrupt = True
    variables = len(matrices.c)
    coefficients = matrices.A
    assert coefficients is not None, "every model has constraints"
    table = coefficients.tocsr()
    numbers = np.arange(variables, dtype=np.int32)
    solver.addVars(variables, matrices.lb, matrices.ub)
    solver.changeColsCost(variables, numbers, matrices.c)
    integers = numbers[matrices.vtypes != "C"]
    solver.changeColsIntegrality(len(integers), integers, np.ones(len(integers), dtype=np.uint8))
    lower = np.where(matrices.sense != "<", matrices.b, -np.inf)
    upper = np.where(matrices.sense != ">", matrices.b, np.inf)
    solver.addRows(table.shape[0], lower, upper, table.nnz, table.indptr, table.indices, table.data)
    return solver


def build_model(problem: Problem, storage: StorageModel, *, joint: bool) -> tuple["Model", float]:
    """Build the linopy model of a problem.

    A home's import `i` is a variable and its export `e = i - net - devices` an expression, so that
    the cost of a step is `(buy - sell) i + sell (net + devices)`. Where buying costs at least what
    selling pays, no optimum does both at once; elsewhere a binary decides.

    Args:
        problem: Meters, prices and devices.
        storage: Linear batteries of the controllable homes, in their order.
        joint: Whether the homes have one bill, as in `solve`.

    Returns:
        The model, and the constant part of the cost, which is not in its objective.

    Raises:
        InputError: If linopy or HiGHS is not installed.
    """
    model, constant, _ = _build_model(problem, storage, joint)
    return model, constant


def _build_model(
    problem: Problem, storage: StorageModel, joint: bool
) -> tuple["Model", float, dict[str, LinearDevice]]:
    """Return the model, the constant part of the cost, and the flexible devices in the model."""
    linopy, xr = import_linopy()
    controllable = problem.controllable_homes
    others = np.setdiff1d(np.arange(problem.net_kwh.shape[1]), controllable)
    own = problem.select_homes(controllable)
    fixed = problem.select_homes(others)

    def series(values: ArrayLike) -> "xarray.DataArray":
        array: xarray.DataArray = xr.DataArray(values, dims="step")
        return array

    uncontrolled = own.net_kwh if own.devices is None else own.devices.uncontrolled_net_kwh
    net = xr.DataArray(uncontrolled, dims=DIMS)
    model = linopy.Model()
    controlled = add_storage(
        model,
        limit_batteries(replace_absent_batteries(own.battery), own.events),
        storage,
        problem.step_hours,
    )
    limits_kw: tuple[AnyArray, AnyArray] = (own.battery.charge_kw, own.battery.discharge_kw)
    parts: dict[str, LinearDevice] = {}
    if own.devices is not None:
        lost_share = np.asarray(own.battery.self_discharge_per_step * own.battery.soc_min)
        lost_kwh = lost_share * np.asarray(own.battery.capacity_kwh)
        holding_kwh = lost_kwh / storage.charge_efficiency
        parts = add_flexible_devices(
            model, own.devices, problem.step_hours, problem.has_negative_price, holding_kwh
        )
        for part in parts.values():
            controlled = controlled + part.net_kwh
        limits_kw = own.devices.limits_kw(*limits_kw)
    max_import, max_export = _supply_limits(own)
    imported = model.add_variables(0, xr.DataArray(max_import, dims=DIMS), name="import")
    model.add_constraints(imported - controlled >= net, name="meter")
    _limit_export(model, problem, imported - controlled - net, max_export)
    _exclude_curtailed_imports(model, problem, net, imported, limits_kw)
    import_cost = (series(problem.buy_price - problem.sell_price) * imported).sum()
    cost = import_cost + (series(problem.sell_price) * controlled).sum()
    constant = float(problem.sell_price @ uncontrolled.sum(1)) + own.fixed_fees.sum()
    _exclude_arbitrage(model, problem, net, imported, controlled, limits_kw)
    if problem.capacity_price.any():
        cost = cost + _add_capacity_charge(model, own, imported)
    if joint:
        fixed_kwh = fixed.metered(fixed.net_kwh)
        deficit = np.maximum(fixed_kwh, 0).sum(1)
        surplus = np.maximum(-fixed_kwh, 0).sum(1)
        shared = model.add_variables(0, xr.full_like(series(deficit), np.inf), name="shared")
        model.add_constraints(
            shared - imported.sum("home") <= series(deficit), name="shared_deficit"
        )
        exported = imported.sum("home") - controlled.sum("home")
        model.add_constraints(
            shared - exported <= series(surplus) - net.sum("home"), name="shared_surplus"
        )
        cost = cost - (series(problem.sharing_gain) * shared).sum()
        constant += float(problem.member_fees.sum())
    constant += float(individual_cost(fixed, fixed.net_kwh).sum())
    slack = total_slack(parts)
    if slack is not None:
        cost = cost + slack_price(problem.buy_price, problem.sell_price) * slack
    model.add_objective(cost)
    return model, constant, parts


def _supply_limits(
    problem: Problem,
) -> tuple[Float[Array, "step home"], Float[Array, "step home"]]:
    """Return the largest import and export of each meter, infinite without a limit."""
    unlimited = np.full(problem.net_kwh.shape, np.inf)
    events = problem.events
    if events is None:
        return unlimited, unlimited
    limits = (events.import_kwh, events.export_kwh)
    present = True if events.present is None else np.asarray(events.present)
    max_import, max_export = (
        np.where(present, unlimited if limit is None else np.asarray(limit), 0.0)
        for limit in limits
    )
    return max_import, max_export


def _limit_export(
    model: "Model",
    problem: Problem,
    exported: "LinearExpression",
    max_export: Float[Array, "step home"],
) -> None:
    """Limit the export, and curtail at negative prices only what exceeds the limit."""
    import xarray as xr

    is_limited = np.isfinite(max_export)
    if not is_limited.any():
        return
    limit = xr.DataArray(np.where(is_limited, max_export, 0), dims=DIMS)
    mask = xr.DataArray(is_limited, dims=DIMS)
    model.add_constraints(exported <= limit, name="export_limit", mask=mask)
    if "curtailed" not in model.variables:
        return
    curtailed = model.variables["curtailed"]
    pays = (curtailed.labels.to_numpy() >= 0) & problem.has_negative_price[:, None]
    if not pays.any():
        return
    mask = xr.DataArray(pays, dims=DIMS)
    coords = [list(range(size)) for size in pays.shape]
    at_limit = model.add_variables(
        binary=True, coords=coords, dims=DIMS, mask=mask, name="is_at_export_limit"
    ).fillna(0)
    most = xr.DataArray(np.nan_to_num(curtailed.upper.to_numpy()), dims=DIMS)
    model.add_constraints(
        curtailed.fillna(0) - most * at_limit <= 0, name="curtail_at_export_limit", mask=mask
    )
    model.add_constraints(
        exported - limit * at_limit >= 0, name="full_export_when_curtailed", mask=mask
    )


def _exclude_curtailed_imports(
    model: "Model",
    problem: Problem,
    net: "xarray.DataArray",
    imported: "Variable",
    limits_kw: tuple[AnyArray, AnyArray],
) -> None:
    """Exclude buying while PV generation is curtailed, which pays at negative prices."""
    if "is_at_export_limit" not in model.variables:
        return
    at_limit = model.variables["is_at_export_limit"]
    max_import = np.maximum(net, 0) + limits_kw[0] * problem.step_hours
    model.add_constraints(
        imported + max_import * at_limit.fillna(0) <= max_import,
        name="no_import_when_curtailed",
        mask=at_limit.labels >= 0,
    )


def _exclude_arbitrage(
    model: "Model",
    problem: Problem,
    net: "xarray.DataArray",
    imported: "Variable",
    controlled: "LinearExpression",
    limits_kw: tuple[AnyArray, AnyArray],
) -> None:
    """Exclude buying and selling at once by binaries where selling pays more than buying costs."""
    import xarray as xr

    is_arbitrage = problem.sell_price > problem.buy_price
    if not is_arbitrage.any():
        return
    mask = xr.DataArray(np.broadcast_to(is_arbitrage[:, None], net.shape), dims=DIMS)
    coords = [list(range(size)) for size in net.shape]
    is_buying = model.add_variables(
        binary=True, coords=coords, dims=DIMS, mask=mask, name="is_buying"
    ).fillna(0)
    max_import = np.maximum(net, 0) + limits_kw[0] * problem.step_hours
    max_export = np.maximum(-net, 0) + limits_kw[1] * problem.step_hours
    model.add_constraints(imported - max_import * is_buying <= 0, name="only_import", mask=mask)
    model.add_constraints(
        imported - controlled + max_export * is_buying <= max_export + net,
        name="only_export",
        mask=mask,
    )


def _add_capacity_charge(
    model: "Model", problem: Problem, imported: "Variable"
) -> "LinearExpression":
    """Add monthly peaks to a model and return their cost."""
    import xarray as xr

    months = len(problem.capacity_price)
    homes = imported.sizes["home"]
    minimum = np.full((months, homes), problem.min_billed_peak_kw)
    peak = model.add_variables(xr.DataArray(minimum, dims=("month", "home")), name="peak")
    month = xr.DataArray(problem.month, dims="step")
    model.add_constraints(
        imported - problem.step_hours * peak.sel(month=month) <= 0, name="monthly_peak"
    )
    return (xr.DataArray(problem.home_capacity_price, dims=("month", "home")) * peak).sum()


def import_linopy() -> tuple[ModuleType, ModuleType]:
    """Import linopy and xarray.

    Raises:
        InputError: If linopy or HiGHS is not installed.
    """
    try:
        import highspy  # noqa: F401 (linopy needs it without declaring it)
        import linopy
        import xarray
    except ImportError as error:
        raise InputError(
            "optimum",
            f"the optimum needs linopy and HiGHS, and {error.name} is not installed",
            "Install them with: pip install 'prosumax[optimum]'.",
        ) from error
    return linopy, xarray


def _no_optimum_error(name: str, status: str) -> InputError:
    causes = {
        "Infeasible": "no plan keeps all batteries within their limits",
        "Unbounded": "a plan can earn without limit",
        "Primal infeasible or unbounded": "no plan keeps all limits, or one can earn without limit",
    }
    cause = causes.get(status, "the solver stopped without an optimum")
    return InputError(
        f"{name}: optimum",
        f"{cause} (HiGHS says: {status.lower()})",
        "Check the limits and initial states of the batteries, and that feed-in prices are below"
        " the prices of buying.",
    )
