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
from installation import DAG, Installation
from rest import until

ONE_MACHINE = ("docker-compose.yml", "tests/nightly/compose/counted_sandbox.yml")
WORKERS = (
    "docker-compose.yml",
    "docker-compose.celery.yml",
    "tests/nightly/compose/counted_sandbox.yml",
    "tests/nightly/compose/impatient.yml",
)
SANDBOX, LOOPBACK = "http://sandbox:8077", "http://localhost:8077"
PAIRS = len(ACCOUNTS) * 7
SLOTS, CALLS_OF_A_TASK, ACCOUNTS_OF_A_TASK = 6, 4, 8
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


@dataclass(frozen=True)
class Morning:
    """A run with two workers, one of which was killed."""

    run: dict[str, Any]
    tables: list[list[str]]
    calls: list[dict[str, Any]]
    victim: str
    """The address of the killed worker."""
    killed_at: float
    were_in: set[Pair]
    """Committed when it was killed."""
    log_by_worker: str
    """Of a task that was running, as its worker served it."""

    def data_calls(self) -> list[dict[str, Any]]:
        """The calls for figures."""
        return [call for call in self.calls if call["path"].startswith("/datacube")]


def sandbox_says(installation: Installation, path: str) -> str:
    """What the sandbox answers, asked in its own container."""
    code = f"from urllib.request import urlopen as u; print(u('{LOOPBACK}{path}').read().decode())"
    return installation.does(f'docker compose exec -T sandbox python -c "{code}"')


def asked(installation: Installation) -> list[dict[str, Any]]:
    """Every call that the sandbox has answered."""
    calls: list[dict[str, Any]] = json.loads(sandbox_says(installation, "/asked"))
    return calls


def tasks(installation: Installation, run_id: str) -> list[dict[str, Any]]:
    """The task instances of a run."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances?limit=100"
    found: list[dict[str, Any]] = installation.rest()("GET", path)["task_instances"]
    return found


def ingests(installation: Installation, run_id: str, state: str) -> set[int]:
    """The chunks whose first try is in a state."""
    return {
        task["map_index"]
        for task in tasks(installation, run_id)
        if (task["task_id"], task["state"], task["try_number"]) == ("ingest", state, 1)
    }


def log(installation: Installation, task: dict[str, Any], try_number: int) -> str:
    """What the API server shows of a try."""
    path = f"dags/{DAG}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}"
    path += f"/logs/{try_number}?map_index={task['map_index']}"
    return json.dumps(installation.rest()("GET", path)["content"])


def batched(those: list[Any], size: int) -> Iterator[list[Any]]:
    """The same, some at a time."""
    return (those[start : start + size] for start in range(0, len(those), size))


def pairs_in(installation: Installation) -> set[Pair]:
    """The accounts and days that are committed."""
    return {(appid, day) for appid, day in (line.split("|") for line in installation.asks(IN))}


def worker_processes(installation: Installation) -> dict[str, int]:
    """The first process of each worker, by the address of its container."""
    processes = {}
    for container in installation.does("docker compose ps --quiet worker").split():
        networks = installation.inspect(container, ".NetworkSettings.Networks")
        address = networks[f"{installation.folder.name}_inside"]["IPAddress"]
        processes[address] = installation.inspect(container, ".State.Pid")
    return processes


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
            "host": SANDBOX,
            "login": account.appid,
            "password": account.secret,
            "extra": json.dumps({"name": account.name, "allow_http": True}),
        }
        for number, account in enumerate(ACCOUNTS)
    ]
    for few in batched(connections, 20):  # all at once would be one very long call
        rest("PATCH", "connections", {"actions": [{"action": "create", "entities": few}]})
    names = json.dumps([it["connection_id"] for it in connections])
    rest("POST", "variables", {"key": "weixin_accounts", "value": names})
    run = rest.ended(DAG, rest.trigger(DAG))
    assert run["state"] == "success"
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

    def data_calls() -> list[dict[str, Any]]:
        return [call for call in asked(workers)[before:] if call["path"].startswith("/datacube")]

    def served_log() -> str | None:
        running = [
            task
            for task in tasks(workers, run_id)
            if task["task_id"] == "ingest" and task["state"] == "running"
        ]
        texts = (log(workers, task, 1) for task in running)
        return next((text for text in texts if ":8793/log/" in text), None)

    def in_the_middle() -> str | None:
        """The worker with most calls that are not committed, and not about to be."""
        calls, committed = data_calls(), pairs_in(workers)
        lost = Counter(it["caller"] for it in calls if (it["appid"], it["day"]) not in committed)
        caller, count = lost.most_common(1)[0] if lost else ("", 0)
        return caller if committed and count in range(8, 100) else None

    processes = worker_processes(workers)
    until(data_calls)
    log_by_worker = until(served_log)
    victim = until(in_the_middle)
    os.kill(processes[victim], signal.SIGKILL)  # and with it all of the container
    killed_at = time.time()
    were_in = pairs_in(workers)
    run = workers.rest().ended(DAG, run_id)
    return Morning(
        run,
        [workers.asks(FACTS), workers.asks(COVERAGE)],
        asked(workers)[before:],
        victim,
        killed_at,
        were_in,
        log_by_worker,
    )


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
    times = Counter((call["appid"], call["day"]) for call in morning.data_calls())
    lost = {
        (call["appid"], call["day"])
        for call in morning.data_calls()
        if call["caller"] == morning.victim and call["began_at"] < morning.killed_at
    } - morning.were_in
    again = {pair for pair, count in times.items() if count > 1}
    tokens = Counter(
        call["appid"] or "" for call in morning.calls if call["path"] == "/cgi-bin/stable_token"
    )

    assert len(times) == PAIRS
    assert again
    assert again <= lost
    assert max(times.values()) == 2
    assert sum(tokens.values()) <= 2 * len(ACCOUNTS) + SLOTS * ACCOUNTS_OF_A_TASK


def test_airflows_pool_bounds_the_calls_in_flight_of_both_workers(morning: Morning) -> None:
    """Each worker alone has slots for more tasks than the pool."""
    calls = morning.data_calls()
    changes = sorted(
        change
        for call in calls
        for change in (
            (call["began_at"], 1, call["caller"]),
            (call["ended_at"], -1, call["caller"]),
        )
    )
    in_flight: Counter[str] = Counter()
    peak, together = 0, False
    for _, change, caller in changes:
        in_flight[caller] += change
        peak = max(peak, in_flight.total())
        together = together or len(+in_flight) == 2

    assert together
    assert SLOTS * CALLS_OF_A_TASK / 2 < peak <= SLOTS * CALLS_OF_A_TASK


def test_logs_of_workers_are_shown(workers: Installation, morning: Morning) -> None:
    """Of a running task by its worker, of a killed one as well."""
    killed = [task for task in tasks(workers, morning.run["dag_run_id"]) if task["try_number"] == 2]

    assert "Pre Execute" in morning.log_by_worker
    assert all("Pre Execute" in log(workers, task, 1) for task in killed)
    # one may have had nothing left to ask for
    assert any("inserted" in log(workers, task, 2) for task in killed)


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
    few = {"accounts": [ACCOUNTS[0].appid]}
    workers.does("docker compose stop worker")

    run_id = workers.rest().trigger(DAG, few)
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
        for container in workers.does(f"docker compose ps --quiet {service}").split():
            settings = workers.inspect(container, ".NetworkSettings")
            reached[service] = set(settings["Networks"])
            assert not any(settings["Ports"].values())
            processes = workers.does(f"docker top {container} -eo pid,uid").splitlines()[1:]
            assert "0" not in {line.split()[1] for line in processes}

    refused = workers.does("docker compose exec -T -e REDISCLI_AUTH= redis redis-cli ping")
    asked_with = workers.does("docker compose exec -T redis redis-cli ping")

    assert reached == {"redis": {inside}, "scheduler": {inside}, "worker": {inside, outside}}
    assert "NOAUTH" in refused
    assert asked_with == "PONG\n"
