"""A whole run of the DAG on the sandbox, and the same run again."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from dag_runs import MORNING, DailyDag, asked, counts, fact, november, states
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox


@pytest.mark.parametrize(
    ("dataset", "row_count"), [(ARTICLE_TOTAL, 184), (ARTICLE_TOTAL_DETAIL, 2271)]
)
def test_every_figure_of_the_window_is_loaded_once(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, dataset: Dataset, row_count: int
):
    """The fact is what the sandbox knows of its days; each is asked for once."""
    days = [MORNING.date() - timedelta(days=age) for age in range(dataset.window, 0, -1)]
    figures = truth(sandbox, [DEFAULT_ACCOUNT], days, MORNING.date(), dataset)

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
    assert states(warehouse, outcome) == dict.fromkeys(days, "ok")


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

    next_morning = daily.on(1)

    assert next_morning.state == "success"
    after = fact(warehouse)
    assert len(after) == 244
    assert [row for row in before if row not in after] == []
    assert loaded(warehouse) == truth(
        sandbox, [DEFAULT_ACCOUNT], november(18, 19, 20, 21, 22, 23, 24), date(2026, 11, 25)
    )
