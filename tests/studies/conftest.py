"""A small study whose values can be checked by hand."""

import numpy as np
import pytest

from prosumax.metrics import KPI, catalog
from prosumax.studies.engine import Study, StudyMetric, StudyResult, Variant


@pytest.fixture
def make_result(monkeypatch):
    """Make a result of two variants and two metrics; one metric is undefined everywhere."""
    for kpi in (KPI("a", "A", "kWh", 1), KPI("b", "B")):
        monkeypatch.setitem(catalog.CATALOG, kpi.key, kpi)

    def make(seeds=6):
        metrics = (StudyMetric("a", lambda run: 0.0), StudyMetric("b", lambda run: 0.0))
        variants = (Variant("one", "x", {}), Variant("one", "y", {"policy": "none"}))
        values = np.random.default_rng(1).normal(10, 1, (2, 2, seeds))
        values[1, 0] = values[0, 0] + 5
        values[:, 1] = np.nan
        study = Study(variants, lambda settings, seed: None, metrics, ("A note.",))
        return StudyResult("made", study, tuple(range(seeds)), values)

    return make
