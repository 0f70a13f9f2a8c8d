"""Ingest: the planned pairs brought in by a real client, over HTTP, into a real warehouse."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine, create_engine
from support import empty
from warehouse_loads import SCHEDULED, at, body, contents, coverage, facts, rows, whole
from wire import LIMITS, Handler, Reply, Wire, refuses, says

from weixin_etl.api import client as api_client
from weixin_etl.api.calls import OpenClient
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account, Batch, ConfiguredAccount, PlannedAccount, Run
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run.ingest import Ingested
from weixin_etl.run.plan import plan

EMPTY = says(b'{"list":[]}')
OUTAGE = says(b"", 502)
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
NOVEMBER_23 = date(2026, 11, 23)
YEAR = replace(MANUAL, begin_date=date(2025, 11, 24), end_date=NOVEMBER_23, names_dates=True)
FORTY = replace(YEAR, begin_date=date(2026, 10, 15))


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is remembered."""
    monkeypatch.setattr(api_client, "_keepers", {})


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A server whose bytes the test decides."""
    with Wire().serving() as served:
        yield served


def by_day(replies: Mapping[int, Reply], others: Reply = EMPTY) -> Reply:
    """A reply for each day of November that is named, another for the others."""

    def reply(handler: Handler) -> None:
        day = json.loads(handler.asked.body)["begin_date"]
        replies.get(int(day[-2:]), others)(handler)

    return reply


def asked(wire: Wire) -> list[int]:
    """The days of November asked for since the last time, in order, tries of a call as one."""
    days = [int(json.loads(call.body)["begin_date"][-2:]) for call in wire.data_calls]
    wire.asked.clear()
    return list(dict.fromkeys(days))


def a_run(warehouse: Engine, run: Run = SCHEDULED, **settings: int) -> Work:
    return Work(run, warehouse, Settings(**{"concurrency": 1, **settings}))


def configured(*accounts: Account) -> list[ConfiguredAccount]:
    return [ConfiguredAccount(it.conn_id, it.appid, it.name) for it in accounts]


def planned(collecting: Work, *accounts: Account) -> Batch:
    return plan(collecting, configured(*accounts)).accounts


def ingested(collecting: Work, batch: Batch, account: Account | OpenClient) -> Ingested | None:
    """Why pairs are not in, if so."""

    def open_client(planned: PlannedAccount) -> WeixinClient:
        if isinstance(account, Account):
            return WeixinClient(account, LIMITS)
        return account(planned)

    came = ingest_verb.ingest(collecting, batch, open_client)
    return came if came.problems else None


def not_in(collecting: Work, batch: Batch) -> list[Problem]:
    """What makes the run red."""
    return check_verb.check(collecting, [], batch).not_in


def lines(error: Ingested | None) -> list[str]:
    """What the operator reads of a try."""
    return [str(problem) for problem in error.problems] if error else []


@pytest.mark.parametrize(
    ("commit_bytes", "commits"), [(64 << 20, 1), (1, 3)], ids=["all at once", "one a commit"]
)
def test_a_chunk_is_a_commit(warehouse: Engine, wire: Wire, commit_bytes: int, commits: int):
    """
    An account's window, and thirty of its older days, whatever their bytes: forty days are two.

    Small chunks share a commit, an account's as well.
    """
    wire.on_data = EMPTY
    collecting = a_run(warehouse, FORTY, commit_bytes=commit_bytes)
    other = replace(wire.account, appid="wx2", conn_id="weixin_other")
    batch = planned(collecting, wire.account)
    batch += [replace(batch[0], appid=other.appid, older=batch[0].older[:30])]

    def open_client(planned: PlannedAccount) -> WeixinClient:
        return WeixinClient(replace(wire.account, appid=planned.appid), LIMITS)

    assert ingested(collecting, batch, open_client) is None

    kept = rows(warehouse, "SELECT count(DISTINCT xmin::text), count(*) FROM weixin.raw_response")
    assert kept == [(commits, 70)]


def test_the_log_says_how_far_a_batch_has_come(
    warehouse: Engine, wire: Wire, caplog: pytest.LogCaptureFixture
):
    """A line a commit."""
    caplog.set_level(logging.INFO)
    day = date(2026, 11, 22)
    wire.on_data = by_day({22: says(body(whole(day, NOVEMBER_23), day=day)), 20: refuses(61503)})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    caplog.clear()

    ingested(collecting, batch, wire.account)

    done = "7 of 7 days done: 2 inserted, 0 updated, 0 unchanged, 0 rejected"
    assert caplog.messages[0] == done


def test_each_try_asks_for_what_is_not_in(warehouse: Engine, wire: Wire):
    """Whatever refused it, and whoever tries; what is in is not asked again."""
    wire.on_data = by_day({22: refuses(47009), 21: refuses(61503), 20: OUTAGE})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)

    ingested(collecting, batch, wire.account)
    assert asked(wire) == [23, 22, 21, 20, 19, 18, 17]

    ingested(collecting, batch, wire.account)
    assert asked(wire) == [22, 21, 20]

    wire.on_data = EMPTY
    assert ingested(collecting, batch, wire.account) is None
    assert ingested(collecting, batch, wire.account) is None
    assert asked(wire) == [22, 21, 20]


def test_a_warehouse_restored_since_the_plan(warehouse: Engine, wire: Wire):
    """
    Ingest asks for what was planned, and loads it, though the warehouse knows nothing of the plan.

    The run is not green before that.
    """
    day = date(2026, 11, 22)
    wire.on_data = by_day({22: says(body(whole(day, NOVEMBER_23), day=day))})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    assert ingested(collecting, batch, wire.account) is None
    assert not_in(collecting, batch) == []
    empty(warehouse)
    asked(wire)

    (problem,) = not_in(collecting, batch)
    assert (problem.kind, len(problem.days)) == ("not_asked", 7)

    assert ingested(collecting, batch, wire.account) is None
    assert asked(wire) == [23, 22, 21, 20, 19, 18, 17]
    assert facts(warehouse, "stat_date") == [(day,), (NOVEMBER_23,)]
    assert rows(warehouse, "SELECT sum(calls), count(*) FROM weixin.run_report") == [(7, 7)]
    assert not_in(collecting, batch) == []


def test_a_run_is_judged_by_what_is_true_now(warehouse: Engine, wire: Wire):
    """Pairs that another run has brought in since the plan are in: check alone is cleared."""
    wire.on_data = by_day({22: refuses(61503), 21: refuses(61503)})
    red, other = a_run(warehouse), a_run(warehouse, MANUAL)
    batch = planned(red, wire.account)
    ingested(red, batch, wire.account)
    (problem,) = not_in(red, batch)
    assert problem.days == (date(2026, 11, 21), date(2026, 11, 22))

    wire.on_data = EMPTY
    assert ingested(other, planned(other, wire.account), wire.account) is None

    assert not_in(red, batch) == []


BREAKS = """
    CREATE OR REPLACE FUNCTION weixin.analyse_grown() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE query_canceled; END $$
"""


def test_what_is_committed_is_in_though_tables_are_not_analysed(
    warehouse: Engine, wire: Wire, caplog: pytest.LogCaptureFixture
):
    """No account is given up for it, and no call is counted twice."""
    wire.on_data = EMPTY
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    ours = "SELECT pg_get_functiondef('weixin.analyse_grown'::regproc)"
    ((mended,),) = rows(warehouse, ours)
    try:
        with warehouse.begin() as connection:
            connection.exec_driver_sql(BREAKS)
        error = ingested(collecting, batch, wire.account)
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql(mended.replace("%", "%%"))

    assert error is None
    assert "tables that have grown are not analysed" in caplog.text
    assert rows(warehouse, "SELECT calls FROM weixin.api_call") == [(len(wire.data_calls),)]


def test_the_login_changed_since_the_plan(warehouse: Engine, wire: Wire):
    """Another account's figures under this one's name: nothing is asked, nothing is loaded."""
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)

    error = ingested(collecting, batch, replace(wire.account, appid="wx2"))

    cause = (
        "the connection's AppID is another one than when the run was planned: "
        "wx0000000000000001 then, wx2 now"
    )
    cure = "clear the task refresh_access_token with its downstream tasks"
    assert lines(error) == [
        f"春风: {cure} ({cause}) · 2026-11-17 to 2026-11-23 · weixin_wire",
    ]
    assert set(coverage(warehouse, "appid, ready_at, error_kind, error, cure")) == {
        ("wx0000000000000001", None, "configuration", cause, cure)
    }
    assert wire.asked == []
    assert contents(warehouse, ["raw_response"]) == {"raw_response": []}


@pytest.mark.parametrize(
    ("raised", "said", "is_retryable", "states"),
    [
        (
            WeixinError(
                ProblemKind.CONFIGURATION,
                account="weixin_broken",
                cause="no password",
                cure="fill it in",
            ),
            "杂志: fill it in (no password) · 2026-11-17 to 2026-11-23 · weixin_broken",
            False,
            [("wx0000000000000001", None), ("wx2", "configuration")],
        ),
        (
            RuntimeError("a bug"),
            "杂志: report it, with the lines above (RuntimeError: a bug) · weixin_broken",
            True,
            [("wx0000000000000001", None)],
        ),
    ],
    ids=["unusable connection", "a bug"],
)
def test_one_accounts_trouble_stops_no_other(
    warehouse: Engine,
    wire: Wire,
    raised: Exception,
    said: str,
    is_retryable: bool,
    states: list[tuple[str, str | None]],
):
    """A connection that can't be used is each pair's cause; a bug is told by its type and text."""
    broken = Account("weixin_broken", "wx2", "", "杂志")

    def open_client(planned: PlannedAccount) -> WeixinClient:
        if planned.conn_id == broken.conn_id:
            raise raised
        return WeixinClient(wire.account, LIMITS)

    collecting = a_run(warehouse)
    error = ingested(collecting, planned(collecting, broken, wire.account), open_client)

    assert error is not None
    assert lines(error) == [said]
    assert error.is_retryable == is_retryable
    assert sorted(set(coverage(warehouse, "appid, error_kind"))) == states


@pytest.mark.parametrize(
    ("errcode", "is_retryable", "has_not_ready"),
    [(61503, False, True), (-1, True, False), (47009, False, False)],
)
def test_what_is_said_of_days_that_are_not_in(
    warehouse: Engine,
    wire: Wire,
    caplog: pytest.LogCaptureFixture,
    errcode: int,
    is_retryable: bool,
    has_not_ready: bool,
):
    """
    One line of calls refused alike, whatever their rid and their commit, which is the try's last.

    The error tells whether a try or a wait may help.
    """
    caplog.set_level(logging.INFO, "weixin_etl.api")
    replies = {day: refuses(errcode, f"no rid: {day}") for day in (22, 21, 19)}
    wire.on_data = by_day(replies)
    collecting = a_run(warehouse, commit_bytes=1)

    error = ingested(collecting, planned(collecting, wire.account), wire.account)

    assert error is not None
    assert (error.is_retryable, error.has_not_ready) == (is_retryable, has_not_ready)
    (problem,) = error.problems
    assert " · 2026-11-19, 2026-11-21 to 2026-11-22 · " in str(problem)
    assert f" · weixin_wire, errcode {errcode}" in str(problem)
    rids = {said for said in caplog.messages if "rid" in said}
    who = f"春风 (wx0000000000000001): errcode {errcode}"
    assert rids == {f"{who}, rid {day}" for day in replies}
    assert [said for said in caplog.messages if " · " in said] == [str(problem)]
    assert caplog.messages[-1] == str(problem)


def test_a_probe_of_a_retired_endpoint(warehouse: Engine, wire: Wire):
    """Still offline makes no run red. Once it is answered the next morning asks for all."""
    wire.on_data = refuses(47009)
    collecting, again = a_run(warehouse), a_run(warehouse, MANUAL)
    assert ingested(collecting, planned(collecting, wire.account), wire.account) is not None
    asked(wire)
    probe = planned(again, wire.account)

    assert ingested(again, probe, wire.account) is None
    assert asked(wire) == [23]
    assert not_in(again, probe) == []

    wire.on_data = EMPTY
    assert ingested(again, probe, wire.account) is None
    assert asked(wire) == [23]
    (account,) = planned(again, wire.account)
    assert [day.day for day in account.days] == [23, 22, 21, 20, 19, 18, 17]


def test_an_account_whose_quota_is_used_up_is_not_asked_again(
    warehouse: Engine, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    """At most one call a run finds out, whatever its tries; after midnight (Beijing) it goes on."""
    wire.on_data = refuses(45009)
    for minute, run in enumerate((SCHEDULED, FORTY)):
        monkeypatch.setenv("WEIXIN_NOW", f"2026-11-24T23:0{minute}:00+08:00")
        collecting = a_run(warehouse, run)
        batch = planned(collecting, wire.account)
        errors = [ingested(collecting, batch, wire.account) for _ in range(3)]

        assert len(wire.data_calls) == 1
        wire.asked.clear()
        assert {len(error.problems) for error in errors if error} == {1}
        assert not any(error.is_retryable for error in errors if error)
        (line,) = lines(errors[-1])
        assert line.startswith(
            "春风: trigger a new run on a later day in Beijing, or have WeChat raise"
        )
    assert set(coverage(warehouse, "error_kind, error_code")) == {("daily_quota", 45009)}

    monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T00:00:01+08:00")
    wire.on_data = EMPTY
    assert ingested(collecting, batch, wire.account) is None
    assert len(asked(wire)) > 1


@pytest.mark.parametrize(
    ("reply", "calls"),
    [(refuses(48001), 1), (refuses(47009), 7 + 5), (OUTAGE, 5 * 3)],
    ids=["48001", "47009", "outage"],
)
def test_a_try_of_a_year_that_is_refused(warehouse: Engine, wire: Wire, reply: Reply, calls: int):
    """It costs a handful of calls, and each day has its sentence; the next try begins anew."""
    wire.on_data = reply
    collecting = a_run(warehouse, YEAR)
    batch = planned(collecting, wire.account)

    for tries in (1, 2):
        ingested(collecting, batch, wire.account)

        assert len(wire.data_calls) == tries * calls
    failed = "SELECT count(*) FROM weixin.coverage WHERE error_kind IS NOT NULL AND error != ''"
    assert rows(warehouse, failed) == [(365,)]
    assert rows(warehouse, "SELECT sum(calls) FROM weixin.run_report") == [(2 * calls,)]
    assert rows(warehouse, "SELECT sum(calls) FROM weixin.api_call") == [(2 * calls,)]


def test_a_warehouse_that_is_gone_is_not_asked_for_every_account(wire: Wire):
    """One sentence, and WeChat is not asked in vain."""
    gone = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    batch = [PlannedAccount(f"a{n}", f"wx{n}", f"号{n}", at("24 10:30")) for n in range(3)]

    error = ingested(a_run(gone), batch, wire.account)

    assert error is not None
    assert error.is_retryable
    assert len(error.problems) == 1
    assert wire.asked == []
