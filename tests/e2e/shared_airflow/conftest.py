"""One Airflow for the tests of this folder, which the runner gives to one worker."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy
from people import somebody
from receivers import Receiver
from rest import Rest
from support import choose_port

from weixin_etl import clock, warehouse
from weixin_local.home import (
    Source,
    admin_password,
    airflow_environment,
    connection_of,
    postgres_connection,
)
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

from .running import BEARER, COMPONENT, PASSWORD, FabServer, Stack, start_fab, until


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """
    It runs by the real clock, without retries.

    The run that it made by itself would have a minute from its creation, being created late; its
    deadline is put back by that minute while it works, so that it misses it.
    """
    sandbox = Sandbox(component=COMPONENT, token_service_bearer=BEARER)
    account = DEFAULT_ACCOUNT
    port = choose_port()
    with (
        somebody() as person,
        sandbox.serve() as base_url,
        Receiver().listening() as receiver,
        person.up(
            port,
            AIRFLOW_CONN_WEIXIN_DEFAULT=connection_of(
                account.appid, account.secret, base_url, name=account.name
            ),
            AIRFLOW_CONN_WEIXIN_ALERTS=receiver.connection,
            AIRFLOW__WEIXIN__DEADLINE_HOUR="08:31",
            AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS="0",
            WEIXIN_IN_HASTE="1",
        ),
    ):
        rest = Rest(port, admin_password(person.home))
        rest("POST", "variables", {"key": "weixin_accounts", "value": '["weixin_default"]'})
        stack = Stack(person.home, rest, sandbox, base_url, receiver)
        until(lambda: stack.scheduled()["state"] != "")
        stack.metadata("UPDATE deadline SET deadline_time = deadline_time - interval '1 minute'")
        # it would ask the accounts of the tests as well
        until(lambda: stack.scheduled()["state"] not in ("", "queued", "running"))
        yield stack


@pytest.fixture(scope="package")
def fab(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FabServer]:
    """The same Airflow as docker compose has it; it is noon, and the page has its own warehouse."""
    home = stack.home
    home.server.create_database("weixin_page")
    url = home.server.url("weixin_page")
    warehouse.migrate(url)
    home.server.ask("weixin_page", "CREATE ROLE weixin_page LOGIN IN ROLE weixin_reader")
    reader = sqlalchemy.make_url(url).set(username="weixin_page")
    environment = airflow_environment(home, Source("weixin://", url), choose_port()) | {
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
        ),
        "FAB_PASSWORD": PASSWORD,
        "AIRFLOW_CONN_WEIXIN_READER": postgres_connection(reader),
        # of the day on which Airflow's last run was due: the next one is not overdue at noon
        "WEIXIN_NOW": f"{clock.beijing_date(clock.now() - timedelta(hours=8.5))}T12:00:00+08:00",
    }
    log = tmp_path_factory.mktemp("fab") / "log"
    server = start_fab(environment, log)
    try:
        yield FabServer(environment, url, server, log)
    finally:
        server.terminate()
        server.wait(30)
