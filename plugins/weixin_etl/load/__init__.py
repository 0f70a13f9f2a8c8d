"""
Pairs of one account into the warehouse, in commits: each pair whole or not at all.

    merge     raw answers, articles, rows and restatements, rejected rows, what we have of each pair
    gather    the facts that the rules ask for
    judge     one call of the rules per pair
    write     how the attempts ended: in coverage and in the run's report

The pairs of a try are judged together, by its last commit: whether WeChat has computed yesterday
shows in all of an account's answers, not in some.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer
from weixin_etl.api.errors import NotReadyError, UnreadableError, WeixinError
from weixin_etl.load import merge
from weixin_etl.model import Account, AttemptState, Counts, DataState, PairState, Run
from weixin_etl.parse.articles import Parsed
from weixin_etl.rules import StillCounting
from weixin_etl.warehouse import statement

PAIRS_A_COMMIT = 31
_LOCK = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking for a pair: its answer taken apart, or why there is none."""

    publication_date: date
    calls: int
    ended_at: datetime
    """When the answer had come, or the pair was given up."""
    answer: Answer | None = None
    parsed: Parsed = field(default_factory=Parsed)
    error: WeixinError | None = None
    """With an answer: no articles can be made out in it, so that only its bytes are kept."""
    rests_until: datetime | None = None
    """Before it the account is not asked again: its daily quota is used up."""

    @property
    def has_data(self) -> bool:
        """Whether the answer tells what was published; not when every part of it is rejected."""
        is_readable = self.answer is not None and self.error is None
        return is_readable and bool(self.parsed.articles or not self.parsed.rejected)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run's attempt brought of a pair. `error` says why it is not in."""

    publication_date: date
    state: PairState
    counts: Counts
    rejected: int
    error: WeixinError | None

    @property
    def is_retryable(self) -> bool:
        """Whether another try may bring it in, without anybody's doing."""
        return self.error is not None and self.error.is_retryable


@dataclass(frozen=True, slots=True)
class _Merged:
    """A pair whose answer is merged, or whose refusal is noted; without its bytes and rows."""

    publication_date: date
    ended_at: datetime
    error: WeixinError | None
    rests_until: datetime | None
    counts: Counts
    has_answer: bool
    is_delayed: bool
    article_count: int
    row_count: int
    rejected: int
    first_rejection: str


class Load:
    """One account's pairs of one try."""

    def __init__(
        self,
        warehouse: Engine,
        run: Run,
        account: Account,
        *,
        ready_hour: int,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._warehouse = warehouse
        self._run = run
        self._dataset = run.dataset
        self._account = account
        self._keys = {"dataset": run.dataset.name, "appid": account.appid}
        self._ready_hour = ready_hour
        self._now = now
        self._unjudged: list[_Merged] = []

    def commit(self, outcomes: Sequence[Outcome], *, is_last: bool) -> list[Judged]:
        """
        Commit at most 31 pairs; the last commit judges all the try's pairs and returns them.

        Raw answers, rows, restatements, rejected rows, coverage and report counts: all or nothing.
        Two loads of the same account wait for each other, whatever process they run in.
        """
        if len(outcomes) > PAIRS_A_COMMIT:
            raise ValueError(f"{len(outcomes)} pairs in one commit; at most {PAIRS_A_COMMIT}")
        with self._warehouse.begin() as connection:
            # across datasets: they share the articles, and could deadlock on them
            connection.execute(_LOCK, {"key": self._account.appid})
            merged = self._merge(connection, outcomes)
            judged = self._judge(connection, [*self._unjudged, *merged]) if is_last else []
            self._save_report(connection, outcomes, merged, judged)
        self._unjudged = [] if is_last else [*self._unjudged, *merged]
        return judged

    def _merge(self, connection: Connection, outcomes: Sequence[Outcome]) -> list[_Merged]:
        readable = [
            merge.Fetched(o.publication_date, o.answer, o.parsed, is_readable=o.error is None)
            for o in outcomes
            if o.answer
        ]
        counts = merge.merge(
            connection, self._dataset, self._account.appid, readable, changed_at=self._now()
        )
        self._save_data(connection, [outcome for outcome in outcomes if outcome.has_data])
        return [
            _Merged(
                publication_date=outcome.publication_date,
                ended_at=outcome.ended_at,
                error=outcome.error,
                rests_until=outcome.rests_until,
                counts=counts.get(outcome.publication_date, Counts()),
                has_answer=outcome.answer is not None and outcome.error is None,
                is_delayed=outcome.parsed.is_delayed,
                article_count=len(outcome.parsed.articles),
                row_count=outcome.parsed.row_count,
                rejected=len(outcome.parsed.rejected),
                first_rejection=next((r.reason for r in outcome.parsed.rejected), ""),
            )
            for outcome in outcomes
        ]

    def _save_data(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        answers = [
            {
                "publication_date": outcome.publication_date,
                "data_state": DataState.LOADED if outcome.parsed.articles else DataState.EMPTY,
                "through_date": _through_date(outcome.parsed),
                "fetched_at": outcome.ended_at,
                "is_provisional": not outcome.parsed.articles
                and rules.is_provisional(
                    outcome.publication_date, outcome.ended_at, self._ready_hour
                ),
                "article_count": len(outcome.parsed.articles),
                "row_count": outcome.parsed.row_count,
            }
            for outcome in outcomes
        ]
        connection.execute(
            statement("coverage/data.sql"), {**self._keys, "answers": _json(answers)}
        )

    def _judge(self, connection: Connection, merged: Sequence[_Merged]) -> list[Judged]:
        """Gather the facts, ask the rules, and write down how the attempts ended."""
        answered = [pair for pair in merged if pair.has_answer]
        counting = self._still_counting(connection, {_yesterday(p.ended_at) for p in answered})
        open_days = self._open_days(connection, [pair.publication_date for pair in answered])
        judged = []
        verdicts = []
        for pair in merged:
            verdict = self._verdict(pair, counting, open_days)
            error = self._why_not_in(pair, verdict)
            judged.append(_judged(pair, error))
            verdicts.append(_attempt(pair, verdict, error))
        connection.execute(
            statement("coverage/verdict.sql"), {**self._keys, "verdicts": _json(verdicts)}
        )
        return judged

    def _still_counting(
        self, connection: Connection, yesterdays: set[date]
    ) -> Mapping[date, StillCounting]:
        """By the day before the answers: midnight may pass between two of them."""
        rows = connection.execute(
            statement("coverage/still_counting.sql", self._dataset),
            {**self._keys, "yesterdays": sorted(yesterdays)},
        ).all()
        days: dict[date, set[date]] = defaultdict(set)
        reported: set[date] = set()
        for yesterday, publication_date, has_yesterday in rows:
            days[yesterday].add(publication_date)
            if has_yesterday:
                reported.add(yesterday)
        return {day: StillCounting(days[day], day in reported) for day in yesterdays}

    def _open_days(self, connection: Connection, days: Sequence[date]) -> set[date]:
        rows = connection.execute(
            statement("fact/open_days.sql", self._dataset),
            {**self._keys, "publication_dates": list(days)},
        )
        return set(rows.scalars())

    def _verdict(
        self, pair: _Merged, counting: Mapping[date, StillCounting], open_days: set[date]
    ) -> rules.Verdict:
        if not pair.has_answer:
            return rules.Verdict(is_ready=False, is_final=False)
        return rules.verdict(
            self._dataset,
            pair.publication_date,
            pair.ended_at,
            is_delayed=pair.is_delayed,
            counting=counting[_yesterday(pair.ended_at)],
            is_whole=pair.publication_date not in open_days and not pair.rejected,
            ready_hour=self._ready_hour,
        )

    def _why_not_in(self, pair: _Merged, verdict: rules.Verdict) -> WeixinError | None:
        name = str(self._account)
        if pair.error:
            return pair.error
        if pair.rejected and not pair.row_count:
            return UnreadableError(
                f"no row of the answer fits; the first of {pair.rejected} rejected parts: "
                f"{pair.first_rejection}; see weixin.rejected_row",
                account=name,
            )
        if verdict.is_ready:
            return None
        why = "the answer says is_delay" if pair.is_delayed else "no article has yesterday's row"
        return NotReadyError(why, account=name)

    def _save_report(
        self,
        connection: Connection,
        outcomes: Sequence[Outcome],
        merged: Sequence[_Merged],
        judged: Sequence[Judged],
    ) -> None:
        """Counts of this commit's pairs; states of all that were judged."""
        nothing = {"calls": 0, "rejected": 0, **asdict(Counts())}
        days = [pair.publication_date for pair in merged] + [p.publication_date for p in judged]
        report: dict[date, dict[str, object]] = {day: {**nothing} for day in days}
        for outcome, pair in zip(outcomes, merged, strict=True):
            report[pair.publication_date] |= {
                "calls": outcome.calls,
                "rejected": pair.rejected,
                **asdict(pair.counts),
            }
        for verdict in judged:
            report[verdict.publication_date] |= {
                "state": verdict.state,
                "is_retryable": verdict.state is not PairState.FAILED or verdict.is_retryable,
            }
        counts = [{"publication_date": day, **values} for day, values in report.items()]
        connection.execute(
            statement("run_report/save.sql"),
            {
                **self._keys,
                "run_id": self._run.run_id,
                "saved_at": self._now(),
                "counts": _json(counts),
            },
        )


def _judged(pair: _Merged, error: WeixinError | None) -> Judged:
    if error is None:
        state = PairState.LOADED if pair.article_count else PairState.EMPTY
    else:
        state = PairState(_attempt_state(error))
    return Judged(pair.publication_date, state, pair.counts, pair.rejected, error)


def _attempt(pair: _Merged, verdict: rules.Verdict, error: WeixinError | None) -> dict[str, object]:
    # a final day is not asked for again, even if no row of its last answer fits
    is_ready = verdict.is_final or error is None
    return {
        "publication_date": pair.publication_date,
        "ready_at": pair.ended_at if is_ready else None,
        "is_final": verdict.is_final,
        "attempt_state": _attempt_state(error),
        "attempted_at": pair.ended_at,
        "next_attempt_at": pair.rests_until,
        "error_code": error.errcode if error else None,
        "error": str(error) if error else None,
    }


def _attempt_state(error: WeixinError | None) -> AttemptState:
    if error is None:
        return AttemptState.OK
    return AttemptState.NOT_READY if isinstance(error, NotReadyError) else AttemptState.FAILED


def _through_date(parsed: Parsed) -> date | None:
    """The last stat_date every article reaches; None when one has no row, or there is none."""
    last_dates = [max(article.rows, default=None) for article in parsed.articles.values()]
    reached = [last_date for last_date in last_dates if last_date is not None]
    return min(reached) if reached and len(reached) == len(last_dates) else None


def _yesterday(fetched_at: datetime) -> date:
    """The newest day that WeChat can have computed when it answered."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def _json(values: Sequence[Mapping[str, object]]) -> str:
    return msgspec.json.encode(values).decode()
