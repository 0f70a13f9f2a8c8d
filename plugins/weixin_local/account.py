"""Whose figures the local stack collects: a real account's, or the sandbox's."""

import json
import os

from dotenv import dotenv_values

from weixin_etl.model import DEFAULT_BASE_URL
from weixin_local.errors import LocalError
from weixin_local.home import Home

CONNECTION_VARIABLE = "AIRFLOW_CONN_WEIXIN_DEFAULT"


def configured_connection(home: Home) -> str | None:
    """
    What `AIRFLOW_CONN_WEIXIN_DEFAULT` shall be: the caller's, or made from the credentials.

    `WEIXIN_APPID` and `WEIXIN_SECRET` come from the environment, else from `.env`. None means that
    there are none, so that the sandbox has to answer.

    Raises:
        LocalError: one of the two is there without the other.

    """
    if os.environ.get(CONNECTION_VARIABLE):
        return os.environ[CONNECTION_VARIABLE]
    values = {**dotenv_values(home.project / ".env"), **os.environ}
    appid, secret = values.get("WEIXIN_APPID"), values.get("WEIXIN_SECRET")
    if not appid and not secret:
        return None
    if not appid or not secret:
        missing, given = ("SECRET", "APPID") if appid else ("APPID", "SECRET")
        raise LocalError(
            f"WEIXIN_{given} is set and WEIXIN_{missing} is not: add it to .env, "
            "or empty both to use the sandbox."
        )
    return connection(appid, secret, DEFAULT_BASE_URL, name=appid)


def sandbox_connection(base_url: str) -> str:
    """The connection to the sandbox's own account."""
    from weixin_sandbox import DEFAULT_ACCOUNT

    return connection(
        DEFAULT_ACCOUNT.appid, DEFAULT_ACCOUNT.secret, base_url, name=DEFAULT_ACCOUNT.name
    )


def connection(appid: str, secret: str, base_url: str, name: str) -> str:
    """An Airflow connection of type `weixin`, as JSON."""
    return json.dumps(
        {
            "conn_type": "weixin",
            "login": appid,
            "password": secret,
            "host": base_url,
            "extra": {"name": name},
        }
    )
