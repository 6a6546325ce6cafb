"""Sweeps: what is planned, what is kept, what is done again; with Ray and without."""

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
from prosumax.studies.tables import Grid as TextGrid
from prosumax.sweeps import tables
from prosumax.sweeps.sweep import Grid, Outcome, do, plan, sweep
from prosumax.sweeps.tables import save_tables


@pytest.fixture
def tiny_file(tiny, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny), encoding="utf-8")
    return str(path)


def grid_of(*scenarios, **parts):
    return Grid(scenarios=scenarios, optimum=False, **parts)


def faked(trials, fail=(), stop_after=None):
    """Does trials in no time, with figures that tell them apart."""
    for number, trial in enumerate(trials):
        if number == stop_after:
            raise KeyboardInterrupt
        if number in fail:
            yield Outcome(trial, {"error": "ValueError: no", "traceback": "Traceback: no"}, 1)
        else:
            kpis = {
                "cost": 100.0 * trial.cell + trial.seed,
                "gini": None,
                "network": {"loss_kwh": 1.0},
            }
            yield Outcome(trial, {"kpis": kpis, "households": [], "timing": {}, "notes": []}, 1)


def test_a_grid_is_every_combination_once(tiny_file):
    grid = grid_of(
        tiny_file, "street", mechanisms=("none", "mid_market_rate"), policies=("none", "self-consumption"),
        vary={"tariff.feed_in": ("0.0", "0.1", "0.2")}, overrides=("period.steps=4",), seeds=5,
    )  # fmt: skip
    planned = plan(grid)
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
        g for n, g in enumerate(groups) if n == 0 or groups[n - 1] != g
    ]
    assert {cell.variant.name for cell in planned.cells} == {"none", "mid_market_rate"}
    assert groups[0] == "tiny, feed_in 0.0, none"


def test_two_settings_alone_make_one_table_for_each_value_of_the_other(tiny_file):
    vary = {"tariff.feed_in": ("0.0", "0.1"), "tariff.energy": ("0.3", "0.4", "0.5")}
    planned = plan(grid_of(tiny_file, vary=vary))
    found = [(cell.variant.group, cell.variant.name) for cell in planned.cells]
    assert found[:3] == [(f"tiny, energy {energy}", "feed_in 0.0") for energy in ("0.3",)] + [
        ("tiny, energy 0.3", "feed_in 0.1"),
        ("tiny, energy 0.4", "feed_in 0.0"),
    ]


def test_a_trial_is_known_by_its_content(tiny, tiny_file, tmp_path):
    names = plan(grid_of(tiny_file, seeds=2)).names
    more = plan(grid_of(tiny_file, mechanisms=("none", "mid_market_rate"), seeds=3))
    assert len(names & more.names) == 2  # the same in a larger grid
    assert not names & plan(grid_of(tiny_file, overrides=("tariff.feed_in=0",), seeds=2)).names
    meter = tmp_path / "meter.csv"
    meter.write_text("time,kwh\n", encoding="utf-8")
    tiny["homes"][1]["load"] = {"source": "table", "file": "meter.csv", "column": "kwh"}
    Path(tiny_file).write_text(yaml.safe_dump(tiny), encoding="utf-8")
    before = plan(grid_of(tiny_file)).names
    assert before == plan(grid_of(tiny_file)).names
    meter.write_text("time,kwh\nx,1\n", encoding="utf-8")
    assert not before & plan(grid_of(tiny_file)).names


@pytest.mark.parametrize(
    ("parts", "word"),
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
def test_what_is_wrong_is_said_before_anything_runs(tiny_file, parts, word):
    with pytest.raises(InputError, match=word):
        plan(grid_of(tiny_file, **parts))


def test_an_interrupted_sweep_goes_on_with_the_rest(tiny_file, tmp_path):
    planned = plan(grid_of(tiny_file, mechanisms=("none", "mid_market_rate"), seeds=6))
    folder, said = tmp_path / "out", []
    first = sweep(
        planned, folder, lambda todo: faked(todo, stop_after=5), lambda *line: said.append(line)
    )
    assert (first.finished, first.interrupted) == (5, True)
    assert len(list((folder / "trials").iterdir())) == 5
    assert said[-1][0].startswith("5 of 12 trials")
    table = save_tables(first)  # what is there, and a word about what is not
    assert "7 of 12 trials are missing" in (folder / "table.md").read_text(encoding="utf-8")
    assert np.isnan(table.values[0]).any()

    asked = []
    second = sweep(planned, folder, lambda todo: faked(asked.extend(todo) or todo))
    assert (second.finished, second.before, second.interrupted) == (12, 5, False)
    assert {trial.name for trial in asked} == planned.names - {t.name for t in planned.trials[:5]}
    assert sweep(planned, folder, lambda todo: pytest.fail("nothing was left to do")).finished == 12

    table = save_tables(second)
    np.testing.assert_array_equal(table.values[1, 0], 100.0 + np.arange(6))
    assert list(table.study.figures) == [
        "cost",
        "network.loss_kwh",
    ]  # nobody has a Gini coefficient
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["cost"]) for row in rows] == [
        100.0 * cell + seed for cell in (0, 1) for seed in range(6)
    ]
    assert rows[6]["mechanism"] == "mid_market_rate"
    # 100 to 105 less 0 to 5: the mean of 0 to 5 is 2.5, its sample deviation 1.87; six pairs are too few for a star.
    assert "| 2.50 ± 1.87 | 102.50 ± 1.87 |" in (folder / "table.md").read_text(encoding="utf-8")


def test_what_failed_is_told_and_tried_again(tiny_file, tmp_path):
    planned = plan(grid_of(tiny_file, seeds=3))
    first = sweep(planned, tmp_path / "out", lambda todo: faked(todo, fail=[1]))
    assert list(first.failed.values()) == ["ValueError: no"]
    (told,) = (tmp_path / "out" / "failed").iterdir()
    assert "Traceback" in told.read_text(encoding="utf-8")
    second = sweep(planned, tmp_path / "out", faked)
    assert (second.finished, second.before, second.failed) == (3, 2, {})
    assert not list((tmp_path / "out" / "failed").iterdir())


def test_a_lost_worker_is_counted_and_its_trial_kept_once(tiny_file, tmp_path):
    planned = plan(grid_of(tiny_file, seeds=2))

    def doing(todo):
        yield Outcome(todo[0], None, 1)
        yield from faked(todo)

    swept = sweep(planned, tmp_path / "out", doing)
    assert (swept.finished, swept.lost, swept.failed) == (2, 1, {})


def test_nobodys_folder_is_touched(tiny_file, tmp_path):
    planned = plan(grid_of(tiny_file))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(InputError, match="no sweep"):
        sweep(planned, tmp_path / "mine", faked)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_a_damaged_trial_is_named(tiny_file, tmp_path):
    planned = plan(grid_of(tiny_file))
    swept = sweep(planned, tmp_path / "out", faked)
    (tmp_path / "out" / "trials" / planned.trials[0].name).write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        save_tables(swept)


def test_a_trial_is_what_a_run_is(tiny_file):
    (trial,) = plan(grid_of(tiny_file)).trials
    job = json.loads(json.dumps(trial.job))  # as it travels
    alone = run(tiny_file, optimum=False)
    assert do(job)["kpis"]["cost"] == alone.kpis["cost"]
    assert tables.flat(do(job)["kpis"])["traded_kwh"] == alone.kpis["traded_kwh"]
    assert "steps" in do({**job, "scenario": {**job["scenario"], "period": {}}})["error"]


def test_trials_may_be_training_runs(tiny_file, tmp_path, monkeypatch):
    grid = grid_of(
        tiny_file, algorithms=("ppo", "a2c"), paradigms=("dtde", "ctde"), iterations=7, seeds=2
    )
    planned = plan(grid)
    assert len(planned.trials) == len(planned.names) == 8
    assert [cell.variant[:2] for cell in planned.cells] == [
        ("tiny, dtde", "ppo"), ("tiny, dtde", "a2c"), ("tiny, ctde", "ppo"), ("tiny, ctde", "a2c"),
    ]  # fmt: skip
    asked = []

    def train(scenario, **parts):
        asked.append(parts)
        test = {
            "learned": {"cost": np.array([3.0]), "carbon_kg": np.array([np.nan])},
            "none": {"cost": np.array([4])},
        }
        return type("Training", (), {"test": test, "seconds": 1.0, "iteration": 7})

    monkeypatch.setattr(sys.modules["prosumax.sweeps.sweep"], "train", train)
    doing = lambda todo: (Outcome(trial, do(trial.job), 1) for trial in todo)  # noqa: E731
    table = save_tables(sweep(planned, tmp_path / "out", doing))
    chosen = {"algorithm": "ppo", "paradigm": "dtde"}
    assert asked[1] == chosen | {"iterations": 7, "environments": 32, "seed": 1, "data_dir": None}
    assert list(table.study.figures) == ["cost"]
    assert (table.values == 3.0).all()


def test_wide_tables_are_parted_so_that_no_number_is_cut():
    content = TextGrid("title", ["a" * 10] * 5, [["figure", *["1"] * 5]])
    parts = list(study_command._parts(content, 50))
    assert parts == [(0, 3), (3, 5)]
    assert list(study_command._parts(content, 10)) == [(n, n + 1) for n in range(5)]


def test_without_ray_it_says_what_to_install(command, tiny_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, said = command("sweep", tiny_file)
    assert code == 2
    assert "pip install 'prosumax[ray]'" in said


def test_a_setting_without_values_is_refused(command, tiny_file):
    code, _, said = command("sweep", tiny_file, "--vary", "tariff.feed_in")
    assert code == 2
    assert "a.b=X,Y" in said


# With Ray, as processes of their own.

SOURCE = Path(prosumax.__file__).parents[1]


def started(*arguments, folder):
    code = "import sys; from prosumax import cli; sys.argv[0] = 'prosumax'; cli.main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", *arguments], cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )  # fmt: skip


def until(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        if process.poll() is not None:
            pytest.fail(f"it ended early: {process.communicate()[0]}")
        time.sleep(0.05)
    return pytest.fail("nothing happened")


def workers_of(process):
    """Process ids of Ray workers that are at a trial and descend from a process."""
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rpartition(")")[2].split()[1]
                )
                titles[int(entry.name)] = (entry / "cmdline").read_bytes().decode()
            except (OSError, IndexError):
                continue

    def descends(number):
        return number == process.pid or (number in parents and descends(parents[number]))

    return [
        number
        for number, title in titles.items()
        if title.startswith("ray::do") and descends(number)
    ]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds worker processes in /proc")
def test_a_sweep_survives_a_killed_worker_and_ctrl_c(tiny_file, tmp_path):
    pytest.importorskip("ray")
    grid = [
        "--mechanisms",
        "none,mid_market_rate,double_auction",
        "--seeds",
        "4",
        "--no-optimum",
        "--out",
        "out",
    ]
    arguments = [tiny_file, *grid, "--workers", "2"]
    trials = tmp_path / "out" / "trials"

    first = started(*arguments, folder=tmp_path)
    os.kill(until(lambda: workers_of(first), first)[0], signal.SIGKILL)
    until(lambda: trials.is_dir() and len(list(trials.glob("*.json"))) >= 2, first)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 130, said
    assert "1 lost their worker and were begun again" in said
    assert "The same command does the rest" in said
    kept = {path.name: path.read_bytes() for path in trials.glob("*.json")}
    assert 2 <= len(kept) < 12

    second = started(*arguments, folder=tmp_path)
    said, _ = second.communicate(timeout=400)
    assert second.returncode == 0, said
    assert f"12 of 12 trials are in {tmp_path / 'out'} ({12 - len(kept)} new)" in said
    assert all((trials / name).read_bytes() == content for name, content in kept.items())
    assert len(list(trials.glob("*.json"))) == 12
    assert (tmp_path / "out" / "table.md").read_text(encoding="utf-8").count("mid_market_rate") == 1
