"""
Everything that an error or a log record could show, as one text.

Tests search the text for secrets and tokens.
"""

import logging
import traceback
from collections.abc import Iterable


def shown_by_error(error: BaseException) -> str:
    """Return the texts, fields and tracebacks of an error, its causes and its contexts."""
    shown = ["".join(traceback.TracebackException.from_exception(error).format())]
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        shown += [str(current), repr(current), repr(current.args), repr(vars(current))]
        pending += [current.__cause__, current.__context__]
    return "\n".join(shown)


def shown_by_log(records: Iterable[logging.LogRecord]) -> str:
    """Return the records as a handler would write them, with their raw fields."""
    formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")
    return "\n".join(f"{formatter.format(record)} {vars(record)!r}" for record in records)
