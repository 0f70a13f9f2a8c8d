"""Two Celery workers do what one machine does, also when one of them is killed in the middle."""

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import pytest
from counted_sandbox import ACCOUNTS
from installation import DAG, HERE, Installation
from rest import until

ONE_MACHINE = ("docker-compose.yml", f"{HERE}/counted_sandbox.yml")
WORKERS = (
    *("docker-compose.yml", "docker-compose.celery.yml"),
    *(f"{HERE}/counted_sandbox.yml", f"{HERE}/impatient.yml"),
)
PAIRS = len(ACCOUNTS) * 7
SLOTS, ACCOUNTS_OF_A_TASK = 6, 8
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
Pair = tuple[str, str]
Call = dict[str, Any]


@dataclass(frozen=True)
class Morning:
    """A run with two workers, one of which was killed."""

    run: dict[str, Any]
    tables: list[list[str]]
    calls: list[Call]
    victim: str
    """The address of the killed worker."""
    killed_at: float
    were_in: set[Pair]
    """Committed when it was killed."""


def asked(installation: Installation) -> list[Call]:
    """Every call that the sandbox has answered, asked in its own container."""
    said = installation.does(f'docker compose exec -T sandbox python -c "{ASK}"')
    calls: list[Call] = json.loads(said)
    return calls


def data_calls(calls: list[Call]) -> list[Call]:
    """Those for figures."""
    return [call for call in calls if call["path"].startswith("/datacube")]


def pair(call: Call) -> Pair:
    """Whose figures of which day it asks for."""
    return call["appid"], call["day"]


def ingests(installation: Installation, run_id: str, state: str) -> set[int]:
    """The batches whose first try is in a state."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=100"
    return {
        task["map_index"]
        for task in installation.rest()("GET", path)["task_instances"]
        if (task["task_id"], task["state"], task["try_number"]) == ("ingest", state, 1)
    }


def pairs_in(installation: Installation) -> set[Pair]:
    """The accounts and days that are committed."""
    return {(appid, day) for appid, day in (line.split("|") for line in installation.asks(IN))}


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
def morning(workers: Installation) -> Morning:
    """The first morning with workers."""
    before = len(asked(workers))
    run_id = workers.rest().trigger(DAG)

    def in_the_middle() -> str | None:
        """The worker with most calls that are not committed, and not about to be."""
        calls, committed = data_calls(asked(workers)[before:]), pairs_in(workers)
        lost = Counter(it["caller"] for it in calls if pair(it) not in committed)
        caller, count = lost.most_common(1)[0] if lost else ("", 0)
        return caller if committed and count in range(8, 100) else None

    processes = worker_processes(workers)
    until(lambda: data_calls(asked(workers)[before:]))
    victim = until(in_the_middle)
    os.kill(processes[victim], signal.SIGKILL)  # and with it all of the container
    killed_at, were_in = time.time(), pairs_in(workers)
    run = workers.rest().ended(DAG, run_id)
    tables = [workers.asks(FACTS), workers.asks(COVERAGE)]
    calls = asked(workers)[before:]
    return Morning(run, tables, calls, victim, killed_at, were_in)


def test_with_a_worker_killed_every_pair_is_in_and_the_rows_are_those_of_one_machine(
    morning: Morning, alone: list[list[str]]
) -> None:
    """It is green without anybody's help; only when a row came, and by which answer, differs."""
    assert morning.run["state"] == "success"
    assert len(morning.tables[0]) > 10_000
    assert len(morning.tables[1]) == PAIRS
    assert morning.tables == alone


def test_only_what_the_killed_tasks_had_not_committed_is_asked_again(morning: Morning) -> None:
    """Once more each, as Airflow tries their tasks once more; so are their accounts' tokens."""
    calls = data_calls(morning.calls)
    times = Counter(map(pair, calls))
    of_victim = [call for call in calls if call["caller"] == morning.victim]
    lost = {pair(it) for it in of_victim if it["began_at"] < morning.killed_at} - morning.were_in
    again = {pair for pair, count in times.items() if count > 1}
    tokens = [call for call in morning.calls if call["path"] == "/cgi-bin/stable_token"]

    assert len(times) == PAIRS
    assert again
    assert again <= lost
    assert max(times.values()) == 2
    assert len(tokens) <= 2 * len(ACCOUNTS) + SLOTS * ACCOUNTS_OF_A_TASK


def test_workers_that_are_stopped_end_their_tasks_first(
    workers: Installation, morning: Morning
) -> None:
    """As the scheduler does where tasks run in it; the others run when there are workers again."""
    run_id = workers.rest().trigger(DAG)
    started = until(lambda: ingests(workers, run_id, "running"))

    workers.does("docker compose stop worker")
    assert started <= ingests(workers, run_id, "success")
    workers.does("docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_tasks_that_no_worker_takes_wait_and_what_redis_forgets_is_sent_again(
    workers: Installation, morning: Morning
) -> None:
    """Longer than Airflow by itself lets a task wait, before it fails it."""
    workers.does("docker compose stop worker")

    run_id = workers.rest().trigger(DAG, {"accounts": [ACCOUNTS[0].appid]})
    sent_again = f"eventLogs?run_id={quote(run_id)}&event=stuck in queued reschedule"
    until(lambda: workers.rest()("GET", sent_again)["total_entries"] > 2)
    workers.does("docker compose restart redis && docker compose up --detach --wait worker")

    assert workers.rest().ended(DAG, run_id)["state"] == "success"


def test_redis_is_closed_and_workers_alone_reach_wechat(
    workers: Installation, morning: Morning
) -> None:
    """No way in without a password, nothing published, nobody root; the scheduler stays inside."""
    inside, outside = (f"{workers.folder.name}_{name}" for name in ("inside", "outside"))
    reached: dict[str, set[str]] = {}
    for service in ("redis", "scheduler", "worker"):
        for container in workers.containers(service):
            settings = workers.inspect(container, ".NetworkSettings")
            reached[service] = set(settings["Networks"])
            assert not any(settings["Ports"].values())
            assert "0" not in workers.users(container)

    redis = "docker compose exec -T {} redis redis-cli ping"
    assert reached == {"redis": {inside}, "scheduler": {inside}, "worker": {inside, outside}}
    assert "NOAUTH" in workers.does(redis.format("-e REDISCLI_AUTH="))
    assert workers.does(redis.format("")) == "PONG\n"
