"""Fixtures: one running Airflow for all tests of this folder, which run in one worker."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from support import choose_port
from support.people import serving, somebody
from support.receivers import Receiver, StatisticsReceiver
from support.rest import Rest, until
from world.notified import People

from weixin_etl import warehouse
from weixin_local.home import (
    Source,
    airflow_environment,
    connection_of,
    postgres_connection,
)
from weixin_sandbox import DEFAULT_ACCOUNT, Sandbox

from .stack import BEARER, COMPONENT, DAG, DEADLINES, PASSWORD, Stack

MISSED_DEADLINES = f"""
    UPDATE deadline SET missed = false, deadline_time = queued_at
        + interval '1 millisecond' * CASE dag_id WHEN '{DAG}' THEN 1 ELSE -1 END
    FROM dag_run WHERE dag_run.id = dagrun_id
"""
"""A statement that lets the run of `DAG` miss its deadline, at any time of the day.

All other runs get a deadline from before they were created.
"""
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """
    Run an Airflow on the real clock, without retries.

    Airflow creates its scheduled runs by itself. The run of `DAG` misses its deadline. The other
    runs get deadlines from before they were created.
    """
    sandbox = Sandbox(component=COMPONENT, token_service_bearer=BEARER)
    account, port = DEFAULT_ACCOUNT, choose_port()
    with (
        somebody() as person,
        sandbox.serve() as base_url,
        Receiver().serving() as receiver,
        StatisticsReceiver.serving() as statistics,
        person.up(
            port,
            AIRFLOW_CONN_WEIXIN_DEFAULT=connection_of(
                account.appid, account.secret, base_url, name=account.name
            ),
            AIRFLOW_CONN_WEIXIN_ALERTS=receiver.connection,
            AIRFLOW__WEIXIN__RETRY_DELAY_SECONDS="0",
            WEIXIN_IN_HASTE="1",
            **statistics.environment,
        ),
    ):
        rest = Rest(port, person.home.admin_password)
        rest("POST", "variables", {"key": "weixin_accounts", "value": '["weixin_default"]'})
        stack = Stack(person.home, rest, sandbox, base_url, receiver, statistics)
        until(lambda: stack.scheduled() != "")
        until(lambda: stack.metadata(f"SELECT count(DISTINCT dag_id) > 1 FROM {DEADLINES}"))
        stack.metadata(MISSED_DEADLINES)
        # A scheduled run would also collect the accounts of the tests.
        until(lambda: stack.scheduled() not in ("", "queued", "running"))
        yield stack


@pytest.fixture(scope="package")
def fab(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """
    Run the API server of the same Airflow with FAB, as in docker compose, and yield its port.

    Its page shows another warehouse, in which an account was refused on the second of two mornings.
    """
    home, port = stack.home, choose_port()
    home.server.create_database("weixin_page")
    url = home.server.url("weixin_page")
    warehouse.migrate(url)
    engine = warehouse.engine(url)
    people = People(engine)
    people.morning()
    people.morning(a=40164)
    engine.dispose()
    home.server.ask("weixin_page", "CREATE ROLE weixin_page LOGIN IN ROLE weixin_reader")
    reader = sqlalchemy.make_url(url).set(username="weixin_page")
    environment = airflow_environment(home, Source("weixin://", url), port) | {
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "FAB_PASSWORD": PASSWORD,
        "AIRFLOW_CONN_WEIXIN_READER": postgres_connection(reader),
        "WEIXIN_NOW": people.now.isoformat(),
    }
    command = [sys.executable, Path(__file__).with_name("fab_server.py"), str(port)]
    with serving(command, port, tmp_path_factory.mktemp("fab") / "log", **environment):
        yield port
