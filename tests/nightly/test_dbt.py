"""Tests of the dbt package in analytics/dbt, which dbt's own command runs as a reading analyst."""

import csv
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from analysts.world import BUSY, PAPER, SEED, at, november, stop_clock
from dictionary import dictionary, joins
from sqlalchemy import Engine
from support import migrated_warehouse, rows
from support.people import PROJECT, printed, typed
from world.collector import Collector

from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL
from weixin_etl.kept.answers import kept_answers_of
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, select_slices
from weixin_etl.model import Account, Run
from weixin_local.postgres import Server
from weixin_sandbox import Sandbox, Scenario

PACKAGE = PROJECT / "analytics/dbt"
DBT = Path(os.environ.get("DBT_VENV", PROJECT / ".venv-dbt"), "bin/dbt")
(STATEMENTS,) = re.findall(r"```sql\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
"""The README's statements for an administrator: they create the analyst `li` and a schema."""
DAYS = ("article_day_7d", "account_day_7d", "article_day_30d", "account_day_30d")
"""The views that the package keeps as tables."""

BUILT = {november(day) for day in (3, 4, 5, 10, 14, 17, 18, 23)}
"""The mornings of three weeks after which dbt runs."""
WRONG = {
    4: [Scenario("falling-total", BUSY.appid, november(2))],
    5: [
        Scenario("new-title", BUSY.appid, november(1)),
        Scenario("fewer-articles", PAPER.appid, november(2)),
    ],
    7: [Scenario("not-ready")],
    8: [Scenario("missing-row", BUSY.appid, november(5)), Scenario("late-figures", BUSY.appid)],
    9: [Scenario("odd-row", PAPER.appid, november(8))],
    10: [Scenario("late-takeoff"), Scenario("new-title", PAPER.appid)],
    13: [Scenario("http-500", PAPER.appid)],
}
"""The sandbox's scenarios by the day of November."""
AGAIN = {
    3: (date(2026, 10, 1), november(2)),
    10: (date(2026, 10, 10), date(2026, 10, 14)),
    11: (november(1), november(2)),
}
"""Days collected again by hand, by the day of November; on the 10th final days are corrected."""
MISSED = november(17)
"""A morning without a run. From then on only one of the two accounts is collected."""
TAMPERED = date(2026, 10, 1), date(2026, 10, 3)
"""The first and last of the days that are changed in the table and corrected by a replay."""
TAMPER = """
UPDATE weixin.fact_article_total SET int_page_read_user = 1 WHERE publication_date < '2026-10-04'
"""
ARTICLES = "weixin.dim_article WHERE appid = :appid"


def weeks(warehouse: Engine, folder: Path) -> Iterator[date]:
    """Run three weeks of mornings with all kinds of changes, and yield those before a dbt run."""
    sandbox = Sandbox([BUSY, PAPER], SEED)
    with sandbox.serve() as url, pytest.MonkeyPatch.context() as patch:
        for morning in (november(day) for day in range(3, 24)):
            patch.setenv("WEIXIN_NOW", at(morning).isoformat())
            sandbox.scenarios[:] = WRONG.get(morning.day, [])
            accounts = [Account("busy", BUSY.appid, BUSY.secret, BUSY.name, url)]
            if morning < MISSED:
                paper = "晨报" if morning < november(16) else "晚报"
                accounts.append(Account("paper", PAPER.appid, PAPER.secret, paper, url))
            collector = Collector.of(warehouse, *accounts)
            for dataset in ARTICLE_DATASETS.values() if morning != MISSED else ():
                if again := AGAIN.get(morning.day):
                    run = Run("again", dataset, morning, False, *again, names_dates=True)
                    collector.run(replace(run, refetch=True))
                collector.run(Run(f"{morning}", dataset, morning, is_scheduled=True))
            if morning == november(3):
                run_sql(warehouse, TAMPER)
            if morning == november(12):
                tampered = select_slices(warehouse, ARTICLE_TOTAL, (), *TAMPERED)
                replay(warehouse, ARTICLE_TOTAL, tampered, ready_hour=10)
            if morning == november(14):
                move(warehouse, november(9), folder / "moved.jsonl")
            if morning in BUILT:
                yield morning


def move(warehouse: Engine, new: date, file: Path) -> None:
    """Import an answer that moves the articles of the oldest day to another day."""
    ((old,),) = rows(warehouse, f"SELECT min(publication_date) FROM {ARTICLES}", appid=BUSY.appid)
    body = json.loads(kept_answers_of(warehouse, ARTICLE_TOTAL, BUSY.appid, old)[-1].body)
    listed = [item | {"ref_date": f"{new}"} for item in body["list"]]
    line = {"appid": BUSY.appid, "dataset": ARTICLE_TOTAL.name, "day": f"{new}"}
    line |= {"fetched_at": at(november(14)).isoformat(), "body": {"list": listed}}
    file.write_text(json.dumps(line) + "\n")
    assert import_files(warehouse, [file], ready_hour=10, commit_bytes=1 << 24).answers == 1


def run_sql(warehouse: Engine, sql: str) -> None:
    """Run a statement as the warehouse's owner."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(sql)


@dataclass(frozen=True)
class Dbt:
    """An analyst's command line in the folder of a dbt project."""

    project: Path
    environment: dict[str, str]
    artifacts: Path

    def types(self, *arguments: str, tool: str = "dbt") -> subprocess.CompletedProcess[str]:
        """Run `dbt` or a tool beside it, and return the completed process."""
        return typed(DBT.with_name(tool), *arguments, folder=self.project, **self.environment)

    def does(self, *arguments: str, tool: str = "dbt") -> None:
        """Run `dbt` or a tool beside it, which must succeed."""
        printed(DBT.with_name(tool), *arguments, folder=self.project, **self.environment)

    def wrote(self, artifact: str) -> list[dict[str, Any]]:
        """Return the last command's results from `run_results.json` or `sources.json`."""
        content = json.loads((self.artifacts / artifact).read_text())
        results: list[dict[str, Any]] = content["results"]
        return results


@pytest.fixture(scope="module")
def filled(embedded_server: Server) -> Iterator[Engine]:
    """Create a warehouse and the README's analyst, without rights of PUBLIC."""
    with migrated_warehouse(embedded_server, "dbt") as engine:
        run_sql(engine, "REVOKE ALL ON DATABASE dbt FROM PUBLIC")
        run_sql(engine, STATEMENTS.replace("DATABASE weixin", "DATABASE dbt"))
        yield engine
        run_sql(engine, "DROP OWNED BY li CASCADE; DROP ROLE li")


@pytest.fixture(scope="module")
def dbt(filled: Engine, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """Return a command line in the package, with the environment that its README names."""
    assert DBT.exists(), "there is no dbt: `make test-dbt` installs it with Python 3.11 to 3.13"
    artifacts = tmp_path_factory.mktemp("artifacts")
    environment = {
        "PGHOST": filled.url.host,
        "PGPORT": str(filled.url.port),
        "PGDATABASE": filled.url.database,
        "PGUSER": "li",
        "PGPASSWORD": re.findall(r"PASSWORD '(.*?)'", STATEMENTS)[0],
        "DBT_TARGET_PATH": str(artifacts),
        "DBT_LOG_PATH": str(artifacts / "logs"),
    }
    return Dbt(PACKAGE, environment, artifacts)


@pytest.fixture(scope="module")
def differences(dbt: Dbt, filled: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Run dbt during the weeks, and return for each table how many rows differ from its view."""
    counts = []
    for morning in weeks(filled, tmp_path_factory.mktemp("weeks")):
        stop_clock(filled, at(morning, 12))
        dbt.does("run", "--select", *(view.replace("day", "days") for view in DAYS))
        for view in DAYS:
            table = f"TABLE li.{view.replace('day', 'days')}"
            both = f"({table} EXCEPT TABLE analytics.{view})"
            either = f"{both} UNION ALL (TABLE analytics.{view} EXCEPT {table})"
            counts.append((morning, view, len(rows(filled, either))))
    return counts


@pytest.fixture(scope="module")
def built(dbt: Dbt, differences: list[Any]) -> Counter[tuple[str, str]]:
    """Run `dbt build` after the weeks, and count the results by kind and status."""
    dbt.does("build")
    results = dbt.wrote("run_results.json")
    return Counter((result["unique_id"].split(".")[0], result["status"]) for result in results)


def test_the_tables_of_days_equal_the_views(differences: list[Any]) -> None:
    """The rows are equal after each run of dbt in weeks with corrected, moved and late days."""
    assert len(differences) == len(BUILT) * len(DAYS)
    assert [difference for difference in differences if difference[2]] == []


def test_every_key_holds(filled: Engine, built: Counter[tuple[str, str]]) -> None:
    """dbt has one test for each view, model and join."""
    views = sqlalchemy.inspect(filled).get_view_names("analytics")
    models = len([*(PACKAGE / "models").glob("*.sql")])
    join_tests = sum(map(len, joins(dictionary(filled)).values()))

    assert built == {
        ("test", "pass"): len([*views, "calendar"]) + models + join_tests,
        ("model", "success"): models,
        ("exposure", "no-op"): 1,
    }


BY_HAND = """
SELECT date_trunc('week', calendar_date)::date::text, old.account_name,
    sum(old.readers_increment), count(*) FILTER (WHERE NOT old.is_complete),
    sum(new.readers_increment), count(*) FILTER (WHERE NOT new.is_complete),
    sum(old.sharers_increment) / sum(old.readers_increment)
FROM analytics.account_day_7d AS old
INNER JOIN analytics.account_day_30d AS new USING (appid, calendar_date)
WHERE calendar_date BETWEEN '2026-10-19' AND '2026-11-15'
GROUP BY 1, 2
"""
METRICS = (
    *("readers_gained_7d", "days_incomplete_7d", "readers_gained_30d", "days_incomplete_30d"),
    "share_rate_7d",
)


@pytest.mark.usefixtures("built")
def test_a_metric_equals_the_result_of_sql(dbt: Dbt, filled: Engine, tmp_path: Path) -> None:
    """MetricFlow computes the metrics; none of them adds up running totals."""
    project, answer = tmp_path / "project", tmp_path / "answer.csv"
    shutil.copytree(PACKAGE, project)
    (project / "target").symlink_to(dbt.artifacts)  # MetricFlow reads only this folder
    by = ["--group-by", "metric_time__week,account__account_name"]
    within = ["--start-time", "2026-10-19", "--end-time", "2026-11-15"]
    own = replace(dbt, project=project)
    own.does("query", "--metrics", ",".join(METRICS), *by, *within, "--csv", answer, tool="mf")
    results = {
        (line["metric_time__week"][:10], line["account__account_name"]): [*map(line.get, METRICS)]
        for line in csv.DictReader(answer.open())
    }
    by_hand = {(week, name): values for week, name, *values in rows(filled, BY_HAND)}

    assert len(by_hand) == 8
    assert {key: [*map(float, values)] for key, values in results.items()} == {
        key: [pytest.approx(float(value)) for value in values] for key, values in by_hand.items()
    }


NOW = """
CREATE SCHEMA IF NOT EXISTS clock;
GRANT USAGE ON SCHEMA clock TO li;
CREATE OR REPLACE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT timestamptz '{now}:00+08'
$$;
ALTER ROLE li SET search_path = clock, pg_catalog, li
"""
"""Statements that set the clock of dbt's session: its schema stands before pg_catalog."""


@pytest.mark.usefixtures("built")
def test_a_morning_without_a_complete_answer_is_an_error_at_noon(dbt: Dbt, filled: Engine) -> None:
    """Before noon it is a warning. The hour of the previous morning's answers does not matter."""
    outcomes = []
    for now in ("2026-11-23 13:00", "2026-11-24 11:59", "2026-11-24 12:01"):
        run_sql(filled, NOW.format(now=now))
        done = dbt.types("source", "freshness")
        outcomes += [
            (result["status"], done.returncode)
            for result in dbt.wrote("sources.json")
            if result["unique_id"].endswith(".coverage")
        ]
    run_sql(filled, "DROP SCHEMA clock CASCADE; ALTER ROLE li RESET search_path")

    assert outcomes == [("pass", 0), ("warn", 0), ("error", 1)]


@pytest.mark.usefixtures("built")
def test_dbt_fails_with_a_remedy_if_a_release_changes_columns(dbt: Dbt, filled: Engine) -> None:
    run_sql(filled, "ALTER TABLE li.article_days_7d DROP COLUMN day_number")

    done = dbt.types("run", "--select", "article_days_7d")

    assert (done.returncode, "by --full-refresh" in done.stdout) == (1, True)
