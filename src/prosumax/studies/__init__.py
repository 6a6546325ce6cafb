"""Study engine (variants, seeds, statistics, tables) and the studies of the papers.

The studies themselves sit in `marlem/`, `mahtm/` and `citylearn/`; `load_studies` imports and
registers them, so that importing this package does not.
"""

from prosumax.studies.engine import (
    CommunitySample,
    Study,
    StudyMetric,
    StudyResult,
    Variant,
    kpi_metric,
    load_studies,
    mapping_metric,
    run_study,
    studies,
)
from prosumax.studies.statistics import Estimate
from prosumax.studies.store import save_study
from prosumax.studies.tables import StudyTable, make_tables, study_to_json, table_legend

__all__ = [
    "CommunitySample",
    "Estimate",
    "Study",
    "StudyMetric",
    "StudyResult",
    "StudyTable",
    "Variant",
    "kpi_metric",
    "load_studies",
    "make_tables",
    "mapping_metric",
    "run_study",
    "save_study",
    "studies",
    "study_to_json",
    "table_legend",
]
