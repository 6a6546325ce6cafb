"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.ledger import verify_ledger
from prosumax.experiments.on_ray import on_ray
from prosumax.experiments.population import PopulationTraining, train_population
from prosumax.experiments.properties import Properties, measure_mechanisms
from prosumax.experiments.result import Result
from prosumax.experiments.run import compare, run
from prosumax.experiments.store import check_folder, free_folder, load_bills, save, save_comparison, save_study, to_json
from prosumax.experiments.study import StudyResult, run_study, studies
from prosumax.experiments.study_table import grids, legend, study_to_json
from prosumax.experiments.sweep import Grid, Swept, sweep
from prosumax.experiments.sweep import plan as plan_sweep
from prosumax.experiments.sweep_table import save_tables
from prosumax.experiments.trace import Pairs, Trace
from prosumax.experiments.trained import Evaluation, HomePolicy, evaluate, export_policy, load_policy
from prosumax.experiments.training import Training, resume, train

from prosumax.experiments import (  # isort: skip (importing them registers studies and observations)
    level_studies,
    learning_studies,
    mahtm_learning,
    mahtm_table2,
    marlem_bids,
    marlem_studies,
    price_studies,
)

__all__ = [
    "Evaluation",
    "Grid",
    "HomePolicy",
    "PopulationTraining",
    "Properties",
    "Result",
    "StudyResult",
    "Swept",
    "Training",
    "Pairs",
    "Properties",
    "Result",
    "StudyResult",
    "Trace",
    "check_folder",
    "compare",
    "evaluate",
    "export_policy",
    "free_folder",
    "grids",
    "legend",
    "load_bills",
    "learning_studies",
    "level_studies",
    "load_policy",
    "mahtm_learning",
    "mahtm_table2",
    "marlem_bids",
    "marlem_studies",
    "measure_mechanisms",
    "on_ray",
    "plan_sweep",
    "price_studies",
    "resume",
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
    "train",
    "train_population",
    "verify_ledger",
]
