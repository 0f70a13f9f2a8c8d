"""Docker compose makes the connection of the account in `.env`."""

import json

import pytest
from installation import Installation


@pytest.mark.parametrize("appid", ["wx1", ""])
def test_the_account_of_env_is_the_connection_weixin_default(
    checkout: Installation, appid: str
) -> None:
    """As for `make run`: called by its AppID, and asked at WeChat; without one it is Airflow's."""
    from airflow.sdk import Connection  # takes seconds

    config = checkout.does(
        "make secrets && docker compose -f docker-compose.yml config --format json",
        WEIXIN_APPID=appid,
        WEIXIN_SECRET="s3cret",
    )
    services = json.loads(config[config.index("{") :])["services"]
    text = services["scheduler"]["environment"]["AIRFLOW_CONN_WEIXIN_DEFAULT"]

    assert bool(text) == bool(appid)
    if text:
        made = Connection.from_uri(text, conn_id="weixin_default")
        assert (made.conn_type, made.login, made.password) == ("weixin", "wx1", "s3cret")
        assert (made.host, made.schema, made.extra_dejson) == ("", "", {"name": "wx1"})
