"""Docker compose makes the connections of `.env`."""

import json
from typing import Any

import pytest
from installation import Installation


@pytest.fixture(scope="module")
def env(checkout: Installation) -> Installation:
    """A checkout with a generated `.env`."""
    checkout.does("make secrets")
    return checkout


def connection(env: Installation, conn_id: str, **variables: str) -> dict[str, Any] | None:
    """What Airflow makes of the scheduler's connection."""
    config = env.does("docker compose -f docker-compose.yml config --format json", **variables)
    text = json.loads(config)["services"]["scheduler"]["environment"][f"AIRFLOW_CONN_{conn_id}"]
    if not text:
        return None
    from airflow.sdk import Connection

    made = Connection.from_uri(text, conn_id=conn_id)
    return {
        "type": made.conn_type,
        "login": made.login,
        "password": made.password,
        "host": made.host,
        "database": made.schema,
        "extra": made.extra_dejson,
    }


def test_the_account_of_env_is_the_connection_weixin_default(env: Installation) -> None:
    """As for `make run`: called by its AppID, and asked at WeChat."""
    made = connection(env, "WEIXIN_DEFAULT", WEIXIN_APPID="wx1", WEIXIN_SECRET="s3cret")

    assert made == {
        "type": "weixin",
        "login": "wx1",
        "password": "s3cret",
        "host": "",
        "database": "",
        "extra": {"name": "wx1"},
    }


def test_without_an_account_in_env_connections_are_airflows(env: Installation) -> None:
    """They are made in the UI then."""
    assert connection(env, "WEIXIN_DEFAULT") is None


def test_tasks_enter_the_warehouse_as_the_loader(env: Installation) -> None:
    """Not as its owner, who may change and drop tables."""
    made = connection(env, "WEIXIN_WAREHOUSE", WEIXIN_LOADER_PASSWORD="l0ader")

    assert made == {
        "type": "postgres",
        "login": "weixin_loader",
        "password": "l0ader",
        "host": "postgres",
        "database": "weixin",
        "extra": {"sslmode": "disable"},
    }
