# setup · demo · test · loop · lint · types · bench-*     `make help` lists them
SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8000
PY := .venv/bin/python
# `platform` is a source root: its name belongs to the standard library, so it can never be a package.
export PYTHONPATH := $(CURDIR)/platform:$(CURDIR):$(CURDIR)/client
export PORT
WORKERS ?= 2
SERVER_TESTS := tests/core tests/accounts tests/jobs tests/archive tests/annotations tests/exchange tests/learning

.PHONY: help setup setup-dev demo loop test test-slow test-methods lint types format lock docs bench-methods bench-gpu calibrate-methods screenshots

help:
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## / - /'

setup: ## install what runs into .venv and frontend/node_modules
	@$(PYTHON) platform/mammoloop/bootstrap.py runtime

setup-dev: ## the same and what tests, linters and type checks need
	@$(PYTHON) platform/mammoloop/bootstrap.py runtime test

demo: setup ## start everything on this machine; PORT=8000, DATA=folder
	@exec $(PY) manage.py demo --port $(PORT) $(if $(DATA),--data "$(DATA)")

loop: setup ## play whole rounds over HTTP; DATA=folder, OUT=folder
	@test -n "$(DATA)" || { echo "Say which folder: make loop DATA=../my-mini-mias"; exit 2; }
	@state=$$(mktemp -d "$${TMPDIR:-/tmp}/mammoloop-loop-XXXXXX"); \
	  VAR_DIR="$$state" $(PY) manage.py loop "$(DATA)" --out "$(or $(OUT),out/loop)"; code=$$?; \
	  rm -rf "$$state"; exit $$code

test: setup-dev ## everything that a change must pass
	@$(PY) -m tests.run -n $(WORKERS)

test-slow: setup-dev ## the slow tail: learning checks, endurance
	@$(PY) -m pytest -m slow tests

test-methods: setup-dev ## the slow tests of the methods: what they memorise, and the calibrated learning checks
	@OMP_NUM_THREADS=1 $(PY) -m pytest -n $(WORKERS) --dist loadgroup -m slow tests/ml/methods --durations=40

calibrate-methods: setup-dev ## measure the learning checks: method, stub, baseline; METHODS="name ..." for some
	@$(PY) bench/methods/calibrate.py $(METHODS) ; $(PY) manage.py write_docs

bench-methods: setup-dev ## the methods on public sets beside the baselines; DATA=folder, METHODS="name ..."
	@$(PY) bench/methods/table.py $(if $(DATA),--data "$(DATA)") $(if $(METHODS),--method $(METHODS))
	@$(PY) manage.py write_docs

bench-gpu: setup-dev ## images a second, memory and waits of the large methods on this machine's GPU
	@$(PY) bench/methods/gpu.py bench/methods/results/gpu.json && $(PY) manage.py write_docs

lint: setup-dev ## ruff, import contracts, Biome
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/lint-imports --no-logo
	@cd frontend && npm run --silent lint

types: setup-dev ## mypy and tsc
	@.venv/bin/mypy
	@cd frontend && npm run --silent types

format: setup-dev ## put the code in form
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .
	@cd frontend && npm run --silent format

docs: setup-dev ## write again what is generated: pages of docs/, the API's schema and the types made of it
	@$(PY) manage.py write_docs
	@cd frontend && npm run --silent api

lock: ## resolve requirements/*.in again (needs uv)
	@for lock in runtime test; do \
	  uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --override requirements/no-torch.txt \
	    $$([ $$lock = runtime ] && echo requirements/base.in requirements/ml.in || echo requirements/test.in) \
	    -o requirements/$$lock.lock; done

screenshots: setup-dev ## make the README's pictures again
	@$(PY) -m tests.screenshots
