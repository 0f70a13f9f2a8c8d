"""Everything that an error or a log record would show to somebody."""

import logging
import traceback
from collections.abc import Iterable


def shown_by_error(error: BaseException) -> str:
    """An error's texts, its fields, its whole traceback, and the same of all behind it."""
    shown = ["".join(traceback.TracebackException.from_exception(error).format())]
    behind: list[BaseException | None] = [error]
    seen: set[int] = set()
    while behind:
        current = behind.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        shown += [str(current), repr(current), repr(current.args), repr(vars(current))]
        behind += [current.__cause__, current.__context__]
    return "\n".join(shown)


def shown_by_log(records: Iterable[logging.LogRecord]) -> str:
    """The records as a handler would write them, with their raw fields."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(f"{formatter.format(record)} {vars(record)!r}" for record in records)
