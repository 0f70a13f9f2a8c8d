"""models/sources.yml, made of the warehouse's dictionary: `weixin-etl dictionary`."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import yaml

Entry = Mapping[str, str | None]
"""A column, or a view itself, as the dictionary describes it."""

HEADER = """\
# Made of the warehouse's catalogue by generate_sources.py. tests/e2e/test_dbt.py compares it, and
# with UPDATE_DOCS=1 writes it anew. How fresh a source must be stands in dbt_project.yml.
"""

ARTICLE = ("appid", "msgid")
ARTICLE_DAY = (*ARTICLE, "stat_date")
ACCOUNT_DAY = ("appid", "calendar_date")
KEYS: dict[str, tuple[str, ...]] = {
    "account": ("appid",),
    "account_day": ACCOUNT_DAY,
    "account_day_detail": ACCOUNT_DAY,
    "answer": ("raw_response_id",),
    "article": ARTICLE,
    "article_day": ARTICLE_DAY,
    "article_day_detail": ARTICLE_DAY,
    "article_detail": ARTICLE,
    "article_growth": ("dataset", *ARTICLE, "metric"),
    "article_source": ("dataset", *ARTICLE_DAY, "scene"),
    "article_title": (*ARTICLE, "known_from"),
    "benchmark": ("dataset", "appid", "position", "day_number"),
    "calendar": ("calendar_date",),
    "coverage": ("dataset", "appid", "publication_date"),
    "endpoint_comparison": ARTICLE_DAY,
    "metric": ("dataset", "name"),
    "restatement": ("dataset", *ARTICLE_DAY, "metric", "changed_at"),
}
"""The columns that together tell a view's rows apart: of a view, the catalogue does not say so."""
LOADED_AT = {
    "coverage": "fetched_at",
    "article_day": "changed_at",
    "article_day_detail": "changed_at",
}
"""The columns by which `dbt source freshness` judges; how old they may be is in dbt_project.yml."""


def sources(dictionary: Iterable[Entry]) -> str:
    """The YAML file: a source for each view of the dictionary, with its key and its columns."""
    views = [view(name, [*entries]) for name, entries in groupby(dictionary, itemgetter("view"))]
    source = {
        "name": "weixin",
        "description": "WeChat's statistics of articles, as weixin-etl shows them to analysts.",
        "schema": "analytics",
        "tables": views,
    }
    file = {"version": 2, "sources": [source]}
    text: str = yaml.safe_dump(file, allow_unicode=True, sort_keys=False, width=100)
    return HEADER + text


def view(name: str, columns: list[Entry]) -> dict[str, Any]:
    """A view with the test of its key."""
    table: dict[str, Any] = {"name": name}
    if name in LOADED_AT:
        table["config"] = {"loaded_at_field": LOADED_AT[name]}
    key = {"unique_key": {"arguments": {"columns": [*KEYS[name]]}}}
    return table | {"data_tests": [key], "columns": [column(entry) for entry in columns]}


def column(entry: Entry) -> dict[str, Any]:
    """A column in both languages; what sums of it mean is for programs to read."""
    of_a_figure = {key: entry[key] for key in ("unit", "additivity") if entry[key]}
    return {
        "name": entry["column"],
        "description": "\n\n".join(filter(None, [entry["english"], entry["chinese"]])),
        "data_type": entry["type"],
        **({"config": {"meta": of_a_figure}} if of_a_figure else {}),
    }
