"""The plan: what a run writes down about whom it asks, and what the calendars do not compare."""

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
)

from weixin_etl.api.threads import convert
from weixin_etl.datasets import ARTICLE_TOTAL_DETAIL
from weixin_etl.health.status import progress
from weixin_etl.model import Batch, ConfiguredAccount, Due, PlannedAccount, Run
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run.plan import Plan, batches, plan

pytestmark = pytest.mark.usefixtures("now")
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
    **settings: int,
) -> Plan:
    """A run's plan, now."""
    return plan(Work(run, warehouse, Settings(**settings)), accounts)


def run_on(morning: str, monkeypatch: pytest.MonkeyPatch, **of_run: object) -> Run:
    """The daily run of a morning of November, which is now."""
    monkeypatch.setenv("WEIXIN_NOW", f"2026-11-{morning}T10:30:00+08:00")
    return replace(SCHEDULED, run_id=f"run {morning}", today=date(2026, 11, int(morning)), **of_run)


def test_a_refetch_has_settled_days_to_do(warehouse: Engine) -> None:
    """Its progress begins at none of them."""
    days = november(1, 3)
    make_final(warehouse, *days)
    again = replace(MANUAL, names_dates=True, begin_date=days[-1], end_date=days[0], refetch=True)

    assert planned(warehouse, again).accounts[0].due.older == days

    with warehouse.connect() as connection:
        (account,) = progress(connection, again.dataset, [again.run_id])
    assert sorted(account.days_left, reverse=True) == days


def test_days_that_missed_mornings_left_open_are_caught_up(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After the first daily run every open day is asked for: never asked, failed or not ready.

    The window comes first, with the witness where it lists no article (0015).
    """
    (first,) = planned(warehouse, run_on("10", monkeypatch)).accounts
    assert (first.due.first, first.due.older) == (november(3, 9), [])
    load_pairs(
        warehouse,
        refused(WeixinError(ProblemKind.UNREACHABLE), day=date(2026, 11, 5)),
        refused(WeixinError(ProblemKind.NOT_READY, errcode=61503), day=date(2026, 11, 6)),
    )
    make_final(warehouse, *november(7, 9), *november(12, 17))

    (account,) = planned(warehouse, run_on("24", monkeypatch)).accounts

    assert account.due.first == november(18, 23) + november(17, 17)
    assert account.due.witness == date(2026, 11, 17)
    assert account.due.older == november(10, 11) + november(3, 6)


def test_days_out_of_reach_are_not_asked_for(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person has to name their dates."""
    planned(warehouse, run_on("10", monkeypatch))
    make_final(warehouse, date(2026, 11, 5))

    (account,) = planned(warehouse, run_on("24", monkeypatch), catch_up_days=9).accounts

    assert account.due.days == november(17, 23) + november(5, 5) + november(8, 16)


def test_each_dataset_is_collected_since_a_day_of_its_own(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the earliest daily run; runs of the past and with dates neither set nor move it."""
    since = "SELECT dataset, since_date::text FROM weixin.collected_since ORDER BY 1"
    planned(warehouse, replace(MANUAL, today=date(2026, 11, 20)))
    (day,) = november(20, 20)
    planned(warehouse, replace(MANUAL, begin_date=day, end_date=day, names_dates=True))
    assert rows(warehouse, since) == []

    planned(warehouse, run_on("22", monkeypatch, is_scheduled=False))
    later = run_on("25", monkeypatch)
    planned(warehouse, replace(later, dataset=ARTICLE_TOTAL_DETAIL))
    planned(warehouse, later)

    assert rows(warehouse, since) == [
        ("article_total", "2026-11-15"),
        ("article_total_detail", "2026-10-26"),
    ]


def test_a_dry_run_writes_nothing(warehouse: Engine) -> None:
    """It decides as the run would, and leaves no trace in the warehouse."""
    (account,) = planned(warehouse, replace(SCHEDULED, dry_run=True)).accounts

    assert account.due.days == november(17, 23)
    for table in ("run_report", "dim_account", "collected_since"):
        assert rows(warehouse, f"SELECT * FROM weixin.{table}") == []


def test_the_accounts_of_a_run(warehouse: Engine) -> None:
    """A run collects those it is limited to; is_active follows the list, a name its connection."""
    active = "SELECT name, is_active FROM weixin.dim_account ORDER BY appid"
    unusable = ConfiguredAccount(TWO.conn_id, None, TWO.conn_id)

    planned(warehouse, accounts=[ONE, TWO, THREE])
    limited = [replace(ONE, name="新名"), replace(TWO, is_wanted=False), THREE]
    assert [it.appid for it in planned(warehouse, MANUAL, limited).accounts] == ["wx1", "wx3"]
    assert rows(warehouse, active) == [("新名", True), ("杂志", True), ("月刊", True)]

    left = planned(warehouse, accounts=[ONE, unusable]).left
    assert rows(warehouse, active) == [("报纸", True), ("杂志", True), ("月刊", False)]
    assert [it.account for it in left] == ["月刊"]

    left = planned(warehouse, accounts=[THREE]).left
    assert [is_active for _, is_active in rows(warehouse, active)] == [False, False, True]
    assert [it.account for it in left] == ["杂志", "报纸"]


def test_a_run_that_is_planned_again(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is planned as of now, without what is final by now, and its record begins anew."""
    planned(warehouse)
    planned(warehouse, MANUAL)
    load_pairs(warehouse, pair(body(), "24 10:30"))
    make_final(warehouse, date(2026, 11, 17))
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T18:00:00+08:00")

    planned(warehouse)

    assert rows(
        warehouse,
        "SELECT run_id, min(day)::text, count(*), sum(calls), max(planned_at), max(attempted_at) "
        "FROM weixin.run_report WHERE run_id != 'before' GROUP BY 1 ORDER BY 1",
    ) == [
        ("manual", "2026-11-17", 7, 0, at("24 10:30"), None),
        (SCHEDULED.run_id, "2026-11-17", 7, 0, at("24 18:00"), None),
    ]


def test_a_batch_in_xcom_is_the_plan_and_has_no_secret(warehouse: Engine) -> None:
    """As Airflow keeps it, it is read back whole; the accounts' secrets are not in it."""
    made = planned(warehouse, accounts=[ONE, TWO])

    kept = msgspec.to_builtins(batches(made.accounts))

    assert convert(kept, list[Batch]) == [[it] for it in made.accounts]
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
def test_batches(count: int, sizes: list[int]) -> None:
    """One account a batch up to 32; more are spread evenly over batches of 8 to 250."""
    appids = [f"wx{n:04}" for n in range(count)]
    accounts = [PlannedAccount(it, it, it, at("24 10:30"), Due(november(23, 23))) for it in appids]

    made = batches(accounts)

    assert [len(batch) for batch in made] == sizes
    assert sorted(account.appid for batch in made for account in batch) == appids
