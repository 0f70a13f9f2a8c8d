"""The task of the DAG `weixin_digest`: it sends yesterday's digest to where the team talks."""

import logging

from airflow.sdk.exceptions import AirflowSkipException

from weixin_etl import clock
from weixin_etl.delivery import digest
from weixin_etl.health.notifications import Notification
from weixin_etl.orchestration.connections.warehouse import open_warehouse
from weixin_etl.orchestration.tasks import observations
from weixin_etl.orchestration.tasks.daily import readable_ending
from weixin_etl.orchestration.tasks.declared import EndForGood, EndOfTask
from weixin_etl.warehouse import diagnosed, require_migrated

log = logging.getLogger(__name__)

CONN_ID = "weixin_digest"


@readable_ending()
def send() -> None:
    """
    Send yesterday's digest to the receivers of the connection `weixin_digest`.

    Raises:
        AirflowSkipException: it was sent before, its figures are not all in and it is not noon yet,
            or no account is collected.
        EndForGood: the connection is missing or names no receiver.
        EndOfTask: no receiver took the message, or the warehouse can't be used now.
    """
    warehouse = open_warehouse()
    try:
        with diagnosed(warehouse):
            require_migrated(warehouse)
            reason = digest.send_digest(
                warehouse, _deliver, now=clock.now(), installation=observations.installation()
            )
    finally:
        warehouse.dispose()
    if reason:
        log.info("nothing is sent: %s", reason)
        raise AirflowSkipException(reason)


def _deliver(message: Notification) -> None:
    """
    Deliver the digest to at least one receiver.

    Raises:
        EndForGood: the connection is missing or names no receiver.
        EndOfTask: no receiver took the message.
    """
    deliver = observations.sender(CONN_ID)
    if deliver is None:
        log.error("nobody gets the digest: create the Apprise connection %s", CONN_ID)
        raise EndForGood("see the ERROR line above")
    if not deliver(message):
        raise EndOfTask("see the WARNING line above")
