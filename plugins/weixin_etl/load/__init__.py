"""
Pairs of many accounts into the warehouse, in commits: each pair whole or not at all.

    merge     raw answers, articles, rows, their history, rejected rows, what we have of each pair
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
from datetime import date, datetime
from threading import Lock
from typing import Any

import msgspec
from sqlalchemy import Connection, CursorResult, Engine

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal
from weixin_etl.api.errors import (
    DailyQuotaError,
    HeldBackError,
    NotReadyError,
    UnreadableError,
    WeixinError,
)
from weixin_etl.datasets import Dataset
from weixin_etl.load import merge, quota
from weixin_etl.load.coverage import (
    Answered,
    Had,
    judge_again,
    save_data,
    verdict_columns,
    verdicts,
    wake,
)
from weixin_etl.load.quota import MadeCalls
from weixin_etl.load.stage import PreparedAnswer, prepare
from weixin_etl.model import Account, AttemptState, Counts, DataState, Pair, PairState, Run
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import lock_load


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
    list_sha256: bytes
    is_empty: bool
    article_count: int
    nothing_fits: bool
    rejected: int
    first_rejection: str

    @property
    def pair(self) -> Pair:
        return self.account.appid, self.publication_date

    @property
    def morning(self) -> tuple[str, date]:
        """The account, and the day on which it answered (Beijing)."""
        return self.account.appid, clock.beijing_date(self.ended_at)


class Load:
    """A try's pairs, commit by commit."""

    def __init__(
        self,
        warehouse: Engine,
        run: Run,
        *,
        ready_hour: int,
        now: Callable[[], datetime] = clock.now,
        is_import: bool = False,
    ) -> None:
        """
        Load nothing yet.

        Answers of an import come of no attempt of a run: how the last attempt ended stays as it
        is, unless they are newer, and there is no run to report to.
        """
        self._warehouse = warehouse
        self._run = run
        self._dataset = run.dataset
        self._ready_hour = ready_hour
        self._now = now
        self._is_import = is_import
        self._unjudged: defaultdict[str, list[_Merged]] = defaultdict(list)

    def commit(self, outcomes: Sequence[Outcome], *, complete: Collection[str]) -> list[Judged]:
        """
        Commit the pairs, and judge all pairs of the accounts that are `complete` with these.

        Raw answers, rows, their history, rejected rows, coverage, report counts and the count of
        calls: all or nothing.
        Loads that share accounts wait for each other, whatever process they run in.
        """
        appids = list({outcome.account.appid for outcome in outcomes})
        with self._warehouse.begin() as connection:
            lock_load(connection, appids)
            connection.execute(statement("fact/pin_plan.sql"))
            merged = self._merge(connection, outcomes)
            to_judge = [it for appid in complete for it in self._unjudged[appid]]
            to_judge += [it for it in merged if it.account.appid in complete]
            judged = self._judge(connection, to_judge) if to_judge else []
            if not self._is_import:
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
        had = [
            Had(
                outcome.pair,
                outcome.ended_at,
                DataState.LOADED if outcome.answer.msgids else DataState.EMPTY,
                len(outcome.answer.msgids),
                len(outcome.answer.rows),
                outcome.answer.through_date,
            )
            for outcome in outcomes
            if outcome.answer
        ]
        save_data(connection, self._dataset, [it.as_row() for it in had])

    def _judge(self, connection: Connection, merged: Sequence[_Merged]) -> list[Judged]:
        """Ask the rules, and write down how the attempts ended."""
        answered = self._answered([it for it in merged if it.has_answer])
        found = verdicts(connection, self._dataset, answered, ready_hour=self._ready_hour)
        judged = []
        attempts = []
        ready: dict[Pair, tuple[datetime, rules.Verdict]] = {}
        for it in merged:
            verdict = found.get(it.pair)
            error = _why_not_in(it, verdict)
            judged.append(_judged(it, error))
            if not isinstance(error, HeldBackError):  # that is no attempt
                attempts.append(_attempt(it, verdict, error))
            if verdict and (error is None or verdict.is_final):
                ready[it.pair] = it.ended_at, verdict
        if self._is_import:
            judge_again(connection, self._dataset, ready)
        else:
            self._execute(connection, "coverage/verdict.sql", verdicts=_json(attempts))
        wake(connection, self._dataset, answered)
        return judged

    def _answered(self, merged: Sequence[_Merged]) -> list[Answered]:
        """What any answer of an account's morning shows counts for all of them."""
        last: dict[Pair, datetime] = {}
        for it in merged:
            last[it.morning] = max(it.ended_at, last.get(it.morning, it.ended_at))
        return [
            Answered(
                it.pair,
                it.ended_at,
                it.is_delayed,
                it.list_sha256,
                it.is_empty,
                it.rejected,
                as_of=last[it.morning],
            )
            for it in merged
        ]

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
            installation=self._run.installation,
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
        list_sha256=answer.list_sha256 if answer else b"",
        is_empty=answer is not None and answer.is_empty,
        article_count=len(answer.msgids) if answer else 0,
        nothing_fits=answer is not None and answer.nothing_fits,
        rejected=len(rejected),
        first_rejection=rejected[0].reason if rejected else "",
    )


def _why_not_in(it: _Merged, verdict: rules.Verdict | None) -> WeixinError | None:
    name = str(it.account)
    if it.error:
        return it.error
    if it.nothing_fits:
        return UnreadableError(
            f"no row of the answer fits; the first of {it.rejected} rejected parts: "
            f"{it.first_rejection}; see weixin.rejected_row",
            account=name,
        )
    if verdict and verdict.is_ready:
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


def _attempt(
    it: _Merged, verdict: rules.Verdict | None, error: WeixinError | None
) -> dict[str, object]:
    # a final day is not asked for again, even if no row of its last answer fits
    is_ready = error is None or (verdict is not None and verdict.is_final)
    return {
        "appid": it.account.appid,
        "publication_date": it.publication_date,
        "ready_at": it.ended_at if is_ready else None,
        **verdict_columns(verdict),
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
