"""The increments of the analysts' views add up to the totals, for any facts there can be."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, MetaData, text

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.parse.values import BIGINT_MAX

PUBLISHED = date(2026, 11, 2)
VIEWS = {ARTICLE_TOTAL: "", ARTICLE_TOTAL_DETAIL: "_detail"}
ARTICLES = st.sampled_from([("wx1", "1_1"), ("wx1", "1_2"), ("wx2", "1_1")])
DAYS = st.integers(-2, 40).map(lambda age: PUBLISHED + timedelta(days=age))
"""Gaps between them, in any order; also days out of the window, which a check warns of."""
VALUES = st.none() | st.integers(0, 9) | st.integers(0, BIGINT_MAX)
"""What WeChat left out, totals that fall and ones that rise."""
SEEN = "2026-11-24T01:00:00Z"

Key = tuple[str, str]
Facts = Mapping[tuple[Key, date], Mapping[str, int | None]]


def facts(dataset: Dataset) -> st.SearchStrategy[Facts]:
    """Rows by article and stat_date; each column is the next value of a list that goes round."""
    names = [metric.name for metric in dataset.totals]
    rows = st.tuples(st.lists(VALUES, min_size=1, max_size=5), st.integers(0, 4)).map(
        lambda drawn: {
            name: drawn[0][(index + drawn[1]) % len(drawn[0])] for index, name in enumerate(names)
        }
    )
    return st.dictionaries(st.tuples(ARTICLES, DAYS), rows, min_size=1, max_size=10)


def insert(connection: Connection, tables: MetaData, dataset: Dataset, given_facts: Facts) -> None:
    """The facts, and the articles they belong to."""
    seen = dict.fromkeys(("fetched_at", "loaded_at", "changed_at"), SEEN)
    articles = {article for article, _ in given_facts}
    for appid in {appid for appid, _ in articles}:
        account = {"appid": appid, "name": appid, "conn_id": appid, "first_seen_at": SEEN}
        connection.execute(tables.tables["weixin.dim_account"].insert(), account)
    for appid, msgid in articles:
        article = {"appid": appid, "msgid": msgid, "publication_date": PUBLISHED}
        times = {"first_seen_at": SEEN, "last_seen_at": SEEN}
        connection.execute(tables.tables["weixin.dim_article"].insert(), article | times)
    connection.execute(
        tables.tables[f"weixin.{dataset.fact}"].insert(),
        [
            {"appid": appid, "msgid": msgid, "stat_date": day, "publication_date": PUBLISHED}
            | {"raw_response_id": 1, **seen, **row}
            for ((appid, msgid), day), row in given_facts.items()
        ],
    )


def by_article(connection: Connection, sql: str) -> dict[Key, dict[str, Any]]:
    """A row per article."""
    rows = connection.execute(text(sql)).mappings()
    return {(row["appid"], row["msgid"]): dict(row) for row in rows}


def latest(given_facts: Facts, article: Key, metric: str) -> int | None:
    """The last known total."""
    days = sorted(day for key, day in given_facts if key == article)
    known = [given_facts[article, day][metric] for day in days]
    return next((value for value in reversed(known) if value is not None), None)


@pytest.mark.parametrize("dataset", VIEWS, ids=lambda dataset: dataset.name)
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_increments_add_up_to_the_last_total(
    warehouse: Engine, tables: MetaData, dataset: Dataset, data: st.DataObject
) -> None:
    """
    Whatever days are missing, whatever is left out and whatever falls.

    An article's increments of a metric add up to its last known total and are null where the total
    is; the days they span add up to the days since publication; a row says when a total fell, and
    has the totals as the fact does. What an account gained is what its articles have.
    """
    suffix, names = VIEWS[dataset], [metric.name for metric in dataset.totals]
    given_facts = data.draw(facts(dataset))
    articles = {article for article, _ in given_facts}
    totals = {
        article: {name: latest(given_facts, article, name) for name in names}
        for article in articles
    }
    with warehouse.connect() as connection, connection.begin() as transaction:
        insert(connection, tables, dataset, given_facts)
        summed = by_article(connection, summed_sql(suffix, names))
        articles_view = by_article(connection, f"SELECT * FROM analytics.article{suffix}")  # noqa: S608 # VIEWS
        rows = connection.execute(text(f"SELECT * FROM analytics.article_day{suffix}")).mappings()  # noqa: S608 # VIEWS
        daily = {((row["appid"], row["msgid"]), row["stat_date"]): row for row in rows}
        gained = connection.execute(text(gained_sql(suffix))).all()
        transaction.rollback()

    for shown in (summed, articles_view):
        assert {it: {name: shown[it][name] for name in names} for it in shown} == totals
    assert {article: row["days_spanned"] for article, row in summed.items()} == {
        article: (max(day for key, day in given_facts if key == article) - PUBLISHED).days + 1
        for article in articles
    }
    assert {key: {name: row[name] for name in names} for key, row in daily.items()} == given_facts
    for key, row in daily.items():
        increments = {name: row[f"{name}_increment"] for name in names}
        known = {name for name, value in given_facts[key].items() if value is not None}
        assert {name for name, value in increments.items() if value is not None} == known
        assert row["has_fall"] == any((value or 0) < 0 for value in increments.values())
    assert {appid: sum_ for appid, sum_ in gained if sum_ is not None} == in_account(totals)


def summed_sql(suffix: str, names: list[str]) -> str:
    """What the increments of each article add up to."""
    sums = ", ".join(f"sum({name}_increment) AS {name}" for name in names)
    return (
        f"SELECT appid, msgid, sum(days_spanned) AS days_spanned, {sums} "  # noqa: S608 # the declaration's names
        f"FROM analytics.article_day{suffix} GROUP BY appid, msgid"
    )


def gained_sql(suffix: str) -> str:
    """What each account gained over all its days, of a metric that both datasets have."""
    return (
        f"SELECT appid, sum(share_user_increment) "  # noqa: S608 # VIEWS
        f"FROM analytics.account_day{suffix} WHERE appid IN ('wx1', 'wx2') GROUP BY appid"
    )


def in_account(totals: Mapping[Key, Mapping[str, int | None]]) -> dict[str, int]:
    """The articles' totals of the same metric by account, where any is known."""
    sums: dict[str, int] = {}
    for (appid, _), row in totals.items():
        if row["share_user"] is not None:
            sums[appid] = sums.get(appid, 0) + row["share_user"]
    return sums
