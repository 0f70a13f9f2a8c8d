"""`make run`: the real DAG for today, by `airflow dags test`, and what came of it."""

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine, RowMapping

from weixin_etl import clock, rules, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import days_of
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_local import machine
from weixin_local.home import Home, Source, airflow_environment, migrate_metadata
from weixin_local.machine import LocalError, say

OFFLINE = "errcode 47009"
PROBE = "`make probe` says whether WeChat answers this account, and what to change."
_STARTED = re.compile(r"\[DAG TEST\] starting task_id=(\w+)")
_ENDED = re.compile(r"Task instance state updated .* new_state=(success|failed)\b")
_FINISHED = re.compile(r"DagRun Finished: .* run_id=(\S+?),")
_ERROR_LINE = re.compile(r"^\S+ \[(?:error|critical) *\] (.+?)(?:(?<! ) +\[[\w.]+\](?: \w+=.*)?)?$")
_SAY_NOTHING = {"Task failed with exception", "Task exited"}
"""What Airflow says of a failed task; the line below or above it says why."""


def run(home: Home, source: Source) -> None:
    """Run the DAG for today and print what came of it; its successor's where WeChat retired it."""
    environment = _environment(home, source)
    engine = warehouse.engine(source.warehouse_url)
    wrong: list[str] = []
    dataset: Dataset | None = ARTICLE_TOTAL
    while dataset:
        log = home.logs / f"run-{clock.now():%Y%m%dT%H%M%S}-{dataset.name}.log"
        run_id, found = _dags_test(log, environment, dataset)
        successor = _successor(dataset, found)
        if left := [line for line in found if not (successor and OFFLINE in line)]:
            wrong += [*left, f"the log: {log}"]
        if run_id and not successor:
            show(engine, dataset, run_id)
        dataset = successor
    if wrong:
        raise LocalError("\n".join(wrong if source.is_sandbox else [*wrong, PROBE]))
    say("\nNext: `make psql` opens the tables, `make up` starts Airflow with its UI.")


def _environment(home: Home, source: Source) -> dict[str, str]:
    """With an Airflow database that is quick to make and that no scheduler reads."""
    folder = home.state / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{importlib.metadata.version('apache-airflow-core')}.db"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        migrate_metadata(airflow_environment(home, source, f"sqlite:///{unfinished}", folder))
        unfinished.rename(path)
    environment = airflow_environment(home, source, f"sqlite:///{path}", folder)
    # no task tries again: the client did already, and somebody waits
    environment.setdefault("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "0")
    return environment


def _dags_test(
    log: Path, environment: dict[str, str], dataset: Dataset
) -> tuple[str | None, list[str]]:
    """Run it with a line for each task that ends; the run's id, and what is wrong."""
    today = clock.now().astimezone(clock.SHANGHAI)
    say(f"  {dataset.dag_id} runs, its log is {log}")
    command = [sys.executable, "-m", "airflow", "dags", "test", dataset.dag_id, today.isoformat()]
    process = machine.start(command, environment)
    try:
        with log.open("w") as file:
            lines = list(_followed(process, file))
        process.wait()
    finally:
        machine.end([process], patience_seconds=5)
    finished = _FINISHED.search("".join(lines))
    run_id = finished[1] if finished else None
    return run_id, (problems(lines) or ["the run failed"]) if process.returncode else []


def _followed(process: machine.Process, log: TextIO) -> Iterator[str]:
    """What the program says, until it ends."""
    task = ""
    for line in process.stdout or ():
        log.write(line)
        if started := _STARTED.search(line):
            task = started[1]
        if ended := _ENDED.search(line):
            say(f"{'✓' if ended[1] == 'success' else '✗'} {task}")
        yield line


def problems(log: Iterable[str]) -> list[str]:
    """What a log says is wrong, each thing once."""
    errors = (error[1] for line in log if (error := _ERROR_LINE.match(line)))
    return [*dict.fromkeys(one_line(it) for it in errors if it not in _SAY_NOTHING)]


def _successor(dataset: Dataset, found: Iterable[str]) -> Dataset | None:
    """The dataset to go on with when WeChat has taken the endpoint offline."""
    if not dataset.successor or not any(OFFLINE in line for line in found):
        return None
    successor = DATASETS[dataset.successor]
    say(f"! WeChat took {dataset.endpoint} offline: going on with {successor.endpoint}.")
    return successor


def show(engine: Engine, dataset: Dataset, run_id: str, console: Console | None = None) -> None:
    """Print what a run did and what we have of each day, and the most read articles."""
    console = console or Console()
    today = clock.beijing_date(clock.now())
    values = {
        "dataset": dataset.name,
        "run_id": run_id,
        "days": days_of(today - rules.DAY * dataset.window, today - rules.DAY),
        "now": clock.now(),
        "first_day": dataset.first_day,
        "window": dataset.window,
    }
    with engine.connect() as connection:
        days, most_read = (
            connection.execute(statement(name, dataset), values).mappings().all()
            for name in ("local/run_days.sql", "local/most_read.sql")
        )
    console.print(_table(days))
    if most_read:
        console.print("Which articles were read most? docs/analysts.md asks this and more.\n")
        console.print(_table(most_read))


def _table(rows: Sequence[RowMapping]) -> Table:
    """Under the names of the columns; it fits a terminal of 80 columns."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name, value in rows[0].items():
        is_number = isinstance(value, int | Decimal)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left")
    for row in rows:
        texts = ("" if value is None else str(value) for value in row.values())
        table.add_row(*(escape(one_line(text)) for text in texts))
    return table
