"""The successor endpoint through the same DAG: thirty days, rates to the digit, lists."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from dag_runs import MORNING, DailyDag, asked, counts, rows, states
from sqlalchemy import Engine

from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

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
    return replace(daily, dag_id=DAG_ID)


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
                'raw_response_id', 'fetched_at', 'loaded_at', 'changed_at'
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
        "/cgi-bin/openapi/quota/get",
        "/datacube/getarticletotaldetail",
    }
    assert loaded(warehouse) == truth(sandbox, DAYS, MORNING.date())
    assert counts(warehouse, outcome) == (30, 2271, 0, 0)
    assert states(warehouse, outcome) == {
        day: "empty" if day in SILENT else "loaded" for day in DAYS
    }
