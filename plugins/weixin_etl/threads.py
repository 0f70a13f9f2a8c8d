"""What takes threads: calls at once, and types that msgspec prepares."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

TURN_SECONDS = 0.0005
"""A tenth of Python's own interval."""


@contextmanager
def short_turns() -> Iterator[None]:
    """
    Shorten the interpreter's switch interval.

    Else a thread that comes back from the database waits for a parsing thread's whole turn.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextmanager
def thread_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """
    Threads that are waited for, unless the task's timeout or an interrupt ends their work.

    Then what has not begun is not begun, and calls in flight are left to end by their deadline.
    """
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    except Exception:
        pool.shutdown(cancel_futures=True)
        raise
    except BaseException:  # Airflow's timeout is none that can be handled
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


_prepared: set[object] = set()
_preparing = Lock()


def convert(value: Any, form: type[T]) -> T:
    """
    `msgspec.convert`, for any number of threads.

    msgspec prepares a type when it first meets it. A thread that meets it meanwhile reads what is
    not there yet, and the process dies of a segmentation fault (msgspec 0.22.0).

    Raises:
        msgspec.ValidationError: the value has another form.
    """
    if form not in _prepared:
        with _preparing:
            msgspec.json.Decoder(form)
            _prepared.add(form)
    return msgspec.convert(value, form)
