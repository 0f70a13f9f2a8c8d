"""
The alerts of one account in one dataset, by its days and what tasks found (pure).

`status` reads the days from the warehouse. `alerts` merges the alerts of all accounts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from operator import attrgetter
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
    """Fetch time of the newest ready answer, of open days and of the newest day that has one."""
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


def alerts_of_account(
    account: AccountDays,
    found: Mapping[Owner, Sequence[Alert]],
    morning: datetime,
    *,
    every_day: bool = False,
) -> list[Alert]:
    """
    Return the alerts of an account of one dataset: of the whole account, or of some missing days.

    They come from its facts (retired, silent, a total that fell), from the findings of tasks, and
    from the days that are missing. If findings name a day, it has the alert of the last of them
    only. Two alerts may have the same `dedup_key`: one about the days without any figures, the
    other about days with old figures. An alert of a retired endpoint names the successor.

    Args:
        account: its days and facts.
        found: the open findings of tasks, by their owners.
        morning: 00:00 in Beijing of the newest morning whose answers must be stored: until noon,
            yesterday's.
        every_day: whether the alert of a retired endpoint lists the days that are missing because
            of it. Else it has no days.
    """
    findings = _findings_of(account, found)
    alerts = [
        *_fact_alerts(account, every_day=every_day),
        *_finding_alerts(account, findings),
        *_day_alerts(account, findings, morning),
    ]
    return [_with_successor(account, alert) for alert in alerts]


def _findings_of(account: AccountDays, found: Mapping[Owner, Sequence[Alert]]) -> list[Alert]:
    """
    Return the findings about the account, about its connection, and about its platform.

    Findings about the platform count if their kind concerns a connection and all its accounts.
    """
    dataset, platform = account.dataset.name, connection_id(account.conn_id)
    owners = dict.fromkeys([account.appid, account.conn_id, platform])
    return [
        finding
        for owner in owners
        for finding in found.get((dataset, owner), ())
        if owner in (account.appid, account.conn_id) or finding.problem.kind.is_of_connection
    ]


def _with_successor(account: AccountDays, alert: Alert) -> Alert:
    """
    Return the alert, with a cure that names the successor's DAG if the endpoint is retired.

    Such an alert becomes a warning if the successor collects the account. Other alerts, and alerts
    of endpoints that have no successor, are returned as they are.
    """
    dag_id, is_succeeded = account.dataset.successor_dag_id, account.is_succeeded
    problem = alert.problem.with_successor(dag_id, is_collecting=is_succeeded)
    is_warning = is_succeeded and problem.kind is ProblemKind.ENDPOINT_OFFLINE
    return replace(
        alert, problem=problem, severity=Severity.WARNING if is_warning else alert.severity
    )


# ------------------------------------------------------------------------------------- of findings


def _finding_alerts(account: AccountDays, findings: Sequence[Alert]) -> Iterator[Alert]:
    """
    Yield the findings that name days, as alerts of the account.

    If several findings name a day, only the last one keeps the day. A finding that keeps no day, or
    that names none, is left out.
    """
    by_day = {day: finding for finding in findings for day in finding.problem.days}
    for finding in findings:
        if days := [day for day in finding.problem.days if by_day[day] is finding]:
            yield _about(account, finding, days, has_figures=finding.has_figures)


def _about(account: AccountDays, alert: Alert, days: Iterable[date], *, has_figures: bool) -> Alert:
    """Return the alert with the account as its only one, and with these days, sorted."""
    problem = replace(alert.problem, days=tuple(sorted(days)))
    return replace(
        alert, problem=problem, appids=frozenset([account.appid]), has_figures=has_figures
    )


# ---------------------------------------------------------------------------- whatever the day is


def _fact_alerts(account: AccountDays, *, every_day: bool) -> Iterator[Alert]:
    """
    Yield the alerts that follow from the account's facts, whatever the attempts of its days were.

    They are: newest figures are missing, running totals fell, answers have rejected parts, and the
    endpoint is retired. With `every_day` the last one lists its missing days.
    """
    if account.behind_days:
        alert = _alert(account, ProblemKind.BEHIND, days=tuple(account.behind_days))
        yield replace(alert, has_figures=True)
    if account.fell_at:
        text = f"{problem_row(ProblemKind.FALLEN).cause}: {account.fall}"
        morning = clock.beijing_date(account.fell_at).isoformat()
        days = tuple(account.fallen_days or ())
        alert = _alert(account, ProblemKind.FALLEN, text, subject=morning, days=days)
        yield replace(alert, opened_at=account.fell_at)
    if days := tuple(account.rejected_days or ()):
        yield _alert(account, ProblemKind.REJECTED, account.rejected_reason, days=days)
    if account.is_retired:
        yield _retirement_alert(account, every_day=every_day)


def _retirement_alert(account: AccountDays, *, every_day: bool) -> Alert:
    """
    Return the alert that WeChat retired the endpoint for the account.

    Its text and time are those of the last attempt that WeChat refused for this reason. Without
    such an attempt they are the kind's and None. With `every_day` it lists the days that are
    missing because of it, else none.
    """
    refused = [row for row in account.days if row.error_code == rules.OFFLINE_ERRCODE]
    newest = max(refused, key=attrgetter("attempted_at"), default=None)
    alert = _alert(account, ProblemKind.ENDPOINT_OFFLINE)
    if newest:
        alert = replace(_attempt_alert(account, newest), opened_at=newest.attempted_at)
    ended = [row for row in account.days if row.state is State.ENDED and not row.has_figures]
    days = [day for row in ended for day in row.days] if every_day else ()
    return _about(account, alert, days, has_figures=False)


# ------------------------------------------------------------------------------------- of the days


def _day_alerts(
    account: AccountDays, findings: Sequence[Alert], morning: datetime
) -> Iterator[Alert]:
    """
    Yield the alerts of missing days that no finding names.

    Each cause has one about the days without any figures, and one about those with old figures.
    If findings without days stop the whole account, the last of them takes the place of each alert
    whose figures are missing: it is why these days were not asked for. A warning stops nothing. An
    alert is opened at its newest attempt; None if its days were never attempted.
    """
    explained = {day for finding in findings for day in finding.problem.days}
    stops = [
        finding
        for finding in findings
        if finding.problem.kind.stops_whole_account and not finding.problem.days
    ]
    for cause, rows in _rows_by_cause(account, explained, morning).items():
        attempts = [row.attempted_at for row in rows if row.attempted_at]
        alert = replace(cause, opened_at=max(attempts, default=None))
        if stops and alert.is_broken:
            alert = stops[-1]
        for alike in grouped(rows, lambda row: row.has_figures):
            days = [day for row in alike for day in row.days]
            yield _about(account, alert, days, has_figures=alike[0].has_figures)


def _rows_by_cause(
    account: AccountDays, explained: Collection[date], morning: datetime
) -> Mapping[Alert, Sequence[Days]]:
    """
    Return the days that are missing, without those in `explained`, by why they are missing.

    A cause is an alert of the account without days, as `_cause_of_days` returns it.
    """
    by_cause: dict[Alert, list[Days]] = defaultdict(list)
    for row in account.days:
        unexplained = (day for day in row.days if day not in explained)
        # `_cause_of_days` depends on nothing else of a day
        for days in grouped(
            unexplained, lambda day: (day in account.being_asked, day >= account.since_date)
        ):
            alike = row._replace(days=days)
            if cause := _cause_of_days(account, alike, morning):
                by_cause[cause].append(alike)
    return by_cause


def _cause_of_days(account: AccountDays, row: Days, morning: datetime) -> Alert | None:
    """
    Return an alert that says why the days of the row are missing; its own days are left empty.

    The last attempt is the cause if it failed and that still matters, else the state of the days.
    The alert is `RETRYING` if a run that is at work may still load the days.

    Args:
        account: the account of the days.
        row: days of one state. Runs that are at work have yet to load all of them or none, and all
            or none lie before `since_date`.
        morning: 00:00 in Beijing of the newest morning whose answers must be stored: until noon,
            yesterday's.

    Returns:
        The alert. None if nothing is wrong: the days have ended (the account left or the endpoint
        is retired), a run is loading them, daily runs need not load them, or they are not due.
    """
    if row.state is State.ENDED:
        return None
    is_asked = row.days[0] in account.being_asked
    is_not_ready = row.error_kind == ProblemKind.NOT_READY
    is_due = row.state is not State.LATE or row.days[0] >= account.since_date
    if _is_refusal_open(account, row, morning):
        alert = _attempt_alert(account, row)
    elif row.state in LACKING and (is_not_ready or (is_due and not is_asked)):
        alert = _state_alert(account, row, morning)
    else:
        return None
    kind = alert.problem.kind
    is_retried = is_asked and (kind.is_retried or kind is ProblemKind.NOT_READY)
    return replace(alert, severity=Severity.RETRYING) if is_retried else alert


def _is_refusal_open(account: AccountDays, row: Days, morning: datetime) -> bool:
    """
    Return whether the last attempt failed and that still matters.

    A refusal of a whole account matters until the account has a later ready answer. A kind that
    resolves itself matters only if the attempt was made since `morning`. Beyond that, a kind that
    is retried still matters for days that can be requested again. It is no refusal if the figures
    were not ready, or if the days were given up.
    """
    attempted_at, answered_at = row.attempted_at, account.answered_at
    is_refusal = row.error_kind not in (None, ProblemKind.NOT_READY)
    if not (is_refusal and attempted_at) or row.state is State.GIVEN_UP:
        return False
    kind = ProblemKind(row.error_kind or "")
    is_over = kind.resolves_itself and attempted_at < morning
    if answered_at and (kind.is_of_account or kind is ProblemKind.ENDPOINT_OFFLINE):
        is_over |= answered_at > attempted_at + _IN_FLIGHT
    return not is_over or (kind.is_retried and row.state in (State.OPEN, State.LATE))


def _attempt_alert(account: AccountDays, row: Days) -> Alert:
    """Return an alert without days, with the kind, code and texts of the row's failed attempt."""
    kind, code = ProblemKind(row.error_kind or ""), str(row.error_code or "")
    return _alert(account, kind, row.error, row.cure, code=code)


def _state_alert(account: AccountDays, row: Days, morning: datetime) -> Alert:
    """
    Return an alert without days for missing days that no failed attempt explains.

    It says that no article of the days ever had a figure, that they were given up, that they are
    lost, that they were not ready since `morning`, or else that no run requested them. It is only a
    warning for days that were given up, because their run has failed, and for days that no run
    requested since the endpoint came back from retirement, because no run fails for them.
    """
    if row.error_kind == rules.NO_FIGURES_KIND:
        return _alert(account, ProblemKind.NO_FIGURES, row.error, row.cure)
    if row.state is State.GIVEN_UP:
        alert = _alert(account, ProblemKind.UNREADABLE, row.error, row.cure)
        return replace(alert, severity=Severity.WARNING)
    if row.state is State.LOST:
        return _alert(account, ProblemKind.DAYS_LOST, subject=account.dataset.dag_id)
    is_answer = row.error_kind in (None, ProblemKind.NOT_READY)
    if is_answer and row.attempted_at and row.attempted_at >= morning:
        return _alert(account, ProblemKind.NOT_READY, row.error)
    alert = _alert(account, ProblemKind.NOT_ASKED)
    is_back = row.error_code == rules.OFFLINE_ERRCODE
    return replace(alert, severity=Severity.WARNING) if is_back else alert


def _alert(account: AccountDays, kind: ProblemKind, *texts: str | None, **more: Any) -> Alert:
    """
    Return an alert of the account, with the severity of its kind.

    A platform's problem is the same for all of its accounts, so it names the platform's connection
    and no AppID.

    Args:
        account: the account in its dataset.
        kind: the kind of the problem.
        *texts: the cause, then the cure. None, or a text that is left out, stands for the kind's.
        **more: other fields of the problem.
    """
    more |= {"account": account.name, "appid": account.appid, "conn_id": account.conn_id}
    if kind is ProblemKind.PLATFORM:
        more |= {"appid": None, "conn_id": connection_id(account.conn_id)}
    problem = Problem.of_kind(kind, *texts, **more)
    severity = default_severity(kind)
    return Alert(problem, account.dataset.name, severity, frozenset([account.appid]))
