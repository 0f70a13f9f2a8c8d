"""
Record the observations of tasks as incidents, and notify people through `weixin_alerts`.

Nothing here makes a task fail or delays it for long. If an observation can't be recorded or a
message can't be delivered, the task logs a warning, and the next task that reports notifies people.
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
from weixin_etl.health.alert import Alert
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
"""The key of the XCom that `check` writes once it has reported the end of the run."""
DEADLINE = "deadline"
"""The source of the findings of a missed deadline."""
RUN = "run"
"""The source of the findings of a run that ended without its task `check`."""
MESSAGE_SECONDS = 10
"""The timeout of one delivery."""
_NOT_TOLD = "people could not be notified now, the next task tries again: %s"
_EXAMPLE_EXTRA = """{"config": {"path": "wecombot://KEY"}}"""


def report_observation(observation: Observation) -> None:
    """
    Record an observation as incidents in the warehouse, and notify people of what is new.

    An observation of a dry run is ignored. A run's last observation sends every message that was
    held back. Every failure is logged as a warning and raises nothing. If the warehouse fails at
    the run's last observation, people are notified of that problem without a record.
    """
    if observation.run.dry_run:
        return
    warehouse: Engine | None = None
    try:
        warehouse = open_warehouse()
        with diagnosed(warehouse):
            require_migrated(warehouse)
            update_incidents(warehouse, observation)
            now, may_wait = clock.now(), not observation.is_run_end
            notifications.notify(
                warehouse, sender, now=now, installation=installation(), may_wait=may_wait
            )
    except WarehouseError as error:
        log.warning(_NOT_TOLD, error.problem.cause)
        if observation.is_run_end and (deliver := sender()):
            alert = Alert(error.problem, opened_at=clock.now())
            deliver(notifications.compose([alert], installation()))
    except Exception as error:  # no failure of a notification may end the run
        log.warning(_NOT_TOLD, program_problem(log, error).cause)
    finally:
        if warehouse:
            warehouse.dispose()


def installation() -> Installation:
    """Return the page's address in this Airflow, and the formatter in the setting `language`."""
    base_url = conf.get("api", "base_url", fallback="").rstrip("/")
    return Installation(f"{base_url}{settings.PAGE}/", settings.words())


def report_ended_run(run: Run) -> None:
    """
    Report a run that failed before its task `check` could report what is missing.

    The caller has made sure that `check` did not report. The finding is of the kind RUN_ENDED, and
    messages that were held back are sent.
    """
    problem = Problem.of_kind(ProblemKind.RUN_ENDED, subject=run.run_id)
    report_observation(
        Observation(run, clock.now(), {RUN: [problem]}, shows_ends=True, is_run_end=True)
    )


def report_late_run(run: Run, *, is_at_work: bool) -> None:
    """
    Report a daily run that has missed its deadline.

    The messages that were held back are sent, too. A run that failed before its deadline
    (`is_at_work` is False) is not late: an earlier finding of a missed deadline is resolved.
    """
    late = {DEADLINE: [Problem.of_kind(ProblemKind.RUN_LATE)] if is_at_work else []}
    report_observation(
        Observation(run, clock.now(), late, shows_ends=not is_at_work, is_run_end=True)
    )


def minimal_run(dag_id: str, run_id: str, *, is_dry: bool = False) -> Run:
    """
    Return a run from its names alone, with today as its day and no parameters of its form.

    Args:
        dag_id: the id of a DAG of this package, `weixin_` and the name of a dataset.
        run_id: Airflow's id of the run.
        is_dry: whether the run only shows its plan.

    Raises:
        KeyError: there is no such dataset.
    """
    dataset = DATASETS[dag_id.removeprefix("weixin_")]
    return Run(run_id, dataset, clock.beijing_date(clock.now()), dry_run=is_dry)


def sender(conn_id: str = CONN_ID) -> Send | None:
    """
    Return the function that sends messages to the receivers of an Apprise connection.

    Return None if there is no such connection, or if it has no address that Apprise knows; the
    latter is logged as a warning. Apprise's own log, which has addresses with secrets, is silenced.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None
    import apprise  # the import takes two seconds, so only if there are receivers
    from airflow.providers.apprise.hooks.apprise import AppriseHook

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # Apprise logs addresses with secrets
    receivers = apprise.Apprise()
    try:
        AppriseHook(conn_id).set_config_from_conn(connection, receivers)
    except (KeyError, TypeError, ValueError, AttributeError):
        receivers.clear()
    if len(receivers):
        return partial(_send, receivers)
    cure = "has no address that Apprise knows; write its extra like"
    log.warning("nobody can be notified: the connection %s %s %s", conn_id, cure, _EXAMPLE_EXTRA)
    return None


def _send(receivers: "apprise.Apprise", message: Notification) -> bool:
    """
    Deliver a message to every receiver; return whether at least one of them took it.

    The receivers that did not take the message are logged as a warning. Nothing is raised.
    """
    try:
        parts: dict[str, Any] = asdict(message)
        result = receivers.notify(**parts, body_format="text", timeout=MESSAGE_SECONDS)
        refused = [receiver.name for receiver in result if not receiver]
        has_arrived = any(map(bool, result))
    except Exception as error:  # a fault of an Apprise plugin; its text may hold the address
        refused, has_arrived = [type(error).__name__], False
    if refused or not has_arrived:
        log.warning("not delivered by %s: %s", ", ".join(refused) or "any receiver", message.title)
    if has_arrived:
        log.info("told: %s", message.title)
    return has_arrived
