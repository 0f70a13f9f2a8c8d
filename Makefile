# Every command of the project. `make` or `make help` lists them.

PYTHON ?= python3
PORT ?= 8080

BIN := .venv/bin
UV := $(BIN)/uv
INSTALLED := .venv/.installed
DBT := .venv-dbt/.installed
SUPERSET := .venv-superset/.installed
BUILD := $(UV) build --quiet --build-constraints requirements-dev.txt --require-hashes
KNOWN_TO_BE_VULNERABLE := https://pypi.org/pypi/jinja2/2.4.1/json
HTMX := plugins/weixin_etl/orchestration/page/htmx
HTMX_VERSION := 4.0.1
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup run up reset airflow etl probe psql secrets test test-all soak test-compose test-newcomer test-superset superset dbt bench audit htmx wheel release lint format lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Run the pipeline for today and show the result; SCENARIO=busy has the sandbox fail
	@$(BIN)/python -m weixin_local run $(if $(SCENARIO),--scenario $(SCENARIO))

up: $(INSTALLED) ## Run Airflow until Ctrl-C; PORT=8081 sets its port, SCENARIO=busy has the sandbox fail
	@$(BIN)/python -m weixin_local up --port $(PORT) $(if $(SCENARIO),--scenario $(SCENARIO))

reset: $(INSTALLED) ## Take away what run and up keep, after asking: .weixin, as root /var/lib/weixin-etl too
	@$(BIN)/python -m weixin_local reset

airflow: $(INSTALLED) ## Run Airflow's own command beside `make up`: make airflow ARGS="dags list"
	@$(BIN)/python -m weixin_local airflow $(ARGS)

etl: $(INSTALLED) ## Run the product's own command beside `make up`: make etl ARGS="status"
	@$(BIN)/python -m weixin_local etl $(ARGS)

probe: $(INSTALLED) ## Ask WeChat whether the pipeline will work for the account in .env
	@$(BIN)/python -m weixin_local probe $(ARGS)

psql: $(INSTALLED) ## Open the warehouse in psql
	@$(BIN)/python -m weixin_local psql

secrets: ## Generate the secrets for docker compose that .env lacks
	@sh docker/secrets.sh

test: lint ## Tell whether everything works: every check, and the tests on the embedded Postgres
	$(BIN)/pytest --part newcomers -n 2 --dist loadfile

test-all: $(INSTALLED) $(DBT) ## Run what CI runs besides: every Postgres, the stack, browsers, dbt, faults
	$(BIN)/pytest --part rest -n 2 --dist loadfile

bench: $(INSTALLED) ## Measure the analysts' queries, the load, and whole runs; takes 40 minutes
	$(BIN)/python benchmarks/queries.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/accounts.py --accounts 1 100 1000

test-compose: $(INSTALLED) ## Test installation, upgrade, backup and restore with docker compose
	$(BIN)/pytest -m compose tests/e2e/compose

test-newcomer: $(INSTALLED) ## Test the README on a fresh Debian; ONLY='trixie and not suite' runs a part
	$(BIN)/pytest -m newcomer tests/e2e/test_newcomer.py $(if $(ONLY),-k "$(ONLY)")

test-superset: $(INSTALLED) $(SUPERSET) ## Test the dashboard in Apache Superset, in a browser
	$(BIN)/pytest -m superset tests/e2e/superset

superset: $(SUPERSET) ## Install Apache Superset into .venv-superset

dbt: $(DBT) ## Install dbt into .venv-dbt

audit: $(INSTALLED) ## Check every locked requirement for known vulnerabilities
	@$(BIN)/python -c 'import json, urllib.request as web; json.load(web.urlopen("$(KNOWN_TO_BE_VULNERABLE)", timeout=60))["vulnerabilities"][0]' 2>/dev/null \
		|| { echo "Nothing was audited: $(KNOWN_TO_BE_VULNERABLE) does not answer, or lists no vulnerability" >&2; exit 1; }
	$(UV) tool run --python $(BIN)/python pip-audit==2.10.1 --strict --requirement requirements-dev.txt --require-hashes --disable-pip

htmx: ## Fetch the page's htmx from npm again; fails if it is not what is committed
	@folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT \
		&& npm pack --silent --pack-destination "$$folder" htmx.org@$(HTMX_VERSION) >/dev/null \
		&& tar -xzf "$$folder"/*.tgz -C $(HTMX) --transform='s:.*/::' package/LICENSE package/dist/htmx.min.js
	@git diff --stat --exit-code -- $(HTMX)

wheel: $(INSTALLED) ## Build the wheel into dist, for an Airflow that is already there
	$(BUILD) --wheel

release: $(INSTALLED) ## Build wheel and sdist into dist, check both and install from both
	rm -rf dist
	$(BUILD)
	$(UV) tool run --quiet twine==7.0.0 check --strict dist/*
	$(BIN)/pytest -m release tests/e2e/test_release.py

soak: $(INSTALLED) ## Try faults by seed for 25 minutes; SEED=17 repeats one, TIMES=4 has four times the seeds
	$(BIN)/pytest tests/integration/test_calendars.py tests/unit/test_rules_calendars.py \
		tests/unit/test_parse_properties.py tests/faults \
		--soak $(or $(TIMES),1) --hypothesis-profile soak -n 2 --verbose $(if $(SEED),--seed $(SEED))

lint: $(INSTALLED) ## Check style, types and SQL
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sqlfluff lint sql analytics

format: $(INSTALLED) ## Format Python and SQL
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfluff fix sql analytics

setup: $(INSTALLED) ## Create .venv with everything in it (the other commands do so when needed)

lock: $(INSTALLED) ## Resolve the requirements again
	$(LOCK) pyproject.toml --extra server --output-file requirements.txt
	$(LOCK) pyproject.toml --extra server --extra local --group dev --constraints requirements.txt --output-file requirements-dev.txt
	$(LOCK) pyproject.toml --resolution lowest-direct --output-file requirements-lowest.txt
	$(LOCK) analytics/dbt/requirements.in --output-file analytics/dbt/requirements.txt
	$(LOCK) analytics/superset/requirements.in --output-file analytics/superset/requirements.txt

clean: ## Remove the environments and caches; the figures in .weixin stay
	rm -rf .venv .venv-dbt .venv-superset .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The locked uv, with its hashes; it installs everything else, with hashes as well.
$(INSTALLED): requirements-dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "There is no $(PYTHON): install Python 3.11 or newer, or name yours, as in PYTHON=python3.12 make setup" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than Python 3.11: install a newer one and name it, as in PYTHON=python3.12 make setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) comes without venv: install it (apt install python3-venv), or name another, as in PYTHON=python3.12 make setup" >&2; exit 1; }
	@echo "Setting up .venv, which takes a minute the first time …"
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null
	@awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements-dev.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

# dbt for the package under analytics/dbt, in an environment of its own. It runs on Python 3.11 to
# 3.13: where there is none of them, its tests are skipped.
$(DBT): analytics/dbt/requirements.txt | $(INSTALLED)
	@if $(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<3.14' .venv-dbt; then \
		$(UV) pip install --quiet --python .venv-dbt/bin/python --require-hashes -r $< && touch $@; fi

# Apache Superset, which runs on fewer Pythons than the project.
$(SUPERSET): analytics/superset/requirements.txt | $(INSTALLED)
	@$(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<3.13' .venv-superset
	@$(UV) pip install --quiet --python .venv-superset/bin/python --require-hashes -r $<
	@touch $@
