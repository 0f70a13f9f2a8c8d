"""The plan: which pairs a run asks for, and what it writes down about them."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    ACCOUNT,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    at,
    body,
    load_pairs,
    make_final,
    pair,
    refused,
    rows,
)

from weixin_etl.api.errors import NotReadyError, UnreachableError
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.model import ConfiguredAccount, PlannedAccount, Run
from weixin_etl.run import Settings
from weixin_etl.run.pairs import require_plan
from weixin_etl.run.plan import Plan, batches, plan
from weixin_etl.run.report import changed_days
from weixin_etl.trouble.unwanted import say_unwanted

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
    is_new: bool = True,
    catch_up_days: int = 60,
) -> Plan:
    return plan(run, warehouse, Settings(catch_up_days=catch_up_days), accounts, is_new=is_new)


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
    assert made.counts == dict.fromkeys(made.counts, 0) | {"asked": 14}
    assert rows(
        warehouse,
        "SELECT DISTINCT run_id, dataset, planned_at, is_planned, is_probe, calls, state "
        "FROM weixin.run_report",
    ) == [(SCHEDULED.run_id, "article_total", at("24 10:30"), True, False, 0, "planned")]
    assert rows(warehouse, "SELECT count(*) FROM weixin.run_report") == [(14,)]


def test_days_that_missed_mornings_left_open_are_caught_up(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """After the first daily run every open day is asked for: never asked, failed or not ready."""
    planned(warehouse, run_on("10", monkeypatch))
    load_pairs(
        warehouse,
        refused(UnreachableError(errcode=-1), day=date(2026, 11, 5)),
        refused(NotReadyError(errcode=61503), day=date(2026, 11, 6)),
    )
    make_final(warehouse, *november(7, 9), *november(12, 17))
    caplog.set_level(logging.INFO)
    caplog.clear()

    made = planned(warehouse, run_on("24", monkeypatch))

    due = november(18, 23) + november(10, 11) + november(3, 6)
    assert days(made) == {"wx1": due + november(17, 17)}
    assert made.counts == dict.fromkeys(made.counts, 0) | {
        "asked": 13,
        "caught_up": 6,
        "witnesses": 1,
        "final": 1,
    }
    assert caplog.messages == [
        "报纸: publication days 2026-11-17 to 2026-11-23; 13 calls, 6 of them to catch up "
        "(2026-11-03 to 2026-11-04, 2026-11-10 to 2026-11-11: never asked; 2026-11-06: was not "
        "ready; 2026-11-05: failed (errcode -1)), 2026-11-17 to find out whether WeChat lists any "
        "article of it; 1 skipped as final; 11 calls made today, 989 of 1000 left "
        "(the count)",
        "13 calls, about 10 s if a call takes 0.3 s (1 ingest task, each with 4 calls at once)",
    ]


def test_days_out_of_reach_are_lost(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """They are warned of each morning, with the dates for the form."""
    planned(warehouse, run_on("10", monkeypatch))
    make_final(warehouse, date(2026, 11, 5))

    made = planned(warehouse, run_on("24", monkeypatch), catch_up_days=9)

    assert days(made) == {"wx1": november(8, 23) + november(5, 5)}
    assert made.counts["lost"] == 4
    assert made.warnings == [
        "报纸: trigger weixin_article_total with begin_date 2026-11-03 and end_date 2026-11-07 "
        "(too…) · 2026-11-03 to 2026-11-04, 2026-11-06 to 2026-11-07 · weixin_default"
    ]
    assert made.warnings[0] in caplog.messages


def test_lost_days_that_are_not_wanted_are_not_warned_of(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Until somebody asks for one of them."""
    planned(warehouse, run_on("10", monkeypatch))
    today = run_on("24", monkeypatch)
    first, last = date(2026, 11, 3), date(2026, 11, 6)
    say_unwanted(warehouse, today.dataset, [], first, last, said_at=at("24 08:00"), said_by="lin")
    made = planned(warehouse, today, catch_up_days=9)
    load_pairs(warehouse, refused(UnreachableError(), "24 09:00", day=first))
    asked = planned(warehouse, today, catch_up_days=9)

    assert [it.days for it in made.lost] == [(date(2026, 11, 7),)]
    assert [it.days for it in asked.lost] == [(first, date(2026, 11, 7))]


def test_each_dataset_has_a_first_daily_run_of_its_own(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """The earliest day; runs of the past and with dates neither set nor move it."""
    first = "SELECT dataset, appid, first_daily_date::text FROM weixin.first_daily_run ORDER BY 1"
    planned(warehouse, replace(MANUAL, today=date(2026, 11, 20)))
    planned(
        warehouse, replace(MANUAL, begin_date=november(20, 20)[0], end_date=november(20, 20)[0])
    )
    assert rows(warehouse, first) == []

    planned(warehouse, run_on("22", monkeypatch, is_scheduled=False))
    planned(warehouse, run_on("24", monkeypatch))
    later = run_on("25", monkeypatch)
    of_successor = replace(later, dataset=ARTICLE_TOTAL_DETAIL)
    plans = [planned(warehouse, of_successor), planned(warehouse, later)]

    assert rows(warehouse, first) == [
        ("article_total", "wx1", "2026-11-22"),
        ("article_total_detail", "wx1", "2026-11-25"),
    ]
    assert [made.counts["caught_up"] for made in plans] == [0, 3]


def test_a_dry_run_writes_nothing(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """It decides and logs as the run would, and leaves no trace in the warehouse."""
    caplog.set_level(logging.INFO)

    made = planned(warehouse, replace(SCHEDULED, dry_run=True))

    assert days(made) == {"wx1": november(17, 23)}
    assert caplog.messages == [
        "报纸: publication days 2026-11-17 to 2026-11-23; 7 calls; 0 calls made "
        "today, 1000 of 1000 left (the count)",
        "1 account is new: 报纸; days before 2026-11-17 are asked for only by a run with "
        "begin_date and end_date",
        "7 calls, about 10 s if a call takes 0.3 s (1 ingest task, each with 4 calls at once)",
    ]
    for table in ("run_report", "dim_account", "first_daily_run"):
        assert rows(warehouse, f"SELECT * FROM weixin.{table}") == []  # noqa: S608 # from above


def test_the_accounts_of_a_run(warehouse: Engine):
    """A run collects those it is limited to; is_active follows the list, a name its connection."""
    active = "SELECT appid, name, is_active FROM weixin.dim_account ORDER BY appid"
    unusable = ConfiguredAccount(TWO.conn_id, None, TWO.conn_id, problem="no password")

    planned(warehouse, accounts=[ONE, TWO, THREE])
    renamed = replace(ONE, name="新名")
    limited = planned(warehouse, MANUAL, [renamed, replace(TWO, is_wanted=False), THREE])
    assert days(limited).keys() == {"wx1", "wx3"}
    assert rows(warehouse, active) == [
        ("wx1", "新名", True),
        ("wx2", "杂志", True),
        ("wx3", "月刊", True),
    ]

    planned(warehouse, accounts=[ONE, unusable])
    assert [is_active for *_, is_active in rows(warehouse, active)] == [True, True, False]

    planned(warehouse, accounts=[THREE])
    assert [is_active for *_, is_active in rows(warehouse, active)] == [False, False, True]


def test_a_run_that_is_planned_again(warehouse: Engine, monkeypatch: pytest.MonkeyPatch):
    """It is planned as of now, keeps its counts, and plans no more what is final by now."""
    planned(warehouse)
    listing = body(article("1_1", {}), day=date(2026, 11, 22))
    load_pairs(warehouse, pair(listing, "24 10:30", day=date(2026, 11, 22)))
    make_final(warehouse, date(2026, 11, 17))
    planned(warehouse, replace(MANUAL, begin_date=date(2026, 11, 16), end_date=date(2026, 11, 16)))
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T18:00:00+08:00")

    planned(warehouse, is_new=False)

    report = (
        "SELECT publication_date::text, planned_at, is_planned, calls, state "
        "FROM weixin.run_report WHERE run_id = :run AND publication_date IN (:one, :other) "
        "ORDER BY 1"
    )
    found = rows(
        warehouse, report, run=SCHEDULED.run_id, one=date(2026, 11, 17), other=date(2026, 11, 22)
    )
    assert found == [
        ("2026-11-17", at("24 10:30"), False, 0, "planned"),
        ("2026-11-22", at("24 18:00"), True, 1, "planned"),
    ]
    of_another = "SELECT count(*) FROM weixin.run_report WHERE run_id = 'manual' AND is_planned"
    assert rows(warehouse, of_another) == [(1,)]


def test_a_new_run_forgets_an_earlier_one_of_its_id(warehouse: Engine):
    """`airflow dags test` uses a run id again: that run begins anew, other runs stay."""
    planned(warehouse, accounts=[ONE, TWO])
    planned(warehouse, MANUAL)
    load_pairs(warehouse, pair(body(), "24 10:00"))

    planned(warehouse)

    assert rows(
        warehouse,
        "SELECT run_id, count(*), sum(calls) FROM weixin.run_report GROUP BY 1 ORDER BY 1",
    ) == [("manual", 7, 0), (SCHEDULED.run_id, 7, 0)]


def test_a_run_id_that_is_used_again_swallows_no_news(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """What the first run brought in and did not live to announce, the second announces."""
    planned(warehouse)
    load_pairs(warehouse, pair(body(article("1_1", {"20": {}})), "24 10:30"))

    planned(warehouse)

    assert changed_days(SCHEDULED, warehouse) == [date(2026, 11, 20)]
    assert changed_days(SCHEDULED, warehouse) == []
    counts = "SELECT is_planned, calls, inserted FROM weixin.run_report WHERE inserted + calls > 0"
    assert rows(warehouse, counts) == []


@pytest.mark.every_postgres
def test_two_installations_share_a_warehouse(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Their runs have the same id and their lists other accounts: neither takes the other's."""
    caplog.set_level(logging.INFO)
    here, there = (replace(SCHEDULED, installation=name) for name in ("here", "there"))
    plans = [planned(warehouse, here, [ONE]), planned(warehouse, there, [TWO])]

    with warehouse.connect() as connection:
        for run, made in zip((here, there), plans, strict=True):
            require_plan(connection, run, made.stamp)
    active = "SELECT appid FROM weixin.dim_account WHERE is_active ORDER BY 1"
    assert rows(warehouse, active) == [("wx1",), ("wx2",)]
    assert (
        "another Airflow loads into this warehouse as well: 1 account is in its list, last planned "
        "2026-11-24 10:30 Beijing time; accounts of either are collected" in caplog.messages
    )

    planned(warehouse, run_on("30", monkeypatch, installation="there"), [TWO])
    assert rows(warehouse, active) == [("wx1",), ("wx2",)]
    planned(warehouse, run_on("30", monkeypatch, installation="there"), [ONE])
    assert rows(warehouse, active) == [("wx1",)]
    monkeypatch.setenv("WEIXIN_NOW", "2026-12-08T10:30:00+08:00")
    later = replace(there, run_id="later", today=date(2026, 12, 8))
    planned(warehouse, later, [TWO])
    assert rows(warehouse, active) == [("wx2",)]


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
        PlannedAccount(f"weixin_{n}", f"wx{n:04}", f"{n}", november(23, 23), at("24 10:30"))
        for n in range(count)
    ]

    made = batches(accounts)

    assert [len(batch) for batch in made] == sizes
    assert sorted(account.appid for batch in made for account in batch) == [
        account.appid for account in accounts
    ]
