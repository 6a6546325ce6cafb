"""Command `prosumax new`: runnable scenarios, options and questions."""

import io
import sys

import pytest
import yaml

from prosumax.scenario.loading import load_scenario


def test_defaults_run(command, tmp_path):
    code, out, _ = command("new", "--yes")
    assert code == 0 and "prosumax run my-street.yaml" in out
    text = (tmp_path / "my-street.yaml").read_text()
    for words in (
        "# Run it:",
        "prosumax mechanisms",
        "prosumax tariffs",
        "# azimuth_deg: 180 is south",
    ):
        assert words in text
    scenario = load_scenario(tmp_path / "my-street.yaml")
    assert len(scenario.homes) == 8 and scenario.period.steps == 35040
    assert "Sibelga" in scenario.tariff.description
    code, _, err = command(
        "run", "my-street.yaml", "--set", "period.steps=96", "--json", "--no-optimum"
    )
    assert code == 0, err


def test_every_question_has_an_option(command, tmp_path):
    homes = ("--homes", 3, "--solar", 2, "--batteries", 1)
    market = ("--tariff", "wallonia-2026-impact", "--mechanism", "key_equal")
    period = ("--year", 2024, "--step", 60)
    code, _, err = command("new", "a/village.yaml", *homes, *market, *period, "-y")
    assert code == 0, err
    scenario = load_scenario(tmp_path / "a" / "village.yaml")
    assert scenario.name == "village" and scenario.period.steps == 366 * 24  # A leap year.
    assert [home.solar is not None for home in scenario.homes] == [True, True, False]
    assert [home.battery is not None for home in scenario.homes] == [True, False, False]
    assert scenario.market.mechanism == "key_equal" and scenario.location.latitude_deg == 50.47
    run = ("run", "a/village.yaml", "--set", "period.steps=24", "--json", "--no-optimum")
    assert command(*run)[0] == 0


def test_questions_are_asked_on_a_terminal(command, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("\n4\n1\n\nflanders-2026\n\n\n60\n"))
    code, out, err = command("new", "mine.yaml")
    assert code == 0, err
    for question in (
        "Name of the scenario [mine]",
        "Number of homes [8]",
        "Number of homes with a battery [0]",
        "Step in minutes",
    ):
        assert question in out, out
    content = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert len(content["homes"]) == 4 and content["tariff"] == "flanders-2026"
    assert content["policy"] == "none" and content["period"]["step_minutes"] == 60
    assert content["market"]["mechanism"] == "mid_market_rate"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--homes", "0"), "--homes: the value must be an integer from 1 to 500, got '0'"),
        (
            ("--homes", "3", "--solar", "4"),
            "--solar: the value must be an integer from 0 to 3, got '4'",
        ),
        (("--tariff", "brusels-2026"), "Did you mean 'brussels-2026'"),
        (("--mechanism", "mid_market_rat"), "Did you mean 'mid_market_rate'"),
        (("--step", "30"), "the step must be 15 or 60, got 30"),
        (("--name", "my street"), "characters other than"),
        (("street.txt",), "not a YAML file"),
    ],
)
def test_invalid_options_write_nothing(command, tmp_path, arguments, words):
    code, _, err = command("new", *arguments, "--yes")
    assert code == 2 and words in err and err.count("\n") == 1, err
    assert not list(tmp_path.iterdir())


def test_existing_file_is_kept(command, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: years of work")
    code, _, err = command("new", "mine.yaml", "-y")
    assert code == 2 and "not changed" in err
    assert (tmp_path / "mine.yaml").read_text() == "name: years of work"
