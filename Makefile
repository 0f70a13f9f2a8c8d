# Every command of the project. `make` or `make help` lists them.

PYTHON ?= python3
unexport PYTHONDONTWRITEBYTECODE # Airflow starts in half the time with its bytecode

BIN := .venv/bin
UV := $(BIN)/uv
LOCAL := $(BIN)/python -m weixin_local
PYTEST := $(BIN)/pytest
# Files in the order of their folders: the longest test is alone in its file, and would begin last.
AT_ONCE := -n 2 --dist loadfile --no-loadscope-reorder
INSTALLED := .venv/.installed
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links
PARTS := audit soak test-compose test-newcomer test-superset test-dbt test-own test-lowest test-next

.PHONY: help setup run up reset airflow etl probe export psql secrets check test test-all nightly $(PARTS) superset wheel release lint lock

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run up reset airflow psql: $(INSTALLED)
	@$(LOCAL) $@ $(OPTIONS) $(ARGS)
etl probe export: $(INSTALLED)
	@$(LOCAL) weixin-etl $(@:etl=) $(ARGS)
run up: OPTIONS = $(if $(SCENARIO),--scenario $(SCENARIO))
up: OPTIONS += --port $(or $(PORT),8080)
run: ## Run the pipeline for today and show the result; SCENARIO=busy has the sandbox fail
up: ## Run Airflow until Ctrl-C; PORT=8081 sets its port, SCENARIO=busy has the sandbox fail
reset: ## Take away .weixin, which holds all that run and up keep, after asking
airflow: ## Run Airflow's own command beside `make up`: make airflow ARGS="dags list"
etl: ## Run the product's own command beside `make up`: make etl ARGS="status"
export: ## Write a file for Excel: make export ARGS="figures.xlsx --begin 2026-11-01 --end 2026-11-30"
probe: ## Ask WeChat whether the pipeline will work for the account in .env
psql: ## Open the warehouse in psql

secrets: ## Generate the secrets for docker compose that .env lacks
	@sh docker/secrets.sh

check: lint ## Tell in half a minute what can be told without Postgres and Airflow
	$(PYTEST) tests/rules tests/parse --hypothesis-profile check

test: lint ## Tell whether everything works: style, types, SQL, and the tests on the embedded Postgres
	$(PYTEST) --part newcomers $(AT_ONCE)

test-all: $(INSTALLED) ## Run what CI runs besides: every Postgres, the stack, browsers, faults
	$(PYTEST) --part rest $(AT_ONCE)

nightly: ## Run what takes hours, each part to its end: faults, Docker, Superset, other requirements
	$(MAKE) --keep-going $(PARTS)

soak: $(INSTALLED) ## Try faults for 25 minutes: many calendars and answers, a stop at each statement
	$(PYTEST) tests/run/test_calendars.py tests/rules/test_promises.py \
		tests/parse/test_parse_properties.py tests/faults \
		--soak --hypothesis-profile soak -n 2 --verbose

test-compose test-newcomer test-superset test-dbt test-own: $(INSTALLED)
	$(PYTEST) --part outside tests/nightly/*$(@:test-%=%)* $(if $(ONLY),-k "$(ONLY)")
test-compose: ## Test installation, upgrade, backup and restore with docker compose
test-newcomer: ## Test the README on a fresh Debian; ONLY='trixie and not suite' runs a part
test-superset: superset ## Test the dashboard in Apache Superset, in a browser
test-dbt: .venv-dbt/.installed ## Test the dbt package with dbt itself, after weeks of corrections
test-own: ## Test the manual's "Into your own Airflow"

test-lowest: OTHERS = --require-hashes -r requirements-lowest.txt
test-next: OTHERS = --override .ci/next-airflow.txt --group dev '.[local,server]'
test-lowest: ## Test the product with the lowest requirements, in an environment of its own
test-next: ## Test it with Airflow's newest pre-release, whatever our bounds
test-lowest test-next: $(INSTALLED)
	$(UV) venv --quiet --clear --python $(BIN)/python .venv-$@
	$(UV) pip install --quiet --python .venv-$@/bin/python --require-hashes -r requirements-dev.txt
	$(UV) pip install --quiet --python .venv-$@/bin/python $(OTHERS)
	$(UV) pip install --quiet --python .venv-$@/bin/python --no-deps --editable .
	.venv-$@/bin/pytest --ignore tests/faults --ignore tests/local --ignore tests/airflow/running --ignore tests/page $(AT_ONCE)

audit: $(INSTALLED) ## Check every locked requirement for known vulnerabilities
	$(BIN)/pip-audit --strict --requirement requirements-dev.txt --require-hashes --disable-pip

wheel: $(INSTALLED) ## Build the wheel into dist, for an Airflow that is already there
	$(UV) build --quiet --build-constraints requirements-dev.txt --require-hashes --wheel

release: wheel test-own ## Build the wheel of a version that the changelog has, and try it
	@grep --quiet "^## \[$$($(BIN)/weixin-etl --version | cut -d' ' -f2)\] - " CHANGELOG.md

lint: $(INSTALLED) ## Check style, types and SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 sql analytics

setup: $(INSTALLED) ## Create .venv with everything in it (the other commands do so when needed)
superset: .venv-superset/.installed ## Install Apache Superset into .venv-superset

lock: $(INSTALLED) ## Resolve the requirements again
	$(LOCK) pyproject.toml --extra server --output-file requirements.txt
	$(LOCK) pyproject.toml --extra server --extra local --group dev --constraints requirements.txt --output-file requirements-dev.txt
	$(LOCK) pyproject.toml --resolution lowest-direct --output-file requirements-lowest.txt
	$(LOCK) analytics/dbt/requirements.in --output-file analytics/dbt/requirements.txt
	$(LOCK) analytics/superset/requirements.in --output-file analytics/superset/requirements.txt

# The locked uv, with its hashes; it installs everything else, with hashes as well.
$(INSTALLED): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "$(PYTHON) is no Python 3.11 or newer with venv (apt install python3-venv): install one, and name it if need be, as in PYTHON=python3.12 make setup" >&2; exit 1; }
	@echo "Setting up .venv, which takes a minute the first time …"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements-dev.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# dbt and Superset run on older Pythons alone: where there is none of them, nothing is installed.
.venv-%/.installed: analytics/%/requirements.txt | $(INSTALLED)
	@if $(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<$(if $(filter dbt,$*),3.14,3.13)' .venv-$*; then \
		$(UV) pip install --quiet --python .venv-$*/bin/python --require-hashes -r $< && touch $@; fi
