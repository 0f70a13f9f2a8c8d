"""A later release's next metric and next endpoint: tables, views and functions follow."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset, Metric
from weixin_etl.warehouse import WarehouseError, migrate, require_migrated, source, views

pytestmark = pytest.mark.every_postgres

Ask = Callable[[str], list[tuple[Any, ...]]]

ROWS = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
    VALUES ('wx1', '', '', now());
    INSERT INTO weixin.dim_article (appid, msgid, publication_date, first_seen_at)
    VALUES ('wx1', '9_1', '2026-11-20', now());
    INSERT INTO weixin.{fact} (
        appid, msgid, stat_date, publication_date, share_user, raw_response_id, fetched_at,
        changed_at
    )
    VALUES ('wx1', '9_1', '2026-11-21', '2026-11-20', 1, 1, '2026-11-22', '2026-11-22');
    INSERT INTO weixin.fact_history
    (dataset, appid, item, stat_date, changed_at, replaced_at, cause, row)
    SELECT '{name}', appid, msgid, stat_date, changed_at, '2026-11-23', 'wechat', to_jsonb(fact)
    FROM weixin.{fact} AS fact;
    UPDATE weixin.{fact} SET share_user = 2, changed_at = '2026-11-23'
"""
NEXT = Metric("next_user", "下一个", "people who did the next thing")


@contextmanager
def release(*datasets: Dataset) -> Iterator[None]:
    """One with these declarations beside or instead of those of today."""
    with pytest.MonkeyPatch.context() as patch:
        for dataset in datasets:
            patch.setitem(DATASETS, dataset.name, dataset)
            if dataset.describes_articles:
                patch.setitem(ARTICLE_DATASETS, dataset.name, dataset)
        forget_rendered()
        yield
    forget_rendered()


def forget_rendered() -> None:
    """The texts are kept for a process, whose metrics never change elsewhere."""
    source.cache_clear()
    views.all_views.cache_clear()


@pytest.fixture(params=ARTICLE_DATASETS)
def dataset(request: pytest.FixtureRequest, database: str, fresh: Engine) -> Dataset:
    """One of which this release has loaded a row, which then changed."""
    migrate(database)
    dataset = ARTICLE_DATASETS[request.param]
    with fresh.begin() as connection:
        connection.exec_driver_sql(ROWS.format(fact=dataset.fact, name=dataset.name))
    return dataset


def test_a_metric_is_a_line(database: str, fresh: Engine, ask: Ask, dataset: Dataset):
    """A run is refused until its column is there; the rows of before have it empty."""

    def as_of(columns: str) -> list[list[tuple[Any, ...]]]:
        asked = f"SELECT {columns} FROM analytics.{dataset.name}_as_of"  # noqa: S608 # ours
        return [ask(f"{asked}('2026-11-{day}')") for day in (21, 22, 23)]

    with release(replace(dataset, metrics=(*dataset.metrics, NEXT))):
        with pytest.raises(WarehouseError) as refused:
            require_migrated(fresh)
        migrate(database)
        require_migrated(fresh)
        with fresh.begin() as connection:
            connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET next_user = 7")  # noqa: S608 # ours
        after = as_of("share_user, next_user, extra")
        again = migrate(database)

    assert str(refused.value) == (
        f"the warehouse lacks {dataset.fact}.next_user; run `weixin-etl migrate`"
    )
    assert after == [[], [(1, None, None)], [(2, 7, None)]]
    assert ask(f"SELECT next_user FROM analytics.article_day{dataset.suffix}") == [(7,)]  # noqa: S608 # ours
    assert again == ""


def test_an_older_release_goes_on(database: str, fresh: Engine, ask: Ask, dataset: Dataset):
    """It leaves a column alone that it does not know, and its views are there again."""
    with release(replace(dataset, metrics=(*dataset.metrics, NEXT))):
        migrate(database)

    require_migrated(fresh)
    migrate(database)

    assert ask(f"SELECT share_user, next_user FROM weixin.{dataset.fact}") == [(2, None)]  # noqa: S608 # ours
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name"
    assert ("next_user",) not in ask(f"{columns} = 'article_day{dataset.suffix}'")
