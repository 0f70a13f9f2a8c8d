"""Threads that make calls at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


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
