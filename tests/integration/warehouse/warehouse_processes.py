"""Loads in processes of their own, which can be killed or run side by side."""

import multiprocessing
import os
import signal
from datetime import date, datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from typing import Any

from sqlalchemy import Engine, event
from warehouse_loads import load_pairs, pair

from weixin_etl import warehouse as the_warehouse
from weixin_etl.model import Account

PATIENCE_SECONDS = 30
"""A load that takes longer hangs."""

Commit = list[tuple[date, bytes, datetime]]
"""Publication day, answer and fetch time of each of its pairs."""

context = multiprocessing.get_context("fork")
"""A fork has everything imported; it makes its own connection and shares none."""


def start(
    warehouse: Engine,
    account: Account,
    commits: list[Commit],
    *,
    killed_at: int = 0,
    together: Barrier | None = None,
) -> BaseProcess:
    """
    Load the commits in a new process.

    It kills itself right before statement number `killed_at` (from 1; the commit is the last one),
    and waits for the others of `together` before each commit.
    """
    process = context.Process(
        target=_load,
        args=(
            warehouse.url.render_as_string(hide_password=False),
            os.environ["WEIXIN_NOW"],
            account,
            commits,
            killed_at,
            together,
        ),
    )
    process.start()
    return process


def exit_code(process: BaseProcess) -> int | None:
    """How it ended: 0, or the signal's number below zero."""
    process.join(PATIENCE_SECONDS)
    return process.exitcode


def _load(
    url: str,
    now: str,
    account: Account,
    commits: list[Commit],
    killed_at: int,
    together: Barrier | None,
) -> None:
    os.environ["WEIXIN_NOW"] = now
    engine = the_warehouse.engine(url)
    executed = 0

    def count(*_: Any) -> None:
        nonlocal executed
        executed += 1
        if executed == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with engine.connect():
        event.listen(engine, "before_cursor_execute", count)
        event.listen(engine, "commit", count)
        for commit in commits:
            if together:
                together.wait(PATIENCE_SECONDS)
            pairs = [pair(answer, fetched_at, day=day) for day, answer, fetched_at in commit]
            load_pairs(engine, *pairs, account=account)
