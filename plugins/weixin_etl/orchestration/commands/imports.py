"""`weixin-etl import`: with the settings and the warehouse of Airflow, and a bar on a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import DownloadColumn

from weixin_etl.kept.imported import import_files
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands.bar import bar
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import counted

_LINES_SHOWN = 20


def show_import(paths: Sequence[Path]) -> int:
    """
    Load the files, and print what came of them; the exit code, 1 when a line was refused.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    in_force = settings.read().pipeline
    errors = Console(stderr=True)
    shown = 0

    def on_refused(sentence: str) -> None:
        nonlocal shown
        shown += 1
        if shown <= _LINES_SHOWN:
            errors.print(f"weixin-etl: {sentence}", highlight=False, markup=False, soft_wrap=True)

    size = sum(path.stat().st_size for path in paths if path.is_file())
    with bar("answers", DownloadColumn, errors) as on_progress:
        imported = import_files(
            open_warehouse(),
            paths,
            ready_hour=in_force.ready_hour,
            commit_bytes=in_force.commit_bytes,
            on_progress=lambda done: on_progress(done, size),
            on_refused=on_refused,
        )
    if shown > _LINES_SHOWN:
        errors.print(
            f"weixin-etl: and {counted(shown - _LINES_SHOWN, 'more line')}", highlight=False
        )
    Console().print(str(imported), highlight=False, soft_wrap=True)
    return 1 if imported.refused else 0
