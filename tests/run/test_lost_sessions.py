"""Check that a session ended by Postgres in the middle of a task is a problem that is retried."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event
from support import execute
from world.collector import Collector
from world.pipeline import MORNING, Pipeline

from weixin_etl import warehouse as warehouse_package
from weixin_etl.kept.replay import replay, select_slices
from weixin_etl.model import Batch
from weixin_etl.problem import ProblemKind, WarehouseError

RUN = replace(MORNING, accounts=("wx0", "wx1", "wx2"))
VERBS: dict[str, Callable[[Collector, Batch], Any]] = {
    "plan": lambda collector, _: collector.plan(RUN),
    "ingest": lambda collector, batch: raised(collector.ingest(RUN, batch).problems),
    "report": lambda collector, batch: collector.report(RUN, batch),
    "check": lambda collector, batch: collector.check(RUN, batch),
    "replay": lambda collector, _: replay(
        collector.warehouse,
        RUN.dataset,
        select_slices(collector.warehouse, RUN.dataset),
        ready_hour=10,
    ),
}


def raised(problems: list[Any]) -> None:
    """Raise the problem of an ingest's result, if there is one."""
    for problem in problems:
        raise WarehouseError(problem.kind)


@contextmanager
def ended_sessions(warehouse: Engine, at_statement: int) -> Iterator[list[str]]:
    """
    Let Postgres end the session of the statement with this number.

    Yield the ended statements.
    """
    numbers, ended = iter(range(1, 1000)), list[str]()
    other = warehouse_package.engine(warehouse.url)

    def end(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if next(numbers) == at_statement:
            pid = connection.connection.driver_connection.get_backend_pid()
            execute(other, f"SELECT pg_terminate_backend({pid}, 5000)")
            ended.append(statement)

    event.listen(warehouse, "before_cursor_execute", end)
    try:
        yield ended
    finally:
        event.remove(warehouse, "before_cursor_execute", end)
        other.dispose()


@pytest.mark.parametrize("verb", VERBS)
def test_a_lost_session_is_a_warehouse_problem(morning: Pipeline, verb: str) -> None:
    """Each statement of each task is tried."""
    collector = morning.collector
    batch = collector.plan(RUN)
    if verb != "ingest":
        collector.ingest(RUN, batch)
    raised = list[ProblemKind]()
    for statement in range(1, 1000):
        with ended_sessions(morning.warehouse, statement) as ended:
            try:
                VERBS[verb](collector, batch)
            except WarehouseError as error:
                raised.append(error.kind)
        if not ended:
            break

    assert len(raised) >= 3
    assert {*raised} == {ProblemKind.WAREHOUSE}
