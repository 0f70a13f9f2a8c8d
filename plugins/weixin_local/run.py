"""`run`: the pipeline for today, through Airflow, while somebody watches."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

import requests
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import Run
from weixin_local import databases, processes, progress, stack, summary
from weixin_local.api import AirflowApi
from weixin_local.environment import (
    admin_password,
    airflow_environment,
    configured_connection,
    keep_private,
    sandbox_connection,
)
from weixin_local.home import METADATA_DATABASE, Home
from weixin_local.logs import last_complaint
from weixin_local.machine import LocalError
from weixin_local.progress import Seen, Steps, Wanted
from weixin_local.stack import Stack
from weixin_sandbox import Sandbox


@dataclass(frozen=True)
class Finished:
    """A run that is over, and where to read about it."""

    dataset: Dataset
    seen: Seen
    warehouse: Engine
    log: Path | None
    """None where Airflow shows it."""
    ui: str
    """How to see it in Airflow."""


_PROBE = "`make probe` says whether WeChat answers this account, and what to change."
RunDataset = Callable[[Dataset], Finished]
"""Run a dataset's DAG for today, to its end."""


def run(home: Home, steps: Steps) -> None:
    """
    Run the DAG for today and print what came of it; its successor's where WeChat retired it.

    If the stack of `up` runs, on that: a second Airflow would compete with its scheduler.

    Raises:
        LocalError: a run is red, with a line per thing wrong; or it can't begin.
    """
    keep_private(home, steps.say)
    connection = configured_connection(home)
    with home.locked(steps.say):
        running = stack.running(home)
        if running is None:
            with _airflow_for_now(home, connection, steps) as run_dataset:
                _run(run_dataset, steps, may_probe=connection is not None)
            return
    running.refuse_other_account(connection)
    _run(partial(_run_on, running, home, steps), steps, may_probe=connection is not None)


def _run(run_dataset: RunDataset, steps: Steps, *, may_probe: bool) -> None:
    dataset: Dataset | None = ARTICLE_TOTAL
    problems: list[str] = []
    while dataset:
        finished = run_dataset(dataset)
        offline = summary.offline(finished.warehouse, dataset, finished.seen.run_id)
        problems += _conclude(finished, steps, goes_on=bool(offline and dataset.successor))
        dataset = _successor(dataset, offline, steps)
    if problems:
        raise LocalError("\n".join([*problems, _PROBE] if may_probe else problems))
    steps.say(
        f"\nNext: `make psql` opens the tables, {finished.ui}, `make down` stops everything\n"
        "(Postgres goes on running until then)."
    )


@contextmanager
def _airflow_for_now(home: Home, connection: str | None, steps: Steps) -> Iterator[RunDataset]:
    """Run in an Airflow that lasts as long as a run."""
    if survivors := stack.survivors(home):
        raise LocalError(
            f"Of the Airflow that `make up` started only {', '.join(survivors)} still runs: "
            "`make down` ends it, then run again."
        )
    databases.start_postgres(home, steps)
    warehouse_url = databases.warehouse_url(home, is_sandbox=connection is None)
    with _account(connection, steps) as connected:
        environment = airflow_environment(home, connected, warehouse_url)
        databases.migrate(home, environment, warehouse_url, steps)
        # the client retries by itself; what it gives up on, somebody who waits wants to know
        environment.setdefault("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "0")
        try:
            yield partial(_run_alone, home, environment, warehouse_url, steps)
        finally:
            processes.stop(processes.recorded(home.processes), patience_seconds=0)


def _run_alone(
    home: Home, environment: dict[str, str], warehouse_url: str, steps: Steps, dataset: Dataset
) -> Finished:
    today = clock.now().astimezone(clock.SHANGHAI)
    log = home.logs / f"run-{today:%Y%m%dT%H%M%S}-{dataset.name}.log"
    steps.say(f"  {dataset.dag_id} runs, its log is {log}")
    airflow = [sys.executable, "-m", "airflow"]
    command = [*airflow, "dags", "test", dataset.dag_id, today.isoformat()]
    process = processes.start("run", command, environment, log, home.processes)
    seen = progress.follow(
        the_warehouse.engine(home.server.url(METADATA_DATABASE)),
        Wanted(dataset.dag_id, logical_date=today),
        lambda _: not process.is_alive(),
        steps,
    )
    ui = "`make up` starts Airflow with its UI"
    return Finished(dataset, seen, the_warehouse.engine(warehouse_url), log, ui)


@contextmanager
def _account(connection: str | None, steps: Steps) -> Iterator[str]:
    """The connection to the account, or to the sandbox while the block lasts."""
    if connection:
        yield connection
        return
    steps.say("  No account in .env: the bundled sandbox answers, its figures are made up.")
    with Sandbox().serve() as base_url:
        yield sandbox_connection(base_url)


def _run_on(running: Stack, home: Home, steps: Steps, dataset: Dataset) -> Finished:
    """Trigger a run on the Airflow of `up`."""
    api = AirflowApi(running.port, admin_password(home))
    try:
        api.log_in()
        if api.is_paused(dataset.dag_id):
            raise LocalError(
                f"{dataset.dag_id} is paused in Airflow ({api.origin}): unpause it, then run again."
            )
        run_id = api.trigger(dataset.dag_id)
    except requests.RequestException as error:
        raise LocalError(
            f"The Airflow that `make up` started does not answer: `make down`, then run again "
            f"({error})."
        ) from None
    steps.say(f"  {dataset.dag_id} runs on the Airflow of `make up`: {api.origin}")
    seen = progress.follow(
        the_warehouse.engine(home.server.url(METADATA_DATABASE)),
        Wanted(dataset.dag_id, run_id=run_id),
        lambda seen: seen.has_ended,
        steps,
    )
    ui = f"{api.origin}/dags/{dataset.dag_id}/runs/{quote(run_id)} shows the run"
    return Finished(dataset, seen, the_warehouse.engine(running.warehouse_url), None, ui)


def _successor(dataset: Dataset, offline: Sequence[str], steps: Steps) -> Dataset | None:
    """The dataset to go on with for the accounts whose endpoint WeChat took offline."""
    if not offline or dataset.successor is None:
        return None
    successor = DATASETS[dataset.successor]
    steps.line(
        "!",
        f"WeChat took {dataset.endpoint} offline for {', '.join(offline)}: "
        f"going on with its successor {successor.endpoint}.",
    )
    return successor


def _conclude(finished: Finished, steps: Steps, *, goes_on: bool) -> list[str]:
    """Print what came of a run; a line per thing wrong, besides what its successor makes up for."""
    warehouse, dataset, run_id = finished.warehouse, finished.dataset, finished.seen.run_id
    problems: list[str] = []
    if run_id:
        run = Run(run_id, dataset, clock.beijing_date(clock.now()))
        summary.show(warehouse, run, steps, goes_on=goes_on)
        problems = summary.problems(warehouse, run, goes_on=goes_on)
    if finished.seen.state == "success" or (goes_on and not problems):
        return []
    if finished.log is None:
        return [*(problems or ["the run failed"]), finished.ui]
    problems = problems or [f"the run failed: {last_complaint(finished.log)}"]
    return [*problems, f"the log: {finished.log}"]
