"""
An alert: one thing that is wrong, with everything that one action would fix.

`alerts.current_alerts` makes alerts from what the warehouse and Airflow know. The page and
`weixin-etl status` show them; `incidents` remembers which of them people were notified of.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import RowMapping

from weixin_etl.api.threads import convert
from weixin_etl.problem import Problem, ProblemKind, days_of_problems, fill_places

T = TypeVar("T")
Owner = tuple[str | None, str]
"""A dataset, and an AppID or a connection id."""


class Severity(StrEnum):
    """How bad an alert is, the worst first."""

    FAILURE = "failure"
    """Somebody has to act."""
    WAITING = "waiting"
    """Figures are missing and nobody has to act: daily runs ask again until they are there."""
    RETRYING = "retrying"
    """A try failed and its run tries again: nobody is notified yet."""
    WARNING = "warning"
    """Something to know: what WeChat gave is stored."""
    NOTE = "note"
    """The result of a person's decision."""


def default_severity(kind: ProblemKind) -> Severity:
    """Return the severity of a problem of the kind, unless its circumstances change it."""
    if kind.resolves_itself:
        return Severity.WAITING
    return Severity.WARNING if kind.is_warning else Severity.FAILURE


@dataclass(frozen=True, slots=True)
class Alert:
    """What one action would fix: as it is now, as a task found it, or as people were notified."""

    problem: Problem
    """Its days are those that are missing because of it: without any figures, if there are some."""
    dataset: str | None = None
    """None when it concerns every dataset."""
    severity: Severity = Severity.FAILURE
    appids: frozenset[str] = frozenset()
    """The accounts that it names; none when it names no account, as one about all does."""
    names: tuple[str, ...] = ()
    """The display names of these accounts."""
    further: tuple[str, ...] = ()
    """The other datasets that the same action fixes."""
    opened_at: datetime | None = None
    """Since when: by the incident, else by the last attempts."""
    has_figures: bool = False
    """Whether its days have figures of an earlier morning."""
    run_id: str = ""
    """The run whose task found it, if a task did."""
    failed_tries: int = 0
    """How many tries of the task have failed, if the run tries again."""
    tries: int = 0
    next_at: datetime | None = None
    """When the next try begins; None while it runs."""
    incident_id: int | None = None
    """Its row in `weixin.incident`, if it has one."""
    told_at: datetime | None = None
    """When people were notified."""
    closed_at: datetime | None = None
    """When it was found to be resolved."""

    @classmethod
    def from_row(cls, row: RowMapping) -> "Alert":
        """Return the alert of a row of `weixin.finding` or `weixin.incident`."""
        appids = [row["appid"]] if row["appid"] else []
        severity = default_severity(ProblemKind(row["kind"]))
        return convert({"severity": severity, "appids": appids, **row, "problem": dict(row)}, cls)

    @property
    def owner(self) -> Owner:
        """The dataset and the account or connection that it belongs to."""
        return self.dataset, self.problem.appid or self.problem.conn_id

    @property
    def dedup_key(self) -> str:
        """
        The key that identifies the alert within its dataset across checks, whatever its cause.

        Kinds that one action fixes for all accounts: the kind; a refused call: the kind and
        errcode. Other kinds of whole accounts, except warnings: the AppID, or else the subject.
        All others: the kind with the AppID or subject; for totals that fell, also the morning.
        """
        problem, kind = self.problem, self.problem.kind
        owner = problem.appid or problem.subject or ""
        if kind is ProblemKind.CALL_REFUSED:
            return f"{kind} {problem.code}"
        if kind.is_common:
            return str(kind)
        if kind is ProblemKind.FALLEN:
            return f"{kind} {owner} {problem.subject}"
        return owner if kind.stops_whole_account else f"{kind} {owner}".strip()

    @property
    def datasets(self) -> tuple[str, ...]:
        """The datasets that it concerns; none when it concerns all."""
        return (self.dataset, *self.further) if self.dataset else ()

    @property
    def cure_key(self) -> tuple[object, ...]:
        """
        The key of the action that fixes it.

        The same cure for an account or the warehouse is one action in all datasets. A retry belongs
        to the task of one dataset.
        """
        kind = self.problem.kind
        is_of_all_datasets = kind.is_of_account or kind.is_of_warehouse
        dataset = None if is_of_all_datasets and not self.failed_tries else self.dataset
        return dataset, self.severity, self.dedup_key, self.problem.cure

    @property
    def is_broken(self) -> bool:
        """Whether figures are missing, or may be, because of it."""
        return self.severity not in (Severity.WARNING, Severity.NOTE)

    @property
    def has_ended(self) -> bool:
        """Whether the notification to send, or that was sent, says that it is resolved."""
        return self.told_at is not None and self.closed_at is not None


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> Collection[list[T]]:
    """Return the items in groups of the same key, in the order of their first items."""
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups.values()


def grouped_by_cure(alerts: Iterable[Alert]) -> list[Alert]:
    """
    Return one alert for each action, about all accounts and datasets that it fixes.

    Alerts that have ended are merged among themselves only. The first alerts come first.
    """
    groups = grouped(alerts, lambda alert: (alert.cure_key, alert.has_ended))
    return [merged(group) if len(group) > 1 else group[0] for group in groups]


def merged(alerts: Sequence[Alert]) -> Alert:
    """
    Return one alert about the accounts, days and datasets of all.

    Cause, cure and severity are those of the newest among the worst. The incident is the oldest,
    whose address people have, and the time the earliest. It has figures if all of them have. If
    every alert names accounts and they are several, the problem has no AppID and no connection, its
    account is the first name with the number of further ones, and its subject is the alerts'
    common one or None.

    Args:
        alerts: at least one alert.
    """
    main = _main_alert(alerts)
    every_name = (name for alert in alerts for name in alert.names or [alert.problem.account])
    names = sorted({*filter(None, every_name)})
    appids = frozenset[str]().union(*(alert.appids for alert in alerts))
    problem = _with_all_days(main.problem, alerts)
    if len(appids) > 1 and len(names) > 1 and all(alert.appids for alert in alerts):
        subjects = {alert.problem.subject for alert in alerts}
        problem = replace(
            problem,
            account=f"{names[0]} +{len(names) - 1}",
            appid=None,
            conn_id="",
            subject=problem.subject if len(subjects) == 1 else None,
        )
    datasets = {dataset for alert in alerts for dataset in alert.datasets}
    return replace(
        main,
        problem=problem,
        further=tuple(sorted(datasets - {main.dataset})),
        appids=appids,
        names=tuple(names),
        opened_at=min((alert.opened_at for alert in alerts if alert.opened_at), default=None),
        has_figures=all(alert.has_figures for alert in alerts),
        incident_id=min((alert.incident_id for alert in alerts if alert.incident_id), default=None),
    )


def _main_alert(alerts: Sequence[Alert]) -> Alert:
    """
    Return the newest of the worst alerts; of equally new ones, the one with the latest day.

    An alert without a time is the oldest.
    """
    worst = min((alert.severity for alert in alerts), key=[*Severity].index)
    return max(
        (alert for alert in alerts if alert.severity is worst),
        key=lambda alert: (
            alert.opened_at.timestamp() if alert.opened_at else 0,
            alert.problem.days[-1:],
        ),
    )


def _with_all_days(problem: Problem, alerts: Iterable[Alert]) -> Problem:
    """
    Return the problem with the days of the alerts that are grouped into one.

    They are the days without any figures; if there are none, the days of all alerts. Days that
    WeChat does not give again (kind DAYS_LOST) have a cure that names a run: that one loads them
    from the first day to the last.
    """
    alerts = [*alerts]
    bare_days = days_of_problems(alert.problem for alert in alerts if not alert.has_figures)
    days = bare_days or days_of_problems(alert.problem for alert in alerts)
    if problem.kind is not ProblemKind.DAYS_LOST:
        return replace(problem, days=days)
    run = f"{problem.subject} (begin_date {days[0]}, end_date {days[-1]})"
    cure = fill_places(problem.row.cure, "", "", run)
    return replace(problem, days=days, subject=run, cure=cure)
