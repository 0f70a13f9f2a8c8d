"""
What is wrong now: one alert for each action that would fix it.

`current_alerts` (pure) takes the days of accounts, the findings of tasks and what Airflow knows.
The page, its `/health`, `weixin-etl status` and the notifications all use its list.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.health.account_alerts import AccountDays, alerts_of_account
from weixin_etl.health.alert import Alert, Owner, Severity, grouped, merged
from weixin_etl.problem import Problem, ProblemKind


@dataclass(frozen=True, slots=True)
class DagState:
    """What Airflow knows of a dataset's DAG."""

    is_paused: bool = False
    next_run_at: datetime | None = None
    """When the next scheduled run is created."""


@dataclass(frozen=True, slots=True)
class Airflow:
    """What Airflow knows."""

    dags: Mapping[str, DagState]
    """The DAGs by dataset, as far as Airflow has read their files."""
    is_scheduler_alive: bool = True
    runs: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The ids of queued and running runs, by dataset."""
    tried: Sequence[Alert] = ()
    """Tasks of these runs of which a try failed."""
    waits: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When runs, by dataset and id, ask again for what WeChat has not computed yet."""

    def at_work(self, dataset: Dataset) -> list[str]:
        """Return the ids of the runs that ask WeChat: none while no scheduler starts tasks."""
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def tried_again(self, datasets: Iterable[Dataset]) -> dict[str | None, Alert]:
        """Return the tasks that are retried, by dataset: none while no scheduler starts them."""
        names = {dataset.name for dataset in datasets} if self.is_scheduler_alive else ()
        return {alert.dataset: alert for alert in self.tried if alert.dataset in names}

    def next_run_at(self, datasets: Iterable[Dataset]) -> datetime | None:
        """Return when the next scheduled run of the datasets is created; None if none is."""
        dags = [
            self.dags.get(dataset.name) for dataset in datasets if not self.is_idle(dataset.name)
        ]
        return min((dag.next_run_at for dag in dags if dag and dag.next_run_at), default=None)

    def is_idle(self, dataset: str | None) -> bool:
        """Return whether a person has paused the DAG, or left it out of the DAG file."""
        dag = self.dags.get(dataset or "")
        return dag.is_paused if dag else bool(dataset and self.dags)


# ------------------------------------------------------------------------------------ what is wrong


def current_alerts(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    *,
    now: datetime,
    datasets: Sequence[Dataset],
) -> list[Alert]:
    """
    Return what is wrong now, the worst first, then what concerns more than one account.

    A DAG that a person has paused has no alerts but a note. Days that nobody asked for have no
    alert of their own where another alert keeps the runs from asking.

    Args:
        accounts: the days of all accounts, or of some.
        findings: what tasks found.
        airflow: what Airflow knows; None when it cannot be asked.
        now: the time of the check.
        datasets: those that are checked.
    """
    accounts = [_with_airflow(account, airflow) for account in accounts]
    morning = _due_morning(now)
    open_findings = _open_findings(accounts, findings, morning)
    account_alerts = _without_own_days(accounts, open_findings)
    for account in accounts:
        account_alerts += alerts_of_account(account, open_findings, morning)
    alerts = [
        merged(same)
        for same in grouped(account_alerts, lambda alert: (alert.dataset, alert.dedup_key))
    ]
    if airflow:
        alerts = [alert for alert in alerts if not airflow.is_idle(alert.dataset)]
        alerts = [*_with_tries(alerts, airflow.tried_again(datasets))]
        alerts += _airflow_alerts(airflow, accounts, datasets, alerts)
    alerts = [*_without_consequences(alerts)]
    by_severity = [*Severity].index
    return sorted(
        alerts, key=lambda alert: (by_severity(alert.severity), bool(alert.problem.appid))
    )


def alerts_of_days(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    now: datetime,
) -> dict[tuple[str, date], Alert]:
    """Return the alert of each missing day, by AppID and day, as in `current_alerts`."""
    accounts = [_with_airflow(account, airflow) for account in accounts]
    morning = _due_morning(now)
    open_findings = _open_findings(accounts, findings, morning)
    return {
        (account.appid, day): alert
        for account in accounts
        for alert in alerts_of_account(account, open_findings, morning, every_day=True)
        for day in alert.problem.days
    }


def stops_all(problem: Problem) -> bool:
    """Return whether a problem keeps a run from asking for any account."""
    return not problem.account and problem.subject not in ("report", "check")


def _with_airflow(account: AccountDays, airflow: Airflow | None) -> AccountDays:
    """Return the account as Airflow has it: a successor whose DAG is not paused collects it."""
    successor = account.dataset.successor
    if airflow is None or successor is None:
        return account
    return account._replace(is_succeeded=not airflow.is_idle(successor))


def _due_morning(now: datetime) -> datetime:
    """Return the beginning of the day in Beijing whose figures must be there now."""
    return datetime.combine(rules.due_morning(now), time(), clock.SHANGHAI)


def _open_findings(
    accounts: Sequence[AccountDays], findings: Sequence[Alert], morning: datetime
) -> dict[Owner, list[Alert]]:
    """Return the findings that still count, by their owners."""
    known: dict[Owner, AccountDays] = {
        (account.dataset.name, account.appid): account for account in accounts
    }
    by_owner: dict[Owner, list[Alert]] = defaultdict(list)
    for finding in findings:
        if not _is_outdated(finding, known.get(finding.owner), morning):
            by_owner[finding.owner].append(finding)
    return by_owner


def _is_outdated(finding: Alert, account: AccountDays | None, morning: datetime) -> bool:
    """
    Return whether a finding no longer counts.

    A finding without days ends when its account is answered. One that resolves itself counts on
    its morning only: if no run asks on the next one, that is what is wrong. Whether an endpoint is
    retired follows from coverage.
    """
    found_at, answered_at = finding.opened_at, account and account.answered_at
    if found_at is None:
        return False
    is_answered = not finding.problem.days and bool(answered_at and answered_at > found_at)
    is_offline = finding.problem.kind is ProblemKind.ENDPOINT_OFFLINE
    is_retired = account is not None and account.is_retired and is_offline
    is_of_earlier_morning = finding.problem.kind.resolves_itself and found_at < morning
    return is_answered or is_retired or is_of_earlier_morning


def _without_own_days(
    accounts: Sequence[AccountDays], findings: Mapping[Owner, Sequence[Alert]]
) -> list[Alert]:
    """Return the findings that are not about days of a known account: those get their alerts."""
    known = {(account.dataset.name, account.appid) for account in accounts}
    return [
        finding
        for of_owner in findings.values()
        for finding in of_owner
        if not (finding.problem.days and finding.owner in known)
    ]


def _with_tries(alerts: Sequence[Alert], retried: Mapping[str | None, Alert]) -> Iterator[Alert]:
    """Yield the alerts, those being retried with their tries, then the other retried tasks."""
    retrying = {alert.dataset for alert in alerts if alert.severity is Severity.RETRYING}
    for alert in alerts:
        task = retried.get(alert.dataset)
        if task and alert.severity is Severity.RETRYING:
            yield replace(
                alert, failed_tries=task.failed_tries, tries=task.tries, next_at=task.next_at
            )
        else:
            yield alert
    yield from (task for dataset, task in retried.items() if dataset not in retrying)


def _without_consequences(alerts: Sequence[Alert]) -> Iterator[Alert]:
    """Yield the alerts without those of days that another alert keeps from being asked for."""
    stopped = {alert.dataset for alert in alerts if alert.is_broken and stops_all(alert.problem)}
    for alert in alerts:
        problem = alert.problem
        is_unasked = problem.kind is ProblemKind.NOT_ASKED and not stops_all(problem)
        if not (is_unasked and stopped & {alert.dataset, None}):
            yield alert


# -------------------------------------------------------------------------------------- of Airflow


def _airflow_alerts(
    airflow: Airflow,
    accounts: Sequence[AccountDays],
    datasets: Sequence[Dataset],
    alerts: Sequence[Alert],
) -> Iterator[Alert]:
    """
    Yield what keeps Airflow from creating runs, or tasks from starting.

    A paused DAG that the cure of a retired endpoint names has no note of its own.
    """
    if not airflow.is_scheduler_alive:
        yield Alert(Problem.of_kind(ProblemKind.SCHEDULER_DOWN))
    collected = {account.dataset.name for account in accounts if not account.is_retired}
    named = {
        alert.problem.subject
        for alert in alerts
        if alert.problem.kind is ProblemKind.ENDPOINT_OFFLINE
    }
    for dataset in datasets:
        dag = airflow.dags.get(dataset.name)
        has_no_runs = dag is None or dag.is_paused
        if has_no_runs and dataset.name in collected and dataset.dag_id not in named:
            yield _no_runs_alert(airflow, dataset, dag)


def _no_runs_alert(airflow: Airflow, dataset: Dataset, dag: DagState | None) -> Alert:
    """Return that a dataset gets no run: a decision, unless Airflow knows no DAG at all."""
    is_idle = airflow.is_idle(dataset.name)
    code = "" if not is_idle else "paused" if dag else "left_out"
    problem = Problem.of_kind(ProblemKind.NO_RUNS, code=code, subject=dataset.dag_id)
    return Alert(problem, dataset.name, Severity.NOTE if is_idle else Severity.FAILURE)


def first_step(
    datasets: Sequence[Dataset], airflow: Airflow | None, now: datetime, *, has_days: bool
) -> Alert:
    """
    Return what to do first in an installation whose daily runs collect nothing yet.

    There is nothing to do while a run is at work, before the first daily run of today, and, if
    other runs have loaded days, before a first daily run of any later day.
    """
    if airflow and not airflow.dags:  # else nobody would see what is wrong with their file
        return Alert(Problem.of_kind(ProblemKind.NO_RUNS))
    dags = airflow.dags if airflow else {}
    awake = [
        dataset for dataset in datasets if (dag := dags.get(dataset.name)) and not dag.is_paused
    ]
    if airflow and any(map(airflow.at_work, awake)):
        return _first_run_note("at_work")
    next_runs = [run_at for dataset in awake if (run_at := dags[dataset.name].next_run_at)]
    first_at = min((run_at for run_at in next_runs if run_at > now), default=None)
    if first_at and clock.beijing_date(first_at) == clock.beijing_date(now):
        return _first_run_note("today", clock.hour_text(first_at))
    if first_at and has_days:
        return _first_run_note("later", clock.time_text(first_at))
    code = "" if awake else "set_up"
    return Alert(Problem.of_kind(ProblemKind.NOTHING_COLLECTED, code=code))


def _first_run_note(code: str, due: str | None = None) -> Alert:
    """Return the note that the first daily run is still to come, or is at work."""
    problem = Problem.of_kind(ProblemKind.FIRST_RUN, code=code, subject=due)
    return Alert(problem, severity=Severity.NOTE)
