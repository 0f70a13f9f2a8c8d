"""Tests of two Celery workers: kills, stops, lost messages, and the same rows as one machine."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from counted_sandbox import ACCOUNTS
from installation import DAG, TEST_FOLDER, Installation
from support.rest import until

ONE_MACHINE = ("docker-compose.yml", f"{TEST_FOLDER}/counted_sandbox.yml")
WORKERS = (
    *("docker-compose.yml", "docker-compose.celery.yml"),
    *(f"{TEST_FOLDER}/counted_sandbox.yml", f"{TEST_FOLDER}/impatient.yml"),
)
SLICES = len(ACCOUNTS) * 7
SLOTS = 6
ASKED = "http://localhost:8077/asked"
ASK = f"from urllib.request import urlopen as u; print(u('{ASKED}').read().decode())"
FACTS = """
    SELECT to_jsonb(entry) - '{raw_response_id,fetched_at,changed_at}'::text[]
    FROM weixin.fact_article_total AS entry ORDER BY appid, msgid, stat_date
"""
COVERAGE = """
    SELECT appid, day, settled, article_count, row_count FROM weixin.coverage ORDER BY appid, day
"""
IN = "SELECT appid, day FROM weixin.coverage WHERE ready_at IS NOT NULL"
EMPTY = """
    SELECT 'TRUNCATE ' || string_agg(format('weixin.%I', tablename), ', ') FROM pg_tables
    WHERE schemaname = 'weixin' AND tablename <> 'schema_migrations'
"""


def asked(installation: Installation) -> list[list[str]]:
    """Return every call for figures: the caller's address, the account and the day."""
    output = installation.does(f'docker compose exec -T sandbox python -c "{ASK}"')
    calls: list[list[str]] = json.loads(output)
    return calls


def ingests(installation: Installation, run_id: str, state: str) -> set[int]:
    """Return the numbers of the mapped ingest tasks whose first try has the state."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=100"
    return {
        task["map_index"]
        for task in installation.rest()("GET", path)["task_instances"]
        if (task["task_id"], task["state"], task["try_number"]) == ("ingest", state, 1)
    }


def worker_processes(installation: Installation) -> dict[str, int]:
    """Return the main process of each worker, by the address of its container."""
    inside = f"{installation.folder.name}_inside"
    return {
        installation.inspect(container, ".NetworkSettings.Networks")[inside]["IPAddress"]: (
            installation.inspect(container, ".State.Pid")
        )
        for container in installation.containers("worker")
    }


@pytest.fixture(scope="module")
def alone(base_images: None, checkout: Installation) -> Iterator[list[list[str]]]:
    """Run a morning on one machine, yield its tables, and empty the warehouse."""
    machine = replace(checkout, files=ONE_MACHINE)
    machine.install()
    rest = machine.rest()
    # Airflow's own first run finds no account and fails at once.
    until(lambda: rest("GET", f"dags/{DAG}/dagRuns?state=failed")["dag_runs"])
    connections = [
        {
            "connection_id": f"weixin_{number}",
            "conn_type": "weixin",
            "host": "http://sandbox:8077",
            "login": account.appid,
            "password": account.secret,
            "extra": json.dumps({"name": account.name, "allow_http": True}),
        }
        for number, account in enumerate(ACCOUNTS)
    ]
    for start in range(0, len(connections), 20):  # all at once would be one very long call
        few = connections[start : start + 20]
        rest("PATCH", "connections", {"actions": [{"action": "create", "entities": few}]})
    names = json.dumps([connection["connection_id"] for connection in connections])
    rest("POST", "variables", {"key": "weixin_accounts", "value": names})
    assert machine.runs()
    tables = [machine.asks(FACTS), machine.asks(COVERAGE)]
    machine.asks(machine.asks(EMPTY)[0])
    yield tables
    replace(checkout, files=WORKERS).does("docker compose down")


@pytest.fixture(scope="module")
def workers(checkout: Installation, alone: list[list[str]]) -> Installation:
    """Install two workers as the manual says, with a small pool, and return the installation."""
    installation = replace(checkout, files=WORKERS)
    installation.follows("Workers on several machines")
    installation.does(
        f"docker compose exec -T scheduler airflow pools set default_pool {SLOTS} few"
    )
    return installation


@pytest.fixture(scope="module")
def morning(workers: Installation) -> list[list[str]]:
    """Run a first morning in which one worker is killed, and return its tables."""
    before = len(asked(workers))
    run_id = workers.rest().trigger(DAG)

    def in_the_middle() -> str | None:
        """Return the worker with the most uncommitted calls, once there are enough."""
        committed = {*workers.asks(IN)}
        lost = Counter(
            caller for caller, *key in asked(workers)[before:] if "|".join(key) not in committed
        )
        caller, count = lost.most_common(1)[0] if lost else ("", 0)
        return caller if committed and count in range(8, 100) else None

    processes = worker_processes(workers)
    victim = until(in_the_middle)
    os.kill(processes[victim], signal.SIGKILL)  # ends the whole container
    assert workers.rest().ended(DAG, run_id)["state"] == "success"
    return [workers.asks(FACTS), workers.asks(COVERAGE)]


def test_after_a_killed_worker_the_rows_equal_those_of_one_machine(
    morning: list[list[str]], alone: list[list[str]]
) -> None:
    """The run succeeds by itself. Only the times of the rows and their answers differ."""
    facts, coverage = morning

    assert len(facts) > 10_000
    assert len(coverage) == SLICES
    assert morning == alone


def test_workers_that_are_stopped_end_their_tasks_first(
    workers: Installation, morning: list[list[str]]
) -> None:
    """The remaining tasks run once there are workers again."""
    run_id = workers.rest().trigger(DAG)
    started = until(lambda: ingests(workers, run_id, "running"))

    workers.does("docker compose stop worker")
    assert started <= ingests(workers, run_id, "success")
    workers.does("docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_tasks_wait_for_a_worker_and_are_sent_again_after_redis_lost_them(
    workers: Installation, morning: list[list[str]]
) -> None:
    """The tasks wait for longer than Airflow's default allows."""
    workers.does("docker compose stop worker")

    run_id = workers.rest().trigger(DAG, {"accounts": [ACCOUNTS[0].appid]})
    sent_again = f"eventLogs?run_id={quote(run_id)}&event=stuck in queued reschedule"
    until(lambda: workers.rest()("GET", sent_again)["total_entries"] > 2)
    workers.does("docker compose restart redis && docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_redis_requires_its_password(workers: Installation) -> None:
    """A client that can write to Redis could run code on the workers."""
    redis = "docker compose exec -T {} redis redis-cli ping"

    assert "NOAUTH" in workers.does(redis.format("-e REDISCLI_AUTH="))
    assert workers.does(redis.format("")) == "PONG\n"
