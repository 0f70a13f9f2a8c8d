"""The command `make up`: it runs Airflow with its UI in the foreground, until Ctrl-C."""

import fcntl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from weixin_local import machine
from weixin_local.home import Home, Source, airflow_environment, airflow_url, migrate_metadata
from weixin_local.machine import LocalError, say
from weixin_local.postgres import METADATA_DATABASE

COMPONENTS = (
    "api-server",
    "dag-processor",
    "triggerer --skip-serve-logs",
    "scheduler --skip-serve-logs",
)
"""Airflow's components in the order of their start. The API server reads logs from the disk."""

READY = """
    SELECT count(DISTINCT job_type) = 3 AND EXISTS (SELECT FROM dag)
    FROM job WHERE state = 'running' AND start_date > '{since}'
"""
"""A query: true once scheduler, DAG processor and triggerer have begun, and there is a DAG."""

STOP_SECONDS = 10
"""The time for the scheduler to end by itself, then the same for all others together."""
POLL_SECONDS = 0.3


@contextmanager
def alone(home: Home, port: int) -> Iterator[None]:
    """
    Lock the home during the block, so that only one Airflow uses it.

    Write Airflow's address into the lock file `up` of the home, for the message to a second one.

    Args:
        home: the folders to lock.
        port: the port of Airflow's API server; 0 if none is needed.

    Raises:
        LocalError: another Airflow of the home runs, or another program uses the port.
    """
    with (home.state / "up").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LocalError(
                f"Airflow runs already, at {lock.read()}; Ctrl-C in its terminal ends it."
            ) from None
        if machine.is_answering(port):
            raise LocalError(f"Port {port} is taken: type `make up PORT={port + 1}`, say.")
        lock.truncate(0)
        print(airflow_url(port), end="", file=lock, flush=True)
        yield


def run_airflow(home: Home, source: Source, port: int) -> None:
    """
    Run Airflow in the foreground, and print its output, until a person interrupts it.

    Migrate Airflow's own database, start each component once the API server answers, and print the
    address and the login when all are ready. At the end every component and its tasks are ended.

    Raises:
        LocalError: one of the components ended, or the migration failed.
        KeyboardInterrupt: a person pressed Ctrl-C.
    """
    environment = airflow_environment(home, source, port)
    migrate_metadata(environment)
    running: dict[str, machine.Process] = {}
    try:
        ready = READY.format(since=datetime.now(UTC))
        for component in COMPONENTS:
            name, *_ = command = component.split()
            running[name] = machine.start([sys.executable, "-m", "airflow", *command], environment)
            threading.Thread(target=_relay, args=(name, running[name]), daemon=True).start()
            # the API server first: tasks that can't reach it fail without a message
            _wait(running, lambda: machine.is_answering(port))
        _wait(running, lambda: home.server.ask(METADATA_DATABASE, ready))
        _introduce(home, port)
        _wait(running, lambda: False)
    finally:  # the scheduler first: its tasks call the other components
        machine.end([*reversed(running.values())], STOP_SECONDS)


def _relay(name: str, process: machine.Process) -> None:
    """Print each line of a component's output on stdout with its name in front, until its end."""
    for line in process.stdout or ():
        sys.stdout.write(f"{name:13} | {line}")
        sys.stdout.flush()


def _wait(running: dict[str, machine.Process], is_reached: Callable[[], object]) -> None:
    """
    Call `is_reached` every 0.3 seconds until its result is true.

    Raises:
        LocalError: one of the running components, given by name, ended before.
    """
    while not is_reached():
        for name, process in running.items():
            if process.poll() is not None:
                raise LocalError(f"{name} has ended, so Airflow was stopped: see its lines above.")
        time.sleep(POLL_SECONDS)


def _introduce(home: Home, port: int) -> None:
    """Print Airflow's address, the login and the next steps on stderr."""
    say(
        f"""
  Airflow     {airflow_url(port)}
  user        admin
  password    {home.admin_password}

Trigger weixin_article_total there. In another terminal, `make psql` opens the tables and
`make airflow ARGS="dags list"` runs Airflow's own commands. Ctrl-C ends everything.
"""
    )
