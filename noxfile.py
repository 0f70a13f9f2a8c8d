"""`make matrix`: the suite on every Python, on every Postgres, and on the lowest requirements."""

from pathlib import Path

import nox

OTHER_POSTGRES = Path("/usr/lib/postgresql/15/bin")
"""Beside the embedded 18. `make test` does without where there is none; the matrix does not."""

PRODUCT = ["tests/unit", "tests/sql", "tests/integration", "tests/dags"]
"""The tests of what the wheel holds."""

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The lock resolves, installs with its hashes, and everything passes."""
    if not OTHER_POSTGRES.is_dir():
        session.error(f"the matrix wants PostgreSQL 15 in {OTHER_POSTGRES}")
    session.install("--require-hashes", "-r", "requirements-dev.txt")
    session.install("--no-deps", "--build-constraints", "requirements-dev.txt", "--editable", ".")
    session.run("pytest", "-n", "2", "--dist", "loadfile", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """What an older pin of somebody's Airflow could break passes on the lowest requirements."""
    session.install("--require-hashes", "-r", "requirements-lowest.txt")
    session.install(
        "--constraints", "requirements-lowest.txt", "--group", "dev", "--editable", ".[local]"
    )
    session.run("pytest", "-n", "2", "--dist", "loadfile", *(session.posargs or PRODUCT))


@nox.session(default=False)
def next_airflow(session: nox.Session) -> None:
    """What the next release of Airflow will break: its newest pre-release, whatever our bounds."""
    bounds = Path(session.create_tmp(), "bounds.txt")
    parts = ("apache-airflow>=3.4", "apache-airflow-core>=3.4", "apache-airflow-task-sdk>=1.4")
    bounds.write_text("".join(f"{part}.0.dev0\n" for part in parts))
    session.install(
        "--override", str(bounds), "--group", "dev", "--editable", ".[local,server]", silent=False
    )
    session.run("airflow", "version")
    session.run("pytest", "-n", "2", "--dist", "loadfile", *(session.posargs or PRODUCT))


@nox.session(default=False)
def next_dbt(session: nox.Session) -> None:
    """dbt-core 1.12, without the part that its installation downloads from outside PyPI."""
    bounds = Path(session.create_tmp(), "bounds.txt")
    bounds.write_text("dbt-core-experimental-parser; python_version < '3'\n")
    parts = ("dbt-core==1.12.*", "dbt-metricflow", "dbt-postgres")
    session.install("--override", str(bounds), *parts, silent=False)
    where = {"DBT_VENV": session.virtualenv.location, "DBT_VERSION_CHECK": "false"}
    tests = session.posargs or ["tests/e2e/test_dbt.py"]
    session.run(".venv/bin/pytest", *tests, external=True, env=where)
