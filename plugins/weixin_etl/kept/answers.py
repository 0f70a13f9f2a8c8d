"""The kept answers of a pair, for `weixin-etl answers`."""

from datetime import date

from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.load.history import KeptAnswer, kept_answers
from weixin_etl.model import ParameterError
from weixin_etl.text import few_names
from weixin_etl.warehouse import diagnosed, require_migrated, statement


def kept_answers_of(
    warehouse: Engine, dataset: Dataset, account: str, day: date
) -> list[KeptAnswer]:
    """
    Every distinct answer of the pair, in the order they were last seen.

    Raises:
        ParameterError: there is no such account, or nothing is kept of the pair.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with diagnosed(warehouse), warehouse.connect() as connection:
        appid = appid_of(connection, account)
        answers = list(kept_answers(connection, [dataset], [(appid, day)]))
    if not answers:
        raise ParameterError(f"no answer of {dataset.endpoint} is kept of {account} on {day}")
    return answers


def answer_line(answer: KeptAnswer) -> str:
    """A line of the list of answers: number, when it was seen, and how long it is."""
    instants = dict.fromkeys((answer.fetched_at, answer.last_seen_at))
    seen = clock.beijing_text(*instants, pattern="%Y-%m-%d %H:%M:%S")
    return f"{answer.raw_response_id}  {seen}  {len(answer.body):,} bytes"


def appid_of(connection: Connection, name: str) -> str:
    """
    The AppID of an account of the warehouse, by its AppID, its connection's id or its name.

    Raises:
        ParameterError: there is none, or several are called so.
    """
    found = connection.scalars(statement("dim_account/named.sql"), {"name": name}).all()
    if len(found) == 1:
        return str(found[0])
    if found:
        raise ParameterError(
            f"several accounts are called {name}; give one's AppID: {', '.join(found)}"
        )
    names = connection.exec_driver_sql("SELECT name FROM weixin.dim_account ORDER BY name")
    known = few_names(list(names.scalars())) or "none yet"
    raise ParameterError(f"no account of the warehouse is called {name}; there are: {known}")
