"""
Incidents: which alerts people were notified of, and which of these are resolved.

Tasks report observations: what they found, and which accounts they checked. `refresh_access_token`
and `plan` report one, each try of `ingest` does, and `check`, also for tasks that failed. An alert
that is new opens an incident in `weixin.incident`. An incident whose alert is gone is resolved. An
alert that is still being retried opens none and resolves none, and a note opens none.
`notifications.notify` sends what nobody was notified of yet.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Engine

from weixin_etl.health.alert import Alert, Severity, default_severity
from weixin_etl.health.alerts import current_alerts, stops_all
from weixin_etl.health.status import progress, read_accounts, read_findings, read_incidents
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock
from weixin_etl.warehouse.statements import as_json


@dataclass(frozen=True, slots=True)
class Observation:
    """What a task found."""

    run: Run
    at: datetime
    findings: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    """
    The problems that the task reports, by source. They replace the source's earlier findings.

    Coverage may have them too. A finding takes the place of what coverage says of the finding's
    days, until they are attempted again.
    """
    scope: Collection[str] | None = None
    """The AppIDs and connections that the task checked; None: all."""
    shows_ends: bool = False
    """Whether the task asked WeChat or waited for it: then what it does not find is resolved."""
    run_goes_on: bool = False
    """Whether the run asks again: what it retries or waits for is not notified."""
    is_run_end: bool = False
    """Whether no later task of the run reports an observation."""
    momentary: Sequence[Problem] = ()
    """Problems that are notified once and have no end."""

    def may_notify(self, alert: Alert) -> bool:
        """Return whether people are notified now: of a retired endpoint only at a run's end."""
        return self.is_run_end or alert.problem.kind is not ProblemKind.ENDPOINT_OFFLINE

    def resolves(self, incident: Alert) -> bool:
        """
        Return whether the task checked what an incident is about: if its alert is gone, it is over.

        Return False if the task does not show ends. With a limited scope, a common problem is
        checked only at the run's end, and any other if the scope has its AppID, or the connection
        of a problem without an AppID.
        """
        if not self.shows_ends or self.scope is None:
            return self.shows_ends
        is_common, (_, owner) = incident.problem.kind.is_common, incident.owner
        return self.is_run_end if is_common else owner in self.scope


def update_incidents(warehouse: Engine, observation: Observation) -> None:
    """
    Store what a task found, open incidents of new alerts and resolve others, in one transaction.

    The alerts follow from the stored findings and from coverage, so one that the task did not find
    may open an incident, too. Which incidents may be resolved, `resolved_incidents` says. Writes
    `weixin.finding` and `weixin.incident`, and notifies nobody. Updates of one dataset wait for
    each other. A common problem is resolved only if no account has it, also outside the scope.

    Args:
        warehouse: the engine of the warehouse.
        observation: what the task found, and which accounts it checked.

    Raises:
        DBAPIError: a statement failed, or waited a minute for a lock (SQLAlchemy). Nothing is
            written.
    """
    dataset = observation.run.dataset
    with warehouse.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '60s'")
        take_lock(connection, f"incident:{dataset.name}")  # two runs may find the same
        for source, problems in observation.findings.items():
            _replace_findings(connection, observation, source, problems)
        alerts, collected = _check(connection, observation, observation.scope)
        alerts += [
            Alert(problem, dataset.name, default_severity(problem.kind))
            for problem in observation.momentary
        ]
        momentary = [alert.dedup_key for alert in alerts if alert.problem.kind.is_momentary]
        incidents = read_incidents(connection, [dataset], momentary)
        resolved = resolved_incidents(incidents, alerts, observation)
        if observation.scope is not None and any(
            incident.problem.kind.is_common for incident in resolved
        ):
            # accounts out of scope may have the same problem
            all_alerts, collected = _check(connection, observation, None)
            resolved = resolved_incidents(incidents, all_alerts, observation)
        opened = opened_incidents(incidents, filter(observation.may_notify, alerts))
        _write_opened(connection, observation, opened)
        _write_resolved(connection, observation, resolved, collected)


def _check(
    connection: Connection, observation: Observation, scope: Collection[str] | None
) -> tuple[list[Alert], Collection[str | None]]:
    """
    Return the current alerts of the run's dataset, and the AppIDs of the accounts that were read.

    The AppIDs include None, which stands for incidents that are about no account. If the
    observation does not show ends, no account is read: the alerts are those of findings, and None
    is the only AppID. If the run goes on, days that it has yet to load count as being asked.

    Args:
        connection: the connection of the transaction.
        observation: what the task found.
        scope: the AppIDs to read; None: all. Findings without an AppID are always read.
    """
    dataset, accounts = observation.run.dataset, []
    appids = None if scope is None else [*scope]
    if observation.shows_ends:
        run_ids = [observation.run.run_id] if observation.run_goes_on else []
        at_work = progress(connection, dataset, run_ids, appids)
        accounts = read_accounts(connection, [dataset], at_work, observation.at, appids)
    findings = read_findings(connection, [dataset], appids)
    alerts = current_alerts(accounts, findings, None, now=observation.at, datasets=[dataset])
    return alerts, {None, *(account.appid for account in accounts)}


def _replace_findings(
    connection: Connection, observation: Observation, source: str, problems: Sequence[Problem]
) -> None:
    """
    Replace the findings of a source in `weixin.finding`, for the dataset of the observation's run.

    Unless the scope is None, only findings of its AppIDs and connections, and those about no
    account and no connection, are deleted. A try of `ingest` keeps the latter of its own run.
    """
    scope = observation.scope
    values = {
        "dataset": observation.run.dataset.name,
        "source": source,
        "scope": None if scope is None else [*scope],
        "run_id": observation.run.run_id,
        "found_at": observation.at,
        "rows": as_json([msgspec.to_builtins(problem) for problem in problems]),
    }
    connection.execute(statement("finding/replace.sql"), values)


# ----------------------------------------------------------------------------------- what changes


def opened_incidents(
    incidents: Iterable[Alert], alerts: Iterable[Alert]
) -> list[tuple[Alert, bool]]:
    """
    Return the alerts to write as open incidents, each with whether people are to be notified.

    An alert is an incident if its severity is FAILURE, WAITING or WARNING. One that is open already
    is returned too, because its days or texts may have changed. Left out are momentary problems
    that have a closed incident, and a problem without a result whose open incident has
    another problem: that problem says more and stays.

    Args:
        incidents: the open incidents, and the closed ones of momentary problems.
        alerts: what is wrong now.
    """
    by_key = {incident.dedup_key: incident for incident in incidents}
    return [
        (alert, _is_news(alert, incident))
        for alert in alerts
        if alert.severity in (Severity.FAILURE, Severity.WAITING, Severity.WARNING)
        for incident in [by_key.get(alert.dedup_key)]
        if not incident or not (incident.closed_at or _says_less(alert, incident))
    ]


def resolved_incidents(
    incidents: Iterable[Alert], alerts: Sequence[Alert], observation: Observation
) -> list[Alert]:
    """
    Return the open incidents that are resolved.

    The alert of such an incident is gone, the observation checked what the incident is about, and
    no other alert leaves it unknown (`_hides`).
    """
    keys = {alert.dedup_key for alert in alerts}
    return [
        incident
        for incident in incidents
        if not (incident.closed_at or incident.dedup_key in keys)
        and observation.resolves(incident)
        and not any(_hides(alert, incident) for alert in alerts)
    ]


def _says_less(alert: Alert, incident: Alert) -> bool:
    """Return whether an alert's problem is without a result and its incident's is not."""
    is_without_result = alert.problem.kind.is_without_result
    return is_without_result and not incident.problem.kind.is_without_result


def _hides(alert: Alert, incident: Alert) -> bool:
    """
    Return whether an alert leaves it unknown if an incident is resolved.

    Days that were not asked for stay open while an alert stops all accounts. A quota that was used
    up stays open while figures of one of its days are missing because of an alert of its account.
    Figures that were not ready stay open while their account was not asked. Other problems stay
    open while an alert of the account is without a result, unless they are without a result too.
    An incident without an AppID may be about any account.
    """
    appid, kind, other = incident.problem.appid, incident.problem.kind, alert.problem.kind
    is_same_account = appid is None or appid in alert.appids
    if kind is ProblemKind.NOT_ASKED:
        return alert.is_broken and stops_all(alert.problem)
    if kind is ProblemKind.DAILY_QUOTA and appid in alert.appids:
        return alert.is_broken and bool({*incident.problem.days} & {*alert.problem.days})
    if other is ProblemKind.NOT_ASKED:
        return is_same_account and kind is ProblemKind.NOT_READY
    is_without_result = alert.is_broken and other.is_without_result
    return is_same_account and is_without_result and not kind.is_without_result


def _is_news(alert: Alert, incident: Alert | None) -> bool:
    """
    Return whether people are notified of an alert.

    They are if it has no incident, if the incident was a warning and figures are missing now, or if
    the cure is another one. Another cure of a problem without a result is no news.
    """
    if incident is None or (incident.severity is Severity.WARNING and alert.is_broken):
        return True
    problem, before = alert.problem, incident.problem
    cure_changed = problem.kind is not before.kind or problem.row is not before.row
    return cure_changed and not problem.kind.is_without_result


def _write_opened(
    connection: Connection, observation: Observation, opened: Sequence[tuple[Alert, bool]]
) -> None:
    """
    Save the alerts in `weixin.incident`, each with whether it is news; write nothing without any.

    An alert with an open incident updates it. A momentary one is closed at once.
    """
    if opened:
        rows = [_incident_row(alert, observation.at, is_news=is_news) for alert, is_news in opened]
        values = {"dataset": observation.run.dataset.name, "rows": as_json(rows)}
        connection.execute(statement("incident/open.sql"), {**values, "now": observation.at})


def _write_resolved(
    connection: Connection,
    observation: Observation,
    resolved: Sequence[Alert],
    collected: Collection[str | None],
) -> None:
    """
    Store in `weixin.incident` that incidents are resolved; write nothing if there are none.

    The end of a warning is announced only if its kind has the flag `end_is_told`. The end of an
    incident of an account that is no longer collected is not announced.
    """
    if resolved:
        values = {
            "incident_ids": [incident.incident_id for incident in resolved],
            "are_told": [
                (incident.is_broken or incident.problem.kind.end_is_told)
                and incident.problem.appid in collected
                for incident in resolved
            ],
        }
        connection.execute(statement("incident/close.sql"), {**values, "now": observation.at})


def _incident_row(alert: Alert, now: datetime, *, is_news: bool) -> Mapping[str, object]:
    """
    Return an alert as a row of `weixin.incident`, as `incident/open.sql` reads it.

    `news_at` is `now` for news, else minus infinity. `closed_at` is `now` for a momentary problem.
    """
    return {
        **msgspec.to_builtins(alert.problem),
        "dedup_key": alert.dedup_key,
        "severity": alert.severity,
        "news_at": now if is_news else "-infinity",
        "closed_at": now if alert.problem.kind.is_momentary else None,
    }
