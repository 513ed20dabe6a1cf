# make demo, make test: a fresh machine needs Python 3.11 or newer, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test lint bench soak clean

help:
	@echo "make demo    serve the demo site on 127.0.0.1:8000"
	@echo "make test    run the tests"
	@echo "make lint    look at style and types"
	@echo "make bench   measure against ThreadPoolExecutor"
	@echo "make soak    run the slow tests, those with real servers too (uWSGI needs a C compiler)"
	@echo "make clean   remove what these made"

demo: $(VENV)/test
	$(BIN)/python manage.py demo

test: $(VENV)/test
	$(BIN)/python -m pytest -q

lint: $(VENV)/lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m mypy

bench: $(VENV)/test
	$(BIN)/python -m benchmarks

soak: $(VENV)/test $(VENV)/servers
	$(BIN)/python -m pytest -q -m "slow or soak"

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf demo_project/db.sqlite3* demo_project/outbox demo_project/uploads demo_project/.state

# The files $(VENV)/test, …/lint and …/servers say that an extra is installed as pyproject.toml wants it now.
$(VENV)/test $(VENV)/lint $(VENV)/servers: $(VENV)/%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[$*]"
	touch $@

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "There is no $(PYTHON). Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$("$(PYTHON)" -V 2>&1), and Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) can't make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
