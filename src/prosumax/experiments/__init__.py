"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.ledger import verify_ledger
from prosumax.experiments.properties import Properties, measure_mechanisms
from prosumax.experiments.result import Result
from prosumax.experiments.run import compare, run
from prosumax.experiments.store import check_folder, free_folder, load_bills, save, save_comparison, save_study, to_json
from prosumax.experiments.study import StudyResult, run_study, studies
from prosumax.experiments.study_table import grids, legend, study_to_json
from prosumax.experiments.trained import Evaluation, HomePolicy, evaluate, export_policy, load_policy
from prosumax.experiments.training import Training, resume, train

from prosumax.experiments import (  # isort: skip (importing them registers studies and observations)
    mahtm_learning,
    marlem_bids,
    marlem_studies,
)

__all__ = [
    "Evaluation",
    "HomePolicy",
    "Properties",
    "Result",
    "StudyResult",
    "Training",
    "check_folder",
    "compare",
    "evaluate",
    "export_policy",
    "free_folder",
    "grids",
    "legend",
    "load_bills",
    "load_policy",
    "mahtm_learning",
    "marlem_bids",
    "marlem_studies",
    "measure_mechanisms",
    "resume",
    "run",
    "run_study",
    "save",
    "save_comparison",
    "save_study",
    "studies",
    "study_to_json",
    "to_json",
    "train",
    "verify_ledger",
]
