"""
People are told: what tasks meet becomes incidents, and messages through `weixin_alerts`.

Nothing here makes a task fail or delays it for long: what can't be recorded or delivered is a
warning in its log, and the next task that looks tells of it.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseHook, Context, get_current_context
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.health import messages
from weixin_etl.health.at_work import Airflow, DagState, EndedRun
from weixin_etl.health.incidents import Note, ended_by_airflow, record
from weixin_etl.health.messages import Installation, Message, Send
from weixin_etl.model import Run
from weixin_etl.orchestration import form, settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.problem import Problem, ProblemKind, WarehouseError, program_fault
from weixin_etl.warehouse import diagnosed, require_migrated

if TYPE_CHECKING:
    import apprise

log = logging.getLogger(__name__)

CONN_ID = "weixin_alerts"
TOLD = "told"
"""Key of the XCom by which `check` says that people were told how the run ended."""
DEADLINE = "deadline"
"""The source of what is found when the daily run's deadline is missed."""
MESSAGE_SECONDS = 10
_NOT_TOLD = "people could not be told now, the next task tries again: %s"
_AS_IT_SHOULD_BE = """{"config": {"path": "wecombot://KEY"}}"""


# ------------------------------------------------------------------------------------------ note


def note(found: Note, *, is_last: bool = False) -> None:
    """
    Record what a task has found, and tell people what they do not know yet.

    When `is_last` nothing in the run looks after this: all is told, and a problem of the warehouse
    is told without a record.
    """
    if found.run.dry_run:
        return
    warehouse: Engine | None = None
    try:
        warehouse = open_warehouse()
        with diagnosed(warehouse):
            require_migrated(warehouse)
            record(warehouse, found)
            send = partial(sender, is_last=is_last)
            messages.tell(warehouse, send, now=clock.now(), here=_here(), may_wait=not is_last)
    except WarehouseError as error:
        log.warning(_NOT_TOLD, error.problem.cause)
        if is_last and (deliver := sender()):
            deliver(messages.direct(error.problem, _here(), clock.now()))
    except Exception as error:  # whatever it is, the run goes on
        log.warning(_NOT_TOLD, program_fault(log, error).cause)
    finally:
        if warehouse:
            warehouse.dispose()


def _here() -> Installation:
    """What messages say of this Airflow."""
    base_url = conf.get("api", "base_url", fallback="").rstrip("/")
    page = f"{base_url}{settings.PAGE}/"
    return Installation(page, settings.installation_name(), settings.words())


def task_failed(problem: Problem) -> None:
    """This task could not do its work; people are told when it is not tried again."""
    context = get_current_context()
    dataset = _dataset(context["dag"].dag_id)
    if dataset is None or (problem.kind.is_retried and not form.is_last_try(context)):
        return
    task_id = context["ti"].task_id
    run = form.run_of(dataset, context)
    failed = failures(run, {task_id: problem})
    # what other batches of ingest, or an earlier try, have found stays
    stays = task_id in ("ingest", "refresh_access_token")
    found = Note(run, clock.now(), failed, looked=() if stays else None)
    note(found, is_last=task_id == "check")


def failures(run: Run, failed: Mapping[str, Problem | None]) -> dict[str, list[Problem]]:
    """
    What is found of tasks that could not do their work; None of one that could not say why.

    A parameter that is wrong in a manual run is for the person who triggered it.
    """
    return {
        task_id: [replace(problem or ended_by_airflow(task_id), account="", subject=task_id)]
        for task_id, problem in failed.items()
        if run.is_scheduled or not problem or problem.kind is not ProblemKind.PARAMETER
    }


def run_ended(dag_id: str, ended: EndedRun, is_dry: bool) -> None:
    """A run has failed, and its `check` could not say what is missing."""
    if dataset := _dataset(dag_id):
        airflow = Airflow({dataset.name: DagState(ended=ended)})
        run = Run(ended.run_id, dataset, clock.beijing_date(clock.now()), dry_run=is_dry)
        note(Note(run, clock.now(), is_judged=True, airflow=airflow), is_last=True)


def run_is_late(context: Context) -> None:
    """
    The daily run's deadline is missed.

    A run that ended red before its deadline is not late; what it could not tell is told now.
    """
    late: Any = context["dag_run"]  # as the REST API gives it out
    if dataset := _dataset(late["dag_id"]):
        is_late = late["state"] in ("queued", "running")
        run = Run(late["dag_run_id"], dataset, clock.beijing_date(clock.now()), is_scheduled=True)
        found = {DEADLINE: [Problem.of_kind(ProblemKind.RUN_LATE)] if is_late else []}
        note(Note(run, clock.now(), found, is_judged=not is_late), is_last=True)


def _dataset(dag_id: str) -> Dataset | None:
    return next((dataset for dataset in DATASETS.values() if dataset.dag_id == dag_id), None)


# ------------------------------------------------------------------------------------------ send


def sender(*, is_last: bool = True) -> Send | None:
    """
    What delivers messages to the receivers of `weixin_alerts`; None when there are none.

    That there is no such connection is said once in a run: when `is_last`.
    """
    try:
        connection = BaseHook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        if is_last:
            log.info("there is no Airflow connection %s, so nobody is told", CONN_ID)
        return None
    import apprise  # when there is somebody to tell: it takes two seconds
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    receivers = apprise.Apprise()
    try:
        with _apprise_is_silent():
            AppriseHook(CONN_ID).set_config_from_conn(connection, receivers)
    except (KeyError, TypeError, ValueError, AttributeError):
        receivers.clear()
    if len(receivers):
        return partial(_send, receivers)
    cure = "has no address that Apprise knows; write its extra like"
    log.warning("nobody can be told: the connection %s %s %s", CONN_ID, cure, _AS_IT_SHOULD_BE)
    return None


@contextmanager
def _apprise_is_silent() -> Iterator[None]:
    """It names addresses, which hold secrets; what went wrong is said here, without them."""
    apprise_log = logging.getLogger("apprise")
    before = apprise_log.level
    apprise_log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        apprise_log.setLevel(before)


def _send(receivers: "apprise.Apprise", message: Message) -> bool:
    """Deliver to every receiver; it has arrived when one of them took it."""
    from apprise.plugins.custom_json import NotifyJSON

    try:
        with _apprise_is_silent():
            for receiver in receivers:
                if isinstance(receiver, NotifyJSON):  # a program: facts beside the prose
                    receiver.payload_extras.update(message.facts)
            result = receivers.notify(
                title=message.title,
                body=message.body,
                notify_type=message.notify_type,
                body_format="text",
                timeout=MESSAGE_SECONDS,
            )
        refused = [receiver.name for receiver in result if not receiver]
        has_arrived = any(map(bool, result))
    except Exception as error:  # a plugin's fault; its text may hold the address
        refused, has_arrived = [type(error).__name__], False
    if refused or not has_arrived:
        log.warning("not delivered by %s: %s", ", ".join(refused) or "any receiver", message.title)
    if has_arrived:
        log.info("told: %s", message.title)
    return has_arrived
