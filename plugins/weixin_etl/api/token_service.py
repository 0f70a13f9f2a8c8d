"""A company's own server that owns every token, as WeChat advises: it is asked, never WeChat."""

import requests

from weixin_etl.api.errors import ConfigurationError, UnreachableError
from weixin_etl.api.http import Caller
from weixin_etl.api.token import Token, read_token
from weixin_etl.model import Account

STALE = (
    "WeChat refuses the token of the token service",
    "have the token service mended: it gives a stale token, also when asked again",
)
"""Cause and cure."""
_LOOK = "wait; if it persists, look at the token service"
_REFUSED = (requests.codes.unauthorized, requests.codes.forbidden)


def ask(account: Account, caller: Caller) -> Token:
    """
    The token that the account's token service gives.

    `GET <token_url>?appid=…`, with the account's secret as bearer token when it has one, answered
    `{"access_token", "expires_in"}`, in seconds.

    Raises:
        UnreachableError: the service gives no usable answer.
        ConfigurationError: it refuses the account or who asks.

    """
    try:
        status, body = caller.get(account.token_url, {"appid": account.appid}, account.secret)
    except UnreachableError as error:
        error.cause, error.cure = "the token service gives no usable answer", _LOOK
        raise
    if status in _REFUSED:
        raise ConfigurationError(
            f"HTTP {status}",
            account=str(account),
            cause="the token service refuses who asks",
            cure=f"correct the password in {account.connection}",
        )
    if status == requests.codes.not_found:
        raise ConfigurationError(
            f"HTTP {status}",
            account=str(account),
            cause="unknown to the token service",
            cure=f"correct login or token_url in {account.connection}",
        )
    token = read_token(body) if status == requests.codes.ok else None
    if token is None:
        raise UnreachableError(
            f"HTTP {status} without access_token and expires_in",
            account=str(account),
            cause="the token service gives no usable answer",
            cure=_LOOK,
        )
    return token
