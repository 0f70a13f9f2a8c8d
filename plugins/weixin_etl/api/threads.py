"""What takes threads: calls at once, and types that msgspec prepares."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_TURN_SECONDS = 0.0005
"""A tenth of Python's own: a thread that comes back from Postgres waits for a parser's turn."""
_converting = Lock()


@contextmanager
def thread_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that take short turns; when they are left, what is in flight is left to end."""
    pool = ThreadPoolExecutor(count)
    usual_turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        sys.setswitchinterval(usual_turn)


def convert(value: Any, form: type[T]) -> T:
    """
    `msgspec.convert`, one at a time: raises `msgspec.ValidationError` for a value of another form.

    msgspec prepares a type when it first meets it. A thread that meets it meanwhile reads what is
    not there yet, and the process dies of a segmentation fault (msgspec 0.22.0).
    """
    with _converting:
        return msgspec.convert(value, form)  # noqa: TID251 - under the lock
