"""
The verb replay: facts made anew of the kept answers, without a call to WeChat. Knows no Airflow.

An account's answers are read again by today's parser, folded in the order in which they were
fetched, merged and judged in one transaction; no row is deleted. What would change is found by the
same transaction, rolled back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from operator import add

import msgspec
from msgspec.structs import astuple
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.kept.answers import appid_of
from weixin_etl.load.history import MergedAnswers, evaluate_merged, merged_slices
from weixin_etl.load.merge import Merge
from weixin_etl.model import Counts, ParameterError, Slice
from weixin_etl.text import counted
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.locks import begin_load


class ReplayResult(msgspec.Struct, frozen=True):
    """What a replay read, and what it changed or would change."""

    pairs: int = 0
    counts: Counts = Counts()
    rejected: int = 0
    """Rejected parts that are opened or resolved."""
    articles: int = 0
    """Articles with another title or another attribute, or listed since another answer."""
    coverage: int = 0
    """Pairs of which coverage says otherwise what we have."""

    def __add__(self, other: "ReplayResult") -> "ReplayResult":
        """Both."""
        return ReplayResult(*map(add, astuple(self), astuple(other)))

    @property
    def changes(self) -> list[str]:
        """What changes, a line each."""
        lines = [
            (self.counts.inserted, "row", "new"),
            (self.counts.updated, "row", "with other values"),
            (self.rejected, "rejected part", "opened or resolved"),
            (self.articles, "article", "new, or described otherwise"),
            (self.coverage, "pair", "with another state or other counts in coverage"),
        ]
        return [f"{counted(n, it)} {what}" for n, it, what in lines if n]


def select_slices(
    warehouse: Engine,
    dataset: Dataset,
    names: Sequence[str] = (),
    begin: date | None = None,
    end: date | None = None,
) -> Iterator[tuple[str, Sequence[date]]]:
    """
    Each account of these names, or of all, with the days of which answers are kept.

    Raises:
        ParameterError: an account is not known, or the last day is before the first.
    """
    if begin and end and begin > end:
        raise ParameterError(f"begin_date {begin} is after end_date {end}")
    days = {"dataset": dataset.name, "begin_date": begin, "end_date": end}
    with warehouse.connect() as connection:
        known = connection.exec_driver_sql("SELECT appid FROM weixin.dim_account ORDER BY appid")
        appids = [appid_of(connection, name) for name in names] or known.scalars().all()
    for appid in appids:
        with warehouse.connect() as connection:
            of_account = statement("raw_response/days.sql")
            answered_days = connection.scalars(of_account, {**days, "appid": appid}).all()
        if answered_days:  # no session is held while the account is replayed
            yield appid, answered_days


def replay(
    warehouse: Engine,
    dataset: Dataset,
    accounts: Iterable[tuple[str, Sequence[date]]],
    *,
    ready_hour: int,
    is_applied: bool = True,
    on_progress: Callable[[int], None] = lambda _pairs: None,
    now: Callable[[], datetime] = clock.now,
) -> ReplayResult:
    """
    Make the facts what the kept answers of accounts' days say, each account in a transaction.

    Without `is_applied` it is only found out what differs.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    done = ReplayResult()
    with diagnosed(warehouse):
        for appid, days in accounts:
            with warehouse.connect() as connection:
                begin_load(connection, [appid])
                merge = Merge(connection, dataset, now())
                done += _replay(merge, [(appid, day) for day in days], ready_hour)
                if is_applied:
                    connection.commit()
            on_progress(done.pairs)
        if is_applied:
            analyse_grown(warehouse)
    return done


def _replay(merge: Merge, pairs: Sequence[Slice], ready_hour: int) -> ReplayResult:
    """Merge what an account's answers say, and judge those that no run has judged."""
    known = merge.known(pairs)
    done = ReplayResult()
    folded: list[MergedAnswers] = []
    for part in merged_slices(merge, pairs):
        contents = [fold.content for fold in part if fold.content]
        counts = merge.merge(contents)
        if contents:
            merge.execute("fact/empty_stage.sql")
        rejected = merge.reject(contents, known)
        done += ReplayResult(counts=sum(counts.values(), Counts()), rejected=rejected)
        folded += [replace(fold, content=None) for fold in part]
    coverage = evaluate_merged(merge, folded, known, ready_hour)
    articles = merge.execute("dim_article/written.sql", appid=pairs[0][0]).scalar_one()
    return done + ReplayResult(len(pairs), coverage=coverage, articles=articles)
