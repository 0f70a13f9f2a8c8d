"""The run's promises: its planned pairs are in, and those in SQL (sql/<table>/checks.sql)."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from pathlib import PurePath
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import (
    ConfiguredAccount,
    PairState,
    ParameterError,
    PlannedPair,
    PlanStamp,
    Run,
)
from weixin_etl.problem import Problem, ProblemKind, log_problem, together
from weixin_etl.run.pairs import (
    accounts_not_in,
    not_in,
    planned_pairs,
    problem_of,
    require_plan,
    run_keys,
    why_not_in,
    with_successor,
)
from weixin_etl.warehouse import require_migrated, source, sql_directory

log = logging.getLogger(__name__)

_HEAD = re.compile(
    r"^-- (?P<severity>fail|warn): (?P<name>\w+): (?P<promise>.+)\n-- do: (?P<cure>.+)$",
    re.MULTILINE,
)
_KEY = re.compile("([0-9]{1,20}(_[0-9]{1,4})?)?")
"""A msgid as WeChat writes it, a number or none: another may be any text, which is not quoted."""
_ACCOUNTS_NAMED = 100
"""Accounts named with each promise: its statement finds the others."""
_KINDS = {
    "total_does_not_fall": ProblemKind.TOTAL_FELL,
    "article_is_still_there": ProblemKind.ARTICLE_MISSING,
    "article_has_one_publication_day": ProblemKind.ARTICLE_MOVED,
    "every_value_fits": ProblemKind.REJECTED,
    "list_is_steady": ProblemKind.UNSTEADY,
    "account_publishes": ProblemKind.SILENT,
}


class CheckError(Exception):
    """The run is not complete, or a promise of severity `fail` is broken; the log has said why."""

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
    cure: str
    sql: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong with a run."""

    not_in: list[Problem]
    """Accounts that could not be planned, and planned pairs that are not in."""
    broken: list[Problem]
    """Promises of severity `fail`."""
    warnings: list[Problem]
    days: Mapping[str, Collection[date]] = field(default_factory=dict)
    """The publication days it is about, by AppID."""
    unjudged: frozenset[ProblemKind] = frozenset()
    """Kinds of problems that too many accounts have to name them all."""

    @property
    def problems(self) -> list[Problem]:
        """Problems that people are told of: promises that only warn are left to the log."""
        warnings = (it for it in self.warnings if it.kind is not ProblemKind.CHECK)
        return [*self.not_in, *self.broken, *warnings]

    def require_good(self) -> None:
        """
        Make sure that the run may be green.

        Raises:
            CheckError: it may not.
        """
        said = [accounts_not_in(self.not_in)] if self.not_in else []
        if self.broken:
            names = sorted({str(problem.subject) for problem in self.broken})
            said.append(f"broken: {', '.join(names)}; see the lines above")
        if said:
            raise CheckError("; ".join(said))


def checks(dataset: Dataset) -> Iterator[Check]:
    """Every check that lies under sql/, for the dataset."""
    for path in sorted(sql_directory().glob("*/checks.sql")):
        text = source(str(PurePath(path.parent.name, path.name)), dataset)
        _, *parts = _HEAD.split(text)
        for severity, name, promise, cure, sql in zip(
            parts[::5], parts[1::5], parts[2::5], parts[3::5], parts[4::5], strict=True
        ):
            yield Check(name, Severity(severity), promise, cure, sql)


def check(
    run: Run, warehouse: Engine, accounts: Sequence[ConfiguredAccount], stamp: PlanStamp
) -> Judgement:
    """
    Judge the run by what is true now, whoever brought it in, and log how each promise fares.

    `accounts` are those the run was planned for: one that could not be planned makes it red. What
    makes the run red is logged last. `stamp` is that of the run's newest plan.

    Raises:
        WarehouseError: the warehouse does not answer, is not migrated, or has not the run's plan.
    """
    require_migrated(warehouse)
    unplanned = [
        account.problem
        for account in accounts
        if account.is_wanted and not account.appid and account.problem
    ]
    broken: list[Problem] = []
    with warehouse.connect() as connection:
        require_plan(connection, run, stamp)
        pairs = planned_pairs(connection, run)
        warnings = [*_retired(connection, run, pairs), *_withdrawn(run, pairs)]
        for promise in checks(run.dataset):
            found = _broken(connection, run, promise, pairs)
            if not found:
                log.info("ok: %s", promise.promise)
            elif promise.severity is Severity.WARN:
                warnings += found
            else:
                broken += found
        open_problems = [*unplanned, *not_in(connection, run, pairs, clock.now())]
    for problem in warnings:
        log.warning("%s", problem)
    for problem in [*broken, *open_problems]:
        log_problem(log, problem)
    kinds = Counter(problem.kind for problem in [*broken, *warnings])
    days: dict[str, set[date]] = defaultdict(set)
    for pair in pairs:
        days[pair.appid].add(pair.publication_date)
    return Judgement(
        open_problems,
        broken,
        warnings,
        days=days,
        unjudged=frozenset(kind for kind, count in kinds.items() if count >= _ACCOUNTS_NAMED),
    )


def not_planned(run: Run, accounts: Sequence[ConfiguredAccount]) -> list[Problem]:
    """The accounts of a run that could not be planned, with the days it would have asked for."""
    try:
        days = tuple(rules.window(run, clock.beijing_date(clock.now())).newest_first())
        cure = "clear plan once what stopped it is mended"
    except ParameterError:  # the form's dates are the very reason
        days, cure = (), "trigger a new run, with days that can be asked for"
    cause = "not asked for, as the run could not be planned"
    return [
        account.problem or problem_of(account, ProblemKind.NOT_ASKED, cause, cure, days)
        for account in accounts
        if account.is_wanted
    ]


def _retired(connection: Connection, run: Run, pairs: Sequence[PlannedPair]) -> list[Problem]:
    """Accounts whose endpoint WeChat still has offline, by yesterday: so their window is."""
    now, days = clock.now(), tuple(rules.present_window(run.dataset, run.today).newest_first())
    cause = f"WeChat still has {run.dataset.endpoint} offline"
    offline = together(
        replace(why_not_in(pair, now), cause=cause, rid="", days=days)
        for pair in pairs
        if pair.is_probe
        and pair.state is not PairState.HELD_BACK
        and pair.coverage.error_code == rules.OFFLINE
    )
    return with_successor(connection, run.dataset, offline, now)


def _withdrawn(run: Run, pairs: Sequence[PlannedPair]) -> list[Problem]:
    """Accounts that withdrew their authorisation of a platform while the run asked them."""
    return together(
        why_not_in(pair, clock.now())
        for pair in pairs
        if pair.state is PairState.FAILED
        and pair.coverage.error_kind is ProblemKind.WITHDRAWN
        and not rules.makes_red(pair, run)
    )


def _broken(
    connection: Connection, run: Run, promise: Check, pairs: Sequence[PlannedPair]
) -> list[Problem]:
    """A problem per account that breaks the promise; of very many accounts the first."""
    found = connection.execute(sqlalchemy.text(promise.sql), run_keys(run)).all()
    by_account: Mapping[str | None, list[Row[Any]]] = defaultdict(list)
    for row in found:
        by_account[row.appid].append(row)
    named = {pair.appid: pair for pair in pairs}
    problems = [
        _broken_by(run.dataset, promise, named.get(appid or ""), appid, rows)
        for appid, rows in list(by_account.items())[:_ACCOUNTS_NAMED]
    ]
    if (others := len(by_account) - len(problems)) > 0:
        log.warning("%s is broken by %s more accounts", promise.name, others)
    return problems


def _broken_by(
    dataset: Dataset,
    promise: Check,
    pair: PlannedPair | None,
    appid: str | None,
    rows: Sequence[Row[Any]],
) -> Problem:
    first, count = rows[0], len(rows)
    key = first.msgid
    if key is not None:
        fits = _KEY.fullmatch(key)
        key = f"{dataset.item_prefix}{key}" if fits else "an article with an odd msgid"
    example = " ".join(part for part in (key, first.detail) if part)
    others = f" and {count - 1} more" if count > 1 else ""
    return Problem(
        _KINDS.get(promise.name, ProblemKind.CHECK),
        cause=f"{promise.name}: {example}{others}",
        cure=promise.cure,
        account=pair.name if pair else appid or "",
        appid=appid,
        conn_id=pair.conn_id if pair else "",
        subject=promise.name,
        days=tuple(sorted({row.publication_date for row in rows if row.publication_date})),
    )
