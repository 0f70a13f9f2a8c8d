"""Ingests in processes of their own, to be killed, held at a statement or run side by side."""

import itertools
import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from types import SimpleNamespace
from typing import Any

from psycopg2.extensions import cursor
from sqlalchemy import Engine, event
from support import HASTE

from weixin_etl import warehouse as the_warehouse
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.clock import days_as_ranges
from weixin_etl.model import Account, Batch, Run
from weixin_etl.problem import ProblemKind
from weixin_etl.run import Settings, Work
from weixin_etl.run import ingest as ingest_verb

PATIENCE_SECONDS = 120
"""An ingest that takes longer hangs."""
TRIES = 4
"""Airflow's first try and its three retries."""

context = multiprocessing.get_context("forkserver")
"""Not a fork of the test's own process, in which the sandbox's thread runs."""
context.set_forkserver_preload(["pytest", "psycopg2", "weixin_etl.run.ingest"])


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
    accounts: Mapping[str, Account]
    """By connection."""
    warehouse_url: str
    now: datetime
    settings: Settings = field(default_factory=Settings)
    limits: CallLimits = HASTE
    killed_at: int = 0
    """It kills itself at this edge of a commit, from 1: right before it, or right after it."""
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
    """Statements it came to."""
    edges: int = 0
    """Beginnings and ends of commits it came to."""
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


def ingest(order: Order) -> Outcome:
    """Ingest to the end, with the tries Airflow makes."""
    for _ in range(TRIES):
        outcome = IngestProcess(order).outcome()
        if outcome.is_done or not outcome.is_retryable:
            break
    return outcome


def disturbed(order: Order, statement: int, trouble: AbstractContextManager[None]) -> Outcome:
    """What comes of an ingest that meets the trouble at a statement."""
    hold = Hold(statement)
    process = IngestProcess(replace(order, hold=hold))
    assert hold.reached.wait(PATIENCE_SECONDS)
    with trouble:
        hold.over.set()
        return process.outcome()


def _ingest(order: Order, sender: Connection) -> None:
    logging.disable()
    os.environ["WEIXIN_NOW"] = order.now.isoformat()
    warehouse = the_warehouse.engine(order.warehouse_url)
    statements, edges = itertools.count(1), itertools.count(1)
    _call_at_statements(warehouse, lambda: _reach(order, next(statements)))
    _call_at_commits(warehouse, lambda: _reach_edge(order, next(edges)))
    if order.together:
        order.together.wait(PATIENCE_SECONDS)
    outcome = Outcome(is_done=True)
    try:
        came = ingest_verb.ingest(
            Work(order.run, warehouse, order.settings),
            order.batch,
            lambda planned: WeixinClient(order.accounts[planned.conn_id], order.limits),
        )
        if came.problems:
            said = "\n".join(
                f"{it.kind}: {it.account}: {it.cure} ({it.cause}) [{days_as_ranges(it.days)}]"
                for it in came.problems
            )
            outcome = Outcome(said=said, is_retryable=came.is_retryable)
    except Exception as error:
        is_retryable = getattr(error, "kind", ProblemKind.PROGRAM).is_retried
        outcome = Outcome(said=f"{type(error).__name__}: {error}", is_retryable=is_retryable)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    outcome = replace(outcome, statements=next(statements) - 1, edges=next(edges) - 1)
    sender.send(replace(outcome, peak_mb=peak_mb))


def _reach_edge(order: Order, edge: int) -> None:
    if edge == order.killed_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _reach(order: Order, statement: int) -> None:
    if order.hold and statement == order.hold.statement:
        order.hold.reached.set()
        assert order.hold.over.wait(PATIENCE_SECONDS)


def _call_at_statements(warehouse: Engine, call: Callable[[], None]) -> None:
    """Call right before each statement, and in the midst of each COPY."""

    class Cursor(cursor):
        """SQLAlchemy does not see a COPY; its second line is asked for when the first is sent."""

        def copy_expert(self, sql: str, file: Any, size: int = 8192) -> None:
            reads = itertools.count(1)

            def read(most: int) -> bytes:
                if next(reads) == 2:  # the second
                    call()
                return file.read(most)

            super().copy_expert(sql, SimpleNamespace(read=read), size)

    def use_it(_dialect: Any, _record: Any, _args: Any, arguments: dict[str, Any]) -> None:
        arguments["cursor_factory"] = Cursor

    event.listen(warehouse, "do_connect", use_it)
    event.listen(warehouse, "before_cursor_execute", lambda *_: call())


def _call_at_commits(warehouse: Engine, call: Callable[[], None]) -> None:
    """Call right before each commit, and right after it."""
    commit = warehouse.dialect.do_commit

    def do_commit(connection: Any) -> None:
        call()
        commit(connection)
        call()

    warehouse.dialect.do_commit = do_commit  # type: ignore[method-assign] # of this engine
