"""A week of each DAG of statistics days on the sandbox, by the simulated clock."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from dag_runs import MORNING, DailyDag, PlatformDag, november, rows
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLES_SET, DATASETS, Dataset
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox, Scenario
from weixin_sandbox.endpoints import ENDPOINTS


@pytest.mark.parametrize(
    "dataset", [it for it in DATASETS.values() if it.is_optional], ids=lambda it: it.name
)
def test_a_week_of_statistics_days(
    platform: PlatformDag,
    scheduled: DailyDag,
    sandbox: Sandbox,
    warehouse: Engine,
    dataset: Dataset,
):
    """
    A corrected figure, a late morning, a delayed answer and a missed day: the fact is the truth.

    One account has a connection; the other has granted a platform the articles but not the
    followers (61007): a dataset of followers lacks it, and none of articles does.
    """
    of_platform = Account("wx0000000000000007", "", "只授权图文")
    sandbox.accounts[DEFAULT_ACCOUNT.appid] = DEFAULT_ACCOUNT
    sandbox.component.authorize(of_platform)
    scheduled.collect(["weixin_default", "weixin_platform"])
    week = replace(scheduled, dag_id=dataset.dag_id)
    own, (corrected, late, delayed) = DEFAULT_ACCOUNT.appid, november(23, 24, 25)
    delay = "delayed-text" if ENDPOINTS[dataset.path].says_is_delay else "not-ready-code"
    has_it = dataset.permission_set == ARTICLES_SET
    sandbox.scenarios[:] = [
        *([] if has_it else [Scenario("errcode:61007", of_platform.appid)]),
        Scenario("late-takeoff", own, corrected, endpoint=dataset.endpoint, times=1),
        Scenario("empty", own, late, endpoint=dataset.endpoint, times=2),
        Scenario(delay, own, delayed, endpoint=dataset.endpoint),
    ]

    mornings = [week.on(0), week.on(1, "08:30"), week.on(2, "12:01")]
    sandbox.scenarios.pop()
    mornings += map(week.on, (4, 5, 6))  # nothing runs on the fourth morning

    assert [[line.partition(":")[0] for line in it.told("check")] for it in mornings] == [
        [] if has_it else [of_platform.name]
    ] * 6
    assert [n for n, it in enumerate(mornings) if it.state == "success"] == (
        [0, 1, 3, 4, 5] if has_it else []
    )
    waits = f"{DEFAULT_ACCOUNT.name}: nothing to do: scheduled runs ask again"
    assert [waits in it.log for it in mornings] == [n in (1, 2) for n in range(6)]
    first, end = MORNING.date() - timedelta(days=dataset.window), date(2026, 11, 30)
    days = [first + timedelta(days=age) for age in range((end - first).days)]
    collected = [DEFAULT_ACCOUNT, *([of_platform] if has_it else [])]
    assert loaded(warehouse, dataset) == truth(sandbox, collected, days, end, dataset)
    final = "SELECT day FROM weixin.coverage WHERE settled = 'final' AND appid = :appid"
    assert rows(warehouse, f"{final} ORDER BY 1", appid=own) == [
        (day,) for day in days if day <= end - timedelta(days=dataset.window)
    ]
    replaced = "SELECT DISTINCT appid, stat_date, cause FROM weixin.fact_history"
    assert rows(warehouse, replaced) == [(own, corrected, "wechat")]
