"""Ingest: the planned pairs brought in by a real client, over HTTP, into a real warehouse."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event
from warehouse_loads import SCHEDULED, article, at, body, contents, coverage, rows
from wire import LIMITS, Handler, Reply, Wire, refuses, says

from weixin_etl import clock
from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import ConfigurationError
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.load import Outcome
from weixin_etl.model import Account, Batch, ConfiguredAccount, PlannedAccount, Run
from weixin_etl.run import Settings
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run.ingest import IngestError, OpenClient
from weixin_etl.run.plan import plan
from weixin_etl.trouble.at_work import Airflow, progress
from weixin_etl.warehouse import WarehouseError
from weixin_etl.warehouse.locks import lock_load

EMPTY = says(b'{"list":[]}')
OUTAGE = says(b"", 502)
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
YEAR = replace(MANUAL, begin_date=date(2025, 11, 24), end_date=date(2026, 11, 23))
FORTY = replace(MANUAL, begin_date=date(2026, 10, 15), end_date=date(2026, 11, 23))


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


@dataclass(frozen=True)
class Collecting:
    """A run, and what its verbs work with."""

    warehouse: Engine
    run: Run
    settings: Settings
    now: Callable[[], datetime] = clock.now


def a_run(warehouse: Engine, run: Run = SCHEDULED, **settings: int) -> Collecting:
    return Collecting(warehouse, run, Settings(**{"concurrency": 1, **settings}))


def planned(collecting: Collecting, *accounts: Account) -> Batch:
    configured = [ConfiguredAccount(a.conn_id, a.appid, a.name) for a in accounts]
    it = collecting
    return plan(it.run, it.warehouse, it.settings, configured, is_new=True, now=it.now).accounts


def ingested(
    collecting: Collecting, batch: Batch, account: Account | OpenClient, *, by_itself: bool = False
) -> IngestError | None:
    """Why pairs are not in, if so."""

    def open_client(planned: PlannedAccount) -> WeixinClient:
        if isinstance(account, Account):
            return WeixinClient(account, LIMITS)
        return account(planned)

    try:
        it = collecting
        ingest_verb.ingest(
            *(it.run, it.warehouse, it.settings, batch, open_client),
            by_itself=by_itself,
            now=it.now,
        )
    except IngestError as error:
        return error
    return None


def lines(error: IngestError | None) -> list[str]:
    """What the operator reads of a try."""
    return [str(problem) for problem in error.problems] if error else []


@pytest.mark.parametrize(
    ("run", "commit_bytes", "commits"),
    [(SCHEDULED, 64 << 20, 1), (SCHEDULED, 44, 4), (SCHEDULED, 5, 7), (FORTY, 64 << 20, 1)],
    ids=["all at once", "two a commit", "each larger than the bound", "however many"],
)
def test_commits_are_bounded(
    warehouse: Engine, wire: Wire, run: Run, commit_bytes: int, commits: int
):
    """By the bytes of their answers; every pair is in, whatever commit it was in."""
    wire.on_data = EMPTY
    collecting = a_run(warehouse, run, commit_bytes=commit_bytes)

    batch = planned(collecting, wire.account)
    assert ingested(collecting, batch, wire.account) is None

    kept = rows(warehouse, "SELECT count(DISTINCT xmin::text), count(*) FROM weixin.raw_response")
    assert kept == [(commits, len(batch[0].days))]
    assert rows(warehouse, "SELECT DISTINCT state, calls FROM weixin.run_report") == [("empty", 1)]


def test_the_log_says_how_far_a_batch_has_come(
    warehouse: Engine,
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """While it waits for WeChat, long before there is enough to commit; and during a commit."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(ingest_verb, "PROGRESS_SECONDS", 0.2)

    def answers_late(handler: Handler) -> None:
        sleep(0.5)
        EMPTY(handler)

    def holds_the_commit() -> None:
        with warehouse.begin() as connection:
            lock_load(connection, [wire.account.appid])
            is_held.set()
            for _ in range(400):
                if loading in caplog.messages:
                    break
                sleep(0.05)

    loading = "1 of 1 account, 7 of 7 days done: 7 calls, 0 rows; loading"
    is_held = Event()
    wire.on_data = by_day({22: answers_late})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    holder = Thread(target=holds_the_commit)
    holder.start()
    is_held.wait()

    assert ingested(collecting, batch, wire.account) is None

    holder.join()
    assert "0 of 1 account, 1 of 7 days done: 1 call, 0 rows; about 1 s more" in caplog.messages
    assert loading in caplog.messages


def test_the_time_that_a_batch_still_takes_is_told_by_its_pace():
    """A day that was refused without a call is done as well."""
    progress = ingest_verb.BatchProgress(Counter(wx1=1, wx2=119))
    assert progress.after(15) == "0 of 2 accounts, 0 of 120 days done: 0 calls, 0 rows"

    for account, calls in (("wx1", 1), ("wx2", 3), ("wx2", 0)):
        came = Outcome(Account(account, account, "", account), YEAR.today, calls, at("24 08:30"))
        progress.note(replace(came, rows=[b"a row"] * calls))

    assert progress.after(15) == (
        "1 of 2 accounts, 3 of 120 days done: 4 calls, 4 rows; about 10 min more"
    )


def test_later_tries_ask_for_what_is_not_in(warehouse: Engine, wire: Wire):
    """Those that Airflow makes by itself do not ask for what only a person can mend."""
    wire.on_data = by_day({22: refuses(47009), 21: refuses(61503), 20: OUTAGE})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)

    ingested(collecting, batch, wire.account)
    assert asked(wire) == [23, 22, 21, 20, 19, 18, 17]

    ingested(collecting, batch, wire.account, by_itself=True)
    assert asked(wire) == [21, 20]

    ingested(collecting, batch, wire.account)
    assert asked(wire) == [22, 21, 20]

    wire.on_data = EMPTY
    assert ingested(collecting, batch, wire.account) is None
    assert ingested(collecting, batch, wire.account) is None
    assert asked(wire) == [22, 21, 20]


def test_what_a_cleared_task_asks_for_is_being_asked(warehouse: Engine, wire: Wire):
    """Also what the try before gave up: a page that calls it done would hide that it works."""
    wire.on_data = by_day({22: refuses(47009), 21: refuses(61503)})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    ingested(collecting, batch, wire.account)
    run, left = collecting.run, []
    airflow = Airflow({}, "", None, runs={run.dataset.name: [run.run_id]})

    def look(handler: Handler) -> None:
        with warehouse.connect() as connection:
            (it,) = progress(connection, run.dataset, airflow)
        left.append(sorted(day.day for day in it.days_left))
        EMPTY(handler)

    wire.on_data = look
    ingested(collecting, batch, wire.account)

    assert left == [[21, 22], [21, 22]]


def test_what_a_person_clears_is_asked_for_although_the_first_try_breaks_off(
    warehouse: Engine, wire: Wire
):
    """The try that Airflow makes after it goes on with what the person mended."""
    wire.on_data = by_day({22: refuses(47009), 21: refuses(61503)})
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    ingested(collecting, batch, wire.account)
    asked(wire)

    def breaks_off(_: PlannedAccount) -> WeixinClient:
        raise RuntimeError

    wire.on_data = EMPTY
    broken = ingested(collecting, batch, breaks_off)

    assert broken
    assert broken.is_retryable
    assert ingested(collecting, batch, wire.account, by_itself=True) is None
    assert asked(wire) == [22, 21]


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


def test_a_batch_without_its_plan_is_refused(warehouse: Engine, wire: Wire):
    """The warehouse was restored: less than was planned is no plan. No call, and no green task."""
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM weixin.run_report WHERE publication_date = '2026-11-20'"
        )
    wire.asked.clear()

    with pytest.raises(WarehouseError) as refused:
        ingested(collecting, batch, wire.account)

    assert refused.value.problem.cure == "clear plan with its downstream tasks"
    assert refused.value.cause.startswith(
        "the plan is gone from the warehouse: of the 7 days planned at 2026-11-24 10:30 Beijing "
        "time it has 6"
    )
    assert wire.asked == []


def test_the_login_changed_since_the_plan(warehouse: Engine, wire: Wire):
    """Another account's figures under this one's name: nothing is asked, nothing is loaded."""
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)

    error = ingested(collecting, batch, replace(wire.account, appid="wx2"))

    cause = (
        "the AppID of connection weixin_wire was wx0000000000000001 when the run was planned and "
        "is wx2 now"
    )
    cure = "clear the task refresh_access_token with its downstream tasks"
    assert lines(error) == [
        "春风: clear the task refresh_access_token with its downstream tasks (the AppID of "
        "connection weixin_wire was…) · 2026-11-17 to 2026-11-23 · weixin_wire"
    ]
    assert set(coverage(warehouse, "appid, data_state, attempt_state, error, cure")) == {
        ("wx0000000000000001", None, "failed", cause, cure)
    }
    assert wire.asked == []
    assert contents(warehouse, ["raw_response"]) == {"raw_response": []}


@pytest.mark.parametrize(
    ("raised", "said", "is_retryable", "states"),
    [
        (
            ConfigurationError(account="weixin_broken", cause="no password", cure="fill it in"),
            "杂志: fill it in (no password) · 2026-11-17 to 2026-11-23 · weixin_broken",
            False,
            [("wx0000000000000001", "ok"), ("wx2", "failed")],
        ),
        (
            RuntimeError("a bug"),
            "杂志: report it, with the lines above (RuntimeError: a bug) · weixin_broken",
            True,
            [("wx0000000000000001", "ok")],
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
    states: list[tuple[str, str]],
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
    assert str(error) == "1 account is not in: see the lines above"
    assert sorted(set(coverage(warehouse, "appid, attempt_state"))) == states


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
    replies = {day: refuses(errcode, f"no rid: {day}") for day in (22, 21, 19)}
    wire.on_data = by_day(replies)
    collecting = a_run(warehouse, commit_bytes=1)

    error = ingested(collecting, planned(collecting, wire.account), wire.account)

    assert error is not None
    assert (error.is_retryable, error.has_not_ready) == (is_retryable, has_not_ready)
    (problem,) = error.problems
    assert " · 2026-11-19, 2026-11-21 to 2026-11-22 · " in str(problem)
    assert f" · weixin_wire, errcode {errcode}" in str(problem)
    assert problem.rid == "22"
    assert [said for said in caplog.messages if " · " in said] == [str(problem)]
    assert caplog.messages[-1] == str(problem)


@pytest.mark.parametrize(
    ("held", "is_collected", "cure"),
    [
        (0, False, "unpause or trigger weixin_article_total_detail, which has 0 of 7 days"),
        (3, False, "unpause or trigger weixin_article_total_detail, which has 3 of 7 days"),
        (3, True, "trigger weixin_article_total_detail, which has 3 of 7 days"),
        (6, False, "unpause or trigger weixin_article_total_detail, which has 6 of 7 days"),
        (6, True, "nothing to do: weixin_article_total_detail collects the account"),
        (7, True, "nothing to do: weixin_article_total_detail has these days"),
    ],
)
def test_an_offline_endpoint_says_what_its_successor_has(
    warehouse: Engine, wire: Wire, held: int, is_collected: bool, cure: str
):
    """Of the same days; and to unpause its DAG only where no daily run of it has the account."""
    wire.on_data = EMPTY
    detail = replace(
        MANUAL,
        dataset=ARTICLE_TOTAL_DETAIL,
        begin_date=date(2026, 11, 14),
        end_date=date(2026, 11, 16 + held),
    )
    if is_collected:
        made = "INSERT INTO weixin.first_daily_run VALUES (%s, %s, '2026-11-20')"
        with warehouse.begin() as connection:
            connection.exec_driver_sql(made, (detail.dataset.name, wire.account.appid))
    successor = a_run(warehouse, detail)
    ingested(successor, planned(successor, wire.account), wire.account)
    wire.on_data = refuses(47009)
    collecting = a_run(warehouse)

    error = ingested(collecting, planned(collecting, wire.account), wire.account)

    (line,) = lines(error)
    assert line.startswith(f"春风: {cure} (WeChat took")
    assert line.endswith(" · 2026-11-17 to 2026-11-23 · weixin_wire, errcode 47009")


@pytest.mark.parametrize(
    ("newest", "is_in"), [(EMPTY, True), (refuses(61503), False)], ids=["ready", "not ready"]
)
def test_a_probe_of_a_retired_endpoint(warehouse: Engine, wire: Wire, newest: Reply, is_in: bool):
    """Still offline is nothing to complain of. Once it is answered the open days are asked for."""
    wire.on_data = refuses(47009)
    collecting, again = a_run(warehouse), a_run(warehouse, MANUAL)
    assert ingested(collecting, planned(collecting, wire.account), wire.account) is not None
    wire.asked.clear()
    batch = planned(again, wire.account)

    assert ingested(again, batch, wire.account) is None
    assert asked(wire) == [23]

    wire.on_data = by_day({23: newest})
    assert (ingested(again, batch, wire.account) is None) == is_in
    assert len(wire.data_calls) == 7
    assert asked(wire) == [23, 22, 21, 20, 19, 18, 17]


def test_an_account_whose_quota_is_used_up_is_not_asked(
    warehouse: Engine, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    """By no run until midnight in Beijing, though midnight passes while that is written down."""
    wire.on_data = refuses(45009)
    collecting = a_run(warehouse)
    ingested(collecting, planned(collecting, wire.account), wire.account)
    assert asked(wire) == [23]
    wire.on_data = EMPTY

    def pass_midnight(*executed: Any) -> None:
        if "INSERT INTO weixin.coverage" in executed[2]:
            monkeypatch.setenv("WEIXIN_NOW", "2026-11-25T00:00:01+08:00")

    again = a_run(warehouse, FORTY)
    batch = planned(again, wire.account)
    event.listen(warehouse, "after_cursor_execute", pass_midnight)
    try:
        error = ingested(again, batch, wire.account)
    finally:
        event.remove(warehouse, "after_cursor_execute", pass_midnight)

    (line,) = lines(error)
    assert line.startswith("春风: run again now (the calls allowed in a day are used up")
    assert wire.asked == []
    assert set(coverage(warehouse, "error_code, next_attempt_at")) == {(45009, at("25 00:00"))}

    assert ingested(again, batch, wire.account) is None
    assert len(wire.data_calls) == 40


@pytest.mark.parametrize(
    ("reply", "calls"),
    [(refuses(48001), 1), (refuses(40001), 4), (refuses(47009), 7 + 5), (OUTAGE, 4 * 5 * 3)],
    ids=["48001", "40001", "47009", "outage"],
)
def test_a_backfill_of_a_year_that_is_refused(
    warehouse: Engine, wire: Wire, reply: Reply, calls: int
):
    """It costs a handful of calls over all of Airflow's tries, and each day has its sentence."""
    wire.on_data = reply
    collecting = a_run(warehouse, YEAR)
    batch = planned(collecting, wire.account)

    for is_retry in (False, True, True, True):
        ingested(collecting, batch, wire.account, by_itself=is_retry)

    assert len(wire.data_calls) == calls
    failed = "SELECT count(*), sum(calls) FROM weixin.run_report WHERE state = 'failed'"
    assert rows(warehouse, failed) == [(365, calls)]


class AnHourAhead(datetime):
    """The time of a machine whose clock is wrong."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) + timedelta(hours=1)


def test_the_warehouse_has_another_time(
    warehouse: Engine, wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    """One sentence; nothing is planned and nothing is asked, not even for a token."""
    collecting = a_run(warehouse)
    batch = planned(collecting, wire.account)
    before = contents(warehouse, versions=True)
    monkeypatch.setattr(clock, "datetime", AnHourAhead)
    said = "the warehouse's .*: 1 h 0 min 0 s behind; correct the wrong clock, then clear this task"

    with pytest.raises(WarehouseError, match=said):
        planned(a_run(warehouse, MANUAL), wire.account)
    with pytest.raises(WarehouseError, match=said):
        ingested(collecting, batch, wire.account)

    assert wire.asked == []
    assert contents(warehouse, versions=True) == before


def test_what_is_odd_about_answers_is_told(
    warehouse: Engine, wire: Wire, caplog: pytest.LogCaptureFixture
):
    """Once per commit, by number. A line per state tells what came in."""
    odd = article("1_1", {"22": {"share_count": 1, "new_a": 1}}, title="a\0b")
    odd["details"] += [{**odd["details"][0], "share_count": None, "new_b": 2}, {}]
    odd["details"][0]["share_user"] = "12"
    wire.on_data = by_day(
        {22: says(body(odd, {"msgid": "1_2", "details": None}, day=date(2026, 11, 22)))}
    )
    collecting = a_run(warehouse)
    caplog.set_level(logging.INFO)

    batch = planned(collecting, wire.account)
    ingested(collecting, batch, wire.account)

    name = "春风 (wx0000000000000001)"
    told = caplog.messages[3:]
    assert told[:5] == [
        f"{name}: 1 rows that repeated a key of their answer",
        f"{name}: 1 numbers written as texts",
        f"{name}: 1 NUL characters removed from texts",
        f"{name}: 1 empty row objects",
        f"{name}: 1 articles without a list of rows",
    ]
    assert sorted(told[5:]) == [
        f"{name}: 2026-11-17 to 2026-11-21, 2026-11-23 empty; 0 inserted, 0 updated, 0 unchanged, "
        "0 rejected",
        f"{name}: 2026-11-22 loaded; 1 inserted, 0 updated, 0 unchanged, 0 rejected",
    ]


def test_a_warehouse_that_is_gone_is_not_asked_for_every_account(wire: Wire):
    """One sentence, and WeChat is not asked in vain."""
    gone = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    batch = [PlannedAccount(f"a{n}", f"wx{n}", f"号{n}", [], at("24 10:30")) for n in range(3)]

    error = ingested(a_run(gone), batch, wire.account)

    assert error is not None
    assert error.is_retryable
    assert len(error.problems) == 1
    assert wire.asked == []
