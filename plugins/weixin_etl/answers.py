"""The kept answers of a pair: WeChat's exact bytes, for `weixin-etl answers`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import unpacked
from weixin_etl.model import ParameterError
from weixin_etl.warehouse import require_migrated, statement


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, as it is kept."""

    raw_response_id: int
    body: bytes
    fetched_at: datetime
    last_seen_at: datetime

    def __str__(self) -> str:
        """A line for a list."""
        last = self.last_seen_at if self.last_seen_at != self.fetched_at else None
        seen = clock.beijing_text(self.fetched_at, last, pattern="%Y-%m-%d %H:%M:%S")
        return f"{self.raw_response_id}  {seen}  {len(self.body):,} bytes"


def kept_answers(
    warehouse: Engine, dataset: Dataset, account: str, publication_date: date
) -> list[KeptAnswer]:
    """
    Every distinct answer of the pair, in the order they were last seen.

    `account` is an AppID, a connection's id, or what people call the account.

    Raises:
        ParameterError: there is no such account, or nothing is kept of the pair.
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    require_migrated(warehouse)
    with warehouse.connect() as connection:
        appid = appid_of(connection, account)
        answers = list(_answers(connection, dataset, appid, publication_date))
    if not answers:
        raise ParameterError(
            f"no answer of {dataset.endpoint} is kept for {account} and the publication day "
            f"{publication_date}"
        )
    return answers


def appid_of(connection: Connection, name: str) -> str:
    """
    The AppID of an account of the warehouse, by its AppID, its connection's id or its name.

    Raises:
        ParameterError: there is none, or several are called so.

    """
    found = connection.execute(statement("dim_account/named.sql"), {"name": name}).all()
    if len(found) == 1:
        return str(found[0].appid)
    if found:
        appids = ", ".join(row.appid for row in found)
        raise ParameterError(f"several accounts are called {name}; give one's AppID: {appids}")
    known = connection.exec_driver_sql(
        "SELECT name FROM weixin.dim_account ORDER BY name"
    ).scalars()
    raise ParameterError(
        f"no account of the warehouse is called {name}; there are: {', '.join(known) or 'none yet'}"
    )


def _answers(
    connection: Connection, dataset: Dataset, appid: str, day: date
) -> Iterator[KeptAnswer]:
    rows = connection.execute(
        statement("raw_response/of_pairs.sql"),
        {"datasets": [dataset.name], "appids": [appid], "publication_dates": [day]},
    )
    for row in rows:
        body = unpacked(bytes(row.body_zstd))
        yield KeptAnswer(row.raw_response_id, body, row.fetched_at, row.last_seen_at)
