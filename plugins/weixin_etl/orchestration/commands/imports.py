"""`weixin-etl import`: with the settings and the warehouse of Airflow, and a bar on a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import DownloadColumn

from weixin_etl.kept.imported import import_files
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.commands.bar import bar
from weixin_etl.orchestration.connections.warehouse import open_warehouse


def show_import(paths: Sequence[Path]) -> int:
    """
    Load the files, and print what came of them; the exit code, 1 when a line could not be loaded.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    in_force = settings.read().pipeline
    errors = Console(stderr=True)
    size = sum(path.stat().st_size for path in paths if path.is_file())
    with bar("answers", DownloadColumn, errors) as on_progress:
        imported = import_files(
            open_warehouse(),
            paths,
            ready_hour=in_force.ready_hour,
            commit_bytes=in_force.commit_bytes,
            on_progress=lambda done: on_progress(done, size),
        )
    Console().print(str(imported), highlight=False, soft_wrap=True)
    if imported.bad_line:
        said = f"weixin-etl: {imported.bad_line}; mend it and import the file again"
        errors.print(said, highlight=False, markup=False, soft_wrap=True)
    return 1 if imported.bad_line else 0
