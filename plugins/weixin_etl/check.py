"""The run's promises: its planned pairs are in, and those in SQL (sql/<table>/checks.sql)."""

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import sqlalchemy
from sqlalchemy import Engine

from weixin_etl import rules
from weixin_etl.datasets import Dataset
from weixin_etl.ingest import not_in, planned_pairs
from weixin_etl.model import ConfiguredAccount, PlannedPair, Run, days_as_ranges
from weixin_etl.warehouse import require_migrated, source, sql_directory

log = logging.getLogger(__name__)

_HEAD = re.compile(r"^-- (?P<severity>fail|warn): (?P<name>\w+): (?P<promise>.+)$", re.MULTILINE)
_REASONS_NAMED = 5
"""Of each account: a warning may have a row for every article."""

_ACCOUNTS_NAMED = 100
"""In a warning: its statement finds the others."""

_FAILURES_NAMED = 50
"""In the exception: each has a line in the log."""


class CheckError(Exception):
    """Promises of severity `fail` the run breaks. `str()` names them and the rows that do."""

    is_retryable = False


class Severity(StrEnum):
    """What a broken promise does to the run."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Check:
    """A promise and the statement that finds the rows breaking it."""

    name: str
    severity: Severity
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
            yield Check(name, Severity(severity), promise, sql)


def check(run: Run, warehouse: Engine, accounts: Sequence[ConfiguredAccount]) -> None:
    """
    Judge the run by what is true now, whoever brought it in, and log how each promise fares.

    `accounts` are those the run was planned for: one that could not be planned makes it red.

    Raises:
        CheckError: a planned pair is not in, an account could not be planned, or a promise of
            severity `fail` is broken.
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    require_migrated(warehouse)
    failures = [
        str(account.problem) for account in accounts if account.is_wanted and not account.appid
    ]
    with warehouse.connect() as connection:
        pairs = planned_pairs(connection, run)
        failures += not_in([p for p in pairs if rules.holds_back(p, refetch=run.refetch)])
        _warn_of_retired(run, pairs)
        for failure in failures:
            log.error("%s", failure)
        for promise in checks(run.dataset):
            rows = connection.execute(
                sqlalchemy.text(promise.sql), {"run_id": run.run_id, "dataset": run.dataset.name}
            ).all()
            if not rows:
                log.info("ok: %s", promise.promise)
                continue
            broken = (
                f"{promise.name} ({len(rows)}): not true that {promise.promise}: {_named(rows)}"
            )
            if promise.severity is Severity.FAIL:
                log.error("%s", broken)
                failures.append(broken)
            else:
                log.warning("%s", broken)
    if failures:
        named = failures[:_FAILURES_NAMED]
        if others := len(failures) - len(named):
            named.append(f"and {others} more, see the log")
        raise CheckError("; ".join(named))


def _warn_of_retired(run: Run, pairs: Sequence[PlannedPair]) -> None:
    offline = sorted(
        {pair.name for pair in pairs if pair.is_probe and pair.coverage.error_code == rules.OFFLINE}
    )
    if offline:
        log.warning(
            "WeChat still has %s offline for %s: one day is asked each morning until it is back",
            run.dataset.endpoint,
            ", ".join(offline),
        )


def _named(rows: Sequence[sqlalchemy.Row[Any]]) -> str:
    """The accounts, each with its first few reasons and the days of each."""
    reasons: Mapping[str | None, dict[str, list[date]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        reason = " ".join(part for part in (row.appid, row.msgid, row.detail) if part)
        days = reasons[row.appid][reason]
        if row.publication_date is not None:
            days.append(row.publication_date)
    named = [
        reason
        for account in list(reasons.values())[:_ACCOUNTS_NAMED]
        for reason in _first_reasons(list(account.items()))
    ]
    if (others := len(reasons) - _ACCOUNTS_NAMED) > 0:
        named.append(f"and {others} more accounts")
    return "; ".join(named)


def _first_reasons(reasons: Sequence[tuple[str, list[date]]]) -> list[str]:
    named = [
        f"{reason} [{days_as_ranges(days)}]" if days else reason
        for reason, days in reasons[:_REASONS_NAMED]
    ]
    return named + ["…"] * (len(reasons) > _REASONS_NAMED)
