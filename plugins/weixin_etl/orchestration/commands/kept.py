"""The commands for the kept answers, with the settings and the warehouse of Airflow."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console

from weixin_etl.datasets import Dataset
from weixin_etl.kept.answers import answer_line
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, selected
from weixin_etl.load.fold import KeptAnswer
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import counted, shown


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


def show_replay(
    dataset: Dataset,
    accounts: Sequence[str],
    begin: date | None,
    end: date | None,
    *,
    is_applied: bool,
) -> None:
    """
    Replay days of accounts, or of all, and print what changed or would change.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    warehouse = open_warehouse()
    with _progress("pair") as on_progress:
        replayed = replay(
            warehouse,
            dataset,
            selected(warehouse, dataset, accounts, begin, end),
            ready_hour=settings.read().pipeline.ready_hour,
            is_applied=is_applied,
            on_progress=on_progress,
        )
    read = f"{counted(replayed.pairs, 'pair')} read"
    if not replayed.changes:
        _print(f"{read}: the fact is what the kept answers say, nothing changes")
        return
    _print(f"{read}. {'This was written:' if is_applied else 'This would change:'}")
    for change in replayed.changes:
        _print(change)
    if not is_applied:
        _print("Nothing is written: --apply does.")


def show_import(paths: Sequence[Path]) -> int:
    """
    Load the files, and print what came of them; the exit code, 1 when a line could not be loaded.

    Raises:
        ParameterError: there is no such file.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    in_force = settings.read().pipeline
    with _progress("answer") as on_progress:
        came = import_files(
            open_warehouse(),
            paths,
            ready_hour=in_force.ready_hour,
            commit_bytes=in_force.commit_bytes,
            on_progress=on_progress,
        )
    counts = came.replayed.counts
    rows = f"{counted(counts.inserted, 'row')} new, {counts.updated} updated"
    _print(f"{counted(came.answers, 'answer')} loaded: {rows}")
    if came.bad_line:
        sys.stderr.write(f"weixin-etl: {came.bad_line}; correct it and import the file again\n")
    return 1 if came.bad_line else 0


def _print(sentence: str) -> None:
    Console().print(sentence, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Tells a person at a terminal how many are done."""
    with Console(stderr=True).status("reading") as status:
        yield lambda done: status.update(f"{counted(done, what)} read")
