"""Fifty accounts in one commit, one of which can't be loaded: the other 49 are in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, event
from warehouse_loads import SCHEDULED, article, body, rows
from wire import LIMITS, Handler, Wire, gives_token, says

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import ConfiguredAccount
from weixin_etl.run import Work
from weixin_etl.run.ingest import Ingested, ingest
from weixin_etl.run.plan import plan

ACCOUNTS = [f"wx{number:02}" for number in range(50)]
POISONED = "wx07"
DAYS = [date(2026, 11, 23), date(2026, 11, 22)]
RUN = replace(
    SCHEDULED,
    run_id="manual",
    is_scheduled=False,
    names_dates=True,
    begin_date=DAYS[1],
    end_date=DAYS[0],
)
TABLES = ("fact_article_total", "dim_article", "raw_response", "coverage")
ANSWERING = "SELECT appid, day FROM weixin.raw_response ORDER BY 1, 2 DESC"


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A server whose tokens tell the accounts apart; the poison is in the answer of the 22nd."""
    monkeypatch.setattr(api_client, "_keepers", {})
    with Wire().serving() as served:
        served.on_token = lambda asked: gives_token(json.loads(asked.asked.body)["appid"])(asked)
        served.on_data = answer
        yield served


def answer(handler: Handler) -> None:
    """An article with a row; the poison is its title."""
    day = date.fromisoformat(json.loads(handler.asked.body)["begin_date"])
    is_poison = handler.asked.token == POISONED and day == DAYS[1]
    item = article(f"{day:%d}_1", {f"{day:%d}": {"share_count": 13 if is_poison else 1}})
    says(body({**item, "title": "poison"} if is_poison else item, day=day))(handler)


def ingested(warehouse: Engine, wire: Wire) -> tuple[Ingested, int]:
    """Why pairs are not in, and how many commits were begun."""
    begun: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, values: Any, *_others: Any) -> None:
        if "writer_lock" in sql and "load:" in str(values):
            begun.append(sql)

    accounts = {f"a_{it}": replace(wire.account, appid=it, name=f"n{it}") for it in ACCOUNTS}
    configured = [ConfiguredAccount(conn_id, it.appid, it.name) for conn_id, it in accounts.items()]
    batch = plan(Work(RUN, warehouse), configured).accounts
    event.listen(warehouse, "before_cursor_execute", note)
    try:
        clients = {it: WeixinClient(account, LIMITS) for it, account in accounts.items()}
        came = ingest(Work(RUN, warehouse), batch, lambda it: clients[it.conn_id])
    finally:
        event.remove(warehouse, "before_cursor_execute", note)
    return came, len(begun)


@contextmanager
def refused_by_postgres(warehouse: Engine, sqlstate: str) -> Iterator[None]:
    """The poisoned row raises this error, wherever it is written."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'poison' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER poison BEFORE INSERT ON weixin.fact_article_total FOR EACH ROW "
            "WHEN (new.share_count = 13) EXECUTE FUNCTION poison()"
        )
    try:
        yield
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION poison CASCADE")


@pytest.mark.parametrize(
    ("sqlstate", "said"),
    [
        ("23514", "nwx07: report it, with the lines above (IntegrityError: poison)"),
        ("40P01", "nwx07: wait, Airflow tries again; if it persists, see Postgres's log"),
    ],
    ids=["a row that Postgres refuses", "a deadlock"],
)
def test_an_account_that_postgres_refuses(warehouse: Engine, wire: Wire, sqlstate: str, said: str):
    """The commit is tried again account by account; the one has its sentence and no row at all."""
    with refused_by_postgres(warehouse, sqlstate):
        error, begun = ingested(warehouse, wire)

    (problem,) = error.problems
    assert str(problem).startswith(said)
    assert error.is_retryable
    assert begun == 1 + 50
    others = [appid for appid in ACCOUNTS if appid != POISONED]
    for table in TABLES:
        held = rows(warehouse, f"SELECT appid FROM weixin.{table} ORDER BY 1")  # noqa: S608 # TABLES
        assert held == [(appid,) for appid in others for _ in DAYS]
    not_loaded = "SELECT appid, inserted FROM weixin.run_report WHERE inserted = 0"
    assert rows(warehouse, not_loaded) == [(POISONED, 0)] * len(DAYS)
    counted = "SELECT sum(calls) FROM weixin.api_call"
    assert rows(warehouse, counted) == [(len(ACCOUNTS) * len(DAYS),)]


def test_an_error_of_the_whole_warehouse_is_met_once(warehouse: Engine, wire: Wire):
    """Fifty tries would not help."""
    with refused_by_postgres(warehouse, "53100"):
        error, begun = ingested(warehouse, wire)

    (problem,) = error.problems
    assert str(problem).startswith(
        "free space on Postgres's disk (the warehouse has no space left on its disk: poison, at "
    )
    assert begun == 1
    assert rows(warehouse, ANSWERING) == []
