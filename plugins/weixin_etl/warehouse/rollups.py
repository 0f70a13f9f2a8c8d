"""The rollups: what readers would work out anew each time, kept in the commit that changes it."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Engine

from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.text import counted
from weixin_etl.warehouse.locks import lock_load
from weixin_etl.warehouse.statements import statement

Days = tuple[date, date]
"""The first and the last of some publication days."""

_ALL_DAYS = date.min, date.max
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def keep(
    connection: Connection, dataset: Dataset, spans: Mapping[str, Days], since: datetime
) -> None:
    """
    Bring the rollups of accounts up to date with some publication days of theirs, by AppID.

    The caller's transaction changed rows `since` an instant only.
    """
    if not spans:
        return
    changed = connection.execute(
        statement("rollup/latest.sql", dataset), {**_arrays(spans), "since": since}
    )
    gained = {appid: (first, last) for appid, first, last in changed}
    if gained:
        connection.execute(statement("rollup/pin_plan.sql"))
        connection.execute(statement("rollup/gained.sql", dataset), _arrays(gained))
        connection.execute(statement("fact/pin_plan.sql"))
    connection.execute(statement("rollup/covered.sql", dataset), _arrays(spans))


def _arrays(spans: Mapping[str, Days]) -> dict[str, list[Any]]:
    return {
        "appids": list(spans),
        "first_dates": [first for first, _ in spans.values()],
        "last_dates": [last for _, last in spans.values()],
    }


def keep_whole(connection: Connection, dataset: Dataset, appids: Collection[str]) -> None:
    """Work out everything that the rollups hold of accounts, and forget the days that are gone."""
    if not appids:
        return
    connection.execute(statement("rollup/forget_days.sql", dataset), {"appids": list(appids)})
    keep(connection, dataset, dict.fromkeys(appids, _ALL_DAYS), _ALWAYS)


def without(connection: Connection, dataset: Dataset, appids: Collection[str] | None) -> list[str]:
    """The accounts, of these or of all, whose days no rollup has yet."""
    values = {"dataset": dataset.name, "appids": appids and list(appids)}
    return list(connection.scalars(statement("rollup/without.sql", dataset), values))


def fill(warehouse: Engine, on_progress: Callable[[int, int], None]) -> list[str]:
    """
    Work out the rollups of all accounts that have none yet, an account a transaction.

    Returns:
        What was done, in sentences; nothing when there was nothing to do.
    """
    with warehouse.connect() as connection:
        missing = [
            (dataset, appid)
            for dataset in ARTICLE_DATASETS.values()
            for appid in without(connection, dataset, None)
        ]
    for done, (dataset, appid) in enumerate(missing):
        on_progress(done, len(missing))
        with warehouse.begin() as connection:
            lock_load(connection, [appid])
            connection.execute(statement("fact/pin_plan.sql"))
            keep_whole(connection, dataset, [appid])
    if not missing:
        return []
    on_progress(len(missing), len(missing))
    count = len({appid for _, appid in missing})
    return [f"Worked out the rollups of {counted(count, 'account')}."]
