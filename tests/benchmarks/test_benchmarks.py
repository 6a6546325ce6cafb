"""Every benchmark runs to its end at a toy size."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
HELPERS = {"timing.py", "numpy_environment.py"}  # imported by the others
NEED_A_BROWSER = {"demo_load.py", "demo_pictures.py"}
BENCHMARKS = sorted(path.name for path in FOLDER.glob("*.py") if path.name not in HELPERS)


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_runs_at_a_toy_size(name, tmp_path):
    if name in NEED_A_BROWSER:
        pytest.importorskip("playwright")
        if not (shutil.which("chromium") or shutil.which("google-chrome")):
            pytest.skip("no browser is installed")
    # NiceGUI starts in another way where it finds the variables of pytest.
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment["PROSUMAX_CACHE_DIR"] = str(tmp_path / "cache")
    # To a file: workers of the demo that are still ending would keep a pipe open.
    printed = tmp_path / "printed.txt"
    with printed.open("w") as file:
        done = subprocess.run(
            [sys.executable, FOLDER / name, "--toy"],
            cwd=tmp_path,
            stdout=file,
            stderr=subprocess.STDOUT,
            timeout=600,
            env=environment,
        )
    assert done.returncode == 0, printed.read_text()[-4000:]
    assert printed.read_text().strip()
