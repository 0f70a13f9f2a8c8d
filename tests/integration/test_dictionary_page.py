"""docs/dictionary.md: every view with its key and joins, every metric, from the catalogue."""

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path

import sqlalchemy
from dictionary import Entry, dictionary, joins
from sqlalchemy import Engine, text
from sqlalchemy.engine.reflection import ObjectKind

from weixin_etl.datasets import DATASETS

PAGE = Path(__file__).parents[2] / "docs/dictionary.md"
HEAD = """# The dictionary

Made by `tests/integration/test_dictionary_page.py`. `\\d+ analytics.article_7d` and the like show
every column of a view in English and Chinese: see [For analysts](analysts.md).

"""
OF_VIEWS = """## The views

The key identifies a row. Every `appid` joins to `account`, every day to `calendar`. Join by all of
the columns named: msgids repeat between accounts. A row has no partner only where one is NULL.

| view | one row per | key | joins to |
| --- | --- | --- | --- |
"""
OF_METRICS = """## The metrics

A `cumulative` metric is a running total: add it up over articles, never over days. Its increment,
and an `additive` metric, add up over days as well. A `level` never adds up. In the views of an
endpoint a metric has WeChat's own name and, where it has one, the common name.

"""
OF_DATASET = """### `{name}`: `{endpoint}`

| name (common name) | 中文 | what it counts | unit | what to know |
| --- | --- | --- | --- | --- |
"""


def views(warehouse: Engine, entries: Sequence[Entry]) -> Iterator[str]:
    """A line for each."""
    found = sqlalchemy.inspect(warehouse).get_multi_table_comment("analytics", kind=ObjectKind.ANY)
    comments = {name: comment["text"] or "" for (_, name), comment in found.items()}
    for view, columns in groupby(entries, attrgetter("view")):
        its = list(columns)
        key = ", ".join(f"`{it.column}`" for it in its if it.is_key)
        others = [
            f"`{other}` by {', '.join(map(pair, pairs.items()))}"
            for other, pairs in joins(its)[view].items()
            if other not in ("account", "calendar")
        ]
        grain = comments[view].partition("\n")[0].removeprefix("One row per ").partition(":")[0]
        grain = grain.partition(". ")[0]
        yield f"| `{view}` | {grain} | {key} | {'; '.join(others)} |\n"


def pair(columns: tuple[str, str]) -> str:
    """What stands for a column and what it joins to."""
    return f"`{columns[0]}`" if columns[0] == columns[1] else f"`{columns[0]} = {columns[1]}`"


def metrics(warehouse: Engine, dataset: str) -> Iterator[str]:
    """A line for each of a dataset."""
    asked = text("SELECT * FROM analytics.metric WHERE dataset = :dataset ORDER BY name")
    with warehouse.connect() as connection:
        for it in connection.execute(asked, {"dataset": dataset}):
            common = f" (`{it.common_name}`)" if it.common_name else ""
            known = [f"`{it.name}`{common}", it.chinese_name, it.meaning]
            yield f"| {' | '.join(known)} | {it.unit}, {it.additivity} | {it.caveat or ''} |\n"


def test_the_page_is_the_catalogue(migrated: Engine) -> None:
    """Which says each column in both languages; UPDATE_DOCS=1 writes it anew."""
    entries = dictionary(migrated)
    fresh = HEAD + OF_VIEWS + "".join(views(migrated, entries)) + "\n" + OF_METRICS
    for it in DATASETS.values():
        fresh += OF_DATASET.format(name=it.name, endpoint=it.endpoint)
        fresh += "".join(metrics(migrated, it.name)) + "\n"
    fresh = fresh.rstrip() + "\n"
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(fresh)

    assert PAGE.read_text() == fresh
    assert [it for it in entries if not it.english or not it.chinese] == []
