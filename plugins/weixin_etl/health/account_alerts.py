"""
The alerts of one account in one dataset, by its days and what tasks found (pure).

`status` reads the days from the warehouse. `alerts` merges the alerts of all accounts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.health.alert import Alert, Owner, Severity, default_severity, grouped
from weixin_etl.model import State, connection_id
from weixin_etl.problem import Problem, ProblemKind, problem_row

LACKING = [State.LATE, State.LOST, State.GIVEN_UP]
"""The states of days whose figures are missing."""
_IN_FLIGHT = timedelta(minutes=1)
"""Calls that were in flight when another one was refused are answered within this time."""


class Days(NamedTuple):
    """Days of one state whose last attempts ended alike within a minute, or that had none."""

    days: Sequence[date]
    state: State
    has_figures: bool
    """Whether there are figures, maybe of an earlier morning."""
    attempted_at: datetime | None
    """When the last attempt ended, to the minute unless it was refused."""
    error_kind: str | None
    error_code: int | None
    error: str | None
    cure: str | None


class AccountDays(NamedTuple):
    """What the warehouse has of an account in a dataset, as far as something may be wrong."""

    dataset: Dataset
    appid: str
    name: str
    conn_id: str
    answered_at: datetime | None
    """When WeChat last answered a call for it."""
    is_retired: bool
    """Whether WeChat has taken the endpoint offline for it."""
    since_date: date
    """The first day that daily runs must load. Earlier days were loaded by other runs."""
    rejected_days: Sequence[date] | None
    """Days with rejected parts, of answers that can be read."""
    rejected_reason: str | None
    """The most frequent reason why parts are rejected, and how many parts have another one."""
    behind_days: Sequence[date] | None
    """The days of the window whose newest figures are missing: `rules.behind_days`."""
    fell_at: datetime | None
    """When an answer came of the newest morning in which a running total fell."""
    fallen_days: Sequence[date] | None
    """The publication days of the totals that fell on that morning."""
    fall: str | None
    """The largest fall: article, stat_date, metric, before and after."""
    days: Sequence[Days]
    """The days that are missing or whose last attempt was refused."""
    being_asked: Collection[date]
    """The days that running runs have yet to load."""
    is_succeeded: bool
    """Whether the successor collects the account: a run planned it there within two days."""


class _Cause(NamedTuple):
    """Why days of an account are missing; the account has one alert for each cause."""

    kind: ProblemKind
    text: str | None = None
    """None: the kind's."""
    cure: str | None = None
    """None: the kind's."""
    code: str = ""
    severity: Severity | None = None
    """None: the kind's default."""


def alerts_of_account(
    account: AccountDays,
    found: Mapping[Owner, Sequence[Alert]],
    morning: datetime,
    *,
    every_day: bool = False,
) -> list[Alert]:
    """
    Return the alerts of an account: of the whole account, or of some missing days.

    Args:
        account: its days and facts.
        found: the open findings of tasks, by their owners.
        morning: the beginning of the day in Beijing whose figures must be there now.
        every_day: list every day in each alert. Else an alert lists the days without any
            figures, if there are some.
    """
    findings = _findings_of(account, found)
    by_day = {day: finding for finding in findings for day in finding.problem.days}
    alerts = [
        *_fact_alerts(account, every_day=every_day),
        *_finding_alerts(account, findings, by_day),
        *_day_alerts(account, findings, by_day, morning, every_day=every_day),
    ]
    return [_with_successor(account, alert) for alert in alerts]


def _findings_of(account: AccountDays, found: Mapping[Owner, Sequence[Alert]]) -> list[Alert]:
    """Return the findings of the account, of its connection and of its platform."""
    dataset, platform = account.dataset.name, connection_id(account.conn_id)
    owners = dict.fromkeys([account.appid, account.conn_id, platform])
    return [
        finding
        for owner in owners
        for finding in found.get((dataset, owner), ())
        if owner in (account.appid, account.conn_id) or finding.problem.kind.is_of_connection
    ]


def _with_successor(account: AccountDays, alert: Alert) -> Alert:
    """Return a retired endpoint's alert with its successor's DAG: a warning if that collects."""
    dag_id, is_succeeded = account.dataset.successor_dag_id, account.is_succeeded
    if alert.problem.kind is not ProblemKind.ENDPOINT_OFFLINE or dag_id is None:
        return alert
    problem = alert.problem.with_successor(dag_id, is_collecting=is_succeeded)
    return replace(
        alert, problem=problem, severity=Severity.WARNING if is_succeeded else alert.severity
    )


# ------------------------------------------------------------------------------------- of findings


def _finding_alerts(
    account: AccountDays, findings: Sequence[Alert], by_day: Mapping[date, Alert]
) -> Iterator[Alert]:
    """Yield the findings that name days, each with the days of which no later finding is."""
    for finding in findings:
        if days := [day for day in finding.problem.days if by_day[day] is finding]:
            yield _about(account, finding, days, has_figures=finding.has_figures)


def _about(
    account: AccountDays, finding: Alert, days: Iterable[date], *, has_figures: bool
) -> Alert:
    """Return a finding as an alert about some days of an account."""
    problem = replace(finding.problem, days=tuple(sorted(days)))
    appids = frozenset([account.appid])
    return replace(finding, problem=problem, appids=appids, has_figures=has_figures)


# ---------------------------------------------------------------------------- whatever the day is


def _fact_alerts(account: AccountDays, *, every_day: bool) -> Iterator[Alert]:
    """Yield alerts that no attempt of a day explains: rejected parts, a retired endpoint, …"""
    if account.behind_days:
        yield _alert(account, _Cause(ProblemKind.BEHIND), account.behind_days, has_figures=True)
    if account.fell_at:
        yield _fall_alert(account, account.fell_at)
    if account.rejected_days:
        cause = _Cause(ProblemKind.REJECTED, account.rejected_reason)
        yield _alert(account, cause, account.rejected_days)
    if account.is_retired:
        yield _retirement_alert(account, every_day=every_day)


def _fall_alert(account: AccountDays, fell_at: datetime) -> Alert:
    """Return the warning that running totals of an account fell, one for each morning."""
    text = f"{problem_row(ProblemKind.FALLEN).cause}: {account.fall}"
    alert = _alert(account, _Cause(ProblemKind.FALLEN, text), account.fallen_days or ())
    morning = clock.beijing_date(fell_at).isoformat()
    return replace(alert, problem=replace(alert.problem, subject=morning), opened_at=fell_at)


def _retirement_alert(account: AccountDays, *, every_day: bool) -> Alert:
    """Return the alert that WeChat retired the endpoint; with `every_day` about all its days."""
    refused = [row for row in account.days if row.error_code == rules.OFFLINE_ERRCODE]
    newest = max(refused, key=_attempt_time, default=None)
    cause = _attempt_cause(newest) if newest else _Cause(ProblemKind.ENDPOINT_OFFLINE)
    kept = [row for row in account.days if _is_kept_by_retirement(account, row)]
    days = [day for row in kept for day in row.days] if every_day else ()
    return _alert(account, cause, days, newest)


def _is_kept_by_retirement(account: AccountDays, row: Days) -> bool:
    """Return whether days are missing because WeChat retired the endpoint for the account."""
    return account.is_retired and row.error_code in (None, rules.OFFLINE_ERRCODE)


# ------------------------------------------------------------------------------------- of the days


def _day_alerts(
    account: AccountDays,
    findings: Sequence[Alert],
    by_day: Mapping[date, Alert],
    morning: datetime,
    *,
    every_day: bool,
) -> Iterator[Alert]:
    """
    Yield one alert for each cause of missing days that no finding explains.

    If something stops the whole account, that is why its days were not asked for.
    """
    stops = [
        finding
        for finding in findings
        if finding.problem.kind.is_of_account and not finding.problem.days
    ]
    for cause, rows in _rows_by_cause(account, by_day, morning).items():
        bare = [] if every_day else [row for row in rows if not row.has_figures]
        days = sorted(day for row in bare or rows for day in row.days)
        newest = max(rows, key=_attempt_time)
        alert = _alert(account, cause, days, newest, has_figures=not bare)
        if stops and alert.is_broken:
            alert = _about(account, stops[-1], days, has_figures=not bare)
        yield alert


def _rows_by_cause(
    account: AccountDays, explained: Collection[date], morning: datetime
) -> Mapping[_Cause, Sequence[Days]]:
    """Return the rows of missing days that no finding explains, by why they are missing."""
    by_cause: dict[_Cause, list[Days]] = defaultdict(list)
    for row in account.days:
        unexplained = (day for day in row.days if day not in explained)
        # `_cause_of_day` depends on nothing else of a day
        for days in grouped(
            unexplained, lambda day: (day in account.being_asked, day >= account.since_date)
        ):
            if cause := _cause_of_day(account, days[0], row, morning):
                by_cause[cause].append(row._replace(days=days))
    return by_cause


def _cause_of_day(account: AccountDays, day: date, row: Days, morning: datetime) -> _Cause | None:
    """Return why a day is missing, by its last attempt, else by its state; None if it is not."""
    if _is_kept_by_retirement(account, row):
        return None
    is_asked = day in account.being_asked
    is_not_ready = row.error_kind == ProblemKind.NOT_READY
    is_due = row.state is not State.LATE or day >= account.since_date
    if _is_refusal_open(account, row, morning):
        cause = _attempt_cause(row)
    elif row.state in LACKING and (is_not_ready or (is_due and not is_asked)):
        cause = _state_cause(row, morning)
    else:
        return None
    is_retried = is_asked and (cause.kind.is_retried or cause.kind is ProblemKind.NOT_READY)
    return cause._replace(severity=Severity.RETRYING) if is_retried else cause


def _is_refusal_open(account: AccountDays, row: Days, morning: datetime) -> bool:
    """
    Return whether the last attempt failed and that still matters.

    A refusal of a whole account matters until the account is answered. A day that is due still
    lacks what could be tried again. A problem that resolves itself matters on its morning only.
    """
    if row.error_kind in (None, ProblemKind.NOT_READY) or row.state is State.GIVEN_UP:
        return False
    kind, attempted_at = ProblemKind(row.error_kind), row.attempted_at
    concerns_account = kind.is_of_account or kind is ProblemKind.ENDPOINT_OFFLINE
    is_over = concerns_account and _is_answered_since(account, attempted_at)
    is_over |= kind.resolves_itself and bool(attempted_at and attempted_at < morning)
    return not is_over or (kind.is_retried and row.state in (State.OPEN, State.LATE))


def _is_answered_since(account: AccountDays, attempted_at: datetime | None) -> bool:
    """Return whether WeChat answered the account after the calls that were in flight then."""
    answered_at = account.answered_at
    return bool(attempted_at and answered_at and answered_at > attempted_at + _IN_FLIGHT)


def _attempt_cause(row: Days) -> _Cause:
    """Return the cause that the last attempt recorded."""
    kind = ProblemKind(row.error_kind or "")
    return _Cause(kind, row.error, row.cure, str(row.error_code or ""))


def _state_cause(row: Days, morning: datetime) -> _Cause:
    """Return the cause of missing days that no failed attempt explains."""
    if row.error_kind == rules.NO_FIGURES_KIND:
        return _Cause(ProblemKind.NO_FIGURES, row.error, row.cure)
    if row.state is State.GIVEN_UP:  # its run failed
        return _Cause(ProblemKind.UNREADABLE, row.error, row.cure, severity=Severity.WARNING)
    if row.state is State.LOST:
        return _Cause(ProblemKind.DAYS_LOST)
    if _was_not_ready(row, morning):
        return _Cause(ProblemKind.NOT_READY, row.error)
    # the endpoint is back: no run fails because of these days
    is_back = row.error_code == rules.OFFLINE_ERRCODE
    return _Cause(ProblemKind.NOT_ASKED, severity=Severity.WARNING if is_back else None)


def _was_not_ready(row: Days, morning: datetime) -> bool:
    """Return whether WeChat was asked this morning and had not computed the figures."""
    is_answer = row.error_kind in (None, ProblemKind.NOT_READY)
    return is_answer and row.attempted_at is not None and row.attempted_at >= morning


def _attempt_time(row: Days) -> float:
    """Return when the last attempt was, in seconds; 0 if there was none."""
    return row.attempted_at.timestamp() if row.attempted_at else 0


def _alert(
    account: AccountDays,
    cause: _Cause,
    days: Iterable[date] = (),
    newest: Days | None = None,
    *,
    has_figures: bool = False,
) -> Alert:
    """Return an alert of the account with some days, of which `newest` was attempted last."""
    kind = cause.kind
    owner: dict[str, Any] = {"appid": account.appid, "conn_id": account.conn_id}
    if kind is ProblemKind.PLATFORM:  # the same for all of its accounts
        owner = {"appid": None, "conn_id": connection_id(account.conn_id)}
    problem = Problem.of_kind(
        kind,
        cause.text,
        cause.cure,
        account=account.name,
        code=cause.code,
        subject=account.dataset.dag_id if kind is ProblemKind.DAYS_LOST else None,
        days=tuple(days),
        **owner,
    )
    return Alert(
        problem,
        account.dataset.name,
        cause.severity or default_severity(kind),
        frozenset([account.appid]),
        opened_at=newest.attempted_at if newest else None,
        has_figures=has_figures,
    )
