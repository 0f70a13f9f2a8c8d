"""
A run's counts and the freshness as Airflow's own metrics.

StatsD drops tags, so the names say the dataset and the account; OpenTelemetry gets both.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from airflow.sdk.observability import stats
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.model import Run
from weixin_etl.run.check import Judgement
from weixin_etl.warehouse import statement

_OLDEST = timedelta(days=60)
_GROUPS = {"calls": "calls", "in": "pairs.in", "not_in": "pairs.not_in"}


def emit_counts(run: Run, totals: Mapping[str, int]) -> None:
    """Gauges with the counts of the dataset's last run: `weixin.<dataset>.rows.inserted`, …"""
    for name, count in totals.items():
        _gauge(run, _GROUPS.get(name, f"rows.{name}"), count)


def emit_freshness(
    run: Run, warehouse: Engine, now: datetime, judgement: Judgement, appids: Collection[str]
) -> None:
    """
    Gauges with what is not in, and how old the figures are: of each account, and of the oldest.

    An account's age is counted from the end of its newest publication day that is in, or is two
    months.
    """
    _gauge(run, "pairs.not_in", sum(len(problem.days) for problem in judgement.not_in))
    since = clock.beijing_date(now) - _OLDEST
    values = {"dataset": run.dataset.name, "appids": sorted(appids), "since": since, "now": now}
    with warehouse.connect() as connection:
        rows = connection.execute(statement("coverage/freshness.sql"), values).all()
    for row in rows:
        _gauge(run, f"freshness_hours.{row.appid}", float(row.hours), appid=row.appid)
    if rows:
        _gauge(run, "freshness_hours", max(float(row.hours) for row in rows))


def _gauge(run: Run, name: str, value: float, **tags: str) -> None:
    stats.gauge(
        f"weixin.{run.dataset.name}.{name}", value, tags={"dataset": run.dataset.name, **tags}
    )
