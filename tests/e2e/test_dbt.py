"""The dbt package under analytics/dbt, run by dbt's own command as an analyst who may only read."""

import csv
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
import yaml
from analysts.world import BUSY, PAPER, SEED, at, collect, november, stop_clock
from dictionary import dictionary, joins
from generated import files
from people import PROJECT
from sqlalchemy import Engine
from support import HASTE, TODAY, migrated_warehouse, rows

from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL
from weixin_etl.kept.answers import answers_of_pair
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, selected
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.run import Work
from weixin_etl.run.ingest import ingest
from weixin_etl.run.plan import plan
from weixin_local.postgres import Server
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox, Scenario

PACKAGE = PROJECT / "analytics/dbt"
DBT = Path(os.environ.get("DBT_VENV", PROJECT / ".venv-dbt"), "bin/dbt")
(STATEMENTS,) = re.findall(r"```sql\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
"""What the README lets an administrator run: the analyst `li` and a schema of their own."""

MORNINGS = {
    date(2026, 11, 23): {"begin_date": date(2026, 10, 15), "end_date": date(2026, 11, 22)},
    TODAY: {"begin_date": date(2026, 10, 15), "end_date": date(2026, 11, 23)},
}
CORRECTED = {"begin_date": date(2026, 11, 19), "end_date": date(2026, 11, 19)}


@pytest.fixture(scope="module")
def filled(embedded_server: Server) -> Iterator[Engine]:
    """Forty publication days, asked for on two mornings, and an analyst as the README makes one."""
    with migrated_warehouse(embedded_server, "dbt") as engine:
        sandbox = Sandbox()
        with pytest.MonkeyPatch.context() as patch, sandbox.serve() as url:
            account = Account("it", DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, "春风", url)
            for morning, days in MORNINGS.items():
                patch.setenv("WEIXIN_NOW", f"{morning}T11:00:00+08:00")
                load_days(engine, account, days)
            sandbox.scenarios.append(Scenario("falling-total"))
            patch.setenv("WEIXIN_NOW", f"{TODAY}T11:30:00+08:00")
            load_days(engine, account, CORRECTED)
        with engine.begin() as connection:
            # as in docker compose: nobody may what was not granted to them
            connection.exec_driver_sql("REVOKE ALL ON DATABASE dbt FROM PUBLIC")
            connection.exec_driver_sql(STATEMENTS.replace("DATABASE weixin", "DATABASE dbt"))
        yield engine
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY li CASCADE; DROP ROLE li")


def load_days(warehouse: Engine, account: Account, days: dict[str, date]) -> None:
    """Let the pipeline bring in the account's days of both datasets of totals."""
    client = WeixinClient(account, HASTE)
    for dataset in ARTICLE_DATASETS.values():
        run_id = f"{dataset.name} {days}"
        run = Run(run_id, dataset, TODAY, False, **days, names_dates=True, refetch=True)
        configured = [ConfiguredAccount(account.conn_id, account.appid, account.name)]
        batch = plan(Work(run, warehouse), configured).accounts
        ingest(Work(run, warehouse), batch, lambda _: client)


@dataclass(frozen=True)
class Dbt:
    """The analyst at the command line, in a project's folder."""

    project: Path
    environment: dict[str, str]
    artifacts: Path

    def types(self, *arguments: str, tool: str = "dbt") -> subprocess.CompletedProcess[str]:
        """Run `dbt` or a tool beside it and read what it says."""
        return subprocess.run(
            [DBT.with_name(tool), *arguments],
            cwd=self.project,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def does(self, *arguments: str, tool: str = "dbt") -> str:
        """Run it; it must succeed."""
        done = self.types(*arguments, tool=tool)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wrote(self, artifact: str) -> dict[str, Any]:
        """What the last command left, such as `run_results.json`."""
        found: dict[str, Any] = json.loads((self.artifacts / artifact).read_text())
        return found


@pytest.fixture(scope="module")
def dbt(filled: Engine, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """The package as it stands, by the environment its README names."""
    if not DBT.exists():
        assert not os.environ.get("CI"), "there is no dbt"
        pytest.skip("there is no dbt: `make dbt`, which needs Python 3.11 to 3.13")
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
def built(dbt: Dbt) -> Counter[tuple[str, str]]:
    """`dbt build`: how many of what ended how."""
    dbt.does("build")
    results = dbt.wrote("run_results.json")["results"]
    return Counter((result["unique_id"].split(".")[0], result["status"]) for result in results)


AT = """
CREATE SCHEMA IF NOT EXISTS clock;
GRANT USAGE ON SCHEMA clock TO li;
CREATE OR REPLACE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql AS $$
    SELECT timestamptz '{now}'
$$;
ALTER ROLE li SET search_path = clock, pg_catalog, li
"""
"""For dbt's session alone: Postgres asks a schema that stands before pg_catalog first."""


def freshness_at(dbt: Dbt, warehouse: Engine, now: str) -> dict[str, str]:
    """How dbt judges each source at a time in Beijing; it fails when one is an error."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(AT.format(now=f"{now}:00+08"))
    done = dbt.types("source", "freshness")
    judged = freshness(dbt)

    assert done.returncode == ("error" in judged.values()), done.stdout
    return judged


@pytest.fixture
def undone(filled: Engine) -> Iterator[Engine]:
    """The warehouse, for a test that changes what it has of yesterday, or the time."""
    saved = "SELECT * INTO public.saved FROM weixin.coverage"
    with filled.begin() as connection:
        connection.exec_driver_sql(saved)
    yield filled
    with filled.begin() as connection:
        connection.exec_driver_sql(
            "TRUNCATE weixin.coverage; INSERT INTO weixin.coverage SELECT * FROM public.saved; "
            "DROP TABLE public.saved; DELETE FROM weixin.dim_account WHERE appid = 'silent'; "
            "UPDATE weixin.dim_account SET is_active = TRUE; "
            "DROP SCHEMA IF EXISTS clock CASCADE; "
            "ALTER ROLE li RESET search_path"
        )


def freshness(dbt: Dbt) -> dict[str, str]:
    """How dbt judges each source that it asks for its age."""
    results = dbt.wrote("sources.json")["results"]
    return {result["unique_id"].split(".")[-1]: result["status"] for result in results}


def test_the_files_are_the_dictionarys(filled: Engine) -> None:
    """The sources; UPDATE_DOCS=1 writes them anew."""
    made = files(filled)
    if os.environ.get("UPDATE_DOCS"):
        for file, content in made.items():
            file.write_text(content)

    assert {file: file.read_text() for file in made} == made


def test_the_dashboard_depends_on_what_it_reads() -> None:
    """Its exposure names the views that the files under analytics/superset read, and no others."""
    exposures = yaml.safe_load((PACKAGE / "models/exposures.yml").read_text())["exposures"]
    (named,) = [it["depends_on"] for it in exposures if it["type"] == "dashboard"]
    files = (PROJECT / "analytics/superset/export/datasets").rglob("*.yaml")
    datasets = [yaml.safe_load(file.read_text()) for file in files]

    assert named == [
        f'source("weixin", "{view}")'
        for view in sorted({view for dataset in datasets for view in views_of(dataset)})
    ]


def views_of(dataset: dict[str, str]) -> list[str]:
    """The views a dataset of the dashboard reads: those of its query, or the one it is."""
    query = dataset.get("sql") or f"{dataset['schema']}.{dataset['table_name']}"
    return re.findall(r"\banalytics\.(\w+)", query)


def test_every_key_holds(filled: Engine, built: Counter[tuple[str, str]]) -> None:
    """One test for each view and for each model, as do joins; only totals are collected here."""
    views = sqlalchemy.inspect(filled).get_view_names("analytics")
    models = len([*(PACKAGE / "models").glob("*.sql")])
    others = sum(map(len, joins(dictionary(filled)).values()))

    assert len(views) >= 16
    assert {name for name in views if not rows(filled, f"TABLE analytics.{name} LIMIT 1")} == {
        *("account_summary", "article_read", "day_source"),
        *("follower_change", "follower_total"),
    }
    assert built == {
        ("test", "pass"): len([*views, "calendar"]) + models + others,
        ("model", "success"): models,
        ("exposure", "no-op"): 1,
    }


def test_a_broken_key_fails(dbt: Dbt, filled: Engine, built: Counter[tuple[str, str]]) -> None:
    """An account of which there are two rows is a failure."""
    with filled.begin() as connection:
        connection.exec_driver_sql("INSERT INTO li.accounts SELECT * FROM li.accounts")

    done = dbt.types("test", "--select", "accounts,test_name:unique_key")

    (result,) = dbt.wrote("run_results.json")["results"]
    assert done.returncode == 1, done.stdout
    assert (result["status"], result["failures"]) == ("fail", 1)
    with filled.begin() as connection:
        connection.exec_driver_sql(
            "DELETE FROM li.accounts WHERE ctid != (SELECT min(ctid) FROM li.accounts)"
        )


METRICS = (
    "readers_gained_7d",
    "days_incomplete_7d",
    "readers_gained_30d",
    "days_incomplete_30d",
    "share_rate_7d",
)
BY_HAND = """
SELECT date_trunc('week', calendar_date)::date::text, old.account_name,
    sum(old.readers_increment), count(*) FILTER (WHERE NOT old.is_complete),
    sum(new.readers_increment), count(*) FILTER (WHERE NOT new.is_complete),
    sum(old.sharers_increment) / sum(old.readers_increment)
FROM analytics.account_day_7d AS old
INNER JOIN analytics.account_day_30d AS new USING (appid, calendar_date)
WHERE calendar_date <= '2026-11-22'
GROUP BY 1, 2
ORDER BY 1
"""


def test_a_metric_is_what_sql_gives(
    dbt: Dbt, filled: Engine, built: Counter[tuple[str, str]], tmp_path: Path
) -> None:
    """By MetricFlow: none of them adds up running totals."""
    project, answer = tmp_path / "project", tmp_path / "answer.csv"
    shutil.copytree(PACKAGE, project)
    (project / "target").symlink_to(dbt.artifacts)  # MetricFlow looks nowhere else
    own = replace(dbt, project=project)
    by = ["--group-by", "metric_time__week,account__account_name", "--end-time", "2026-11-22"]
    own.does("query", "--metrics", ",".join(METRICS), *by, "--csv", str(answer), tool="mf")
    lines = csv.DictReader(answer.open())
    found = {
        line["metric_time__week"][:10]: [line["account__account_name"], *map(line.get, METRICS)]
        for line in lines
    }
    by_hand = {week: [name, *map(float, values)] for week, name, *values in rows(filled, BY_HAND)}

    assert len(by_hand) == 6
    assert {week: [name, *map(float, values)] for week, (name, *values) in found.items()} == {
        week: [name, *map(pytest.approx, values)] for week, (name, *values) in by_hand.items()
    }


FRESH = {"coverage": "pass", "article_day_7d": "pass", "article_day_30d": "pass"}
NOT_READY = """
UPDATE weixin.coverage SET error_kind = 'not_ready'
WHERE day BETWEEN '2026-11-17' AND '2026-11-23' AND article_count > 0;
UPDATE weixin.coverage SET error_kind = 'not_ready', ready_at = NULL WHERE day = '2026-11-23';
INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)
VALUES ('silent', 'silent', 'silent', TRUE, now());
INSERT INTO weixin.coverage (
    dataset, appid, day, article_count, attempted_at, fetched_at, ready_at
)
SELECT 'article_total', 'silent', day, count, fetched_at, fetched_at, fetched_at
FROM (SELECT fetched_at FROM weixin.coverage LIMIT 1) AS answer
CROSS JOIN (VALUES (DATE '2026-11-23', 0), ('2026-10-19', 1)) AS its (day, count)
"""
"""24 November, had WeChat not computed the day before; beside an account that has fallen silent."""
SILENT_ALONE = """
UPDATE weixin.dim_account SET is_active = appid = 'silent';
DELETE FROM weixin.coverage WHERE appid <> 'silent' AND day > '2026-11-18'
"""


@pytest.mark.parametrize(
    ("now", "coverage"),
    [
        ("2026-11-24 13:00", "pass"),
        ("2026-11-25 11:59", "warn"),
        ("2026-11-25 12:01", "error"),
    ],
)
def test_a_morning_without_a_load_is_an_error_at_noon(
    dbt: Dbt, undone: Engine, now: str, coverage: str
) -> None:
    """Not before, and whatever the hour of the answers of the morning before."""
    assert freshness_at(dbt, undone, now)["coverage"] == coverage


def test_a_morning_that_is_not_ready_is_an_error_at_noon(dbt: Dbt, undone: Engine) -> None:
    """
    Its answers were fetched, but hold nothing of yesterday; a silent account's do not count.

    Unless the others are no longer collected: then it is the only one to be judged.
    """
    with undone.begin() as connection:
        connection.exec_driver_sql(NOT_READY)

    assert freshness_at(dbt, undone, "2026-11-24 13:00")["coverage"] == "error"

    with undone.begin() as connection:
        connection.exec_driver_sql(SILENT_ALONE)
    assert dbt.types("source", "freshness").returncode == 0
    assert freshness(dbt)["coverage"] == "pass"


def test_silence_is_no_error(dbt: Dbt, undone: Engine) -> None:
    """Where nobody published, empty answers are what the morning should bring."""
    with undone.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE weixin.coverage SET article_count = 0, row_count = 0, through_date = NULL, "
            "settled = NULL, list_sha256 = sha256(''); "
            "UPDATE weixin.fact_article_total SET changed_at = '2026-11-15 10:30+08'; "
            "UPDATE weixin.fact_article_total_detail SET changed_at = '2026-11-15 10:30+08'"
        )

    assert freshness_at(dbt, undone, "2026-11-24 13:00") == FRESH | {"article_day_7d": "warn"}


NEWSPAPER = {
    "packages.yml": {"packages": [{"local": str(PACKAGE)}]},
    "profiles.yml": yaml.safe_load((PACKAGE / "profiles.yml").read_text()),
    "dbt_project.yml": {
        "name": "newspaper",
        "profile": "weixin",
        "flags": {"send_anonymous_usage_stats": False},
        "models": {"newspaper": {"+materialized": "table"}},
        "sources": {
            "weixin": {
                "weixin": {
                    "coverage": {"+freshness": {"error_after": {"count": 9, "period": "day"}}}
                }
            }
        },
    },
    "models/best_day.yml": {
        "models": [
            {
                "name": "best_day",
                "data_tests": [{"weixin.unique_key": {"arguments": {"columns": ["appid"]}}}],
            }
        ]
    },
}
"""A project of somebody else's that uses the package, beside its model."""
BEST_DAY = """
SELECT DISTINCT ON (appid) appid, calendar_date FROM {{ ref("account_days_7d") }}
WHERE is_complete ORDER BY appid, readers_increment DESC NULLS LAST
"""


def test_it_is_a_package_for_a_project_of_ones_own(
    dbt: Dbt, filled: Engine, tmp_path: Path
) -> None:
    """That has its models, sources and test by name, and can say how fresh a source must be."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/best_day.sql").write_text(BEST_DAY)
    for file, content in NEWSPAPER.items():
        (tmp_path / file).write_text(yaml.safe_dump(content))
    own = Dbt(tmp_path, dbt.environment, dbt.artifacts)

    own.does("deps")
    own.does("build", "--select", "+best_day")

    coverage = own.wrote("manifest.json")["sources"]["source.weixin.weixin.coverage"]
    assert coverage["freshness"]["error_after"] == {"count": 9, "period": "day"}
    best = rows(
        filled,
        "SELECT calendar_date FROM analytics.account_day_7d WHERE is_complete "
        "ORDER BY readers_increment DESC NULLS LAST LIMIT 1",
    )
    assert rows(filled, "SELECT * FROM li.best_day") == [(DEFAULT_ACCOUNT.appid, best[0][0])]


WEEKS = [november(day) for day in range(3, 24)]
BUILT = {november(day) for day in (3, 4, 5, 10, 14, 18, 23)}
"""The mornings after which dbt runs."""
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
"""What is wrong on a morning of November."""
AGAIN = {
    3: (date(2026, 10, 1), november(2)),
    10: (date(2026, 10, 10), date(2026, 10, 14)),
    11: (november(1), november(2)),
}
"""Days that somebody asks for by hand: on the tenth final ones, which are corrected."""
TAMPERED = date(2026, 10, 18), date(2026, 10, 20)
TAMPER = """
UPDATE weixin.fact_article_total SET int_page_read_user = 1
WHERE publication_date BETWEEN '2026-10-18' AND '2026-10-20'
"""


def weeks(warehouse: Engine, folder: Path) -> Iterator[date]:
    """Three weeks in which whatever can change does; the mornings after which dbt runs."""
    sandbox = Sandbox([BUSY, PAPER], SEED)
    with sandbox.serve() as url, pytest.MonkeyPatch.context() as patch:
        for morning in WEEKS:
            patch.setenv("WEIXIN_NOW", at(morning).isoformat())
            sandbox.scenarios[:] = WRONG.get(morning.day, [])
            paper = "晨报" if morning < november(17) else "晚报"
            accounts = [Account("busy", BUSY.appid, BUSY.secret, BUSY.name, url)]
            if morning < november(18):
                accounts.append(Account("paper", PAPER.appid, PAPER.secret, paper, url))
            for dataset in ARTICLE_DATASETS.values():
                if morning.day in AGAIN:
                    begin, end = AGAIN[morning.day]
                    again = Run("again", dataset, morning, False, begin, end, names_dates=True)
                    collect(replace(again, refetch=True), warehouse, accounts)
                collect(Run(f"{morning}", dataset, morning, is_scheduled=True), warehouse, accounts)
            if morning == november(3):
                with warehouse.begin() as connection:
                    connection.exec_driver_sql(TAMPER)
            if morning == november(12):
                tampered = selected(warehouse, ARTICLE_TOTAL, (), *TAMPERED)
                replay(warehouse, ARTICLE_TOTAL, tampered, ready_hour=10)
            if morning == november(14):
                move(warehouse, november(9), folder / "moved.jsonl")
            if morning in BUILT:
                yield morning


def move(warehouse: Engine, new: date, file: Path) -> None:
    """Import an answer that lists the articles of the oldest day under another."""
    oldest = "SELECT min(publication_date) FROM weixin.dim_article WHERE appid = :appid"
    ((old,),) = rows(warehouse, oldest, appid=BUSY.appid)
    body = json.loads(answers_of_pair(warehouse, ARTICLE_TOTAL, BUSY.appid, old)[-1].body)
    listed = [item | {"ref_date": f"{new}"} for item in body["list"]]
    line = {
        "appid": BUSY.appid,
        "dataset": ARTICLE_TOTAL.name,
        "day": f"{new}",
        "fetched_at": at(november(14)).isoformat(),
        "body": {"list": listed},
    }
    file.write_text(json.dumps(line) + "\n")
    imported = import_files(warehouse, [file], ready_hour=10, commit_bytes=1 << 24)
    assert (imported.answers, bool(listed)) == (1, True)


def differences(warehouse: Engine) -> dict[str, int]:
    """Rows that a table has otherwise than its view, or that one of them lacks."""
    found = {}
    for view in ("article_day_7d", "account_day_7d", "article_day_30d", "account_day_30d"):
        table = f"TABLE li.{view.replace('day', 'days')}"
        both = f"({table} EXCEPT TABLE analytics.{view})"
        either = f"{both} UNION ALL (TABLE analytics.{view} EXCEPT {table})"
        found[view] = len(rows(warehouse, either))
    return {view: count for view, count in found.items() if count}


def test_the_tables_of_days_are_the_views(
    dbt: Dbt, embedded_server: Server, tmp_path: Path
) -> None:
    """After each run of dbt, over weeks in which days are corrected, moved and completed late."""
    run = ["run", "--select", "config.materialized:incremental"]
    own = replace(dbt, environment=dbt.environment | {"PGDATABASE": "weeks"})
    with migrated_warehouse(embedded_server, "weeks") as warehouse, analyst(warehouse):
        for morning in weeks(warehouse, tmp_path):
            stop_clock(warehouse, at(morning, 12))
            own.does(*run)
            assert differences(warehouse) == {}, morning

        with warehouse.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE li.account_days_7d DROP COLUMN is_complete")
        done = own.types(*run)
        assert done.returncode == 1
        assert "build it again by --full-refresh" in done.stdout


@contextmanager
def analyst(warehouse: Engine) -> Iterator[None]:
    """The analyst's schema in another warehouse of the server."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA li AUTHORIZATION li")
    try:
        yield
    finally:
        with warehouse.begin() as connection:
            connection.exec_driver_sql("DROP OWNED BY li CASCADE")
