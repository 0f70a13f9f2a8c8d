"""An endpoint that WeChat took offline: red once, then remembered, skipped and asked weekly."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dag_runs
import pytest
from dag_runs import MORNING, WINDOW, DailyDag, Outcome, asked, loaded, rows, states, truth
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

APPID = DEFAULT_ACCOUNT.appid
FIRST = "2026-11-24 10:30"
OFFLINE = (
    "沙箱公众号 (wx5a4d80c70b1e2f3a): WeChat took this endpoint offline; its successor is "
    "datacube/getarticletotaldetail: the DAG weixin_article_total_detail"
)
RETIRED = """
    SELECT
        appid, dataset,
        to_char(retired_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI'),
        to_char(last_asked_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI')
    FROM weixin.retired ORDER BY appid
"""
COVERAGE = """
    SELECT attempt_state, error_code, data_state, count(*)
    FROM weixin.coverage WHERE appid = :appid
    GROUP BY attempt_state, error_code, data_state
"""


@pytest.fixture
def scheduled(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> DailyDag:
    """The DAG with runs as the scheduler makes them; by itself `dag.test()` makes manual ones."""
    from airflow.serialization.definitions.dag import SerializedDAG
    from airflow.utils.types import DagRunType

    create_dagrun = SerializedDAG.create_dagrun

    def create(dag: SerializedDAG, *, run_id: str, run_type: DagRunType, **values: Any) -> Any:
        assert run_type is DagRunType.MANUAL
        scheduled_id = run_id.replace("manual", "scheduled")
        return create_dagrun(dag, run_id=scheduled_id, run_type=DagRunType.SCHEDULED, **values)

    monkeypatch.setattr(SerializedDAG, "create_dagrun", create)
    return daily


def on(dag: DailyDag, days_later: int, **form: Any) -> Outcome:
    """A run of the morning some days after the first."""
    today = MORNING.date() + timedelta(days=days_later)
    dag.set("WEIXIN_NOW", f"{today}T10:30:00+08:00")
    return dag.run(datetime(today.year, today.month, today.day, 0, 30, tzinfo=UTC), **form)


def test_the_first_refusal_is_red_and_names_the_successor(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """No day comes in, nobody tries again, and the account is written down as retired."""
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [Scenario("offline")]

    outcome = daily.run()

    assert outcome.state == "failed"
    days = ", ".join(map(str, WINDOW))
    assert outcome.said("ingest").startswith(OFFLINE)
    assert outcome.said("ingest").endswith(f"[{days}]")
    assert [task for task, _ in outcome.errors] == ["ingest", "check"]
    assert OFFLINE in outcome.said("check")
    assert asked(sandbox) == {WINDOW[0]: 1}
    assert states(warehouse, outcome) == dict.fromkeys(WINDOW, "failed")
    assert rows(warehouse, COVERAGE, appid=APPID) == [("failed", 47009, None, 7)]
    assert rows(warehouse, RETIRED) == [(APPID, "article_total", FIRST, FIRST)]


def test_the_next_run_skips_the_account_and_is_green(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """It warns, makes no data call and plans nothing; what is known of the days stays."""
    sandbox.scenarios[:] = [Scenario("offline")]
    daily.run()
    sandbox.calls.clear()

    outcome = on(daily, 1)

    assert outcome.state == "success"
    assert outcome.errors == []
    assert asked(sandbox) == {}
    assert states(warehouse, outcome) == {}
    assert "endpoint_is_in_service: 1 against “no account in use is skipped" in outcome.log
    assert f"{APPID} 沙箱公众号 was skipped since 2026-11-24" in outcome.log
    assert "沙箱公众号: not asked, as WeChat said at 2026-11-24" in outcome.log
    assert " final" not in outcome.log
    assert rows(warehouse, COVERAGE, appid=APPID) == [("failed", 47009, None, 7)]
    assert rows(warehouse, RETIRED) == [(APPID, "article_total", FIRST, FIRST)]


def test_another_account_is_not_affected(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """Its days are loaded, while the first account's are refused and when they are skipped."""
    gone, fine = accounts(2)
    sandbox.scenarios[:] = [Scenario("offline", account=gone.appid)]

    red, green = daily.run(), on(daily, 1)

    assert (red.state, green.state) == ("failed", "success")
    assert fine.name not in red.said("check")
    assert green.labels == ["号2"]
    assert loaded(warehouse) == truth(sandbox, fine, WINDOW[:1], MORNING.date()) | truth(
        sandbox, fine, [*WINDOW[1:], date(2026, 11, 24)], date(2026, 11, 25)
    )
    assert rows(warehouse, RETIRED) == [(gone.appid, "article_total", FIRST, FIRST)]


def test_the_successor_is_not_affected(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """An account is retired for one dataset: the DAG that the sentence names loads the rest."""
    sandbox.scenarios[:] = [Scenario("offline")]
    daily.run()
    monkeypatch.setattr(dag_runs, "DAG_ID", "weixin_article_total_detail")

    outcome = daily.run(begin_date="2026-11-22", end_date="2026-11-23")

    assert outcome.state == "success"
    assert rows(warehouse, "SELECT count(*) FROM weixin.fact_article_total_detail") == [(18,)]
    assert "endpoint_is_in_service" not in outcome.log


def test_a_successor_that_is_gone_too_says_that_there_is_no_other(
    daily: DailyDag, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    """The sentence names no DAG that does not exist."""
    monkeypatch.setattr(dag_runs, "DAG_ID", "weixin_article_total_detail")
    sandbox.scenarios[:] = [Scenario("offline", endpoint="getarticletotaldetail")]

    outcome = daily.run()

    assert outcome.state == "failed"
    assert (
        "WeChat took this endpoint offline; it has no successor that is known here"
        in outcome.said("ingest")
    )


def test_a_manual_run_asks_again_only_when_told_to(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Even after weeks; `refetch` asks, and an endpoint still offline is no news: green."""
    sandbox.scenarios[:] = [Scenario("offline")]
    daily.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    daily.run()
    sandbox.calls.clear()

    plain = on(daily, 20)
    calls_of_plain = asked(sandbox)
    forced = on(daily, 20, refetch=True)

    assert (plain.state, forced.state) == ("success", "success")
    assert calls_of_plain == {}
    assert asked(sandbox) == {date(2026, 12, 7): 1}
    assert set(states(warehouse, forced).values()) == {"retired"}
    assert rows(warehouse, RETIRED) == [(APPID, "article_total", FIRST, "2026-12-14 10:30")]


def test_refetch_loads_when_wechat_answers_again(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """The account is retired no longer, and the next run asks as ever."""
    sandbox.scenarios[:] = [Scenario("offline")]
    daily.run()
    sandbox.scenarios.clear()

    forced = on(daily, 0, refetch=True)
    sandbox.calls.clear()
    plain = on(daily, 0)

    assert (forced.state, plain.state) == ("success", "success")
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, WINDOW, MORNING.date())
    assert rows(warehouse, RETIRED) == []
    assert asked(sandbox) == dict.fromkeys(WINDOW[1:], 1)
    assert "endpoint_is_in_service" not in plain.log


def test_a_scheduled_run_asks_again_once_a_week(
    scheduled: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """Not after six days; after seven, and then seven days later; green while still offline."""
    scheduled.set("AIRFLOW__WEIXIN__CONCURRENCY", "1")
    sandbox.scenarios[:] = [Scenario("offline")]
    outcomes = {}
    for days_later in (0, 6, 7, 8, 13, 14):
        sandbox.calls.clear()
        outcome = on(scheduled, days_later)
        outcomes[days_later] = (outcome.state, sum(asked(sandbox).values()))

    assert outcome.run_id.startswith("scheduled__")
    assert outcomes == {
        0: ("failed", 1),
        6: ("success", 0),
        7: ("success", 1),
        8: ("success", 0),
        13: ("success", 0),
        14: ("success", 1),
    }
    assert rows(warehouse, RETIRED) == [(APPID, "article_total", FIRST, "2026-12-08 10:30")]


def test_a_scheduled_run_loads_when_wechat_answers_again(
    scheduled: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """A week later the window is loaded, and the account is no longer retired."""
    sandbox.scenarios[:] = [Scenario("offline")]
    on(scheduled, 0)
    sandbox.scenarios.clear()

    outcome = on(scheduled, 7)

    window = [MORNING.date() + timedelta(days=number) for number in range(7)]
    assert outcome.state == "success"
    assert loaded(warehouse) == truth(sandbox, DEFAULT_ACCOUNT, window, date(2026, 12, 1))
    assert rows(warehouse, RETIRED) == []
    assert "endpoint_is_in_service" not in outcome.log
