"""Example programs run, and the example plugin works once it is installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
PLUGIN = FOLDER / "plugin"
SCENARIO = PLUGIN / "street-with-pool.yaml"
TWO_DAYS = ("--set", "period.steps=192")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example_runs(example, tmp_path):
    done = subprocess.run(
        [sys.executable, example], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


class Shell:
    """Command lines in an environment with or without the installed plugin."""

    def __init__(self, folder, site):
        self.folder = folder
        self.site = site

    def python(self, *arguments, plugin=True):
        """Run Python; without the plugin, as after its removal from the same machine."""
        paths = [str(self.site)] if plugin else []
        paths += [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(paths),
            "PROSUMAX_CACHE_DIR": str(self.folder / "cache"),
            "COLUMNS": "160",
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )

    def prosumax(self, *arguments, plugin=True):
        return self.python("-m", "prosumax", *map(str, arguments), plugin=plugin)


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Shell in which pip has installed the example plugin, into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    shell = Shell(folder, folder / "site")
    # Neither an index nor a build environment is needed, since the tests install hatchling.
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    done = shell.python("-m", "pip", "install", *options, "--target", shell.site, PLUGIN)
    assert done.returncode == 0, done.stderr
    return shell


def test_installed_plugin_is_listed(shell):
    done = shell.prosumax("plugins")
    assert done.returncode == 0, done.stderr
    for name in ("prosumax-example-plugin", "peak_first", "pool_pump", "midday-pool"):
        assert name in done.stdout


def test_installed_mechanism_clears_a_preset(shell):
    done = shell.prosumax("run", "street", "--set", "market.mechanism=peak_first", *TWO_DAYS)
    assert done.returncode == 0, done.stderr
    assert "mechanism peak_first" in done.stdout


def test_installed_device_is_in_bills_optimum_and_report(shell):
    done = shell.prosumax("run", SCENARIO, *TWO_DAYS, "--optimum", "--out", "out")
    assert done.returncode == 0, done.stderr
    kpis = json.loads((shell.folder / "out" / "kpis.json").read_text("utf-8"))
    energy = [home.get("pool_pump_kwh") for home in kpis["households"]]
    assert energy[:2] == pytest.approx([12.0, 13.2], rel=1e-4)
    assert kpis["kpis"]["individual_optimum"] <= sum(
        home["bill_without_exchange"] for home in kpis["households"]
    )
    report = (shell.folder / "out" / "report.html").read_text("utf-8")
    assert "Pool pump" in report


def test_agents_train_with_the_installed_device(shell):
    options = ("--iterations", 3, "--num-envs", 2, "--out", "trained")
    done = shell.prosumax("train", SCENARIO, *TWO_DAYS, *options)
    assert done.returncode == 0, done.stderr
    assert "3 iterations" in done.stdout


def test_tests_of_the_plugin_pass(shell):
    options = ("-q", "-p", "no:cacheprovider", "--rootdir", shell.folder)
    done = shell.python("-m", "pytest", *options, PLUGIN / "tests")
    assert done.returncode == 0, done.stdout


def test_messages_name_the_package_that_is_not_installed(shell):
    assert shell.prosumax("plugins").returncode == 0  # remembers what the package provides
    for arguments, message in (
        ((SCENARIO,), "plugins.0: package prosumax-example-plugin is not installed."),
        (
            ("street", "--set", "market.mechanism=peak_first"),
            "there is no mechanism 'peak_first'; it came from package 'prosumax-example-plugin'",
        ),
        (
            ("street", "--set", "homes.0.pool_pump={}"),
            "homes.0.pool_pump: there is no such field; it came from package",
        ),
        (
            ("street", "--policy", "midday-pool"),
            "there is no policy 'midday-pool'; it came from package 'prosumax-example-plugin'",
        ),
    ):
        done = shell.prosumax("run", *arguments, plugin=False)
        assert done.returncode == 2
        text = " ".join(done.stderr.split())
        assert message in text
        assert "pip install prosumax-example-plugin" in text
