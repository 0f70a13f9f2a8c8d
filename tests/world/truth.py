"""
What was told, and what the tables must hold by it, without the warehouse.

Of each field the last value that was given, in the order in which the answers were fetched; absent
is no value. An article that two publication days list is of the later day, as its rows are. What
analysts see of it is worked out in `analysts/truth.py`.
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
"""By dataset, account, item, day and stat_date."""
ATTRIBUTES = ("title", "url")
"""Those that answers of tests give an article."""


@dataclass(frozen=True)
class Told:
    """An answer, or a refusal of one."""

    appid: str
    dataset: Dataset = field(repr=False)
    day: date
    at: datetime
    """When it was fetched, for the last time if several times."""
    body: bytes
    first_at: datetime | None = None
    """For the first time, if several times."""
    errcode: int | None = 0
    """None of a refusal that nobody can read."""

    @property
    def pair(self) -> Key:
        """Dataset, account and day."""
        return self.dataset.name, self.appid, self.day

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """Its list."""
        is_answer = self.errcode == 0
        return json.loads(self.body, parse_float=Decimal)["list"] if is_answer else []

    def name(self, item: dict[str, Any]) -> Any:
        """What tells an item from the others."""
        return item[self.dataset.item.name] if self.dataset.item else None

    @cached_property
    def names(self) -> set[Any]:
        """Those of its items."""
        return {*map(self.name, self.items)}

    @cached_property
    def rows(self) -> list[tuple[Any, date, Figures]]:
        """Each row: its item, its day, what it says."""
        return [
            (self.name(item), date.fromisoformat(row.get("stat_date", item["ref_date"])), row)
            for item in self.items
            for row in rows_of(self.dataset, item)
        ]


def rows_of(dataset: Dataset, item: dict[str, Any]) -> list[Figures]:
    """The rows of an item of an answer."""
    if dataset.rows_in is Rows.LIST:
        return item[dataset.rows_key]
    if dataset.rows_in is Rows.OBJECT:
        return [item[dataset.rows_key]]
    metrics = {metric.name for metric in dataset.metrics}
    return [{name: item[name] for name in item if name in metrics}]


@dataclass
class Tables:
    """What the tables hold, in plain terms."""

    facts: Facts = field(default_factory=dict)
    history: dict[Key, list[Figures]] = field(default_factory=dict)
    """By dataset, account, item as a text and stat_date: what was replaced, in its order."""
    articles: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """By account and msgid: the publication day, when it was first seen, attributes."""
    unlisted: dict[Key, datetime | None] = field(default_factory=dict)
    """By account, dataset and msgid: since when; not of an article that both days list."""
    open: set[Key] = field(default_factory=set)
    """Rejected parts that are open: dataset, account, item, stat_date."""
    coverage: dict[Key, Key] = field(default_factory=dict)
    """By dataset, account and day: the most items, the newest answer's time and its rows."""


def truth(commits: Sequence[Sequence[Told]]) -> Tables:
    """What the tables hold after these, each a number of answers that arrive at once."""
    given = (answer for commit in commits for answer in commit if answer.errcode == 0)
    answers = sorted(given, key=attrgetter("at"))
    listed_on = _listed_on(answers)
    tables, by_pair = Tables(), defaultdict[Key, list[Told]](list)
    _rows(tables, commits, listed_on)
    for answer in answers:
        by_pair[answer.pair].append(answer)
        for item in answer.items if answer.dataset.describes_articles else ():
            last = max(listed_on[answer.appid, answer.name(item)])
            first = {"day": last, "first": answer.first_at or answer.at}
            known = tables.articles.setdefault((answer.appid, answer.name(item)), first)
            if answer.day == last:
                keys = ("ref_date", answer.dataset.item.name, answer.dataset.rows_key)
                known |= {k: v for k, v in item.items() if v is not None and k not in keys}
    for pair_answers in by_pair.values():
        _of_pair(tables, pair_answers, listed_on)
    return tables


def _listed_on(answers: Iterable[Told]) -> dict[Key, set[date]]:
    """The publication days of each article."""
    listed: defaultdict[Key, set[date]] = defaultdict(set)
    for answer in answers:
        for name in answer.names if answer.dataset.describes_articles else ():
            listed[answer.appid, name].add(answer.day)
    return listed


def _rows(
    tables: Tables, commits: Iterable[Iterable[Told]], listed_on: dict[Key, set[date]]
) -> None:
    """Facts, and what each commit replaced of them."""
    given: defaultdict[Key, list[tuple[datetime, date, Figures]]] = defaultdict(list)
    now: Facts = {}
    for commit in commits:
        touched = set[Key]()
        for answer in commit:
            for item, stat_date, row in answer.rows:
                touched.add(key := (answer.dataset.name, answer.appid, item, stat_date))
                given[key].append((answer.at, answer.day, dict(_given(answer.dataset, row))))
        for key in touched:
            figures = _folded(given[key])
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
    """What is there and fits."""
    for name, value in row.items():
        is_figure = _is_odd(value) and name in {metric.name for metric in dataset.figures}
        if value is not None and name != "stat_date" and not is_figure:
            yield name, value


def _is_odd(value: Any) -> bool:
    return isinstance(value, str)


def _folded(versions: Iterable[tuple[datetime, date, Figures]]) -> Figures:
    """What the latest day that gives a row says of it."""
    by_day: dict[date, Figures] = {}
    for _, day, given in sorted(versions, key=itemgetter(0)):
        by_day[day] = by_day.get(day, {}) | given
    return by_day[max(by_day)]


def _of_pair(tables: Tables, answers: Sequence[Told], listed_on: dict[Key, set[date]]) -> None:
    """What is said of a pair by its answers, oldest first."""
    newest, known = answers[-1], set[Any]()
    dataset, appid, _ = newest.pair
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
    tables.coverage[newest.pair] = (max(len(answer.names) for answer in answers), newest.at, count)


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


NO_FIGURES = "appid,account_name,msgid,title,user_source,publication_date,stat_date"
NO_FIGURES += ",raw_response_id,fetched_at,changed_at,extra"


def facts(warehouse: Engine, *datasets: Dataset, instant: datetime | None = None) -> Facts:
    """Of some datasets or all: what the facts hold, or held at an instant."""
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
    """The figure that a world's rows have, of each; all in its words."""
    return {
        (name, appid, "" if item is None else str(item), *map(str, days)): row[
            figure(DATASETS[name])
        ]
        for (name, appid, item, *days), row in facts.items()
        if figure(DATASETS[name]) in row
    }


def held(warehouse: Engine) -> Tables:
    """The tables."""
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
    """What is held, and what should be; it is not told whether a moved article is listed."""
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
