"""`up`: Airflow on this machine, in the background."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import requests

from weixin_etl.datasets import DATASETS
from weixin_local import ports, prepare, processes, stack
from weixin_local.account import configured_connection, sandbox_connection
from weixin_local.api import AirflowApi
from weixin_local.environment import ADMIN, admin_password, airflow_environment
from weixin_local.errors import LocalError
from weixin_local.home import Home
from weixin_local.logs import last_complaint
from weixin_local.processes import Process
from weixin_local.progress import Steps
from weixin_local.stack import AIRFLOW_COMMANDS, SANDBOX, Stack

POOL, POOL_SLOTS = "weixin_api", 16
START_PATIENCE_SECONDS = 180
POLL_SECONDS = 0.3


def up(home: Home, port: int, steps: Steps) -> None:
    """
    Start Postgres, the sandbox where no account is configured, and Airflow, and wait for them.

    Raises:
        LocalError: something does not start, then all of it is stopped again; or it runs already,
            for another account.

    """
    connection = configured_connection(home)
    with home.locked(steps.say):
        found = stack.running(home)
        if found:
            found.refuse_other_account(connection)
            steps.say("Airflow is running already.")
        else:
            _clear_the_way(home, port)
            try:
                found = _start(home, port, connection, steps)
            except BaseException:
                stack.stop(home)
                raise
    _introduce(home, found, steps)


def _clear_the_way(home: Home, port: int) -> None:
    """End what is left of a stack of which a part has died; the port must be free then."""
    processes.stop(processes.recorded(home.processes), stack.STOP_PATIENCE_SECONDS)
    if not ports.is_free(port):
        raise LocalError(
            f"Port {port} is taken by another program: stop it, or take another port "
            f"(`make up PORT={port + 1}`)."
        )


def _start(home: Home, port: int, connection: str | None, steps: Steps) -> Stack:
    prepare.start_postgres(home, steps)
    warehouse_url = prepare.warehouse_url(home, is_sandbox=connection is None)
    started = Stack(port, warehouse_url, stack.fingerprint(connection))
    if connection is None:
        connection = _start_sandbox(home, steps)
    environment = airflow_environment(home, connection, warehouse_url, port)
    prepare.migrate(home, environment, warehouse_url, steps)
    with steps.step("Airflow"):
        _start_airflow(home, environment, port)
    started.save(home)
    return started


def _start_sandbox(home: Home, steps: Steps) -> str:
    """Start the sandbox; the connection to it."""
    port = ports.choose()
    command = [sys.executable, "-m", "weixin_sandbox", "--port", str(port)]
    with steps.step("The sandbox, as no account is configured"):
        process = _start_process(home, SANDBOX, command, os.environ)
        _wait(home, [process], lambda: [] if ports.answers(port) else [SANDBOX])
    return sandbox_connection(f"http://{ports.LOOPBACK}:{port}")


def _start_airflow(home: Home, environment: Mapping[str, str], port: int) -> None:
    since = datetime.now(UTC)
    airflow = [
        _start_process(home, name, [sys.executable, "-m", "airflow", *command], environment)
        for name, command in AIRFLOW_COMMANDS.items()
    ]
    api = AirflowApi(port, admin_password(home))
    _wait(home, airflow, lambda: _unhealthy(api, since))
    try:
        api.log_in()
        api.ensure_pool(POOL, POOL_SLOTS)
        _wait(home, airflow, lambda: _unread_dags(api))
        for dag_id in _dag_ids():
            api.unpause(dag_id)
    except requests.RequestException as error:
        raise LocalError(f"Airflow started and then refused a call: {error}") from None


def _start_process(
    home: Home, name: str, command: Sequence[str], environment: Mapping[str, str]
) -> Process:
    return processes.start(name, command, environment, home.logs / f"{name}.log", home.processes)


def _unhealthy(api: AirflowApi, since: datetime) -> Sequence[str]:
    try:
        return api.unhealthy(since)
    except requests.RequestException:
        return ["api-server"]


def _unread_dags(api: AirflowApi) -> Sequence[str]:
    """
    The DAGs Airflow has not read yet.

    Raises:
        LocalError: it can't read one.

    """
    for error in api.import_errors():
        raise LocalError(f"Airflow can't read a DAG: {error}")
    return sorted(set(_dag_ids()) - api.dag_ids())


def _dag_ids() -> list[str]:
    return [dataset.dag_id for dataset in DATASETS.values()]


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
    figures = "the sandbox, whose figures are made up" if found.is_on_sandbox else "WeChat"
    steps.say(
        f"""
  Airflow    http://localhost:{found.port}
  user       {ADMIN}
  password   {admin_password(home)}
  figures    from {figures}
  logs       {home.logs}

Next: trigger weixin_article_total there or with `make run`, look at the tables with
`make psql`, stop everything with `make down`."""
    )
