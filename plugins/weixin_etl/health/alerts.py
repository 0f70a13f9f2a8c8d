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
        """
        Return the ids of the dataset's queued and running runs, sorted.

        Empty while no scheduler is alive to start their tasks.
        """
        return sorted(self.runs.get(dataset.name, ())) if self.is_scheduler_alive else []

    def tried_again(self, datasets: Iterable[Dataset]) -> dict[str | None, Alert]:
        """
        Return a task of each dataset of which a try failed and which Airflow tries again.

        Empty while no scheduler is alive to start the next try.
        """
        names = {dataset.name for dataset in datasets} if self.is_scheduler_alive else ()
        return {alert.dataset: alert for alert in self.tried if alert.dataset in names}

    def next_run_at(self, datasets: Iterable[Dataset]) -> datetime | None:
        """
        Return when Airflow creates the earliest next scheduled run of the datasets.

        DAGs that are paused do not count. None if no run will be created.
        """
        dags = [self.dags[each.name] for each in datasets if each.name in self.dags]
        awake = [dag for dag in dags if not dag.is_paused]
        return min((dag.next_run_at for dag in awake if dag.next_run_at), default=None)

    def is_idle(self, dataset: str | None) -> bool:
        """
        Return whether a person has paused the dataset's DAG, or left it out of the DAG file.

        False for None, and if Airflow knows no DAG of the package at all.
        """
        dag = self.dags.get(dataset or "")
        return dag.is_paused if dag else bool(dataset and self.dags)


# ------------------------------------------------------------------------------------ what is wrong


def current_alerts(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
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
    morning = _due_morning(now)
    found = _open_findings(accounts, findings, morning)
    known = {(account.dataset.name, account.appid) for account in accounts}
    every_finding = (finding for of_owner in found.values() for finding in of_owner)
    all_alerts = [
        *(each for each in every_finding if not (each.problem.days and each.owner in known)),
        *(alert for _, alert in _account_alerts(accounts, found, airflow, morning)),
    ]
    groups = grouped(all_alerts, lambda alert: (alert.dataset, alert.dedup_key))
    alerts = [*map(merged, groups)]
    if airflow:
        alerts = [alert for alert in alerts if not airflow.is_idle(alert.dataset)]
        alerts = [*_with_tries(alerts, airflow.tried_again(datasets))]
        alerts += _airflow_alerts(airflow, accounts, datasets, alerts)
    by_severity = [*Severity].index
    return sorted(
        _without_consequences(alerts),
        key=lambda alert: (by_severity(alert.severity), bool(alert.problem.appid)),
    )


def alerts_of_days(
    accounts: Sequence[AccountDays],
    findings: Sequence[Alert],
    airflow: Airflow | None,
    now: datetime,
) -> dict[tuple[str, date], Alert]:
    """
    Return the alert of each missing day, by AppID and day.

    They are those of `current_alerts` before they are merged. A day that is missing because the
    endpoint is retired has the alert that says so. Of several alerts of a day, the last counts.
    """
    morning = _due_morning(now)
    found = _open_findings(accounts, findings, morning)
    alerts = _account_alerts(accounts, found, airflow, morning, every_day=True)
    return {(appid, day): alert for appid, alert in alerts for day in alert.problem.days}


def stops_all(problem: Problem) -> bool:
    """
    Return whether a problem keeps a run from asking for any account.

    A problem without an account does, unless it is of the task `report` or `check`: these tasks
    follow the calls.
    """
    return not problem.account and problem.subject not in ("report", "check")


def _due_morning(now: datetime) -> datetime:
    """
    Return 00:00 in Beijing of the newest morning whose answers must be stored.

    That morning is today's from noon on, and yesterday's until then.
    """
    return datetime.combine(rules.due_morning(now), time(), clock.SHANGHAI)


def _account_alerts(
    accounts: Iterable[AccountDays],
    found: Mapping[Owner, Sequence[Alert]],
    airflow: Airflow | None,
    morning: datetime,
    *,
    every_day: bool = False,
) -> Iterator[tuple[str, Alert]]:
    """
    Yield the AppID and the alert, for each alert of each account.

    A successor collects an account if a run planned it lately, as `AccountDays` has it; if Airflow
    can be asked, as long as the successor's DAG is not paused instead.
    """
    for account in accounts:
        successor = account.dataset.successor
        if airflow and successor:
            account = account._replace(is_succeeded=not airflow.is_idle(successor))
        for alert in alerts_of_account(account, found, morning, every_day=every_day):
            yield account.appid, alert


def _open_findings(
    accounts: Iterable[AccountDays], findings: Iterable[Alert], morning: datetime
) -> Mapping[Owner, Sequence[Alert]]:
    """Return the findings that still count, by their owners. `_is_outdated` decides."""
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

    A finding without days ends with a later ready answer of its account. One that resolves itself
    counts only if it was found since `morning`: if no run has asked since then, that is what is
    wrong. That an endpoint is retired follows from the account's coverage, once that shows it. A
    finding without a time counts.

    Args:
        finding: what a task found, with the time.
        account: the account of the finding; None if it concerns no account, or an unknown one.
        morning: 00:00 in Beijing of the newest morning whose answers must be stored: until noon,
            yesterday's.
    """
    kind, found_at = finding.problem.kind, finding.opened_at
    if found_at is None:
        return False
    answered_at = account.answered_at if account and not finding.problem.days else None
    is_answered = answered_at is not None and answered_at > found_at
    is_in_coverage = kind is ProblemKind.ENDPOINT_OFFLINE and account and account.is_retired
    is_past = kind.resolves_itself and found_at < morning
    return bool(is_answered or is_in_coverage or is_past)


def _with_tries(alerts: Sequence[Alert], retried: Mapping[str | None, Alert]) -> Iterator[Alert]:
    """
    Yield the alerts, then the retried tasks of datasets that have no alert of severity RETRYING.

    Such an alert gets the numbers of tries and the time of the next one from its dataset's task.
    """
    retrying = {alert.dataset for alert in alerts if alert.severity is Severity.RETRYING}
    for alert in alerts:
        task = retried.get(alert.dataset)
        if task and alert.severity is Severity.RETRYING:
            failed, tries = task.failed_tries, task.tries
            alert = replace(alert, failed_tries=failed, tries=tries, next_at=task.next_at)
        yield alert
    yield from (task for dataset, task in retried.items() if dataset not in retrying)


def _without_consequences(alerts: Sequence[Alert]) -> Iterator[Alert]:
    """
    Yield the alerts, without those about days that another alert keeps from being asked for.

    The other alert says that no account of the dataset, or of any dataset, can be asked.
    """
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

    A dataset gets no runs if its DAG is paused or unknown. That is a note about a person's
    decision, unless Airflow knows no DAG of the package at all. Datasets without a collected
    account get no such alert, nor does a DAG that the cure of a retired endpoint names.
    """
    if not airflow.is_scheduler_alive:
        yield Alert(Problem.of_kind(ProblemKind.SCHEDULER_DOWN))
    offline = ProblemKind.ENDPOINT_OFFLINE
    named = {alert.problem.subject for alert in alerts if alert.problem.kind is offline}
    collected = {account.dataset.name for account in accounts if not account.is_retired}
    for dataset in datasets:
        dag, is_idle = airflow.dags.get(dataset.name), airflow.is_idle(dataset.name)
        if dataset.name in collected and dataset.dag_id not in named and (is_idle or not dag):
            code = "" if not is_idle else "paused" if dag else "left_out"
            problem = Problem.of_kind(ProblemKind.NO_RUNS, code=code, subject=dataset.dag_id)
            yield Alert(problem, dataset.name, Severity.NOTE if is_idle else Severity.FAILURE)


def first_step(
    datasets: Sequence[Dataset], airflow: Airflow | None, now: datetime, *, has_days: bool
) -> Alert:
    """
    Return what to do first in an installation whose daily runs collect nothing yet.

    The step is to look at the DAG file if Airflow knows no DAG, and to set up or unpause a DAG if
    none is unpaused or Airflow cannot be asked. While a run is at work, before the first daily run
    of today, and, if other runs have loaded days, before a first daily run of any later day, there
    is nothing to do: the alert is a note. Else the alert is that nothing is collected although DAGs
    are unpaused.

    Args:
        datasets: those that are checked.
        airflow: what Airflow knows; None when it cannot be asked.
        now: the time of the check.
        has_days: whether some run has planned days.
    """
    if airflow and not airflow.dags:  # else nobody would see what is wrong with their file
        return Alert(Problem.of_kind(ProblemKind.NO_RUNS))
    awake = [each for each in datasets if airflow and not airflow.is_idle(each.name)]
    if not airflow or not awake:
        return Alert(Problem.of_kind(ProblemKind.NOTHING_COLLECTED, code="set_up"))
    if any(map(airflow.at_work, awake)):
        return _first_run_note("at_work")
    next_runs = [run_at for dataset in awake if (run_at := airflow.dags[dataset.name].next_run_at)]
    first_at = min((run_at for run_at in next_runs if run_at > now), default=None)
    if first_at and clock.beijing_date(first_at) == clock.beijing_date(now):
        return _first_run_note("today", clock.hour_text(first_at))
    if first_at and has_days:
        return _first_run_note("later", clock.time_text(first_at))
    return Alert(Problem.of_kind(ProblemKind.NOTHING_COLLECTED))


def _first_run_note(code: str, due: str | None = None) -> Alert:
    """Return the note that the first daily run is at work, or is created at the time `due`."""
    problem = Problem.of_kind(ProblemKind.FIRST_RUN, code=code, subject=due)
    return Alert(problem, severity=Severity.NOTE)
