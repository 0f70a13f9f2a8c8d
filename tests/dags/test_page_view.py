"""What the page's first view says, by the server."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest
from dag_runs import DailyDag
from sqlalchemy import Engine

from weixin_etl import rules
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.model import Coverage, State
from weixin_etl.trouble.at_work import Airflow

MORNING = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)


def test_an_account_is_found_however_its_connection_is_spelt(
    daily: DailyDag, warehouse: Engine
) -> None:
    """By name, AppID or connection, whatever the capitals."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) "
            "VALUES ('wx1', '沙箱公众号', 'Main_Account', TRUE, now());"
            "INSERT INTO weixin.collected_since VALUES ('wx1', 'article_total', '2026-11-17', 60)"
        )

    searches = ("Main_Account", "main_account", "沙箱", "WX", "nobody")
    found = {it: problems.view(list(DATASETS.values()), it, 0).account_count for it in searches}
    assert found == {"Main_Account": 1, "main_account": 1, "沙箱": 1, "WX": 1, "nobody": 0}


def test_what_lasted_seconds_lasted_a_minute_as_in_the_message(
    daily: DailyDag, warehouse: Engine
) -> None:
    """The server words it, for messages and page alike."""
    from weixin_etl.orchestration.page import problems

    daily.set("WEIXIN_NOW", "2026-11-24T10:40:00+08:00")
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.incident (dataset, kind, account, conn_id, cause, cure, "
            "days, opened_at, seen_at, closed_at) VALUES ('article_total', "
            "'unreachable', '', '', 'down', '', '{}', '2026-11-24 00:31:00+00', "
            "'2026-11-24 00:31:00+00', '2026-11-24 00:31:10+00')"
        )

    (over,) = problems.view(list(DATASETS.values()), "", 0).closed
    assert over["lasted"] == "1 min"


PLANNED = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)
BEFORE, SINCE = datetime(2026, 11, 24, 0, 29, tzinfo=UTC), datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
ACCOUNT = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
    VALUES ('wx1', '春风', 'weixin_default', TRUE, now());
    INSERT INTO weixin.collected_since VALUES ('wx1', 'article_total', '2026-01-01', 60);
"""
PAIR = """
    INSERT INTO weixin.coverage (
        dataset, appid, day, settled, ready_at, article_count, attempted_at, error_kind, error, cure
    )
    VALUES ('article_total', 'wx1', %s, %s, %s, 1, coalesce(%s, now()), %s, 'no JSON', 'mend it')
"""


def pair(
    warehouse: Engine,
    day: date,
    settled: str | None = None,
    ready_at: datetime | None = None,
    error_kind: str | None = "unreadable",
) -> None:
    """What we have of a day, and how its last attempt ended."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(PAIR, (day, settled, ready_at, ready_at, error_kind))


@pytest.mark.parametrize("refetch", [False, True])
def test_the_days_of_a_run_are_in_as_the_runs_colour_has_it(
    daily: DailyDag, warehouse: Engine, *, refetch: bool
) -> None:
    """Whoever asked: of the run, of each account, and of a run that is at work."""
    from weixin_etl.orchestration.airflow_state import AirflowRun
    from weixin_etl.orchestration.page import runs
    from weixin_etl.orchestration.page.reader import Figures

    known = {
        date(2026, 11, number + 1): Coverage(settled=settled, ready_at=ready_at)
        for number, (settled, ready_at) in enumerate(
            product((None, "final"), (None, BEFORE, PLANNED, SINCE))
        )
        if settled is None or ready_at
    }
    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
        connection.exec_driver_sql(
            "INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at) "
            "SELECT 'one', 'article_total', 'wx1', date '2026-11-01' + n, %s "
            "FROM generate_series(0, 8) AS n WHERE n <> 4",
            (PLANNED,),
        )
    for day, what in known.items():
        pair(warehouse, day, what.settled, what.ready_at)
    airflow = Airflow({})
    at_work = replace(airflow, runs={ARTICLE_TOTAL.name: {"one"}})

    def airflow_runs(*_: Any) -> dict[str, AirflowRun]:
        return {"one": AirflowRun("one", "failed", "manual", MORNING, None, is_refetch=refetch)}

    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING)
        (ended,), (working,) = (
            runs.view(of, it, airflow_runs, 0).runs for it in (airflow, at_work)
        )
        (account,) = runs.accounts(of, airflow_runs, "one")

    days = [date(2026, 11, number) for number in (1, 2, 3, 4, 6, 7, 8, 9)]
    not_in = [it for it in days if not rules.is_in(known.get(it), PLANNED, refetch=refetch)]
    assert ended.counts
    assert (ended.counts["pairs"], ended.counts["not_in"]) == (8, len(not_in))
    assert account["not_in"] == len(not_in)
    assert (ended.is_at_work, working.is_at_work) == (False, True)
    by_plan = [it for it in days if not rules.is_in(known.get(it), PLANNED, refetch=False)]
    assert (ended.days_left, working.days_left) == (0, len(by_plan))
    assert [it["state"] for it in account["states"]] == ["final", "silent", "late"]
    assert account["states"][0]["days"] == "2026-11-06 to 2026-11-08"


def test_calendar_story_run_and_status_say_the_same_word(
    daily: DailyDag, warehouse: Engine
) -> None:
    """For every day at the same minute; beside it, and apart, how the last attempt ended."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures
    from weixin_etl.trouble import status

    airflow = Airflow({})
    noon = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
    pair(warehouse, date(2026, 8, 3))
    pair(warehouse, date(2026, 11, 1), "given_up")
    pair(warehouse, date(2026, 11, 2), "final", SINCE)
    pair(warehouse, date(2026, 11, 3), None, SINCE, None)
    pair(warehouse, date(2026, 11, 23), None, SINCE, "not_ready")

    for now, newest in ((MORNING, State.IN), (noon, State.IN)):
        with warehouse.connect() as connection:
            of = Figures(connection, ARTICLE_TOTAL, now)
            shown = calendar.view(
                of, airflow, last=None, days=120, search="", offset=0, only_trouble=False
            )
            (account,) = status.read(connection, None, now=now, datasets=[ARTICLE_TOTAL]).accounts
            (row,) = shown.accounts
            days = [date.fromordinal(shown.first.toordinal() + n) for n in range(120)]
            words = dict(zip(days, row.states, strict=True))
            endings = dict(zip(days, row.endings, strict=True))
            stories = {day: calendar.story(of, "wx1", day) for day in days[::7]}

        assert words[date(2026, 8, 3)] is State.LOST
        assert words[date(2026, 11, 1)] is State.GIVEN_UP
        assert words[date(2026, 11, 2)] is State.FINAL
        assert words[date(2026, 11, 3)] is State.SILENT
        assert words[date(2026, 11, 23)] is newest
        assert words[date(2026, 11, 22)] is State.LATE
        listed = {day: state for state, those in account.days.items() for day in those}
        told = {day: state for day, state in listed.items() if day in words}
        assert {day: words[day] for day in told} == told
        assert len(told) == 119  # all but the final one
        assert {state for day, state in listed.items() if day not in words} == {State.LOST}
        assert {day: it and it.state for day, it in stories.items()} == {
            day: words[day] for day in stories
        }
        assert [endings[date(2026, 11, day)] for day in (1, 2, 3, 22, 23)] == [
            *("failed", "failed", "ok"),
            *(None, "not_ready"),
        ]


def test_the_form_for_a_day_asks_for_its_neighbours_in_the_same_state(
    daily: DailyDag, warehouse: Engine
) -> None:
    """What is settled is asked for again with refetch only."""
    from weixin_etl.orchestration.page import calendar
    from weixin_etl.orchestration.page.reader import Figures

    with warehouse.begin() as connection:
        connection.exec_driver_sql(ACCOUNT)
    pair(warehouse, date(2026, 11, 19), "given_up")
    pair(warehouse, date(2026, 11, 23), None, SINCE)

    with warehouse.connect() as connection:
        of = Figures(connection, ARTICLE_TOTAL, MORNING)
        late, given_up = (calendar.story(of, "wx1", date(2026, 11, day)) for day in (21, 19))

    assert late
    assert late.form == {
        "begin_date": date(2026, 11, 20),
        "end_date": date(2026, 11, 22),
        "accounts": ["wx1"],
    }
    assert given_up
    assert given_up.coverage
    assert given_up.form["refetch"]
    assert (given_up.coverage["ending"], given_up.coverage["error"]) == ("failed", "no JSON")


def test_a_warehouse_that_cannot_be_read_is_all_that_is_said(
    daily: DailyDag, warehouse: Engine
) -> None:
    """Nothing is known of accounts, and nothing of the past."""
    from weixin_etl.orchestration.page import problems

    with warehouse.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE weixin.coverage")
        found = problems.view(list(DATASETS.values()), "", 0)

    assert (found.is_read, found.is_healthy, found.account_count) == (False, False, 0)
    assert found.problems[0]["kind"] == "warehouse"
    assert "not_asked" not in [it["kind"] for it in found.problems]
