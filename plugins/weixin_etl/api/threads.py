"""What takes threads: calls at once, and types that msgspec prepares."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_TURN_SECONDS = 0.0005
"""A tenth of Python's own: a thread that comes back from Postgres waits for a parser's turn."""
_preparing = Lock()
_prepare = cache(msgspec.json.Decoder)


@contextmanager
def thread_pool(count: int) -> Iterator[ThreadPoolExecutor]:
    """
    Threads that take short turns, and are waited for unless they are left by no error of ours.

    By a timeout, an interrupt, or a generator that is closed: calls in flight are left to end by
    their deadline. What has not begun is not begun.
    """
    pool, is_waited_for = ThreadPoolExecutor(count), True
    usual_turn = sys.getswitchinterval()
    sys.setswitchinterval(_TURN_SECONDS)
    try:
        yield pool
    except BaseException as error:
        is_waited_for = isinstance(error, Exception)  # Airflow's timeout is none
        raise
    finally:
        pool.shutdown(wait=is_waited_for, cancel_futures=True)
        sys.setswitchinterval(usual_turn)


def convert(value: Any, form: type[T]) -> T:
    """
    `msgspec.convert`, for any number of threads.

    msgspec prepares a type when it first meets it. A thread that meets it meanwhile reads what is
    not there yet, and the process dies of a segmentation fault (msgspec 0.22.0).

    Raises:
        msgspec.ValidationError: the value has another form.
    """
    with _preparing:
        _prepare(form)  # type: ignore[arg-type] # every type is hashable
    return msgspec.convert(value, form)
