# Two commands do everything on a fresh machine with Python 3.11 or later:
#   make demo    install, then run the main job on what ships with the project
#   make test    install, then lint, type-check and test
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.PHONY: demo docs test lint types unit faults performance monitoring check-monitoring screenshots wheel test-compose test-cluster compose-up clean

demo: $(VENV)/.all
	$(BIN)/semcom demo

test: lint types unit

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# Four workers, as most tests with processes wait for them; the tests of a file stay together and
# share what they have set up. In their order: the long files come before the many short ones.
WORKERS = -n 4
SPREAD = --dist loadfile --no-loadscope-reorder
unit: $(VENV)/.dev
	$(BIN)/python -m pytest $(WORKERS) $(SPREAD)

# The faults of sweeps in docs/operations.md, again and again: make faults TIMES=20
# Odd rounds classify, even rounds reconstruct: the same tests, with codecs of an own family.
TIMES ?= 20
RECONSTRUCTING = $(abspath $(VENV))/reconstructing
FAULTS = tests/faults tests/integration/test_kill.py tests/integration/test_security.py \
         tests/integration/test_plain_refusals.py tests/integration/test_hot_swap.py \
         tests/integration/test_groups.py tests/integration/test_interference.py
faults: $(RECONSTRUCTING)
	for round in $$(seq $(TIMES)); do \
	  codecs=codecs; [ $$((round % 2)) = 1 ] || codecs=$(RECONSTRUCTING); \
	  echo "round $$round of $(TIMES), $$codecs"; \
	  ( [ $$codecs = codecs ] || export SEMCOM_TEST_CODECS=$$codecs; \
	    $(BIN)/python -m pytest -q -x $(WORKERS) $(SPREAD) $(FAULTS) ) || exit 1; \
	done

$(RECONSTRUCTING): $(VENV)/.dev
	$(INSTALL) --no-deps ./examples/own_family
	rm -rf $@
	$(BIN)/python -m tests.reconstructing $@

# Dashboards from their descriptions, tables of the pages from the code.
monitoring: $(VENV)/.all
	$(BIN)/python -m orchestrator.dashboards.write
	$(BIN)/python -m docs.tables

# docs/performance.md again: every benchmark, its tables and its picture. Keep the machine quiet.
performance: $(VENV)/.all
	$(INSTALL) -e '.[ray]'
	$(BIN)/semcom bench run all peers cluster --rounds 5 --out docs/performance
	$(BIN)/semcom bench report docs/performance
	$(BIN)/python -m docs.tables

# The dashboards against Grafana's own types (needs node), the rules against their tests (promtool).
check-monitoring:
	docker/grafana/check
	promtool check config docker/prometheus/prometheus.yml
	promtool test rules docker/prometheus/rules_test.yml

# The documentation site, in build/site; a warning is an error. It executes the tutorials, which takes
# minutes: make docs TUTORIALS=plain leaves their outputs out.
docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 TUTORIALS=$(TUTORIALS) $(BIN)/python -m mkdocs build --strict

# The pictures of the live page; needs Chromium.
screenshots: $(VENV)/.dev
	$(BIN)/python -m docs.screenshots

# dist/: the sdist, and the wheel from it, so that nothing is in it that an earlier build left here.
wheel: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build

# Builds and starts docker/compose.yaml on a Docker engine, and tries it; skipped where there is none.
test-compose: $(VENV)/.dev
	$(BIN)/python -m pytest -m compose -v tests/compose

# Evaluations, sweeps and trainings on clusters on this machine, with nodes and drivers that are lost: Ray's,
# and Slurm's where Debian's slurm-wlm is installed.
test-cluster: $(VENV)/.dev
	$(INSTALL) -e '.[ray]'
	$(BIN)/python -m pytest -m cluster -v tests/cluster

compose-up:
	$(COMPOSE) -f docker/compose.yaml up -d --build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Python 3.11 or later is needed; name it: make PYTHON=python3.11 demo"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.all: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "installing into $(VENV) (PyTorch is large; this happens once)"
	$(INSTALL) -e '.[all]'
	$(BIN)/python -P -m channel_sim.compiled
	@touch $@

$(VENV)/.dev: $(VENV)/.all
	$(INSTALL) -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
