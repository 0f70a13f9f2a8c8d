"""
A pair's kept answers folded in the order in which they were fetched.

Replay and import fold what they select, a load the pairs whose answer came late.

The fact of a pair becomes what its answers say together, the newest first, field by field, whatever
the order in which they arrived. What runs have judged stands; an answer that none has judged is
judged by the answers of its account's morning.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TypeVar

import zstandard
from sqlalchemy import Connection

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS, DATASETS, Dataset
from weixin_etl.load.evaluation import AnswerTime, evaluate_history, merge_coverage
from weixin_etl.load.falls import has_news
from weixin_etl.load.merge import Merge, StoredSlice
from weixin_etl.load.stage import StagedAnswer, articles_json, copy_lines, row_end, stage_evidence
from weixin_etl.model import Account, Slice
from weixin_etl.parse import Article, ParsedAnswer, parse
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import dataset_slice_arrays

T = TypeVar("T")
_MOST_BYTES = 2 << 20
"""Compressed answers that are read at once: articles and rows take ten times as much memory."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, as it is kept."""

    raw_response_id: int
    dataset: Dataset
    slice: Slice
    fetched_at: datetime
    last_seen_at: datetime
    body_zstd: bytes = field(repr=False, compare=False)

    @property
    def body(self) -> bytes:
        """The exact bytes."""
        return zstandard.decompress(self.body_zstd)

    def parsed(self, at: datetime) -> ParsedAnswer:
        """What it said at that instant."""
        return parse(self.dataset, self.body, self.slice[1], at)


def kept_answers(
    connection: Connection,
    datasets: Iterable[Dataset],
    pairs: Iterable[Slice],
    since: datetime | None = None,
) -> Iterator[KeptAnswer]:
    """Yield the answers of datasets and pairs seen since then, pair by pair, oldest first."""
    values = {**dataset_slice_arrays(datasets, pairs), "since": since}
    for row in connection.execute(statement("raw_response/of_pairs.sql"), values):
        pair = row.appid, row.day
        seen = row.fetched_at, row.last_seen_at
        yield KeptAnswer(row.raw_response_id, DATASETS[row.dataset], pair, *seen, bytes(row.body))


@dataclass(slots=True)
class MergedAnswers:
    """What a dataset's answers of a pair say together, and when each was seen."""

    dataset: Dataset
    slice: Slice
    sightings: list[StagedAnswer] = field(default_factory=list)
    """What the rules look at of each answer, at the first and the last time that it was seen."""
    articles: dict[str, Article] = field(default_factory=dict)
    """By msgid, also of those that other datasets alone list; rows of this one."""
    changed_by: dict[tuple[str, date], KeptAnswer] = field(default_factory=dict)
    """By msgid and stat_date: the answer that last changed the row."""
    first_seen_at: dict[str, datetime] = field(default_factory=dict)
    """By msgid, of all that it has listed."""
    newest: StagedAnswer | None = None
    """The newest answer in which articles can be made out."""
    content: StagedAnswer | None = None
    """What is to be in the tables; None if nothing can be made out in any of its answers."""

    def add(self, kept: KeptAnswer) -> None:
        """Add the next answer, of whatever dataset."""
        parsed = kept.parsed(kept.last_seen_at)
        if kept.dataset is not self.dataset:
            self._describe(parsed)
            return
        is_news = self._has_news(parsed)
        if clock.beijing_date(kept.fetched_at) < clock.beijing_date(kept.last_seen_at):
            self._see(kept.fetched_at, kept.parsed(kept.fetched_at), has_news=is_news)
            is_news = False  # the same bytes again
        seen = self._see(kept.last_seen_at, parsed, has_news=is_news)
        if not parsed.unreadable:
            where = kept.raw_response_id
            self.newest = replace(seen, raw_response_id=where, rejected=parsed.rejected)
            self._list(kept, parsed)

    def _describe(self, parsed: ParsedAnswer) -> None:
        for msgid, article in parsed.articles.items():
            described = replace(article, rows={}, row_extras={})
            self.articles.setdefault(msgid, Article(msgid)).merge(described)

    def _list(self, kept: KeptAnswer, parsed: ParsedAnswer) -> None:
        for msgid, article in parsed.articles.items():
            first = self.first_seen_at.get(msgid, kept.fetched_at)
            self.first_seen_at[msgid] = min(first, kept.fetched_at)
            changed = self.articles.setdefault(msgid, Article(msgid)).merge(article)
            self.changed_by |= {(msgid, day): kept for day in changed}

    def _has_news(self, parsed: ParsedAnswer) -> bool:
        """Return whether it brings a row that no answer before had, or a total that fell."""
        articles = parsed.articles.items()
        return any(has_news(self.dataset, self.articles.get(msgid), it) for msgid, it in articles)

    def _see(self, at: datetime, parsed: ParsedAnswer, *, has_news: bool) -> StagedAnswer:
        appid, day = self.slice
        seen = stage_evidence(self.dataset, Account("", appid, "", appid), day, at, parsed)
        said = replace(seen.evidence, has_news=has_news)
        self.sightings.append(replace(seen, evidence=said, msgids=[*parsed.articles]))
        return seen

    def unlisted_since(self, ready: Collection[AnswerTime]) -> dict[str, datetime | None]:
        """By msgid: since which ready answer none lists the article; None while one does."""
        since: dict[str, datetime | None] = {}
        for seen in sorted(self.sightings, key=lambda seen: seen.evidence.at):
            if (seen.day, seen.evidence.at) in ready:
                since = {msgid: gone or seen.evidence.at for msgid, gone in since.items()}
            since |= dict.fromkeys(seen.msgids)
        return since

    def close(self) -> "MergedAnswers":
        """Work the content out, and let go of the articles, which take far more memory."""
        if self.newest is not None:
            self.content = replace(
                self.newest,
                msgids=[*self.first_seen_at],
                articles=self.described(self.first_seen_at),
                rows=[*self._rows()],
                is_history=True,
            )
        self.articles, self.changed_by = {}, {}
        return self

    def described(self, first_seen_at: Mapping[str, datetime]) -> bytes:
        """Return articles as `articles_json` does, by msgid with when each was first listed."""
        listed = ((self.articles[msgid], at) for msgid, at in first_seen_at.items())
        return articles_json(self.dataset, self.slice, listed)

    def _rows(self) -> Iterator[bytes]:
        """Lines."""
        for msgid, article in self.articles.items():
            lines = copy_lines(self.dataset, article)
            for stat_date, line in zip(article.rows, lines, strict=True):
                kept = self.changed_by[msgid, stat_date]
                end = row_end(self.dataset, self.slice, kept.raw_response_id, kept.fetched_at)
                yield line + end


def read_by_fold(dataset: Dataset) -> Collection[Dataset]:
    """The datasets whose answers a fold of this one reads."""
    return ARTICLE_DATASETS.values() if dataset.describes_articles else [dataset]


def merge_answers(
    merge: Merge, pairs: Iterable[Slice], since: datetime | None = None
) -> list[MergedAnswers]:
    """Fold the kept answers of pairs; what an article is, any dataset's answers say."""
    folded = {pair: MergedAnswers(merge.dataset, pair) for pair in pairs}
    for kept in kept_answers(merge.connection, read_by_fold(merge.dataset), folded, since):
        folded[kept.slice].add(kept)
    return [*folded.values()]


def merged_slices(merge: Merge, pairs: Sequence[Slice]) -> Iterator[list[MergedAnswers]]:
    """Fold all kept answers of pairs, and yield the closed folds that fit into memory together."""
    if not pairs:
        return
    read = dataset_slice_arrays(read_by_fold(merge.dataset), pairs)
    sizes = merge.connection.execute(statement("raw_response/sizes.sql"), read).all()
    sized = (((row.appid, row.day), row.byte_count) for row in sizes)
    for part in in_batches(sized, _MOST_BYTES):
        yield [fold.close() for fold in merge_answers(merge, part)]


def in_batches(sized: Iterable[tuple[T, int]], most_bytes: int) -> Iterator[list[T]]:
    """As many things at once as fit, by their sizes."""
    part: list[T] = []
    size = 0
    for one, its_bytes in sized:
        part.append(one)
        size += its_bytes
        if size >= most_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part


def described(
    merge: Merge, answers: Sequence[StagedAnswer], known: Mapping[Slice, StoredSlice]
) -> list[StagedAnswer]:
    """
    Return the answers with their articles as newer answers of other datasets describe them.

    Rows are a dataset's own, but what an article is called any dataset says.
    """
    fetched = {answer.slice: answer.evidence.at for answer in answers}
    older = {pair: at for pair, at in fetched.items() if known[pair].is_described_since(at)}
    if not older:
        return [*answers]
    folded = {fold.slice: fold for fold in merge_answers(merge, older, since=min(older.values()))}
    return [_described(answer, folded.get(answer.slice)) for answer in answers]


def _described(answer: StagedAnswer, folded: MergedAnswers | None) -> StagedAnswer:
    """Return the answer with its articles as the fold describes them, if there is one."""
    if folded is None:
        return answer
    listed = dict.fromkeys(answer.msgids, answer.evidence.at)
    return replace(answer, articles=folded.described(listed))


def evaluate_merged(
    merge: Merge,
    folded: Iterable[MergedAnswers],
    known: Mapping[Slice, StoredSlice],
    ready_hour: int,
) -> int:
    """Write what the answers make of their pairs; return of how many coverage said otherwise."""
    by_account: defaultdict[str, list[MergedAnswers]] = defaultdict(list)
    for fold in folded:
        by_account[fold.slice[0]].append(fold)
    accounts = by_account.values()
    return sum(_judge_account(merge, account, known, ready_hour) for account in accounts)


def _judge_account(
    merge: Merge,
    folded: Sequence[MergedAnswers],
    known: Mapping[Slice, StoredSlice],
    ready_hour: int,
) -> int:
    """Do so of an account, whose answers are judged together."""
    pairs = {it.slice[1]: it.slice for it in folded}
    sightings = [seen for it in folded for seen in it.sightings]
    again, ready = evaluate_history(merge.dataset, sightings, ready_hour)
    after = {
        pairs[day]: merge_coverage(known[pairs[day]].coverage, it) for day, it in again.items()
    }
    others = {pair: row for pair, row in after.items() if row != known[pair].coverage}
    merge.save(others)
    sightings.sort(key=lambda seen: seen.evidence.at)
    listed = {
        it.slice: it.evidence.list_sha256 for it in sightings if (it.day, it.evidence.at) in ready
    }
    articles = [
        {"appid": it.slice[0], "day": it.slice[1], "msgid": msgid, "at": at}
        for it in folded
        if it.newest and after[it.slice].list_sha256 == listed.get(it.slice)
        for msgid, at in it.unlisted_since(ready).items()
    ]
    merge.unlist("dim_article/unlist_again.sql", articles)
    return len(others)
