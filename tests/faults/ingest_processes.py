"""Ingests in processes of their own, to be killed, held at a statement or run side by side."""

import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from sqlalchemy import Engine, event
from support import HASTE

from weixin_etl import stage
from weixin_etl import warehouse as the_warehouse
from weixin_etl.ingest import Ingest
from weixin_etl.model import Run
from weixin_etl.orchestration.settings import Settings
from weixin_etl.plan import Batch
from weixin_etl.stage import Lines

PATIENCE_SECONDS = 120
"""An ingest that takes longer hangs."""
SETTINGS = Settings(concurrency=4, retries=3, retry_delay_seconds=0, call_limits=HASTE)

context = multiprocessing.get_context("forkserver")
"""Not a fork of the test's own process, in which the sandbox's thread runs."""
context.set_forkserver_preload(["pytest", "airflow.sdk", "weixin_etl.ingest"])


@dataclass(frozen=True)
class Hold:
    """A statement before which an ingest waits for the test."""

    statement: int
    reached: Event = field(default_factory=context.Event)
    over: Event = field(default_factory=context.Event)


@dataclass(frozen=True)
class Order:
    """What a process ingests, and what becomes of it on the way."""

    run: Run
    batch: Batch
    warehouse_url: str
    environment: Mapping[str, str]
    """Its connections and its clock."""
    is_retry: bool = False
    settings: Settings = SETTINGS
    killed_at: int = 0
    """It kills itself right before this statement, from 1; a commit and a COPY count."""
    hold: Hold | None = None
    together: Barrier | None = None
    """It waits for the others here before it begins."""


@dataclass(frozen=True)
class Outcome:
    """How an ingest ended; all empty when it was killed."""

    is_done: bool = False
    said: str = ""
    """The exception's text."""
    is_retryable: bool = False
    """Whether Airflow tries again after it."""
    statements: int = 0
    """Statements and commits it came to."""
    peak_mb: int = 0
    """The most memory it had, what all processes share included."""


class IngestProcess:
    """One ingest under way."""

    def __init__(self, order: Order) -> None:
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_ingest, args=(order, sender))
        self._process.start()
        sender.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        self._process.join(seconds)

    def kill(self) -> None:
        """End it by SIGKILL, if it still runs."""
        self._process.kill()

    def outcome(self) -> Outcome:
        """
        Wait for its end, and how it came.

        Raises:
            AssertionError: it hangs.

        """
        self._process.join(PATIENCE_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            raise AssertionError(f"the ingest still runs after {PATIENCE_SECONDS} s")
        try:
            return self._receiver.recv()
        except EOFError:
            assert self._process.exitcode == -signal.SIGKILL
            return Outcome()


def _ingest(order: Order, sender: Connection) -> None:
    logging.disable()
    os.environ.update(order.environment)
    warehouse = the_warehouse.engine(order.warehouse_url)
    statements = _counted(warehouse, order)
    if order.together:
        order.together.wait(PATIENCE_SECONDS)
    outcome = Outcome(is_done=True)
    try:
        Ingest(order.run, order.settings, warehouse, order.is_retry).batch(order.batch)
    except Exception as error:
        is_retryable = getattr(error, "is_retryable", True)
        outcome = Outcome(said=f"{type(error).__name__}: {error}", is_retryable=is_retryable)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    sender.send(replace(outcome, statements=len(statements), peak_mb=peak_mb))


def _counted(warehouse: Engine, order: Order) -> list[object]:
    """Its statements, COPYs and commits so far, each remembered right before it is made."""
    statements: list[object] = []

    def count(*_: Any) -> None:
        statements.append(None)
        if len(statements) == order.killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if order.hold and len(statements) == order.hold.statement:
            order.hold.reached.set()
            assert order.hold.over.wait(PATIENCE_SECONDS)

    def counted(lines: Iterator[bytes]) -> Iterator[bytes]:
        yield next(lines, b"")
        count()
        yield from lines

    class CountedLines(Lines):
        """SQLAlchemy does not see a COPY: it is counted when its first line is on the way."""

        def __init__(self, lines: Iterator[bytes]) -> None:
            super().__init__(counted(lines))

    stage.Lines = CountedLines  # type: ignore[misc] # in this process alone
    event.listen(warehouse, "before_cursor_execute", count)
    event.listen(warehouse, "commit", count)
    return statements
