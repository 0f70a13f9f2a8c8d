"""What the report logs, by how many pairs the run planned, and what it adds up."""

import logging
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import ACCOUNT, SCHEDULED, article, at, body, load_pairs, pair, refused

from weixin_etl.model import ConfiguredAccount, PlannedAccount, days_of
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Work
from weixin_etl.run.check import PAIRS_IN_LOG, check, report
from weixin_etl.run.plan import plan

WEEK = PlannedAccount(
    ACCOUNT.conn_id,
    ACCOUNT.appid,
    ACCOUNT.name,
    at("24 08:30"),
    days_of(date(2026, 11, 17), date(2026, 11, 23)),
)


@pytest.mark.parametrize("count", [PAIRS_IN_LOG // 7, PAIRS_IN_LOG // 7 + 1], ids=["few", "many"])
def test_what_is_logged_of_a_week(warehouse: Engine, caplog: pytest.LogCaptureFixture, count: int):
    """A line for each pair of a few accounts; ten thousand would be seventy thousand lines."""
    counted = body(article("1_1", {"20": {"share_user": 5}, "21": {}}))
    load_pairs(
        warehouse,
        refused(WeixinError(ProblemKind.UNREACHABLE), "24 09:00", day=date(2026, 11, 23), calls=3),
    )
    load_pairs(warehouse, pair(counted, "24 10:30"))
    others = [replace(WEEK, appid=f"wx{number}") for number in range(2, count + 1)]
    caplog.set_level(logging.INFO)

    report(Work(SCHEDULED, warehouse), [WEEK, *others])

    assert caplog.messages[-1] == (
        f"4 calls, 2 inserted, 0 updated, 0 unchanged, 0 rejected, 1 in, {7 * count - 1} not in"
    )
    assert len(caplog.messages) == 1 + (PAIRS_IN_LOG if count == PAIRS_IN_LOG // 7 else 0)
    no_rows = "0 inserted, 0 updated, 0 unchanged, 0 rejected"
    assert (
        caplog.messages[:4][: len(caplog.messages) - 1]
        == [
            f"报纸 2026-11-23: not in; 3 calls, {no_rows}",
            f"报纸 2026-11-22: not in; 0 calls, {no_rows}",
            f"报纸 2026-11-21: not in; 0 calls, {no_rows}",
            "报纸 2026-11-20: in; 1 call, 2 inserted, 0 updated, 0 unchanged, 0 rejected",
        ][: len(caplog.messages) - 1]
    )


def test_the_days_that_changed_are_in_and_have_new_rows(warehouse: Engine):
    """Neither one whose rows are as they were, nor one that is not in."""
    days = [date(2026, 11, day) for day in (22, 20, 19)]
    changed, same, late = (
        body(article(f"{day.day}_1", {"22": {"share_user": 5}}), day=day) for day in days
    )
    load_pairs(warehouse, pair(same, "23 10:30", day=days[1]), run_id="before")
    load_pairs(
        warehouse,
        pair(changed, "24 10:30", day=days[0]),
        pair(same, "24 10:30", day=days[1]),
        pair(late, "24 08:00", day=days[2]),
    )

    totals = {
        **{"calls": 3, "inserted": 2, "updated": 0, "unchanged": 1, "rejected": 0},
        **{"in": 2, "not_in": 5},
    }
    work = Work(SCHEDULED, warehouse)
    judgement = check(work, [], [WEEK])
    assert report(work, [WEEK]) == judgement.totals == totals
    assert judgement.changed_days == [days[0]]


def test_what_a_cleared_run_changed_is_told_when_it_is_green(warehouse: Engine):
    """Also a day that its new plan leaves out, as it is in."""
    day = date(2026, 11, 10)
    load_pairs(
        warehouse,
        pair(body(article("10_1", {"10": {"share_user": 5}}), day=day), "24 10:30", day=day),
    )
    work = Work(SCHEDULED, warehouse, now=lambda: at("24 10:40"))

    plan(work, [ConfiguredAccount("weixin_default", "wx1", "报纸")])

    assert check(work, [], [WEEK]).changed_days == [day]
