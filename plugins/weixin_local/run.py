"""
The command `make run`: it runs the DAG for today with `airflow dags test` and prints the result.

The result is a table of the days and one of the most read articles, read from the warehouse.
"""

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine, RowMapping

from weixin_etl import clock, rules, warehouse
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import days_newest_first
from weixin_etl.text import one_line
from weixin_etl.warehouse import statement
from weixin_local import machine
from weixin_local.home import Home, Source, airflow_environment, migrate_metadata
from weixin_local.machine import LocalError, say

OFFLINE = "errcode 47009"
_STARTED = re.compile(r"\[DAG TEST\] starting task_id=(\w+)")
_ENDED = re.compile(r"Task instance state updated .* new_state=(success|failed)\b")
_FINISHED = re.compile(r"DagRun Finished: .* run_id=(\S+?),")
_ERROR_LINE = re.compile(r"^\S+ \[(?:error|critical) *\] (.+?)(?:(?<! ) +\[[\w.]+\](?: \w+=.*)?)?$")
_LINES_WITHOUT_REASON = {"Task failed with exception", "Task exited"}
"""Airflow's error lines without a reason; the line above or below has the reason."""


def run_pipeline(home: Home, source: Source) -> None:
    """
    Run the DAG for today, show its progress on stderr, and print the result on stdout.

    The DAG is `weixin_article_total`. If WeChat has retired its endpoint, the DAG of its successor
    runs next. The result is printed even if the run failed.

    Raises:
        LocalError: the run failed.
    """
    environment = _environment(home, source)
    dataset = ARTICLE_TOTAL
    run_id, errors = _dags_test(home, environment, dataset)
    if dataset.successor and any(OFFLINE in line for line in errors):
        retired, dataset = dataset, DATASETS[dataset.successor]
        say(f"! WeChat took {retired.endpoint} offline: going on with {dataset.endpoint}.")
        run_id, errors = _dags_test(home, environment, dataset)
    show(warehouse.engine(source.warehouse_url), dataset, run_id)
    if errors:
        raise LocalError("\n".join(errors))
    say("\nNext: `make psql` opens the tables, `make up` starts Airflow with its UI.")


def _environment(home: Home, source: Source) -> dict[str, str]:
    """
    Return the environment with an SQLite database for Airflow, which no scheduler reads.

    The database is created on the first call for each release of Airflow. Tasks are not retried,
    unless the caller's environment sets a delay.

    Raises:
        LocalError: the database can't be created.
    """
    path = home.airflow / f"run-{importlib.metadata.version('apache-airflow-core')}.db"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        unfinished.unlink(missing_ok=True)
        url = f"sqlite:///{unfinished}"
        migrate_metadata(airflow_environment(home, source, metadata_url=url))
        unfinished.rename(path)
    environment = airflow_environment(home, source, metadata_url=f"sqlite:///{path}")
    # the client has retried its calls, and a person waits, so no task is retried
    environment.setdefault("AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS", "0")
    return environment


def _dags_test(home: Home, environment: dict[str, str], dataset: Dataset) -> tuple[str, list[str]]:
    """
    Run the dataset's DAG with `airflow dags test`, and write its output to a log of the home.

    Print the log's name and a line for each task that ends on stderr. The program is ended if the
    caller is interrupted.

    Returns:
        The run's id, empty if it did not finish, and the errors with the log's name. There are no
        errors if the run succeeded.
    """
    log = home.airflow / "logs" / f"run-{clock.now():%Y%m%dT%H%M%S}-{dataset.name}.log"
    log.parent.mkdir(exist_ok=True)
    say(f"  {dataset.dag_id} runs, its log is {log}")
    now = clock.now().astimezone(clock.SHANGHAI).isoformat()
    command = [sys.executable, "-m", "airflow", "dags", "test", dataset.dag_id, now]
    process = machine.start(command, environment)
    try:
        lines = [*_followed_lines(process, log)]
        is_red = bool(process.wait())
    finally:
        machine.end([process], patience_seconds=5)
    finished = _FINISHED.search("".join(lines))
    found = problems(lines) or ["the run failed"]
    return finished[1] if finished else "", [*found, f"the log: {log}"] if is_red else []


def _followed_lines(process: machine.Process, log: Path) -> Iterator[str]:
    """Yield the program's output lines, write them to the log, and print the ends of tasks."""
    task = ""
    with log.open("w") as file:
        for line in process.stdout or ():
            file.write(line)
            if started := _STARTED.search(line):
                task = started[1]
            if ended := _ENDED.search(line):
                say(f"{'✓' if ended[1] == 'success' else '✗'} {task}")
            yield line


def problems(log: Iterable[str]) -> list[str]:
    """
    Return the messages of error and critical lines in a log of Airflow, each once, in order.

    Each is on one line. Lines that only say that a task failed are left out.
    """
    errors = (error[1] for line in log if (error := _ERROR_LINE.match(line)))
    reasons = (one_line(error) for error in errors if error not in _LINES_WITHOUT_REASON)
    return [*dict.fromkeys(reasons)]


def show(engine: Engine, dataset: Dataset, run_id: str) -> None:
    """
    Print a table of the run's work and the coverage of each day in the window, read from Postgres.

    A second table has the most read articles, if there are any.
    """
    console = Console()
    today = clock.beijing_date(clock.now())
    values = {
        "dataset": dataset.name,
        "run_id": run_id,
        "days": days_newest_first(today - rules.DAY * dataset.window, today - rules.DAY),
        "now": clock.now(),
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
    """
    Return at least one row as a table with the names of the columns above it.

    A column is a number's, and aligned to the right, if its first value is one. Texts are shown on
    one line, and NULL is empty.
    """
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=0)
    for name, value in rows[0].items():
        is_number = isinstance(value, int | Decimal)
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left")
    for row in rows:
        texts = ("" if value is None else str(value) for value in row.values())
        table.add_row(*(escape(one_line(text)) for text in texts))
    return table
