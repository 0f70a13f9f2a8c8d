"""
What the tables must hold, worked out from the answers, without the warehouse.

Of each field the last value that was given, in the order in which the answers were fetched; absent
is no value. An article that two publication days list is of the later day, as its rows are.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import zstandard
from figures import loaded, rows_of
from sqlalchemy import Engine
from support import rows

from weixin_etl.datasets import DATASETS, Dataset, Kind
from world.wechat import figure

Key = tuple[Any, ...]
ATTRIBUTES = ("title", "url")
"""Those that answers of tests give an article."""


@dataclass(frozen=True)
class Told:
    """An answer."""

    appid: str
    dataset: Dataset = field(repr=False)
    day: date
    at: datetime
    """When it was fetched, for the last time if several times."""
    body: bytes
    first_at: datetime | None = None
    """For the first time, if several times."""

    @property
    def pair(self) -> Key:
        """Dataset, account and day."""
        return self.dataset.name, self.appid, self.day

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """Its list."""
        return json.loads(self.body, parse_float=Decimal)["list"]

    def name(self, item: dict[str, Any]) -> Any:
        """What tells an item from the others."""
        return item[self.dataset.item.name] if self.dataset.item else None

    @cached_property
    def rows(self) -> list[tuple[Any, date, dict[str, Any]]]:
        """Each row: its item, its day, what it says."""
        return [
            (self.name(item), date.fromisoformat(row.get("stat_date", item["ref_date"])), row)
            for item in self.items
            for row in rows_of(self.dataset, item)
        ]


@dataclass
class Tables:
    """What the tables hold, in plain terms."""

    facts: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """By dataset, account, item, day and stat_date: the figures."""
    history: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    """By dataset, account, item as a text and stat_date: what was replaced, in its order."""
    articles: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """By account and msgid: the publication day, when it was first seen, attributes."""
    unlisted: dict[Key, datetime | None] = field(default_factory=dict)
    """By account, dataset and msgid: since when; not of an article that both days list."""
    open: set[Key] = field(default_factory=set)
    """Rejected parts that are open: dataset, account, item, stat_date."""
    coverage: dict[Key, Key] = field(default_factory=dict)
    """By dataset, account and day: the most items, the newest answer's time and its rows."""


def truth(commits: Sequence[Iterable[Told]]) -> Tables:
    """What the tables hold after these, each a number of answers that arrive at once."""
    answers = sorted((it for commit in commits for it in commit), key=lambda it: it.at)
    listed_on = _listed_on(answers)
    tables = Tables(facts=_facts(answers, listed_on), history=_history(commits))
    for it in answers:
        for item in it.items if it.dataset.describes_articles else ():
            last = max(listed_on[it.appid, it.name(item)])
            first = {"day": last, "first": it.first_at or it.at}
            known = tables.articles.setdefault((it.appid, it.name(item)), first)
            if it.day == last:
                keys = ("ref_date", it.dataset.item.name, it.dataset.rows_key)
                known |= {k: v for k, v in item.items() if v is not None and k not in keys}
    for pair in dict.fromkeys(it.pair for it in answers):
        _of_pair(tables, [it for it in answers if it.pair == pair], listed_on)
    return tables


def _listed_on(answers: Iterable[Told]) -> dict[Key, set[date]]:
    """The publication days of each article."""
    listed: defaultdict[Key, set[date]] = defaultdict(set)
    for it in answers:
        for item in it.items if it.dataset.describes_articles else ():
            listed[it.appid, it.name(item)].add(it.day)
    return listed


def _facts(answers: Iterable[Told], listed_on: dict[Key, set[date]]) -> dict[Key, dict[str, Any]]:
    """Each row by what the latest day that gives it says."""
    by_day: defaultdict[Key, dict[date, dict[str, Any]]] = defaultdict(dict)
    for it in answers:
        for item, stat_date, row in it.rows:
            of_day = by_day[it.dataset.name, it.appid, item, stat_date].setdefault(it.day, {})
            of_day |= dict(_given(it.dataset, row))
    return {
        (*key[:3], max(listed_on.get(key[1:3], days)), key[3]): days[max(days)]
        for key, days in by_day.items()
    }


def _given(dataset: Dataset, row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is there and fits."""
    for name, value in row.items():
        is_figure = any(it.name == name and it.kind is not Kind.LIST for it in dataset.metrics)
        if value is not None and name != "stat_date" and not (is_figure and _is_odd(value)):
            yield name, value


def _is_odd(value: Any) -> bool:
    return isinstance(value, str)


def _history(commits: Sequence[Iterable[Told]]) -> dict[Key, list[dict[str, Any]]]:
    """The figures that each commit replaces."""
    came: list[Told] = []
    before: dict[Key, dict[str, Any]] = {}
    replaced: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
    for commit in commits:
        came = sorted([*came, *commit], key=lambda it: it.at)
        after = {
            (*key[:2], "" if key[2] is None else str(key[2]), key[4]): it
            for key, it in _facts(came, {}).items()
        }
        for key, figures in before.items():
            if after[key] != figures:
                replaced[key].append(figures)
        before = after
    return dict(replaced)


def _of_pair(tables: Tables, answers: Sequence[Told], listed_on: dict[Key, set[date]]) -> None:
    """What is said of a pair by its answers, oldest first."""
    newest, listed = answers[-1], [{it.name(item) for item in it.items} for it in answers]
    dataset, appid, _ = newest.pair
    for it, names in zip(answers, listed, strict=True):
        moved = {name for name in names if len(listed_on[appid, name]) > 1}
        for name in names - moved if newest.dataset.describes_articles else ():
            tables.unlisted.setdefault((appid, dataset, name), None)
        for key, since in tables.unlisted.items():
            if key[:2] == (appid, dataset) and listed_on[appid, key[2]] == {it.day}:
                tables.unlisted[key] = None if key[2] in names else since or it.at
    tables.open |= {
        (dataset, appid, item, stat_date)
        for item, stat_date, row in newest.rows
        if any(_is_odd(row.get(metric.name)) for metric in newest.dataset.figures)
    }
    count = len({(item, stat_date) for item, stat_date, _ in newest.rows})
    tables.coverage[newest.pair] = (max(map(len, listed)), newest.at, count)


# ---------------------------------------------------------------------------------- the warehouse


def kept(warehouse: Engine) -> list[Told]:
    """The answers that are kept, in the order of their arrival."""
    found = rows(
        warehouse,
        "SELECT appid, dataset, day, last_seen_at, body, fetched_at FROM weixin.raw_response "
        "ORDER BY raw_response_id",
    )
    return [
        Told(appid, DATASETS[dataset], day, at, zstandard.decompress(bytes(body)), first_at)
        for appid, dataset, day, at, body, first_at in found
    ]


def facts(warehouse: Engine) -> dict[Key, dict[str, Any]]:
    """All of them: see `Tables`."""
    return {
        (dataset.name, *key): figures
        for dataset in DATASETS.values()
        for key, figures in loaded(warehouse, dataset).items()
    }


def readers(facts: dict[Key, dict[str, Any]]) -> dict[tuple[str, ...], int]:
    """The figure that a world's rows have, of each; all in its words."""
    return {
        (name, appid, "" if item is None else str(item), *map(str, days)): row[
            figure(DATASETS[name])
        ]
        for (name, appid, item, *days), row in facts.items()
    }


def held(warehouse: Engine) -> Tables:
    """The tables."""
    tables = Tables(facts(warehouse))
    columns = ("item", "stat_date", "publication_date", "fetched_at", "changed_at")
    columns += ("appid", "msgid", "raw_response_id", "extra")
    for *key, row in rows(
        warehouse,
        "SELECT dataset, appid, item, stat_date, row FROM weixin.fact_history ORDER BY changed_at",
    ):
        figures = {k: v for k, v in row.items() if v is not None and k not in columns}
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
        "SELECT appid, said.key, msgid, cast(said.value AS timestamptz) "
        "FROM weixin.dim_article CROSS JOIN jsonb_each_text(unlisted_since) AS said",
    )
    tables.unlisted = {tuple(key): since for *key, since in listed}
    parts = "SELECT dataset, appid, msgid, stat_date FROM weixin.rejected_row WHERE resolved_at "
    tables.open = {*rows(warehouse, f"{parts} IS NULL")}
    tables.coverage = {
        tuple(it[:3]): tuple(it[3:])
        for it in rows(
            warehouse,
            "SELECT dataset, appid, day, article_count, fetched_at, row_count "
            "FROM weixin.coverage WHERE fetched_at IS NOT NULL",
        )
    }
    return tables


def differences(held: Tables, known: Tables, *without: str) -> list[Key]:
    """What is held, and what should be; it is not told whether a moved article is listed."""
    found: list[Key] = [("open", it) for it in held.open ^ known.open]
    for name in {*vars(known)} - {"open", *without}:
        of_held, of_known = vars(held)[name], vars(known)[name]
        keys = of_known.keys() if name == "unlisted" else of_held.keys() | of_known.keys()
        found += [
            (name, key, of_held.get(key, "nothing"), of_known.get(key, "nothing"))
            for key in keys
            if of_held.get(key, "nothing") != of_known.get(key, "nothing")
        ]
    return found
