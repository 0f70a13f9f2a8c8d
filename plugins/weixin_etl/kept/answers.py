"""
Look-ups of kept answers by account and day, for the command `weixin-etl answers`.

The command gets each distinct answer that WeChat gave for the day, and prints a line about each or
the exact bytes of one. `kept/replay.py` uses the look-up of accounts too.
"""

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
    Return every distinct answer that is kept of a slice, the one received last at the end.

    Args:
        warehouse: the warehouse.
        dataset: the dataset whose endpoint answered.
        account: the account's AppID, connection id or name.
        day: the day that was asked.

    Raises:
        ParameterError: there is no such account, or no answer is kept.
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
    """
    Return the answer's line in the list of `weixin-etl answers`.

    The line has the id, the Beijing times at which the bytes were first and last received, and the
    number of bytes, or that they were pruned. One time is shown if both are the same.
    """
    instants = dict.fromkeys((answer.fetched_at, answer.last_seen_at))
    times = clock.beijing_text(*instants, pattern="%Y-%m-%d %H:%M:%S")
    size = "pruned" if answer.body_zstd is None else f"{len(answer.body):,} bytes"
    return f"{answer.raw_response_id}  {times}  {size}"


def appid_of(connection: Connection, name: str) -> str:
    """
    Return the AppID of an account in the warehouse.

    Args:
        connection: a connection to the warehouse.
        name: the account's AppID, connection id or name.

    Raises:
        ParameterError: no account, or more than one, has this name. The text gives the names of
            the accounts that there are, or the AppIDs of those that have the name.
    """
    found = connection.scalars(statement("dim_account/named.sql"), {"name": name}).all()
    if len(found) == 1:
        return str(found[0])
    if found:
        appids = ", ".join(found)
        raise ParameterError(f"several accounts are called {name}; give one's AppID: {appids}")
    names = connection.exec_driver_sql("SELECT name FROM weixin.dim_account ORDER BY name")
    known = few_names(list(names.scalars())) or "none yet"
    raise ParameterError(f"no account of the warehouse is called {name}; there are: {known}")
