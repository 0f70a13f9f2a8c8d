"""
Pairs of many accounts into the warehouse, in commits: each pair whole or not at all.

    merge     raw answers, articles, rows, their history, rejected rows, what we have of each pair
    gather    the facts that the rules ask for
    judge     one call of the rules per pair
    write     how the attempts ended, in coverage and in the run's report; the rollups

On its way an answer is, one after the other: the client's `Answer`, `Parsed`, an `Outcome`, and
`Staged`; the rules give it a `Verdict`. `load/rebuild.py` makes a pair of all its kept answers.

Beside them the calls are counted: those of a commit that fails are not, so whoever gives the pairs
up counts them by `count_calls`.

The pairs of an account's try are judged together, by the commit that holds the last of them:
whether WeChat has computed yesterday shows in all of an account's answers, not in some.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl import clock, rules
from weixin_etl.api.errors import (
    DailyQuotaError,
    HeldBackError,
    NotReadyError,
    UnreadableError,
    WeixinError,
)
from weixin_etl.datasets import Dataset, Day
from weixin_etl.load import merge, rollups
from weixin_etl.load.coverage import judge_again, save_data, verdict_columns, verdicts, wake
from weixin_etl.load.outcome import Outcome, answered, refused
from weixin_etl.load.tables import Loaded, Tables
from weixin_etl.model import AttemptState, Counts, Pair, PairState, Run
from weixin_etl.warehouse import analyse_grown, statement
from weixin_etl.warehouse.locks import lock_load

__all__ = ["Load", "Outcome", "answered", "refused"]


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
        self._unjudged: defaultdict[str, list[Outcome]] = defaultdict(list)

    def commit(self, outcomes: Sequence[Outcome], *, complete: Collection[str]) -> list[Outcome]:
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
            tables = Tables(connection, self._dataset, self._now())
            to_judge = [it for appid in complete for it in self._unjudged[appid]]
            pairs = {it.pair for it in (*outcomes, *to_judge)}
            before = tables.loaded(pairs)
            merged = self._merge(tables, outcomes, before)
            to_judge += [it for it in merged if it.account.appid in complete]
            judged = self._judge(tables, to_judge) if to_judge else []
            rollups.keep(tables, pairs, before)
            if not self._is_import:
                self._save_report(tables, merged, judged)
                self._count(connection, outcomes)
        for it in merged:
            self._unjudged[it.account.appid].append(it)
        for appid in complete:
            self._unjudged.pop(appid, None)
        analyse_grown(self._warehouse)
        return judged

    def count_calls(self, outcomes: Sequence[Outcome]) -> None:
        """Count the calls of pairs that are not committed: they used the quota all the same."""
        with self._warehouse.begin() as connection:
            self._count(connection, outcomes)

    def _count(self, connection: Connection, outcomes: Iterable[Outcome]) -> None:
        """Add the calls that outcomes took to those counted before, each on the day it ended."""
        made = [
            {
                "appid": it.account.appid,
                "beijing_date": clock.beijing_date(it.ended_at),
                "calls": it.calls,
                "refused_at": it.ended_at if isinstance(it.error, DailyQuotaError) else None,
            }
            for it in outcomes
            if it.calls
        ]
        if made:
            connection.execute(
                statement("api_call/count.sql"),
                {"endpoint": self._dataset.path, "made": msgspec.json.encode(made).decode()},
            )

    def _merge(self, tables: Tables, outcomes: Sequence[Outcome], loaded: Loaded) -> list[Outcome]:
        answered = [outcome for outcome in outcomes if outcome.summary]
        counts = merge.merge(tables, answered, loaded, refetch=self._run.refetch)
        readable = {it.pair: it.readable for it in outcomes if it.readable}
        save_data(tables, {pair: it for pair, it in readable.items() if it.has_data})
        return [it.merged(counts.get(it.pair, Counts())) for it in outcomes]

    def _judge(self, tables: Tables, merged: Sequence[Outcome]) -> list[Outcome]:
        """Ask the rules, and write down how the attempts ended."""
        answers = {it.pair: it.readable for it in merged if it.readable}
        found = verdicts(tables, answers, ready_hour=self._ready_hour, are_together=True)
        judged = [_judged(self._dataset, it, found.get(it.pair)) for it in merged]
        if self._is_import:
            good = {it.pair for it in judged if it.error is None}
            ready = {pair: it for pair, it in found.items() if it.is_final or pair in good}
            judge_again(tables, answers, ready)
        else:
            attempts = [
                _attempt(it, found.get(it.pair))
                for it in judged
                if it.state is not PairState.HELD_BACK  # that is no attempt
            ]
            tables.execute("coverage/verdict.sql", verdicts=_json(attempts))
        wake(tables, answers)
        return judged

    def _save_report(
        self, tables: Tables, merged: Sequence[Outcome], judged: Sequence[Outcome]
    ) -> None:
        """Counts of this commit's pairs; states of all that were judged."""
        nothing = {"calls": 0, "rejected": 0, **msgspec.to_builtins(Counts())}
        report: dict[Pair, dict[str, object]] = defaultdict(lambda: {**nothing})
        for it in merged:
            counts = msgspec.to_builtins(it.counts)
            report[it.pair] |= {"calls": it.calls, "rejected": it.rejected, **counts}
        for ended in judged:
            report[ended.pair] |= {
                "state": ended.state,
                "is_retryable": ended.state not in _ENDED or ended.is_retryable,
            }
        rows = [
            {"appid": appid, "publication_date": day, **values}
            for (appid, day), values in report.items()
        ]
        tables.execute(
            "run_report/save.sql",
            run_id=self._run.run_id,
            installation=self._run.installation,
            saved_at=self._now(),
            leaves_open=rules.is_daily(self._run, clock.beijing_date(self._now())),
            counts=_json(rows),
        )


_ENDED = {PairState.FAILED, PairState.HELD_BACK}
"""States that another try of Airflow's only changes when the error is retryable."""


def _why_not_in(dataset: Dataset, it: Outcome, verdict: rules.Verdict | None) -> WeixinError | None:
    name = str(it.account)
    if it.error or it.summary is None:
        return it.error
    if it.summary.nothing_fits:
        return UnreadableError(
            f"no row of the answer fits; the first of {it.summary.rejected} rejected parts: "
            f"{it.summary.first_reason}; see weixin.rejected_row",
            account=name,
        )
    if verdict and verdict.is_ready:
        return None
    why = "no article has yesterday's row"
    if it.summary.is_delayed:
        why = "the answer says is_delay"
    elif dataset.day is Day.STATISTICS:
        why = "the answer has no rows yet"
    return NotReadyError(why, account=name)


def _judged(dataset: Dataset, it: Outcome, verdict: rules.Verdict | None) -> Outcome:
    error = _why_not_in(dataset, it, verdict)
    if it.summary and error is None:
        state = PairState(it.summary.data_state)
    elif isinstance(error, HeldBackError):
        state = PairState.HELD_BACK
    else:
        state = PairState.NOT_READY if isinstance(error, NotReadyError) else PairState.FAILED
    return replace(it, error=error, state=state)


def _attempt(it: Outcome, verdict: rules.Verdict | None) -> dict[str, object]:
    error = it.error
    # a final day is not asked for again, even if no row of its last answer fits
    is_ready = error is None or (verdict is not None and verdict.is_final)
    return {
        "appid": it.account.appid,
        "publication_date": it.publication_date,
        "ready_at": it.ended_at if is_ready else None,
        **verdict_columns(verdict),
        "attempt_state": it.state if error else AttemptState.OK,
        "attempted_at": it.ended_at,
        "next_attempt_at": it.next_attempt_at,
        "error_kind": error.kind if error else None,
        "error_code": error.errcode if error else None,
        "error": error.happened if error else None,
        "cure": error.problem(it.account).as_of(it.ended_at, it.ended_at).cure if error else None,
        "rid": (error.rid or None) if error else None,
    }


def _json(values: Sequence[Mapping[str, object]]) -> str:
    return msgspec.json.encode(values).decode()
