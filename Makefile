# make run    a demonstration on high ports, with accounts and a certificate of its own
# make test   every test; on Debian as root, missing client programs are installed first
# make check  ruff, mypy and the quick tests: the loop to work in
# make floor  the quick tests with the versions of Debian 12
# make fuzz   the property tests with many more examples
# make bench  measurements beside other servers
# make clean  what all of the above made, the demonstration's mail included

PYTHON ?= python3
VENV ?= .venv
FLOOR_VENV ?= .venv-floor
PY = $(VENV)/bin/python
QUICK = $(wildcard tests/unit tests/contract tests/property tests/wire)
# Sources are found from here: what twistd needs to see the plugin.
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := check
.PHONY: run test check floor fuzz bench clean tools

run: $(VENV)/ready
	VENV="$(VENV)" tests/tools/demo.sh

test: $(VENV)/ready tools
	$(PY) -m pytest -rs tests

check: $(VENV)/ready
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(PY) -m pytest -m "not slow" $(QUICK)

floor: $(FLOOR_VENV)/ready
	$(FLOOR_VENV)/bin/python -m pytest $(QUICK)

fuzz: $(VENV)/ready
	HYPOTHESIS_PROFILE=fuzz $(PY) -m pytest tests/property

bench: $(VENV)/ready
	$(PY) -m bench
	$(PY) -m bench.delivery
	$(PY) -m bench.large
	$(PY) -m bench.dav

tools:
	@tests/tools/programs.sh

# A virtualenv of somebody else's, given with VENV=, is used as it is and never installed into.
$(VENV)/ready: setup.cfg pyproject.toml
	@PYTHON="$(PYTHON)" tests/tools/venv.sh "$(VENV)" --editable ".[test,fast]"

$(FLOOR_VENV)/ready: tests/floor.txt
	@PYTHON="$(PYTHON)" tests/tools/venv.sh "$(FLOOR_VENV)" -r tests/floor.txt

clean:
	rm -rf .venv .venv-floor build dist run ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f .coverage twisted/plugins/dropin.cache
