"""How many connections a task keeps: a server has a hundred, for all tasks and Airflow itself."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlalchemy import Engine

from weixin_etl.warehouse import engine

THREADS = 6
OPEN = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'these'"
)


def test_a_task_keeps_two_whatever_its_threads_have_opened(warehouse: Engine) -> None:
    """None of them waits for another's."""
    ours = engine(warehouse.url.update_query_dict({"application_name": "these"}))
    together = Barrier(THREADS, timeout=30)

    def use(_: int) -> int:
        with ours.connect() as connection:
            together.wait()
            count = int(connection.exec_driver_sql(OPEN).scalar_one())
            together.wait()
            return count

    with ThreadPoolExecutor(THREADS) as pool:
        at_once = list(pool.map(use, range(THREADS)))
    assert at_once == [THREADS] * THREADS
    deadline = time.monotonic() + 30
    while (kept := _open_sessions(warehouse)) != 2:
        assert time.monotonic() < deadline, kept  # a session that is closed is soon gone
    ours.dispose()


def _open_sessions(warehouse: Engine) -> int:
    """In a transaction of its own: within one, Postgres goes on showing what it showed first."""
    with warehouse.connect() as connection:
        return int(connection.exec_driver_sql(OPEN).scalar_one())
