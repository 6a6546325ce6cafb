"""Work with communities: run one, compare rules on the same physics, keep the results."""

from prosumax.experiments.result import Result, save, to_json
from prosumax.experiments.run import compare, run

__all__ = ["Result", "compare", "run", "save", "to_json"]
