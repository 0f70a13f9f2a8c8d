"""The successor endpoint through the same DAG: thirty days, rates to the digit, lists, is_delay."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dag_runs
import pytest
from dag_runs import MORNING, REPOSITORY, DailyDag, asked, counts, rows, states
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

ENDPOINT = "getarticletotaldetail"
DAG_ID = "weixin_article_total_detail"
DAYS = [date(2026, 10, 25) + timedelta(days=number) for number in range(30)]
"""The publication days of `MORNING`: 25 October to 23 November."""
SILENT = {
    date(2026, 10, 26),
    *(date(2026, 11, day) for day in (3, 5, 6, 11, 12, 15, 17)),
}
"""Those of them without an article."""

Figures = dict[tuple[str, str, str, str], dict[str, Any]]
"""A row by appid, msgid, publication day and stat_date; decimal numbers as they are written."""


@pytest.fixture
def successor(daily: DailyDag, monkeypatch: pytest.MonkeyPatch) -> DailyDag:
    """The successor's DAG, with the account of `daily`."""
    monkeypatch.setattr(dag_runs, "DAG_ID", DAG_ID)
    return daily


def truth(sandbox: Sandbox, days: list[date], asked_on: date) -> Figures:
    """What the sandbox knows of publication days, read as plainly as can be."""
    answers = {
        day: sandbox.answer(DEFAULT_ACCOUNT.appid, day, asked_on, endpoint=ENDPOINT) for day in days
    }
    return {
        (DEFAULT_ACCOUNT.appid, article["msgid"], str(day), row.pop("stat_date")): row
        for day, answer in answers.items()
        for article in json.loads(answer, parse_float=str)["list"]
        for row in article["detail_list"]
    }


def loaded(warehouse: Engine) -> Figures:
    """The fact in the form of `truth`."""
    sql = """
        SELECT appid, msgid, publication_date::text, stat_date::text, (
            to_jsonb(fact) - ARRAY[
                'appid', 'msgid', 'publication_date', 'stat_date',
                'raw_response_id', 'fetched_at', 'changed_at'
            ]
        )::text
        FROM weixin.fact_article_total_detail AS fact
        WHERE extra IS NULL
    """
    return {
        (appid, msgid, publication_date, stat_date): {
            name: value
            for name, value in json.loads(figures, parse_float=str).items()
            if name != "extra"
        }
        for appid, msgid, publication_date, stat_date, figures in rows(warehouse, sql)
    }


def fact(warehouse: Engine) -> list[tuple[Any, ...]]:
    """The whole fact, every column."""
    return rows(
        warehouse,
        "SELECT * FROM weixin.fact_article_total_detail ORDER BY appid, msgid, stat_date",
    )


def test_the_folder_holds_a_dag_per_endpoint(airflow: None):
    """The same tasks under two names, each with its own description, tag and asset."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(REPOSITORY / "dags"))

    assert bag.import_errors == {}
    assert set(bag.dags) == {"weixin_article_total", "weixin_article_total_detail"}
    assert [
        (dag.description, dag.tags, [outlet.name for outlet in dag.task_dict["report"].outlets])
        for _, dag in sorted(bag.dags.items())
    ] == [
        (
            "Totals of each article and day, from datacube/getarticletotal",
            {"weixin", "article_total"},
            ["weixin_article_total"],
        ),
        (
            "Totals of each article and day, from datacube/getarticletotaldetail",
            {"weixin", "article_total_detail"},
            ["weixin_article_total_detail"],
        ),
    ]
    first, second = bag.dags.values()
    assert [task.task_id for task in first.tasks] == [task.task_id for task in second.tasks]


def test_every_figure_of_thirty_days_is_loaded_once(
    successor: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """The fact is what the sandbox knows, to the digit; each day is asked for once."""
    outcome = successor.run()

    assert outcome.state == "success"
    assert outcome.errors == []
    assert asked(sandbox) == dict.fromkeys(DAYS, 1)
    assert {call.path for call in sandbox.calls} == {
        "/cgi-bin/stable_token",
        "/datacube/getarticletotaldetail",
    }
    assert loaded(warehouse) == truth(sandbox, DAYS, MORNING.date())
    assert counts(warehouse, outcome) == (30, 2271, 0, 0)
    assert states(warehouse, outcome) == {
        day: "empty" if day in SILENT else "loaded" for day in DAYS
    }


def test_rates_are_numbers_and_lists_keep_their_texts(successor: DailyDag, warehouse: Engine):
    """Postgres holds decimal numbers and Chinese scenes, ready to be asked for."""
    successor.run(begin_date="2026-11-23", end_date="2026-11-23")

    first = """
        SELECT
            read_user, read_delivery_rate::text, read_avg_activetime::text,
            pg_typeof(read_finish_rate)::text, read_user_source -> 1 ->> 'scene_desc',
            read_jump_position -> 1
        FROM weixin.fact_article_total_detail WHERE msgid = '2247492397_1'
    """
    assert rows(warehouse, first) == [
        (2083, "0.0225275", "2.991412", "numeric", "公众号消息", {"position": 2, "rate": 0.157195})
    ]


def test_running_again_changes_nothing(successor: DailyDag, warehouse: Engine):
    """No row is inserted or updated, every column is as before; the final day is not asked for."""
    successor.run()
    before = fact(warehouse)
    successor.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    outcome = successor.run()

    assert outcome.state == "success"
    assert len(before) == 2271
    assert fact(warehouse) == before
    assert counts(warehouse, outcome) == (29, 0, 0, 2271 - 210)


def test_the_next_morning_brings_the_next_row(
    successor: DailyDag, sandbox: Sandbox, warehouse: Engine
):
    """A day later each article has one more row, and what was there is untouched."""
    successor.run()
    before = fact(warehouse)
    successor.set("WEIXIN_NOW", "2026-11-25T10:30:00+08:00")
    sandbox.calls.clear()

    outcome = successor.run(datetime(2026, 11, 25, 0, 30, tzinfo=UTC))

    tomorrows = [day + timedelta(days=1) for day in DAYS]
    assert outcome.state == "success"
    assert asked(sandbox) == dict.fromkeys(tomorrows, 1)
    assert set(map(repr, before)) <= set(map(repr, fact(warehouse)))
    assert loaded(warehouse) == truth(sandbox, DAYS[:1], date(2026, 11, 24)) | truth(
        sandbox, tomorrows, date(2026, 11, 25)
    )


def test_days_before_its_first_are_refused(successor: DailyDag, sandbox: Sandbox):
    """The successor starts on 2025-11-01."""
    outcome = successor.run(begin_date="2025-10-31", end_date="2025-11-02")

    assert outcome.said("plan") == (
        "begin_date 2025-10-31 is too early: getarticletotaldetail starts on 2025-11-01"
    )
    assert asked(sandbox) == {}


@pytest.mark.parametrize("name", ["delayed", "delayed-text"])
def test_a_delayed_day_is_not_ready(
    successor: DailyDag, sandbox: Sandbox, warehouse: Engine, name: str
):
    """WeChat's own word is enough, beside days that are whole; what it gave is kept."""
    delayed = date(2026, 11, 18)
    sandbox.scenarios[:] = [Scenario(name, day=delayed)]

    outcome = successor.run(begin_date="2026-11-18", end_date="2026-11-19")

    assert outcome.state == "failed"
    assert states(warehouse, outcome) == {delayed: "not_ready", date(2026, 11, 19): "loaded"}
    assert "the figures are not ready" in outcome.said("ingest")
    assert loaded(warehouse) == truth(sandbox, [delayed], date(2026, 11, 23)) | truth(
        sandbox, [date(2026, 11, 19)], date(2026, 11, 24)
    )


def test_a_delayed_morning_is_made_up_for(successor: DailyDag, sandbox: Sandbox, warehouse: Engine):
    """Every day still counting is open, silent ones too; asked again later, all is in."""
    sandbox.scenarios[:] = [Scenario("delayed")]
    early = successor.run()
    sandbox.scenarios.clear()
    successor.set("WEIXIN_NOW", "2026-11-24T13:00:00+08:00")

    late = successor.run()

    assert early.state == "failed"
    assert late.state == "success"
    assert loaded(warehouse) == truth(sandbox, DAYS, MORNING.date())


def test_what_the_other_dataset_knows_makes_no_day_unready(
    daily: DailyDag, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Articles the successor was never asked for have no row of it, and a silent day is empty."""
    silent = date(2026, 11, 17)
    daily.set("WEIXIN_NOW", "2026-11-18T10:30:00+08:00")
    daily.run(datetime(2026, 11, 18, 0, 30, tzinfo=UTC))
    monkeypatch.setattr(dag_runs, "DAG_ID", DAG_ID)

    outcome = daily.run(begin_date="2026-11-17", end_date="2026-11-17")

    assert outcome.state == "success"
    assert states(warehouse, outcome) == {silent: "empty"}


def test_both_datasets_describe_the_same_article(
    daily: DailyDag, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Each tells what the other does not know, in one row per article; each has its own fact."""
    yesterday = {"begin_date": "2026-11-23", "end_date": "2026-11-23"}
    daily.run(**yesterday)
    monkeypatch.setattr(dag_runs, "DAG_ID", DAG_ID)

    outcome = daily.run(**yesterday)

    assert outcome.state == "success"
    articles = """
        SELECT count(*), count(publish_type), count(user_source), count(url), count(content_url)
        FROM weixin.dim_article
    """
    assert rows(warehouse, articles) == [(10, 10, 10, 10, 10)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.fact_article_total") == [(10,)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.fact_article_total_detail") == [(10,)]
    assert rows(warehouse, "SELECT dataset, data_state FROM weixin.coverage ORDER BY dataset") == [
        ("article_total", "loaded"),
        ("article_total_detail", "loaded"),
    ]


def test_an_article_that_one_dataset_never_listed_is_no_warning(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """Each answers for its own: one that vanished from it is told, whoever lists it still."""
    yesterday = {"begin_date": "2026-11-23", "end_date": "2026-11-23"}
    fewer = Scenario("fewer-articles", endpoint=ENDPOINT)
    daily.run(**yesterday)
    monkeypatch.setattr(dag_runs, "DAG_ID", DAG_ID)
    sandbox.scenarios[:] = [fewer]
    daily.set("WEIXIN_NOW", "2026-11-24T10:45:00+08:00")
    never_there = daily.run(**yesterday)
    sandbox.scenarios.clear()
    daily.run(**yesterday)
    sandbox.scenarios[:] = [fewer]
    daily.set("WEIXIN_NOW", "2026-11-24T11:00:00+08:00")

    vanished = daily.run(**yesterday)

    assert (never_there.state, vanished.state) == ("success", "success")
    assert "article_is_still_there: " not in never_there.log
    assert "sibling_has_yesterday: " not in never_there.log
    assert "article_is_still_there: 1 against" in vanished.log
