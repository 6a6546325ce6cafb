"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.result import Result, check_folder, free_folder, save, save_comparison, to_json
from prosumax.experiments.run import compare, run

__all__ = ["Result", "check_folder", "compare", "free_folder", "run", "save", "save_comparison", "to_json"]
