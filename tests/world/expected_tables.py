"""
The tables that the warehouse must hold after some answers, computed without the warehouse.

`expected_tables` computes the tables from the answers; `held` reads them from the warehouse;
`differences` compares both. Each field has the last value that an answer gave, in the order in
which the answers were fetched; a key that is absent gives no value. An article that two publication
days list belongs to the later day, with all its rows. `analysts/expected_views.py` computes the
views from these tables.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import Any

import zstandard
from sqlalchemy import Engine
from support import rows

from weixin_etl.datasets import DATASETS, Dataset, Rows
from world.wechat import figure

Key = tuple[Any, ...]
Figures = dict[str, Any]
Facts = dict[Key, Figures]
"""Figures by dataset, account, item, day and stat_date."""
ATTRIBUTES = ("title", "url")
"""The attributes that the tests' answers give an article."""


@dataclass(frozen=True)
class Answer:
    """An answer, or a refused call."""

    appid: str
    dataset: Dataset = field(repr=False)
    day: date
    at: datetime
    """The time of the fetch, the last one if the answer came several times."""
    body: bytes
    first_at: datetime | None = None
    """The time of the first fetch, if the answer came several times."""
    errcode: int | None = 0
    """WeChat's errcode; 0 for an answer, None for a refusal that cannot be read."""

    @property
    def slice(self) -> Key:
        """Dataset, account and day."""
        return self.dataset.name, self.appid, self.day

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """The entries of the answer's list."""
        is_answer = self.errcode == 0
        return json.loads(self.body, parse_float=Decimal)["list"] if is_answer else []

    def name(self, item: dict[str, Any]) -> Any:
        """Return the id that distinguishes the item from the others."""
        return item[self.dataset.item.name] if self.dataset.item else None

    @cached_property
    def names(self) -> set[Any]:
        """The ids of the items."""
        return {*map(self.name, self.items)}

    @cached_property
    def rows(self) -> list[tuple[Any, date, Figures]]:
        """The item, the day and the figures of each row."""
        return [
            (self.name(item), date.fromisoformat(row.get("stat_date", item["ref_date"])), row)
            for item in self.items
            for row in rows_of(self.dataset, item)
        ]


def rows_of(dataset: Dataset, item: dict[str, Any]) -> list[Figures]:
    """Return the rows of an item of an answer."""
    if dataset.rows_in is Rows.LIST:
        return item[dataset.rows_key]
    if dataset.rows_in is Rows.OBJECT:
        return [item[dataset.rows_key]]
    metrics = {metric.name for metric in dataset.metrics}
    return [{name: item[name] for name in item if name in metrics}]


@dataclass
class Tables:
    """The contents of the warehouse's tables, in plain types."""

    facts: Facts = field(default_factory=dict)
    history: dict[Key, list[Figures]] = field(default_factory=dict)
    """Figures that were replaced, oldest first, by dataset, account, item (text) and stat_date."""
    articles: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """Publication day, first seen, and attributes, by account and msgid."""
    unlisted: dict[Key, datetime | None] = field(default_factory=dict)
    """
    Since when the article is not listed, by account, dataset and msgid.

    An article that two days list is left out.
    """
    open: set[Key] = field(default_factory=set)
    """Rejected parts that are not resolved: dataset, account, item, stat_date."""
    coverage: dict[Key, Key] = field(default_factory=dict)
    """Most items, newest answer and its rows, by dataset, account and day."""


def expected_tables(commits: Sequence[Sequence[Answer]]) -> Tables:
    """Return what the tables hold after the commits, each a sequence of answers loaded together."""
    given = (answer for commit in commits for answer in commit if answer.errcode == 0)
    answers = sorted(given, key=attrgetter("at"))
    listed_on = _listed_on(answers)
    tables, by_slice = Tables(), defaultdict[Key, list[Answer]](list)
    _add_facts(tables, commits, listed_on)
    for answer in answers:
        by_slice[answer.slice].append(answer)
        for item in answer.items if answer.dataset.describes_articles else ():
            last = max(listed_on[answer.appid, answer.name(item)])
            first = {"day": last, "first": answer.first_at or answer.at}
            known = tables.articles.setdefault((answer.appid, answer.name(item)), first)
            if answer.day == last:
                keys = ("ref_date", answer.dataset.item.name, answer.dataset.rows_key)
                known |= {k: v for k, v in item.items() if v is not None and k not in keys}
    for slice_answers in by_slice.values():
        _add_account_day(tables, slice_answers, listed_on)
    return tables


def _listed_on(answers: Iterable[Answer]) -> dict[Key, set[date]]:
    """Return the publication days of each article."""
    listed: defaultdict[Key, set[date]] = defaultdict(set)
    for answer in answers:
        for name in answer.names if answer.dataset.describes_articles else ():
            listed[answer.appid, name].add(answer.day)
    return listed


def _add_facts(
    tables: Tables, commits: Iterable[Iterable[Answer]], listed_on: dict[Key, set[date]]
) -> None:
    """Add the facts, and the figures that each commit replaced."""
    given: defaultdict[Key, list[tuple[datetime, date, Figures]]] = defaultdict(list)
    now: Facts = {}
    for commit in commits:
        touched = set[Key]()
        for answer in commit:
            for item, stat_date, row in answer.rows:
                touched.add(key := (answer.dataset.name, answer.appid, item, stat_date))
                given[key].append((answer.at, answer.day, dict(_given(answer.dataset, row))))
        for key in touched:
            figures = _merged(given[key])
            if now.setdefault(key, figures) != figures:
                history_key = (*key[:2], "" if key[2] is None else str(key[2]), key[3])
                tables.history.setdefault(history_key, []).append(now[key])
            now[key] = figures
    for key, figures in now.items():
        days = {day for _, day, _ in given[key]}
        if DATASETS[key[0]].describes_articles:
            days = listed_on[key[1:3]]
        tables.facts[*key[:3], max(days), key[3]] = figures


def _given(dataset: Dataset, row: Figures) -> Iterator[tuple[str, Any]]:
    """Yield the figures of a row that are present and fit."""
    for name, value in row.items():
        is_figure = _is_odd(value) and name in {metric.name for metric in dataset.figures}
        if value is not None and name != "stat_date" and not is_figure:
            yield name, value


def _is_odd(value: Any) -> bool:
    return isinstance(value, str)


def _merged(versions: Iterable[tuple[datetime, date, Figures]]) -> Figures:
    """Return the merged figures of the latest day that gives the row."""
    by_day: dict[date, Figures] = {}
    for _, day, given in sorted(versions, key=itemgetter(0)):
        by_day[day] = by_day.get(day, {}) | given
    return by_day[max(by_day)]


def _add_account_day(
    tables: Tables, answers: Sequence[Answer], listed_on: dict[Key, set[date]]
) -> None:
    """Add what the answers of an account and day say of it, oldest first."""
    newest, known = answers[-1], set[Any]()
    dataset, appid, _ = newest.slice
    for answer in answers if newest.dataset.describes_articles else ():
        known |= {name for name in answer.names if len(listed_on[appid, name]) == 1}
        for name in known:
            since = tables.unlisted.get((appid, dataset, name))
            tables.unlisted[appid, dataset, name] = (
                None if name in answer.names else since or answer.at
            )
    tables.open |= {
        (dataset, appid, item, stat_date)
        for item, stat_date, row in newest.rows
        if any(_is_odd(row.get(metric.name)) for metric in newest.dataset.figures)
    }
    count = len({(item, stat_date) for item, stat_date, _ in newest.rows})
    tables.coverage[newest.slice] = (max(len(answer.names) for answer in answers), newest.at, count)


# ---------------------------------------------------------------------------------- the warehouse


def kept(warehouse: Engine) -> list[Answer]:
    """Return the answers that the warehouse keeps, in the order of their arrival."""
    found = rows(
        warehouse,
        "SELECT appid, dataset, day, last_seen_at, body, fetched_at FROM weixin.raw_response "
        "ORDER BY raw_response_id",
    )
    return [
        Answer(appid, DATASETS[dataset], day, at, zstandard.decompress(bytes(body)), first_at)
        for appid, dataset, day, at, body, first_at in found
    ]


NO_FIGURES = "appid,account_name,msgid,title,user_source,publication_date,stat_date"
NO_FIGURES += ",raw_response_id,fetched_at,changed_at,extra"


def facts(warehouse: Engine, *datasets: Dataset, instant: datetime | None = None) -> Facts:
    """Return the facts of the datasets, or of all, now or as of the instant."""
    found: Facts = {}
    for dataset in datasets or DATASETS.values():
        source = (
            f"analytics.{dataset.name}_as_of(:instant)" if instant else f"weixin.{dataset.fact}"
        )
        item = dataset.item.name if dataset.item else "NULL"
        sql = f"""
            SELECT appid, {item}, {dataset.day_column}, stat_date, (
                jsonb_strip_nulls(to_jsonb(fact)) - string_to_array(:no_figures, ',')
                || coalesce(extra, '{{}}')
            )::text
            FROM {source} AS fact
        """
        for *key, figures in rows(warehouse, sql, no_figures=NO_FIGURES, instant=instant):
            found[dataset.name, *key] = json.loads(figures, parse_float=Decimal)
    return found


def readers(facts: Facts) -> dict[tuple[str, ...], int]:
    """Return the figure that simulated rows have, by the key as texts."""
    return {
        (name, appid, "" if item is None else str(item), *map(str, days)): row[
            figure(DATASETS[name])
        ]
        for (name, appid, item, *days), row in facts.items()
        if figure(DATASETS[name]) in row
    }


def held(warehouse: Engine) -> Tables:
    """Return what the warehouse's tables hold."""
    tables = Tables(facts(warehouse))
    for *key, row in rows(
        warehouse,
        "SELECT dataset, appid, item, stat_date, row FROM weixin.fact_history ORDER BY changed_at",
    ):
        figures = {k: v for k, v in row.items() if v is not None and k not in NO_FIGURES.split(",")}
        tables.history.setdefault(tuple(key), []).append(figures | (row["extra"] or {}))
    for appid, msgid, day, first, extra, *attributes in rows(
        warehouse,
        "SELECT appid, msgid, publication_date, first_seen_at, extra, title, url "
        "FROM weixin.dim_article",
    ):
        known = {**dict(zip(ATTRIBUTES, attributes, strict=True)), **(extra or {})}
        known = {name: value for name, value in known.items() if value is not None}
        tables.articles[appid, msgid] = {"day": day, "first": first, **known}
    listed = rows(
        warehouse,
        "SELECT appid, listing.key, msgid, cast(listing.value AS timestamptz) "
        "FROM weixin.dim_article CROSS JOIN jsonb_each_text(unlisted_since) AS listing",
    )
    tables.unlisted = {tuple(key): since for *key, since in listed}
    parts = "SELECT dataset, appid, msgid, stat_date FROM weixin.rejected_row WHERE resolved_at "
    tables.open = {*rows(warehouse, f"{parts} IS NULL")}
    tables.coverage = {
        tuple(columns[:3]): tuple(columns[3:])
        for columns in rows(
            warehouse,
            "SELECT dataset, appid, day, article_count, fetched_at, row_count "
            "FROM weixin.coverage WHERE fetched_at IS NOT NULL",
        )
    }
    return tables


def differences(held: Tables, known: Tables, *without: str) -> list[Key]:
    """
    Return the keys whose values differ, with both values.

    Whether an article of two days is listed is not compared.
    """
    found: list[Key] = [("open", key) for key in held.open ^ known.open]
    for name in {*vars(known)} - {"open", *without}:
        of_held, of_known = vars(held)[name], vars(known)[name]
        keys = of_known.keys() if name == "unlisted" else of_held.keys() | of_known.keys()
        found += [
            (name, key, of_held.get(key, "nothing"), of_known.get(key, "nothing"))
            for key in keys
            if of_held.get(key, "nothing") != of_known.get(key, "nothing")
        ]
    return found
