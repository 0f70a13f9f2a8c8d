"""Why parts of answers were rejected that are still open: for `weixin-etl rejected`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Engine

from weixin_etl.datasets import Dataset
from weixin_etl.text import counted, one_line
from weixin_etl.warehouse import diagnosed, require_migrated, statement

_NAMES_SHOWN = 5
_LONGEST_PAYLOAD = 300


@dataclass(frozen=True, slots=True)
class RejectionReason:
    """Rejected parts of answers with the same reason, which names the metric."""

    dataset: str
    reason: str
    row_count: int
    pair_count: int
    accounts: Sequence[str]
    first_date: date
    last_date: date
    example: tuple[str, str, str | None, str | None, str]
    """The newest one: account, publication day, msgid, stat_date, and the part itself."""

    def __str__(self) -> str:
        """Three lines: how much, where, and an example."""
        account, day, msgid, stat_date, payload = self.example
        names = ", ".join(map(one_line, self.accounts[:_NAMES_SHOWN]))
        if others := len(self.accounts) - _NAMES_SHOWN:
            names += f" and {others} more" if others > 0 else ""
        what = " ".join(filter(None, (account, day, msgid, stat_date)))
        days = f"{counted(self.pair_count, 'day')}, {self.first_date} to {self.last_date}"
        return (
            f"{self.row_count} × {one_line(self.reason)} ({self.dataset})\n"
            f"    {names}: {days}\n"
            f"    for example {one_line(what)}: {one_line(payload, _LONGEST_PAYLOAD)}"
        )


def open_reasons(
    warehouse: Engine, dataset: Dataset | None = None, reason: str | None = None
) -> list[RejectionReason]:
    """
    The reasons, the most frequent first; of a dataset or of all, that contain a text or all.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with diagnosed(warehouse), warehouse.connect() as connection:
        rows = connection.execute(
            statement("rejected_row/reasons.sql"),
            {"dataset": dataset.name if dataset else None, "reason": reason},
        )
        return [RejectionReason(**row) for row in rows.mappings()]
