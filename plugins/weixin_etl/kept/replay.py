"""
The verb replay: facts made anew of the kept answers, without a call to WeChat. Knows no Airflow.

An account's answers are read again by today's parser, folded in the order in which they were
fetched, merged and judged in one transaction; no row is deleted. What would change is found by the
same transaction, rolled back.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import add

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.kept.answers import appid_of
from weixin_etl.load import Staged
from weixin_etl.load.fold import Folded, combined, fold, judged, read_by_fold
from weixin_etl.load.merge import Known, Merge
from weixin_etl.model import Counts, Pair, ParameterError
from weixin_etl.text import counted
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import lock_load
from weixin_etl.warehouse.statements import each_of

_MOST_BYTES = 2 << 20
"""Compressed answers that are read at once: articles and rows take ten times as much memory."""

Unlisted = dict[Pair, Mapping[str, datetime | None]]
"""By pair and msgid: since which answer none lists the article; None while the newest does."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which kept answers to replay."""

    dataset: Dataset
    accounts: tuple[str, ...] = ()
    """AppIDs, connection ids or names; none means all."""
    begin_date: date | None = None
    end_date: date | None = None
    """First and last day, both included; None means from the first, to the last."""

    def __post_init__(self) -> None:
        """
        Hold days in their order.

        Raises:
            ParameterError: the last day is before the first.
        """
        if self.begin_date and self.end_date and self.begin_date > self.end_date:
            raise ParameterError(f"begin_date {self.begin_date} is after end_date {self.end_date}")


class Replayed(msgspec.Struct, frozen=True):
    """What a replay read, and what it changed or would change."""

    pairs: int = 0
    counts: Counts = Counts()
    rejected: int = 0
    """Rejected parts that are opened or resolved."""
    coverage: int = 0
    """Pairs of which coverage says otherwise what we have."""

    def __add__(self, other: "Replayed") -> "Replayed":
        """Both."""
        return Replayed(*map(add, astuple(self), astuple(other)))

    @property
    def changes(self) -> list[str]:
        """What changes, a line each."""
        lines = [
            (self.counts.inserted, "row", "new"),
            (self.counts.updated, "row", "with other values"),
            (self.rejected, "rejected part", "opened or resolved"),
            (self.coverage, "pair", "with another state or other counts in coverage"),
        ]
        return [f"{counted(n, it)} {what}" for n, it, what in lines if n]


def replay(
    warehouse: Engine,
    selection: Selection,
    *,
    ready_hour: int,
    is_applied: bool,
    on_progress: Callable[[int], None] = lambda _pairs: None,
    now: Callable[[], datetime] = clock.now,
) -> Replayed:
    """
    Make the facts what the selected answers say; without `is_applied` only find out what differs.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    with diagnosed(warehouse):
        return fold_accounts(
            warehouse,
            selection.dataset,
            _selected(warehouse, selection),
            ready_hour=ready_hour,
            is_applied=is_applied,
            on_progress=on_progress,
            now=now,
        )


def _selected(warehouse: Engine, it: Selection) -> Iterator[tuple[str, Sequence[date]]]:
    """Each account that is selected, with its days."""
    of_account = statement("raw_response/days.sql")
    days = {"dataset": it.dataset.name, "begin_date": it.begin_date, "end_date": it.end_date}
    with warehouse.connect() as connection:
        known = connection.exec_driver_sql("SELECT appid FROM weixin.dim_account ORDER BY appid")
        named = [appid_of(connection, name) for name in it.accounts]
        appids = named or known.scalars().all()
    for appid in appids:
        with warehouse.connect() as connection:
            found = connection.scalars(of_account, {**days, "appid": appid}).all()
        yield appid, found


def fold_accounts(
    warehouse: Engine,
    dataset: Dataset,
    accounts: Iterable[tuple[str, Collection[date]]],
    *,
    ready_hour: int,
    is_applied: bool = True,
    on_progress: Callable[[int], None] = lambda _pairs: None,
    now: Callable[[], datetime] = clock.now,
) -> Replayed:
    """Fold days of accounts, each account in a transaction; calls back with the pairs so far."""
    done = Replayed()
    for appid, days in accounts:
        if not days:
            continue
        with warehouse.connect() as connection:
            lock_load(connection, [appid])
            merge = Merge(connection, dataset, now(), is_fold=True)
            done += _fold(merge, [(appid, day) for day in days], ready_hour)
            if is_applied:
                connection.commit()
        on_progress(done.pairs)
    if is_applied:
        analyse_grown(warehouse)
    return done


def _fold(merge: Merge, pairs: Sequence[Pair], ready_hour: int) -> Replayed:
    """Merge what an account's answers say, and judge those that no run has judged."""
    known = merge.known(pairs)
    done = Replayed()
    sightings: list[Staged] = []
    unlisted: Unlisted = {}
    for part in _parts(merge, pairs):
        folded = fold(merge.connection, merge.dataset, part)
        done += _merge(merge, folded, known)
        sightings += [seen for it in folded for seen in it.sightings]
        unlisted |= {it.pair: it.unlisted_since for it in folded if it.newest}
    coverage = _judge(merge, sightings, unlisted, known, ready_hour)
    return done + Replayed(len(pairs), coverage=coverage)


def _parts(merge: Merge, pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """The pairs in parts whose answers fit in memory."""
    part: list[Pair] = []
    size = 0
    read = each_of(read_by_fold(merge.dataset), pairs)
    for row in merge.connection.execute(statement("raw_response/sizes.sql"), read).all():
        part.append((row.appid, row.day))
        size += row.byte_count
        if size >= _MOST_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _merge(merge: Merge, folded: Sequence[Folded], known: Mapping[Pair, Known]) -> Replayed:
    """Write what pairs' answers say together."""
    contents = [content for it in folded if (content := it.content())]
    counts = merge.merge(contents)
    if contents:
        merge.execute("fact/empty_stage.sql")
    rejected = merge.reject(contents, known)
    return Replayed(counts=sum(counts.values(), Counts()), rejected=rejected)


def _judge(
    merge: Merge,
    sightings: Sequence[Staged],
    unlisted: Unlisted,
    known: Mapping[Pair, Known],
    ready_hour: int,
) -> int:
    """Write what the answers make of an account's days; of how many coverage said otherwise."""
    again = judged(merge.dataset, sightings, ready_hour)
    pairs = {seen.day: seen.pair for seen in sightings}
    after = {pairs[day]: combined(known[pairs[day]].coverage, it) for day, it in again.items()}
    others = {pair: row for pair, row in after.items() if row != known[pair].coverage}
    merge.save(others)
    newest = {seen.pair: seen.said.list_sha256 for seen in sightings if not seen.error}
    articles = [
        {"appid": pair[0], "day": pair[1], "msgid": msgid, "at": at}
        for pair, since in unlisted.items()
        if after[pair].list_sha256 == newest.get(pair)
        for msgid, at in since.items()
    ]
    merge.unlist("dim_article/unlist_again.sql", articles)
    return len(others)
