"""A whole run of the DAG on the sandbox, and the same run again."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from dag_runs import (
    MORNING,
    DailyDag,
    PlatformDag,
    asked,
    counts,
    fact,
    loaded,
    november,
    rows,
    states,
    truth,
)
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, DATASETS, Dataset
from weixin_sandbox import DEFAULT_ACCOUNT, Account, Sandbox, Scenario
from weixin_sandbox.endpoints import ENDPOINTS


@pytest.mark.parametrize(
    ("dataset", "row_count"), [(ARTICLE_TOTAL, 184), (ARTICLE_TOTAL_DETAIL, 2271)]
)
def test_every_figure_of_the_window_is_loaded_once(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, dataset: Dataset, row_count: int
):
    """The fact is what the sandbox knows of its days; each is asked for once."""
    days = [MORNING.date() - timedelta(days=age) for age in range(dataset.window, 0, -1)]
    figures = truth(sandbox, DEFAULT_ACCOUNT, days, MORNING.date(), dataset)

    outcome = replace(daily, dag_id=dataset.dag_id).run()

    assert outcome.state == "success"
    assert outcome.tasks == {
        "refresh_access_token": "success",
        "plan": "success",
        "ingest": "success",
        "report": "success",
        "check": "success",
    }
    assert outcome.errors == []
    assert outcome.labels == [DEFAULT_ACCOUNT.name]
    assert asked(sandbox) == dict.fromkeys(days, 1)
    assert loaded(warehouse, dataset) == figures
    assert counts(warehouse, outcome) == (len(days), row_count, 0, 0)
    published = {publication_date for _, _, publication_date, _ in figures}
    assert states(warehouse, outcome) == {
        day: "loaded" if day in published else "empty" for day in days
    }


def test_again_and_the_next_morning(daily: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """
    A second run inserts and updates no row; every column is as before, changed_at included.

    A day later each article has one more row, and what was there is untouched.
    """
    daily.run()
    before = fact(warehouse)
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    again = daily.run()

    assert again.state == "success"
    assert len(before) == 184
    assert fact(warehouse) == before
    assert counts(warehouse, again) == (7, 0, 0, 184)
    installations = rows(warehouse, "SELECT DISTINCT installation FROM weixin.run_report")
    assert [len(name) for (name,) in installations] == [32]

    next_morning = daily.on(1)

    assert next_morning.state == "success"
    after = fact(warehouse)
    assert len(after) == 244
    assert [row for row in before if row not in after] == []
    assert loaded(warehouse) == truth(
        sandbox, DEFAULT_ACCOUNT, november(18, 19, 20, 21, 22, 23, 24), date(2026, 11, 25)
    )


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
    of_platform = Account("wx0000000000000007", "", "只授权图文", permission_sets=(7,))
    sandbox.accounts[DEFAULT_ACCOUNT.appid] = DEFAULT_ACCOUNT
    sandbox.component.authorize(of_platform)
    scheduled.collect(["weixin_default", "weixin_platform"])
    week = replace(scheduled, dag_id=dataset.dag_id)
    own, (corrected, late, delayed) = DEFAULT_ACCOUNT.appid, november(23, 24, 25)
    delay = "delayed-text" if ENDPOINTS[dataset.path].says_is_delay else "not-ready-code"
    sandbox.scenarios[:] = [
        Scenario("late-takeoff", own, corrected, endpoint=dataset.endpoint, times=1),
        Scenario("empty", own, late, endpoint=dataset.endpoint, times=2),
        Scenario(delay, own, delayed, endpoint=dataset.endpoint, asked_before=november(27)[0]),
    ]

    # nothing runs on the fourth morning
    mornings = [week.on(0), week.on(1, "08:30"), week.on(2, "12:01"), *map(week.on, (4, 5, 6))]

    has_it = dataset.permission_set in of_platform.permission_sets
    assert [[line.partition(":")[0] for line in it.told("check")] for it in mornings] == [
        [] if has_it else [of_platform.name]
    ] * 6
    assert [n for n, it in enumerate(mornings) if it.state == "success"] == (
        [0, 1, 3, 4, 5] if has_it else []
    )
    waits = f"{DEFAULT_ACCOUNT.name}: run again after 2026-11-27 10:00 Beijing time"
    assert [waits in it.log for it in mornings] == [n == 2 for n in range(6)]
    first, end = MORNING.date() - timedelta(days=dataset.window), date(2026, 11, 30)
    days = [first + timedelta(days=age) for age in range((end - first).days)]
    collected = [DEFAULT_ACCOUNT, *([of_platform] if has_it else [])]
    assert loaded(warehouse, dataset) == {
        key: figures
        for account in collected
        for key, figures in truth(sandbox, account, days, end, dataset).items()
    }
    final = "SELECT publication_date FROM weixin.coverage WHERE is_final AND appid = :appid"
    assert sorted(rows(warehouse, f"{final} ORDER BY 1", appid=own)) == [
        (day,) for day in days if day <= end - timedelta(days=dataset.window)
    ]
    assert rows(warehouse, "SELECT DISTINCT appid, stat_date, kind FROM weixin.restatement") == [
        (own, corrected, "correction")
    ]
