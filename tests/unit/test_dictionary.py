"""What the views say of the datasets is what `weixin_etl.datasets` declares."""

# ruff: noqa: S608 # the names in the statements are those of the declarations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, DATASETS, Dataset, Kind

DAILY_VIEWS = {ARTICLE_TOTAL: "", ARTICLE_TOTAL_DETAIL: "_detail"}
LEVELS = {
    ARTICLE_TOTAL: ["target_user"],
    ARTICLE_TOTAL_DETAIL: [
        "read_delivery_rate",
        "read_finish_rate",
        "read_avg_activetime",
        "read_jump_position",
    ],
}
"""Shown by the daily view as they are; read_user_source has a view of its own."""
EACH_DATASET = pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda it: it.name)


@pytest.fixture
def connection(warehouse: Engine) -> Iterator[Connection]:
    """A transaction on an empty warehouse that leaves nothing behind."""
    with warehouse.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


def ask(connection: Connection, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return [tuple(row) for row in connection.execute(text(sql), values)]


def columns(connection: Connection, schema: str, relation: str) -> list[str]:
    """Names of its columns, in their order."""
    return [
        name
        for (name,) in ask(
            connection,
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = :schema AND table_name = :relation ORDER BY ordinal_position",
            schema=schema,
            relation=relation,
        )
    ]


def test_the_dictionary_has_every_metric_and_no_other(connection: Connection) -> None:
    """Datasets, names and additivity are the declared ones; a rate beside them has a formula."""
    described = ask(
        connection, "SELECT dataset, name, additivity FROM analytics.metric WHERE formula IS NULL"
    )

    assert sorted(described) == sorted(
        (dataset.name, metric.name, "additive" if metric in dataset.totals else "level")
        for dataset in DATASETS.values()
        for metric in dataset.metrics
    )
    assert len(described) == 42


def test_the_dictionary_says_what_a_metric_counts(connection: Connection) -> None:
    """Everything has a Chinese name and a unit, which for a number is the one its name carries."""
    units = ask(connection, "SELECT name, unit, chinese_name FROM analytics.metric")
    by_name = {name: unit for name, unit, _ in units}

    assert {unit for name, unit in by_name.items() if name.endswith("_user")} == {"people"}
    assert {unit for name, unit in by_name.items() if name.endswith(("_count", "_cnt"))} == {
        "times"
    }
    assert {unit for name, unit in by_name.items() if name.endswith(("_rate", "_spread"))} == {
        "share"
    }
    assert {name: by_name[name] for name in ("praise_money", "read_avg_activetime")} == {
        "praise_money": "cents",
        "read_avg_activetime": "minutes",
    }
    lists = {m.name for d in DATASETS.values() for m in d.metrics if m.kind is Kind.LIST}
    assert {name for name, unit in by_name.items() if unit == "list"} == lists
    assert [name for name, _, chinese in units if not chinese] == []


def test_a_rate_is_what_the_dictionary_says(connection: Connection) -> None:
    """Each formula gives what article_rate has, which has no other rate."""
    figures = ", ".join(metric.name for metric in ARTICLE_TOTAL.metrics)
    connection.execute(
        text(
            f"INSERT INTO weixin.fact_article_total (appid, msgid, stat_date, publication_date, "
            f"raw_response_id, fetched_at, changed_at, {figures}) "
            f"SELECT 'wx1', '1_1', '2026-11-02', '2026-11-02', 1, now(), now(), "
            + ", ".join(str(3 + 7 * index) for index in range(len(ARTICLE_TOTAL.metrics)))
        )
    )
    formulas = dict(
        ask(
            connection,
            "SELECT name, formula FROM analytics.metric "
            "WHERE formula IS NOT NULL AND dataset = 'article_total'",
        )
    )
    quotients = ", ".join(formula.replace(" /", "::numeric /") for formula in formulas.values())

    assert columns(connection, "analytics", "article_rate")[4:] == list(formulas)
    assert len(formulas) == 5
    assert ask(connection, f"SELECT {', '.join(formulas)} FROM analytics.article_rate") == ask(
        connection, f"SELECT {quotients} FROM weixin.fact_article_total"
    )


@EACH_DATASET
def test_the_views_have_every_metric(connection: Connection, dataset: Dataset) -> None:
    """No metric was forgotten: in the fact, the daily increments, the article and its growth."""
    prefix = "detail_" if DAILY_VIEWS[dataset] else ""
    totals = [metric.name for metric in dataset.totals]
    levels = LEVELS[dataset]
    metrics = [metric.name for metric in dataset.metrics]
    connection.execute(
        text(
            f"INSERT INTO weixin.{dataset.fact} (appid, msgid, stat_date, publication_date, "
            "raw_response_id, fetched_at, changed_at) "
            "VALUES ('wx1', '1_1', '2026-11-02', '2026-11-02', 1, now(), now())"
        )
    )

    assert [name for name in columns(connection, "weixin", dataset.fact) if name in metrics] == (
        metrics
    )
    daily = columns(connection, "analytics", f"article_daily{DAILY_VIEWS[dataset]}")
    assert daily[6:] == totals + levels
    article = columns(connection, "analytics", "article")
    assert [name for name in totals if f"{prefix}{name}" not in article] == []
    assert [
        name
        for (name,) in ask(
            connection,
            "SELECT metric FROM analytics.article_growth WHERE dataset = :dataset ORDER BY metric",
            dataset=dataset.name,
        )
    ] == sorted(totals)


@EACH_DATASET
def test_coverage_begins_a_window_before_the_first_scheduled_day(
    connection: Connection, dataset: Dataset
) -> None:
    """The window and WeChat's first day that `analytics.coverage` counts with are the declared."""
    scheduled = dataset.first_day + timedelta(days=dataset.window + 5)
    give_account(connection, scheduled)
    cover(connection, dataset, scheduled - timedelta(days=1), 1)

    rows = ask(
        connection,
        "SELECT min(publication_date), min(days_not_loaded_before) FROM analytics.coverage",
    )

    assert rows == [(scheduled - timedelta(days=dataset.window), 5)]


@EACH_DATASET
def test_a_day_is_complete_with_a_window_of_publication_days(
    connection: Connection, dataset: Dataset
) -> None:
    """`account_daily` takes a day for complete when as many days as the window is long reach it."""
    last = date(2026, 11, 23)
    give_account(connection, None)
    sql = (
        f"SELECT calendar_date FROM analytics.account_daily{DAILY_VIEWS[dataset]} WHERE is_complete"
    )

    cover(connection, dataset, last, dataset.window - 1)
    assert ask(connection, sql) == []

    cover(connection, dataset, last - timedelta(days=dataset.window - 1), 1)
    assert ask(connection, sql) == [(last,)]


def give_account(connection: Connection, scheduled: date | None) -> None:
    """An account that is no longer collected, so that its calendar ends with what was asked for."""
    connection.execute(
        text(
            "INSERT INTO weixin.dim_account "
            "VALUES ('wx1', '报纸', 'weixin_default', :scheduled, FALSE, now())"
        ),
        {"scheduled": scheduled},
    )


def cover(connection: Connection, dataset: Dataset, last: date, days: int) -> None:
    """Publication days up to the last that are known to be empty."""
    connection.execute(
        text(
            "INSERT INTO weixin.coverage (dataset, appid, publication_date, data_state, fetched_at,"
            " attempt_state, attempted_at, attempts) "
            "SELECT :dataset, 'wx1', CAST(:last AS date) - step, 'empty', '2026-12-31', 'ok', "
            "now(), 0 FROM generate_series(0, :days - 1) AS step"
        ),
        {"dataset": dataset.name, "last": last, "days": days},
    )
