"""
Remove the bytes of old answers, which take most of the warehouse's space.

Only answers of final days go: no run asks for such a day any more, and its figures stay. Their rows
stay too, with the hash and the times. A day that has lost bytes is not replayed any more, and takes
no older answer. The command `weixin-etl prune` calls this module.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
from sqlalchemy import Engine

from weixin_etl.warehouse import diagnosed, require_migrated, statement

PRUNED_AT_ONCE = 1000
"""The number of answers whose bytes one transaction removes."""


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
    Remove the bytes of answers of final days, in transactions of `PRUNED_AT_ONCE` answers.

    Args:
        warehouse: the warehouse.
        before: the time before which all answers of a day must have been received last.
        is_applied: False removes nothing.
        on_progress: called after each transaction with the number of answers so far.

    Returns:
        What was removed, or would be.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    values = {"before": before, "limit": PRUNED_AT_ONCE, "is_applied": is_applied}
    total, last_id = Pruned(), 0
    with diagnosed(warehouse):
        while last_id is not None:
            with warehouse.begin() as connection:
                selection = {**values, "after": last_id}
                row = connection.execute(statement("raw_response/prune.sql"), selection).one()
            total = Pruned(total.answers + row.answers, total.bytes + int(row.bytes))
            last_id = row.last_id
            on_progress(total.answers)
    return total
