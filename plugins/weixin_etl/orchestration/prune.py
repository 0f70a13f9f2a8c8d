"""`weixin-etl prune`: with the warehouse of Airflow, and a bar on a terminal."""

from collections.abc import Sequence
from datetime import date, timedelta

from rich import filesize
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from weixin_etl import clock
from weixin_etl.answers import Selection
from weixin_etl.datasets import Dataset
from weixin_etl.orchestration.bar import bar
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.prune import Pruned, Size, Stay, may_delete, prune


def show_prune(
    datasets: Sequence[Dataset],
    accounts: tuple[str, ...],
    before: date | int,
    *,
    is_applied: bool,
) -> None:
    """
    Prune publication days `before` a date, or as many days ago, and print what goes and what stays.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated, or its user may not
            delete answers.

    """
    if isinstance(before, int):
        before = clock.beijing_date(clock.now()) - timedelta(days=before - 1)
    last_day = before - timedelta(days=1)
    warehouse = open_warehouse()
    console = Console()
    gone = seen = Size()
    for dataset in datasets:
        selection = Selection(dataset, accounts, end_date=last_day)
        with bar(f"answers of {dataset.name}") as on_progress:
            pruned = prune(warehouse, selection, is_applied=is_applied, on_progress=on_progress)
        console.print(_table(pruned, last_day))
        gone += pruned.gone
        seen += pruned.seen
    if not seen.answers:
        said = f"No answer is kept for a publication day until {last_day}: nothing was looked at."
    elif not gone.answers:
        said = "Nothing can go: each answer that was looked at is needed."
    elif is_applied:
        said = _SPACE
    elif may_delete(warehouse):
        said = "Nothing is deleted: --apply does."
    else:
        user = warehouse.url.username
        said = f"Nothing is deleted: --apply does, as a user who may; {user} may not."
    console.print(said, highlight=False, soft_wrap=True)


_SPACE = (
    "Postgres fills the space with new answers once autovacuum has been there. Only VACUUM (FULL) "
    "weixin.raw_response gives it back to the system; loads wait for it."
)


def _table(pruned: Pruned, last_day: date) -> Table:
    table = Table(pruned.dataset.name, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("answers", justify="right")
    table.add_column("stored", justify="right")

    def add(what: str, size: Size) -> None:
        table.add_row(what, f"{size.answers:,}", filesize.decimal(size.stored))

    add("kept before" if pruned.is_applied else "kept", pruned.before)
    add("deleted" if pruned.is_applied else "would be deleted", pruned.gone)
    table.add_section()
    for stay in Stay:
        if size := pruned.stays.get(stay):
            add(f"stay: {stay}", size)
    if pruned.left_out.answers:
        add(f"stay: not looked at (after {last_day}, or of other accounts)", pruned.left_out)
    table.add_section()
    add("kept now" if pruned.is_applied else "would be kept", pruned.after)
    return table
