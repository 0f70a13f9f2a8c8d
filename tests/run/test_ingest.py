"""Check that ingest asks for the planned days over HTTP and loads them into a real warehouse."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine
from support import empty, rows
from support.wire import Handler, Reply, gives_token, refuses, says
from world.collector import Collector
from world.pipeline import MORNING, Pipeline, by_hand, day_asked
from world.wechat import date_of

from weixin_etl import load
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import PlannedAccount, Run
from weixin_etl.problem import ProblemKind, WeixinError

ILL = "wx2"
WELL = ("wx0", "wx1", "wx3", "wx4")
CALLS = "SELECT sum(calls)::int FROM weixin.api_call"


def with_commits_of(engine: Pipeline, commit_bytes: int) -> Collector:
    """Return the collector with commits of at most so many bytes."""
    collector = engine.collector
    return replace(collector, settings=replace(collector.settings, commit_bytes=commit_bytes))


@pytest.mark.parametrize(("commit_bytes", "commits"), [(64 << 20, 1), (1, 4)])
def test_a_commit_holds_whole_chunks(morning: Pipeline, commit_bytes: int, commits: int) -> None:
    """A chunk is at most thirty days of an account; small chunks share a commit (0018)."""
    forty = by_hand(-1, 40, accounts=("wx0", "wx1"))

    assert with_commits_of(morning, commit_bytes).run(forty).problems == []

    made = "SELECT count(DISTINCT xmin::text), count(*) FROM weixin.raw_response"
    assert rows(morning.warehouse, made) == [(commits, 80)]


def test_a_warehouse_restored_since_the_plan(morning: Pipeline) -> None:
    """The planned days are asked for again; until then the run is not green (0034)."""
    collector, run = morning.collector, replace(MORNING, accounts=("wx0",))
    batch = collector.plan(run)
    assert collector.ingest(run, batch).problems == collector.check(run, batch).not_in == []
    empty(morning.warehouse)
    morning.asked.clear()

    (problem,) = collector.check(run, batch).not_in
    assert (problem.kind, len(problem.days)) == (ProblemKind.NOT_ASKED, 7)

    assert collector.ingest(run, batch).problems == collector.check(run, batch).not_in == []
    assert len(morning.asked) == 7
    assert rows(morning.warehouse, "SELECT count(*) FROM weixin.fact_article_total") == [(28,)]
    assert rows(morning.warehouse, "SELECT sum(calls)::int FROM weixin.run_report") == [(7,)]


def test_an_account_whose_login_changed_since_the_plan_is_not_asked(morning: Pipeline) -> None:
    """Otherwise another account's figures would be loaded under its name."""
    collector, run = morning.collector, replace(MORNING, accounts=("wx0",))
    swapped = replace(
        collector, open_client=lambda _: WeixinClient(collector.accounts["c1"], collector.limits)
    )

    (problem,) = swapped.ingest(run, collector.plan(run)).problems

    assert (problem.kind, len(problem.days)) == (ProblemKind.CONFIGURATION, 7)
    assert "wx0 → wx1" in problem.cause
    known = "SELECT DISTINCT appid, ready_at, error_kind FROM weixin.coverage"
    assert rows(morning.warehouse, known) == [("wx0", None, "configuration")]
    assert morning.wire.asked == []


def test_a_wrong_clock_stops_an_account_of_a_token_service(morning: Pipeline) -> None:
    """The `Date` header of WeChat's first answer shows it; the answer is not used."""
    url, late = f"{morning.wire.account.base_url}/tokens", b"Date: Tue, 24 Nov 2015 02:30:00 GMT"
    collector = morning.collector
    account = replace(collector.accounts["c0"], token_url=url)
    morning.wire.on_data = lambda handler: (
        gives_token("wx0")(handler)
        if handler.asked.path == "/tokens"
        else says(b'{"list":[]}', 200, late)(handler)
    )

    result = replace(collector, accounts={"c0": account}).run(MORNING)

    assert [(problem.kind, len(problem.days)) for problem in result.problems] == [
        (ProblemKind.CLOCK, 7)
    ]
    assert [request.path for request in morning.wire.asked] == ["/tokens", MORNING.dataset.path]
    assert rows(morning.warehouse, "SELECT count(*) FROM weixin.raw_response") == [(0,)]


def test_an_answer_with_a_renamed_key_of_rows_is_unreadable_and_kept(morning: Pipeline) -> None:
    """The problem names the unknown key in the place of the rows."""
    morning.wire.on_data = renames(b'"details"', b'"detail_list"')

    (problem,) = morning.collector.run(replace(MORNING, accounts=("wx0",))).problems

    assert (problem.kind, len(problem.days)) == (ProblemKind.UNREADABLE, 7)
    assert "an entry has no details; it has no rows; not known here: detail_list" in problem.cause
    found = "SELECT count(*), count(ready_at), min(error_kind) FROM weixin.coverage"
    assert rows(morning.warehouse, found) == [(7, 0, "unreadable")]
    for table in ("raw_response", "dim_article", "rejected_row"):
        assert rows(morning.warehouse, f"SELECT count(*) FROM weixin.{table}") == [(7,)]


def renames(key: bytes, other: bytes) -> Reply:
    """Return a reply with an article of the day, in which another key replaces the key."""

    def reply(handler: Handler) -> None:
        day = day_asked(handler)
        row = {"stat_date": str(day), "int_page_read_user": 5}
        item = {"ref_date": str(day), "msgid": f"{day:%Y%m%d}_1", "details": [row]}
        says(json.dumps({"list": [item]}).encode().replace(key, other))(handler)

    return reply


# ------------------------------------------------------------------------- one among others


@contextmanager
def refused_by_postgres(warehouse: Engine, sqlstate: str) -> Iterator[None]:
    """Let Postgres refuse the ill account's rows with the SQLSTATE."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'refused' USING ERRCODE = '{sqlstate}'; END $$; "
            "CREATE TRIGGER refuse BEFORE INSERT ON weixin.fact_article_total FOR EACH ROW "
            f"WHEN (new.appid = '{ILL}') EXECUTE FUNCTION refuse()"
        )
    try:
        yield
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse CASCADE")


def opens(
    collector: Collector, raised: Exception | None
) -> Callable[[PlannedAccount], WeixinClient]:
    """Return a function that opens clients, and raises the error for the ill account."""

    def open_client(planned: PlannedAccount) -> WeixinClient:
        if raised and planned.appid == ILL:
            raise raised
        return collector.client(planned)

    return open_client


UNUSABLE = WeixinError(ProblemKind.CONFIGURATION, code="connection_missing")


@pytest.mark.parametrize(
    ("raised", "sqlstate", "kind", "ill", "loaded"),
    [
        (UNUSABLE, "", ProblemKind.CONFIGURATION, ILL, WELL),
        (RuntimeError("a bug"), "", ProblemKind.PROGRAM, ILL, WELL),
        (None, "23514", ProblemKind.PROGRAM, ILL, WELL),
        (None, "40P01", ProblemKind.WAREHOUSE_LOCKED, ILL, WELL),
        (None, "53100", ProblemKind.WAREHOUSE, None, ()),
    ],
    ids=["unusable connection", "a bug", "a row Postgres refuses", "a deadlock", "a full disk"],
)
def test_a_problem_of_one_account_stops_no_other(
    morning: Pipeline,
    raised: Exception | None,
    sqlstate: str,
    kind: ProblemKind,
    ill: str | None,
    loaded: tuple[str, ...],
) -> None:
    """
    The account gets no row, but its calls are counted.

    A problem that stops all statements is one problem of no account.
    """
    collector = morning.collector
    with refused_by_postgres(morning.warehouse, sqlstate) if sqlstate else nullcontext():
        result = replace(collector, open_client=opens(collector, raised)).run(MORNING)

    (problem,) = result.problems
    assert (problem.kind, problem.appid, result.is_retryable) == (kind, ill, kind.is_retried)
    for table in ("fact_article_total", "dim_article", "raw_response", "coverage"):
        which = "WHERE ready_at IS NOT NULL" if table == "coverage" else ""
        found = rows(
            morning.warehouse, f"SELECT DISTINCT appid FROM weixin.{table} {which} ORDER BY 1"
        )
        assert found == [(appid,) for appid in loaded]
    ((counted,),) = rows(morning.warehouse, CALLS)
    assert counted == len(morning.asked) if loaded else counted >= len(morning.asked)


def test_an_account_that_cannot_be_loaded_is_asked_no_more(morning: Pipeline) -> None:
    """Only calls already under way when its first load failed are made."""
    with refused_by_postgres(morning.warehouse, "23514"):
        result = with_commits_of(morning, 1).run(by_hand(-1, 365, accounts=(ILL,)))

    assert [problem.appid for problem in result.problems] == [ILL]
    assert 2 <= len(morning.asked) < 100
    assert rows(morning.warehouse, CALLS) == [(len(morning.asked),)]


def test_calls_count_once_if_those_of_a_failed_account_cannot_be_recorded_at_once(
    morning: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunks of the other accounts, which shared the commit, are loaded a second time."""
    collector, record, refusals = morning.collector, load.record_attempts, ["once"]

    def record_at_second(connection: Connection, run: Run, *attempts: Any) -> None:
        staged = [*attempts[0]]
        if refusals and any(answer.account.appid == ILL for answer in staged):
            raise RuntimeError(refusals.pop())
        record(connection, run, staged, *attempts[1:])

    def open_client(planned: PlannedAccount) -> WeixinClient:
        client = collector.client(planned)
        if planned.appid == ILL:
            answers = iter([client.datacube, client.datacube])
            monkeypatch.setattr(client, "datacube", lambda *asked: next(answers)(*asked))
        return client

    monkeypatch.setattr(load, "record_attempts", record_at_second)
    replace(collector, open_client=open_client).run(MORNING)

    assert refusals == []
    recorded = "SELECT sum(calls)::int FROM weixin.run_report"
    assert rows(morning.warehouse, recorded) == [(len(morning.asked),)]


def test_a_lost_warehouse_is_one_problem_and_stops_all_calls(morning: Pipeline) -> None:
    collector = morning.collector
    gone = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")

    result = replace(collector, warehouse=gone).ingest(MORNING, collector.plan(MORNING))

    assert (len(result.problems), result.is_retryable, morning.wire.asked) == (1, True, [])


@pytest.mark.parametrize(
    ("errcode", "is_retryable", "has_not_ready"),
    [(61503, False, True), (-1, True, False), (47009, False, False)],
)
def test_days_refused_alike_are_one_problem(
    morning: Pipeline, errcode: int, is_retryable: bool, has_not_ready: bool
) -> None:
    """
    Neither WeChat's request id nor the commit separates them.

    The result says whether a retry or a later poll may help.
    """
    refused = [date_of(day) for day in (-5, -3, -2)]
    answer = morning.wire.on_data
    morning.wire.on_data = lambda handler: (
        refuses(errcode, f"no rid: {day_asked(handler)}")(handler)
        if day_asked(handler) in refused
        else answer(handler)
    )

    result = with_commits_of(morning, 1).run(replace(MORNING, accounts=("wx0",)))

    (problem,) = result.problems
    assert (problem.errcode, [*problem.days]) == (errcode, refused)
    assert (result.is_retryable, result.has_not_ready) == (is_retryable, has_not_ready)
