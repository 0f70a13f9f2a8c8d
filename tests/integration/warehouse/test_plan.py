"""The plan: which pairs a run asks for, and what it writes down about them."""

import json
import logging
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from warehouse_loads import ACCOUNT, article, at, body, load_pairs, pair, rows

from weixin_etl.api.errors import UnreachableError
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import ParameterError, Run
from weixin_etl.orchestration.accounts import CheckedAccount
from weixin_etl.pair import Pair
from weixin_etl.plan import plan

SCHEDULED = Run("scheduled", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=True)
MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
ONE = [CheckedAccount(ACCOUNT.conn_id, ACCOUNT.appid, ACCOUNT.name)]
WINDOW = [date(2026, 11, day) for day in range(17, 24)]


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


def many(count: int) -> list[CheckedAccount]:
    return [
        CheckedAccount(f"weixin_{number:02}", f"wx{number:02}", f"号{number:02}")
        for number in range(count)
    ]


def configure(monkeypatch: pytest.MonkeyPatch, accounts: list[CheckedAccount]) -> None:
    """Make these the accounts of the Airflow Variable."""
    conn_ids = json.dumps([account.conn_id for account in accounts])
    monkeypatch.setenv("AIRFLOW_VAR_WEIXIN_ACCOUNTS", conn_ids)


def days(
    warehouse: Engine,
    run: Run,
    accounts: list[CheckedAccount] | None = None,
    *,
    is_first_try: bool = True,
) -> dict[str | None, list[date]]:
    """The days a plan asks for, by account."""
    batches = plan(run, accounts or ONE, warehouse, is_first_try=is_first_try)
    return {account.appid: account.days for batch in batches for account in batch}


def reports(warehouse: Engine, run_id: str) -> list[tuple]:
    return rows(
        warehouse,
        "SELECT appid, publication_date, state FROM weixin.run_report "
        "WHERE run_id = :run_id AND dataset = 'article_total' ORDER BY 1, 2",
        run_id=run_id,
    )


def make_final(warehouse: Engine, day: date) -> None:
    """Load a pair whose totals have stopped growing."""
    last = day + timedelta(days=6)
    answer = body({"msgid": "1_1", "details": [{"stat_date": last.isoformat()}]}, day=day)
    load_pairs(warehouse, pair(answer, at("24 10:00"), day=day), run_id="before")


def test_scheduled_run_asks_for_the_window(warehouse: Engine):
    """A scheduled run asks for the seven days before its own, and writes each down as planned."""
    assert days(warehouse, SCHEDULED) == {"wx1": WINDOW}

    assert reports(warehouse, "scheduled") == [("wx1", day, "planned") for day in WINDOW]


def test_form_range(warehouse: Engine):
    """The form's days are asked for, both ends included."""
    run = replace(MANUAL, begin_date=date(2026, 10, 30), end_date=date(2026, 11, 2))

    asked = days(warehouse, run)

    assert asked == {
        "wx1": [date(2026, 10, 30), date(2026, 10, 31), date(2026, 11, 1), date(2026, 11, 2)]
    }


def test_form_range_out_of_reach(warehouse: Engine):
    """Days WeChat can't know are refused with a sentence, and nothing is written down."""
    run = replace(MANUAL, begin_date=date(2026, 11, 20), end_date=date(2026, 11, 24))

    with pytest.raises(ParameterError, match="end_date 2026-11-24 is too late"):
        days(warehouse, run)

    assert reports(warehouse, "manual") == []


def test_final_pairs_are_skipped(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """Nobody asks again for what is final, and only for that; the log says how many days it is."""
    make_final(warehouse, WINDOW[0])
    load_pairs(warehouse, pair(body(article("2_1", {"23": {}})), "24 08:30"), run_id="before")
    caplog.set_level(logging.INFO)

    assert days(warehouse, SCHEDULED) == {"wx1": WINDOW[1:]}

    assert reports(warehouse, "scheduled") == [("wx1", day, "planned") for day in WINDOW[1:]]
    assert "skips 1 final" in caplog.text


def test_refetch_asks_for_final_pairs_too(warehouse: Engine):
    """`refetch` skips nothing."""
    make_final(warehouse, WINDOW[0])

    assert days(warehouse, replace(MANUAL, refetch=True)) == {"wx1": WINDOW}


def test_account_with_nothing_due_is_in_no_batch(warehouse: Engine):
    """An account all of whose days are final costs no task."""
    make_final(warehouse, WINDOW[0])
    run = replace(MANUAL, begin_date=WINDOW[0], end_date=WINDOW[0])

    assert plan(run, ONE, warehouse, is_first_try=True) == []


def test_dry_run_writes_nothing(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """A dry run logs the days and calls, and leaves no trace in the warehouse."""
    make_final(warehouse, WINDOW[0])
    caplog.set_level(logging.INFO)

    days(warehouse, replace(MANUAL, dry_run=True))

    assert reports(warehouse, "manual") == []
    assert rows(warehouse, "SELECT * FROM weixin.dim_account") == []
    assert caplog.messages == [
        "article_total: publication days 2026-11-17 to 2026-11-23, 6 calls",
        "报纸: asks for 2026-11-18, 2026-11-19, 2026-11-20, 2026-11-21, 2026-11-22, 2026-11-23; "
        "skips 1 final",
    ]


def test_forty_accounts_are_spread_over_32_batches(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Up to 32 accounts have a batch each; more share them evenly, none is lost."""
    accounts = many(40)
    configure(monkeypatch, accounts)

    batches = plan(SCHEDULED, accounts, warehouse, is_first_try=True)

    assert [len(batch) for batch in batches] == [2] * 8 + [1] * 24
    planned = sorted(account.appid or "" for batch in batches for account in batch)
    assert planned == [account.appid for account in accounts]
    assert len(reports(warehouse, "scheduled")) == 40 * 7
    assert [len(batch) for batch in plan(MANUAL, accounts[:32], warehouse, is_first_try=True)] == [
        1
    ] * 32


def test_account_whose_connection_is_unusable_is_kept_without_days(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """It has a batch, which will say why, but no pair and no row in the dimension."""
    broken = CheckedAccount("weixin_broken", None, "weixin_broken", "no password")
    configure(monkeypatch, [*ONE, broken])

    assert days(warehouse, SCHEDULED, [*ONE, broken]) == {"wx1": WINDOW, None: []}

    assert rows(warehouse, "SELECT appid FROM weixin.dim_account") == [("wx1",)]


def test_first_scheduled_date_is_set_by_scheduled_runs_only(warehouse: Engine):
    """The day of the first scheduled run is kept; manual runs neither set nor move it."""
    first_scheduled_date = "SELECT first_scheduled_date, first_seen_at FROM weixin.dim_account"

    days(warehouse, replace(MANUAL, today=date(2026, 11, 20)))
    assert rows(warehouse, first_scheduled_date) == [(None, at("24 10:30"))]

    days(warehouse, replace(SCHEDULED, run_id="first", today=date(2026, 11, 22)))
    assert rows(warehouse, first_scheduled_date) == [(date(2026, 11, 22), at("24 10:30"))]

    days(warehouse, SCHEDULED)
    days(warehouse, MANUAL)
    assert rows(warehouse, first_scheduled_date) == [(date(2026, 11, 22), at("24 10:30"))]


def test_active_accounts_are_the_configured_ones(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """An account taken off the list is inactive and keeps its data; put back it is active again."""
    active = "SELECT appid, is_active FROM weixin.dim_account ORDER BY appid"
    accounts = many(3)
    configure(monkeypatch, accounts)
    days(warehouse, SCHEDULED, accounts)

    configure(monkeypatch, accounts[:2])
    days(warehouse, SCHEDULED, accounts[:2])
    assert rows(warehouse, active) == [("wx00", True), ("wx01", True), ("wx02", False)]

    configure(monkeypatch, accounts)
    days(warehouse, SCHEDULED, accounts)
    assert rows(warehouse, active) == [("wx00", True), ("wx01", True), ("wx02", True)]


def test_run_limited_to_an_account_deactivates_no_other(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """A manual run for one account says nothing about the others."""
    accounts = many(3)
    configure(monkeypatch, accounts)
    days(warehouse, SCHEDULED, accounts)

    days(warehouse, MANUAL, accounts[:1])

    assert rows(warehouse, "SELECT count(*) FROM weixin.dim_account WHERE is_active") == [(3,)]


def test_a_connection_that_cannot_be_used_keeps_no_other_account_active(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Its own account stays active, one that was taken off the list does not."""
    accounts = many(3)
    configure(monkeypatch, accounts)
    days(warehouse, SCHEDULED, accounts)

    configure(monkeypatch, accounts[:2])
    days(warehouse, SCHEDULED, [accounts[0], CheckedAccount("weixin_01", None, "weixin_01")])

    assert rows(warehouse, "SELECT appid, is_active FROM weixin.dim_account ORDER BY appid") == [
        ("wx00", True),
        ("wx01", True),
        ("wx02", False),
    ]


def test_renamed_account(warehouse: Engine):
    """The dimension follows the connection's name and id."""
    days(warehouse, SCHEDULED)

    days(warehouse, MANUAL, [CheckedAccount("weixin_default", "wx1", "新名")])

    assert rows(warehouse, "SELECT name, conn_id FROM weixin.dim_account") == [
        ("新名", "weixin_default")
    ]


def test_another_try_of_the_plan_keeps_what_the_run_reached(warehouse: Engine):
    """When the same run is planned again, pairs that came in or failed keep their state."""
    days(warehouse, SCHEDULED)
    loaded = pair(body(article("1_1", {"23": {}})), "24 10:00")
    failed = Pair(date(2026, 11, 22), 1, error=UnreachableError())
    load_pairs(warehouse, loaded, failed, run_id="scheduled")

    days(warehouse, SCHEDULED, is_first_try=False)

    assert [state for _, _, state in reports(warehouse, "scheduled")] == [
        "planned",
        "planned",
        "planned",
        "loaded",
        "planned",
        "failed",
        "planned",
    ]


def test_first_try_of_a_run_id_forgets_an_earlier_run(warehouse: Engine):
    """`airflow dags test` uses a run id again: that run begins anew, other runs stay."""
    days(warehouse, SCHEDULED)
    days(warehouse, MANUAL)
    load_pairs(warehouse, pair(body(), "24 10:00"), run_id="scheduled")

    days(warehouse, SCHEDULED)

    assert {state for _, _, state in reports(warehouse, "scheduled")} == {"planned"}
    assert len(reports(warehouse, "manual")) == 7
