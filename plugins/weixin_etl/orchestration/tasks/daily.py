"""
The bodies of the DAGs' tasks: they connect Airflow's context and XCom to the verbs in `run`.

The DAG file calls one function per task. Each reads the run from Airflow's context, calls its verb
and ends the task with one readable line. All but `report` also report an observation: `ingest` at
the end of each try, and `check` also for tasks that failed.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import Any

import msgspec
from airflow.sdk import Context, get_current_context, timezone
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException

from weixin_etl import clock, rules
from weixin_etl.api.threads import convert
from weixin_etl.datasets import Dataset
from weixin_etl.health.incidents import Observation
from weixin_etl.model import Batch, ConfiguredAccount, ParameterError, Run
from weixin_etl.orchestration import form, settings
from weixin_etl.orchestration.connections import accounts
from weixin_etl.orchestration.connections.warehouse import open_warehouse, report_output_tables
from weixin_etl.orchestration.tasks import metrics, observations
from weixin_etl.orchestration.tasks.declared import DRY_RUN, PROBLEM, EndForGood, EndOfTask
from weixin_etl.problem import (
    Problem,
    ProblemKind,
    WarehouseError,
    WeixinError,
    log_problem,
    program_problem,
)
from weixin_etl.run import Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb
from weixin_etl.text import counted, one_line

log = logging.getLogger(__name__)

_LONGEST_METRICS = 300
Findings = Sequence[Problem]
"""The problems that a run found by one source, such as a task."""


@contextmanager
def readable_ending() -> Iterator[None]:
    """
    Replace every error of the block by one logged line and an XCom with the problem.

    Airflow's own exceptions for skipping and rescheduling pass unchanged. So do `EndOfTask` and
    `EndForGood`, which are no `Exception` but a `SystemExit`: their problem is already logged.

    Raises:
        EndOfTask: for an error that a retry may resolve.
        EndForGood: for every other error.
    """
    try:
        yield
    except (AirflowSkipException, AirflowRescheduleException):
        raise
    except Exception as error:
        problem = as_problem(error)
        log_problem(log, problem)
        _keep_problem(problem)
        end = EndOfTask if problem.kind.is_retried else EndForGood
        raise end("see the ERROR line above") from None


def _keep_problem(problem: Problem) -> None:
    """
    Write the problem to the task's XCom `problem`.

    The value has types of JSON only, because Airflow's servers reject tuples.
    """
    plain = msgspec.json.decode(msgspec.json.encode(problem))  # noqa: TID251 - of no type
    get_current_context()["ti"].xcom_push(PROBLEM, plain)


def as_problem(error: Exception) -> Problem:
    """
    Return the problem of an error that ended a whole task.

    The traceback of an error that the package does not expect is logged.
    """
    if isinstance(error, WeixinError | WarehouseError):
        return error.problem
    if isinstance(error, ParameterError):
        return Problem(ProblemKind.PARAMETER, str(error), "")
    return program_problem(log, error)


@readable_ending()
def refresh_access_token(dataset: Dataset) -> list[dict[str, Any]]:
    """
    Request the access tokens, and return the configured accounts as JSON objects for XCom.

    No token is among them: `ingest` requests its own. An account that gets no token has its
    problem in the result, and the others go on. Accounts that WeChat refused are reported as
    incidents, of which people may be notified.

    Raises:
        EndForGood: a parameter or a setting of the accounts is invalid, or another error that a
            retry would not resolve.
        EndOfTask: nothing can be asked now, and a retry may help.
    """
    if clock.is_replaced():
        log.warning(clock.replaced_clock_warning())
    context = get_current_context()
    dag_run, run = context["dag_run"], form.run_of(dataset, context)
    form.require_known(dag_run.conf or {}, is_backfill=dag_run.run_type == "backfill")
    configured = accounts.refresh_access_tokens(run, is_last_try=form.is_last_try(context))
    observations.report_observation(_token_observation(run, configured))
    builtins: list[dict[str, Any]] = msgspec.to_builtins(configured)
    return builtins


def _token_observation(run: Run, configured: Sequence[ConfiguredAccount]) -> Observation:
    """
    Return the findings of connections and accounts that get no token, for `refresh_access_token`.

    Problems that a retry may resolve are left out. The scope is limited to the accounts and
    connections of the run if the run is limited to some accounts, or if a connection can't be used:
    the accounts behind it were not checked.
    """
    wanted = [account for account in configured if account.is_wanted]
    problems = [account.problem for account in wanted if account.problem]
    refused = [problem for problem in problems if not problem.kind.is_retried]
    appids = [account.appid for account in wanted if account.appid]
    scope = None
    if run.accounts or len(appids) < len(wanted):
        scope = [*(account.conn_id for account in wanted), *appids]
    return Observation(run, clock.now(), {"refresh_access_token": refused}, scope)


@readable_ending()
def plan(dataset: Dataset, configured: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """
    Plan the run in the warehouse, and return batches of accounts with their days as JSON.

    Accounts that are no longer collected are reported once.

    Args:
        dataset: the dataset of the DAG.
        configured: the result of `refresh_access_token`.

    Raises:
        AirflowSkipException: the run is a dry run; its plan is in the XCom `dry_run`.
        EndOfTask: the warehouse can't be used now, and a retry may help.
        EndForGood: the days can't be asked for, or another error that a retry would not resolve.
    """
    work = _work(dataset)
    planned = plan_verb.plan(work, convert(configured, list[ConfiguredAccount]))
    if planned.dry_run:
        get_current_context()["ti"].xcom_push(DRY_RUN, msgspec.to_builtins(planned.dry_run))
        line = "dry run: nothing was asked for; the page lists what would be, and so does the XCom"
        raise AirflowSkipException(f"{line} {DRY_RUN} of this task")
    observations.report_observation(
        Observation(work.run, clock.now(), {"plan": []}, momentary=planned.removed)
    )
    batches = plan_verb.split_batches(planned.accounts)
    builtins: list[list[dict[str, Any]]] = msgspec.to_builtins(batches)
    return builtins


@readable_ending()
def ingest(dataset: Dataset, batch: list[dict[str, Any]]) -> None:
    """
    Ask for the batch's planned days, load the answers, and report problems without a result.

    If days are missing, the XCom `problem` has the first problem that is retried, if there is one,
    or else the first problem.

    Args:
        dataset: the dataset of the DAG.
        batch: a batch of the result of `plan`.

    Raises:
        AirflowRescheduleException: days are not ready, and the run asks again later.
        EndOfTask: days are missing, and a retry may load them.
        EndForGood: days are missing, and a retry would not help.
    """
    work, planned = _work(dataset), convert(batch, Batch)
    result = ingest_verb.ingest(work, planned, accounts.Clients(settings.call_limits()).open)
    metrics.record_ingest(dataset, result.tally)
    report_output_tables(work.warehouse, ["raw_response", "coverage", dataset.fact])
    is_retried = result.is_retryable and not form.is_last_try(get_current_context())
    now = clock.now()
    again_at = rules.next_poll_at(work.run, now) if result.has_not_ready else None
    _report_ingest(work.run, planned, result, run_goes_on=is_retried or again_at is not None)
    if again_at and not is_retried:
        time = clock.beijing_text(again_at, pattern="%H:%M")
        log.warning("days are not ready: this task asks again at %s", time)
        # Airflow has the real clock, whatever WEIXIN_NOW says
        real_time = timezone.utcnow() + (again_at - now)
        raise AirflowRescheduleException(real_time)  # type: ignore[no-untyped-call] # Airflow's
    if result.problems:
        first = max(result.problems, key=lambda problem: problem.kind.is_retried)
        _keep_problem(first)
        raise (EndOfTask if result.is_retryable else EndForGood)(not_in(result.problems))


def _report_ingest(
    run: Run, batch: Batch, result: ingest_verb.IngestResult, *, run_goes_on: bool
) -> None:
    """
    Report the result of one try, and log metrics in the answers that the dataset does not declare.

    Incidents are opened and resolved by it, and people notified (see `observations`). A failure of
    that is logged and raises nothing.
    The findings are the problems without a result, which coverage may have too. Alerts of the other
    problems follow from coverage. While the run goes on, problems that are retried are left out. A
    problem without days gets all days of its account.

    Args:
        run: the run.
        batch: the planned accounts of the task; their AppIDs are the scope.
        result: the result of the try.
        run_goes_on: whether the task asks again, later or by a retry.
    """
    if result.unknown_metrics:
        names = one_line(", ".join(sorted(result.unknown_metrics)), _LONGEST_METRICS)
        log.warning("WeChat sends metrics that are not known here; kept in extra: %s", names)
    days = {account.appid: account.due.days for account in batch}
    without_result = [
        replace(problem, days=problem.days or tuple(sorted(days.get(problem.appid or "", ()))))
        for problem in result.problems
        if problem.kind.is_without_result and not (run_goes_on and problem.kind.is_retried)
    ]
    findings, scope = {"ingest": without_result}, [*days]
    observations.report_observation(
        Observation(run, clock.now(), findings, scope, shows_ends=True, run_goes_on=run_goes_on)
    )


@readable_ending()
def report(dataset: Dataset) -> dict[str, int]:
    """
    Log the result per account and day since the run's plan, and return the totals by name.

    Raises:
        EndOfTask: the warehouse can't be used now, and a retry may help.
        EndForGood: another error.
    """
    return check_verb.report(_work(dataset), _planned(get_current_context()))


@readable_ending()
def check(dataset: Dataset, asset: Any) -> None:
    """
    Decide whether the run succeeded, by the current coverage of its planned days.

    The end of the run is reported, which sends the messages that were held back. The asset event of
    a successful run gets the run's id, the days that changed and the totals. If a task before the
    ingest has failed, only the failed tasks are reported.

    Args:
        dataset: the dataset of the DAG.
        asset: the Airflow asset that the task updates.

    Raises:
        AirflowSkipException: the run is a dry run.
        EndForGood: planned days are missing; a task other than `ingest` failed, so its work is not
            done; or another error that a retry would not resolve.
        EndOfTask: the warehouse can't be used now, and a retry may help.
    """
    context = get_current_context()
    run, failed = form.run_of(dataset, context), _failed_tasks(context)
    findings = _failed_task_findings(run, failed)
    if failed.keys() & {"refresh_access_token", "plan"}:
        _report_end(run, findings)
        raise _failed_end(failed)
    if run.dry_run:
        raise AirflowSkipException("dry run: nothing was asked for")
    tokens = context["ti"].xcom_pull(task_ids="refresh_access_token")
    configured, planned = convert(tokens, list[ConfiguredAccount]), _planned(context)
    result = check_verb.check(_work(dataset), configured, planned)
    metrics.record_check(dataset, result)
    appids = [account.appid for account in planned]
    checked = [*appids, *(account.conn_id for account in configured if account.is_wanted)]
    _report_end(run, *_check_findings(run, result, checked, findings))
    if result.not_in:
        raise EndForGood(not_in(result.not_in))
    if failed:
        raise _failed_end(failed)
    changed = [day.isoformat() for day in result.changed_days]
    extra: dict[str, Any] = {"run_id": run.run_id, "days": changed, **result.totals}
    context["outlet_events"][asset].extra = extra


def _failed_task_findings(run: Run, failed: Mapping[str, Problem]) -> dict[str, list[Problem]]:
    """
    Return the findings of the failed tasks by task id, and empty ones that the check resolves.

    The check resolves the finding that the run ended without a report. The check of a scheduled or
    daily run also resolves the finding of a missed deadline.

    An invalid parameter of a manual run is left out: only the person who triggered it has to act.
    """
    findings = {
        task_id: [replace(problem, account="", subject=task_id)]
        for task_id, problem in failed.items()
        if run.is_scheduled or problem.kind is not ProblemKind.PARAMETER
    }
    is_daily = rules.is_daily(run, clock.beijing_date(clock.now()))
    deadline = [observations.DEADLINE] if run.is_scheduled or is_daily else []
    return {**findings, **{source: [] for source in [observations.RUN, *deadline]}}


def _check_findings(
    run: Run, result: check_verb.CheckResult, checked: list[str], failed: Mapping[str, Findings]
) -> tuple[dict[str, Findings], list[str] | None]:
    """
    Return the findings at the run's end by source, and the scope that they are limited to.

    The findings are those of the failed tasks, why days are missing, and which accounts list
    nothing new. Figures that are not ready are left out. Only a daily run of all accounts has an
    unlimited scope (None); if none of its days is missing, the findings of `ingest` are resolved.

    Args:
        run: the run.
        result: the result of the check.
        checked: the AppIDs and connections that the run collects: the scope, if it is limited.
        failed: the findings of `_failed_task_findings`.
    """
    silent = [problem for problem in result.warnings if problem.kind is ProblemKind.SILENT]
    missing = [problem for problem in result.not_in if problem.kind is not ProblemKind.NOT_READY]
    findings = {"check": [*missing, *silent], "report": [], **failed}
    if observations.DEADLINE not in failed or run.accounts:
        return findings, checked
    return (findings if result.not_in else {**findings, "ingest": []}), None


def _report_end(run: Run, findings: Mapping[str, Findings], scope: list[str] | None = None) -> None:
    """
    Report the findings at the run's end by source, limited to `scope` unless it is None.

    An XCom tells the listener for failed runs that the end was reported.
    """
    observations.report_observation(
        Observation(run, clock.now(), findings, scope, shows_ends=True, is_run_end=True)
    )
    get_current_context()["ti"].xcom_push(observations.NOTIFIED, True)


def _work(dataset: Dataset) -> Work:
    """
    Return the run of the current task, with the warehouse and the settings that its steps need.

    Raises:
        WarehouseError: there is no connection `weixin_warehouse`.
    """
    run = form.run_of(dataset, get_current_context())
    return Work(run, open_warehouse(), settings.read())


def _planned(context: Context) -> Batch:
    """Return the planned accounts of all batches, by the XCom of `plan`; none without an XCom."""
    batches = context["ti"].xcom_pull(task_ids="plan")
    return list(chain.from_iterable(convert(batches or [], list[Batch])))


def _failed_tasks(context: Context) -> dict[str, Problem]:
    """
    Return the problems of the run's failed tasks by task id, by their XComs.

    A task that was killed has a problem of the kind TASK_KILLED. The task `ingest` is left out,
    because another run may have loaded its days.
    """
    ti = context["ti"]
    names = ["refresh_access_token", "plan", "report"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=names, run_ids=[ti.run_id])[ti.run_id]
    failed = [task_id for task_id, state in states.items() if state == "failed"]
    kept = {task_id: ti.xcom_pull(task_ids=task_id, key=PROBLEM) for task_id in failed}
    killed = Problem.of_kind(ProblemKind.TASK_KILLED)  # a killed task writes no XCom
    return {
        name: convert(problem, Problem) if problem else killed for name, problem in kept.items()
    }


def _failed_end(failed: Mapping[str, Problem]) -> EndForGood:
    """Log the problems of the failed tasks, and return the exception that ends the run."""
    for problem in failed.values():
        log_problem(log, problem)
    names = ", ".join(sorted(failed))
    return EndForGood(f"failed: {names}; see the lines above and the log of each")


def not_in(problems: Sequence[Problem]) -> str:
    """
    Return a line that counts the accounts of the problems.

    It is like `3 accounts are not in: see the lines above`.
    """
    count = len({problem.appid or problem.account for problem in problems})
    are = "is" if count == 1 else "are"
    return f"{counted(count, 'account')} {are} not in: see the lines above"
