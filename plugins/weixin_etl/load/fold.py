"""
A pair's kept answers folded in the order in which they were fetched: for replay and import.

The fact of a pair becomes what its answers say together, the newest first, field by field, whatever
the order in which they arrived. What runs have judged stands; an answer that none has judged is
judged by the answers of its account's morning.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import zstandard
from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset
from weixin_etl.load import judge
from weixin_etl.load.stage import Staged, articles_json, row_end, row_lines, sighting
from weixin_etl.model import Account, Coverage, Pair
from weixin_etl.parse import Article, Parsed, parse
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import each_of

Sight = tuple[date, datetime]
"""An answer of an account: its day, and when it was seen."""
_ATTEMPT = ("attempted_at", "error_kind", "error_code", "error", "cure")
"""What coverage says of the last attempt."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, as it is kept."""

    raw_response_id: int
    dataset: Dataset
    pair: Pair
    fetched_at: datetime
    last_seen_at: datetime
    body_zstd: bytes = field(repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The exact bytes."""
        return zstandard.decompress(self.body_zstd)

    def parsed(self, at: datetime) -> Parsed:
        """What it said at that instant."""
        return parse(self.dataset, self.body, self.pair[1], at)


def kept_answers(
    connection: Connection, datasets: Iterable[Dataset], pairs: Iterable[Pair]
) -> Iterator[KeptAnswer]:
    """Every answer of datasets and pairs, pair by pair, oldest first."""
    of_pairs = statement("raw_response/of_pairs.sql")
    for row in connection.execute(of_pairs, each_of(datasets, pairs)):
        pair = row.appid, row.day
        seen = row.fetched_at, row.last_seen_at
        yield KeptAnswer(row.raw_response_id, DATASETS[row.dataset], pair, *seen, bytes(row.body))


@dataclass(slots=True)
class Folded:
    """What a dataset's answers of a pair say together, and when each was seen."""

    dataset: Dataset
    pair: Pair
    sightings: list[Staged] = field(default_factory=list)
    """What the rules look at of each answer, at the first and the last time that it was seen."""
    articles: dict[str, Article] = field(default_factory=dict)
    """By msgid, also of those that other datasets alone list; rows of this one."""
    changed_by: dict[tuple[str, date], KeptAnswer] = field(default_factory=dict)
    """By msgid and stat_date: the answer that last changed the row."""
    first_seen_at: dict[str, datetime] = field(default_factory=dict)
    """By msgid, of all that it has listed."""
    newest: Staged | None = None
    """The newest answer in which articles can be made out."""

    def add(self, kept: KeptAnswer) -> None:
        """Add the next answer, of whatever dataset."""
        parsed = kept.parsed(kept.last_seen_at)
        if kept.dataset is not self.dataset:
            self._describe(parsed)
            return
        if clock.beijing_date(kept.fetched_at) < clock.beijing_date(kept.last_seen_at):
            self._see(kept.fetched_at, kept.parsed(kept.fetched_at))
        seen = self._see(kept.last_seen_at, parsed)
        if not parsed.unreadable:
            where = kept.raw_response_id
            self.newest = replace(seen, raw_response_id=where, rejected=parsed.rejected)
            self._list(kept, parsed)

    def _describe(self, parsed: Parsed) -> None:
        for msgid, article in parsed.articles.items():
            described = replace(article, rows={}, row_extras={})
            self.articles.setdefault(msgid, Article(msgid)).merge(described)

    def _list(self, kept: KeptAnswer, parsed: Parsed) -> None:
        for msgid, article in parsed.articles.items():
            first = self.first_seen_at.get(msgid, kept.fetched_at)
            self.first_seen_at[msgid] = min(first, kept.fetched_at)
            changed = self.articles.setdefault(msgid, Article(msgid)).merge(article)
            self.changed_by |= {(msgid, day): kept for day in changed}

    def _see(self, at: datetime, parsed: Parsed) -> Staged:
        appid, day = self.pair
        seen = sighting(self.dataset, Account("", appid, "", appid), day, at, parsed)
        self.sightings.append(replace(seen, msgids=[*parsed.articles]))
        return seen

    def unlisted_since(self, ready: Collection[Sight]) -> dict[str, datetime | None]:
        """By msgid: since which ready answer none lists the article; None while one does."""
        since: dict[str, datetime | None] = {}
        for seen in sorted(self.sightings, key=lambda seen: seen.said.at):
            if (seen.day, seen.said.at) in ready:
                since = {msgid: gone or seen.said.at for msgid, gone in since.items()}
            since |= dict.fromkeys(seen.msgids)
        return since

    def content(self) -> Staged | None:
        """What is to be in the tables; None if nothing can be made out in any of its answers."""
        if self.newest is None:
            return None
        listed = [(self.articles[msgid], at) for msgid, at in self.first_seen_at.items()]
        return replace(
            self.newest,
            msgids=[*self.first_seen_at],
            articles=articles_json(self.dataset, self.pair, listed),
            rows=[*self._rows()],
        )

    def _rows(self) -> Iterator[bytes]:
        """Lines."""
        for msgid, article in self.articles.items():
            lines = row_lines(self.dataset, article)
            for stat_date, line in zip(article.rows, lines, strict=True):
                kept = self.changed_by[msgid, stat_date]
                end = row_end(self.dataset, self.pair, kept.raw_response_id, kept.fetched_at)
                yield line + end


def read_by_fold(dataset: Dataset) -> Collection[Dataset]:
    """The datasets whose answers a fold of this one reads."""
    return ARTICLE_DATASETS.values() if dataset.describes_articles else [dataset]


def fold(connection: Connection, dataset: Dataset, pairs: Iterable[Pair]) -> list[Folded]:
    """Fold the kept answers of pairs; what an article is, any dataset's answers say."""
    folded = {pair: Folded(dataset, pair) for pair in pairs}
    for kept in kept_answers(connection, read_by_fold(dataset), folded):
        folded[kept.pair].add(kept)
    return [*folded.values()]


def judged(
    dataset: Dataset, sightings: Iterable[Staged], ready_hour: int
) -> tuple[dict[date, Coverage], set[Sight]]:
    """
    What an account's answers make of its days, morning after morning.

    And which of them are ready and say what is listed.
    """
    mornings: defaultdict[date, list[Staged]] = defaultdict(list)
    heard: dict[date, datetime] = {}
    most: dict[date, int] = {}
    for seen in sorted(sightings, key=lambda seen: seen.said.at):
        morning = clock.beijing_date(seen.said.at)
        mornings[morning].append(seen)
        most[seen.day] = max(seen.said.article_count, most.get(seen.day, 0))
        if seen.lists_articles:
            heard[morning] = seen.said.at
    known: dict[date, Coverage] = {}
    ready: set[Sight] = set()
    for morning, its in sorted(mornings.items()):
        chunk = {seen.day: seen for seen in its}
        before = {day: known.get(day, Coverage()) for day in chunk}
        known |= judge(dataset, [*chunk.values()], before, heard.get(morning), ready_hour)
        ready |= {
            (seen.day, seen.said.at)
            for seen in its
            if _is_ready(seen, chunk[seen.day], known[seen.day], ready_hour)
        }
    return {day: replace(row, article_count=most[day]) for day, row in known.items()}, ready


def _is_ready(seen: Staged, last: Staged, known: Coverage, ready_hour: int) -> bool:
    """Whether a morning's answer says what is listed: its last one does, if this is an earlier."""
    is_good = known.ready_at == last.said.at and known.list_sha256 is not None and not seen.error
    return is_good and (seen is last or clock.beijing(seen.said.at)[1].hour >= ready_hour)


def combined(stored: Coverage, again: Coverage) -> Coverage:
    """
    What is stored of a pair once its answers were folded.

    What a run made of the newest answer stands, but for one that could not be read then.
    """
    newest = stored if stored.attempted_at else again
    if _is_newer(again.fetched_at, stored.fetched_at):
        newest = again
        if not _is_newer(again.ready_at, stored.ready_at):
            newest = _with(newest, stored, "ready_at", "list_sha256")
        if _is_newer(stored.attempted_at, again.attempted_at):
            newest = _with(newest, stored, *_ATTEMPT)
    elif again.fetched_at == stored.fetched_at:
        newest = _with(newest, again, "through_date", "newest_date", "row_count")
    return replace(
        _with(newest, stored, "fell_at", "fall"),
        settled="final" if "final" in (stored.settled, again.settled) else newest.settled,
        article_count=max(stored.article_count, again.article_count),
    )


def _with(row: Coverage, other: Coverage, *columns: str) -> Coverage:
    return replace(row, **{name: getattr(other, name) for name in columns})


def _is_newer(instant: datetime | None, other: datetime | None) -> bool:
    return instant is not None and (other is None or instant > other)
