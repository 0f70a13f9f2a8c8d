"""
The kept answers of a slice, merged and evaluated again from the oldest to the newest.

Replay and import do this for the slices that they select. A load does it for each slice whose
answer is out of order, that is, fetched before an answer that is already kept.

An out-of-order answer can't be merged into the tables on its own. The tables hold, field by field,
the newest value that any answer gave. They do not hold which answer gave which field: a row names
only the answer that last changed it. If the newer answers left a field out, the older answer's
value belongs in the table. If one of them gave the field, it does not. The tables can't tell these
cases apart. So all kept answers of the slice are parsed again and merged in the order in which they
were fetched, and the result replaces the stored values. The tables are then the same in whatever
order the answers arrive.

The coverage that runs have written stays, see `merge_coverage`. An answer that no run has evaluated
is evaluated together with the account's other answers of the same morning.
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
from weixin_etl.load.merge import Merge
from weixin_etl.load.stage import StagedAnswer, articles_json, copy_lines, row_end, stage_evidence
from weixin_etl.model import Account, ParameterError, Slice
from weixin_etl.parse import Article, ParsedAnswer, parse
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import dataset_slice_arrays

T = TypeVar("T")
_BATCH_BYTES = 2 << 20
"""Compressed bytes of answers read at once. Articles and rows take ten times as much memory."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer in `raw_response`."""

    raw_response_id: int
    dataset: Dataset
    slice: Slice
    fetched_at: datetime
    """When the bytes were first received."""
    last_seen_at: datetime
    """When the same bytes were last received."""
    body_zstd: bytes | None = field(repr=False, compare=False)
    """The compressed bytes; None if `weixin-etl prune` has removed them."""

    @property
    def body(self) -> bytes:
        """
        The exact bytes that WeChat sent.

        Raises:
            ParameterError: `weixin-etl prune` has removed them.
        """
        if self.body_zstd is None:
            raise ParameterError(f"the bytes of answer {self.raw_response_id} were pruned")
        return zstandard.decompress(self.body_zstd)

    def parsed(self, at: datetime) -> ParsedAnswer:
        """Return the answer as parsed for that instant, which limits the days it can have."""
        return parse(self.dataset, self.body, self.slice[1], at)


def kept_answers(
    connection: Connection,
    datasets: Iterable[Dataset],
    slices: Iterable[Slice],
    since: datetime | None = None,
) -> Iterator[KeptAnswer]:
    """
    Yield the kept answers of slices, slice by slice, in the order in which they were last received.

    Args:
        connection: a connection to the warehouse.
        datasets: the datasets whose answers are read.
        slices: at least one account and day.
        since: the earliest last receipt of an answer; None means any.
    """
    values = {**dataset_slice_arrays(datasets, slices), "since": since}
    for row in connection.execute(statement("raw_response/of_slices.sql"), values):
        yield KeptAnswer(
            row.raw_response_id,
            DATASETS[row.dataset],
            (row.appid, row.day),
            row.fetched_at,
            row.last_seen_at,
            None if row.body is None else bytes(row.body),
        )


@dataclass(slots=True)
class MergedAnswers:
    """A dataset's kept answers of one slice, merged, and the instants at which each was seen."""

    dataset: Dataset
    slice: Slice
    observations: list[StagedAnswer] = field(default_factory=list)
    """The evidence of each answer: at its first and, if on a later day, at its last receipt."""
    articles: dict[str, Article] = field(default_factory=dict)
    """The articles by msgid, with this dataset's rows. Other datasets add articles without rows."""
    changed_by: dict[tuple[str, date], KeptAnswer] = field(default_factory=dict)
    """The answer that last changed a row, by msgid and stat_date."""
    first_seen_at: dict[str, datetime] = field(default_factory=dict)
    """When this dataset first listed an article, by msgid."""
    newest: StagedAnswer | None = None
    """The newest readable answer, without articles and rows."""
    content: StagedAnswer | None = None
    """The values for the tables; None until `finish`, or if no answer is readable."""

    def add(self, answer: KeptAnswer) -> None:
        """
        Merge the slice's next answer, in the order of the last receipt.

        The evidence of the answer becomes one observation, or two if it was received on several
        days. An unreadable answer changes nothing else. An answer of another dataset only adds
        titles and other attributes of articles.
        """
        parsed = answer.parsed(answer.last_seen_at)
        if answer.dataset is not self.dataset:
            self._describe_articles(parsed)
            return
        is_news = self._brings_news(parsed)
        if clock.beijing_date(answer.fetched_at) < clock.beijing_date(answer.last_seen_at):
            first_parsed = answer.parsed(answer.fetched_at)
            self._observe(answer.fetched_at, first_parsed, brings_news=is_news)
            is_news = False  # On its last day the answer had the same bytes again.
        observation = self._observe(answer.last_seen_at, parsed, brings_news=is_news)
        if not parsed.unreadable:
            self.newest = replace(
                observation, raw_response_id=answer.raw_response_id, rejected=parsed.rejected
            )
            self._merge_articles(answer, parsed)

    def _describe_articles(self, parsed: ParsedAnswer) -> None:
        """Merge the articles of another dataset's answer into `articles`, without their rows."""
        for msgid, article in parsed.articles.items():
            without_rows = replace(article, rows={}, row_extras={})
            self.articles.setdefault(msgid, Article(msgid)).merge(without_rows)

    def _merge_articles(self, answer: KeptAnswer, parsed: ParsedAnswer) -> None:
        """Merge the answer's articles and rows; note first listings, and which rows it changed."""
        for msgid, article in parsed.articles.items():
            first = self.first_seen_at.get(msgid, answer.fetched_at)
            self.first_seen_at[msgid] = min(first, answer.fetched_at)
            changed_days = self.articles.setdefault(msgid, Article(msgid)).merge(article)
            self.changed_by |= {(msgid, day): answer for day in changed_days}

    def _brings_news(self, parsed: ParsedAnswer) -> bool:
        """Return whether the answer brings a row that none before had, or a total that fell."""
        return any(
            has_news(self.dataset, self.articles.get(msgid), article)
            for msgid, article in parsed.articles.items()
        )

    def _observe(self, at: datetime, parsed: ParsedAnswer, *, brings_news: bool) -> StagedAnswer:
        """
        Add an observation of the parsed answer, with its msgids, as received at that instant.

        Returns:
            The observation without msgids, and without whether it brings news.
        """
        appid, day = self.slice
        staged = stage_evidence(self.dataset, Account("", appid, "", appid), day, at, parsed)
        evidence = replace(staged.evidence, has_news=brings_news)
        self.observations.append(replace(staged, evidence=evidence, msgids=[*parsed.articles]))
        return staged

    def unlisted_since(self, ready: Collection[AnswerTime]) -> dict[str, datetime | None]:
        """
        Return by msgid since when no answer lists the article.

        Args:
            ready: the observations that `evaluate_history` found ready.

        Returns:
            The time of the ready answer since which no answer lists the article; None if the
            newest ready answer, or a later answer, lists it.
        """
        since: dict[str, datetime | None] = {}
        for observation in sorted(self.observations, key=lambda answer: answer.evidence.at):
            at = observation.evidence.at
            if (observation.day, at) in ready:
                since = {msgid: missing_at or at for msgid, missing_at in since.items()}
            since |= dict.fromkeys(observation.msgids)
        return since

    def finish(self) -> "MergedAnswers":
        """
        Set `content`, release the articles, which take far more memory, and return this object.

        Without a readable answer `content` stays None.
        """
        if self.newest is not None:
            self.content = replace(
                self.newest,
                msgids=[*self.first_seen_at],
                articles=self.listed_articles(self.first_seen_at),
                rows=[*self._complete_lines()],
                is_history=True,
            )
        self.articles, self.changed_by = {}, {}
        return self

    def listed_articles(self, first_seen_at: Mapping[str, datetime]) -> bytes:
        """
        Return the JSON of articles, as `articles_json` returns it.

        Args:
            first_seen_at: the msgids of articles in `articles`, with the time of the first listing.
        """
        listed = ((self.articles[msgid], at) for msgid, at in first_seen_at.items())
        return articles_json(self.dataset, self.slice, listed)

    def _complete_lines(self) -> Iterator[bytes]:
        """Yield the COPY line of each row, ended with the answer that last changed the row."""
        for msgid, article in self.articles.items():
            lines = copy_lines(self.dataset, article)
            for stat_date, line in zip(article.rows, lines, strict=True):
                answer = self.changed_by[msgid, stat_date]
                end = row_end(self.dataset, self.slice, answer.raw_response_id, answer.fetched_at)
                yield line + end


def _datasets_to_read(dataset: Dataset) -> Collection[Dataset]:
    """Return the datasets whose answers describe this dataset's articles, itself included."""
    return ARTICLE_DATASETS.values() if dataset.describes_articles else [dataset]


def _merge_answers(
    merge: Merge, slices: Iterable[Slice], since: datetime | None = None
) -> list[MergedAnswers]:
    """
    Return the kept answers of at least one slice, merged, one object per slice, not yet finished.

    Args:
        merge: the writer of the dataset; its connection is read.
        slices: the accounts and days.
        since: the earliest last receipt of an answer; None means any.
    """
    histories = {slice_: MergedAnswers(merge.dataset, slice_) for slice_ in slices}
    datasets = _datasets_to_read(merge.dataset)
    for answer in kept_answers(merge.connection, datasets, histories, since):
        if answer.body_zstd is not None:
            histories[answer.slice].add(answer)
    return [*histories.values()]


def merged_slices(merge: Merge, slices: Sequence[Slice]) -> Iterator[list[MergedAnswers]]:
    """
    Yield the kept answers of slices, merged and finished, in batches that fit memory.

    A slice without a kept answer is left out, and so is one of whose day `weixin-etl prune` has
    removed answers: without them the others would replace newer values by older ones. Nothing is
    written.
    """
    if not slices:
        return
    selection = dataset_slice_arrays(_datasets_to_read(merge.dataset), slices)
    sizes = merge.connection.execute(statement("raw_response/sizes.sql"), selection).all()
    sized = (((row.appid, row.day), row.byte_count) for row in sizes if not row.is_pruned)
    for batch in in_batches(sized, _BATCH_BYTES):
        yield [history.finish() for history in _merge_answers(merge, batch)]


def in_batches(sized: Iterable[tuple[T, int]], batch_bytes: int) -> Iterator[list[T]]:
    """
    Yield items in batches. A batch ends with the item that fills it.

    Args:
        sized: each item with its size in bytes.
        batch_bytes: the total size from which a batch is full.
    """
    batch: list[T] = []
    filled_bytes = 0
    for item, item_bytes in sized:
        batch.append(item)
        filled_bytes += item_bytes
        if filled_bytes >= batch_bytes:
            yield batch
            batch, filled_bytes = [], 0
    if batch:
        yield batch


def with_newest_descriptions(merge: Merge, answers: Sequence[StagedAnswer]) -> list[StagedAnswer]:
    """
    Return the answers, with their articles as newer answers of other datasets describe them.

    Each dataset has rows of its own, but titles and links come from the newest answer of any. Kept
    answers are read only for slices with a newer answer of another dataset.
    """
    described_since = {
        answer.slice: answer.evidence.at
        for answer in answers
        if (described_at := merge.stored[answer.slice].described_at)
        and answer.evidence.at < described_at
    }
    if not described_since:
        return [*answers]
    merged = _merge_answers(merge, described_since, since=min(described_since.values()))
    histories = {history.slice: history for history in merged}
    return [_with_description(answer, histories.get(answer.slice)) for answer in answers]


def _with_description(answer: StagedAnswer, history: MergedAnswers | None) -> StagedAnswer:
    """Return the answer with its articles as the history describes them; unchanged without one."""
    if history is None:
        return answer
    first_seen_at = dict.fromkeys(answer.msgids, answer.evidence.at)
    return replace(answer, articles=history.listed_articles(first_seen_at))


def evaluate_merged(merge: Merge, histories: Iterable[MergedAnswers], ready_hour: int) -> int:
    """
    Evaluate histories, and save the coverage and the listing of articles that differ.

    Args:
        merge: the writer of the dataset, with the state of these slices before the load.
        histories: the merged answers of slices, of any accounts.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.

    Returns:
        The number of slices whose coverage changed.
    """
    by_account: defaultdict[str, list[MergedAnswers]] = defaultdict(list)
    for history in histories:
        by_account[history.slice[0]].append(history)
    accounts = by_account.values()
    return sum(_evaluate_account(merge, account, ready_hour) for account in accounts)


def _evaluate_account(merge: Merge, histories: Sequence[MergedAnswers], ready_hour: int) -> int:
    """
    Evaluate one account's histories together, and save the coverage and listings that differ.

    A listing is since when an article is no longer in WeChat's answers of its day. It is saved only
    where the coverage has the list of articles that the newest ready answer of the history gave.

    Returns:
        The number of rows of coverage that changed.
    """
    appid, stored = histories[0].slice[0], merge.stored
    observations = [answer for history in histories for answer in history.observations]
    replayed, ready = evaluate_history(merge.dataset, observations, ready_hour)
    coverage = {
        (appid, day): merge_coverage(stored[appid, day].coverage, row)
        for day, row in replayed.items()
    }
    changed = {slice_: row for slice_, row in coverage.items() if row != stored[slice_].coverage}
    merge.save_coverage(changed)
    newest_lists = {
        answer.slice: answer.evidence.list_sha256
        for answer in sorted(observations, key=lambda answer: answer.evidence.at)
        if (answer.day, answer.evidence.at) in ready
    }
    listings = [
        {"appid": appid, "day": history.slice[1], "msgid": msgid, "at": at}
        for history in histories
        if history.newest and coverage[history.slice].list_sha256 == newest_lists.get(history.slice)
        for msgid, at in history.unlisted_since(ready).items()
    ]
    merge.save_unlisted("dim_article/unlist_again.sql", listings)
    return len(changed)
