"""
Remove the bytes of old answers, which take most of the warehouse's space.

Only answers of final days go: no run asks for such a day any more, and its figures stay. Their rows
stay too, with the hash and the times. A day that has lost bytes is not replayed any more, and an
import leaves it out. The command `weixin-etl prune` calls this module.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy import Engine

from weixin_etl.warehouse import diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import begin_load


class Pruned(msgspec.Struct, frozen=True):
    """How much was pruned, or would be."""

    answers: int = 0
    bytes: int = 0
    """The compressed size. Postgres reuses the space once autovacuum has been there."""


def remove_old_bytes(
    warehouse: Engine,
    before: datetime,
    *,
    is_applied: bool,
    on_progress: Callable[[int], None] = lambda _answers: None,
) -> Pruned:
    """
    Remove the bytes of old answers of final days, in one transaction per account.

    The transaction waits for loads and replays of the account, and they wait for it. So all answers
    of a day lose their bytes, or none.

    Args:
        warehouse: the warehouse, as a role that may update `raw_response`: its owner.
        before: the time before which all answers of a day must have been received last.
        is_applied: False removes nothing.
        on_progress: called after each account with the number of answers so far.

    Returns:
        What was removed, or would be.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated, or the role may not.
    """
    require_migrated(warehouse)
    total = Pruned()
    with diagnosed(warehouse):
        with warehouse.connect() as connection:
            known = connection.exec_driver_sql("SELECT appid FROM weixin.dim_account")
            appids = sorted(known.scalars())
        for appid in appids:
            with warehouse.begin() as connection:
                begin_load(connection, [appid])
                values = {"appid": appid, "before": before, "is_applied": is_applied}
                row = connection.execute(statement("raw_response/prune.sql"), values).one()
            total = Pruned(total.answers + row.answers, total.bytes + int(row.bytes))
            on_progress(total.answers)
    return total
