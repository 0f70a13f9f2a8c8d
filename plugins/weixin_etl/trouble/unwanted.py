"""Days that somebody says are not wanted: no problem until they are asked for again."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Engine

from weixin_etl.accounts.known import appid_of
from weixin_etl.datasets import Dataset
from weixin_etl.model import ParameterError
from weixin_etl.problem import ProblemKind
from weixin_etl.warehouse import diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import lock_incidents


def say_unwanted(
    warehouse: Engine,
    dataset: Dataset,
    accounts: Sequence[str],
    begin_date: date,
    end_date: date,
    *,
    said_at: datetime,
    said_by: str,
) -> int:
    """
    Take the days of the accounts, of all if none is named, out of what is wrong; of how many.

    Days that daily runs reach are asked for as before, and one that is asked for is wanted again.

    Raises:
        ParameterError: an account is not known, or the days are in the wrong order.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    if begin_date > end_date:
        raise ParameterError(f"the first day, {begin_date}, is after the last, {end_date}")
    require_migrated(warehouse)
    with diagnosed(warehouse), warehouse.begin() as connection:
        said = {
            "dataset": dataset.name,
            "begin_date": begin_date,
            "end_date": end_date,
            "said_at": said_at,
        }
        named = [appid_of(connection, name) for name in accounts] or None
        lock_incidents(connection, dataset.name)
        save = statement("unwanted_range/save.sql")
        appids = list(connection.scalars(save, {**said, "appids": named, "said_by": said_by}))
        connection.execute(
            statement("incident/unwanted.sql"),
            {
                **said,
                "appids": appids,
                "kinds": [it.value for it in ProblemKind if it.keeps_days_out],
            },
        )
    return len(appids)
