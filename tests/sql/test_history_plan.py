"""
What reading costs, however much there is.

Of the history an index scan and the changes since.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine
from support import migrated_warehouse

from weixin_etl.datasets import ARTICLE_DATASETS, Kind
from weixin_local.postgres import Server

ACCOUNTS, ARTICLES, ROWS = 50, 100, 7
CHANGES = 20
"""Days on which a part of the rows changed, one after the other."""
OF_ACCOUNTS = f"""
    INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
    SELECT 'wx' || account, 'Account ' || account, '', now()
    FROM generate_series(1, {ACCOUNTS}) AS account;
    INSERT INTO weixin.dim_article (appid, msgid, publication_date, first_seen_at)
    SELECT 'wx' || account, article || '_1', '2026-01-01', now()
    FROM generate_series(1, {ACCOUNTS}) AS account
    CROSS JOIN generate_series(1, {ARTICLES}) AS article
"""
OF_DATASET = f"""
    INSERT INTO weixin.{{fact}} (
        appid, msgid, stat_date, publication_date, {{metrics}}, raw_response_id, fetched_at,
        changed_at
    )
    SELECT
        'wx' || account, article || '_1', date '2026-01-01' + age, '2026-01-01', {{values}}, 1,
        now(), date '2026-02-14' + age
    FROM generate_series(1, {ACCOUNTS}) AS account
    CROSS JOIN generate_series(1, {ARTICLES}) AS article
    CROSS JOIN generate_series(1, {ROWS}) AS age;
    INSERT INTO weixin.fact_history (
        dataset, appid, item, stat_date, changed_at, replaced_at, cause, row
    )
    SELECT
        '{{dataset}}', appid, msgid, stat_date, date '2026-02-01' + change - {ROWS},
        date '2026-02-01' + change, 'wechat',
        to_jsonb(fact) || jsonb_build_object('share_user', change)
    FROM generate_series(1, {CHANGES}) AS change
    CROSS JOIN weixin.{{fact}} AS fact
    WHERE stat_date = date '2026-01-01' + mod(change, {ROWS}) + 1
    ORDER BY change;
"""


@pytest.fixture(scope="module")
def long_history(embedded_server: Server) -> Iterator[Engine]:
    """Two facts of 35,000 rows, and 100,000 each that were replaced."""
    with migrated_warehouse(embedded_server, "long_history") as engine:
        with engine.begin() as connection:
            connection.exec_driver_sql(OF_ACCOUNTS)
            for dataset in ARTICLE_DATASETS.values():
                values = ["'[]'" if it.kind is Kind.LIST else "41" for it in dataset.metrics]
                metrics = [it.name for it in dataset.metrics]
                connection.exec_driver_sql(
                    OF_DATASET.format(
                        fact=dataset.fact,
                        dataset=dataset.name,
                        metrics=", ".join(metrics),
                        values=", ".join(values),
                    ).replace("%", "%%")
                )
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        yield engine


def executed(engine: Engine, sql: str) -> list[dict[str, Any]]:
    """The nodes of the plan of a query, with what they did."""
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT json) {sql}").scalar_one()
    return list(nodes(plan[0]["Plan"]))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def read(plan: list[dict[str, Any]]) -> float:
    """How many rows of facts and histories were looked at."""
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in plan
        if node.get("Relation Name", "").startswith("fact_")
    )


def conditions(
    plan: list[dict[str, Any]], columns: Sequence[str] = ("appid", "msgid", "item")
) -> dict[str, set[str]]:
    """
    By which of the columns a plan reads each table; what is no index scan by its own name.

    But the accounts, of which there are few.
    """
    found: dict[str, set[str]] = {}
    for node in plan:
        if node.get("Relation Name", "dim_account") != "dim_account" and node["Actual Loops"]:
            condition = node.get("Index Cond", node.get("Recheck Cond", ""))
            by = " ".join(it for it in columns if it in condition)
            found.setdefault(node["Relation Name"], set()).add(by or node["Node Type"])
    return found


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("by", ["appid", "appid msgid"])
def test_as_of_reads_fact_and_history_by_their_keys(long_history: Engine, dataset: Any, by: str):
    """The function is part of the query: its filters reach both, and the articles' days."""
    chosen = {"appid": "appid = 'wx7'", "appid msgid": "appid = 'wx7' AND msgid = '17_1'"}[by]
    plan = executed(
        long_history,
        f"SELECT * FROM analytics.{dataset.name}_as_of('2026-02-10') WHERE {chosen}",
    )

    assert {node.get("Function Name") for node in plan} == {None, "jsonb_populate_record"}
    tables = (dataset.fact, "fact_history", "dim_article")
    assert conditions(plan) == {
        table: {by.replace("msgid", "item") if table == "fact_history" else by} for table in tables
    }
    assert plan[0]["Actual Rows"] > 0


def test_as_of_without_a_filter_reads_the_fact_and_the_changes_since(long_history: Engine):
    """Not the changes before."""
    plan = executed(
        long_history, "SELECT count(*) FROM analytics.article_total_as_of('2026-02-18 12:00')"
    )

    history = [it for it in plan if it.get("Relation Name") == "fact_history"]
    assert conditions(history, ["replaced_at"]) == {"fact_history": {"replaced_at"}}
    assert read(history) == 3 * ACCOUNTS * ARTICLES * len(ARTICLE_DATASETS)


@pytest.mark.parametrize(
    ("chosen", "by", "at_most"),
    [
        ("appid = 'wx7' AND msgid = '17_1'", "appid msgid", 500),
        ("account_name = 'Account 7'", "appid", 50_000),
    ],
    ids=["article", "account"],
)
def test_restatements_are_found_by_the_key(
    long_history: Engine, chosen: str, by: str, at_most: int
):
    """Also through the analysts' view, and nothing of the other dataset is read."""
    plan = executed(
        long_history,
        f"SELECT * FROM analytics.restatement WHERE dataset = 'article_total' AND {chosen}",
    )

    read_by = conditions(plan)
    assert read_by.pop("fact_article_total") == {"appid msgid item"}
    assert read_by.pop("fact_history") == {by.replace("msgid", "item"), "appid item"}
    assert read_by.keys() == {"dim_article"}
    assert read(plan) < at_most


def test_no_row_before_is_remembered(long_history: Engine):
    """It is looked up once for each row: a planner that expects more makes it slower."""
    day = (
        "SELECT max(sharers_increment) FROM analytics.article_day_7d WHERE stat_date = '2026-01-04'"
    )
    assert "Memoize" not in {node["Node Type"] for node in executed(long_history, day)}

    with long_history.connect() as connection:
        connection.exec_driver_sql("SET enable_memoize = on")
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT json) {day}").scalar_one()
        connection.rollback()
    assert "Memoize" in {node["Node Type"] for node in nodes(plan[0]["Plan"])}
