"""
The verb replay: facts made anew of the kept answers, without a call to WeChat. Knows no Airflow.

A pair's answers are read again by today's parser, folded in the order in which they were fetched,
and merged like an answer of a run; no row is deleted. What would change is found by the same
transactions, which are rolled back.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice

from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.kept.answers import Selection, count_selected, selected_pairs
from weixin_etl.load import Staged
from weixin_etl.load.fold import combined, fold, judged, read_by_fold
from weixin_etl.load.merge import Merge
from weixin_etl.model import Counts, Pair
from weixin_etl.text import counted
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import lock_load
from weixin_etl.warehouse.statements import each_of

_MOST_BYTES = 2 << 20
"""Bytes of compressed answers in a commit: articles and rows take some ten times as much memory."""
_MOST_PAIRS = 500

Unlisted = dict[Pair, Mapping[str, datetime | None]]
"""By pair and msgid: since which answer none lists the article; None while the newest does."""


@dataclass(slots=True)
class Replayed:
    """What a replay read, and what it changed or would change."""

    is_applied: bool = True
    pairs: int = 0
    answers: int = 0
    counts: Counts = field(default_factory=Counts)
    rejected: int = 0
    """Rejected parts that are opened or resolved."""
    coverage: int = 0
    """Pairs of which coverage says otherwise what we have."""

    def __add__(self, other: "Replayed") -> "Replayed":
        """Both."""
        return Replayed(
            self.is_applied,
            self.pairs + other.pairs,
            self.answers + other.answers,
            self.counts + other.counts,
            self.rejected + other.rejected,
            self.coverage + other.coverage,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.counts.inserted or self.counts.updated or self.rejected or self.coverage)

    def sentences(self) -> list[str]:
        """What there is to say of it."""
        counts = self.counts
        said = f"{counted(self.pairs, 'pair')}, {counted(self.answers, 'answer')} read"
        if self.is_empty:
            return [f"{said}: the fact is what they say, nothing changes"]
        lines = [
            (counts.inserted, "row", "new"),
            (counts.updated, "row", "with other values"),
            (self.rejected, "rejected part", "opened or resolved"),
            (self.coverage, "pair", "with another state or other counts in coverage"),
        ]
        does = "This was written:" if self.is_applied else "This would change:"
        return [f"{said}. {does}", *(f"{counted(n, it)} {what}" for n, it, what in lines if n)]


def replay(
    warehouse: Engine,
    selection: Selection,
    *,
    ready_hour: int,
    is_applied: bool,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    now: Callable[[], datetime] = clock.now,
) -> Replayed:
    """
    Make the facts what the selected answers say; without `is_applied` only find out what differs.

    `on_progress` is called after each commit with the answers read so far and all there are.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with diagnosed(warehouse):
        total = count_selected(warehouse, selection)
        return fold_pairs(
            warehouse,
            selection.dataset,
            selected_pairs(warehouse, selection),
            ready_hour=ready_hour,
            is_applied=is_applied,
            on_progress=lambda done: on_progress(done, total),
            now=now,
        )


def fold_pairs(
    warehouse: Engine,
    dataset: Dataset,
    pairs: Iterable[Pair],
    *,
    ready_hour: int,
    is_applied: bool = True,
    on_progress: Callable[[int], None] = lambda _done: None,
    now: Callable[[], datetime] = clock.now,
) -> Replayed:
    """Fold pairs in the order of their accounts, and judge the answers that no run has judged."""
    done = Replayed(is_applied)
    for appid, of_account in groupby(pairs, lambda pair: pair[0]):
        sightings: list[Staged] = []
        unlisted: Unlisted = {}
        for commit in _commits(warehouse, dataset, of_account):
            with warehouse.connect() as connection:
                lock_load(connection, [appid])
                merge = Merge(connection, dataset, now(), is_fold=True)
                done += _merge(merge, commit, sightings, unlisted)
                if is_applied:
                    connection.commit()
            on_progress(done.answers)
        done.coverage += _judge(
            warehouse, dataset, sightings, unlisted, ready_hour, is_applied=is_applied, now=now
        )
    if is_applied:
        analyse_grown(warehouse)
    return done


def _commits(
    warehouse: Engine, dataset: Dataset, pairs: Iterator[Pair]
) -> Iterator[dict[Pair, int]]:
    """The pairs of an account as commits hold them, each with how many answers are kept of it."""
    while part := [*islice(pairs, _MOST_PAIRS)]:
        values = {"dataset": dataset.name, **each_of(read_by_fold(dataset), part)}
        with warehouse.connect() as connection:
            rows = connection.execute(statement("raw_response/sizes.sql"), values).all()
        commit: dict[Pair, int] = {}
        size = 0
        for row in rows:
            commit[row.appid, row.day] = row.answer_count
            size += row.byte_count
            if size >= _MOST_BYTES:
                yield commit
                commit, size = {}, 0
        if commit:
            yield commit


def _merge(
    merge: Merge, commit: Mapping[Pair, int], sightings: list[Staged], unlisted: Unlisted
) -> Replayed:
    """Write what pairs' answers say together; note when they were seen, and what is gone."""
    known = merge.known(commit)
    contents = []
    for folded in fold(merge.connection, merge.dataset, commit):
        sightings += folded.sightings
        if folded.newest:
            unlisted[folded.pair] = folded.unlisted_since
        if content := folded.content():
            contents.append(content)
    counts = merge.merge(contents)
    return Replayed(
        pairs=len(commit),
        answers=sum(commit.values()),
        counts=sum(counts.values(), Counts()),
        rejected=merge.reject(contents, known),
    )


def _judge(
    warehouse: Engine,
    dataset: Dataset,
    sightings: Collection[Staged],
    unlisted: Unlisted,
    ready_hour: int,
    *,
    is_applied: bool,
    now: Callable[[], datetime],
) -> int:
    """Write what the answers make of an account's days; of how many coverage said otherwise."""
    if not sightings:
        return 0
    appid = next(iter(sightings)).account.appid
    again = judged(dataset, sightings, ready_hour)
    with warehouse.connect() as connection:
        lock_load(connection, [appid])
        merge = Merge(connection, dataset, now(), is_fold=True)
        known = merge.known([(appid, day) for day in again])
        after = {
            (appid, day): combined(known[appid, day].coverage, coverage)
            for day, coverage in again.items()
        }
        others = {pair: row for pair, row in after.items() if row != known[pair].coverage}
        if is_applied:
            merge.save(others)
            newest = {seen.pair: seen.said.list_sha256 for seen in sightings if not seen.error}
            articles = [
                {"appid": appid, "day": day, "msgid": msgid, "at": at}
                for (appid, day), since in unlisted.items()
                if after[appid, day].list_sha256 == newest.get((appid, day))
                for msgid, at in since.items()
            ]
            merge.unlist("dim_article/unlist_again.sql", articles)
            connection.commit()
    return len(others)
