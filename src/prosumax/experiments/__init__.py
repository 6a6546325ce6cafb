"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.ledger import verify_ledger
from prosumax.experiments.on_ray import on_ray
from prosumax.experiments.properties import Properties, measure_mechanisms
from prosumax.experiments.result import Result
from prosumax.experiments.run import compare, run
from prosumax.experiments.store import check_folder, free_folder, save, save_comparison, save_study, to_json
from prosumax.experiments.study import StudyResult, run_study, studies
from prosumax.experiments.study_table import grids, legend, study_to_json
from prosumax.experiments.sweep import Grid, Swept, sweep
from prosumax.experiments.sweep import plan as plan_sweep
from prosumax.experiments.sweep_table import save_tables

from prosumax.experiments import marlem_bids, marlem_studies  # isort: skip (importing them registers their studies)

__all__ = [
    "Grid",
    "Properties",
    "Result",
    "StudyResult",
    "Swept",
    "check_folder",
    "compare",
    "free_folder",
    "grids",
    "legend",
    "marlem_bids",
    "marlem_studies",
    "measure_mechanisms",
    "on_ray",
    "plan_sweep",
    "run",
    "run_study",
    "save",
    "save_comparison",
    "save_study",
    "save_tables",
    "studies",
    "study_to_json",
    "sweep",
    "to_json",
    "verify_ledger",
]
