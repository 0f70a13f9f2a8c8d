"""The pairs of a run's newest plan, as the warehouse has them, and why they are not in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from weixin_etl import clock, rules
from weixin_etl.api.errors import HeldBackError
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import (
    ConfiguredAccount,
    PairState,
    PlannedAccount,
    PlannedPair,
    PlanStamp,
    Run,
    connection_of,
)
from weixin_etl.problem import Problem, ProblemKind, together
from weixin_etl.text import accounts_are, counted
from weixin_etl.warehouse import WarehouseError, statement
from weixin_etl.warehouse.statements import arrays

Named = ConfiguredAccount | PlannedAccount | PlannedPair


def run_keys(run: Run) -> dict[str, str]:
    """What tells a run's rows of `weixin.run_report` from others."""
    return {
        "run_id": run.run_id,
        "dataset": run.dataset.name,
        "installation": run.installation,
    }


def planned_pairs(
    connection: Connection, run: Run, appids: Sequence[str] | None = None
) -> list[PlannedPair]:
    """The pairs of the run's newest plan, newest first; of some accounts or of all."""
    rows = connection.execute(
        statement("run_report/of_run.sql"), {**run_keys(run), "appids": appids}
    )
    return [PlannedPair.of(row) for row in rows.mappings()]


def require_plan(
    connection: Connection, run: Run, stamp: PlanStamp, appids: Sequence[str] | None = None
) -> None:
    """
    Make sure that the run's plan is in the warehouse as it was made; of some accounts or of all.

    Raises:
        WarehouseError: it is not; the warehouse may have been restored from a backup.
    """
    found = connection.scalar(
        statement("run_report/planned.sql"),
        {**run_keys(run), "planned_at": stamp.planned_at, "appids": appids},
    )
    if (found or 0) < stamp.pair_count:
        raise WarehouseError(
            f"the plan is gone from the warehouse: of the {counted(stamp.pair_count, 'day')} "
            f"planned at {clock.beijing_text(stamp.planned_at)} it has "
            f"{found or 0}; it was restored from a backup, or the run was planned again",
            "clear plan with its downstream tasks",
        )


def not_in(
    connection: Connection, run: Run, pairs: Iterable[PlannedPair], now: datetime
) -> list[Problem]:
    """Why pairs that make the run red are not in: one problem per account and cause."""
    problems = together(why_not_in(pair, now) for pair in pairs if rules.makes_red(pair, run))
    return with_successor(connection, run.dataset, problems, now)


def why_not_in(pair: PlannedPair, now: datetime) -> Problem:
    """Why a pair is not in, by its last attempt; the cure is for who reads it now."""
    days = (pair.publication_date,)
    if pair.state is PairState.HELD_BACK:
        held_back = HeldBackError
        problem = problem_of(pair, held_back.kind, held_back.cause, held_back.cure, days)
        return problem.as_of(now, now)
    known = pair.coverage
    errcode, rid = known.error_code, known.rid or ""
    cause, cure = known.error or "", known.cure or ""
    if known.error_kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        conn_id = connection_of(pair.conn_id)
        return Problem(
            known.error_kind, cause, cure, conn_id=conn_id, days=days, errcode=errcode, rid=rid
        )
    never = "not asked yet"
    if pair.state is not PairState.PLANNED:
        never = "answered before it was planned, by the clocks of two machines"
    kind = known.error_kind or ProblemKind.NOT_ASKED
    problem = problem_of(pair, kind, cause or never, cure or "clear the task ingest", days)
    return replace(problem, errcode=errcode, rid=rid).as_of(known.attempted_at or now, now)


def problem_of(
    account: Named, kind: ProblemKind, cause: str, cure: str, days: Iterable[date] = ()
) -> Problem:
    """The problem of an account with some publication days."""
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
        (it.appid, day)
        for it in problems
        for day in it.days
        if it.kind is ProblemKind.ENDPOINT_OFFLINE and it.appid
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
        replace(it, cure=_instead(successor, known[it.appid], it.days))
        if it.kind is ProblemKind.ENDPOINT_OFFLINE and it.appid in known
        else it
        for it in problems
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
        return f"trigger {dag_id}, which has {held} of {len(days)} days"
    return f"unpause or trigger {dag_id}, which has {held} of {len(days)} days"


def accounts_not_in(problems: Sequence[Problem]) -> str:
    """`3 accounts are not in: see the lines above`, a task's last line."""
    platforms = sorted({it.account for it in problems if it.kind is ProblemKind.PLATFORM})
    accounts = len({it.appid or it.account for it in problems}.difference(platforms))
    named = [f"{it} is" for it in platforms] + ([accounts_are(accounts)] if accounts else [])
    return f"{' not in, '.join(named)} not in: see the lines above"
