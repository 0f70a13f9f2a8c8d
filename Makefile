# Every command of the project. `make` or `make help` lists them.

PYTHON ?= python3
PORT ?= 8080

BIN := .venv/bin
UV := $(BIN)/uv
LOCAL := $(BIN)/python -m weixin_local
INSTALLED := .venv/.installed
DBT := .venv-dbt/.installed
SUPERSET := .venv-superset/.installed
BUILD := $(UV) build --quiet --build-constraints requirements-dev.txt --require-hashes
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links
PARTS := audit soak test-compose test-newcomer test-superset test-guests test-lowest test-next-airflow

.DEFAULT_GOAL := help
.PHONY: help setup run up reset airflow etl probe psql secrets check test test-all nightly $(PARTS) superset dbt bench wheel release lint lock

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Run the pipeline for today and show the result; SCENARIO=busy has the sandbox fail
	@$(LOCAL) run $(if $(SCENARIO),--scenario $(SCENARIO))

up: $(INSTALLED) ## Run Airflow until Ctrl-C; PORT=8081 sets its port, SCENARIO=busy has the sandbox fail
	@$(LOCAL) up --port $(PORT) $(if $(SCENARIO),--scenario $(SCENARIO))

reset: $(INSTALLED) ## Take away .weixin, which holds all that run and up keep, after asking
	@$(LOCAL) reset

airflow psql: $(INSTALLED)
	@$(LOCAL) $@ $(ARGS)
etl probe: $(INSTALLED)
	@$(LOCAL) weixin-etl $(@:etl=) $(ARGS)
airflow: ## Run Airflow's own command beside `make up`: make airflow ARGS="dags list"
etl: ## Run the product's own command beside `make up`: make etl ARGS="status"
probe: ## Ask WeChat whether the pipeline will work for the account in .env
psql: ## Open the warehouse in psql

secrets: ## Generate the secrets for docker compose that .env lacks
	@sh docker/secrets.sh

check: lint ## Tell in half a minute what can be told without Postgres and Airflow
	$(BIN)/pytest tests/rules tests/parse -n 2 --hypothesis-profile check

test: lint ## Tell whether everything works: style, types, SQL, and the tests on the embedded Postgres
	$(BIN)/pytest --part newcomers -n 2 --dist loadfile

test-all: $(INSTALLED) $(DBT) ## Run what CI runs besides: every Postgres, the stack, browsers, dbt, faults
	$(BIN)/pytest --part rest -n 2 --dist loadfile

nightly: ## Run what takes hours, each part to its end: faults, Docker, Superset, other requirements
	$(MAKE) --keep-going $(PARTS)

soak: $(INSTALLED) ## Try faults by seed for 25 minutes; SEED=17 repeats one, TIMES=4 has four times the seeds
	$(BIN)/pytest tests/run/test_calendars.py tests/rules/test_promises.py \
		tests/parse/test_parse_properties.py tests/faults \
		--soak $(or $(TIMES),1) --hypothesis-profile soak -n 2 --verbose $(if $(SEED),--seed $(SEED))

test-compose test-newcomer test-superset: $(INSTALLED)
	$(BIN)/pytest -m $(@:test-%=%) tests/e2e $(if $(ONLY),-k "$(ONLY)")
test-compose: ## Test installation, upgrade, backup and restore with docker compose
test-newcomer: ## Test the README on a fresh Debian; ONLY='trixie and not suite' runs a part
test-superset: $(SUPERSET) ## Test the dashboard in Apache Superset, in a browser

test-guests: $(INSTALLED) $(DBT) ## Test dbt, and the installation into somebody's own Airflow
	$(BIN)/pytest tests/e2e/test_dbt.py tests/e2e/test_own_airflow.py

test-lowest: $(INSTALLED) ## Test the product with the lowest requirements
	$(call test-with,lowest,--require-hashes -r requirements-lowest.txt)

test-next-airflow: $(INSTALLED) ## Test the product with Airflow's newest pre-release, whatever our bounds
	$(call test-with,next,--override .ci/next-airflow.txt --group dev '.[local,server]')

# The tests of the product in an environment of its own, with other requirements.
define test-with
@$(UV) venv --quiet --clear --python $(BIN)/python .venv-$(1)
@$(UV) pip install --quiet --python .venv-$(1)/bin/python --require-hashes -r requirements-dev.txt
@$(UV) pip install --quiet --python .venv-$(1)/bin/python $(2)
@$(UV) pip install --quiet --python .venv-$(1)/bin/python --no-deps --editable .
.venv-$(1)/bin/pytest tests/unit tests/rules tests/parse tests/load tests/run \
	tests/sql tests/integration tests/dags -n 2 --dist loadfile
endef

bench: $(INSTALLED) ## Measure the analysts' queries, the load, and whole runs; takes 40 minutes
	$(BIN)/python benchmarks/queries.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/accounts.py --accounts 1 100 1000

audit: $(INSTALLED) ## Check every locked requirement for known vulnerabilities
	$(UV) tool run --python $(BIN)/python pip-audit==2.10.1 --strict --requirement requirements-dev.txt --require-hashes --disable-pip

wheel: $(INSTALLED) ## Build the wheel into dist, for an Airflow that is already there
	$(BUILD) --wheel

release: $(INSTALLED) ## Build wheel and sdist into dist, check both and install from both
	rm -rf dist
	$(BUILD)
	$(UV) tool run --quiet twine==7.0.0 check --strict dist/*
	$(BIN)/pytest -m release tests/e2e/test_release.py

lint: $(INSTALLED) ## Check style, types and SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes 2 sql analytics

setup: $(INSTALLED) ## Create .venv with everything in it (the other commands do so when needed)
superset: $(SUPERSET) ## Install Apache Superset into .venv-superset
dbt: $(DBT) ## Install dbt into .venv-dbt

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

# dbt runs on Python 3.11 to 3.13: where there is none of them, its tests are skipped.
$(DBT): analytics/dbt/requirements.txt | $(INSTALLED)
	@if $(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<3.14' .venv-dbt; then \
		$(UV) pip install --quiet --python .venv-dbt/bin/python --require-hashes -r $< && touch $@; fi

$(SUPERSET): analytics/superset/requirements.txt | $(INSTALLED)
	@$(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<3.13' .venv-superset
	@$(UV) pip install --quiet --python .venv-superset/bin/python --require-hashes -r $<
	@touch $@
