"""A further metric is a line, a further endpoint a declaration: everything else follows."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset, Metric
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import migrate, require_migrated, source, views

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
        try:
            yield
        finally:
            patch.undo()
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
        asked = f"SELECT {columns} FROM analytics.{dataset.name}_as_of"
        return [ask(f"{asked}('2026-11-{day}')") for day in (21, 22, 23)]

    with release(replace(dataset, metrics=(*dataset.metrics, NEXT))):
        with pytest.raises(WarehouseError) as refused:
            require_migrated(fresh)
        migrate(database)
        require_migrated(fresh)
        with fresh.begin() as connection:
            connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET next_user = 7")
        after = as_of("share_user, next_user, extra")
        again = migrate(database)

    assert str(refused.value) == (
        f"run `weixin-etl migrate` (the warehouse lacks migrations: {dataset.fact}.next_user)"
    )
    assert after == [[], [(1, None, None)], [(2, 7, None)]]
    assert ask(f"SELECT next_user FROM analytics.article_day{dataset.suffix}") == [(7,)]
    assert again == ""


def test_an_older_release_goes_on(database: str, fresh: Engine, ask: Ask, dataset: Dataset):
    """It leaves a column alone that it does not know, and its views are there again."""
    with release(replace(dataset, metrics=(*dataset.metrics, NEXT))):
        migrate(database)

    require_migrated(fresh)
    migrate(database)

    assert ask(f"SELECT share_user, next_user FROM weixin.{dataset.fact}") == [(2, None)]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name"
    assert ("next_user",) not in ask(f"{columns} = 'article_day{dataset.suffix}'")


PROJECT = Path(__file__).parents[3]
RELEASE = Path(__file__).with_name("next_release.py")
OF_DATASETS = """
ARTICLE_TOTAL_NEXT = dataclasses.replace(
    ARTICLE_TOTAL_DETAIL,
    name="article_total_next",
    endpoint="getarticletotalnext",
    suffix="_next",
    metrics=_metrics("article_total_next"),
)
ARTICLE_PRAISE = dataclasses.replace(
    ARTICLE_SHARE,
    name="article_praise",
    endpoint="getarticlepraise",
    description="who praised an article on a day",
    is_combined=False,
    metrics=_metrics("article_praise"),
)
_ALL = (*_ALL, ARTICLE_TOTAL_NEXT, ARTICLE_PRAISE)
"""
OF_SANDBOX = """
_NEXT = (
    _articles(datasets.ARTICLE_TOTAL_NEXT, _of_detail, article_detail.rows),
    _statistics(datasets.ARTICLE_PRAISE, lambda *_: [("1_1", {"praise_user": 5})]),
)
ENDPOINTS |= {it.dataset.path: it for it in _NEXT}
"""


class Copy:
    """A copy of what the product is made of, in which files are changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("plugins/weixin_etl", "sandbox/weixin_sandbox", "sql"):
            shutil.copytree(PROJECT / name, folder / name)
        self.touched: set[str] = set()

    def change(self, name: str, change: Callable[[str], str]) -> None:
        """Another text of a file."""
        path = self.folder / name
        text = path.read_text()
        path.write_text(change(text))
        assert path.read_text() != text
        self.touched.add(name)

    def declare(self, dataset: str, name: str, meaning: str) -> None:
        """A line of the metrics."""
        line = {"dataset": dataset, "name": name, "meaning": meaning, "kind": "bigint"}
        line |= {"chinese_name": "下一个", "unit": "people"}

        def with_line(text: str) -> str:
            header = csv.DictReader(io.StringIO(text)).fieldnames or ()
            return text + ",".join(line.get(it, "") for it in header) + "\n"

        self.change("plugins/weixin_etl/metrics.csv", with_line)

    def runs(self, *arguments: str) -> Any:
        """What the release says, as it migrates, imports and looks."""
        path = os.pathsep.join(str(self.folder / it) for it in ("plugins", "sandbox"))
        done = subprocess.run(
            [sys.executable, str(RELEASE), *arguments],
            env={**os.environ, "PYTHONPATH": path, "AIRFLOW_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Of the source tree as it is."""
    return Copy(tmp_path)


def test_a_metric_touches_two_files(copy: Copy, database: str, ask: Ask):
    """Its line, and the sandbox, which answers it: it comes into a warehouse of before."""
    migrate(database)
    copy.declare("article_total", "next_user", "people who did the next thing")
    copy.change(
        "sandbox/weixin_sandbox/article_total.py",
        lambda text: text.replace("_ALWAYS = [", '_ALWAYS = [("next_user", "next_count", 1, 1),'),
    )

    copy.runs(database, str(copy.folder), "article_total")

    assert len(copy.touched) == 2
    suffix = DATASETS["article_total"].suffix
    (counted,) = ask("SELECT count(next_user) FROM weixin.fact_article_total WHERE next_user > 0")
    assert counted > (0,)
    for of in (f"article_day{suffix}", "article_total_as_of(now())"):
        assert ask(f"SELECT count(next_user) FROM analytics.{of}") == [counted]
    assert ask("SELECT chinese_name, meaning FROM analytics.metric WHERE name = 'next_user'") == [
        ("下一个", "people who did the next thing")
    ]
    assert ask("SELECT DISTINCT jsonb_object_keys(extra) FROM weixin.fact_article_total") == [
        ("next_count",)
    ]


def test_an_endpoint_touches_three_files(copy: Copy, database: str, ask: Ask):
    """Of publication days and of statistics days: its declaration, its metrics, the sandbox."""
    migrate(database)
    copy.change("plugins/weixin_etl/metrics.csv", lambda text: text + of_successor(text))
    copy.declare("article_praise", "praise_user", "people who praised the article")
    copy.change(
        "plugins/weixin_etl/datasets.py",
        lambda text: text.replace("import csv", "import csv\nimport dataclasses").replace(
            "\nDATASETS = {", f"{OF_DATASETS}DATASETS = {{"
        ),
    )
    copy.change("sandbox/weixin_sandbox/endpoints.py", lambda text: text + OF_SANDBOX)

    page = copy.runs(database, str(copy.folder), "article_total_next", "article_praise")

    assert len(copy.touched) == 3
    assert page == {"article_total_next": "in", "article_praise": "final"}
    for of in ("article_day_next", "article_total_next_as_of(now())"):
        ((rows, readers),) = ask(f"SELECT count(*), sum(read_user) FROM analytics.{of}")
        assert rows > 0
        assert readers > 0
    assert ask("SELECT sum(readers_increment) > 0 FROM analytics.account_day_next") == [(True,)]
    assert ask("SELECT sum(readers) > 0 FROM analytics.article_next") == [(True,)]
    praised = "SELECT msgid, praise_user FROM analytics.{}"
    for of in ("article_praise", "article_praise_as_of(now())"):
        assert ask(praised.format(of)) == [("1_1", 5)]
    assert ask("SELECT stat_date, is_final FROM analytics.article_praise") == [
        (date(2026, 11, 21), True)
    ]
    assert ask("SELECT name FROM analytics.metric WHERE dataset = 'article_praise'") == [
        ("praise_user",)
    ]
    in_coverage = "SELECT DISTINCT dataset FROM analytics.coverage ORDER BY dataset"
    assert {("article_praise",), ("article_total_next",)} <= set(ask(in_coverage))


def of_successor(text: str) -> str:
    """The lines of the successor's metrics, for the next endpoint."""
    lines = text.splitlines(keepends=True)
    of = "article_total_detail,"
    return "".join(it.replace(of, "article_total_next,", 1) for it in lines if it.startswith(of))
