"""What a run did, for the log, the metrics, and whoever waits for the run's asset."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from weixin_etl import clock, rules
from weixin_etl.model import Batch, Run
from weixin_etl.run.outcome import known_of
from weixin_etl.text import counted
from weixin_etl.warehouse import require_migrated, statement

log = logging.getLogger(__name__)

COUNTS = ("calls", "inserted", "updated", "unchanged", "rejected")
_OLDEST = timedelta(days=60)
PAIRS_IN_LOG = 700
"""Up to so many pairs have a line each; of a longer run `weixin.run_report` has them."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did since its newest plan."""

    totals: dict[str, int]
    """Calls, rows and rejected parts; pairs that are in, and that are not."""
    changed_days: list[date]


def report(run: Run, warehouse: Engine, accounts: Batch) -> Report:
    """
    Log a line per planned pair, and add up what the run did.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with warehouse.connect() as connection:
        known = known_of(connection, run.dataset, accounts)
        rows = connection.execute(
            statement("run_report/of_run.sql"),
            {"run_id": run.run_id, "dataset": run.dataset.name},
        )
        done = {(row.appid, row.day): row for row in rows}
    planned = [(account, day) for account in accounts for day in account.days]
    is_in = {
        (account.appid, day): rules.is_in(
            known.get((account.appid, day)), account.planned_at, refetch=run.refetch
        )
        for account, day in planned
    }
    if len(planned) <= PAIRS_IN_LOG:
        for account, day in planned:
            row, here = done.get((account.appid, day)), is_in[account.appid, day]
            counts = _in_words({name: getattr(row, name, 0) for name in COUNTS})
            level = logging.INFO if here else logging.WARNING
            log.log(level, "%s %s: %s; %s", account.name, day, "in" if here else "not in", counts)
    totals = {name: sum(getattr(row, name) for row in done.values()) for name in COUNTS}
    totals |= {"in": sum(is_in.values()), "not_in": len(planned) - sum(is_in.values())}
    log.info("%s", _in_words(totals))
    changed = {
        day
        for (appid, day), row in done.items()
        if row.inserted + row.updated and is_in.get((appid, day))
    }
    return Report(totals, sorted(changed))


def _in_words(counts: Mapping[str, int]) -> str:
    said = (
        f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if name != "calls"
    )
    return ", ".join([counted(counts["calls"], "call"), *said])


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
