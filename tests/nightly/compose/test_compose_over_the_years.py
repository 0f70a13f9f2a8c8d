"""Tests of rare events on a server: cleaned history, a new Fernet key, killed processes."""

import re
from datetime import UTC, datetime
from functools import partial

import pytest
from dotenv import set_key
from installation import DAG, MANUAL, Installation
from support.people import blocks
from support.rest import until

FACT = "SELECT count(*), sum(int_page_read_user) FROM weixin.fact_article_total"


@pytest.fixture(scope="module")
def loaded(installation: Installation) -> Installation:
    """Return the shared installation after a successful run."""
    assert installation.runs()
    return installation


def test_a_run_succeeds_after_airflows_history_is_cleaned(loaded: Installation) -> None:
    """The history of a moment ago is deleted with its logs while the scheduler runs."""
    before, moment = loaded.asks(FACT), datetime.now(UTC)
    # Newer rows of DAGs and processes must exist: a scheduler whose row is deleted ends.
    seen = f"dag.dag_id = '{DAG}' AND least(last_parsed_time, latest_heartbeat) >= '{moment}'"
    processes = f"SELECT count(DISTINCT job_type) FROM dag, job WHERE {seen}"
    until(lambda: loaded.asks(processes, "airflow") == ["3"])

    loaded.follows("Airflow's own history")
    cleaned = loaded.does(
        "docker compose exec -T scheduler airflow db clean --skip-archive --yes "
        f'--clean-before-timestamp "{moment:%F %T}+00:00"'
    )

    assert re.search(r"table task_instance\nFound [1-9]\d* rows", cleaned)
    assert loaded.runs()
    assert loaded.asks(FACT) == before


def test_the_fernet_key_can_be_changed(loaded: Installation) -> None:
    """Secrets encrypted with the old key can be read with the new one, and a run succeeds."""
    env = loaded.folder / ".env"
    kept = {"connection_id": "kept", "conn_type": "http", "password": "a password of before"}
    loaded.rest()("POST", "connections", kept)
    typed = blocks(MANUAL, "Change the Fernet key")
    generate, rotate = (command.replace("exec", "exec -T") for command in typed)
    old, new = loaded.secret("AIRFLOW_FERNET_KEY"), loaded.does(generate).strip()

    set_key(env, "AIRFLOW_FERNET_KEY", f"{new},{old}")
    loaded.does("docker compose up --detach --wait")
    loaded.does(rotate)
    set_key(env, "AIRFLOW_FERNET_KEY", new)
    loaded.does("docker compose up --detach --wait")

    get = "docker compose exec -T api-server airflow connections get kept --output json"
    assert kept["password"] in loaded.does(get)
    assert loaded.runs()


def test_a_service_whose_process_dies_is_started_again(loaded: Installation) -> None:
    """The volumes outlive the containers, and the next run succeeds."""
    log = f"dags/{DAG}/dagRuns/{loaded.runs()['dag_run_id']}/taskInstances/plan/logs/1"
    before, logged = loaded.asks(FACT), loaded.rest()("GET", log)["content"]
    for service in ("scheduler", "postgres"):
        (container,) = loaded.containers(service)
        loaded.does(f"kill -9 {loaded.inspect(container, '.State.Pid')}")
        until(partial(loaded.inspect, container, ".RestartCount"))  # Docker restarts it
    loaded.does("docker compose up --detach --wait")
    assert loaded.asks(FACT) == before

    loaded.does("docker compose down && docker compose up --detach --wait")

    assert loaded.rest()("GET", log)["content"] == logged
    assert loaded.runs()
    assert loaded.asks(FACT) == before
