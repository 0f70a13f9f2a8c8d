"""Ingests in processes of their own, to be killed, held at a statement or run side by side."""

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
"""A statement of a load."""
PATIENCE_SECONDS = 120
"""An ingest that takes longer hangs."""

context = multiprocessing.get_context("forkserver")
"""Not a fork of the test's own process, in which a server's thread runs."""
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
    accounts: Mapping[str, Account | None]
    warehouse_url: str
    now: datetime
    settings: Settings
    killed_at: int = 0
    """It kills itself at this edge of a commit, from 1: right before it, or right after it."""
    hold: Hold | None = None
    together: Barrier | None = None
    """It waits for the others here before it begins."""


def order(collector: Collector, run: Run, batch: Batch | None = None, **more: Any) -> Order:
    """An ingest of a run, planned now unless its batch is given."""
    url = collector.warehouse.url.render_as_string(hide_password=False)
    planned = collector.plan(run) if batch is None else batch
    return Order(run, planned, collector.accounts, url, collector.now(), collector.settings, **more)


@dataclass(frozen=True)
class Outcome:
    """How an ingest ended; all empty when it was killed."""

    is_done: bool = False
    problems: Sequence[str] = ()
    """Its problems: of each the kind and the codes that are told alike."""
    is_retryable: bool = False
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


def disturbed(order: Order, statement: int, trouble: AbstractContextManager[None]) -> Outcome:
    """What comes of an ingest that meets the trouble at a statement."""
    hold = Hold(statement)
    process = IngestProcess(replace(order, hold=hold))
    assert hold.reached.wait(PATIENCE_SECONDS)
    with trouble:
        hold.over.set()
        return process.outcome()


# ------------------------------------------------------------------------------ in the process


def _ingest(order: Order, sender: Connection) -> None:
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
    """Call right before each commit, and right after it."""
    commit = warehouse.dialect.do_commit

    def do_commit(connection: Any) -> None:
        call()
        commit(connection)
        call()

    warehouse.dialect.do_commit = do_commit  # type: ignore[method-assign] # of this engine


# ----------------------------------------------------------------------------- who is ingested


def several(warehouse: Engine, count: int) -> AbstractContextManager[Pipeline]:
    """So many accounts, as `publishing` has them, at one moment; a commit is an account."""
    engine = publishing(warehouse, count)
    engine.settings, engine.call_seconds = replace(engine.settings, commit_bytes=2000), 0
    return engine.serving()
