# AllClear. `make` lists what it can do.
.DEFAULT_GOAL := help
.PHONY: help .venv demo up test bench bench-detection lock
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# Extra words for pytest, as in: make test PYTEST_ARGS='-k escalation'
PYTEST_ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

help: ## list the targets
	@awk -F ':.*## ' '/^[.a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

.venv: .venv/.installed ## install the locked packages and the allclear command

# Runs again only when the lock or pyproject.toml is newer. A .venv that lacks the stamp is completed, not trusted.
.venv/.installed: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "AllClear needs Python 3.11 or newer, and there is no '$(PYTHON)' here: install it, or name one with 'make .venv PYTHON=...'." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "AllClear needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1): name a newer one with 'make .venv PYTHON=python3.12'." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "'$(PYTHON)' cannot make virtual environments: install its venv module (on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Creating .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing the locked packages"
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.lock
	@echo "Installing allclear"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv ## play an incident from first alarm to all clear
	@$(BIN)/allclear drill scenarios/one-bad-host.yaml

up: .venv ## start everything on this machine, Temporal included
	@$(BIN)/allclear up

test: .venv ## lint, types, import rules, tests
	@echo "Checking style"
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "Not formatted: run '$(BIN)/ruff format'." >&2; exit 1; }
	@echo "Checking types"
	@$(BIN)/python -m mypy
	@echo "Checking imports"
	@$(BIN)/lint-imports --no-logo
	@echo "Running the tests"
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

bench: .venv ## measure alarm-to-page time and throughput
	@$(BIN)/python -m tests.bench

bench-detection: .venv ## measure the traffic model on DATA=folder of NAB's layout
	@test -n "$(DATA)" || { echo "Say where the series are: make bench-detection DATA=a folder of NAB's layout" >&2; exit 1; }
	@$(BIN)/python -m tests.bench.detection $(DATA)

lock: .uv/bin/uv ## resolve pyproject.toml again into requirements.lock
	@echo "Resolving the newest versions"
	@.uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml -o requirements.lock

.uv/bin/uv:
	@echo "Fetching uv"
	@$(PYTHON) -m venv .uv && .uv/bin/python -m pip --disable-pip-version-check -qq install uv
