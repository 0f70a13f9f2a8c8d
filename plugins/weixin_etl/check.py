"""The run's promises, as SQL beside the tables they are about (sql/<table>/checks.sql)."""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from weixin_etl.datasets import Dataset
from weixin_etl.run import Run
from weixin_etl.warehouse import source, sql_directory

log = logging.getLogger(__name__)

_HEAD = re.compile(r"^-- (?P<severity>fail|warn): (?P<name>\w+): (?P<promise>.+)$", re.MULTILINE)
_ROWS_NAMED = 5


class CheckError(Exception):
    """Promises of severity `fail` the run breaks. `str()` names them and the rows that do."""

    is_retryable = False


@dataclass(frozen=True, slots=True)
class Check:
    """A promise and the statement that finds the rows breaking it."""

    name: str
    severity: str
    promise: str
    sql: str


def checks(dataset: Dataset) -> Iterator[Check]:
    """Every check that lies under sql/, for the dataset."""
    for path in sorted(sql_directory().glob("*/checks.sql")):
        text = source(str(PurePath(path.parent.name, path.name)), dataset)
        _, *parts = _HEAD.split(text)
        for severity, name, promise, sql in zip(
            parts[::4], parts[1::4], parts[2::4], parts[3::4], strict=True
        ):
            yield Check(name, severity, promise, sql)


def check(run: Run, warehouse: Engine) -> None:
    """
    Try every promise on what the run planned, and log how each fares.

    Raises:
        CheckError: one of severity `fail` is broken.

    """
    failures = []
    with warehouse.connect() as connection:
        for promise in checks(run.dataset):
            rows = connection.execute(
                sqlalchemy.text(promise.sql), {"run_id": run.run_id, "dataset": run.dataset.name}
            ).all()
            if not rows:
                log.info("ok: %s", promise.promise)
                continue
            broken = f"{promise.name}: {len(rows)} against “{promise.promise}”: {_named(rows)}"
            if promise.severity == "fail":
                log.error("%s", broken)
                failures.append(broken)
            else:
                log.warning("%s", broken)
    if failures:
        raise CheckError("; ".join(failures))


def _named(rows: Sequence[sqlalchemy.Row[Any]]) -> str:
    named = [
        " ".join(str(value) for value in row if value is not None) for row in rows[:_ROWS_NAMED]
    ]
    return "; ".join(named + ["…"] * (len(rows) > _ROWS_NAMED))
