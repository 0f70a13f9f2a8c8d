"""
People are told: what tasks meet becomes incidents, and messages through `weixin_alerts`.

Nothing here fails a task or holds it up for long: what can't be recorded or delivered is a warning
in its log, and the next task that looks tells of it.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import Context, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.model import ParameterError, PlannedAccount, Run
from weixin_etl.orchestration import quiet, run_context
from weixin_etl.orchestration.warehouse import open_warehouse
from weixin_etl.problem import Problem, ProblemKind, first_line, log_frames
from weixin_etl.run.check import Judgement
from weixin_etl.trouble import incidents
from weixin_etl.trouble.incidents import Look, Message
from weixin_etl.warehouse import WarehouseError, follow_clock, require_migrated, trouble

if TYPE_CHECKING:
    import apprise

log = logging.getLogger(__name__)

CONN_ID = "weixin_alerts"
MESSAGE_SECONDS = 10
_AS_IT_SHOULD_BE = """{"config": {"path": "wecombot://KEY"}}"""


# ------------------------------------------------------------------------------------------ look


def tokens_refreshed(
    run: Run, problems: Sequence[Problem], collected: Collection[str], *, is_whole: bool
) -> None:
    """
    The task refresh_access_token has done its work.

    `collected` are the AppIDs of the list, all of them when it `is_whole`.
    """
    _note(
        run,
        lambda _: incidents.of_tokens(run, clock.now(), problems, collected, is_whole=is_whole),
    )


def planned(run: Run, warnings: Sequence[Problem], appids: Collection[str]) -> None:
    """The task plan has done its work."""
    _note(run, lambda _: incidents.of_plan(run, clock.now(), warnings, appids))


def ingested(
    run: Run,
    batch: Sequence[PlannedAccount],
    problems: Sequence[Problem],
    unknown_metrics: Collection[str],
    *,
    is_retried: bool = False,
) -> None:
    """A try of the task ingest has ended; `is_retried` when Airflow makes another one."""
    days: Mapping[str, Collection[date]] = {it.appid: it.days for it in batch}
    met = [*problems, *incidents.unknown_metrics(unknown_metrics)]
    _note(
        run,
        lambda warehouse: incidents.of_ingest(
            run,
            clock.now(),
            met,
            days,
            is_retried=is_retried,
            is_answered=incidents.is_answered(warehouse, run),
        ),
    )


def checked(run: Run, judgement: Judgement, failed_tasks: Collection[str]) -> None:
    """The task check has judged the run; promises that only warn are left to its log."""
    met = [
        *judgement.not_in,
        *judgement.broken,
        *(it for it in judgement.warnings if it.kind is not ProblemKind.CHECK),
    ]
    _note(
        run,
        lambda warehouse: incidents.of_check(
            run,
            clock.now(),
            met,
            judgement.days,
            unjudged=judgement.unjudged,
            failed_tasks=failed_tasks,
            is_answered=incidents.is_answered(warehouse, run),
        ),
        is_last=True,
    )


def tasks_failed(run: Run, failed: Mapping[str, Problem | None]) -> None:
    """The run ends because tasks failed; None of those that were killed and have not said why."""
    _note(run, lambda _: incidents.of_failed_tasks(run, clock.now(), failed), is_last=True)


def task_failed(problem: Problem, *, is_retryable: bool) -> None:
    """This task could not do its work; people are told when it is not tried again."""
    context = get_current_context()
    dataset = _dataset(context["dag"].dag_id)
    if dataset is None or (is_retryable and not run_context.is_last_try(context)):
        return
    task_id = context["ti"].task_id
    try:
        run = run_context.of_installation(dataset, context)
    except ParameterError:
        return  # an invalid date in the form: its run says so to the person who entered it
    _note(
        run,
        lambda _: incidents.of_failed_tasks(run, clock.now(), {task_id: problem}),
        is_last=task_id == "check",
    )


def run_is_late(context: Context) -> None:
    """
    The daily run's deadline is missed.

    A run that ended red before its deadline is not late; what it could not tell is told now.
    """
    late: Any = context["dag_run"]  # as the REST API gives it out
    dataset = _dataset(late["dag_id"])
    if dataset is None or late["run_type"] != "scheduled":
        return
    problem = Problem(
        ProblemKind.RUN_LATE,
        cause="the daily run has not ended in time",
        cure="see what it waits for: a slot of the pool weixin_api, a worker, WeChat",
    )
    problems = [problem] if late["state"] in ("queued", "running") else []
    # of no installation: Airflow lets a deadline's callback read no Variable
    look = Look(dataset, late["dag_run_id"], clock.now(), problems=problems)
    _record_and_tell(lambda _: look, is_last=True)


def _dataset(dag_id: str) -> Dataset | None:
    return next((it for it in DATASETS.values() if it.dag_id == dag_id), None)


def _note(run: Run, look: Callable[[Engine], Look], *, is_last: bool = False) -> None:
    if not run.dry_run:
        _record_and_tell(
            lambda warehouse: replace(look(warehouse), installation=run.installation),
            is_last=is_last,
        )


def _record_and_tell(look: Callable[[Engine], Look], *, is_last: bool) -> None:
    """
    Record a look, and tell people what they do not know yet.

    When `is_last` nothing in the run looks after this: all is told, and that the warehouse is in
    trouble is told without a record.
    """
    warehouse: Engine | None = None
    try:
        warehouse = open_warehouse()
        require_migrated(warehouse)
        follow_clock(warehouse)
        incidents.record(warehouse, look(warehouse))
        incidents.tell(
            warehouse,
            sender,
            now=clock.now(),
            base_url=conf.get("api", "base_url", fallback="").rstrip("/"),
            may_wait=not is_last,
        )
    except Exception as error:  # whatever it is, the run goes on
        in_trouble = _warehouse_trouble(error, warehouse)
        if in_trouble is None:
            log_frames(log, error)
        said = in_trouble.cause if in_trouble else first_line(error)
        log.warning("people could not be told now, the next task tries again: %s", said)
        if in_trouble and is_last and (send := sender()):
            send(incidents.direct(in_trouble))
    finally:
        if warehouse:
            warehouse.dispose()


def _warehouse_trouble(error: Exception, warehouse: Engine | None) -> Problem | None:
    passing = error if isinstance(error, WarehouseError) else None
    if passing is None and warehouse is not None:
        passing = trouble(error, warehouse)
    return passing.problem if passing else None


# ------------------------------------------------------------------------------------------ send


def sender() -> incidents.Send | None:
    """What delivers messages to the receivers of `weixin_alerts`; None when there are none."""
    import apprise  # when there is something to tell: it takes two seconds
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    hook = AppriseHook(CONN_ID)
    receivers = apprise.Apprise()
    try:
        connection = hook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        log.info("there is no Airflow connection %s, so nobody is told", CONN_ID)
        return None
    try:
        with _apprise_is_silent():
            hook.set_config_from_conn(connection, receivers)
    except (KeyError, TypeError, ValueError, AttributeError):
        receivers.clear()
    if not len(receivers):
        log.warning(
            "nobody can be told: the connection %s has no address that Apprise knows; write its "
            "extra like %s",
            CONN_ID,
            _AS_IT_SHOULD_BE,
        )
        return None

    def send(message: Message) -> bool:
        return _send(receivers, message)

    return send


def _apprise_is_silent() -> AbstractContextManager[None]:
    """It names addresses, which hold secrets; what went wrong is said here, without them."""
    return quiet.only_from(logging.CRITICAL, "apprise")


def _send(receivers: "apprise.Apprise", message: Message) -> bool:
    """Deliver to every receiver; it has arrived when one of them took it."""
    try:
        with _apprise_is_silent():
            result = receivers.notify(
                title=message.title,
                body=message.body,
                body_format="text",
                timeout=MESSAGE_SECONDS,
            )
        refused = [it.name for it in result if not it]
        has_arrived = any(bool(it) for it in result)
    except Exception as error:  # a plugin's fault; its text may hold the address
        refused, has_arrived = [type(error).__name__], False
    if refused or not has_arrived:
        log.warning("not delivered by %s: %s", ", ".join(refused) or "any receiver", message.title)
    if has_arrived:
        log.info("told: %s", message.title)
    return has_arrived
