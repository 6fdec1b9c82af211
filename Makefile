# One entry to everything. A fresh machine needs Python 3.11 or newer and make; `make demo` and `make test` do the rest.

VENV     := .venv
BIN      := $(VENV)/bin
ARGS     ?=
UPGRADE  ?=
WORKERS  ?= 2
MINIMUM  := 3.11

# PYTHON may be given (make PYTHON=python3.13 demo); else the first of these that is new enough.
PYTHON     ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < tuple(map(int, "$(MINIMUM)".split("."))))

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all coverage lint format type layers docs bench build lock clean
.DELETE_ON_ERROR:

help:  ## what can be made
	@awk -F ':.*## +' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-run  ## train on real purchases, score five days, show the list and write the report
	$(BIN)/winback demo $(ARGS)

test: $(VENV)/.installed-test  ## the quick tests and the doctests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow" $(ARGS)

test-all: $(VENV)/.installed-test $(VENV)/.installed-spark  ## every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

coverage: ARGS += --cov --cov-report=term
coverage: test-all  ## every test, and which lines they reach

setup: $(VENV)/.installed-dev  ## the whole development environment

lint: $(VENV)/.installed-dev  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(VENV)/.installed-dev  ## mypy, strict
	$(BIN)/mypy

layers: $(VENV)/.installed-test  ## import-linter: imports point one way
	$(BIN)/lint-imports

docs: $(VENV)/.installed-test  ## hold the documents against the code: commands, settings, features, links
	$(BIN)/python -m pytest -q $(wildcard tests/repo/test_docs_*.py) $(ARGS)

bench: $(VENV)/.installed-run  ## the benchmark table; ARGS="--data FOLDER" for your own sets
	$(BIN)/python benchmarks/accuracy.py $(ARGS)

build: $(VENV)/.installed-dev  ## wheel and source archive into dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .

clean:  ## remove what was built or cached; the environment stays
	rm -rf build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

# --- the environment -----------------------------------------------------------------------------------------------
# Every package is pinned by hash; the project itself goes in last, editable, built by the pinned hatchling.

$(BIN)/python:
	@for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then \
	        "$$candidate" --version; \
	        "$$candidate" -m venv $(VENV) && exit 0; \
	        echo "The environment could not be made with $$candidate -m venv. On Debian and Ubuntu: apt install python3-venv." >&2; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	done; \
	echo "winback needs Python $(MINIMUM) or newer; tried: $(CANDIDATES). Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
	exit 1

define install
	@echo "Installing the packages of requirements/$(1).txt into $(VENV) (a few minutes the first time, nothing the next)."
	@$(PIP) install --quiet --only-binary :all: $(3) --require-hashes -r requirements/$(1).txt || { \
	    echo "The installation failed (see above). It needs a package index, and a Python for which the pinned packages exist: 3.11 to 3.13 are tested." >&2; exit 1; }
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(foreach set,$(2),$(VENV)/.installed-$(set))
endef

$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(call install,run,run)

$(VENV)/.installed-test: requirements/test.txt pyproject.toml | $(BIN)/python
	$(call install,test,run test)

$(VENV)/.installed-dev: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(call install,dev,run test dev)

# PySpark is published as source only (400 MB); it is built by the pinned setuptools. To run, it also needs Java 17 or 21.
$(VENV)/.installed-spark: requirements/spark.txt $(VENV)/.installed-test
	$(call install,spark,spark,--no-binary pyspark --no-build-isolation --use-pep517)

# --- the pinned requirement files ----------------------------------------------------------------------------------

lock: $(VENV)/.installed-dev  ## pin the requirement files anew; UPGRADE=1 for the newest versions
	UV=$(BIN)/uv MINIMUM=$(MINIMUM) UPGRADE=$(UPGRADE) sh requirements/lock.sh
