"""
People are told: what tasks meet becomes incidents, and messages through `weixin_alerts`.

Nothing here makes a task fail or delays it for long: what can't be recorded or delivered is a
warning in its log, and the next task that looks tells of it.
"""

import logging
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy import Engine

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.health import notifications
from weixin_etl.health.alerts import Alert
from weixin_etl.health.incidents import Observation, update_incidents
from weixin_etl.health.notifications import Installation, Notification, Send
from weixin_etl.model import Run
from weixin_etl.orchestration import settings
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.problem import Problem, ProblemKind, WarehouseError, program_problem
from weixin_etl.warehouse import diagnosed, require_migrated

if TYPE_CHECKING:
    import apprise

log = logging.getLogger(__name__)

CONN_ID = "weixin_alerts"
NOTIFIED = "told"
"""Key of the XCom by which `check` says that people were told how the run ended."""
DEADLINE = "deadline"
"""The source of what is found when the daily run's deadline is missed."""
RUN = "run"
"""The source of what is found when a run ends without its `check`."""
MESSAGE_SECONDS = 10
_NOT_TOLD = "people could not be told now, the next task tries again: %s"
_AS_IT_SHOULD_BE = """{"config": {"path": "wecombot://KEY"}}"""


def report_observation(found: Observation) -> None:
    """
    Record what a task has found, and tell people what they do not know yet.

    By the last note of a run all is told, and a problem of the warehouse without a record.
    """
    if found.run.dry_run:
        return
    warehouse: Engine | None = None
    try:
        warehouse = open_warehouse()
        with diagnosed(warehouse):
            require_migrated(warehouse)
            update_incidents(warehouse, found)
            now, may_wait = clock.now(), not found.is_last
            notifications.notify(warehouse, sender, now=now, here=_here(), may_wait=may_wait)
    except WarehouseError as error:
        log.warning(_NOT_TOLD, error.problem.cause)
        if found.is_last and (deliver := sender()):
            deliver(notifications.compose([Alert(error.problem, opened_at=clock.now())], _here()))
    except Exception as error:  # whatever it is, the run goes on
        log.warning(_NOT_TOLD, program_problem(log, error).cause)
    finally:
        if warehouse:
            warehouse.dispose()


def _here() -> Installation:
    """What messages say of this Airflow."""
    base_url = conf.get("api", "base_url", fallback="").rstrip("/")
    return Installation(f"{base_url}{settings.PAGE}/", settings.words())


def run_ended(run: Run) -> None:
    """A run has failed, and its `check` could not say what is missing."""
    problem = Problem.of_kind(ProblemKind.RUN_ENDED, subject=run.run_id)
    report_observation(
        Observation(run, clock.now(), {RUN: [problem]}, is_judged=True, is_last=True)
    )


def report_late_run(run: Run, *, is_at_work: bool) -> None:
    """
    The daily run's deadline is missed.

    A run that ended red before its deadline is not late; what it could not tell is told now.
    """
    found = {DEADLINE: [Problem.of_kind(ProblemKind.RUN_LATE)] if is_at_work else []}
    report_observation(Observation(run, clock.now(), found, is_judged=not is_at_work, is_last=True))


def run_named(dag_id: str, run_id: str, *, is_dry: bool = False) -> Run:
    """One of which nothing else is known where it is told of."""
    dataset = DATASETS[dag_id.removeprefix("weixin_")]
    return Run(run_id, dataset, clock.beijing_date(clock.now()), dry_run=is_dry)


def sender() -> Send | None:
    """What delivers messages to the receivers of `weixin_alerts`; None when there are none."""
    try:
        connection = BaseHook.get_connection(CONN_ID)
    except AirflowNotFoundException:
        return None
    import apprise  # when there is somebody to tell: it takes two seconds
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names addresses with secrets
    receivers = apprise.Apprise()
    try:
        AppriseHook(CONN_ID).set_config_from_conn(connection, receivers)
    except (KeyError, TypeError, ValueError, AttributeError):
        receivers.clear()
    if len(receivers):
        return partial(_send, receivers)
    cure = "has no address that Apprise knows; write its extra like"
    log.warning("nobody can be told: the connection %s %s %s", CONN_ID, cure, _AS_IT_SHOULD_BE)
    return None


def _send(receivers: "apprise.Apprise", message: Notification) -> bool:
    """Deliver to every receiver; it has arrived when one of them took it."""
    try:
        said: dict[str, Any] = asdict(message)
        result = receivers.notify(**said, body_format="text", timeout=MESSAGE_SECONDS)
        refused = [receiver.name for receiver in result if not receiver]
        has_arrived = any(map(bool, result))
    except Exception as error:  # a plugin's fault; its text may hold the address
        refused, has_arrived = [type(error).__name__], False
    if refused or not has_arrived:
        log.warning("not delivered by %s: %s", ", ".join(refused) or "any receiver", message.title)
    if has_arrived:
        log.info("told: %s", message.title)
    return has_arrived
