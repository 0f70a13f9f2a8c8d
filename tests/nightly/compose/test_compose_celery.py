"""Two Celery workers do what one machine does, also when one of them is killed in the middle."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from counted_sandbox import ACCOUNTS
from installation import DAG, HERE, Installation
from support.rest import until

ONE_MACHINE = ("docker-compose.yml", f"{HERE}/counted_sandbox.yml")
WORKERS = (
    *("docker-compose.yml", "docker-compose.celery.yml"),
    *(f"{HERE}/counted_sandbox.yml", f"{HERE}/impatient.yml"),
)
PAIRS = len(ACCOUNTS) * 7
SLOTS = 6
ASKED = "http://localhost:8077/asked"
ASK = f"from urllib.request import urlopen as u; print(u('{ASKED}').read().decode())"
FACTS = """
    SELECT to_jsonb(it) - '{raw_response_id,fetched_at,changed_at}'::text[]
    FROM weixin.fact_article_total it ORDER BY appid, msgid, stat_date
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
    """Every call for figures: the caller's address, account and day; asked in its container."""
    said = installation.does(f'docker compose exec -T sandbox python -c "{ASK}"')
    calls: list[list[str]] = json.loads(said)
    return calls


def ingests(installation: Installation, run_id: str, state: str) -> set[int]:
    """The batches whose first try is in a state."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=100"
    return {
        task["map_index"]
        for task in installation.rest()("GET", path)["task_instances"]
        if (task["task_id"], task["state"], task["try_number"]) == ("ingest", state, 1)
    }


def worker_processes(installation: Installation) -> dict[str, int]:
    """The first process of each worker, by the address of its container."""
    inside = f"{installation.folder.name}_inside"
    return {
        installation.inspect(it, ".NetworkSettings.Networks")[inside]["IPAddress"]: (
            installation.inspect(it, ".State.Pid")
        )
        for it in installation.containers("worker")
    }


@pytest.fixture(scope="module")
def alone(base_images: None, checkout: Installation) -> Iterator[list[list[str]]]:
    """The tables that LocalExecutor makes of the morning; the warehouse is empty again then."""
    one = replace(checkout, files=ONE_MACHINE)
    one.install()
    rest = one.rest()
    # the morning's own run finds no account, and is out of the way
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
    names = json.dumps([it["connection_id"] for it in connections])
    rest("POST", "variables", {"key": "weixin_accounts", "value": names})
    assert one.runs()
    tables = [one.asks(FACTS), one.asks(COVERAGE)]
    one.asks(one.asks(EMPTY)[0])
    yield tables
    replace(checkout, files=WORKERS).does("docker compose down")


@pytest.fixture(scope="module")
def workers(checkout: Installation, alone: list[list[str]]) -> Installation:
    """The same installation with two workers, as the manual says, and few slots of the pool."""
    installation = replace(checkout, files=WORKERS)
    installation.follows("Workers on several machines")
    installation.does(
        f"docker compose exec -T scheduler airflow pools set default_pool {SLOTS} few"
    )
    return installation


@pytest.fixture(scope="module")
def morning(workers: Installation) -> list[list[str]]:
    """The tables of the first morning with workers, one of which is killed; its run is green."""
    before = len(asked(workers))
    run_id = workers.rest().trigger(DAG)

    def in_the_middle() -> str | None:
        """The worker with most calls that are not committed, and not about to be."""
        committed = {*workers.asks(IN)}
        lost = Counter(
            caller for caller, *pair in asked(workers)[before:] if "|".join(pair) not in committed
        )
        caller, count = lost.most_common(1)[0] if lost else ("", 0)
        return caller if committed and count in range(8, 100) else None

    processes = worker_processes(workers)
    victim = until(in_the_middle)
    os.kill(processes[victim], signal.SIGKILL)  # and with it all of the container
    assert workers.rest().ended(DAG, run_id)["state"] == "success"
    return [workers.asks(FACTS), workers.asks(COVERAGE)]


def test_with_a_worker_killed_every_pair_is_in_and_the_rows_are_those_of_one_machine(
    morning: list[list[str]], alone: list[list[str]]
) -> None:
    """It is green without anybody's help; only when a row came, and by which answer, differs."""
    facts, coverage = morning

    assert len(facts) > 10_000
    assert len(coverage) == PAIRS
    assert morning == alone


def test_workers_that_are_stopped_end_their_tasks_first(
    workers: Installation, morning: list[list[str]]
) -> None:
    """As the scheduler does where tasks run in it; the others run when there are workers again."""
    run_id = workers.rest().trigger(DAG)
    started = until(lambda: ingests(workers, run_id, "running"))

    workers.does("docker compose stop worker")
    assert started <= ingests(workers, run_id, "success")
    workers.does("docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_tasks_that_no_worker_takes_wait_and_what_redis_forgets_is_sent_again(
    workers: Installation, morning: list[list[str]]
) -> None:
    """Longer than Airflow by itself lets a task wait, before it fails it."""
    workers.does("docker compose stop worker")

    run_id = workers.rest().trigger(DAG, {"accounts": [ACCOUNTS[0].appid]})
    sent_again = f"eventLogs?run_id={quote(run_id)}&event=stuck in queued reschedule"
    until(lambda: workers.rest()("GET", sent_again)["total_entries"] > 2)
    workers.does("docker compose restart redis && docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_redis_wants_its_password(workers: Installation) -> None:
    """Whoever may write to it could run code on workers."""
    redis = "docker compose exec -T {} redis redis-cli ping"

    assert "NOAUTH" in workers.does(redis.format("-e REDISCLI_AUTH="))
    assert workers.does(redis.format("")) == "PONG\n"
