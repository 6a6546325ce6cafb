"""Sweeps: planning, checkpoints, failures and tables, with Ray and without."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

import prosumax
from prosumax.cli import study as study_command
from prosumax.errors import InputError
from prosumax.runner import run
from prosumax.studies.tables import StudyTable
from prosumax.sweeps.grid import SweepGrid, plan_sweep
from prosumax.sweeps.sweep import TrialOutcome, run_sweep, run_trial
from prosumax.sweeps.tables import flatten_kpis, save_sweep_tables

SOURCE = Path(prosumax.__file__).parents[1]
MECHANISMS = ("none", "mid_market_rate")


@pytest.fixture
def tiny_file(tiny, tmp_path):
    """The tiny scenario as a file."""
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny), encoding="utf-8")
    return str(path)


def plan(*scenarios, **parts):
    """Plan a sweep without optimality gap."""
    return plan_sweep(SweepGrid(scenarios=scenarios, optimum=False, **parts))


def fake_trials(trials, fail=(), stop_after=None):
    """Yield outcomes that differ by trial, without running anything."""
    for number, trial in enumerate(trials):
        if number == stop_after:
            raise KeyboardInterrupt
        if number in fail:
            yield TrialOutcome(trial, {"error": "ValueError: no", "traceback": "Traceback: no"}, 1)
            continue
        kpis = {
            "cost": 100.0 * trial.cell + trial.seed,
            "gini": None,
            "network": {"loss_kwh": 1.0},
        }
        yield TrialOutcome(trial, {"kpis": kpis, "households": [], "timing": {}, "notes": []}, 1)


def test_a_grid_has_every_combination_once(tiny_file):
    planned = plan(
        tiny_file,
        "street",
        mechanisms=MECHANISMS,
        policies=("none", "self-consumption"),
        vary={"tariff.feed_in": ("0.0", "0.1", "0.2")},
        overrides=("period.steps=4",),
        seeds=5,
    )
    assert len(planned.cells) == 2 * 2 * 2 * 3
    assert len(planned.trials) == len({trial.name for trial in planned.trials}) == 24 * 5
    for trial in planned.trials:
        axes, content = planned.cells[trial.cell].axes, trial.job["scenario"]
        assert content["seed"] == trial.seed
        assert content["market"]["mechanism"] == axes["mechanism"]
        assert content["policy"] == axes["policy"]
        assert all(home["policy"] is None for home in content["homes"])
        assert content["tariff"]["feed_in"] == float(axes["tariff.feed_in"])
        assert content["period"]["steps"] == 4
    groups = [cell.variant.group for cell in planned.cells]
    assert sorted(set(groups), key=groups.index) == [
        group for n, group in enumerate(groups) if n == 0 or groups[n - 1] != group
    ]
    assert {cell.variant.name for cell in planned.cells} == set(MECHANISMS)
    assert groups[0] == "tiny, feed_in 0.0, none"


def test_two_settings_make_one_table_for_each_value_of_the_second(tiny_file):
    vary = {"tariff.feed_in": ("0.0", "0.1"), "tariff.energy": ("0.3", "0.4", "0.5")}
    planned = plan(tiny_file, vary=vary)
    places = [(cell.variant.group, cell.variant.name) for cell in planned.cells]
    assert places[:3] == [
        ("tiny, energy 0.3", "feed_in 0.0"),
        ("tiny, energy 0.3", "feed_in 0.1"),
        ("tiny, energy 0.4", "feed_in 0.0"),
    ]


def test_the_name_of_a_trial_depends_on_its_content(tiny, tiny_file, tmp_path):
    names = plan(tiny_file, seeds=2).trial_names
    # The same trials of a larger grid have the same names.
    assert len(names & plan(tiny_file, mechanisms=MECHANISMS, seeds=3).trial_names) == 2
    assert not names & plan(tiny_file, overrides=("tariff.feed_in=0",), seeds=2).trial_names
    meter = tmp_path / "meter.csv"
    meter.write_text("time,kwh\n", encoding="utf-8")
    tiny["homes"][1]["load"] = {"source": "table", "file": "meter.csv", "column": "kwh"}
    Path(tiny_file).write_text(yaml.safe_dump(tiny), encoding="utf-8")
    before = plan(tiny_file).trial_names
    assert before == plan(tiny_file).trial_names
    meter.write_text("time,kwh\nx,1\n", encoding="utf-8")
    assert not before & plan(tiny_file).trial_names


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"mechanisms": ("nonne",)}, "none"),
        ({"policies": ("greedy",)}, "no policy"),
        ({"vary": {"tariff.feed_inn": ("1",)}}, "feed_in"),
        ({"seeds": 0}, "at least 1"),
        ({"algorithms": ("ppoo",)}, "ppo"),
        ({"algorithms": ("ppo",), "paradigms": ("dtd",)}, "dtde"),
        ({"algorithms": ("ppo",), "policies": ("none",)}, "Give one"),
    ],
)
def test_wrong_grids_are_explained_before_anything_runs(tiny_file, parts, message):
    with pytest.raises(InputError, match=message):
        plan(tiny_file, **parts)


def test_an_interrupted_sweep_continues_with_the_missing_trials(tiny_file, tmp_path):
    planned = plan(tiny_file, mechanisms=MECHANISMS, seeds=6)
    folder = tmp_path / "out"
    stages = []
    first = run_sweep(
        planned,
        folder,
        lambda trials: fake_trials(trials, stop_after=5),
        lambda stage, done: stages.append(stage),
    )
    assert (first.num_finished, first.interrupted) == (5, True)
    assert len(list((folder / "trials").iterdir())) == 5
    assert stages[-1].startswith("5 of 12 trials")
    table = save_sweep_tables(first)
    assert "7 of 12 trials are missing" in (folder / "table.md").read_text(encoding="utf-8")
    assert np.isnan(table.values[0]).any()

    requested = []

    def run_requested(trials):
        requested.extend(trials)
        return fake_trials(trials)

    second = run_sweep(planned, folder, run_requested)
    assert (second.num_finished, second.num_existing, second.interrupted) == (12, 5, False)
    existing = {trial.name for trial in planned.trials[:5]}
    assert {trial.name for trial in requested} == planned.trial_names - existing
    third = run_sweep(planned, folder, lambda trials: pytest.fail("no trial was missing"))
    assert third.num_finished == 12

    table = save_sweep_tables(second)
    np.testing.assert_array_equal(table.values[1, 0], 100.0 + np.arange(6))
    # The Gini index is undefined in all trials.
    assert [metric.key for metric in table.study.metrics] == ["cost", "network.loss_kwh"]
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    costs = [100.0 * cell + seed for cell in (0, 1) for seed in range(6)]
    assert [float(row["cost"]) for row in rows] == costs
    assert rows[6]["mechanism"] == "mid_market_rate"
    # The mean of 0 to 5 is 2.5, the sample standard deviation 1.87; six pairs are too few for a
    # significant difference.
    assert "| 2.50 ± 1.87 | 102.50 ± 1.87 |" in (folder / "table.md").read_text(encoding="utf-8")


def test_failed_trials_are_reported_and_repeated(tiny_file, tmp_path):
    planned = plan(tiny_file, seeds=3)
    first = run_sweep(planned, tmp_path / "out", lambda trials: fake_trials(trials, fail=[1]))
    assert list(first.failed.values()) == ["ValueError: no"]
    (error,) = (tmp_path / "out" / "failed").iterdir()
    assert "Traceback" in error.read_text(encoding="utf-8")
    second = run_sweep(planned, tmp_path / "out", fake_trials)
    assert (second.num_finished, second.num_existing, second.failed) == (3, 2, {})
    assert not list((tmp_path / "out" / "failed").iterdir())


def test_a_lost_worker_is_counted_and_its_trial_kept_once(tiny_file, tmp_path):
    def run_trials(trials):
        yield TrialOutcome(trials[0], None, 1)
        yield from fake_trials(trials)

    result = run_sweep(plan(tiny_file, seeds=2), tmp_path / "out", run_trials)
    assert (result.num_finished, result.num_lost_workers, result.failed) == (2, 1, {})


def test_foreign_folders_are_not_touched(tiny_file, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(InputError, match="no sweep"):
        run_sweep(plan(tiny_file), tmp_path / "mine", fake_trials)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_damaged_trial_is_named(tiny_file, tmp_path):
    planned = plan(tiny_file)
    result = run_sweep(planned, tmp_path / "out", fake_trials)
    (tmp_path / "out" / "trials" / planned.trials[0].name).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        save_sweep_tables(result)


def test_a_trial_has_the_kpis_of_a_run(tiny_file):
    (trial,) = plan(tiny_file).trials
    job = json.loads(json.dumps(trial.job))
    kpis = run(tiny_file, optimum=False).kpis
    assert run_trial(job)["kpis"]["cost"] == kpis["cost"]
    assert flatten_kpis(run_trial(job)["kpis"])["traded_kwh"] == kpis["traded_kwh"]
    assert "steps" in run_trial({**job, "scenario": {**job["scenario"], "period": {}}})["error"]


def test_trials_may_be_training_runs(tiny_file, tmp_path, monkeypatch):
    planned = plan(
        tiny_file, algorithms=("ppo", "a2c"), paradigms=("dtde", "ctde"), iterations=7, seeds=2
    )
    assert len(planned.trials) == len(planned.trial_names) == 8
    assert [cell.variant[:2] for cell in planned.cells] == [
        ("tiny, dtde", "ppo"),
        ("tiny, dtde", "a2c"),
        ("tiny, ctde", "ppo"),
        ("tiny, ctde", "a2c"),
    ]
    requested = []

    def train(scenario, **settings):
        requested.append(settings)
        test_metrics = {
            "learned": {"cost": np.array([3.0]), "emissions_kg": np.array([np.nan])},
            "none": {"cost": np.array([4])},
        }
        result = {"test_metrics": test_metrics, "seconds": 1.0, "iteration": 7}
        return type("TrainingResult", (), result)

    def run_trials(trials):
        return (TrialOutcome(trial, run_trial(trial.job), 1) for trial in trials)

    monkeypatch.setattr(sys.modules["prosumax.sweeps.sweep"], "train", train)
    table = save_sweep_tables(run_sweep(planned, tmp_path / "out", run_trials))
    learner = {"algorithm": "ppo", "paradigm": "dtde"}
    training = {"iterations": 7, "num_envs": 32, "seed": 1, "data_dir": None}
    assert requested[1] == learner | training
    assert [metric.key for metric in table.study.metrics] == ["episode.cost"]
    assert (table.values == 3.0).all()


def test_wide_tables_are_split_between_columns():
    table = StudyTable("title", ["a" * 10] * 5, [["metric", *["1"] * 5]])
    assert list(study_command._column_ranges(table, 50)) == [(0, 3), (3, 5)]
    assert list(study_command._column_ranges(table, 10)) == [
        (column, column + 1) for column in range(5)
    ]


def test_without_ray_the_message_names_the_package(command, tiny_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = command("sweep", tiny_file)
    assert code == 2
    assert "pip install 'prosumax[ray]'" in err


def test_a_setting_without_values_is_refused(command, tiny_file):
    code, _, err = command("sweep", tiny_file, "--vary", "tariff.feed_in")
    assert code == 2
    assert "a.b=X,Y" in err


@pytest.fixture
def start_sweep(tmp_path):
    """Start `prosumax sweep` in a process group of its own."""

    def start(*arguments):
        code = "import sys; from prosumax import cli; sys.argv[0] = 'prosumax'; cli.main()"
        paths = [str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-c", code, "sweep", *arguments],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )

    return start


def wait_for(condition, process, seconds=240):
    """Return the first true value of a condition while a process runs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if process.poll() is not None:
            pytest.fail(f"the sweep ended early: {process.communicate()[0]}")
        time.sleep(0.05)
    return pytest.fail("the condition did not become true")


def busy_workers(process):
    """Return the process ids of the Ray workers of a sweep that are running a trial."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
            titles[int(entry.name)] = (entry / "cmdline").read_bytes().decode()
        except (OSError, IndexError):
            continue

    def descends(pid):
        return pid == process.pid or (pid in parents and descends(parents[pid]))

    return [
        pid for pid, title in titles.items() if title.startswith("ray::run_trial") and descends(pid)
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc")
def test_a_sweep_survives_a_killed_worker_and_an_interruption(tiny_file, tmp_path, start_sweep):
    pytest.importorskip("ray")
    grid = ["--mechanisms", "none,mid_market_rate,double_auction", "--seeds", "4"]
    arguments = [tiny_file, *grid, "--no-optimum", "--out", "out", "--workers", "2"]
    trials = tmp_path / "out" / "trials"

    first = start_sweep(*arguments)
    os.kill(wait_for(lambda: busy_workers(first), first)[0], signal.SIGKILL)
    wait_for(lambda: trials.is_dir() and len(list(trials.glob("*.json"))) >= 2, first)
    # A terminal sends the signal of Ctrl-C to all processes of the group.
    os.killpg(first.pid, signal.SIGINT)
    output, _ = first.communicate(timeout=120)
    assert first.returncode == 130, output
    assert "1 restarted after their worker died" in output
    assert "Run the same command again" in output
    kept = {path.name: path.read_bytes() for path in trials.glob("*.json")}
    assert 2 <= len(kept) < 12

    second = start_sweep(*arguments)
    output, _ = second.communicate(timeout=400)
    assert second.returncode == 0, output
    assert f"12 of 12 trials are in {tmp_path / 'out'} ({12 - len(kept)} new)" in output
    assert all((trials / name).read_bytes() == content for name, content in kept.items())
    assert len(list(trials.glob("*.json"))) == 12
    table = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert table.count("mid_market_rate") == 1
