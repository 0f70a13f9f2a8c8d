"""The commands for the kept answers, with the settings and the warehouse of Airflow."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from weixin_etl.kept import imported
from weixin_etl.kept.answers import Selection, answer_line
from weixin_etl.kept.replay import replay
from weixin_etl.load.fold import KeptAnswer
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import shown


def list_answers(kept: Sequence[KeptAnswer]) -> None:
    """Print a line per distinct answer of a pair."""
    sys.stdout.write("".join(f"{answer_line(answer)}\n" for answer in kept))


def show_answer(kept: Sequence[KeptAnswer], raw_response_id: int | None) -> None:
    """
    Print one of them, the one seen last if none is named: its bytes; on a terminal as text.

    Raises:
        ParameterError: there is no such answer.
    """
    wanted = [it for it in kept if raw_response_id in (None, it.raw_response_id)]
    if not wanted:
        raise ParameterError(f"{raw_response_id} is not one of the answers that --list shows")
    body = wanted[-1].body
    if sys.stdout.isatty():
        body = shown(body.decode(errors="replace")).encode()
    sys.stdout.buffer.write(body)


def show_replay(selection: Selection, *, is_applied: bool) -> None:
    """
    Replay, and print what changed or would change.

    Raises:
        ParameterError: an account is not known, or the days are in the wrong order.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    with _bar("kept answers") as on_progress:
        replayed = replay(
            open_warehouse(),
            selection,
            ready_hour=settings.read().pipeline.ready_hour,
            is_applied=is_applied,
            on_progress=on_progress,
        )
    for sentence in replayed.sentences():
        _print(sentence)
    if not is_applied and not replayed.is_empty:
        _print("Nothing is written: --apply does.")


def show_import(paths: Sequence[Path]) -> int:
    """
    Load the files, and print what came of them; the exit code, 1 when a line could not be loaded.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    in_force = settings.read().pipeline
    size = sum(path.stat().st_size for path in paths if path.is_file())
    with _bar("answers") as on_progress:
        came = imported.import_files(
            open_warehouse(),
            paths,
            ready_hour=in_force.ready_hour,
            commit_bytes=in_force.commit_bytes,
            on_progress=lambda done: on_progress(done, size),
        )
    _print(str(came))
    if came.bad_line:
        sys.stderr.write(f"weixin-etl: {came.bad_line}; correct it and import the file again\n")
    return 1 if came.bad_line else 0


def _print(sentence: str) -> None:
    Console().print(sentence, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error for a person at a terminal, told how much is done of how much."""
    errors = Console(stderr=True)
    # not disabled: up to rich 14 a display that is ends with an empty line
    console = errors if errors.is_terminal else Console(quiet=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
