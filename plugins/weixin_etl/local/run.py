"""`run`: the pipeline for today, through Airflow, while somebody watches."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from weixin_etl import clock, window
from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL as DATASET
from weixin_etl.local import prepare, stack, summary, watch
from weixin_etl.local.account import configured_connection, sandbox_connection
from weixin_etl.local.api import AirflowApi
from weixin_etl.local.environment import admin_password, airflow_environment
from weixin_etl.local.errors import LocalError
from weixin_etl.local.home import METADATA_DATABASE, Home
from weixin_etl.local.logs import last_complaint
from weixin_etl.local.progress import Steps
from weixin_etl.local.stack import Stack
from weixin_etl.local.watch import Seen, Wanted
from weixin_sandbox import Sandbox


@dataclass(frozen=True)
class Finished:
    """A run that is over, and where to read about it."""

    seen: Seen
    is_green: bool
    warehouse_url: str
    log: Path
    """A file, or the folder with a file per task."""
    ui: str
    """How to see it in Airflow."""


def run(home: Home, steps: Steps) -> None:
    """
    Run the DAG for today and print what came of it.

    On the stack of `up` where that runs: a second Airflow beside its scheduler would race it.

    Raises:
        LocalError: the run is red, with a line per thing wrong; or it can't begin.

    """
    connection = configured_connection(home)
    with home.locked(steps.say):
        running = stack.running(home)
        if running is None:
            _conclude(_run_alone(home, connection, steps), steps)
            return
    running.refuse_other_account(connection)
    _conclude(_run_on(running, home, steps), steps)


def _run_alone(home: Home, connection: str | None, steps: Steps) -> Finished:
    """Run it in an Airflow that lasts as long as the run."""
    if survivors := stack.survivors(home):
        raise LocalError(
            f"Of the Airflow that `make up` started only {', '.join(survivors)} still runs: "
            "`make down` ends it, then run again."
        )
    prepare.start_postgres(home, steps)
    warehouse_url = prepare.warehouse_url(home, is_sandbox=connection is None)
    today = clock.now().astimezone(clock.SHANGHAI)
    log = home.logs / f"run-{today:%Y%m%dT%H%M%S}.log"
    with _account(connection, steps) as connected:
        environment = airflow_environment(home, connected, warehouse_url)
        prepare.migrate(home, environment, warehouse_url, steps)
        # the client retries by itself; what it gives up on, somebody who waits wants to know
        environment.setdefault("AIRFLOW__WEIXIN__RETRIES", "0")
        steps.say(f"  {DATASET.dag_id} runs, its log is {log}")
        command = ["dags", "test", DATASET.dag_id, today.isoformat()]
        with _airflow(command, environment, log) as process:
            seen = watch.follow(
                the_warehouse.engine(home.server.url(METADATA_DATABASE)),
                Wanted(DATASET.dag_id, logical_date=today),
                lambda _: process.poll() is not None,
                steps,
            )
    ui = "`make up` starts Airflow with its UI"
    return Finished(seen, process.returncode == 0, warehouse_url, log, ui)


@contextmanager
def _account(connection: str | None, steps: Steps) -> Iterator[str]:
    """The connection to the account, or to the sandbox while the block lasts."""
    if connection:
        yield connection
        return
    steps.say("  No account in .env: the bundled sandbox answers, its figures are made up.")
    with Sandbox().serve() as base_url:
        yield sandbox_connection(base_url)


@contextmanager
def _airflow(
    command: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """An `airflow` command in a session of its own; it does not outlive the block."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-m", "airflow", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _run_on(running: Stack, home: Home, steps: Steps) -> Finished:
    """Trigger a run on the Airflow of `up`."""
    api = AirflowApi(running.port, admin_password(home))
    try:
        api.log_in()
        if api.is_paused(DATASET.dag_id):
            raise LocalError(
                f"{DATASET.dag_id} is paused in Airflow ({api.origin}): unpause it, then run again."
            )
        run_id = api.trigger(DATASET.dag_id)
    except requests.RequestException as error:
        raise LocalError(
            f"The Airflow that `make up` started does not answer: `make down`, then run again "
            f"({error})."
        ) from None
    steps.say(f"  {DATASET.dag_id} runs on the Airflow of `make up`: {api.origin}")
    seen = watch.follow(
        the_warehouse.engine(home.server.url(METADATA_DATABASE)),
        Wanted(DATASET.dag_id, run_id=run_id),
        lambda seen: seen.has_ended,
        steps,
    )
    log = home.airflow / "logs" / f"dag_id={DATASET.dag_id}" / f"run_id={run_id}"
    ui = f"{api.origin} shows the run"
    return Finished(seen, seen.state == "success", running.warehouse_url, log, ui)


def _conclude(finished: Finished, steps: Steps) -> None:
    """
    Print what came of a run, and what to type next.

    Raises:
        LocalError: it is red.

    """
    warehouse = the_warehouse.engine(finished.warehouse_url)
    run_id = finished.seen.run_id
    if run_id:
        today = clock.beijing_date(clock.now())
        days = window.look_back_window(DATASET, today, clock.yesterday()).days()
        summary.show(warehouse, DATASET, run_id, days, steps)
    if not finished.is_green:
        problems = summary.problems(warehouse, DATASET, run_id) if run_id else []
        problems = problems or [f"the run failed: {last_complaint(finished.log)}"]
        raise LocalError("\n".join([*problems, f"the log: {finished.log}"]))
    steps.say(
        f"\nNext: `make psql` opens the tables, {finished.ui}, `make down` stops everything\n"
        "(Postgres goes on running until then)."
    )
