"""The plan: which pairs a run asks for, and what it writes down about them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import msgspec
import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    OTHER_ACCOUNT,
    SCHEDULED,
    at,
    body,
    load_pairs,
    make_final,
    pair,
    refused,
    rows,
    whole,
)

from weixin_etl.api.threads import convert
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.model import Batch, ConfiguredAccount, PlannedAccount, Run
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run.plan import Plan, batches, plan

MANUAL = replace(SCHEDULED, run_id="manual", is_scheduled=False)
ONE, TWO = (
    ConfiguredAccount(account.conn_id, account.appid, account.name)
    for account in (ACCOUNT, OTHER_ACCOUNT)
)
THREE = ConfiguredAccount("weixin_third", "wx3", "月刊")


def november(first: int, last: int) -> list[date]:
    """Days of November 2026, newest first; a day before the first is one of October."""
    return [date(2026, 11, 1) + timedelta(days=day - 1) for day in range(last, first - 1, -1)]


def planned(
    warehouse: Engine,
    run: Run = SCHEDULED,
    accounts: Sequence[ConfiguredAccount] = (ONE,),
    *,
    catch_up_days: int = 60,
) -> Plan:
    return plan(Work(run, warehouse, Settings(catch_up_days=catch_up_days)), accounts)


def days(plan: Plan) -> dict[str, list[date]]:
    """What each account is asked for."""
    return {account.appid: account.days for account in plan.accounts}


def run_on(morning: str, monkeypatch: pytest.MonkeyPatch, **of_run: object) -> Run:
    """The daily run of a morning of November, which is now."""
    monkeypatch.setenv("WEIXIN_NOW", f"2026-11-{morning}T10:30:00+08:00")
    return replace(SCHEDULED, run_id=f"run {morning}", today=date(2026, 11, int(morning)), **of_run)


def test_a_first_daily_run(warehouse: Engine):
    """It asks for its window, newest first, and writes each pair down as planned now."""
    made = planned(warehouse, accounts=[ONE, TWO])

    assert days(made) == {"wx1": november(17, 23), "wx2": november(17, 23)}
    assert sum(map(len, days(made).values())) == 14
    assert rows(
        warehouse,
        "SELECT run_id, dataset, planned_at, calls, attempted_at, count(*) FROM weixin.run_report "
        "GROUP BY 1, 2, 3, 4, 5",
    ) == [(SCHEDULED.run_id, "article_total", at("24 10:30"), 0, None, 14)]


def test_days_that_missed_mornings_left_open_are_caught_up(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """
    After the first daily run every open day is asked for: never asked, failed or not ready.

    The window comes first, with the witness where it lists no article.
    """
    planned(warehouse, run_on("10", monkeypatch))
    load_pairs(
        warehouse,
        refused(WeixinError(ProblemKind.UNREACHABLE, errcode=-1), day=date(2026, 11, 5)),
        refused(WeixinError(ProblemKind.NOT_READY, errcode=61503), day=date(2026, 11, 6)),
    )
    make_final(warehouse, *november(7, 9), *november(12, 17))
    caplog.set_level(logging.INFO)
    caplog.clear()

    (account,) = planned(warehouse, run_on("24", monkeypatch)).accounts

    assert account.first == november(18, 23) + november(17, 17)
    assert account.witness == date(2026, 11, 17)
    assert account.older == november(10, 11) + november(3, 6)
    assert caplog.messages == [
        "报纸: 13 calls; 2026-11-18 to 2026-11-23; 2026-11-03 to 2026-11-04, 2026-11-10 to "
        "2026-11-11: never asked; 2026-11-06: not_ready; 2026-11-05: unreachable; "
        "2026-11-17 to find out whether WeChat lists any article of it",
        "13 calls",
    ]


def test_days_out_of_reach_are_lost(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Each plan logs them, with the dates for the form; people are told on the day one leaves."""
    caplog.set_level(logging.WARNING)
    planned(warehouse, run_on("10", monkeypatch))
    make_final(warehouse, date(2026, 11, 5))
    today = run_on("24", monkeypatch)

    nothing_leaves = planned(warehouse, today, catch_up_days=11)
    a_day_leaves = planned(warehouse, today, catch_up_days=9)

    assert days(a_day_leaves) == {"wx1": november(17, 23) + november(5, 5) + november(8, 16)}
    assert nothing_leaves.lost == []
    assert [str(it) for it in a_day_leaves.lost] == [
        "报纸: trigger weixin_article_total with begin_date 2026-11-03 and end_date 2026-11-07 "
        "(too old for daily runs) · 2026-11-03 to 2026-11-04, 2026-11-06 to 2026-11-07 · "
        "weixin_default"
    ]
    assert [it.partition("begin_date ")[2][:34] for it in caplog.messages] == [
        "2026-11-03 and end_date 2026-11-04",
        "2026-11-03 and end_date 2026-11-07",
    ]


def test_an_old_day_is_asked_for_once_a_day(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """One before the window that has an answer of today waits until tomorrow; a refused one not."""
    planned(warehouse, run_on("18", monkeypatch))
    today = run_on("24", monkeypatch)
    counting, answered, failed = november(20, 20) + november(15, 16)
    listings = [body(whole(it, date(2026, 11, 23)), day=it) for it in (counting, answered)]
    load_pairs(
        warehouse,
        pair(listings[0], "24 08:30", day=counting),
        pair(listings[1], "24 08:30", day=answered),
        refused(WeixinError(ProblemKind.UNREACHABLE), "24 08:30", day=failed),
    )

    (of_today,) = planned(warehouse, today).accounts
    (of_tomorrow,) = planned(warehouse, run_on("25", monkeypatch)).accounts
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T10:30:00+08:00")
    with_dates = replace(MANUAL, begin_date=failed, end_date=answered, names_dates=True)

    assert of_today.older == [failed, *november(11, 14)]
    assert of_tomorrow.older == [*november(17, 17), answered, failed, *november(11, 14)]
    assert days(planned(warehouse, with_dates)) == {"wx1": [answered, failed]}


def test_each_dataset_is_collected_since_a_day_of_its_own(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Of the earliest daily run; runs of the past and with dates neither set nor move it."""
    since = "SELECT dataset, appid, since_date::text FROM weixin.collected_since ORDER BY 1"
    planned(warehouse, replace(MANUAL, today=date(2026, 11, 20)))
    (day,) = november(20, 20)
    planned(warehouse, replace(MANUAL, begin_date=day, end_date=day, names_dates=True))
    assert rows(warehouse, since) == []

    planned(warehouse, run_on("22", monkeypatch, is_scheduled=False))
    planned(warehouse, run_on("24", monkeypatch))
    later = run_on("25", monkeypatch)
    plans = [planned(warehouse, replace(later, dataset=ARTICLE_TOTAL_DETAIL)).accounts[0]]
    plans += planned(warehouse, later).accounts

    assert rows(warehouse, since) == [
        ("article_total", "wx1", "2026-11-15"),
        ("article_total_detail", "wx1", "2026-10-26"),
    ]
    assert [len(account.older) for account in plans] == [0, 3]


def test_a_dry_run_writes_nothing(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """It decides and logs as the run would, and leaves no trace in the warehouse."""
    caplog.set_level(logging.INFO)

    made = planned(warehouse, replace(SCHEDULED, dry_run=True))

    assert days(made) == {"wx1": november(17, 23)}
    assert caplog.messages == ["报纸: 7 calls; 2026-11-17 to 2026-11-23", "7 calls"]
    for table in ("run_report", "dim_account", "collected_since"):
        assert rows(warehouse, f"SELECT * FROM weixin.{table}") == []  # noqa: S608 # from above


def test_the_accounts_of_a_run(warehouse: Engine):
    """A run collects those it is limited to; is_active follows the list, a name its connection."""
    active = "SELECT appid, name, is_active FROM weixin.dim_account ORDER BY appid"
    unusable = ConfiguredAccount(TWO.conn_id, None, TWO.conn_id)

    planned(warehouse, accounts=[ONE, TWO, THREE])
    renamed = replace(ONE, name="新名")
    limited = planned(warehouse, MANUAL, [renamed, replace(TWO, is_wanted=False), THREE])
    assert days(limited).keys() == {"wx1", "wx3"}
    assert rows(warehouse, active) == [
        ("wx1", "新名", True),
        ("wx2", "杂志", True),
        ("wx3", "月刊", True),
    ]

    left = planned(warehouse, accounts=[ONE, unusable]).left
    assert [is_active for *_, is_active in rows(warehouse, active)] == [True, True, False]
    assert [it.account for it in left] == ["月刊"]

    left = planned(warehouse, accounts=[THREE]).left
    assert [is_active for *_, is_active in rows(warehouse, active)] == [False, False, True]
    assert [it.account for it in left] == ["杂志", "报纸"]


def test_a_run_that_is_planned_again(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """It is planned as of now, without what is final by now, and its record begins anew."""
    planned(warehouse)
    planned(warehouse, MANUAL)
    load_pairs(warehouse, pair(body(), "24 10:30"))
    make_final(warehouse, date(2026, 11, 17))
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T18:00:00+08:00")

    planned(warehouse)

    assert rows(
        warehouse,
        "SELECT run_id, min(day)::text, count(*), sum(calls), max(planned_at) "
        "FROM weixin.run_report WHERE run_id != 'before' GROUP BY 1 ORDER BY 1",
    ) == [
        ("manual", "2026-11-17", 7, 0, at("24 10:30")),
        (SCHEDULED.run_id, "2026-11-17", 7, 0, at("24 18:00")),
    ]


def test_a_batch_in_xcom_is_the_plan_and_has_no_secret(warehouse: Engine):
    """As Airflow keeps it, it is read back whole; the accounts' secrets are not in it."""
    made = planned(warehouse, accounts=[ONE, TWO])

    kept = msgspec.to_builtins(batches(made.accounts))

    assert convert(kept, list[Batch]) == [[it] for it in made.accounts]
    assert kept[0][0].keys() == {
        *("conn_id", "appid", "name", "planned_at", "first", "older", "witness", "is_probe")
    }
    assert "secret" not in str(kept)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (32, [1] * 32),
        (33, [7, 7, 7, 6, 6]),
        (260, [9] * 4 + [8] * 28),
        (8001, [243] * 15 + [242] * 18),
    ],
)
def test_batches(count: int, sizes: list[int]):
    """One account a batch up to 32; more are spread evenly over batches of 8 to 250."""
    accounts = [
        PlannedAccount(f"weixin_{n}", f"wx{n:04}", f"{n}", at("24 10:30"), november(23, 23))
        for n in range(count)
    ]

    made = batches(accounts)

    assert [len(batch) for batch in made] == sizes
    assert sorted(account.appid for batch in made for account in batch) == [
        account.appid for account in accounts
    ]
