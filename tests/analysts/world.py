"""
Four accounts as the real engine collects them, from the sandbox, morning after morning.

What the sandbox gives is remembered here as well, so that the truth of a question can be told
without the warehouse.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from support import HASTE, empty, migrated_warehouse

from weixin_etl import clock
from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, DATASETS
from weixin_etl.kept.replay import replay
from weixin_etl.model import Account, ConfiguredAccount, PlannedAccount, Run
from weixin_etl.run import Work
from weixin_etl.run.ingest import ingest
from weixin_etl.run.plan import plan
from weixin_etl.warehouse.views import views
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Call, Sandbox, Scenario
from weixin_sandbox import Account as SandboxAccount

SEED = 715
"""With it 春风 publishes on every day that a scenario needs."""
BUSY = SandboxAccount(DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, "春风")
PAPER = SandboxAccount("wx6b0f31d2a94c7e58", "secret-of-paper", "晨报")
OLD = SandboxAccount("wx7c1e42e3b05d8f69", "secret-of-old", "旧刊")
"""WeChat retires `getarticletotal` for it."""
SILENT = SandboxAccount("wx8d2f53f4c16e907a", "secret-of-silent", "静默")
"""It stops publishing."""
CONNECTIONS = {
    "weixin_default": BUSY,
    "weixin_paper": PAPER,
    "weixin_old": OLD,
    "weixin_silent": SILENT,
}


def november(day: int) -> date:
    """A day of November 2026."""
    return date(2026, 11, day)


def at(day: date, hour: int = 10, minute: int = 30) -> datetime:
    """A time in Beijing; runs are at half past ten."""
    return datetime.combine(day, time(hour, minute), clock.SHANGHAI)


HISTORY = (date(2026, 10, 1), november(16))
"""What the first run, by hand, asks for."""
FIRST_MORNING = november(17)
OLDER = Run(
    "older",
    ARTICLE_TOTAL,
    FIRST_MORNING,
    is_scheduled=False,
    begin_date=date(2026, 7, 1),
    end_date=date(2026, 7, 31),
    names_dates=True,
    accounts=(SILENT.appid,),
)
"""Then, of one account, days that no benchmark covers."""
REPAIRED = november(6)
MORNINGS = [november(day) for day in range(18, 25)]
"""Those of the daily runs."""
SUCCESSOR_MORNINGS = MORNINGS[-2:]
"""Those of the successor, each of whose thirty days holds what earlier mornings would have told."""
STATISTICS_DAYS = (november(1), november(23))
"""What a run asks for, by hand, of each dataset of statistics days."""
NOW = at(MORNINGS[-1])


@dataclass(frozen=True, slots=True)
class Given:
    """What WeChat answered to one call."""

    appid: str
    endpoint: str
    publication_date: date
    given_at: datetime
    errcode: int | None
    """0 for an answer with articles; None for one that nobody can read."""
    json: dict[str, Any]
    """Empty when nobody can read it."""


@dataclass(eq=False)
class World:
    """Everything that WeChat said, in the order it said it."""

    names: dict[str, str] = field(default_factory=dict)
    """What the accounts are called, by AppID."""
    given: list[Given] = field(default_factory=list)


class _Heard(Sandbox):
    """A sandbox that remembers what it said."""

    def __init__(self, world: World) -> None:
        super().__init__(CONNECTIONS.values(), SEED)
        self.world = world

    def remember(self, call: Call, body: bytes) -> None:
        super().remember(call, body)
        if call.appid and call.publication_date:
            self.world.given.append(
                Given(
                    call.appid,
                    call.path.rsplit("/")[-1],
                    call.publication_date,
                    clock.now(),
                    call.errcode,
                    {} if call.errcode is None else json.loads(body),
                )
            )


@contextmanager
def filled_warehouse(server: Server, database: str) -> Iterator[tuple[Engine, World]]:
    """A warehouse that the engine filled, on the morning of `NOW`, and what WeChat said."""
    with migrated_warehouse(server, database) as engine:
        world = fill(engine)
        stop_clock(engine)
        yield engine, world


def fill(warehouse: Engine) -> World:
    """Empty a migrated warehouse and live through the mornings; what WeChat said meanwhile."""
    empty(warehouse)
    world = World({account.appid: account.name for account in CONNECTIONS.values()})
    sandbox = _Heard(world)
    with sandbox.serve() as url, pytest.MonkeyPatch.context() as patch:
        accounts = [
            Account(conn_id, it.appid, it.secret, it.name, url)
            for conn_id, it in CONNECTIONS.items()
        ]
        for morning, run in _runs():
            patch.setenv("WEIXIN_NOW", at(morning).isoformat())
            sandbox.scenarios[:] = _scenarios(morning)
            collect(run, warehouse, accounts)
            if run is OLDER:
                _repair(warehouse)
    return world


def _repair(warehouse: Engine) -> None:
    """Somebody changes readers of 春风 by hand, and a replay puts them right."""
    with warehouse.begin() as connection:
        connection.execute(
            text(
                "UPDATE weixin.fact_article_total SET int_page_read_user = 1 "
                "WHERE appid = :appid AND publication_date = :day"
            ),
            {"appid": BUSY.appid, "day": REPAIRED},
        )
    repaired = [(BUSY.appid, [REPAIRED])]
    replay(warehouse, ARTICLE_TOTAL, repaired, ready_hour=10)


def stop_clock(warehouse: Engine, now: datetime = NOW) -> None:
    """Let the analysts' views think that it is `now`: they say what is missing up to today."""
    with warehouse.begin() as connection:
        set_clock(connection, now)


def set_clock(connection: Connection, now: datetime) -> None:
    """See `stop_clock`: in a transaction, which may be undone."""
    for view in views():
        if "now()" in view.query:
            connection.exec_driver_sql(
                view.text.replace("\nCREATE ", "\nCREATE OR REPLACE ", 1)
                .replace("now()", f"timestamptz '{now.isoformat()}'")
                .replace("%", "%%")
            )


def _runs() -> Iterator[tuple[date, Run]]:
    for dataset in ARTICLE_DATASETS.values():
        yield (
            FIRST_MORNING,
            Run("backfill", dataset, FIRST_MORNING, False, *HISTORY, names_dates=True),
        )
    yield FIRST_MORNING, OLDER
    for morning in MORNINGS:
        for dataset in (
            ARTICLE_DATASETS.values() if morning in SUCCESSOR_MORNINGS else [ARTICLE_TOTAL]
        ):
            yield morning, Run(f"scheduled__{morning}", dataset, morning, is_scheduled=True)
    for dataset in DATASETS.values():
        if not dataset.describes_articles:
            morning = MORNINGS[-1]
            yield morning, Run("days", dataset, morning, False, *STATISTICS_DAYS, names_dates=True)


def collect(run: Run, warehouse: Engine, accounts: Sequence[Account]) -> None:
    """Plan and ingest, of the accounts that the run names or of all."""
    clients = {account.appid: WeixinClient(account, HASTE) for account in accounts}
    configured = [
        ConfiguredAccount(it.conn_id, it.appid, it.name, is_wanted=it.appid in wanted)
        for it in accounts
        for wanted in [run.accounts or clients]
    ]

    def open_client(planned: PlannedAccount) -> WeixinClient:
        return clients[planned.appid]

    batch = plan(Work(run, warehouse), configured).accounts
    ingest(Work(run, warehouse), batch, open_client)  # the scenarios see to problems


def _scenarios(morning: date) -> list[Scenario]:
    """What is wrong on a morning."""

    def of_busy(name: str, day: int) -> Scenario:
        return Scenario(name, BUSY.appid, november(day))

    script = [
        Scenario("empty", SILENT.appid, november(9), last_day=november(23)),
        *[
            Scenario(
                "fewer-articles", account.appid, november(day), endpoint=ARTICLE_TOTAL.endpoint
            )
            for account, day in [(PAPER, 14), (BUSY, 23)]
        ],
        of_busy("late-takeoff", 6),
        of_busy("late-takeoff", 12),
        of_busy("missing-row", 11),
        of_busy("falling-total", 19) if morning >= november(23) else of_busy("late-figures", 20),
    ]
    if morning >= november(20):
        script += [Scenario("offline", OLD.appid, endpoint=ARTICLE_TOTAL.endpoint)]
    if morning >= november(22):
        script += [of_busy("new-title", 18), of_busy("fewer-articles", 17)]
    if morning == november(24):
        script += [
            of_busy("http-500", 21),
            Scenario("not-ready-code", PAPER.appid, november(23)),
        ]
    return script
