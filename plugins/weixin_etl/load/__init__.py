"""
Chunks of answers into the warehouse: merged, judged and recorded in one transaction each.

A chunk is an account's present window, or at most 30 of its older days. Small chunks share a
transaction, as a commit costs the same whatever it holds: all or nothing.

    keep      the answers' bytes
    merge     articles, rows, the rows that they replace, rejected parts
    judge     coverage before and the chunk's answers: coverage after (`judging`, pure)
    save      coverage, the run's report

An answer that comes after a newer one of its pair is late. The load then folds all kept answers of
the pair in the same transaction.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine

from weixin_etl import clock
from weixin_etl.load.evaluation import evaluate_chunk
from weixin_etl.load.falls import Fall
from weixin_etl.load.history import MergedAnswers, described, evaluate_merged, merged_slices
from weixin_etl.load.merge import Merge, StoredSlice, is_out_of_order
from weixin_etl.load.stage import StagedAnswer, stage_response
from weixin_etl.model import Counts, Coverage, Run, Slice
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import begin_load
from weixin_etl.warehouse.statements import as_json

__all__ = ["Load", "StagedAnswer", "StagedChunk", "record_attempts", "stage_response"]

StagedChunk = Sequence[StagedAnswer]
"""What came of an account's days that are judged together."""


@dataclass(frozen=True, slots=True)
class Load:
    """A try's chunks, commit by commit."""

    warehouse: Engine
    run: Run
    ready_hour: int
    now: Callable[[], datetime] = clock.now
    heard: dict[str, datetime] = field(default_factory=dict)
    """When an answer of this try last listed an article of an account, ready or not."""

    def commit(self, chunks: Sequence[StagedChunk]) -> Counts:
        """
        Load chunks, an account's in their order, all or nothing; what that did.

        Loads that share accounts wait for each other, whatever process they run in.
        """
        staged = [one for chunk in chunks for one in chunk]
        with self.warehouse.begin() as connection:
            begin_load(connection, {chunk[0].account.appid for chunk in chunks})
            merge = Merge(connection, self.run.dataset, self.now())
            known = merge.known([one.slice for one in staged])
            answers = merge.keep([one for one in staged if one.is_answer], known)
            late = [
                answer.slice for answer in answers if is_out_of_order(answer, known[answer.slice])
            ]
            folded = list(chain.from_iterable(merged_slices(merge, late)))
            counts = self._merge(merge, answers, folded, known)
            after = self._judge(merge, chunks, known, counts)
            merge.save(after)
            merge.unlist("dim_article/unlist.sql", _unlisted(staged, known, after))
            evaluate_merged(merge, folded, known, self.ready_hour)
            record_attempts(connection, self.run, staged, counts)
        _hear(self.heard, staged)
        return sum(counts.values(), Counts(sum(one.calls for one in staged)))

    def _merge(
        self,
        merge: Merge,
        answers: Sequence[StagedAnswer],
        folded: Sequence[MergedAnswers],
        known: Mapping[Slice, StoredSlice],
    ) -> dict[Slice, Counts]:
        """Merge the answers with which something may change, and the folds of late ones."""
        newest = [
            one
            for one in answers
            if one.is_readable
            and not is_out_of_order(one, known[one.slice])
            and (self.run.refetch or not _repeats(one, known[one.slice]))
        ]
        again = [fold.content for fold in folded if fold.content]
        news = [*described(merge, newest, known), *again]
        counts = merge.merge(news)
        merge.note_falls_between_rows(news)
        merge.reject(news, known)
        return {
            one.slice: counts.get(one.slice, Counts(unchanged=one.row_count))
            + Counts(rejected=len(one.rejected))
            for one in answers
        }

    def _judge(
        self,
        merge: Merge,
        chunks: Sequence[StagedChunk],
        known: Mapping[Slice, StoredSlice],
        counts: Mapping[Slice, Counts],
    ) -> dict[Slice, Coverage]:
        """What is stored after the chunks, each judged after the one before it."""
        heard = self._heard_before(merge, chunks)
        after: dict[Slice, Coverage] = {}
        for chunk in (_with_news(chunk, counts, merge.falls) for chunk in chunks):
            appid = chunk[0].account.appid
            before = {one.day: known[one.slice].coverage for one in chunk}
            judged = evaluate_chunk(
                self.run.dataset, chunk, before, heard.get(appid), self.ready_hour
            )
            after |= {(appid, day): coverage for day, coverage in judged.items()}
            _hear(heard, chunk)
        late = (
            one.slice for chunk in chunks for one in chunk if is_out_of_order(one, known[one.slice])
        )
        stored = {pair: known[pair].coverage for pair in late}
        return after | {pair: row for pair, row in stored.items() if row.attempted_at}

    def _heard_before(self, merge: Merge, chunks: Sequence[StagedChunk]) -> dict[str, datetime]:
        """When quiet accounts were last heard, by this try or by coverage."""
        quiet = {chunk[0].account.appid for chunk in chunks if _is_quiet(chunk)}
        silent = sorted(quiet - self.heard.keys())
        rows = merge.execute("coverage/heard.sql", appids=silent) if silent else ()
        return {**self.heard, **{row.appid: row.heard_at for row in rows}}


def record_attempts(
    connection: Connection, run: Run, staged: Iterable[StagedAnswer], counts: Mapping[Slice, Counts]
) -> None:
    """Record what attempts of a run took and did."""
    rows = [
        {
            "appid": one.account.appid,
            "day": one.day,
            "attempted_at": one.evidence.at,
            **asdict(counts.get(one.slice, Counts()) + Counts(one.calls)),
        }
        for one in staged
    ]
    values = {"run_id": run.run_id, "dataset": run.dataset.name}
    connection.execute(statement("run_report/save.sql"), {**values, "rows": as_json(rows)})


def _with_news(
    chunk: StagedChunk, counts: Mapping[Slice, Counts], falls: Mapping[Slice, Sequence[Fall]]
) -> StagedChunk:
    """Return the chunk with the falls that its load found, and whether it brought new rows."""
    return [
        replace(one, falls=found, evidence=replace(one.evidence, has_news=is_new or bool(found)))
        for one in chunk
        for found in [falls.get(one.slice, ())]
        for is_new in [counts.get(one.slice, Counts()).inserted > 0]
    ]


def _repeats(one: StagedAnswer, known: StoredSlice) -> bool:
    """Whether these are the bytes of the pair's newest answer, and as many rows were loaded."""
    loaded = known.coverage.fetched_at, known.coverage.row_count
    return one.body_sha256 == known.body_sha256 and loaded == (known.last_seen_at, one.row_count)


def _is_quiet(chunk: StagedChunk) -> bool:
    """Whether it lists nothing on a day in Beijing of its answers: midnight may have come."""
    speaking = {clock.beijing_date(one.evidence.at) for one in chunk if one.lists_articles}
    return any(clock.beijing_date(one.evidence.at) not in speaking for one in chunk)


def _hear(heard: dict[str, datetime], staged: Iterable[StagedAnswer]) -> None:
    """Note when accounts were last heard, by these too."""
    for one in staged:
        if one.lists_articles:
            appid, at = one.slice[0], one.evidence.at
            heard[appid] = max(heard.get(appid, at), at)


def _unlisted(
    staged: Iterable[StagedAnswer],
    known: Mapping[Slice, StoredSlice],
    after: Mapping[Slice, Coverage],
) -> list[dict[str, object]]:
    """The ready answers that list something else than the ready answer before."""
    listed: list[dict[str, object]] = []
    for one in staged:
        before, now = known[one.slice].coverage, after[one.slice]
        is_ready = now.ready_at == one.evidence.at and now.list_sha256 is not None
        is_new = before.list_sha256 != now.list_sha256 or before.ready_at != before.fetched_at
        if is_ready and is_new and before.attempted_at:
            pair = {"appid": one.account.appid, "day": one.day}
            listed.append({**pair, "msgids": one.msgids, "at": one.evidence.at})
    return listed
