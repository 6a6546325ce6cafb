"""`prosumax train` and the commands that use its run."""

import json

import pytest
import yaml

SMALL = (
    *("--set", "environment.episode_steps=4"),
    *("--setting", "hidden_sizes=[8]"),
    *("--setting", "num_minibatches=1"),
    *("--num-envs", 4),
)


@pytest.fixture
def scenario(tiny, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny))
    return path


@pytest.mark.slow
def test_a_run_is_trained_evaluated_and_exported(scenario, tmp_path, command):
    code, out, err = command(
        "train", scenario, *SMALL, "--algorithm", "ppo", "--iterations", 2, "--out", "run"
    )
    assert code == 0, err
    assert "learned" in out and "…" not in out and (tmp_path / "run" / "report.html").is_file()
    code, out, err = command("evaluate", "run", "--json")
    assert code == 0, err
    reward = json.loads(out)["test"]["learned"]["reward"]
    stored = json.loads((tmp_path / "run" / "result.json").read_text())["test"]["learned"]["reward"]
    assert reward == pytest.approx(stored, rel=1e-5)
    home = yaml.safe_load(scenario.read_text())["homes"][0]["name"]
    code, out, err = command("export-policy", "run", home, "policy.json")
    assert code == 0 and (tmp_path / "policy.npz").is_file(), err


@pytest.mark.slow
def test_a_population_trains_and_keeps_its_best_member(scenario, tmp_path, command):
    code, out, err = command(
        "train", scenario, *SMALL, "--population", 2, "--iterations", 10, "--out", "run"
    )
    assert code == 0, err
    assert "learned" in out and "generation 2/2" in err


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ((), "--resume"),
        (("mahtm-train", "--algorithm", "pop"), "ppo"),
        (("mahtm-train", "--setting", "hidden_sizes"), "a=VALUE"),
        (("mahtm-train", "--setting", "hiden_sizes=[8]"), "hiden_sizes"),
        (("mahtm-train", "--anneal", "warmth=1"), "anneal: warmth"),
        (("mahtm-train", "--population", 4, "--seeds", 2), "--seeds"),
        (("mahtm-train", "--address", "local"), "--population"),
        (("mahtm-train", "--paradigm", "cde"), "dtde"),
        (("--resume", "nowhere"), "nowhere"),
    ],
)
def test_invalid_options_are_reported_in_a_message(options, text, command):
    code, _, err = command("train", *options)
    assert code == 2 and text in err and "Traceback" not in err
