"""Airflow on this machine, in the background: started by `up`, found again, and ended by `down`."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import NoReturn

import requests
from sqlalchemy import make_url

from weixin_etl.datasets import DATASETS
from weixin_local import databases, machine, processes
from weixin_local.api import AirflowApi
from weixin_local.environment import (
    ADMIN,
    CONNECTION_VARIABLE,
    READER_VARIABLE,
    admin_password,
    airflow_environment,
    airflow_url,
    configured_connection,
    keep_private,
    page_password,
    postgres_connection,
    sandbox_connection,
    where_configured,
)
from weixin_local.home import Home
from weixin_local.logs import last_complaint
from weixin_local.machine import LocalError, write_private
from weixin_local.processes import Process
from weixin_local.progress import Steps

API_SERVER, SCHEDULER = "api-server", "scheduler"
AIRFLOW_COMMANDS = {
    API_SERVER: ["api-server"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],  # the API server reads the same disk
    SCHEDULER: ["scheduler", "--skip-serve-logs"],
}
"""In the order in which they are started."""
SANDBOX = "sandbox"
TASK_PATIENCE_SECONDS = 15
"""How long the scheduler may wait for its tasks; one that is killed can be done again."""

STOP_PATIENCE_SECONDS = 4
"""The triggerer, which has no work here, would take ten seconds to say goodbye."""

START_PATIENCE_SECONDS = 180
POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Stack:
    """A running stack, for the commands that come after the one that started it."""

    port: int
    warehouse_url: str
    account: str
    """`fingerprint` of what it collects."""
    sandbox_url: str
    """Where the sandbox listens that it collects; empty when an account is configured."""

    def refuse_other_account(self, connection: str | None) -> None:
        """
        Make sure that it collects what is configured now.

        Raises:
            LocalError: it was started for something else.
        """
        if self.account != fingerprint(connection):
            raise LocalError(
                "The Airflow that runs was started for another account than the one configured "
                "now: `make down`, then try again."
            )


def run_command(home: Home, module: str, arguments: Sequence[str]) -> NoReturn:
    """
    Become the command of a module on the stack that runs, whatever Airflow else there is.

    Raises:
        LocalError: none runs, or for another account than the one configured now. One of which a
            part has died will do: that may be what the command is to find out.
    """
    found = started(home)
    if found is None or not home.server.is_running():
        raise LocalError("Airflow is not running: `make up` starts it.")
    connection = configured_connection(home)
    found.refuse_other_account(connection)
    environment = airflow_environment(
        home, connection or sandbox_connection(found.sandbox_url), found.warehouse_url, found.port
    )
    # Airflow would print it on stdout, where it spoils the output for whoever reads it as JSON
    environment.setdefault("PYTHONWARNINGS", "ignore:Could not import graphviz")
    _become(module, arguments, environment)


def probe(home: Home, arguments: Sequence[str], steps: Steps) -> NoReturn:
    """
    Become `weixin-etl probe` for the account that is configured, with or without Airflow running.

    Raises:
        LocalError: there is none.
    """
    keep_private(home, steps.say)
    connection = configured_connection(home)
    if connection is None:
        raise LocalError(
            "No account is configured: fill in WEIXIN_APPID and WEIXIN_SECRET in .env."
        )
    # what `up` has in Airflow's database is of no use here, and it may not be running
    environment = {
        **os.environ,
        CONNECTION_VARIABLE: connection,
        "AIRFLOW_HOME": str(home.state / "probe"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    _become("weixin_etl.cli", ["probe", *arguments], environment)


def _become(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    command = [sys.executable, "-m", module, *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 -- no shell is meant


def up(home: Home, port: int, steps: Steps) -> None:
    """
    Start Postgres, the sandbox where no account is configured, and Airflow, and wait for them.

    Raises:
        LocalError: something does not start, then all of it is stopped again; or it runs already,
            for another account.
    """
    keep_private(home, steps.say)
    connection = configured_connection(home)
    with home.locked(steps.say):
        found = running(home)
        if found:
            found.refuse_other_account(connection)
            steps.say("Airflow is running already.")
        else:
            _clear_the_way(home, port)
            try:
                found = _start(home, port, connection, steps)
            except BaseException:
                stop(home)
                raise
    _introduce(home, found, steps)


def fingerprint(connection: str | None) -> str:
    """The account's connection, unreadable, or `sandbox`: to notice that `.env` has changed."""
    return sha256(connection.encode()).hexdigest() if connection else SANDBOX


def running(home: Home) -> Stack | None:
    """
    The stack, if every process of it is at work.

    Raises:
        LocalError: another version of this program has started it.
    """
    stack = started(home)
    if stack is None:
        return None
    needed = {*AIRFLOW_COMMANDS, *([SANDBOX] if stack.sandbox_url else [])}
    return stack if needed <= {*survivors(home)} and home.server.is_running() else None


def started(home: Home) -> Stack | None:
    """
    The stack that was started and not stopped, whether all of it is still at work or not.

    Raises:
        LocalError: another version of this program has started it.
    """
    record = home.state / "stack.json"
    if not record.exists():
        return None
    try:
        return Stack(**json.loads(record.read_text()))
    except TypeError:
        raise LocalError(
            "The Airflow that runs was started by another version: `make down`, then try again."
        ) from None


def survivors(home: Home) -> list[str]:
    """The names of the processes at work, also of a stack of which a part has died."""
    return [process.name for process in processes.recorded(home.processes) if process.is_alive()]


def stop(home: Home) -> Sequence[str]:
    """
    End every process of this home: the scheduler, what its tasks ask, and Postgres.

    Returns:
        the names of those that were running.
    """
    recorded = processes.recorded(home.processes)
    first = [process for process in recorded if process.name == SCHEDULER]
    others = [process for process in recorded if process.name != SCHEDULER]
    stopped = processes.stop(first, TASK_PATIENCE_SECONDS)
    stopped += processes.stop(others, STOP_PATIENCE_SECONDS)
    if home.server.stop():
        stopped.append("Postgres")
    (home.state / "stack.json").unlink(missing_ok=True)
    return stopped


def _clear_the_way(home: Home, port: int) -> None:
    """End what is left of a stack of which a part has died; the port must be free then."""
    processes.stop(processes.recorded(home.processes), STOP_PATIENCE_SECONDS)
    if not machine.is_free(port):
        raise LocalError(
            f"Port {port} is taken by another program: stop it, or take another port "
            f"(`make up PORT={port + 1}`)."
        )


def _start(home: Home, port: int, connection: str | None, steps: Steps) -> Stack:
    databases.start_postgres(home, steps)
    warehouse_url = databases.warehouse_url(home, is_sandbox=connection is None)
    sandbox_url = "" if connection else _start_sandbox(home, steps)
    started = Stack(port, warehouse_url, fingerprint(connection), sandbox_url)
    connection = connection or sandbox_connection(sandbox_url)
    environment = airflow_environment(home, connection, warehouse_url, port)
    databases.migrate(home, environment, warehouse_url, steps)
    if page_url := databases.page_url(home, warehouse_url, page_password(home)):
        environment.setdefault(READER_VARIABLE, postgres_connection(make_url(page_url)))
    with steps.step("Airflow"):
        _start_airflow(home, environment, port)
    write_private(home.state / "stack.json", json.dumps(asdict(started)))
    return started


def _start_sandbox(home: Home, steps: Steps) -> str:
    """Start the sandbox; where it listens."""
    port = machine.choose_port()
    command = [sys.executable, "-m", "weixin_sandbox", "--port", str(port)]
    with steps.step("The sandbox, as no account is configured"):
        process = _start_process(home, SANDBOX, command, os.environ)
        _wait(home, [process], lambda: [] if machine.answers(port) else [SANDBOX])
    return f"http://{machine.LOOPBACK}:{port}"


def _start_airflow(home: Home, environment: Mapping[str, str], port: int) -> None:
    since = datetime.now(UTC)
    airflow: list[Process] = []
    api = AirflowApi(port, admin_password(home))
    for name, command in AIRFLOW_COMMANDS.items():
        if name == SCHEDULER:  # a task that does not reach the API server fails without a word
            _wait(home, airflow, lambda: [] if machine.answers(port) else [API_SERVER])
        command = [sys.executable, "-m", "airflow", *command]
        airflow.append(_start_process(home, name, command, environment))
    _wait(home, airflow, lambda: api.unhealthy(since))
    try:
        api.log_in()
        _wait(home, airflow, lambda: _unread_dags(api))
    except requests.RequestException as error:
        raise LocalError(f"Airflow started and then refused a call: {error}") from None


def _start_process(
    home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> Process:
    return processes.start(name, command, environment, home.logs / f"{name}.log", home.processes)


def _unread_dags(api: AirflowApi) -> Sequence[str]:
    """
    The DAGs Airflow has not read yet.

    Raises:
        LocalError: it can't read one.
    """
    for error in api.import_errors():
        raise LocalError(f"Airflow can't read a DAG: {error}")
    return sorted({dataset.dag_id for dataset in DATASETS.values()} - api.dag_ids())


def _wait(home: Home, started: Sequence[Process], lacking: Callable[[], Sequence[str]]) -> None:
    """Wait until nothing is lacking."""
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while missing := lacking():
        for process in started:
            if not process.is_alive():
                log = home.logs / f"{process.name}.log"
                raise LocalError(
                    f"{process.name} ended while starting, see {log}: {last_complaint(log)}"
                )
        if time.monotonic() > deadline:
            raise LocalError(
                f"Not ready after {START_PATIENCE_SECONDS} s: {', '.join(missing)}; "
                f"the logs are in {home.logs}."
            )
        time.sleep(POLL_SECONDS)


def _introduce(home: Home, found: Stack, steps: Steps) -> None:
    if found.sandbox_url:
        figures = f"made up, by the sandbox at {found.sandbox_url}: no account is configured"
    else:
        figures = f"of weixin_default, from {where_configured(home)}; it is not in the UI's list"
    steps.say(
        f"""
  Airflow     {airflow_url(found.port)}
  user        {ADMIN}
  password    {admin_password(home)}
  figures     {figures}
  logs        {home.logs}

Next: trigger weixin_article_total there or with `make run`, look at the tables with
`make psql`, type Airflow's commands like `make airflow ARGS="dags list"`, stop everything
with `make down`."""
    )
