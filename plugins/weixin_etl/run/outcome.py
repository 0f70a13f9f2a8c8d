"""What came of a run's plan by now, whoever brought it in, and why pairs are not in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from math import inf
from typing import Any

from sqlalchemy import Connection, Row

from weixin_etl import clock, rules
from weixin_etl.api.errors import HeldBackError
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import (
    Batch,
    ConfiguredAccount,
    Coverage,
    Pair,
    PlannedAccount,
    Run,
    connection_of,
)
from weixin_etl.problem import Problem, ProblemKind, together
from weixin_etl.run import Settings
from weixin_etl.text import accounts_are, counted
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import arrays, coverage_of

Known = Mapping[Pair, Coverage]


def known_of(connection: Connection, dataset: Dataset, accounts: Batch) -> dict[Pair, Coverage]:
    """What is stored of the accounts' planned pairs."""
    pairs = [(account.appid, day) for account in accounts for day in account.days]
    rows = connection.execute(statement("coverage/of_pairs.sql"), arrays(dataset, pairs))
    return {(row.appid, row.day): coverage_of(row[2:]) for row in rows}


def calls_allowed(
    connection: Connection, run: Run, settings: Settings, accounts: Batch, now: datetime
) -> dict[str, float]:
    """
    How many calls a run may still make for each account today, by AppID.

    A daily run may make any number; another leaves those that are reserved for daily runs.
    """
    today = clock.beijing_date(now)
    appids = [account.appid for account in accounts]
    if rules.is_daily(run, today) or not settings.daily_calls:
        return dict.fromkeys(appids, inf)
    rows = connection.execute(
        statement("api_call/of_day.sql"),
        {"appids": appids, "endpoint": run.dataset.path, "today": today},
    )
    made = {row.appid: row.calls for row in rows}
    most = settings.daily_calls - settings.quota_reserve
    return {appid: most - made.get(appid, 0) for appid in appids}


def why_not_in(
    run: Run, accounts: Batch, known: Known, allowed: Mapping[str, float], now: datetime
) -> list[Problem]:
    """Why planned pairs make the run red: a problem per account and cause."""
    return together(
        _why(planned, day, known.get((planned.appid, day)), allowed[planned.appid], now)
        for planned in accounts
        for day in planned.days
        if makes_red(run, planned, known.get((planned.appid, day)))
    )


def makes_red(run: Run, planned: PlannedAccount, pair: Coverage | None) -> bool:
    """
    Whether a planned pair makes its run red: it is not in, or was given up by an attempt of it.

    Two refusals since the plan are excused: a probe that found its endpoint still retired, and an
    account that has withdrawn its authorisation, unless the run names that account.
    """
    if pair and rules.is_in(pair, planned.planned_at, refetch=run.refetch):
        return rules.is_given_up_since(pair, planned.planned_at)
    if pair is None or not pair.is_attempted_since(planned.planned_at):
        return True
    if pair.error_kind == ProblemKind.WITHDRAWN:
        return not {planned.appid, planned.conn_id}.isdisjoint(run.accounts)
    return not (planned.is_probe and pair.error_code == rules.OFFLINE)


def excused(run: Run, accounts: Batch, known: Known, now: datetime) -> list[Problem]:
    """The refusals that do not make the run red, as warnings: see `makes_red`."""
    found = []
    for planned in accounts:
        for day in planned.days:
            pair = known.get((planned.appid, day))
            is_in = rules.is_in(pair, planned.planned_at, refetch=run.refetch)
            if pair and not is_in and not makes_red(run, planned, pair):
                found.append(_why(planned, day, pair, inf, now))
    return together(found)


def _why(
    planned: PlannedAccount, day: date, pair: Coverage | None, allowed: float, now: datetime
) -> Problem:
    """Why a pair is not in, by its last attempt; the cure is for who reads it now."""
    if pair is None or not pair.is_attempted_since(planned.planned_at):
        if allowed > 0:
            return problem_of(
                planned, ProblemKind.NOT_ASKED, "not asked yet", "clear the task ingest", [day]
            )
        held_back = HeldBackError
        problem = problem_of(planned, held_back.kind, held_back.cause, held_back.cure, [day])
        return problem.as_of(now, now)
    kind = ProblemKind(pair.error_kind or ProblemKind.UNREADABLE)
    cause, cure = pair.error or "", pair.cure or ""
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        conn_id = connection_of(planned.conn_id)
        return Problem(kind, cause, cure, conn_id=conn_id, days=(day,), errcode=pair.error_code)
    problem = problem_of(planned, kind, cause, cure, [day])
    return replace(problem, errcode=pair.error_code).as_of(pair.attempted_at or now, now)


def problem_of(
    account: ConfiguredAccount | PlannedAccount,
    kind: ProblemKind,
    cause: str,
    cure: str,
    days: Iterable[date] = (),
) -> Problem:
    """The problem of an account with some days."""
    return Problem(
        kind,
        cause,
        cure,
        account=account.name,
        appid=account.appid,
        conn_id=account.conn_id,
        days=tuple(sorted(days)),
    )


def with_successor(
    connection: Connection, dataset: Dataset, problems: Sequence[Problem], now: datetime
) -> list[Problem]:
    """The problems; those of an endpoint that is offline say what its successor has instead."""
    pairs = [
        (problem.appid, day)
        for problem in problems
        for day in problem.days
        if problem.kind is ProblemKind.ENDPOINT_OFFLINE and problem.appid
    ]
    if dataset.successor is None or not pairs:
        return list(problems)
    successor = DATASETS[dataset.successor]
    rows = connection.execute(
        statement("coverage/held_by_successor.sql"),
        {**arrays(successor, pairs), "yesterday": clock.beijing_date(now) - timedelta(1)},
    )
    known = {row.appid: row for row in rows}
    return [
        replace(problem, cure=_instead(successor, known[problem.appid], problem.days))
        if problem.kind is ProblemKind.ENDPOINT_OFFLINE and problem.appid in known
        else problem
        for problem in problems
    ]


def _instead(successor: Dataset, known: Row[Any], days: Sequence[date]) -> str:
    """
    A DAG that collects the account was unpaused; if it is paused, that is another problem.

    Its run of this morning may be later than who asks: yesterday is not held against it.
    """
    dag_id, held = successor.dag_id, known.day_count
    if held == len(days):
        return f"nothing to do: {dag_id} has these days"
    if known.is_collected and not known.is_behind:
        return f"nothing to do: {dag_id} collects the account"
    if known.is_collected:
        return f"trigger {dag_id}, which has {held} of {counted(len(days), 'day')}"
    return f"unpause or trigger {dag_id}, which has {held} of {counted(len(days), 'day')}"


def accounts_not_in(problems: Sequence[Problem]) -> str:
    """`3 accounts are not in: see the lines above`, a task's last line."""
    platforms = sorted(
        {problem.account for problem in problems if problem.kind is ProblemKind.PLATFORM}
    )
    accounts = len({it.appid or it.account for it in problems}.difference(platforms))
    named = [f"{it} is" for it in platforms] + ([accounts_are(accounts)] if accounts else [])
    return f"{' not in, '.join(named)} not in: see the lines above"
