# Two commands, each enough by itself on a fresh machine with Python 3.11 or newer, git and make:
#   make demo [DATA=folder of single-cell files]
#   make test
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DATA ?=

.PHONY: demo test coverage long quick lint notebooks clean

demo: $(VENV)/demo.installed
	$(BIN)/corpuscle demo $(if $(DATA),--data $(DATA))

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not long"

coverage: $(VENV)/test.installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not long" --cov --cov-report=term:skip-covered --cov-fail-under=90

long: $(VENV)/test.installed
	$(BIN)/python -m pytest -m long

quick: $(VENV)/test.installed
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not long"

lint: $(VENV)/test.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/pyright

clean:
	rm -rf $(VENV) demo demo-data build *.egg-info .coverage*

$(VENV)/demo.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	@echo "installing: about 1 GB is fetched, once"
	$(PIP) install --quiet --constraint constraints.txt "torch==2.13.0+cpu" 2>/dev/null \
		|| $(PIP) install --quiet --constraint constraints.txt torch
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/test.installed: $(VENV)/demo.installed
	$(PIP) install --quiet --constraint constraints.txt --editable ".[lint,test]"
	touch $@
