"""The commands for the kept answers, with the settings and the warehouse of Airflow."""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from weixin_etl.datasets import DATASETS
from weixin_etl.kept.answers import answer_line, kept_answers_of
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay as replayed
from weixin_etl.kept.replay import select_slices
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import counted, shown


def answers(options: Namespace) -> None:
    """
    Print an answer of a pair, the one seen last if none is named; or a line per distinct answer.

    Raises:
        ParameterError: there is no such answer.
    """
    asked = DATASETS[options.dataset], options.account, options.publication_day
    kept = kept_answers_of(open_warehouse(), *asked)
    if options.list:
        sys.stdout.write("".join(f"{answer_line(answer)}\n" for answer in kept))
        return
    wanted = [it.body for it in kept if options.id in (None, it.raw_response_id)]
    if not wanted:
        raise ParameterError(f"{options.id} is not one of the answers that --list shows")
    body = wanted[-1]
    if sys.stdout.isatty():
        body = shown(body.decode(errors="replace")).encode()
    sys.stdout.buffer.write(body)


def replay(options: Namespace) -> None:
    """Replay days of accounts, or of all, and print what changed or would change."""
    warehouse, dataset = open_warehouse(), DATASETS[options.dataset]
    pairs = select_slices(warehouse, dataset, options.accounts, options.begin, options.end)
    hour = settings.read().ready_hour
    with _progress("pair") as tell:
        done = replayed(
            warehouse, dataset, pairs, ready_hour=hour, is_applied=options.apply, on_progress=tell
        )
    read = f"{counted(done.slices, 'pair')} read"
    if not done.changes:
        _print(f"{read}: the fact is what the kept answers say, nothing changes")
        return
    _print(f"{read}. {'This was written:' if options.apply else 'This would change:'}")
    for change in done.changes:
        _print(change)
    if not options.apply:
        _print("Nothing is written: --apply does.")


def import_(options: Namespace) -> int:
    """Load the files, and print what came of them; the exit code, 1 when a line is bad."""
    warehouse, limits = open_warehouse(), settings.read()
    hour, most = limits.ready_hour, limits.commit_bytes
    with _progress("answer") as tell:
        came = import_files(
            warehouse, options.file, ready_hour=hour, commit_bytes=most, on_progress=tell
        )
    counts = came.replayed.counts
    rows = f"{counted(counts.inserted, 'row')} new, {counts.updated} updated"
    _print(f"{counted(came.answers, 'answer')} loaded: {rows}")
    if came.bad_line:
        sys.stderr.write(
            f"weixin-etl: {came.bad_line}; correct it and import again from this file on\n"
        )
    return 1 if came.bad_line else 0


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int], None]]:
    """Tells a person at a terminal how many are done."""
    with Console(stderr=True).status("reading") as status:
        yield lambda done: status.update(f"{counted(done, what)} read")


def _print(sentence: object) -> None:
    sys.stdout.write(f"{shown(str(sentence))}\n")
