"""A bar on standard error, for a person at a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def bar(
    what: str,
    column: Callable[[], ProgressColumn] = MofNCompleteColumn,
    errors: Console | None = None,
) -> Iterator[Callable[[int, int], None]]:
    """
    Show how far `what` has come; the callable takes how much is done, and all there is.

    Lines that are printed meanwhile go to the same console `errors`, else the bar is among them.
    """
    errors = errors or Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        column(),
        TimeRemainingColumn(),
        # not disabled: up to rich 14 a display that is ends with an empty line
        console=errors if errors.is_terminal else Console(quiet=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
