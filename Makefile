# make setup   install into .venv        make run     serve the arena on port 7860
# make test    everything, real parts    make check   style, types, known vulnerabilities
# make quick   all tests but those with a browser or torch and the drills: a minute
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup run test quick check soak screenshots space readme clean

setup: $(VENV)/.installed

run: setup
	@$(BIN)/python app.py

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --progress-bar on --upgrade pip
	$(BIN)/pip install --progress-bar on -r requirements.txt
	@touch $@

$(VENV)/.tests: $(VENV)/.installed tests/requirements.txt
	$(BIN)/pip install --quiet -r tests/requirements.txt
	@$(BIN)/python -m tests.prepare
	@touch $@

test quick: export PYTHONDONTWRITEBYTECODE :=  # compiling all anew costs each worker four seconds

test: $(VENV)/.tests
	@$(BIN)/python -m pytest --numprocesses 2

quick: $(VENV)/.tests
	@$(BIN)/python -m pytest --quick --numprocesses 3

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pip install --quiet pip-audit && $(BIN)/pip-audit --skip-editable -r requirements.txt

soak: $(VENV)/.tests
	$(BIN)/python -m perf.soak

screenshots: $(VENV)/.tests
	$(BIN)/python -m docs.screenshots

space: setup
	@$(BIN)/python -m arena space $(DIR)

readme: $(VENV)/.installed
	$(BIN)/python -m docs.readme

clean:
	rm -rf $(VENV) build
