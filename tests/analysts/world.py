"""
A warehouse filled by real runs: four accounts of the sandbox, collected on several mornings.

The sandbox serves the accounts over HTTP, with a scenario of faults for each morning. The module
keeps every answer that the sandbox gave, so that `expected_views.py` can compute the views without
the warehouse.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from support import migrated_warehouse
from world.collector import Collector
from world.expected_tables import Answer

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, DATASETS
from weixin_etl.kept.replay import replay
from weixin_etl.model import Account, Run
from weixin_etl.warehouse.views import all_views
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Call, Sandbox, Scenario
from weixin_sandbox import Account as SandboxAccount

SEED = 715
"""The sandbox's seed. With it 春风 publishes on every day that a scenario needs."""
BUSY = SandboxAccount(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, "春风")
PAPER = SandboxAccount("wx6b0f31d2a94c7e58", "secret-of-paper", "晨报")
OLD = SandboxAccount("wx7c1e42e3b05d8f69", "secret-of-old", "旧刊")
"""An account for which WeChat retires `getarticletotal`."""
SILENT = SandboxAccount("wx8d2f53f4c16e907a", "secret-of-silent", "静默")
"""An account that stops publishing."""
CONNECTIONS = {"weixin_default": BUSY, "weixin_paper": PAPER}
CONNECTIONS |= {"weixin_old": OLD, "weixin_silent": SILENT}


def november(day: int) -> date:
    """Return a day of November 2026."""
    return date(2026, 11, day)


def at(day: date, hour: int = 10, minute: int = 30) -> datetime:
    """Return a time in Beijing, by default half past ten, when the runs begin."""
    return datetime.combine(day, time(hour, minute), clock.SHANGHAI)


FIRST_MORNING, REPAIRED = november(17), november(6)
MORNINGS = [november(day) for day in range(18, 25)]
"""The mornings of the daily runs."""
SUCCESSOR_MORNINGS = MORNINGS[-2:]
"""The mornings on which the successor is collected too: its thirty days need no earlier run."""
NOW = at(MORNINGS[-1])


def by_hand(
    name: str, dataset: Any, morning: date, *days: date, accounts: tuple[str, ...] = ()
) -> Run:
    """Return a run with dates, from the first to the second of `days`."""
    run = {"is_scheduled": False, "names_dates": True, "accounts": accounts}
    return Run(name, dataset, morning, begin_date=days[0], end_date=days[1], **run)


JULY = (date(2026, 7, 1), date(2026, 7, 31))
OLDER = by_hand("older", ARTICLE_TOTAL, FIRST_MORNING, *JULY, accounts=(SILENT.appid,))
"""A run over days of one account that no benchmark covers."""


@dataclass(eq=False)
class CollectedAnswers:
    """The answers of all accounts, in the order of the calls."""

    names: dict[str, str] = field(default_factory=dict)
    """The accounts' names, by AppID."""
    answers: list[Answer] = field(default_factory=list)


class _RecordingSandbox(Sandbox):
    """A sandbox that records its answers in a `CollectedAnswers`."""

    def __init__(self, collected: CollectedAnswers) -> None:
        super().__init__(CONNECTIONS.values(), SEED)
        self.collected = collected

    def remember(self, call: Call, body: bytes) -> None:
        super().remember(call, body)
        if call.appid and call.publication_date:
            (dataset,) = (dataset for dataset in DATASETS.values() if dataset.path == call.path)
            call_key = (call.appid, dataset, call.publication_date, clock.now(), body)
            self.collected.answers.append(Answer(*call_key, errcode=call.errcode))


@contextmanager
def filled_warehouse(server: Server, database: str) -> Iterator[tuple[Engine, CollectedAnswers]]:
    """Yield a warehouse as it is on the morning of `NOW`, and the answers that filled it."""
    with migrated_warehouse(server, database) as engine:
        collected = CollectedAnswers(
            {account.appid: account.name for account in CONNECTIONS.values()}
        )
        sandbox = _RecordingSandbox(collected)
        with sandbox.serve() as url, pytest.MonkeyPatch.context() as patch:
            accounts = [
                Account(conn_id, account.appid, account.secret, account.name, url)
                for conn_id, account in CONNECTIONS.items()
            ]
            for morning, run in _runs():
                patch.setenv("WEIXIN_NOW", at(morning).isoformat())
                sandbox.scenarios[:] = _scenarios(morning)
                Collector.of(engine, *accounts, concurrency=4).run(run)
                if run is OLDER:
                    _repair(engine)
        stop_clock(engine)
        yield engine, collected


def _repair(warehouse: Engine) -> None:
    """Change readers of 春风 by hand, and let a replay restore them."""
    changed = f"int_page_read_user = 1 WHERE publication_date = '{REPAIRED}'"
    with warehouse.begin() as connection:
        sql = f"UPDATE weixin.fact_article_total SET {changed} AND appid = '{BUSY.appid}'"
        connection.exec_driver_sql(sql)
    replay(warehouse, ARTICLE_TOTAL, [(BUSY.appid, [REPAIRED])], ready_hour=10)


def stop_clock(warehouse: Engine, now: datetime = NOW) -> None:
    """
    Replace `now()` in the analysts' views by a fixed instant:

    they show missing days up to today.
    """
    with warehouse.begin() as connection:
        set_clock(connection, now)


def set_clock(connection: Connection, now: datetime) -> None:
    """Stop the clock within a transaction, which the caller may roll back."""
    for view in all_views():
        if "now()" in view.text:
            text = view.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1)
            text = text.replace("now()", f"timestamptz '{now.isoformat()}'")
            connection.exec_driver_sql(text.replace("%", "%%"))


def _runs() -> Iterator[tuple[date, Run]]:
    for dataset in ARTICLE_DATASETS.values():
        history = (date(2026, 10, 1), november(16))
        yield FIRST_MORNING, by_hand("backfill", dataset, FIRST_MORNING, *history)
    yield FIRST_MORNING, OLDER
    for morning in MORNINGS:
        both = morning in SUCCESSOR_MORNINGS
        for dataset in ARTICLE_DATASETS.values() if both else [ARTICLE_TOTAL]:
            yield morning, Run(f"scheduled__{morning}", dataset, morning, is_scheduled=True)
    for dataset in DATASETS.values():
        if not dataset.describes_articles:
            days = (november(1), november(23))
            yield MORNINGS[-1], by_hand("days", dataset, MORNINGS[-1], *days)


def _scenarios(morning: date) -> Iterator[Scenario]:
    """Yield the faults of a morning."""

    def of(account: SandboxAccount, name: str, day: int, **more: Any) -> Scenario:
        return Scenario(name, account.appid, november(day), **more)

    yield of(SILENT, "empty", 9, last_day=november(23))
    for account, day in ((PAPER, 14), (BUSY, 23)):
        yield of(account, "fewer-articles", day, endpoint=ARTICLE_TOTAL.endpoint)
    yield from (of(BUSY, "late-takeoff", 6), of(BUSY, "late-takeoff", 12))
    yield of(BUSY, "missing-row", 11)
    is_late = morning < november(23)
    yield of(BUSY, "late-figures", 20) if is_late else of(BUSY, "falling-total", 19)
    if morning >= november(20):
        yield Scenario("offline", OLD.appid, endpoint=ARTICLE_TOTAL.endpoint)
    if morning >= november(22):
        yield from (of(BUSY, "new-title", 18), of(BUSY, "fewer-articles", 17))
    if morning == november(24):
        yield from (of(BUSY, "http-500", 21), of(PAPER, "not-ready-code", 23))
