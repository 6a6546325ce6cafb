"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.ledger import verify_ledger
from prosumax.experiments.properties import Properties, measure_mechanisms
from prosumax.experiments.result import Result
from prosumax.experiments.run import compare, run
from prosumax.experiments.store import check_folder, free_folder, save, save_comparison, to_json

__all__ = [
    "Properties",
    "Result",
    "check_folder",
    "compare",
    "free_folder",
    "measure_mechanisms",
    "run",
    "save",
    "save_comparison",
    "to_json",
    "verify_ledger",
]
