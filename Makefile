# `make` prepares, pulumi owns resources, the medallion command owns runs.
# Values reach the commands through the environment, never pasted into a command line: a path may hold anything.

STACK ?= local
CLOUD ?= simulated
WORKLOAD ?= ssh-logs
INPUT ?=
export STACK CLOUD WORKLOAD INPUT
unexport PYTHONHOME
# Compiled modules are kept even where containers say otherwise: to compile them anew takes longer than many a command.
unexport PYTHONDONTWRITEBYTECODE

PYTHON_HERE := .venv/bin/python
MEDALLION := .venv/bin/medallion
SET_UP = @sh toolchain/bootstrap.sh && $(PYTHON_HERE) -m toolchain.setup
STACK_COMMAND = @$(PYTHON_HERE) -m toolchain.stack
# A worker for each core; what shares a session of Spark or a stack stays in one (tests/conftest.py).
SIDE_BY_SIDE := --numprocesses auto --dist loadgroup
# The input of a run replaces what was there; without INPUT it is the workload's generated sample.
UPLOAD = @set -- --sample; [ -z "$$INPUT" ] || set -- -- "$$INPUT"; $(MEDALLION) upload "$$WORKLOAD" --replace

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up preview down recover clean lint test test-unit

help: ## show this list
	@printf 'make TARGET [VARIABLE=value …]\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile
	@printf '\nvariables, with their present values:\n'
	@printf '  %-10s %s\n' \
		STACK    "$$STACK (local, dev, staging or prod)" \
		CLOUD    "$$CLOUD (simulated or azure; local is always simulated)" \
		WORKLOAD "$$WORKLOAD (a folder of workloads/)" \
		INPUT    "$${INPUT:-(a generated sample)} (a file or folder to run on)"

up: ## set everything up, stand the stack up, upload INPUT and run WORKLOAD on it
	$(SET_UP)
	@$(MEDALLION) doctor
	$(UPLOAD) --check "$$@"
	$(STACK_COMMAND) up --stack "$$STACK" --cloud "$$CLOUD"
	$(UPLOAD) "$$@"
	@$(MEDALLION) run "$$WORKLOAD"

preview: ## show what `make up` would change in the stack, and what the policies say
	$(SET_UP) pulumi
	$(STACK_COMMAND) preview --stack "$$STACK" --cloud "$$CLOUD"

down: ## delete the stack's resources; asks first when CLOUD=azure
	$(SET_UP) pulumi
	$(STACK_COMMAND) down --stack "$$STACK" --cloud "$$CLOUD"

recover: ## put a stack right after a killed `make up` that the next one does not recover by itself; asks first
	$(SET_UP) pulumi
	$(STACK_COMMAND) recover --stack "$$STACK" --cloud "$$CLOUD"

clean: ## remove the simulated cloud with all its data (.medallion) and what builds and tests leave
	@printf 'removing .medallion (the simulated cloud, its lake and runs) and leftovers of builds and tests\n'
	@rm -rf .medallion .tools/caches build dist
	@find . \( -name .venv -o -name .tools -o -name .git \) -prune -o -type d -name __pycache__ -exec rm -rf {} +
	@printf '.venv and .tools stay; delete them to set everything up anew\n'

lint: ## check style, imports between rooms, and the rules of the house
	@sh toolchain/bootstrap.sh
	$(PYTHON_HERE) -m ruff check
	$(PYTHON_HERE) -m ruff format --check
	.venv/bin/lint-imports --cache-dir .tools/caches/imports
	$(PYTHON_HERE) -m toolchain.house_rules

test: ## run all tests, with coverage
	$(SET_UP)
	$(PYTHON_HERE) -m pytest $(SIDE_BY_SIDE) --cov --cov-report=term:skip-covered

test-unit: ## run the tests that need neither Spark nor the engine, within a minute
	@sh toolchain/bootstrap.sh
	$(PYTHON_HERE) -m pytest $(SIDE_BY_SIDE) tests/unit -m 'not spark and not engine'
