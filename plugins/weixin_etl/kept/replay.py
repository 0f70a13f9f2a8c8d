"""
The replay verb: rebuild the facts from the kept answers, without a call to WeChat or Airflow.

For each account, the kept answers are parsed again by today's parser, merged in the order in which
they were fetched, and evaluated, in one transaction. No row is deleted. A dry run executes the same
transaction and rolls it back; its result says what would change. The `replay` command and import
call this module.
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
from weixin_etl.model import Counts, ParameterError
from weixin_etl.text import counted
from weixin_etl.warehouse import analyse_grown, diagnosed, require_migrated, statement
from weixin_etl.warehouse.account_days import refresh_account_days
from weixin_etl.warehouse.locks import begin_load


class ReplayResult(msgspec.Struct, frozen=True):
    """The slices that a replay read, and what it changed or would change."""

    slices: int = 0
    counts: Counts = Counts()
    """Rows that were inserted, updated or left unchanged."""
    rejected: int = 0
    """Rejected parts that were opened or resolved."""
    articles: int = 0
    """Articles that are new, or have another attribute or other times of listing."""
    coverage: int = 0
    """Slices whose row of coverage changed."""

    def __add__(self, other: "ReplayResult") -> "ReplayResult":
        """Return the sum of two results, field by field."""
        return ReplayResult(*map(add, astuple(self), astuple(other)))

    @property
    def changes(self) -> list[str]:
        """A line per kind of change that occurred, such as `4 rows with other values`."""
        lines = [
            (self.counts.inserted, "row", "new"),
            (self.counts.updated, "row", "with other values"),
            (self.rejected, "rejected part", "opened or resolved"),
            (self.articles, "article", "new, or described otherwise"),
            (self.coverage, "slice", "with another state or other counts in coverage"),
        ]
        return [f"{counted(number, noun)} {change}" for number, noun, change in lines if number]


def select_slices(
    warehouse: Engine,
    dataset: Dataset,
    names: Sequence[str] = (),
    begin: date | None = None,
    end: date | None = None,
    on_pruned: Callable[[int], None] = lambda _days: None,
) -> Iterator[tuple[str, Sequence[date]]]:
    """
    Yield the AppID of each account with its days that have kept answers, none of them pruned.

    Args:
        warehouse: the warehouse; no session is held between two accounts.
        dataset: the dataset whose answers are looked for.
        names: accounts by AppID, connection id or name; none means all.
        begin: the first day; None means no limit.
        end: the last day; None means no limit.
        on_pruned: called for an account with the number of its days that are left out.

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
            select_days = statement("raw_response/days.sql")
            answered = connection.execute(select_days, {**days, "appid": appid}).all()
        whole_days = [row.day for row in answered if not row.is_pruned]
        if len(whole_days) < len(answered):
            on_pruned(len(answered) - len(whole_days))
        if whole_days:
            yield appid, whole_days


def replay(
    warehouse: Engine,
    dataset: Dataset,
    accounts: Iterable[tuple[str, Sequence[date]]],
    *,
    ready_hour: int,
    is_applied: bool = True,
    on_progress: Callable[[int], None] = lambda _slices: None,
    now: Callable[[], datetime] = clock.now,
) -> ReplayResult:
    """
    Rebuild the facts of accounts' days from their kept answers, one transaction per account.

    In the end it computes the stored account days that are stale, and lets Postgres analyse the
    tables that grew. After an error the accounts before stay rebuilt, and the next run or replay
    does that.

    Args:
        warehouse: the warehouse.
        dataset: the dataset whose facts are rebuilt.
        accounts: AppIDs with days, as `select_slices` yields them.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.
        is_applied: False rolls each transaction back, and nothing is computed in the end.
        on_progress: called after each account with the number of slices read so far.
        now: the clock.

    Returns:
        What changed, or would change.

    Raises:
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    result = ReplayResult()
    with diagnosed(warehouse):
        for appid, days in accounts:
            with warehouse.connect() as connection:
                begin_load(connection, [appid])
                merge = Merge(connection, dataset, now(), [(appid, day) for day in days])
                result += _replay_account(merge, ready_hour)
                if is_applied:
                    connection.commit()
            on_progress(result.slices)
        if is_applied:
            refresh_account_days(warehouse)
            analyse_grown(warehouse)
    return result


def _replay_account(merge: Merge, ready_hour: int) -> ReplayResult:
    """
    Merge and evaluate the kept answers of one account's slices, and write what differs.

    Rows, articles, rejected parts, coverage and listings are written. The account's days are only
    marked: `refresh_account_days` computes them. The caller commits.

    Args:
        merge: the writer, made for the slices of one account, at least one.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.

    Returns:
        The number of slices, and of rows, rejected parts, coverage and articles that changed.
    """
    slices = [*merge.stored]
    result = ReplayResult(len(slices))
    histories: list[MergedAnswers] = []
    for batch in merged_slices(merge, slices):
        contents = [history.content for history in batch if history.content]
        counts = merge.merge(contents)
        if contents:
            merge.execute("fact/empty_stage.sql")
        rejected = merge.save_rejected(contents)
        result += ReplayResult(counts=sum(counts.values(), Counts()), rejected=rejected)
        # The contents are written and take much memory. Evaluation needs only the observations.
        histories += [replace(history, content=None) for history in batch]
    coverage = evaluate_merged(merge, histories, ready_hour)
    merge.mark_account_days(merge.dataset, slices)
    articles = merge.execute("dim_article/written.sql", appid=slices[0][0]).scalar_one()
    return result + ReplayResult(coverage=coverage, articles=articles)
