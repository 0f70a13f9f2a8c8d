"""`weixin-etl replay`: with a bar on a terminal, and lines for what differs."""

from rich.console import Console

from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import replay
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands.bar import bar
from weixin_etl.orchestration.connections.warehouse import open_warehouse


def show_replay(selection: Selection, *, is_applied: bool) -> None:
    """
    Replay, with a bar on a terminal, and print what changed or would change.

    Raises:
        ParameterError: an account is not known, or the days are in the wrong order.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    with bar("kept answers") as on_progress:
        replayed = replay(
            open_warehouse(),
            selection,
            ready_hour=settings.read().pipeline.ready_hour,
            is_applied=is_applied,
            on_progress=on_progress,
        )
    console = Console()
    for sentence in replayed.sentences():
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)
    if not is_applied and not replayed.is_empty:
        console.print("Nothing is written: --apply does.", highlight=False, soft_wrap=True)
