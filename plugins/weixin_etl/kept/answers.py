"""The kept answers: of a pair, for `weixin-etl answers`, and the pairs of a selection."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.load.fold import KeptAnswer, kept_answers
from weixin_etl.model import Pair, ParameterError
from weixin_etl.text import few_names
from weixin_etl.warehouse import diagnosed, require_migrated, statement

_PAIRS_READ = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which kept answers to replay."""

    dataset: Dataset
    accounts: tuple[str, ...] = ()
    """AppIDs, connection ids or names; none means all."""
    begin_date: date | None = None
    end_date: date | None = None
    """First and last day, both included; None means from the first, to the last."""
    is_rejected: bool = False
    """Only pairs with an open rejected part."""

    def __post_init__(self) -> None:
        """
        Hold days in their order.

        Raises:
            ParameterError: the last day is before the first.
        """
        if self.begin_date and self.end_date and self.begin_date > self.end_date:
            raise ParameterError(f"begin_date {self.begin_date} is after end_date {self.end_date}")


def answers_of_pair(
    warehouse: Engine, dataset: Dataset, account: str, day: date
) -> list[KeptAnswer]:
    """
    Every distinct answer of the pair, in the order they were last seen.

    `account` is an AppID, a connection's id, or what people call the account.

    Raises:
        ParameterError: there is no such account, or nothing is kept of the pair.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with diagnosed(warehouse), warehouse.connect() as connection:
        appid = _appid_of(connection, account)
        answers = list(kept_answers(connection, [dataset], [(appid, day)]))
    if not answers:
        raise ParameterError(
            f"no answer of {dataset.endpoint} is kept for {account} and the day {day}"
        )
    return answers


def answer_line(answer: KeptAnswer) -> str:
    """A line of the list of answers: number, when it was seen, and how long it is."""
    instants = dict.fromkeys((answer.fetched_at, answer.last_seen_at))
    seen = clock.beijing_text(*instants, pattern="%Y-%m-%d %H:%M:%S")
    return f"{answer.raw_response_id}  {seen}  {len(answer.body):,} bytes"


def count_selected(warehouse: Engine, selection: Selection) -> int:
    """How many answers are selected."""
    keys = _keys(warehouse, selection)
    with warehouse.connect() as connection:
        count: int = connection.execute(statement("raw_response/count.sql"), keys).scalar_one()
    return count


def _keys(warehouse: Engine, selection: Selection) -> dict[str, object]:
    """The selection as the statements take it."""
    with warehouse.connect() as connection:
        appids = [_appid_of(connection, name) for name in selection.accounts]
    return {
        "dataset": selection.dataset.name,
        "appids": appids or None,
        "begin_date": selection.begin_date,
        "end_date": selection.end_date,
        "is_rejected": selection.is_rejected,
    }


def selected_pairs(warehouse: Engine, selection: Selection) -> Iterator[Pair]:
    """
    The selected pairs in order.

    Read in parts: no transaction lasts as long as what is done with them.
    """
    keys = _keys(warehouse, selection)
    after: Pair = "", date.min
    while True:
        values = {**keys, "after_appid": after[0], "after_date": after[1], "count": _PAIRS_READ}
        with warehouse.connect() as connection:
            rows = connection.execute(statement("raw_response/pairs.sql"), values).all()
        for row in rows:
            after = row.appid, row.day
            yield after
        if len(rows) < _PAIRS_READ:
            return


def _appid_of(connection: Connection, name: str) -> str:
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
    names = connection.exec_driver_sql("SELECT name FROM weixin.dim_account ORDER BY name")
    known = few_names(list(names.scalars())) or "none yet"
    raise ParameterError(f"no account of the warehouse is called {name}; there are: {known}")
