"""Tests of adding a metric or an endpoint: all other parts follow from the declaration."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from support import execute, rows

from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse import migrate, require_migrated

pytestmark = pytest.mark.every_postgres

PROJECT = Path(__file__).parents[2]
RELEASE = Path(__file__).with_name("next_release.py")
NEW_DATASETS = """
ARTICLE_TOTAL_NEXT = dataclasses.replace(
    ARTICLE_TOTAL_DETAIL,
    name="article_total_next",
    endpoint="getarticletotalnext",
    suffix="_next",
)
ARTICLE_PRAISE = dataclasses.replace(
    ARTICLE_SHARE,
    name="article_praise",
    endpoint="getarticlepraise",
    description="who praised an article on a day",
    is_combined=False,
)
_ALL = (*_ALL, ARTICLE_TOTAL_NEXT, ARTICLE_PRAISE)
"""
NEW_ENDPOINTS = """
_NEXT = (
    _articles(datasets.ARTICLE_TOTAL_NEXT, _of_detail, article_detail.rows),
    _statistics(datasets.ARTICLE_PRAISE, lambda *_: [("1_1", {"praise_user": 5})]),
)
ENDPOINTS |= {endpoint.dataset.path: endpoint for endpoint in _NEXT}
"""


class Copy:
    """A copy of the product's source, in which a test changes files."""

    def __init__(self, folder: Path, warehouse: Engine) -> None:
        self.folder, self.touched = folder, set[str]()
        self.url = warehouse.url.render_as_string(hide_password=False)
        for name in ("plugins/weixin_etl", "sandbox/weixin_sandbox", "sql"):
            shutil.copytree(PROJECT / name, folder / name)
        migrate(warehouse.url)

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        self.touched.add(name)

    def add(self, name: str, more: str) -> None:
        """Append a text to a file."""
        with (self.folder / name).open("a") as file:
            file.write(more)
        self.touched.add(name)

    def declare(self, dataset: str, name: str, meaning: str) -> None:
        """Append a metric to metrics.csv."""
        header = csv.DictReader(io.StringIO(METRICS.read_text())).fieldnames or ()
        line = {"dataset": dataset, "name": name, "meaning": meaning, "kind": "bigint"}
        line |= {"chinese_name": "下一个", "unit": "people"}
        text = ",".join(line.get(name, "") for name in header) + "\n"
        self.add(f"{METRICS.relative_to(PROJECT)}", text)

    def runs(self, *datasets: str) -> Any:
        """Run next_release.py in the copy, and return the state of its day for each dataset."""
        path = os.pathsep.join(str(self.folder / name) for name in ("plugins", "sandbox"))
        done = subprocess.run(
            [sys.executable, str(RELEASE), self.url, str(self.folder), *datasets],
            env={**os.environ, "PYTHONPATH": path, "AIRFLOW_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


METRICS = PROJECT / "plugins/weixin_etl/metrics.csv"


@pytest.fixture
def copy(tmp_path: Path, fresh: Engine) -> Copy:
    """Copy the source, and migrate a warehouse to this release."""
    return Copy(tmp_path, fresh)


def test_a_metric_touches_two_files(copy: Copy, fresh: Engine):
    """
    The two files are metrics.csv and the sandbox. `migrate` adds the column to an old warehouse.

    The older release still works afterwards: it ignores the column and restores its own views.
    """
    copy.declare("article_total", "next_user", "people who did the next thing")
    new_metric = '_ALWAYS = [("next_user", "next_count", 1, 1),'
    copy.change("sandbox/weixin_sandbox/article_total.py", "_ALWAYS = [", new_metric)

    # A warehouse of an older release lacks a column.
    execute(fresh, "ALTER TABLE weixin.fact_article_total DROP share_user CASCADE")
    with pytest.raises(WarehouseError, match=r"fact_article_total\.share_user"):
        require_migrated(fresh)
    copy.runs("article_total")

    assert len(copy.touched) == 2
    counts = "SELECT count(next_user) FROM {} WHERE next_user > 0"
    (counted,) = rows(fresh, counts.format("weixin.fact_article_total"))
    assert counted > (0,)
    for relation in ("article_day_7d", "article_total_as_of(now())"):
        assert rows(fresh, counts.format(f"analytics.{relation}")) == [counted]
    assert rows(fresh, "SELECT chinese_name FROM analytics.metric WHERE name = 'next_user'") == [
        ("下一个",)
    ]
    assert rows(
        fresh, "SELECT DISTINCT jsonb_object_keys(extra) FROM weixin.fact_article_total"
    ) == [("next_count",)]

    require_migrated(fresh)
    assert migrate(fresh.url) != ""
    assert rows(fresh, counts.format("weixin.fact_article_total")) == [counted]
    columns = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'next_user'"
    assert rows(fresh, f"{columns} AND table_schema = 'analytics'") == [(0,)]


def test_an_endpoint_touches_three_files(copy: Copy, fresh: Engine):
    """The files are datasets.py, metrics.csv and the sandbox, for both kinds of days."""
    prefix = "article_total_detail,"
    metrics = METRICS.read_text().splitlines(keepends=True)
    lines = "".join(line for line in metrics if line.startswith(prefix))
    copy.add("plugins/weixin_etl/metrics.csv", lines.replace(prefix, "article_total_next,"))
    copy.declare("article_praise", "praise_user", "people who praised the article")
    declared = "plugins/weixin_etl/datasets.py"
    copy.change(declared, "import csv", "import csv\nimport dataclasses")
    copy.change(declared, "\nDATASETS = {", f"{NEW_DATASETS}DATASETS = {{")
    copy.add("sandbox/weixin_sandbox/endpoints.py", NEW_ENDPOINTS)

    page = copy.runs("article_total_next", "article_praise")

    assert len(copy.touched) == 3
    assert page == {"article_total_next": "ended", "article_praise": "final"}
    for relation in ("article_day_next", "article_total_next_as_of(now())"):
        assert rows(fresh, f"SELECT sum(read_user) > 0 FROM analytics.{relation}") == [(True,)]
    assert rows(fresh, "SELECT sum(readers_increment) > 0 FROM analytics.account_day_next") == [
        (True,)
    ]
    assert rows(fresh, "SELECT sum(readers) > 0 FROM analytics.article_next") == [(True,)]
    for relation in ("article_praise", "article_praise_as_of(now())"):
        praised = rows(fresh, f"SELECT msgid, stat_date, praise_user FROM analytics.{relation}")
        assert praised == [("1_1", date(2026, 11, 21), 5)]
    assert rows(fresh, "SELECT name FROM analytics.metric WHERE dataset = 'article_praise'") == [
        ("praise_user",)
    ]
    in_coverage = {dataset for (dataset,) in rows(fresh, "SELECT dataset FROM analytics.coverage")}
    assert in_coverage >= {"article_praise", "article_total_next"}
