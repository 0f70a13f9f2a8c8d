"""What a load costs does not grow with the fact: it looks its rows up by the fact's key."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load.stage import SeenArticle, StagedPair, stage
from weixin_etl.parse import parse
from weixin_etl.warehouse import source, statement
from weixin_local.postgres import Server

HISTORY_ROWS = 500_000
FACT = ARTICLE_TOTAL.fact
KEY = f"{FACT}_pkey"
KEY_COLUMNS = ("appid", "msgid", "stat_date")
LOADED_AT = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def long_history(embedded_server: Server) -> Iterator[Engine]:
    """A migrated warehouse whose fact has half a million rows that nobody has analysed."""
    embedded_server.create_database("history")
    url = embedded_server.url("history")
    the_warehouse.migrate(url)
    engine = the_warehouse.engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE weixin.{FACT} SET (autovacuum_enabled = off)")
        connection.exec_driver_sql(
            f"INSERT INTO weixin.{FACT} (appid, msgid, stat_date, publication_date, "  # noqa: S608 # a declared name
            "int_page_read_count, raw_response_id, fetched_at, changed_at) "
            "SELECT 'wx1', article || '_1', date '2024-01-01' + article / 100 + day, "
            "date '2024-01-01' + article / 100, day, 1, now(), now() "
            f"FROM generate_series(1, {HISTORY_ROWS} / 7) AS article, generate_series(0, 6) AS day"
        )
    yield engine
    engine.dispose()


def staged_pairs(articles_a_day: int = 4) -> list[StagedPair]:
    """A week's answers: articles that the fact knows, with a row a day each."""
    pairs = []
    for age in range(7):
        day = date(2024, 6, 1) + timedelta(days=age)
        first = (day - date(2024, 1, 1)).days * 100
        items = [
            {
                "ref_date": day.isoformat(),
                "msgid": f"{first + number}_1",
                "details": [
                    {"stat_date": (day + timedelta(days=n)).isoformat(), "int_page_read_count": n}
                    for n in range(7)
                ],
            }
            for number in range(articles_a_day)
        ]
        parsed = parse(ARTICLE_TOTAL, json.dumps({"list": items}).encode(), day, LOADED_AT)
        seen = [SeenArticle(item, LOADED_AT, LOADED_AT) for item in parsed.articles.values()]
        pairs.append(StagedPair(day, age + 1, seen))
    return pairs


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def plan_of(connection: Connection, path: str, **values: Any) -> list[dict[str, Any]]:
    """The nodes of the plan of a statement of the load, with a week staged."""
    stage(connection, ARTICLE_TOTAL, staged_pairs())
    explained = connection.execute(
        sqlalchemy.text("EXPLAIN (FORMAT json) " + source(path, ARTICLE_TOTAL)),
        {"dataset": ARTICLE_TOTAL.name, **values},
    ).scalar_one()
    connection.exec_driver_sql("DROP TABLE staged_row, staged_article")
    return list(nodes(explained[0]["Plan"]))


def are_by_the_key(found: list[dict[str, Any]], *columns: str) -> bool:
    """Whether the fact is read once, by an index scan on these columns of its key."""
    (into_the_fact,) = (
        node
        for node in found
        if node["Node Type"] != "ModifyTable" and node.get("Relation Name") == FACT
    )
    condition = into_the_fact.get("Index Cond", "")
    return into_the_fact.get("Index Name") == KEY and all(
        f"({column} =" in condition for column in columns
    )


@pytest.mark.parametrize("is_analysed", [False, True], ids=["never analysed", "analysed"])
def test_load_looks_rows_up_by_the_key(long_history: Engine, is_analysed: bool):
    """Half a million rows of history: an index scan on the key, nothing that reads it whole."""
    if is_analysed:
        with long_history.begin() as connection:
            connection.exec_driver_sql(f"ANALYZE weixin.{FACT}")

    with long_history.connect() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT count(*) FROM weixin.{FACT}"  # noqa: S608 # a declared name
        ).scalar_one()
        connection.execute(statement("fact/pin_plan.sql"))
        found = plan_of(connection, "fact/load.sql", appid="wx1", changed_at=LOADED_AT)

    assert rows > HISTORY_ROWS - 7
    assert are_by_the_key(found, *KEY_COLUMNS)
    assert {"Hash Join", "Merge Join"}.isdisjoint(node["Node Type"] for node in found)


def test_an_account_the_statistics_do_not_know_is_looked_up_by_the_key(long_history: Engine):
    """It came since they were made, with many rows: each of them would be compared with each."""
    days = [date(2026, 11, day) for day in range(17, 24)]
    with long_history.begin() as connection:
        connection.exec_driver_sql(f"ANALYZE weixin.{FACT}")

    with long_history.connect() as connection:
        connection.execute(statement("fact/pin_plan.sql"))
        load = plan_of(connection, "fact/load.sql", appid="wx2", changed_at=LOADED_AT)
        ready = plan_of(
            connection, "coverage/still_counting.sql", appid="wx2", yesterdays=days[-1:]
        )
        final = plan_of(connection, "fact/open_days.sql", appid="wx2", publication_dates=days)

    assert are_by_the_key(load, *KEY_COLUMNS)
    assert are_by_the_key(ready, *KEY_COLUMNS)
    assert are_by_the_key(final, "appid", "msgid")


@pytest.mark.parametrize("table", ["dim_article", "article_sighting"])
def test_the_next_morning_rewrites_articles_in_their_pages(long_history: Engine, table: str):
    """Each is seen again each morning: no index gets an entry for that."""
    ids = {"dataset": ARTICLE_TOTAL.name, "appid": "wx3"}
    count = sqlalchemy.text(
        "SELECT pg_stat_get_xact_tuples_updated(:oid), pg_stat_get_xact_tuples_hot_updated(:oid)"
    )
    with long_history.connect() as connection:
        stage(connection, ARTICLE_TOTAL, staged_pairs(articles_a_day=100))
        oid = connection.exec_driver_sql(f"SELECT 'weixin.{table}'::regclass::oid").scalar_one()

        for _ in ("the first morning", "the next"):
            connection.execute(statement(f"{table}/load.sql"), ids)
        updated, in_their_pages = connection.execute(count, {"oid": oid}).one()

    assert updated == in_their_pages == 700
