"""The DAG weixin_replay: the kept answers against the fact, and no call to WeChat."""

from dataclasses import replace

import pytest
from dag_runs import DailyDag, fact, rows
from sqlalchemy import Engine

from weixin_sandbox import Sandbox

CORRUPTED = "UPDATE weixin.fact_article_total SET share_user = share_user + 1"


@pytest.fixture
def replaying(daily: DailyDag, sandbox: Sandbox, warehouse: Engine) -> DailyDag:
    """The DAG, after a daily run whose figures somebody has changed."""
    assert daily.run().state == "success"
    with warehouse.begin() as connection:
        connection.exec_driver_sql(CORRUPTED)
    sandbox.calls.clear()
    return replace(daily, dag_id="weixin_replay")


def test_first_a_difference_applied_when_told_to(
    replaying: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """
    Its log says how many rows would change, and nothing is written.

    Then what the form selects, and no more, is restated by the replay. WeChat is not asked.
    """
    before = fact(warehouse)

    diff = replaying.run()

    assert (diff.state, diff.tasks) == ("success", {"diff": "success", "apply": "skipped"})
    assert fact(warehouse) == before
    assert f"7 answers read. This would change:\n{len(before)} rows with other values\n" in diff.log

    selected = {"begin_date": "2026-11-17", "end_date": "2026-11-20"}
    applied = replaying.run(apply=True, accounts=["weixin_default"], **selected)

    assert (applied.state, applied.tasks) == ("success", {"diff": "success", "apply": "success"})
    assert sandbox.calls == []
    days = "SELECT DISTINCT publication_date::text FROM weixin.fact_article_total AS fact "
    restated = (
        "INNER JOIN weixin.restatement USING (appid, msgid, stat_date) WHERE cause = 'replay' "
        "AND new_value = share_user AND old_value = share_user + 1 ORDER BY 1"
    )
    assert rows(warehouse, days + restated) == [(f"2026-11-{day}",) for day in (18, 19, 20)]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"begin_date": "2026-11-20", "end_date": "2026-11-19"}, "begin_date 2026-11-20 is after"),
        ({"aply": True}, "aply"),
    ],
    ids=["days", "name"],
)
def test_what_cannot_be_replayed(daily: DailyDag, form: dict[str, object], said: str):
    """One sentence, and no retry."""
    outcome = replace(daily, dag_id="weixin_replay").run(**form, apply=True)

    assert outcome.state == "failed"
    assert outcome.tasks == {"diff": "failed", "apply": "upstream_failed"}
    assert len(outcome.errors) == 1
    assert said in outcome.log
