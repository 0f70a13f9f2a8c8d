"""
Pairs of many accounts into the warehouse, in commits: each pair whole or not at all.

    merge     raw answers, articles, rows and restatements, rejected rows, what we have of each pair
    gather    the facts that the rules ask for
    judge     one call of the rules per pair
    write     how the attempts ended: in coverage and in the run's report

Beside them the calls are counted: those of a commit that fails are not, so whoever gives the pairs
up counts them by `count_calls`.

The pairs of an account's try are judged together, by the commit that holds the last of them:
whether WeChat has computed yesterday shows in all of an account's answers, not in some.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any

import msgspec
from sqlalchemy import Connection, CursorResult, Engine

from weixin_etl import clock, quota, rules
from weixin_etl.api.client import Answer, Refusal
from weixin_etl.api.errors import (
    DailyQuotaError,
    HeldBackError,
    NotReadyError,
    UnreadableError,
    WeixinError,
)
from weixin_etl.datasets import Dataset
from weixin_etl.load import merge
from weixin_etl.load.stage import PreparedAnswer, prepare
from weixin_etl.model import Account, AttemptState, Counts, DataState, Pair, PairState, Run
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.quota import MadeCalls
from weixin_etl.rules import StillCounting
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking for a pair: its answer taken apart, or why there is none."""

    account: Account
    publication_date: date
    calls: int
    ended_at: datetime
    """When the answer had come, or the pair was given up."""
    answer: PreparedAnswer | None = None
    error: WeixinError | None = None
    """With an answer: no articles can be made out in it, so that only its bytes are kept."""
    rests_until: datetime | None = None
    """Before it the account is not asked again: its daily quota is used up."""

    @property
    def pair(self) -> Pair:
        """The account and its publication day."""
        return self.account.appid, self.publication_date

    @property
    def size(self) -> int:
        """Bytes of the answer."""
        return self.answer.size if self.answer else 0

    @property
    def has_data(self) -> bool:
        """Whether the answer tells what was published; not when every part of it is rejected."""
        if self.answer is None or self.error is not None:
            return False
        return bool(self.answer.msgids or not self.answer.others.rejected)


def outcome(dataset: Dataset, account: Account, day: date, came: Answer | Refusal) -> Outcome:
    """
    Take what came of a call apart, in the thread that made it.

    One answer at a time, whatever the number of threads: on the way it takes several times its
    bytes.
    """
    if isinstance(came, Refusal):
        is_quota = isinstance(came.error, DailyQuotaError)
        until = rules.rests_until(came.refused_at) if is_quota else None
        return Outcome(
            account, day, came.calls, came.refused_at, error=came.error, rests_until=until
        )
    error = None
    with _one_at_a_time:
        try:
            parsed = parse(dataset, came.body, day, came.fetched_at)
        except UnreadableAnswerError as unreadable:
            parsed = Parsed()
            error = UnreadableError(str(unreadable), account=str(account))
        answer = prepare(dataset, came, parsed)
    return Outcome(account, day, came.calls, came.fetched_at, answer, error)


_one_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class Judged:
    """What a run's attempt brought of a pair. `error` says why it is not in."""

    account: Account
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

    account: Account
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

    @property
    def pair(self) -> Pair:
        return self.account.appid, self.publication_date

    @property
    def yesterday(self) -> date:
        """The newest day that WeChat can have computed when it answered."""
        return clock.beijing_date(self.ended_at) - timedelta(days=1)


class Load:
    """A try's pairs, commit by commit."""

    def __init__(
        self,
        warehouse: Engine,
        run: Run,
        *,
        ready_hour: int,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._warehouse = warehouse
        self._run = run
        self._dataset = run.dataset
        self._ready_hour = ready_hour
        self._now = now
        self._unjudged: defaultdict[str, list[_Merged]] = defaultdict(list)

    def commit(self, outcomes: Sequence[Outcome], *, complete: Collection[str]) -> list[Judged]:
        """
        Commit the pairs, and judge all pairs of the accounts that are `complete` with these.

        Raw answers, rows, restatements, rejected rows, coverage, report counts and the count of
        calls: all or nothing.
        Loads that share accounts wait for each other, whatever process they run in.
        """
        appids = list({outcome.account.appid for outcome in outcomes})
        with self._warehouse.begin() as connection:
            connection.execute(statement("dim_account/lock_for_load.sql"), {"appids": appids})
            connection.execute(statement("fact/pin_plan.sql"))
            merged = self._merge(connection, outcomes)
            to_judge = [it for appid in complete for it in self._unjudged[appid]]
            to_judge += [it for it in merged if it.account.appid in complete]
            judged = self._judge(connection, to_judge) if to_judge else []
            self._save_report(connection, outcomes, merged, judged)
            quota.count(connection, self._dataset, _made_calls(outcomes))
        for it in merged:
            self._unjudged[it.account.appid].append(it)
        for appid in complete:
            self._unjudged.pop(appid, None)
        return judged

    def count_calls(self, outcomes: Sequence[Outcome]) -> None:
        """Count the calls of pairs that are not committed: they used the quota all the same."""
        with self._warehouse.begin() as connection:
            quota.count(connection, self._dataset, _made_calls(outcomes))

    def _merge(self, connection: Connection, outcomes: Sequence[Outcome]) -> list[_Merged]:
        fetched = [
            merge.Fetched(outcome.pair, outcome.answer, is_readable=outcome.error is None)
            for outcome in outcomes
            if outcome.answer
        ]
        counts = merge.merge(
            connection,
            self._dataset,
            fetched,
            changed_at=self._now(),
            refetch=self._run.refetch,
        )
        self._save_data(connection, [outcome for outcome in outcomes if outcome.has_data])
        return [_merged(it, counts.get(it.pair, Counts())) for it in outcomes]

    def _save_data(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        answers = [
            {
                "appid": outcome.account.appid,
                "publication_date": outcome.publication_date,
                "data_state": DataState.LOADED if outcome.answer.msgids else DataState.EMPTY,
                "through_date": outcome.answer.through_date,
                "fetched_at": outcome.ended_at,
                "is_provisional": not outcome.answer.msgids
                and rules.is_provisional(
                    outcome.publication_date, outcome.ended_at, self._ready_hour
                ),
                "article_count": len(outcome.answer.msgids),
                "row_count": len(outcome.answer.rows),
            }
            for outcome in outcomes
            if outcome.answer
        ]
        self._execute(connection, "coverage/data.sql", answers=_json(answers))

    def _judge(self, connection: Connection, merged: Sequence[_Merged]) -> list[Judged]:
        """Gather the facts, ask the rules, and write down how the attempts ended."""
        answered = [it for it in merged if it.has_answer]
        counting = self._still_counting(connection, answered)
        open_days = self._open_days(connection, answered)
        judged = []
        verdicts = []
        for it in merged:
            verdict = self._verdict(it, counting, is_open=it.pair in open_days)
            error = _why_not_in(it, verdict)
            judged.append(_judged(it, error))
            if not isinstance(error, HeldBackError):  # that is no attempt
                verdicts.append(_attempt(it, verdict, error))
        self._execute(connection, "coverage/verdict.sql", verdicts=_json(verdicts))
        return judged

    def _still_counting(
        self, connection: Connection, merged: Sequence[_Merged]
    ) -> Mapping[Pair, StillCounting]:
        """By account and the day before its answers: midnight may pass between two of them."""
        asked = {(it.account.appid, it.yesterday) for it in merged}
        rows = self._execute(
            connection,
            "coverage/still_counting.sql",
            datasets=[self._dataset.name] * len(asked),
            appids=[appid for appid, _ in asked],
            yesterdays=[yesterday for _, yesterday in asked],
        )
        days: dict[Pair, set[date]] = defaultdict(set)
        reported: set[Pair] = set()
        for row in rows:
            days[row.appid, row.yesterday].add(row.publication_date)
            if row.has_yesterday:
                reported.add((row.appid, row.yesterday))
        return {it: StillCounting(days[it], it in reported) for it in asked}

    def _open_days(self, connection: Connection, merged: Sequence[_Merged]) -> set[Pair]:
        """Of the pairs that may be final."""
        due = [
            it.pair
            for it in merged
            if rules.is_last_row_due(self._dataset, it.publication_date, it.ended_at)
        ]
        rows = self._execute(
            connection,
            "fact/open_days.sql",
            datasets=[self._dataset.name] * len(due),
            appids=[appid for appid, _ in due],
            publication_dates=[day for _, day in due],
        )
        return {(row.appid, row.publication_date) for row in rows}

    def _verdict(
        self, it: _Merged, counting: Mapping[Pair, StillCounting], *, is_open: bool
    ) -> rules.Verdict:
        if not it.has_answer:
            return rules.Verdict(is_ready=False, is_final=False)
        return rules.verdict(
            self._dataset,
            it.publication_date,
            it.ended_at,
            is_delayed=it.is_delayed,
            counting=counting[it.account.appid, it.yesterday],
            is_whole=not is_open and not it.rejected,
            ready_hour=self._ready_hour,
        )

    def _save_report(
        self,
        connection: Connection,
        outcomes: Sequence[Outcome],
        merged: Sequence[_Merged],
        judged: Sequence[Judged],
    ) -> None:
        """Counts of this commit's pairs; states of all that were judged."""
        nothing = {"calls": 0, "rejected": 0, **asdict(Counts())}
        report: dict[Pair, dict[str, object]] = defaultdict(lambda: {**nothing})
        for outcome, it in zip(outcomes, merged, strict=True):
            report[it.pair] |= {
                "calls": outcome.calls,
                "rejected": it.rejected,
                **asdict(it.counts),
            }
        for verdict in judged:
            report[verdict.account.appid, verdict.publication_date] |= {
                "state": verdict.state,
                "is_retryable": verdict.state not in _ENDED or verdict.is_retryable,
            }
        counts = [
            {"appid": appid, "publication_date": day, **values}
            for (appid, day), values in report.items()
        ]
        self._execute(
            connection,
            "run_report/save.sql",
            run_id=self._run.run_id,
            saved_at=self._now(),
            leaves_open=rules.is_daily(self._run, clock.beijing_date(self._now())),
            counts=_json(counts),
        )

    def _execute(self, connection: Connection, path: str, **values: object) -> CursorResult[Any]:
        return connection.execute(
            statement(path, self._dataset), {"dataset": self._dataset.name, **values}
        )


_ENDED = {PairState.FAILED, PairState.HELD_BACK}
"""States that another try of Airflow's only changes when the error is retryable."""


def _made_calls(outcomes: Sequence[Outcome]) -> list[MadeCalls]:
    """The calls of each account and day, and when the quota was said to be used up."""
    made: dict[tuple[str, date], MadeCalls] = {}
    for it in outcomes:
        if it.calls:
            key = it.account.appid, clock.beijing_date(it.ended_at)
            of_day = made.setdefault(key, MadeCalls(*key))
            of_day.calls += it.calls
            if isinstance(it.error, DailyQuotaError):
                of_day.refused_at = it.ended_at
    return list(made.values())


def _merged(outcome: Outcome, counts: Counts) -> _Merged:
    answer = outcome.answer
    rejected = answer.others.rejected if answer else []
    return _Merged(
        account=outcome.account,
        publication_date=outcome.publication_date,
        ended_at=outcome.ended_at,
        error=outcome.error,
        rests_until=outcome.rests_until,
        counts=counts,
        has_answer=answer is not None and outcome.error is None,
        is_delayed=answer is not None and answer.others.is_delayed,
        article_count=len(answer.msgids) if answer else 0,
        row_count=len(answer.rows) if answer else 0,
        rejected=len(rejected),
        first_rejection=rejected[0].reason if rejected else "",
    )


def _why_not_in(it: _Merged, verdict: rules.Verdict) -> WeixinError | None:
    name = str(it.account)
    if it.error:
        return it.error
    if it.rejected and not it.row_count:
        return UnreadableError(
            f"no row of the answer fits; the first of {it.rejected} rejected parts: "
            f"{it.first_rejection}; see weixin.rejected_row",
            account=name,
        )
    if verdict.is_ready:
        return None
    why = "the answer says is_delay" if it.is_delayed else "no article has yesterday's row"
    return NotReadyError(why, account=name)


def _judged(it: _Merged, error: WeixinError | None) -> Judged:
    if error is None:
        state = PairState.LOADED if it.article_count else PairState.EMPTY
    elif isinstance(error, HeldBackError):
        state = PairState.HELD_BACK
    else:
        state = PairState(_attempt_state(error))
    return Judged(it.account, it.publication_date, state, it.counts, it.rejected, error)


def _attempt(it: _Merged, verdict: rules.Verdict, error: WeixinError | None) -> dict[str, object]:
    # a final day is not asked for again, even if no row of its last answer fits
    is_ready = verdict.is_final or error is None
    return {
        "appid": it.account.appid,
        "publication_date": it.publication_date,
        "ready_at": it.ended_at if is_ready else None,
        "is_final": verdict.is_final,
        "attempt_state": _attempt_state(error),
        "attempted_at": it.ended_at,
        "next_attempt_at": it.rests_until,
        "error_kind": error.kind if error else None,
        "error_code": error.errcode if error else None,
        "error": error.happened if error else None,
        "cure": error.cure if error else None,
        "rid": (error.rid or None) if error else None,
    }


def _attempt_state(error: WeixinError | None) -> AttemptState:
    if error is None:
        return AttemptState.OK
    return AttemptState.NOT_READY if isinstance(error, NotReadyError) else AttemptState.FAILED


def _json(values: Sequence[Mapping[str, object]]) -> str:
    return msgspec.json.encode(values).decode()
