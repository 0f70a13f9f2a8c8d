"""A session that Postgres ends in the middle of a verb is Postgres's trouble, and that passes."""

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
    """Raise the problem of the warehouse that an ingest gives back, if there is one."""
    for problem in problems:
        raise WarehouseError(problem.kind)


@contextmanager
def ended_sessions(warehouse: Engine, at_statement: int) -> Iterator[list[str]]:
    """Let Postgres end the session of the statement with this number; yield those ended."""
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
def test_a_session_that_is_lost_in_a_verb(morning: Pipeline, verb: str) -> None:
    """At whichever of its statements: it is told as such, and tried again."""
    collector = morning.collector
    batch = collector.plan(RUN)
    if verb != "ingest":
        collector.ingest(RUN, batch)
    told = list[ProblemKind]()
    for statement in range(1, 1000):
        with ended_sessions(morning.warehouse, statement) as ended:
            try:
                VERBS[verb](collector, batch)
            except WarehouseError as error:
                told.append(error.kind)
        if not ended:
            break

    assert len(told) >= 3
    assert {*told} == {ProblemKind.WAREHOUSE}
