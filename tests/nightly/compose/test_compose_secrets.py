"""Docker compose makes the connections of `.env`."""

import json

import pytest
from installation import Installation


@pytest.fixture(scope="module")
def env(checkout: Installation) -> Installation:
    """A checkout with a generated `.env`."""
    checkout.does("make secrets")
    return checkout


@pytest.mark.parametrize(
    ("conn_id", "variables", "expected"),
    [
        (
            "weixin_default",
            {"WEIXIN_APPID": "wx1", "WEIXIN_SECRET": "s3cret"},
            ("weixin", "wx1", "s3cret", "", "", {"name": "wx1"}),
        ),
        ("weixin_default", {}, None),
        (
            "weixin_warehouse",
            {"WEIXIN_LOADER_PASSWORD": "l0ader"},
            ("postgres", "weixin_loader", "l0ader", "postgres", "weixin", {"sslmode": "disable"}),
        ),
    ],
)
def test_the_account_of_env_is_asked_and_the_warehouse_entered_as_the_loader(
    env: Installation, conn_id: str, variables: dict[str, str], expected: object
) -> None:
    """As for `make run`; without an account it is made in the UI. The owner may drop tables."""
    from airflow.sdk import Connection  # takes seconds

    config = env.does("docker compose -f docker-compose.yml config --format json", **variables)
    environment = json.loads(config)["services"]["scheduler"]["environment"]
    text = environment[f"AIRFLOW_CONN_{conn_id.upper()}"]
    made = Connection.from_uri(text, conn_id=conn_id) if text else None

    assert expected == (
        made
        and (
            *(made.conn_type, made.login, made.password),
            *(made.host, made.schema, made.extra_dejson),
        )
    )
