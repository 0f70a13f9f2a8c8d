"""The run's promises, as SQL beside the tables they are about (sql/<table>/checks.sql)."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from weixin_etl.datasets import Dataset
from weixin_etl.model import Run
from weixin_etl.warehouse import source, sql_directory

log = logging.getLogger(__name__)

_HEAD = re.compile(r"^-- (?P<severity>fail|warn): (?P<name>\w+): (?P<promise>.+)$", re.MULTILINE)
_REQUEST_ID = re.compile(r"\s*rid: [0-9a-f-]+")
"""WeChat's mark of a single call: it would make one reason look like many."""
_REASONS_NAMED = 5
"""Of each account: a warning may have a row for every article."""


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
    """Every account, with its first few reasons and the days of each."""
    reasons: dict[str | None, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        reason = " ".join(part for part in (row.appid, row.msgid, row.detail) if part)
        reason = _REQUEST_ID.sub("", reason)
        days = reasons[row.appid][reason]
        if row.publication_date is not None:
            days.append(str(row.publication_date))
    return "; ".join(
        named for account in reasons.values() for named in _first_reasons(list(account.items()))
    )


def _first_reasons(reasons: Sequence[tuple[str, list[str]]]) -> list[str]:
    named = [
        f"{reason} [{', '.join(sorted(days))}]" if days else reason
        for reason, days in reasons[:_REASONS_NAMED]
    ]
    return named + ["…"] * (len(reasons) > _REASONS_NAMED)
