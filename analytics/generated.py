"""models/sources.yml, made of the warehouse's dictionary."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy
import yaml
from sqlalchemy import Engine
from sqlalchemy.engine.reflection import ObjectKind

from weixin_etl.warehouse.dictionary import Entry, dictionary

HEADER = """\
# Made of the warehouse's catalogue by generate_sources.py: see README.md.
# How fresh a source must be stands in dbt_project.yml.
"""
BETWEEN = " · "
"""What stands between the languages."""
NEWEST_DAY = """
SELECT (max(newest_date) + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
FROM (
    SELECT
        max(publication_date) FILTER (WHERE ready_at IS NOT NULL) AS newest_date,
        rank() OVER (
            ORDER BY bool_or(
                state NOT IN ('empty', 'missing', 'retired')
                AND publication_date >= (now() AT TIME ZONE 'Asia/Shanghai')::date - 7
            ) DESC
        ) AS choice
    FROM analytics.coverage
    INNER JOIN analytics.account USING (appid)
    WHERE is_active
    GROUP BY dataset, appid
) AS account
WHERE choice = 1
"""
"""
The end of the newest publication day of which a complete answer came, also an empty one.

Of the accounts that are collected, those that have published in the last seven days come first: of
the others an empty answer is complete at whatever hour it comes.
"""
LOADED_AT = {
    "coverage": {"loaded_at_query": " ".join(NEWEST_DAY.split())},
    "article_day": {"loaded_at_field": "changed_at"},
    "article_day_detail": {"loaded_at_field": "changed_at"},
}
"""By what `dbt source freshness` judges."""


def sources(warehouse: Engine) -> str:
    """The YAML file: a source for each view of schema `analytics`."""
    found = sqlalchemy.inspect(warehouse).get_multi_table_comment("analytics", kind=ObjectKind.ANY)
    comments = {name: comment["text"] or "" for (_, name), comment in found.items()}
    views = groupby(dictionary(warehouse), attrgetter("view"))
    source = {
        "name": "weixin",
        "description": "WeChat's statistics of articles, as weixin-etl shows them to analysts.",
        "schema": "analytics",
        "tables": [view(name, comments[name], [*entries]) for name, entries in views],
    }
    file = {"version": 2, "sources": [source]}
    text: str = yaml.safe_dump(file, allow_unicode=True, sort_keys=False, width=100)
    return HEADER + text


def view(name: str, comment: str, columns: Sequence[Entry]) -> dict[str, Any]:
    """A view in both languages, with the test of its key."""
    key = [entry.column for entry in columns if entry.is_key]
    return {
        "name": name,
        "description": comment.partition("\nkey: ")[0].replace("\n中文：", BETWEEN),
        **({"config": LOADED_AT[name]} if name in LOADED_AT else {}),
        "data_tests": [{"unique_key": {"arguments": {"columns": key}}}],
        "columns": [column(entry) for entry in columns],
    }


def column(entry: Entry) -> dict[str, Any]:
    """A column in both languages; what a figure is counted in and how it adds up, for programs."""
    figure = {"unit": entry.unit, "additivity": entry.additivity}
    return {
        "name": entry.column,
        "description": BETWEEN.join(filter(None, [entry.english, entry.chinese])),
        "data_type": entry.type,
        **({"config": {"meta": figure}} if entry.unit else {}),
    }
