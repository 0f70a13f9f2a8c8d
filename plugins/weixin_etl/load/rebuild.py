"""
A pair rebuilt from all its kept answers: for one that comes late, a replay, an import.

They are parsed again and merged in the order they were last seen, so that the newest wins, field by
field, whatever the order of arrival.

An article that answers list under several publication days is one article: it is made of the
answers of all these days, in the order that `raw_response/macros.jinja` gives. Its publication day
is that of the newest answer.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import Connection

from weixin_etl.datasets import Dataset
from weixin_etl.load.outcome import Outcome
from weixin_etl.load.parts import OpenParts
from weixin_etl.load.stage import Staged, article_line, row_lines, unpacked
from weixin_etl.load.tables import Tables
from weixin_etl.model import Pair, Summary
from weixin_etl.parse import day_before, parse
from weixin_etl.parse.articles import Article
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import arrays

_PAIRS_READ = 50
"""Pairs whose compressed answers are read at once."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, as it is kept."""

    raw_response_id: int
    pair: Pair
    fetched_at: datetime
    last_seen_at: datetime
    body_zstd: bytes = field(repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The exact bytes."""
        return unpacked(self.body_zstd)


def kept_answers(
    connection: Connection, dataset: Dataset, pairs: Collection[Pair]
) -> Iterator[KeptAnswer]:
    """Every distinct answer of pairs, oldest first."""
    rows = connection.execute(statement("raw_response/of_pairs.sql"), arrays(dataset, pairs))
    for row in rows:
        pair = row.appid, row.publication_date
        yield KeptAnswer(
            row.raw_response_id, pair, row.fetched_at, row.last_seen_at, bytes(row.body_zstd)
        )


@dataclass(slots=True)
class Merged:
    """What the answers of a pair say together: the last non-null value of each field."""

    articles: dict[str, Article] = field(default_factory=dict)
    listed_by: dict[str, list[KeptAnswer]] = field(default_factory=dict)
    """The answers that list an article, by msgid, in order."""
    changed_by: dict[tuple[str, date], KeptAnswer] = field(default_factory=dict)
    """By msgid and stat_date: the answer that last changed the row."""

    def add(self, kept: KeptAnswer, articles: Mapping[str, Article]) -> None:
        """Add the next answer."""
        for msgid, article in articles.items():
            changed = self.articles.setdefault(msgid, Article(msgid)).merge(article)
            self.listed_by.setdefault(msgid, []).append(kept)
            self.changed_by |= {(msgid, day): kept for day in changed}


@dataclass(slots=True)
class Rebuilt:
    """A pair as all its kept answers make it."""

    pair: Pair
    parts: OpenParts
    """What of the answers does not fit, and which later answers gave."""
    merged: Merged = field(default_factory=Merged)
    newest: Summary | None = None
    """The newest answer in which articles can be made out, when it was last fetched."""
    newest_with_data: Summary | None = None
    readable: set[int] = field(default_factory=set)
    """The answers in which articles can be made out, by raw_response_id."""


OtherDays = Mapping[str, set[date]]
"""The other days of articles that several publication days list, by msgid."""


def rebuild(
    tables: Tables,
    pairs: Collection[Pair],
    listed: Mapping[Pair, Collection[str]] = MappingProxyType({}),
) -> Iterator[tuple[Rebuilt, bool]]:
    """
    Rebuild pairs; then once more those that list an article which another publication day lists.

    `listed` are the articles of further pairs, which are rebuilt only if they list such an article.
    With each comes whether the answers of other days are in it; it is the caller's to change.
    """
    listed = dict(listed)
    done: set[Pair] = set()
    while True:
        for rebuilt in _rebuild_alone(tables, sorted(pairs)):
            if tables.dataset.describes_articles:  # else a day stands for itself
                listed[rebuilt.pair] = tuple(rebuilt.merged.articles)
            done.add(rebuilt.pair)
            yield rebuilt, False
        others = _other_days(tables, listed) if listed else {}
        pairs = others.keys() - done
        if not pairs:
            break
    for pair, days in others.items():
        yield _rebuild_with(tables, pair, days), True


def _rebuild_alone(tables: Tables, pairs: Sequence[Pair]) -> Iterator[Rebuilt]:
    for first in range(0, len(pairs), _PAIRS_READ):
        some = pairs[first : first + _PAIRS_READ]
        kept: dict[Pair, list[KeptAnswer]] = {pair: [] for pair in some}
        for answer in kept_answers(tables.connection, tables.dataset, some):
            kept[answer.pair].append(answer)
        for pair in some:
            yield _rebuild(tables.dataset, pair, kept.pop(pair))


def _rebuild_with(tables: Tables, pair: Pair, others: OtherDays) -> Rebuilt:
    """The pair with what the answers of other days say of its shared articles."""
    pairs = [(pair[0], day) for day in sorted({pair[1]}.union(*others.values()))]
    answers = kept_answers(tables.connection, tables.dataset, pairs)
    return _rebuild(tables.dataset, pair, answers, others.keys())


def _rebuild(
    dataset: Dataset, pair: Pair, answers: Iterable[KeptAnswer], shared: Collection[str] = ()
) -> Rebuilt:
    """Of the answers of other days, only what they say of the shared articles counts."""
    rebuilt = Rebuilt(pair, OpenParts(pair[1], dataset.row_days))
    for kept in answers:
        parsed = parse(dataset, kept.body, kept.pair[1], kept.last_seen_at)
        if parsed.unreadable:
            continue
        articles = parsed.articles
        if kept.pair == pair:
            rebuilt.readable.add(kept.raw_response_id)
            rebuilt.parts.take(kept.raw_response_id, parsed, day_before(kept.last_seen_at))
            rebuilt.newest = parsed.summary(kept.last_seen_at)
            if rebuilt.newest.has_data:
                rebuilt.newest_with_data = rebuilt.newest
        else:
            articles = {msgid: it for msgid, it in articles.items() if msgid in shared}
            rebuilt.parts.take_elsewhere(articles)
        rebuilt.merged.add(replace(kept, body_zstd=b""), articles)
    return rebuilt


def _other_days(
    tables: Tables, listed: Mapping[Pair, Collection[str]]
) -> dict[Pair, dict[str, set[date]]]:
    """
    Of the articles that each pair lists, those that other publication days list, too.

    These days are known from loads before, or are among the pairs.
    """
    days: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
    for (appid, day), msgids in listed.items():
        for msgid in msgids:
            days[appid, msgid].add(day)
    for row in tables.execute("dim_article/listed_elsewhere.sql", listings=tables.listings(listed)):
        days[row.appid, row.msgid].update(row.publication_dates)
    others: dict[Pair, dict[str, set[date]]] = {}
    for (appid, day), msgids in listed.items():
        shared = {it: days[appid, it] - {day} for it in msgids if len(days[appid, it]) > 1}
        if shared:
            others[appid, day] = shared
    return others


def staged_again(
    tables: Tables, rebuilt: Rebuilt, late: Outcome | None = None, *, of_its_own_day: bool = False
) -> Staged:
    """
    The lines of a rebuilt pair.

    Of the articles of a `late` answer it is known when they were seen, even if it is not kept.
    Rows may be limited to articles whose newest answer is of this publication day.
    """
    merged, pair = rebuilt.merged, rebuilt.pair
    seen_late = set(late.msgids) if late else set()
    described = merged.articles if tables.dataset.describes_articles else {}
    articles = []
    for msgid, article in described.items():
        seen_at = [it.fetched_at for it in merged.listed_by[msgid]]
        if late and msgid in seen_late:
            seen_at.append(late.ended_at)
        newest_id = merged.listed_by[msgid][-1].raw_response_id
        articles.append(article_line(article))
        articles.append(tables.article_end(pair, newest_id, min(seen_at), max(seen_at)))
    with_rows = {
        msgid: article
        for msgid, article in merged.articles.items()
        if not of_its_own_day or merged.listed_by[msgid][-1].pair == pair
    }
    ends = {
        kept: tables.row_end(pair, kept.raw_response_id, kept.fetched_at)
        for kept in set(merged.changed_by.values())
    }
    lines = row_lines(tables.dataset, with_rows.values())
    rows = [line + ends[merged.changed_by[key]] for key, line in lines.items()]
    return Staged(
        pair,
        tuple(described),
        b"".join(articles),
        b"".join(rows),
        len(rows),
        has_facts=True,
        is_rebuilt=True,
    )
