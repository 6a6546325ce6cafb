# `make run` simulates a preset and `make test` runs the tests. Both create .venv if it is missing.
PYTHON ?= python3
BIN := .venv/bin
# Tests spend most of their time in compilation, which uses one core per process. The tests of a file share compiled programs.
PARALLEL := -n 2 --dist loadfile

# The tests and screenshots of the demo need a browser. Root installs Debian's Chromium; other users install Playwright's.
BROWSER := command -v chromium >/dev/null || command -v google-chrome >/dev/null \
  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
  || $(BIN)/playwright install chromium >/dev/null 2>&1

.PHONY: reference setup run test test-slow lint format bench picture clean

run: $(BIN)/prosumax
	$(BIN)/prosumax run street

test: .venv/for-tests lint
	$(BIN)/pytest -q -m "not slow" $(PARALLEL)

# Slow tests run complete trainings and studies, every variant of a property, the demo in a browser and the benchmarks.
test-slow: .venv/for-tests
	$(BIN)/pytest -q -m slow $(PARALLEL)

lint: .venv/for-tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/codespell -D - -D .codespell/words.txt

format: .venv/for-tests
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/for-tests
	$(BIN)/python benchmarks/community.py
	$(BIN)/python benchmarks/clearing.py
	$(BIN)/python benchmarks/network.py
	$(BIN)/python benchmarks/environment.py
	$(BIN)/python benchmarks/training.py

# Generate the reference pages. Tests fail when the pages are out of date.
reference: $(BIN)/prosumax
	$(BIN)/python -m prosumax.metrics.reference docs/reference/kpis.md docs/reference/devices
	$(BIN)/python -m prosumax.scenario.reference docs/reference/fields.md

# Take the screenshot of a report for the README. This needs Chromium.
picture: $(BIN)/prosumax
	$(BIN)/prosumax run street --out results/picture
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=4000 \
	  --window-size=1240,1605 --screenshot=docs/img/report.png file://$(CURDIR)/results/picture/report.html

setup: $(BIN)/prosumax

# The package is installed again whenever its dependencies change.
$(BIN)/prosumax: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "prosumax needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

# Install the dependencies of the tests: reference simulators and solvers, checkers of other libraries, and SimBench (91 MB).
.venv/for-tests: $(BIN)/prosumax
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]' simbench
	@$(BROWSER) || echo "No browser could be installed: the tests of the demo in a browser are skipped."
	@touch $@

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
