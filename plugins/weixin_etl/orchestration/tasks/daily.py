"""The tasks as Airflow runs them: its context and XCom on one side, the verbs on the other."""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import chain
from typing import Any

import msgspec
from airflow.sdk import Context, get_current_context, timezone
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from weixin_etl import clock, rules
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.health.incidents import Note
from weixin_etl.model import Batch, ConfiguredAccount, Run
from weixin_etl.orchestration import form, settings
from weixin_etl.orchestration.connections import accounts
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.orchestration.tasks import alerts, metrics
from weixin_etl.orchestration.tasks.declared import EndForGood, EndOfTask
from weixin_etl.orchestration.tasks.ending import PROBLEM, not_in, readable_ending
from weixin_etl.problem import Problem, ProblemKind, log_problem
from weixin_etl.run import Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.text import one_line

log = logging.getLogger(__name__)

_LONGEST_METRICS = 300


@readable_ending()
def refresh_access_token(dataset: Dataset) -> list[dict[str, Any]]:
    """The configured accounts, each with the reason why it has no token, if so."""
    context = get_current_context()
    dag_run, run = context["dag_run"], form.run_of(dataset, context)
    form.require_known(dag_run.conf or {}, is_backfill=dag_run.run_type == "backfill")
    is_last_try = form.is_last_try(context)
    found = accounts.refresh_access_tokens(run, settings.read(), is_last_try=is_last_try)
    alerts.note(_of_tokens(run, found))
    configured: list[dict[str, Any]] = msgspec.to_builtins(found)
    return configured


def _of_tokens(run: Run, found: Sequence[ConfiguredAccount]) -> Note:
    """
    Connections and accounts that get no token.

    A connection that can't be used says nothing of the accounts that it may stand for.
    """
    wanted = [it for it in found if it.is_wanted]
    refused = [it.problem for it in wanted if it.problem and not it.problem.kind.is_retried]
    looked = None
    if run.accounts or not all(it.appid for it in wanted):
        looked = [*(it.conn_id for it in wanted), *(it.appid for it in wanted if it.appid)]
    return Note(run, clock.now(), {"refresh_access_token": refused}, looked)


@readable_ending()
def plan(dataset: Dataset, found: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches of accounts with the days to ask for; a dry run ends here."""
    context = get_current_context()
    run = form.run_of(dataset, context)
    configured = convert(found, list[ConfiguredAccount])
    work = Work(run, open_warehouse(), settings.read().pipeline)
    made = plan_verb.plan(work, configured)
    if run.dry_run:
        raise AirflowSkipException("dry run: nothing was asked for")
    alerts.note(Note(run, clock.now(), {"plan": []}, once=made.left))
    builtins: list[list[dict[str, Any]]] = msgspec.to_builtins(plan_verb.batches(made.accounts))
    return builtins


@readable_ending()
def ingest(dataset: Dataset, batch: list[dict[str, Any]]) -> None:
    """Bring the batch's pairs in; in a scheduled run, wait for those that are not ready."""
    context = get_current_context()
    planned = convert(batch, Batch)
    run = form.run_of(dataset, context)
    in_force = settings.read()
    work = Work(run, open_warehouse(), in_force.pipeline)
    came = ingest_verb.ingest(work, planned, accounts.Clients(in_force).open)
    is_retried = came.is_retryable and not form.is_last_try(context)
    now = clock.now()
    again_at = rules.asks_again_at(run, now) if came.has_not_ready else None
    _ingested(run, planned, came, is_at_work=is_retried or again_at is not None)
    if again_at and not is_retried:
        log.warning("asks again at %s", clock.beijing_text(again_at, pattern="%H:%M"))
        # Airflow has the real clock, whatever WEIXIN_NOW says
        real_time = timezone.utcnow() + (again_at - now)
        raise AirflowRescheduleException(real_time)  # type: ignore[no-untyped-call]
    if came.problems:
        raise (EndOfTask if came.is_retryable else EndForGood)(not_in(came.problems))


_UNSAID = {
    *(ProblemKind.PROGRAM, ProblemKind.TASK_KILLED, ProblemKind.HELD_BACK),
    *(kind for kind in ProblemKind if kind.is_of_warehouse),
}
"""The kinds of which coverage says nothing, as nothing was asked for or could be written."""


def _ingested(run: Run, batch: Batch, came: ingest_verb.Ingested, *, is_at_work: bool) -> None:
    """People are told of what a try has met."""
    if came.unknown_metrics:
        names = one_line(", ".join(sorted(came.unknown_metrics)), _LONGEST_METRICS)
        log.warning("WeChat sends metrics that are not known here; kept in extra: %s", names)
    days = {account.appid: account.due.days for account in batch}
    unsaid = [
        replace(it, days=it.days or tuple(sorted(days.get(it.appid or "", ()))))
        for it in came.problems
        if it.kind in _UNSAID and not (is_at_work and it.kind.is_retried)
    ]
    found, looked = {"ingest": unsaid}, [*days]
    alerts.note(Note(run, clock.now(), found, looked, is_judged=True, is_at_work=is_at_work))


@readable_ending()
def report(dataset: Dataset) -> dict[str, int]:
    """What the run did since its plan."""
    context = get_current_context()
    run = form.run_of(dataset, context)
    work = Work(run, open_warehouse(), settings.read().pipeline)
    totals = check_verb.report(work, _planned(context))
    metrics.emit_counts(dataset, totals)
    return totals


@readable_ending()
def check(dataset: Dataset, asset: Any) -> None:
    """The run's colour, by what is true now; green, the asset's event has the days that changed."""
    context = get_current_context()
    run = form.run_of(dataset, context)
    failed = _failed_tasks(context, "failed", "upstream_failed")
    configured = _configured(context)
    if failed & {"refresh_access_token", "plan"}:
        said = _what_failed(context)
        for problem in filter(None, said.values()):
            log_problem(log, problem)
        found = alerts.failures(run, said)
        if _is_of_a_morning(run):
            found[alerts.DEADLINE] = []
        alerts.note(Note(run, clock.now(), found, is_judged=True), is_last=True)
        context["ti"].xcom_push(alerts.TOLD, True)
        raise _upstream_failed(failed)
    if run.dry_run:
        raise AirflowSkipException("dry run: nothing was asked for")
    planned, work = _planned(context), Work(run, open_warehouse(), settings.read().pipeline)
    judgement = check_verb.check(work, configured, planned)
    days = {account.appid: account.due.days for account in planned}
    alerts.note(_of_check(run, judgement, days, _what_failed(context)), is_last=True)
    context["ti"].xcom_push(alerts.TOLD, True)
    if judgement.not_in:
        raise EndForGood(not_in(judgement.not_in))
    if failed:
        raise _upstream_failed(failed)
    changed = [day.isoformat() for day in judgement.changed_days]
    extra: dict[str, Any] = {"run_id": run.run_id, "days": changed, **judgement.totals}
    context["outlet_events"][asset].extra = extra


def _of_check(
    run: Run,
    judgement: check_verb.Judgement,
    days: Mapping[str, Collection[date]],
    failed: Mapping[str, Problem | None],
) -> Note:
    """
    Why the run is red, but for figures that are not ready, and accounts that list nothing new.

    Only a morning's run has looked at all accounts; if all is in, no batch lacks its work.
    """
    silent = [it for it in judgement.warnings if it.kind is ProblemKind.SILENT]
    missing = [it for it in judgement.not_in if it.kind is not ProblemKind.NOT_READY]
    found = {"check": [*missing, *silent], "report": [], **alerts.failures(run, failed)}
    if not _is_of_a_morning(run) or run.accounts:
        return Note(run, clock.now(), found, [*days], is_judged=True)
    found[alerts.DEADLINE] = []
    if not judgement.not_in:
        found["ingest"] = []
    return Note(run, clock.now(), found, is_judged=True)


def _is_of_a_morning(run: Run) -> bool:
    """Whether it asks for what its morning has due, even if it ends after midnight."""
    return run.is_scheduled or rules.is_daily(run, clock.beijing_date(clock.now()))


def _planned(context: Context) -> Batch:
    """The run's newest plan: the accounts of all its batches."""
    told = context["ti"].xcom_pull(task_ids="plan")
    return list(chain.from_iterable(convert(told or [], list[Batch])))


def _configured(context: Context) -> list[ConfiguredAccount]:
    told = context["ti"].xcom_pull(task_ids="refresh_access_token")
    return convert(told or [], list[ConfiguredAccount])


def _what_failed(context: Context) -> dict[str, Problem | None]:
    """Why tasks failed; None of one that was killed before it could say so."""
    said = {
        task_id: context["ti"].xcom_pull(task_ids=task_id, key=PROBLEM)
        for task_id in _failed_tasks(context, "failed")
    }
    return {task_id: it and convert(it, Problem) for task_id, it in said.items()}


def _upstream_failed(failed: Collection[str]) -> EndForGood:
    names = ", ".join(sorted(failed))
    return EndForGood(f"failed: {names}; see the lines above and the log of each")


def _failed_tasks(context: Context, *wanted: str) -> set[str]:
    """Failed tasks that no other run can make up for; ingest is not among them."""
    ti = context["ti"]
    names = ["refresh_access_token", "plan", "report"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=names, run_ids=[ti.run_id])[ti.run_id]
    return {task for task, state in states.items() if state in wanted}
