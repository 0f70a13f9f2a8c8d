"""Ingests in processes of their own, which tests kill, hold at a statement, or run side by side."""

import itertools
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from weixin_etl import warehouse as warehouse_package
from weixin_etl.model import Account, Batch, Run
from weixin_etl.problem import OperatorError, Problem, ProblemKind
from weixin_etl.run import Settings
from world.collector import Collector
from world.pipeline import Pipeline, publishing

LOADING = 7
"""The number of a statement that a load makes."""
PATIENCE_SECONDS = 120
"""The time after which an ingest is taken to hang."""

context = multiprocessing.get_context("forkserver")
"""A fork server: a fork of the test's own process would copy its server's thread."""
context.set_forkserver_preload(["pytest", "psycopg2", "weixin_etl.run.ingest"])


@dataclass(frozen=True)
class Hold:
    """A statement before which an ingest waits for the test."""

    statement: int
    reached: Event = field(default_factory=context.Event)
    over: Event = field(default_factory=context.Event)


@dataclass(frozen=True)
class Order:
    """The ingest that a process executes, and how the test disturbs it."""

    run: Run
    batch: Batch
    accounts: Mapping[str, Account | None]
    warehouse_url: str
    now: datetime
    settings: Settings
    killed_at: int = 0
    """
    The edge of a commit, counted from 1, at which the process kills itself; 0: never.

    Each commit has two edges: right before it and right after it.
    """
    hold: Hold | None = None
    together: Barrier | None = None
    """The barrier at which the processes wait for each other before they begin."""


def order(collector: Collector, run: Run, batch: Batch | None = None, **more: Any) -> Order:
    """Return the order to ingest a run, planned now unless a batch is given."""
    url = collector.warehouse.url.render_as_string(hide_password=False)
    planned = collector.plan(run) if batch is None else batch
    return Order(run, planned, collector.accounts, url, collector.now(), collector.settings, **more)


@dataclass(frozen=True)
class Outcome:
    """The end of an ingest; every field is empty if the process was killed."""

    is_done: bool = False
    problems: Sequence[str] = ()
    """The kind of each problem, with the codes that are notified together."""
    is_retryable: bool = False
    peak_mb: int = 0
    """The most memory the process used, in MB, shared memory included."""


class IngestProcess:
    """An ingest in a process of its own."""

    def __init__(self, order: Order) -> None:
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_ingest, args=(order, sender))
        self._process.start()
        sender.close()

    def wait(self, seconds: float) -> None:
        """Wait until the process ends, at most so many seconds."""
        self._process.join(seconds)

    def outcome(self) -> Outcome:
        """
        Wait until the process ends, and return its outcome.

        Raises:
            AssertionError: The process hangs.

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


def disturbed(order: Order, statement: int, trouble: AbstractContextManager[None]) -> Outcome:
    """Return the outcome of an ingest during which the fault happens, at the statement."""
    hold = Hold(statement)
    process = IngestProcess(replace(order, hold=hold))
    assert hold.reached.wait(PATIENCE_SECONDS)
    with trouble:
        hold.over.set()
        return process.outcome()


# ------------------------------------------------------------------------------ in the process


def _ingest(order: Order, sender: Connection) -> None:
    """Ingest as ordered, and send the outcome."""
    logging.disable()
    os.environ["WEIXIN_NOW"] = order.now.isoformat()
    warehouse = warehouse_package.engine(order.warehouse_url)
    statements, edges = itertools.count(1), itertools.count(1)
    event.listen(
        warehouse, "before_cursor_execute", lambda *_: _reach(order.hold, next(statements))
    )
    _call_at_commits(warehouse, lambda: _die_at(order.killed_at, next(edges)))
    if order.together:
        order.together.wait(PATIENCE_SECONDS)
    outcome = Outcome(is_done=True)
    try:
        result = Collector(warehouse, order.accounts, order.settings).ingest(order.run, order.batch)
        if result.problems:
            problems = [*map(_kind_and_codes, result.problems)]
            outcome = Outcome(problems=problems, is_retryable=result.is_retryable)
    except OperatorError as error:
        is_retried = error.problem.kind.is_retried
        outcome = Outcome(problems=[_kind_and_codes(error.problem)], is_retryable=is_retried)
    except Exception as error:
        outcome = Outcome(problems=[f"{ProblemKind.PROGRAM} {error}"], is_retryable=True)
    # ru_maxrss would count the process from which this one's server was started
    status = Path("/proc/self/status").read_text()
    peak_mb = int(status.split("VmHWM:")[1].split()[0]) >> 10
    sender.send(replace(outcome, peak_mb=peak_mb))


def _kind_and_codes(problem: Problem) -> str:
    return " ".join([problem.kind, *problem.row.codes])


def _die_at(killed_at: int, edge: int) -> None:
    if edge == killed_at:
        os.kill(os.getpid(), signal.SIGKILL)


def _reach(hold: Hold | None, statement: int) -> None:
    if hold and statement == hold.statement:
        hold.reached.set()
        assert hold.over.wait(PATIENCE_SECONDS)


def _call_at_commits(warehouse: Engine, call: Callable[[], None]) -> None:
    """Call the function right before and right after each commit."""
    commit = warehouse.dialect.do_commit

    def do_commit(connection: Any) -> None:
        call()
        commit(connection)
        call()

    warehouse.dialect.do_commit = do_commit  # type: ignore[method-assign] # of this engine


# ----------------------------------------------------------------------------- who is ingested


def several(warehouse: Engine, count: int) -> AbstractContextManager[Pipeline]:
    """Return a pipeline of accounts whose clock stands still; each account is a commit."""
    engine = publishing(warehouse, count)
    engine.settings, engine.call_seconds = replace(engine.settings, commit_bytes=2000), 0
    return engine.serving()
