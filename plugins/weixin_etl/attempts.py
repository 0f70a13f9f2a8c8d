"""How the tries of one commit ended, in coverage and in the report."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from sqlalchemy import Connection

from weixin_etl import clock, coverage
from weixin_etl.api.client import Answer
from weixin_etl.api.errors import (
    DailyQuotaError,
    EndpointOfflineError,
    NotReadyError,
    UnreadableError,
    WeixinError,
)
from weixin_etl.coverage import Attempt, Coverage
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account
from weixin_etl.pair import Counts, Pair, PairReport
from weixin_etl.warehouse import statement


def record(
    connection: Connection,
    dataset: Dataset,
    account: Account,
    pairs: Sequence[Pair],
    counts: Mapping[date, Counts],
    known: Mapping[date, Coverage],
) -> list[PairReport]:
    """Judge the pairs after their merge; remember it in coverage, and an endpoint gone offline."""
    ready = {
        yesterday: coverage.is_ready(connection, dataset, account.appid, yesterday)
        for yesterday in {_yesterday(pair.answer) for pair in pairs if pair.answer}
    }
    days = [pair.publication_date for pair in pairs if pair.answer]
    unfinished = coverage.unfinished(connection, dataset, account.appid, days)
    attempts = []
    reports = []
    for pair in pairs:
        before = known.get(pair.publication_date)
        if pair.answer is None and pair.error is None:
            reports.append(PairReport(pair, Counts(), _data_state(before), None))
            continue
        done = counts.get(pair.publication_date, Counts())
        error = _why_not_in(dataset, account, pair, ready)
        attempt = _attempt(dataset, pair, error, before, done, unfinished)
        attempts.append(attempt)
        is_in = attempt.attempt_state == "ok" and attempt.data_state
        reports.append(PairReport(pair, done, is_in or attempt.attempt_state, error))
    coverage.save(connection, dataset, account.appid, attempts)
    return _retire(connection, dataset, account.appid, reports)


def _why_not_in(
    dataset: Dataset, account: Account, pair: Pair, ready: Mapping[date, bool]
) -> WeixinError | None:
    rejected = pair.parsed.rejected
    if rejected and not pair.parsed.row_count:
        return UnreadableError(
            f"no row of the answer fits, the first of {len(rejected)} rejected parts because of "
            f"{rejected[0].reason}; see weixin.rejected_row",
            account=str(account),
        )
    if pair.answer and not _has_its_figures(dataset, pair, pair.answer, ready):
        return NotReadyError(account=str(account))
    return pair.error


def _has_its_figures(
    dataset: Dataset, pair: Pair, answer: Answer, ready: Mapping[date, bool]
) -> bool:
    """
    Whether the answer holds all that WeChat must have computed when it was fetched.

    `ready` says it of the account by yesterday: midnight may pass between two answers.
    """
    yesterday = _yesterday(answer)
    is_settled = not coverage.is_still_counting(dataset, pair.publication_date, yesterday)
    is_old_and_empty = not pair.parsed.articles and pair.publication_date < yesterday
    return not pair.parsed.is_delayed and (ready[yesterday] or is_settled or is_old_and_empty)


def _attempt(
    dataset: Dataset,
    pair: Pair,
    error: WeixinError | None,
    before: Coverage | None,
    done: Counts,
    unfinished: Container[date],
) -> Attempt:
    day, answer, parsed = pair.publication_date, pair.answer, pair.parsed
    attempt = Attempt(
        publication_date=day,
        attempt_state="ok" if error is None else _attempt_state(error),
        next_attempt_at=_next_attempt_at(error),
        error_code=error.errcode if error else None,
        error=str(error) if error else None,
    )
    if answer is None:
        return attempt
    return replace(
        attempt,
        data_state="loaded"
        if parsed.articles or parsed.rejected or _data_state(before) == "loaded"
        else "empty",
        fetched_at=answer.fetched_at,
        through_date=coverage.through_date(parsed),
        article_count=len(parsed.articles),
        row_count=parsed.row_count,
        is_final=error is None
        and coverage.is_newest(answer.fetched_at, before)
        and coverage.is_final(
            dataset,
            day,
            parsed,
            answer.fetched_at,
            known=before,
            has_changed=bool(done.inserted or done.updated),
            is_unfinished=day in unfinished,
        ),
    )


def _retire(
    connection: Connection, dataset: Dataset, appid: str, reports: list[PairReport]
) -> list[PairReport]:
    """Remember an endpoint that is offline; one that is known to be is no failure."""
    keys = {"dataset": dataset.name, "appid": appid}
    if any(report.pair.answer for report in reports):
        connection.execute(statement("retired/forget.sql"), keys)
    if not any(_is_offline(report) for report in reports):
        return reports
    is_known = coverage.retired(connection, dataset, [appid])
    connection.execute(statement("retired/save.sql"), {**keys, "asked_at": clock.now()})
    if not is_known:
        return reports
    return [
        replace(report, state="retired", error=None) if _is_offline(report) else report
        for report in reports
    ]


def _is_offline(report: PairReport) -> bool:
    return isinstance(report.error, EndpointOfflineError)


def _data_state(known: Coverage | None) -> str:
    return (known and known.data_state) or "empty"


def _yesterday(answer: Answer) -> date:
    """The newest day that WeChat can have computed when it answered."""
    return clock.beijing_date(answer.fetched_at) - timedelta(days=1)


def _attempt_state(error: WeixinError) -> str:
    return "not_ready" if isinstance(error, NotReadyError) else "failed"


def _next_attempt_at(error: WeixinError | None) -> datetime | None:
    if not isinstance(error, DailyQuotaError):
        return None
    tomorrow = clock.beijing_date(clock.now()) + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), clock.SHANGHAI)
