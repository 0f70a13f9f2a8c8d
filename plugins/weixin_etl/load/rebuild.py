"""
A pair rebuilt from all its kept answers: for one that comes late, a replay, an import.

They are parsed again and merged in the order they were last seen, so that the newest wins, field by
field, whatever the order of arrival.

An article that answers list under several publication days is one article: it is made of the
answers of all these days, in the order that `raw_response/macros.jinja` gives. Its publication day
is that of the newest answer.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from weixin_etl.datasets import Dataset
from weixin_etl.load.outcome import Outcome
from weixin_etl.load.stage import Staged, article_line, row_lines, unpacked
from weixin_etl.load.tables import Tables
from weixin_etl.model import Pair
from weixin_etl.parse import day_before, parse
from weixin_etl.parse.articles import Merged, OpenParts, Parsed, Rejected, Summary, merge
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
class Rebuilt:
    """A pair as all its kept answers make it."""

    pair: Pair
    merged: Merged[KeptAnswer]
    newest: Summary | None = None
    """The newest answer in which articles can be made out, when it was last fetched."""
    newest_with_data: Summary | None = None
    readable: set[int] = field(default_factory=set)
    """The answers in which articles can be made out, by raw_response_id."""
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    """What does not fit and no later answer gave, with the answer it is a part of."""
    given: list[tuple[int, Rejected]] = field(default_factory=list)
    """What did not fit and a later answer gave, with the answer it is a part of."""


OtherDays = Mapping[str, set[date]]
"""Of articles that several publication days list, by msgid: the other days."""


def rebuild_pairs(tables: Tables, pairs: Sequence[Pair]) -> Iterator[tuple[Rebuilt, bool]]:
    """
    Rebuild pairs; then once more those that list an article which another publication day lists.

    With each comes whether the answers of other days are in it; it is the caller's to change.
    """
    listed: dict[Pair, Collection[str]] = {}
    for rebuilt in _rebuild_alone(tables, pairs):
        listed[rebuilt.pair] = tuple(rebuilt.merged.articles)
        yield rebuilt, False
    for pair, others in other_days(tables, listed).items():
        yield _rebuild_with(tables, pair, others), True


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
    rebuilt = Rebuilt(pair, Merged())
    parts = OpenParts[int](pair[1], dataset.window)
    rebuilt.merged = merge(_readable(dataset, rebuilt, answers, parts, shared))
    rebuilt.rejected, rebuilt.given = parts.open, parts.given
    return rebuilt


def _readable(
    dataset: Dataset,
    rebuilt: Rebuilt,
    answers: Iterable[KeptAnswer],
    parts: OpenParts[int],
    shared: Collection[str],
) -> Iterator[tuple[KeptAnswer, Parsed]]:
    """The answers but for unreadable ones; what is to be known of the pair's own is noted."""
    for kept in answers:
        parsed = parse(dataset, kept.body, kept.pair[1], kept.last_seen_at)
        if parsed.unreadable:
            continue
        kept = replace(kept, body_zstd=b"")
        if kept.pair != rebuilt.pair:
            articles = {msgid: it for msgid, it in parsed.articles.items() if msgid in shared}
            parsed = replace(parsed, articles=articles)
            parts.take_elsewhere(parsed)
        else:
            rebuilt.readable.add(kept.raw_response_id)
            parts.take(kept.raw_response_id, parsed, day_before(kept.last_seen_at))
            rebuilt.newest = parsed.summary(kept.last_seen_at)
            if rebuilt.newest.has_data:
                rebuilt.newest_with_data = rebuilt.newest
        yield kept, parsed


def rebuild_with_shared(
    tables: Tables, listed: Mapping[Pair, Collection[str]], pairs: Collection[Pair]
) -> dict[Pair, Rebuilt]:
    """
    Rebuild pairs, and each that lists an article which another publication day lists, too.

    `listed` are the articles that pairs list, whether they are to be rebuilt or not.
    """
    rebuilt: dict[Pair, Rebuilt] = {}
    listed = dict(listed)
    while True:
        for it in _rebuild_alone(tables, sorted(pairs)):
            rebuilt[it.pair] = it
            listed[it.pair] = it.merged.articles
        others = other_days(tables, listed)
        pairs = others.keys() - rebuilt.keys()
        if not pairs:
            return rebuilt | {it: _rebuild_with(tables, it, others[it]) for it in others}


def other_days(
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
    for row in tables.execute("dim_article/listed_elsewhere.sql", listings=listings(listed)):
        days[row.appid, row.msgid].update(row.publication_dates)
    others: dict[Pair, dict[str, set[date]]] = {}
    for (appid, day), msgids in listed.items():
        shared = {it: days[appid, it] - {day} for it in msgids if len(days[appid, it]) > 1}
        if shared:
            others[appid, day] = shared
    return others


def listings(listed: Mapping[Pair, Collection[str]]) -> str:
    """The articles that pairs list, as statements take them."""
    of_pairs = [
        {"appid": appid, "publication_date": day, "msgids": list(msgids)}
        for (appid, day), msgids in listed.items()
    ]
    return msgspec.json.encode(of_pairs).decode()


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
    articles = []
    for msgid, article in merged.articles.items():
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
    days = ((msgid, day) for msgid, it in with_rows.items() for day in it.rows)
    rows = [line + ends[merged.changed_by[key]] for line, key in zip(lines, days, strict=True)]
    return Staged(
        pair,
        tuple(merged.articles),
        b"".join(articles),
        b"".join(rows),
        len(rows),
        has_facts=True,
        is_rebuilt=True,
    )


# -------------------------------------------------------------------------------- rejected parts

Part = tuple[int, str | None, date | None, str | None, str, bytes]
"""A rejected part of an answer, as told from others: its payload by the SHA-256."""


def part(raw_response_id: int, rejected: Rejected) -> Part:
    """What tells a part of an answer from others."""
    digest = hashlib.sha256(rejected.payload.encode()).digest()
    at = rejected.msgid, rejected.stat_date, rejected.metric
    return (raw_response_id, *at, rejected.reason, digest)


def open_parts(
    tables: Tables, listed: Mapping[Pair, Collection[str]]
) -> dict[Pair, dict[Part, Row[Any]]]:
    """The open parts of pairs, and of those that have such a part of an article listed now."""
    found: dict[Pair, dict[Part, Row[Any]]] = defaultdict(dict)
    for row in tables.execute("rejected_row/open.sql", listings=listings(listed)):
        at = row.msgid, row.stat_date, row.metric
        known = (row.raw_response_id, *at, row.reason, bytes(row.payload_sha256))
        found[row.appid, row.publication_date][known] = row
    return found


def settled_parts(
    rebuilt: Rebuilt, known: Mapping[Part, Row[Any]], merged: Collection[int]
) -> tuple[list[int], list[tuple[Pair, int, Rejected]]]:
    """
    Of a pair's open parts, the ones that later answers gave or that fit now; and those to add.

    What an answer says today is in the fact only if it is one of `merged`, by raw_response_id.
    """
    parts = {part(number, it): (rebuilt.pair, number, it) for number, it in rebuilt.rejected}
    given = {part(number, it) for number, it in rebuilt.given}
    resolved = [
        row.rejected_row_id
        for it, row in known.items()
        if it in given or (row.raw_response_id in merged and it not in parts)
    ]
    new = [its for it, its in parts.items() if it not in known and it[0] in merged]
    return resolved, new


def settle(
    tables: Tables, resolved: Sequence[int], new: Sequence[tuple[Pair, int, Rejected]]
) -> None:
    """Resolve open parts, and write down others."""
    if resolved:
        values = {"rejected_row_ids": resolved, "resolved_at": tables.changed_at}
        tables.execute("rejected_row/resolve.sql", **values)
    tables.reject(new)
