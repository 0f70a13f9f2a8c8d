"""Ingest: the planned pairs brought in by a real client, over HTTP, into a real warehouse."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event
from support import empty
from warehouse_loads import SCHEDULED, body, coverage, rows
from wire import LIMITS, Handler, Wire, gives_token, refuses, says
from world.collector import Collector

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account, PlannedAccount
from weixin_etl.problem import ProblemKind, WeixinError

pytestmark = pytest.mark.usefixtures("now")
ILL = "wx3"
APPIDS = ("wx1", "wx2", ILL, "wx4", "wx5")
DAYS = [date(2026, 11, 23), date(2026, 11, 22)]
RUN = replace(SCHEDULED, run_id="manual", is_scheduled=False, names_dates=True)
TWO_DAYS = replace(RUN, begin_date=DAYS[1], end_date=DAYS[0])
FORTY = replace(RUN, begin_date=DAYS[0] - timedelta(39), end_date=DAYS[0])


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A server whose tokens tell the accounts apart: an article a day, one of the ill one's odd."""
    monkeypatch.setattr(api_client, "keepers", {})
    with Wire().serving() as served:
        served.on_token = lambda asked: gives_token(json.loads(asked.asked.body)["appid"])(asked)
        served.on_data = an_article
        yield served


def day_of(handler: Handler) -> date:
    """The day that is asked for."""
    return date.fromisoformat(json.loads(handler.asked.body)["begin_date"])


def an_article(handler: Handler) -> None:
    """With one row."""
    day = day_of(handler)
    count = 13 if handler.asked.token == ILL and day == DAYS[1] else 1
    rows = [{"stat_date": str(day), "share_count": count}]
    says(body({"msgid": f"{day:%d}_1", "details": rows}, day=day))(handler)


def account(wire: Wire, appid: str) -> Account:
    """One that the server speaks for."""
    return replace(wire.account, appid=appid, conn_id=f"c_{appid}", name=f"n_{appid}")


def collector(warehouse: Engine, wire: Wire, *appids: str, **settings: int) -> Collector:
    """Of some accounts."""
    return Collector.of(warehouse, *(account(wire, it) for it in appids), **settings)


@pytest.mark.parametrize(("commit_bytes", "commits"), [(64 << 20, 1), (1, 4)])
def test_a_chunk_is_a_commit(
    warehouse: Engine, wire: Wire, commit_bytes: int, commits: int
) -> None:
    """An account's older days, thirty at a time, whatever their bytes; small ones share (0018)."""
    its = collector(warehouse, wire, "wx1", "wx2", commit_bytes=commit_bytes)

    assert its.run(FORTY).problems == []

    made = "SELECT count(DISTINCT xmin::text), count(*) FROM weixin.raw_response"
    assert rows(warehouse, made) == [(commits, 80)]


def test_a_warehouse_restored_since_the_plan(warehouse: Engine, wire: Wire) -> None:
    """What was planned is asked for and loaded; the run is not green before that (0034)."""
    its = collector(warehouse, wire, "wx1")
    batch = its.plan(SCHEDULED)
    assert its.ingest(SCHEDULED, batch).problems == its.check(SCHEDULED, batch).not_in == []
    empty(warehouse)
    wire.asked.clear()

    (problem,) = its.check(SCHEDULED, batch).not_in
    assert (problem.kind, len(problem.days)) == (ProblemKind.NOT_ASKED, 7)

    assert its.ingest(SCHEDULED, batch).problems == its.check(SCHEDULED, batch).not_in == []
    assert len(wire.data_calls) == 7
    assert len(rows(warehouse, "SELECT 1 FROM weixin.fact_article_total")) == 7
    assert rows(warehouse, "SELECT sum(calls), count(*) FROM weixin.run_report") == [(7, 7)]


ANALYSE = "SELECT pg_get_functiondef('weixin.analyse_grown'::regproc)"
BREAKS = """
    CREATE OR REPLACE FUNCTION weixin.analyse_grown() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE query_canceled; END $$
"""


def test_what_is_committed_is_in_though_tables_are_not_analysed(
    warehouse: Engine, wire: Wire
) -> None:
    """No account is given up for it, and no call is counted twice."""
    its = collector(warehouse, wire, "wx1")
    batch = its.plan(SCHEDULED)
    ((mended,),) = rows(warehouse, ANALYSE)
    try:
        with warehouse.begin() as connection:
            connection.exec_driver_sql(BREAKS)
        problems = its.ingest(SCHEDULED, batch).problems
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql(mended.replace("%", "%%"))

    assert problems == []
    assert rows(warehouse, "SELECT calls FROM weixin.api_call") == [(len(wire.data_calls),)]


def test_the_login_changed_since_the_plan(warehouse: Engine, wire: Wire) -> None:
    """Another account's figures under this one's name: nothing is asked, nothing is loaded."""
    its = collector(warehouse, wire, "wx1")
    other = WeixinClient(replace(account(wire, "wx2"), conn_id="c_wx1"), LIMITS)

    (problem,) = replace(its, open_client=lambda _: other).run(SCHEDULED).problems

    assert (problem.row.codes, len(problem.days)) == (["appid_changed"], 7)
    assert {*coverage(warehouse, "appid, ready_at, error_kind")} == {("wx1", None, "configuration")}
    assert wire.asked == []


# ------------------------------------------------------------------------- one among others


@contextmanager
def refused_by_postgres(warehouse: Engine, sqlstate: str) -> Iterator[None]:
    """The odd row raises this error, wherever it is written."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON weixin.fact_article_total FOR EACH ROW "
            "WHEN (new.share_count = 13) EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


UNUSABLE = WeixinError(ProblemKind.CONFIGURATION, code="connection_missing")


def opens(its: Collector, raised: Exception | None) -> Callable[[PlannedAccount], WeixinClient]:
    """Clients of all accounts, but for the ill one if something is raised for it."""

    def open_client(planned: PlannedAccount) -> WeixinClient:
        if raised and planned.appid == ILL:
            raise raised
        return WeixinClient(its.accounts[planned.conn_id], LIMITS)

    return open_client


@pytest.mark.parametrize(
    ("raised", "sqlstate", "kind"),
    [
        (UNUSABLE, "", ProblemKind.CONFIGURATION),
        (RuntimeError("a bug"), "", ProblemKind.PROGRAM),
        (None, "23514", ProblemKind.PROGRAM),
        (None, "40P01", ProblemKind.WAREHOUSE_LOCKED),
    ],
    ids=["unusable connection", "a bug", "a row that Postgres refuses", "a deadlock"],
)
def test_one_accounts_trouble_stops_no_other(
    warehouse: Engine, wire: Wire, raised: Exception | None, sqlstate: str, kind: ProblemKind
) -> None:
    """Its cause is told, it has no row at all, and its calls are counted; the others are in."""
    its = collector(warehouse, wire, *APPIDS)
    with refused_by_postgres(warehouse, sqlstate) if sqlstate else nullcontext():
        came = replace(its, open_client=opens(its, raised)).run(TWO_DAYS)

    (problem,) = came.problems
    assert (problem.kind, problem.appid, came.is_retryable) == (kind, ILL, kind.is_retried)
    others = [(appid,) for appid in APPIDS if appid != ILL for _ in DAYS]
    for table in ("fact_article_total", "dim_article", "raw_response"):
        assert rows(warehouse, f"SELECT appid FROM weixin.{table} ORDER BY 1") == others
    ready = "SELECT appid FROM weixin.coverage WHERE ready_at IS NOT NULL ORDER BY 1"
    assert rows(warehouse, ready) == others
    assert rows(warehouse, "SELECT sum(calls) FROM weixin.api_call") == [(len(wire.data_calls),)]


def test_an_account_that_cannot_be_loaded_is_asked_no_more(warehouse: Engine, wire: Wire) -> None:
    """Of its other days only those are asked that were under way when its first load failed."""
    year = replace(TWO_DAYS, begin_date=DAYS[0] - timedelta(364))
    with refused_by_postgres(warehouse, "23514"):
        (problem,) = collector(warehouse, wire, ILL, commit_bytes=1).run(year).problems

    assert (problem.kind, problem.appid) == (ProblemKind.PROGRAM, ILL)
    assert len(DAYS) <= len(wire.data_calls) < 100
    assert rows(warehouse, "SELECT sum(calls) FROM weixin.api_call") == [(len(wire.data_calls),)]


def test_an_error_of_the_whole_warehouse_is_met_once(warehouse: Engine, wire: Wire) -> None:
    """A try of each account would not help."""
    begun: list[str] = []

    def note(_connection: Any, _cursor: Any, sql: str, *_others: Any) -> None:
        if "-- Begins a load" in sql:
            begun.append(sql)

    its = collector(warehouse, wire, *APPIDS)
    event.listen(warehouse, "before_cursor_execute", note)
    try:
        with refused_by_postgres(warehouse, "53100"):
            (problem,) = its.run(TWO_DAYS).problems
    finally:
        event.remove(warehouse, "before_cursor_execute", note)

    assert (problem.kind, problem.row.codes, len(begun)) == (ProblemKind.WAREHOUSE, ["53100"], 1)
    assert rows(warehouse, "SELECT 1 FROM weixin.raw_response") == []


def test_a_warehouse_that_is_gone_is_not_asked_for_every_account(wire: Wire) -> None:
    """One problem, and WeChat is not asked in vain."""
    gone = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    its = collector(gone, wire, *APPIDS)
    batch = [PlannedAccount(it.conn_id, it.appid or "", it.name, None) for it in its.configured]

    came = its.ingest(SCHEDULED, batch)

    assert (len(came.problems), came.is_retryable, wire.asked) == (1, True, [])


@pytest.mark.parametrize(
    ("errcode", "is_retryable", "has_not_ready"),
    [(61503, False, True), (-1, True, False), (47009, False, False)],
)
def test_days_refused_alike_are_one_problem(
    warehouse: Engine, wire: Wire, errcode: int, is_retryable: bool, has_not_ready: bool
) -> None:
    """Whatever their rid and their commit; the try tells whether another one or a wait may help."""
    refused = [date(2026, 11, day) for day in (19, 21, 22)]
    wire.on_data = lambda it: (
        refuses(errcode, f"no rid: {day_of(it)}")(it) if day_of(it) in refused else an_article(it)
    )

    came = collector(warehouse, wire, "wx1", commit_bytes=1).run(SCHEDULED)

    (problem,) = came.problems
    assert (problem.errcode, [*problem.days]) == (errcode, refused)
    assert (came.is_retryable, came.has_not_ready) == (is_retryable, has_not_ready)
