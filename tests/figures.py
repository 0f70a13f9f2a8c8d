"""The figures that the sandbox knows and those that a fact holds, in one form."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine
from support import rows

from weixin_etl.datasets import ARTICLE_TOTAL, Dataset, Rows
from weixin_sandbox import Account, Sandbox

Figures = dict[tuple[Any, ...], dict[str, Any]]
"""By appid, the item's key, the day asked and stat_date."""


def truth(
    sandbox: Sandbox,
    accounts: Iterable[Account],
    days: Sequence[date],
    asked_on: date,
    dataset: Dataset = ARTICLE_TOTAL,
) -> Figures:
    """What the sandbox knows of the accounts' days, read as plainly as can be."""
    return {
        (
            account.appid,
            item[dataset.item.name] if dataset.item else None,
            day,
            date.fromisoformat(row.pop("stat_date", item["ref_date"])),
        ): row
        for account in accounts
        for day in days
        for item in json.loads(
            sandbox.answer(account.appid, day, asked_on, dataset.endpoint), parse_float=Decimal
        )["list"]
        for row in rows_of(dataset, item)
    }


def rows_of(dataset: Dataset, item: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an item of an answer."""
    if dataset.rows_in is Rows.LIST:
        return item[dataset.rows_key]
    if dataset.rows_in is Rows.OBJECT:
        return [item[dataset.rows_key]]
    return [{name: item[name] for name in item if name in {it.name for it in dataset.metrics}}]


def loaded(warehouse: Engine, dataset: Dataset = ARTICLE_TOTAL) -> Figures:
    """The fact in the form of `truth`."""
    item = dataset.item.name if dataset.item else "NULL"
    sql = f"""
        SELECT appid, {item}, {dataset.day_column}, stat_date, (
            jsonb_strip_nulls(to_jsonb(fact)) - 'appid' - 'msgid' - 'user_source'
                - 'publication_date' - 'stat_date' - 'raw_response_id' - 'fetched_at'
                - 'changed_at' - 'extra'
                || coalesce(extra, '{{}}')
        )::text
        FROM weixin.{dataset.fact} AS fact
    """
    return {
        tuple(key): json.loads(figures, parse_float=Decimal)
        for *key, figures in rows(warehouse, sql)
    }
