"""
The commands `answers`, `replay`, `import` and `prune`, all about WeChat's kept answers.

`cli` calls them with the parsed options. They use the settings and the warehouse of Airflow.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.kept.answers import answer_line, kept_answers_of
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.prune import remove_old_bytes
from weixin_etl.kept.replay import replay, select_slices
from weixin_etl.model import ParameterError
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.text import counted, shown

_MOST_DAYS = 36_500
"""The most days of `keep_answers_days` that count: a hundred years."""


def print_answers(options: Namespace) -> None:
    """
    Print the kept answer of an account and day: the newest, or the one that `--id` names.

    The exact bytes are printed; at a terminal, unprintable characters are replaced. With `--list`,
    print a line per distinct answer instead.

    Args:
        options: the parsed options: dataset, account, publication_day, list, id.

    Raises:
        ParameterError: the account has no kept answer of the day, or none with the id.
        WarehouseError: the warehouse can't be used.
    """
    dataset, account, day = DATASETS[options.dataset], options.account, options.publication_day
    kept = kept_answers_of(open_warehouse(), dataset, account, day)
    if options.list:
        sys.stdout.write("".join(f"{answer_line(answer)}\n" for answer in kept))
        return
    chosen = [answer for answer in kept if options.id in (None, answer.raw_response_id)]
    if not chosen:
        raise ParameterError(f"{options.id} is not one of the answers that --list shows")
    body = chosen[-1].body
    if sys.stdout.isatty():
        body = shown(body.decode(errors="replace")).encode()
    sys.stdout.buffer.write(body)


def print_replay(options: Namespace) -> None:
    """
    Merge the kept answers of the selected days anew, and print the changes.

    With `--apply`, the changes are written to the warehouse; otherwise nothing is written. The
    progress is shown on stderr.

    Args:
        options: the parsed options: dataset, accounts, begin, end, apply.

    Raises:
        ParameterError: an account is not known, or the last day is before the first.
        WarehouseError: the warehouse can't be used.
    """
    warehouse, dataset = open_warehouse(), DATASETS[options.dataset]
    chosen, pruned = (options.accounts, options.begin, options.end), list[int]()
    slices = select_slices(warehouse, dataset, *chosen, pruned.append)
    hour = settings.read().ready_hour
    with shown_progress("slice") as show:
        result = replay(
            warehouse, dataset, slices, ready_hour=hour, is_applied=options.apply, on_progress=show
        )
    if pruned:
        _print(f"{counted(sum(pruned), 'slice')} left out: prune has removed answers of these days")
    read = f"{counted(result.slices, 'slice')} read"
    if not result.changes:
        _print(f"{read}: the fact is what the kept answers say, nothing changes")
        return
    _print(f"{read}. {'This was written:' if options.apply else 'This would change:'}")
    for change in result.changes:
        _print(change)
    if not options.apply:
        _print("Nothing is written: --apply does.")


def print_import(options: Namespace) -> int:
    """
    Load answers from files into the warehouse, print the counts, and return the exit code.

    The exit code is 0, or 1 if a line is invalid. Then the lines before it are loaded, and stderr
    names the line and the file to go on from. The progress is shown on stderr.

    Args:
        options: the parsed options: `file` is the list of files.

    Raises:
        WarehouseError: the warehouse can't be used.
    """
    warehouse, limits = open_warehouse(), settings.read()
    hour, commit_bytes = limits.ready_hour, limits.commit_bytes
    with shown_progress("answer") as show:
        result = import_files(
            warehouse, options.file, ready_hour=hour, commit_bytes=commit_bytes, on_progress=show
        )
    counts = result.replayed.counts
    rows = f"{counted(counts.inserted, 'row')} new, {counts.updated} updated"
    _print(f"{counted(result.answers - result.pruned, 'answer')} loaded: {rows}")
    if result.pruned:
        _print(
            f"{counted(result.pruned, 'answer')} left out: prune has removed others of their day"
        )
    if result.bad_line:
        cure = "correct it and import again from this file on"
        sys.stderr.write(f"weixin-etl: {result.bad_line}; {cure}\n")
    return 1 if result.bad_line else 0


def print_prune(options: Namespace) -> None:
    """
    Print how many answers are older than the setting `keep_answers_days` allows, and their size.

    With `--apply`, their bytes are removed; otherwise nothing is. The progress is shown on stderr.

    Args:
        options: the parsed options: apply.

    Raises:
        ParameterError: the setting is 0, by which answers are kept for ever, or negative.
        WarehouseError: the warehouse can't be used.
    """
    days = settings.values()["keep_answers_days"]
    if days <= 0:
        raise ParameterError(f"[weixin] keep_answers_days is {days}: answers are kept for ever")
    before = clock.now() - timedelta(days=min(days, _MOST_DAYS))
    with shown_progress("answer") as show:
        pruned = remove_old_bytes(
            open_warehouse(), before, is_applied=options.apply, on_progress=show
        )
    received = f"of final days, received before {clock.time_text(before)} Beijing time"
    size = f"{pruned.bytes / 1e6:,.1f} MB"
    _print(f"{counted(pruned.answers, 'answer')} {received}: {size}")
    _print("Their bytes are removed." if options.apply else "Nothing is removed: --apply does.")


@contextmanager
def shown_progress(noun: str, done: str = "read") -> Iterator[Callable[[int], None]]:
    """
    Show on stderr how many of a noun are read, or what `done` says, if a person sees it.

    Yield the function that takes the new number. The line disappears at the end of the block.
    """
    with Console(stderr=True).status("reading") as status:
        yield lambda count: status.update(f"{counted(count, noun)} {done}")


def _print(sentence: object) -> None:
    """Print a sentence with its unprintable characters replaced."""
    sys.stdout.write(f"{shown(str(sentence))}\n")
