"""The tasks as Airflow runs them: its context and XCom on one side, the verbs on the other."""

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
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.orchestration.tasks import observations
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


@contextmanager
def readable_ending() -> Iterator[None]:
    """
    Let a task end readably: a line per problem; frames only collapsed.

    Raises:
        EndOfTask: instead of any error.
    """
    try:
        yield
    except (AirflowSkipException, AirflowRescheduleException):
        raise
    except Exception as error:
        problem = as_problem(error)
        log_problem(log, problem)
        _leave(problem)
        end = EndOfTask if problem.kind.is_retried else EndForGood
        raise end("see the ERROR line above") from None


def _leave(problem: Problem) -> None:
    """Leave why a try failed, in JSON's types alone: Airflow's servers read no tuple."""
    plain = msgspec.json.decode(msgspec.json.encode(problem))  # noqa: TID251 - of no type
    get_current_context()["ti"].xcom_push(PROBLEM, plain)


def as_problem(error: Exception) -> Problem:
    """What an error that ends a whole task says to the operator."""
    if isinstance(error, WeixinError | WarehouseError):
        return error.problem
    if isinstance(error, ParameterError):
        return Problem(ProblemKind.PARAMETER, str(error), "")
    return program_problem(log, error)


@readable_ending()
def refresh_access_token(dataset: Dataset) -> list[dict[str, Any]]:
    """The configured accounts, each with the reason why it has no token, if so."""
    context = get_current_context()
    dag_run, run = context["dag_run"], form.run_of(dataset, context)
    form.require_known(dag_run.conf or {}, is_backfill=dag_run.run_type == "backfill")
    is_last_try, concurrency = form.is_last_try(context), settings.read().concurrency
    found = accounts.refresh_access_tokens(run, concurrency, is_last_try=is_last_try)
    observations.report_observation(_of_tokens(run, found))
    configured: list[dict[str, Any]] = msgspec.to_builtins(found)
    return configured


def _of_tokens(run: Run, found: Sequence[ConfiguredAccount]) -> Observation:
    """
    Connections and accounts that get no token.

    A connection that can't be used says nothing of the accounts that it may stand for.
    """
    wanted = [it for it in found if it.is_wanted]
    refused = [it.problem for it in wanted if it.problem and not it.problem.kind.is_retried]
    looked = None
    if run.accounts or not all(it.appid for it in wanted):
        looked = [*(it.conn_id for it in wanted), *(it.appid for it in wanted if it.appid)]
    return Observation(run, clock.now(), {"refresh_access_token": refused}, looked)


@readable_ending()
def plan(dataset: Dataset, found: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Batches of accounts with the days to ask for; a dry run ends here."""
    work = _work(dataset)
    made = plan_verb.plan(work, convert(found, list[ConfiguredAccount]))
    if made.dry_run:
        get_current_context()["ti"].xcom_push(DRY_RUN, msgspec.to_builtins(made.dry_run))
        said = "dry run: nothing was asked for; the page lists what would be, and so does the XCom"
        raise AirflowSkipException(f"{said} {DRY_RUN} of this task")
    observations.report_observation(
        Observation(work.run, clock.now(), {"plan": []}, once=made.left)
    )
    builtins: list[list[dict[str, Any]]] = msgspec.to_builtins(
        plan_verb.split_batches(made.accounts)
    )
    return builtins


@readable_ending()
def ingest(dataset: Dataset, batch: list[dict[str, Any]]) -> None:
    """Bring the batch's pairs in; in a scheduled run, wait for those that are not ready."""
    work, planned = _work(dataset), convert(batch, Batch)
    came = ingest_verb.ingest(work, planned, accounts.Clients(settings.call_limits()).open)
    is_retried = came.is_retryable and not form.is_last_try(get_current_context())
    now = clock.now()
    again_at = rules.next_poll_at(work.run, now) if came.has_not_ready else None
    _ingested(work.run, planned, came, is_at_work=is_retried or again_at is not None)
    if again_at and not is_retried:
        log.warning("asks again at %s", clock.beijing_text(again_at, pattern="%H:%M"))
        # Airflow has the real clock, whatever WEIXIN_NOW says
        real_time = timezone.utcnow() + (again_at - now)
        raise AirflowRescheduleException(real_time)  # type: ignore[no-untyped-call] # Airflow's
    if came.problems:
        first = max(came.problems, key=lambda it: it.kind.is_retried)
        _leave(first)
        raise (EndOfTask if came.is_retryable else EndForGood)(not_in(came.problems))


def _ingested(run: Run, batch: Batch, came: ingest_verb.IngestResult, *, is_at_work: bool) -> None:
    """People are told of what a try has met, by coverage but for what is no answer of WeChat's."""
    if came.unknown_metrics:
        names = one_line(", ".join(sorted(came.unknown_metrics)), _LONGEST_METRICS)
        log.warning("WeChat sends metrics that are not known here; kept in extra: %s", names)
    days = {account.appid: account.due.days for account in batch}
    unsaid = [
        replace(it, days=it.days or tuple(sorted(days.get(it.appid or "", ()))))
        for it in came.problems
        if it.kind.is_transport_failure and not (is_at_work and it.kind.is_retried)
    ]
    found, looked = {"ingest": unsaid}, [*days]
    observations.report_observation(
        Observation(run, clock.now(), found, looked, is_judged=True, is_at_work=is_at_work)
    )


@readable_ending()
def report(dataset: Dataset) -> dict[str, int]:
    """What the run did since its plan."""
    return check_verb.report(_work(dataset), _planned(get_current_context()))


@readable_ending()
def check(dataset: Dataset, asset: Any) -> None:
    """The run's colour, by what is true now; green, the asset's event has the days that changed."""
    context = get_current_context()
    run, said = form.run_of(dataset, context), _what_failed(context)
    found = _of_failed(run, said)
    if said.keys() & {"refresh_access_token", "plan"}:
        _tell(context, Observation(run, clock.now(), found, is_judged=True, is_last=True))
        raise _failed(said)
    if run.dry_run:
        raise AirflowSkipException("dry run: nothing was asked for")
    configured = convert(
        context["ti"].xcom_pull(task_ids="refresh_access_token"), list[ConfiguredAccount]
    )
    planned = _planned(context)
    judgement = check_verb.check(_work(dataset), configured, planned)
    _tell(context, _of_check(run, judgement, planned, configured, found))
    if judgement.not_in:
        raise EndForGood(not_in(judgement.not_in))
    if said:
        raise _failed(said)
    changed = [day.isoformat() for day in judgement.changed_days]
    extra: dict[str, Any] = {"run_id": run.run_id, "days": changed, **judgement.totals}
    context["outlet_events"][asset].extra = extra


def _of_failed(run: Run, said: Mapping[str, Problem]) -> dict[str, list[Problem]]:
    """
    What is found of tasks that could not do their work; a morning's run is late no more.

    A parameter that is wrong in a manual run is for the person who triggered it.
    """
    found = {
        task_id: [replace(problem, account="", subject=task_id)]
        for task_id, problem in said.items()
        if run.is_scheduled or problem.kind is not ProblemKind.PARAMETER
    }
    is_daily = rules.is_daily(run, clock.beijing_date(clock.now()))
    over = [observations.RUN, *([observations.DEADLINE] if run.is_scheduled or is_daily else [])]
    return {**found, **{source: [] for source in over}}


def _of_check(
    run: Run,
    judgement: check_verb.CheckResult,
    planned: Batch,
    configured: Sequence[ConfiguredAccount],
    failed: Mapping[str, Sequence[Problem]],
) -> Observation:
    """
    Why the run is red, but for figures that are not ready, and accounts that list nothing new.

    Only a morning's run has looked at all accounts; if all is in, no batch lacks its work.
    """
    silent = [it for it in judgement.warnings if it.kind is ProblemKind.SILENT]
    missing = [it for it in judgement.not_in if it.kind is not ProblemKind.NOT_READY]
    found = {"check": [*missing, *silent], "report": [], **failed}
    looked = None
    if observations.DEADLINE not in failed or run.accounts:
        connections = (it.conn_id for it in configured if it.is_wanted)
        looked = [*(account.appid for account in planned), *connections]
    elif not judgement.not_in:
        found["ingest"] = []
    return Observation(run, clock.now(), found, looked, is_judged=True, is_last=True)


def _tell(context: Context, note: Observation) -> None:
    """People are told how the run ends, and the listener that they were."""
    observations.report_observation(note)
    context["ti"].xcom_push(observations.NOTIFIED, True)


def _work(dataset: Dataset) -> Work:
    """The run, and what its verbs work with."""
    run = form.run_of(dataset, get_current_context())
    return Work(run, open_warehouse(), settings.read())


def _planned(context: Context) -> Batch:
    """The run's newest plan: the accounts of all its batches."""
    told = context["ti"].xcom_pull(task_ids="plan")
    return list(chain.from_iterable(convert(told or [], list[Batch])))


def _what_failed(context: Context) -> dict[str, Problem]:
    """Why tasks failed that no other run can make up for; ingest is not among them."""
    ti = context["ti"]
    names = ["refresh_access_token", "plan", "report"]
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=names, run_ids=[ti.run_id])[ti.run_id]
    failed = [task_id for task_id, state in states.items() if state == "failed"]
    said = {task_id: ti.xcom_pull(task_ids=task_id, key=PROBLEM) for task_id in failed}
    killed = Problem.of_kind(ProblemKind.TASK_KILLED)  # before it could say so
    return {task_id: convert(it, Problem) if it else killed for task_id, it in said.items()}


def _failed(said: Mapping[str, Problem]) -> EndForGood:
    """The end of a run whose tasks failed, after the lines why."""
    for problem in said.values():
        log_problem(log, problem)
    return EndForGood(f"failed: {', '.join(sorted(said))}; see the lines above and the log of each")


def not_in(problems: Sequence[Problem]) -> str:
    """`3 accounts are not in: see the lines above`."""
    count = len({it.appid or it.account for it in problems})
    are = "is" if count == 1 else "are"
    return f"{counted(count, 'account')} {are} not in: see the lines above"
