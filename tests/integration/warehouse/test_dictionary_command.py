"""`weixin-etl dictionary`: what every column of the analysts' views means."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from weixin_etl import cli
from weixin_etl.warehouse.views import views


@pytest.fixture
def entries(connected: None, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """As the command prints it as JSON; the CSV says the same."""
    assert cli.main(["dictionary", "--format", "json"]) == 0
    listed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert cli.main(["dictionary"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert lines == [
        {name: "" if value is None else str(value) for name, value in entry.items()}
        for entry in listed
    ]
    return listed


def test_the_file_is_the_dictionary_alone(warehouse: Engine, tmp_path: Path):
    """What Airflow logs, as of a password too short to be masked, goes to stderr."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("CREATE ROLE short LOGIN PASSWORD 'abc' IN ROLE weixin_loader")
        connection.exec_driver_sql("GRANT USAGE ON SCHEMA analytics TO short")
    url = warehouse.url.set(drivername="postgresql", username="short", password="abc")
    found = {"AIRFLOW_CONN_WEIXIN_WAREHOUSE": url.render_as_string(hide_password=False)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "weixin_etl.cli", "dictionary"],
            env={**os.environ, **found, "AIRFLOW_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY short; DROP ROLE short")

    assert done.returncode == 0, done.stderr
    assert "too short" in done.stderr
    assert done.stdout.startswith("view,column,type,")


@pytest.mark.every_postgres
def test_it_is_the_catalogue(entries: list[dict[str, Any]]):
    """Every column of every view in order, and of the calendar, in both languages."""
    by_view: dict[str, list[str]] = {}
    for entry in entries:
        by_view.setdefault(entry["view"], []).append(entry["column"])
    calendar = by_view.pop("calendar")

    assert by_view == {view.name: list(view.columns) for view in views()}
    assert {"calendar_date", "iso_week", "weekday_chinese_name"} <= set(calendar)
    assert [entry for entry in entries if not entry["english"] or not entry["chinese"]] == []


def test_a_figure_says_how_it_adds_up(entries: list[dict[str, Any]]):
    """A total, an increment and a rate."""
    article_day = {
        entry["column"]: entry for entry in entries if entry["view"] == "article_day_30d"
    }
    picked = ("share_user", "sharers_increment", "read_finish_rate", "stat_date", "title")

    assert {
        name: tuple(article_day[name][it] for it in ("type", "is_key", "unit", "additivity"))
        for name in picked
    } == {
        "share_user": ("bigint", False, "people", "cumulative"),
        "sharers_increment": ("bigint", False, "people", "additive"),
        "read_finish_rate": ("numeric", False, "share", "level"),
        "stat_date": ("date", True, None, None),
        "title": ("text", False, None, None),
    }
    assert article_day["share_user"]["english"] == (
        "People who shared the article, from publication to the end of stat_date; NULL when WeChat "
        "did not give it"
    )
    assert article_day["share_user"]["chinese"] == "分享人数（自发布起累计）"
