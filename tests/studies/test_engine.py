"""Study engine: statistics and tables by hand, checkpoints, and the command."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from prosumax.errors import InputError
from prosumax.metrics import KPI, catalog
from prosumax.rl.algorithms.registry import algorithms, configure_algorithm
from prosumax.rl.factory import env_config
from prosumax.scenario.loading import load_scenario
from prosumax.studies.engine import (
    Study,
    Variant,
    load_studies,
    mapping_metric,
    reference_positions,
    run_study,
)
from prosumax.studies.statistics import holm_correction, make_estimates, paired_p_value
from prosumax.studies.store import save_study
from prosumax.studies.tables import (
    estimates_to_csv,
    make_tables,
    study_to_json,
    table_legend,
    tables_to_markdown,
)


def test_variants_are_compared_with_the_first_of_their_group_and_groups_with_the_first_of_all():
    variants = [Variant(group, name, {}) for group in "ab" for name in "xyz"]
    assert reference_positions(variants) == [None, 0, 0, 0, 3, 3]


def test_p_value_is_that_of_wilcoxons_test_and_rounding_is_no_difference():
    rng = np.random.default_rng(0)
    old = rng.normal(100, 10, 20)
    assert paired_p_value(old * (1 + 1e-6 * rng.normal(size=20)), old) == 1.0
    new = old + rng.normal(1, 1, 20)
    assert paired_p_value(new, old) == pytest.approx(stats.wilcoxon(new - old).pvalue)
    assert np.isnan(paired_p_value(np.full(20, np.nan), old))


def test_holm_correction_by_hand():
    p = np.array([[0.01, 0.04], [np.nan, 0.03]])
    # Sorted: 0.01 x 3, 0.03 x 2, then 0.04 x 1, which may not fall below the one before.
    expected = np.array([[0.03, 0.06], [np.nan, 0.06]])
    assert holm_correction(p) == pytest.approx(expected, nan_ok=True)


def test_estimates_by_hand(make_result):
    result = make_result()
    first, second = (row["a"] for row in result.estimates)
    values = result.values[0, 0]
    assert first.mean == pytest.approx(values.mean())
    assert first.std == pytest.approx(values.std(ddof=1))
    low, high = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert (first.ci_low, first.ci_high) == (pytest.approx(low), pytest.approx(high))
    assert first.difference is None and not first.is_significant
    assert second.difference == pytest.approx(5)
    assert second.p_value == pytest.approx(2 / 2**6) and second.is_significant


def test_a_seed_with_an_undefined_metric_is_left_out():
    nan = np.nan
    values = np.array([[[1.0, 2.0, 4.0, nan]], [[2.0, nan, 7.0, 5.0]], [[nan, 3.0, nan, nan]]])
    first, second, third = (row["a"] for row in make_estimates(values, ["a"], [None, 0, 0]))
    assert first.num_seeds == 3 and first.mean == pytest.approx(7 / 3)
    assert first.std == pytest.approx((7 / 3) ** 0.5)
    # Student's t with 2 degrees of freedom: 4.302653 (tables).
    assert first.ci_high - first.mean == pytest.approx(4.302653 * (7 / 9) ** 0.5, rel=1e-6)
    # Two seeds have both values: differences 1 and 3.
    assert (second.num_seeds, second.difference) == (3, pytest.approx(2.0))
    assert (third.num_seeds, third.mean, third.difference) == (1, 3.0, pytest.approx(1.0))
    assert np.isnan(third.std)
    old, new = np.array([1.0, 2.0, 3.0, nan]), np.array([2.0, 4.0, nan, 1.0])
    assert paired_p_value(new, old) == pytest.approx(stats.wilcoxon([1.0, 2.0]).pvalue)


def test_a_cell_states_its_number_of_seeds(make_result):
    result = make_result()
    result.values[0, 0, 0] = np.nan
    (table,) = make_tables(result)
    assert table.rows[0][1].endswith("(n = 5)") and "n = k" in table_legend(result)
    assert "n = k" not in table_legend(make_result())


def test_the_legend_states_where_seeds_are_too_few_for_significance(make_result):
    # 2 / 2^5 = 0.0625 is the smallest possible p-value.
    legend = table_legend(make_result(5))
    assert "too few" in legend and "*" not in legend
    assert "too few" not in table_legend(make_result())


def test_a_value_that_is_the_same_in_every_seed_has_no_spread(make_result):
    result = make_result()
    result.values[0, 0] = 3.0
    (table,) = make_tables(result)
    assert table.rows[0][1] == "3.0" and " ± " in table.rows[0][2]
    assert "Without ±" in table_legend(result)
    assert "Without ±" not in table_legend(make_result())


def test_tables_show_means_and_significance(make_result):
    result = make_result()
    (table,) = make_tables(result)
    assert table.header == ["x", "y"]
    assert table.rows[0][2].endswith("*") and table.rows[1][1] == "-"
    markdown = tables_to_markdown(result)
    assert "| A, kWh |" in markdown and "- A note." in markdown
    rows = list(csv.DictReader(io.StringIO(estimates_to_csv(result))))
    assert len(rows) == 4 and float(rows[2]["difference"]) == pytest.approx(5)
    assert rows[2]["reference"] == "one: x"
    text = json.dumps(study_to_json(result), allow_nan=False)
    assert json.loads(text)["variants"][1]["metrics"]["b"]["mean"] is None


def test_an_interrupted_save_leaves_the_earlier_result(make_result, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    save_study(make_result(), folder)
    before = (folder / "study.json").read_text()

    def interrupt(result):
        raise KeyboardInterrupt

    monkeypatch.setattr("prosumax.studies.store.tables_to_markdown", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_study(replace(make_result(), seeds=(0,)), folder)
    assert (folder / "study.json").read_text() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_too_few_seeds_and_unknown_names_are_explained():
    with pytest.raises(InputError, match="--seeds: must be at least 2, got 1"):
        run_study("marlem-dso", 1)
    with pytest.raises(InputError, match="Did you mean 'marlem-dso'"):
        run_study("marlem-dos", 2)


@pytest.fixture
def counted(monkeypatch):
    """A study that is interrupted at its third variant once; the list of variants that ran."""
    ran = []

    def run_batch(settings, seeds, on_progress):
        ran.append(settings["x"])
        if ran == [0, 1, 2]:
            raise KeyboardInterrupt
        on_progress(0.5)
        return [{"x": 10.0 * settings["x"] + seed} for seed in seeds]

    monkeypatch.setitem(catalog.CATALOG, "x", KPI("x", "X"))
    variants = tuple(Variant("all", f"{x}", {"x": x}) for x in range(4))
    study = Study(variants, None, (mapping_metric("x"),), (), run_batch)
    studies = load_studies()
    studies.register("counted", "A study that is interrupted.")(study)
    yield ran
    monkeypatch.undo()
    del studies._entries["counted"]


def test_a_study_continues_where_it_was_interrupted(command, tmp_path, counted):
    code, _, _ = command("study", "counted", "--seeds", "2", "--out", "found")
    assert code != 0 and counted == [0, 1, 2] and not (tmp_path / "found").exists()
    code, _, err = command("study", "counted", "--seeds", "2", "--out", "found")
    assert code == 0, err
    assert counted == [0, 1, 2, 2, 3]
    assert [entry.name for entry in tmp_path.iterdir()] == ["found"]
    content = json.loads((tmp_path / "found" / "study.json").read_text())
    assert [variant["metrics"]["x"]["by_seed"] for variant in content["variants"]] == [
        [10.0 * x, 10.0 * x + 1] for x in range(4)
    ]


def test_checkpoints_of_other_settings_are_not_used(tmp_path, counted):
    counted.append(9)  # Nothing is interrupted.
    run_study("counted", 2, checkpoint_dir=tmp_path)
    run_study("counted", 3, checkpoint_dir=tmp_path)
    assert counted == [9, 0, 1, 2, 3, 0, 1, 2, 3]


def test_the_command_lists_studies_and_suggests_a_name(command):
    code, out, _ = command("study")
    assert code == 0 and "marlem-dso" in out and "marlem-topology" in out
    code, _, err = command("study", "marlem-topologie")
    assert code == 2 and "Did you mean 'marlem-topology'" in err


def test_settings_of_every_learner_are_accepted():
    """No training: a setting that was renamed elsewhere would end a study after hours."""
    for name in load_studies():
        study = load_studies().get(name, "test")
        for variant in study.variants:
            settings = variant.settings
            controller = settings.get("controller")
            if controller not in algorithms:
                continue
            configure_algorithm(controller, settings.get("settings", {}))
            configure_algorithm(controller, settings.get("anneal", {}))
            paths = ("environment.", "homes", "market.", "tariff.", "period.")
            changes = {path: value for path, value in settings.items() if path.startswith(paths)}
            env_config(load_scenario(settings.get("preset", "mahtm-train"), changes))


def test_a_run_does_not_load_studies_sweeps_or_the_demo():
    code = """
import sys
import prosumax
from prosumax import cli
prosumax.run("street", {"period.steps": 4}, optimum=False)
heavy = ("prosumax.studies", "prosumax.sweeps", "prosumax.web")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
