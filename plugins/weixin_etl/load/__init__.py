"""
Loading: chunks of staged answers go into the warehouse, several chunks per transaction.

`run/ingest.py` collects chunks and calls `Load.commit`. A chunk holds one account's days that are
evaluated together: the present window, or at most 30 older days. Small chunks share a transaction,
because a commit costs the same whatever it holds. The transaction succeeds or fails as a whole.

    Load.commit
      Merge                   read what the warehouse has of the slices
      Merge.keep_answers      keep the answers' bytes
      merged_slices           merge all kept answers of slices whose answer is out of order
      Load._merge             write articles, rows, history and rejected parts
      Load._evaluate          coverage before and the chunk's answers give coverage after
      Merge.save_coverage     save this coverage
      Merge.save_unlisted     save since when articles are no longer listed
      evaluate_merged         evaluate the merged kept answers
      Merge.mark_account_days mark the account days that may have changed
      record_attempts         save the run's report

An answer is out of order if a newer answer of its slice is already kept. `load/history.py` explains
why all kept answers of such a slice are then merged again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.load.account_days import affected_days
from weixin_etl.load.evaluation import evaluate_chunk
from weixin_etl.load.history import (
    MergedAnswers,
    evaluate_merged,
    merged_slices,
    with_newest_descriptions,
)
from weixin_etl.load.merge import Merge, StoredSlice
from weixin_etl.load.stage import StagedAnswer, stage_response
from weixin_etl.model import Counts, Coverage, Run, Slice
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import begin_load
from weixin_etl.warehouse.statements import as_json

__all__ = ["Load", "StagedAnswer", "StagedChunk", "stage_response"]

StagedChunk = Sequence[StagedAnswer]
"""The results of one account's days that are evaluated together; never empty."""


@dataclass(frozen=True, slots=True)
class Load:
    """The loads of one try of a run: each `commit` is a transaction."""

    warehouse: Engine
    run: Run
    ready_hour: int
    """The hour in Beijing by which WeChat has computed yesterday's figures."""
    now: Callable[[], datetime] = clock.now
    last_article_at: dict[str, datetime] = field(default_factory=dict)
    """When an answer of this try last listed an article, by AppID. The answer may be not ready."""

    def commit(
        self, chunks: Sequence[StagedChunk], unloaded: Iterable[StagedAnswer] = ()
    ) -> Counts:
        """
        Load chunks in one transaction, which waits for other loads of the same accounts.

        Args:
            chunks: the chunks; those of one account in the order in which they were fetched.
            unloaded: answers of other accounts. Only their calls are recorded in the run's report.

        Returns:
            The calls made and the rows written, without the calls of `unloaded`.

        Raises:
            DBAPIError: a statement failed (SQLAlchemy); nothing of the chunks is written.
            psycopg2.Error: a COPY failed; nothing of the chunks is written.
        """
        staged = [answer for chunk in chunks for answer in chunk]
        with self.warehouse.begin() as connection:
            begin_load(connection, {chunk[0].account.appid for chunk in chunks})
            slices = [answer.slice for answer in staged]
            merge = Merge(connection, self.run.dataset, self.now(), slices)
            answers = merge.keep_answers([answer for answer in staged if answer.is_answer])
            out_of_order = [answer.slice for answer in answers if merge.is_out_of_order(answer)]
            histories = [*chain.from_iterable(merged_slices(merge, out_of_order))]
            counts = self._merge(merge, answers, histories)
            coverage = self._evaluate(merge, chunks, counts)
            merge.save_coverage(coverage)
            changed_lists = _changed_lists(merge, staged, coverage)
            merge.save_unlisted("dim_article/unlist.sql", changed_lists)
            evaluate_merged(merge, histories, self.ready_hour)
            unlisting = [(row["appid"], row["day"]) for row in changed_lists]
            merged_again = [history.slice for history in histories]
            affected = [*affected_days(merge, coverage), *unlisting, *merged_again]
            merge.mark_account_days(self.run.dataset, affected)
            record_attempts(connection, self.run, [*staged, *unloaded], counts)
        _note_last_articles(self.last_article_at, staged)
        return sum(counts.values(), Counts(sum(answer.calls for answer in staged)))

    def _merge(
        self, merge: Merge, answers: Sequence[StagedAnswer], histories: Sequence[MergedAnswers]
    ) -> dict[Slice, Counts]:
        """
        Write articles, rows and rejected parts of the histories and of readable answers.

        An answer that is out of order is written as part of its history. An answer whose rows are
        loaded already is not written again, unless the run has `refetch`.

        Returns:
            The numbers of rows and rejected parts, by slice, for each of the answers.
        """
        newest = [
            answer
            for answer in answers
            if answer.is_readable
            and not merge.is_out_of_order(answer)
            and (self.run.refetch or not _is_loaded_already(answer, merge.stored[answer.slice]))
        ]
        contents = [history.content for history in histories if history.content]
        changes = [*with_newest_descriptions(merge, newest), *contents]
        counts = merge.merge(changes)
        merge.note_falls_between_rows(changes)
        merge.save_rejected(changes)
        return {
            answer.slice: counts.get(answer.slice, Counts(unchanged=answer.row_count))
            + Counts(rejected=len(answer.rejected))
            for answer in answers
        }

    def _evaluate(
        self, merge: Merge, chunks: Sequence[StagedChunk], counts: Mapping[Slice, Counts]
    ) -> dict[Slice, Coverage]:
        """
        Return the coverage of each slice after the chunks. Nothing is written.

        Whether a chunk's answers are ready depends on when the account last listed an article, so
        earlier chunks of the account count. An answer or failed call that came out of order (see
        `Merge.is_out_of_order`) leaves the coverage of an attempted slice as it is:
        `evaluate_merged` evaluates it later.

        Args:
            merge: the writer, with the state before the load and the falls that were found.
            chunks: the chunks.
            counts: the rows that were written, by slice.
        """
        last_article_at = self._last_articles_before(merge, chunks)
        after: dict[Slice, Coverage] = {}
        for staged in chunks:
            chunk = [_with_news(answer, merge, counts) for answer in staged]
            appid = chunk[0].account.appid
            before = {answer.day: merge.stored[answer.slice].coverage for answer in chunk}
            coverage = evaluate_chunk(
                self.run.dataset, chunk, before, last_article_at.get(appid), self.ready_hour
            )
            after |= {(appid, day): row for day, row in coverage.items()}
            _note_last_articles(last_article_at, chunk)
        for answer in chain.from_iterable(chunks):
            stored = merge.stored[answer.slice].coverage
            if merge.is_out_of_order(answer) and stored.attempted_at:
                after[answer.slice] = stored
        return after

    def _last_articles_before(
        self, merge: Merge, chunks: Sequence[StagedChunk]
    ) -> dict[str, datetime]:
        """
        Return when accounts last listed an article, by AppID, before these chunks.

        The answers of this try count first. Coverage is read for the other accounts, and only for
        those with a date on which their chunk lists no article.
        """
        quiet = {chunk[0].account.appid for chunk in chunks if _has_quiet_date(chunk)}
        unknown = sorted(quiet - self.last_article_at.keys())
        rows = merge.execute("coverage/last_article.sql", appids=unknown) if unknown else ()
        return {**self.last_article_at, **{row.appid: row.last_article_at for row in rows}}


def record_attempts(
    connection: Connection, run: Run, staged: Iterable[StagedAnswer], counts: Mapping[Slice, Counts]
) -> None:
    """
    Save the calls and rows of each attempt in `weixin.run_report`, by account and day.

    Args:
        connection: the connection of the caller's transaction.
        run: the run that made the attempts.
        staged: the results of the attempts.
        counts: the rows written, by slice; slices whose attempt failed may be missing.
    """
    rows = [
        {
            "appid": answer.account.appid,
            "day": answer.day,
            "attempted_at": answer.evidence.at,
            **asdict(counts.get(answer.slice, Counts()) + Counts(answer.calls)),
        }
        for answer in staged
    ]
    values = {"run_id": run.run_id, "dataset": run.dataset.name}
    connection.execute(statement("run_report/save.sql"), {**values, "rows": as_json(rows)})


def _with_news(answer: StagedAnswer, merge: Merge, counts: Mapping[Slice, Counts]) -> StagedAnswer:
    """
    Return the answer with the falls that its merge found, in place of those among its own rows.

    A fall is a total that became lower. The answer's evidence has news if a total fell or a row was
    inserted.
    """
    falls = merge.falls.get(answer.slice, ())
    has_news = bool(falls) or counts.get(answer.slice, Counts()).inserted > 0
    return replace(answer, falls=falls, evidence=replace(answer.evidence, has_news=has_news))


def _is_loaded_already(answer: StagedAnswer, stored: StoredSlice) -> bool:
    """
    Return whether the slice's newest kept answer has the same bytes, and its rows are loaded.

    They are loaded if coverage has the time of that answer and the number of rows of this one.
    """
    loaded = stored.coverage.fetched_at, stored.coverage.row_count
    is_repeated = answer.body_sha256 == stored.body_sha256
    return is_repeated and loaded == (stored.last_seen_at, answer.row_count)


def _has_quiet_date(chunk: StagedChunk) -> bool:
    """
    Return whether no answer lists an article on one of the Beijing dates of the chunk's results.

    A chunk has two dates if it was fetched around midnight.
    """
    listing_dates = {
        clock.beijing_date(answer.evidence.at) for answer in chunk if answer.lists_articles
    }
    return any(clock.beijing_date(answer.evidence.at) not in listing_dates for answer in chunk)


def _note_last_articles(
    last_article_at: dict[str, datetime], staged: Iterable[StagedAnswer]
) -> None:
    """Set in `last_article_at`, by AppID, the latest time at which these answers list articles."""
    for answer in staged:
        if answer.lists_articles:
            appid, at = answer.account.appid, answer.evidence.at
            last_article_at[appid] = max(last_article_at.get(appid, at), at)


def _changed_lists(
    merge: Merge, staged: Iterable[StagedAnswer], after: Mapping[Slice, Coverage]
) -> list[dict[str, Any]]:
    """
    Return the lists of ready answers by which the articles of a slice may no longer be listed.

    A list is returned if the slice was attempted before, and its list differs from that of the
    ready answer before or another answer was loaded in between.

    Args:
        merge: the writer, with the state before the load.
        staged: the results of the load.
        after: the coverage of each slice after the load.

    Returns:
        The AppID, the day, the listed msgids, and the time of each answer (`at`).
    """
    lists: list[dict[str, Any]] = []
    for answer in staged:
        before, now = merge.stored[answer.slice].coverage, after[answer.slice]
        is_ready = now.ready_at == answer.evidence.at and now.list_sha256 is not None
        is_new = before.list_sha256 != now.list_sha256 or before.ready_at != before.fetched_at
        if is_ready and is_new and before.attempted_at:
            slice_ = {"appid": answer.account.appid, "day": answer.day}
            lists.append({**slice_, "msgids": answer.msgids, "at": answer.evidence.at})
    return lists
