"""What the report logs, by how many pairs the run planned, and what it adds up."""

import logging
from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import ACCOUNT, SCHEDULED, article, at, body, load_pairs, pair, refused

from weixin_etl.model import ConfiguredAccount, Due, PlannedAccount, days_of
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run import Work
from weixin_etl.run.check import PAIRS_IN_LOG, check, report
from weixin_etl.run.plan import plan

pytestmark = pytest.mark.usefixtures("now")
WEEK = days_of(date(2026, 11, 17), date(2026, 11, 23))
PLANNED = PlannedAccount(ACCOUNT.conn_id, ACCOUNT.appid, ACCOUNT.name, at("24 08:30"), Due(WEEK))


@pytest.mark.parametrize("is_few", [True, False])
def test_a_line_for_each_pair_of_a_few_accounts(
    warehouse: Engine, caplog: pytest.LogCaptureFixture, is_few: bool
) -> None:
    """A line for each pair of ten thousand accounts would be seventy thousand."""
    others = [replace(PLANNED, appid=f"wx{n}") for n in range(PAIRS_IN_LOG // 7 - is_few)]
    caplog.set_level(logging.INFO)

    totals = report(Work(SCHEDULED, warehouse), [PLANNED, *others])

    assert totals["not_in"] == 7 * (1 + len(others))
    assert len(caplog.messages) == 1 + (totals["not_in"] if is_few else 0)


def test_what_a_run_did_and_the_days_that_changed(warehouse: Engine) -> None:
    """Changed are those with new rows: neither one as it was, nor one that is not in."""
    new, refused_day, same, late = (date(2026, 11, day) for day in (22, 21, 20, 19))
    answers = {
        day: body(article(f"{day:%d}_1", {"22": {"share_user": 5}}), day=day)
        for day in (new, same, late)
    }
    load_pairs(warehouse, pair(answers[same], "23 10:30", day=same), run_id="before")
    load_pairs(
        warehouse,
        pair(answers[new], "24 10:30", day=new),
        pair(answers[same], "24 10:30", day=same),
        pair(answers[late], "24 08:00", day=late),
        refused(WeixinError(ProblemKind.UNREACHABLE), "24 09:00", day=refused_day, calls=3),
    )

    work = Work(SCHEDULED, warehouse)
    judgement = check(work, [], [PLANNED])
    assert report(work, [PLANNED]) == judgement.totals
    assert judgement.totals == {
        **{"calls": 6, "inserted": 2, "updated": 0, "unchanged": 1, "rejected": 0},
        **{"in": 2, "not_in": 5},
    }
    assert judgement.changed_days == [new]


def test_what_a_cleared_run_changed_is_told_when_it_is_green(warehouse: Engine) -> None:
    """Also a day that its new plan leaves out, as it is in."""
    day = date(2026, 11, 10)
    answer = body(article("10_1", {"10": {"share_user": 5}}), day=day)
    load_pairs(warehouse, pair(answer, "24 10:30", day=day))
    work = Work(SCHEDULED, warehouse, now=lambda: at("24 10:40"))

    plan(work, [ConfiguredAccount("weixin_default", "wx1", "报纸")])

    assert check(work, [], [PLANNED]).changed_days == [day]
