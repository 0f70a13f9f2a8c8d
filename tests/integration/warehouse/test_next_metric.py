"""A later release's next metric: its column is added to the tables' end, and the views follow."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset, Metric
from weixin_etl.warehouse import (
    apply_migrations,
    migrate,
    migrations,
    source,
    views,
)

pytestmark = pytest.mark.every_postgres

the_migrations = importlib.import_module("weixin_etl.warehouse.migrations")
"""The module, whose name in the package is a function's."""

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
MIGRATION = "ALTER TABLE weixin.{fact} ADD COLUMN IF NOT EXISTS next_user bigint;"
NEXT = Metric("next_user", "下一个", "people who did the next thing")


@pytest.fixture(params=ARTICLE_DATASETS)
def dataset(request: pytest.FixtureRequest, database: str, fresh: Engine) -> Dataset:
    """One of which this release has loaded a row, which then changed."""
    migrate(database)
    dataset = ARTICLE_DATASETS[request.param]
    with fresh.begin() as connection:
        connection.exec_driver_sql(ROWS.format(fact=dataset.fact, name=dataset.name))
    return dataset


@pytest.fixture
def next_release(dataset: Dataset, tmp_path: Path) -> Iterator[None]:
    """The release that has a further metric, with its migration."""
    path = tmp_path / f"{len(migrations()) + 1:04}_next_metric.sql"
    path.write_text(MIGRATION.format(fact=dataset.fact))
    listed, text = [*migrations(), path], the_migrations._text
    with pytest.MonkeyPatch.context() as patch:
        wider = replace(dataset, metrics=(*dataset.metrics, NEXT))
        for datasets in (DATASETS, ARTICLE_DATASETS):
            patch.setitem(datasets, dataset.name, wider)
        patch.setattr(the_migrations, "migrations", lambda: listed)
        patch.setattr(
            the_migrations, "_text", lambda it: it.read_text() if it == path else text(it)
        )
        forget_rendered()
        yield
    forget_rendered()


def forget_rendered() -> None:
    """The texts are kept for a process, whose metrics never change elsewhere."""
    source.cache_clear()
    views.all_views.cache_clear()


@pytest.mark.usefixtures("next_release")
def test_as_of_goes_on_before_and_after_the_views_follow(
    database: str, fresh: Engine, ask: Ask, dataset: Dataset
):
    """A metric's column at the end of fact and history changes no function that is there."""

    def as_of(columns: str) -> list[list[tuple[Any, ...]]]:
        asked = f"SELECT {columns} FROM analytics.{dataset.name}_as_of"  # noqa: S608 # ours
        return [ask(f"{asked}('2026-11-{day}')") for day in (21, 22, 23)]

    apply_migrations(fresh)
    between = as_of("share_user")
    said = migrate(database)
    with fresh.begin() as connection:
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET next_user = 7")  # noqa: S608 # ours
    after = as_of("share_user, next_user, extra")

    assert between == [[], [(1,)], [(2,)]]
    assert f"analytics.{dataset.name}_as_of" in said
    assert after == [[], [(1, None, None)], [(2, 7, None)]]
    assert ask(f"SELECT next_user FROM analytics.article_day{dataset.suffix}") == [(7,)]  # noqa: S608 # ours
    assert migrate(database) == ""
