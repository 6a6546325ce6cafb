"""Studies: variants of a community over many seeds, with statistics and tables; importing it registers all studies."""

from prosumax.studies import hierarchy, learned_prices, learning
from prosumax.studies.engine import StudyResult, run_study, studies
from prosumax.studies.mahtm import table2
from prosumax.studies.marlem import bidding, operator_and_topology

__all__ = [
    "StudyResult",
    "bidding",
    "hierarchy",
    "learned_prices",
    "learning",
    "operator_and_topology",
    "run_study",
    "studies",
    "table2",
]
