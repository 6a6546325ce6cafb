"""Sweeps: grids of scenarios, mechanisms, settings and seeds, run in parallel on Ray."""

from prosumax.sweeps.grid import SweepGrid, SweepPlan, Trial, plan_sweep
from prosumax.sweeps.ray_runner import make_ray_runner
from prosumax.sweeps.sweep import SweepResult, TrialOutcome, TrialRunner, run_sweep, run_trial
from prosumax.sweeps.tables import save_sweep_tables

__all__ = [
    "SweepGrid",
    "SweepPlan",
    "SweepResult",
    "Trial",
    "TrialOutcome",
    "TrialRunner",
    "make_ray_runner",
    "plan_sweep",
    "run_sweep",
    "run_trial",
    "save_sweep_tables",
]
