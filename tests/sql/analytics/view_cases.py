"""
Cases of the analysts' views: folders with the rows that are given and the rows that are expected.

`given.yaml` has rows by table of schema `weixin`; columns that matter to no view have the values of
`DEFAULTS`, and an answer was ready unless `ready_at` says something else. A row of `coverage` with
`lists: N` is of a newest ready answer that lists so many articles, one without it of one that says
nothing. `fact_<dataset>_history` are the rows of `fact_history` that are of the dataset, written as
the fact's. `expected.yaml` has the view's rows with the columns the case is about: one that only
some rows name is null in the others.
With `where` and `rows` it has those of the view's rows that the condition picks. A day `A..B`
stands for a row of each day from A to B. `today`, `today-3`, … are days in Beijing, as the views'
clock is the server's.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml
from sqlalchemy import Connection, MetaData

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import NOTHING

CASES = Path(__file__).parent
Row = Mapping[str, Any]
TWIN = "-twin"

_SPAN = re.compile(r"\d{4}-\d\d-\d\d\.\.\d{4}-\d\d-\d\d")

_SEEN = "2026-11-24 09:00+08:00"
_FACT = {
    "appid": "wx1",
    "raw_response_id": 1,
    "fetched_at": _SEEN,
    "changed_at": _SEEN,
}
_REPLACED = {
    **_FACT,
    "changed_at": "2026-11-23 09:00+08:00",
    "replaced_at": _SEEN,
    "cause": "wechat",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "coverage": {
        "appid": "wx1",
        "dataset": "article_total",
        "article_count": 0,
        "attempted_at": _SEEN,
        "row_count": 0,
    },
    "dim_account": {"appid": "wx1", "name": "报纸", "conn_id": "wx1", "first_seen_at": _SEEN},
    "dim_article": {"appid": "wx1", "first_seen_at": _SEEN},
    "raw_response": {
        "day": "2026-11-20",
        "body": b"",
        "body_sha256": b"",
        "fetched_at": _SEEN,
    },
    "rejected_row": {
        "appid": "wx1",
        "dataset": "article_total",
        "reason": "odd",
        "payload": "0",
        "raw_response_id": 1,
        "rejected_at": _SEEN,
    },
    "collected_since": {"appid": "wx1", "dataset": "article_total", "catch_up_days": 60},
    **{it.fact: _FACT for it in DATASETS.values()},
    **{f"{it.fact}_history": _REPLACED for it in DATASETS.values()},
    "dim_article_title_history": {"appid": "wx1", "replaced_at": _SEEN},
}


_HISTORIES = {f"{it.fact}_history": it for it in DATASETS.values()}


def folders() -> list[Path]:
    """The cases, `<view>/<case>`."""
    return sorted(path.parent for path in CASES.glob("*/*/given.yaml"))


def today(connection: Connection) -> date:
    """The day in Beijing at which the transaction began, which the views see too."""
    day: date = connection.exec_driver_sql(
        "SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date"
    ).scalar_one()
    return day


def read(path: Path, day: date) -> Any:
    """The content of a YAML file, `today` being the day."""

    def resolved(match: re.Match[str]) -> str:
        return (day + timedelta(days=int(match["offset"] or 0))).isoformat()

    text = re.sub(r"\btoday(?P<offset>[+-]\d+)?\b", resolved, path.read_text())
    return yaml.safe_load(text)


def give(connection: Connection, tables: MetaData, given: Mapping[str, Sequence[Row]]) -> None:
    """
    Insert the rows. Accounts that the case does not describe are as before any load.

    What is `listed` is noted with its article.
    """
    given = {name: [*rows] for name, rows in given.items()}
    listed = given.pop("listed", [])
    if "dim_article" in given:
        given["dim_article"] = [_with_listed(article, listed) for article in given["dim_article"]]
    named = {row.get("appid", "wx1") for rows in given.values() for row in rows}
    described = {row.get("appid", "wx1") for row in given.get("dim_account", [])}
    others = [{"appid": appid} for appid in sorted(named - described)]
    for name, rows in {**given, "dim_account": [*given.get("dim_account", []), *others]}.items():
        table = tables.tables[f"weixin.{'fact_history' if name in _HISTORIES else name}"]
        values = [{**DEFAULTS[name], **row} for row in each_day(rows)]
        if name == "coverage":
            values = [_covered(row) for row in values]
        elif name in _HISTORIES:
            values = [_replaced(_HISTORIES[name], row) for row in values]
        alike: dict[frozenset[str], list[dict[str, Any]]] = {}
        for row in values:
            alike.setdefault(frozenset(row), []).append(row)
        for same in alike.values():
            connection.execute(table.insert(), same)


def of_a_twin(given: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    """Nearly the same rows of other accounts, for a view that joins or compares without these."""
    return {
        name: [_of_a_twin(row) for row in rows[name.startswith("fact_") :]]
        for name, rows in given.items()
    }


def _of_a_twin(row: Row) -> Row:
    """Of another account, with larger figures."""
    known = {it.name for dataset in DATASETS.values() for it in dataset.figures}
    larger = {name: row[name] and row[name] + 1000 for name in known & row.keys()}
    return {**row, **larger, "appid": row.get("appid", "wx1") + TWIN}


def _with_listed(article: Row, listed: Sequence[Row]) -> Row:
    """An article, with what is `listed` of it."""
    key = article.get("appid", "wx1"), article["msgid"]
    since = {
        one.get("dataset", "article_total"): one.get("unlisted_since")
        for one in listed
        if (one.get("appid", "wx1"), one["msgid"]) == key
    }
    return {**article, "unlisted_since": {name: at and str(at) for name, at in since.items()}}


def _covered(pair: dict[str, Any]) -> dict[str, Any]:
    """A row of coverage, with what its newest ready answer lists."""
    fetched_at = pair.get("fetched_at")
    pair = {"ready_at": fetched_at, **pair}
    if fetched_at:
        pair["attempted_at"] = fetched_at
    if (listed := pair.pop("lists", None)) is None:
        return pair
    sha256 = hashlib.sha256(str(listed).encode()).digest() if listed else NOTHING
    return {**pair, "list_sha256": sha256, "article_count": max(listed, pair["article_count"])}


def _replaced(dataset: Dataset, version: dict[str, Any]) -> dict[str, Any]:
    """A row of the history, with the row of the fact as it was."""
    about = {name: version.pop(name) for name in ("replaced_at", "cause")}
    item = str(version[dataset.item.name]) if dataset.item else ""
    key = {name: version[name] for name in ("appid", "stat_date", "changed_at")}
    row = json.loads(json.dumps(version, default=str))
    return {"dataset": dataset.name, "item": item, **key, **about, "row": row}


def expected_and_found(
    connection: Connection, view: str, expected: Sequence[Row] | Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows a case expects and those the view has, of both the columns that the case names."""
    picked = expected if isinstance(expected, Mapping) else {"where": "TRUE", "rows": expected}
    rows = each_day(picked["rows"])
    columns = list(dict.fromkeys(column for row in rows for column in row))
    names = ", ".join(f'"{column}"' for column in columns) or "*"
    where = f"appid NOT LIKE '%{TWIN}' AND ({picked['where']})"
    statement = f'SELECT {names} FROM analytics."{view}" WHERE {where}'
    found = connection.execute(sqlalchemy.text(statement)).mappings()
    return in_order([dict.fromkeys(columns) | dict(row) for row in rows]), in_order(found)


def each_day(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows, one that has a span `A..B` of days once for each of them."""
    each: list[dict[str, Any]] = []
    for row in rows:
        span = next((name for name in row if _SPAN.fullmatch(str(row[name]))), None)
        if span is None:
            each.append(dict(row))
            continue
        first, last = (date.fromisoformat(day) for day in row[span].split(".."))
        days = range((last - first).days + 1)
        each += [{**row, span: first + timedelta(days=step)} for step in days]
    return each


def in_order(rows: Any) -> list[dict[str, Any]]:
    """The rows in an order that only their values decide."""
    comparable = [{name: _comparable(value) for name, value in row.items()} for row in rows]
    return sorted(comparable, key=lambda row: [str(value) for value in row.values()])


def _comparable(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return Decimal(str(value)).normalize()
