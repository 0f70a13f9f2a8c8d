"""What came of a run: for the log, and for whoever waits for the run's asset."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from weixin_etl import clock, rules
from weixin_etl.model import PairState, PlanStamp, Run
from weixin_etl.problem import log_problem
from weixin_etl.run.pairs import not_in, planned_pairs, require_plan, run_keys
from weixin_etl.warehouse import follow_clock, require_migrated, statement

log = logging.getLogger(__name__)

COUNTS = ("calls", "inserted", "updated", "unchanged", "rejected", "restated")
PLAN_COUNTS = ("caught_up", "witnesses", "final", "resting", "lost")
_IN = {PairState.LOADED, PairState.EMPTY, PairState.IN_BY_ANOTHER}
_OLDEST = timedelta(days=60)
PAIRS_IN_LOG = 700
"""Up to so many pairs have a line each; of a longer run only what is not in is told."""


def report(
    run: Run,
    warehouse: Engine,
    plan_counts: Mapping[str, int],
    stamp: PlanStamp,
    expected: timedelta | None,
) -> dict[str, int]:
    """
    Log a line per pair the run planned, and one per account and cause of what is not in.

    And how long it took since its plan, beside what the plan `expected`; None if that compares
    nothing, as the run was cleared since.

    Returns:
        The run's totals, its pairs by state, and of its plan the days caught up and asked for as
        witnesses, skipped as final or as resting, and lost (beyond the reach of daily runs).

    Raises:
        WarehouseError: the warehouse does not answer, is not migrated, or has not the run's plan.
    """
    require_migrated(warehouse)
    follow_clock(warehouse)
    with warehouse.connect() as connection:
        require_plan(connection, run, stamp)
        pairs = planned_pairs(connection, run)
        problems = not_in(connection, run, pairs, clock.now())
    states = [
        rules.came_of(it.state, it.coverage, it.planned_at, refetch=run.refetch) for it in pairs
    ]
    if len(pairs) <= PAIRS_IN_LOG:
        for pair, state in zip(pairs, states, strict=True):
            log.log(
                logging.INFO if state in _IN else logging.WARNING,
                "%s %s: %s; %s",
                *(pair.name, pair.publication_date, state),
                ", ".join(f"{getattr(pair, name)} {name}" for name in COUNTS),
            )
    else:
        log.info("weixin.run_report has the counts of each of the %s pairs", len(pairs))
    if expected:
        took = clock.now() - stamp.planned_at
        log.info(
            "took %s since the plan, which expected about %s",
            *(clock.elapsed(took), clock.elapsed(expected)),
        )
    for problem in problems:
        log_problem(log, problem)
    totals = Counter({name: sum(getattr(pair, name) for pair in pairs) for name in COUNTS})
    totals.update(state.value for state in states)
    totals[PairState.HELD_BACK] += plan_counts.get(PairState.HELD_BACK, 0)
    planned = {name: plan_counts.get(name, 0) for name in PLAN_COUNTS}
    return {name: totals[name] for name in (*COUNTS, *map(str, PairState))} | planned


def freshness_hours(
    run: Run, warehouse: Engine, now: datetime, appids: Collection[str]
) -> dict[str, float]:
    """
    How old the figures of accounts are, by AppID: since the end of the newest day that is in.

    An account that has had no day in for two months is that old.
    """
    since = clock.beijing_date(now) - _OLDEST
    with warehouse.connect() as connection:
        rows = connection.execute(
            statement("coverage/freshness.sql"),
            {"dataset": run.dataset.name, "appids": sorted(appids), "since": since, "now": now},
        )
        return {row.appid: float(row.hours) for row in rows}


def changed_days(run: Run, warehouse: Engine) -> list[date]:
    """
    The publication days with rows that changed and that are in, not announced by another run.

    Those of earlier runs that ended before they announced theirs are among them.
    """
    with warehouse.begin() as connection:
        return list(connection.scalars(statement("run_report/announce.sql"), run_keys(run)))
