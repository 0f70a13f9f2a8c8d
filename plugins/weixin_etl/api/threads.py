"""Tools for threads: a pool for concurrent calls, and a conversion that threads can share."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_SWITCH_INTERVAL_SECONDS = 0.0005
"""A tenth of Python's default. A thread back from Postgres waits for the parsing threads' turns."""
_convert_lock = Lock()


@contextmanager
def thread_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """
    Yield a pool of `count` threads that take short turns.

    At the end of the block, waiting calls are cancelled. The block does not wait for running calls.
    """
    pool = ThreadPoolExecutor(count)
    default_interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        sys.setswitchinterval(default_interval)


def convert(value: Any, form: type[T]) -> T:
    """
    Convert a decoded value to a type by `msgspec.convert`, in one thread at a time.

    msgspec prepares a type on its first use. If another thread uses the type meanwhile, it reads
    unprepared memory and the process dies of a segmentation fault (msgspec 0.22.0).

    Raises:
        msgspec.ValidationError: The value does not have this form.
    """
    with _convert_lock:
        return msgspec.convert(value, form)  # noqa: TID251 - under the lock
