"""`weixin-etl replay`: with a bar on a terminal, and the figures as a table."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from weixin_etl.json_text import one_line
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import Replayed, replay
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands.bar import bar
from weixin_etl.orchestration.warehouse import open_warehouse


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
        console.print(sentence, highlight=False, soft_wrap=True)
    if replayed.diff.figures:
        console.print(_figures(replayed))
    if not is_applied and not replayed.is_empty:
        console.print("Nothing is written: --apply does.", highlight=False, soft_wrap=True)


def _figures(replayed: Replayed) -> Table:
    table = Table("metric", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("figures", justify="right")
    table.add_column("for example")
    table.add_column("is", justify="right", max_width=20)
    table.add_column("by the answers", justify="right", max_width=20)
    for it in replayed.diff.figures:
        appid, msgid, stat_date, old, new = it.example
        texts = (f"{appid} {msgid} {stat_date}", old or "–", new or "–")
        table.add_row(it.metric, str(it.count), *(escape(one_line(text)) for text in texts))
    return table
