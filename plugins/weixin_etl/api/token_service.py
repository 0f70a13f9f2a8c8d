"""A company's own server that owns every token, as WeChat advises: it is asked, never WeChat."""

import requests

from weixin_etl.api.errors import ConfigurationError, UnreachableError, UnreadableError
from weixin_etl.api.http import Caller, errcode_and_errmsg
from weixin_etl.api.token import Token, read_token
from weixin_etl.model import Account

STALE = (
    "WeChat refuses the token of the token service",
    "have the token service mended: it gives a stale token, also when asked again",
)
"""Cause and cure."""
_UNUSABLE = (
    "the token service gives no usable answer",
    "wait; if it persists, look at the token service",
)
_REFUSED = ("the token service refuses who asks", "correct the password in {connection}")
_BY_STATUS = {
    requests.codes.unauthorized: _REFUSED,
    requests.codes.forbidden: _REFUSED,
    requests.codes.not_found: (
        "unknown to the token service",
        "correct login or token_url in {connection}",
    ),
}
_NOT_THERE = (
    "no token service answers at this address, and no redirect is followed",
    "correct token_url in {connection}",
)
_PASSES = (requests.codes.request_timeout, requests.codes.too_many_requests)


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
    except (UnreachableError, UnreadableError) as error:
        raise _unusable(account, error.detail) from None
    refusal = _BY_STATUS.get(status)
    if refusal is None and status >= requests.codes.multiple_choices and status not in _PASSES:
        refusal = _NOT_THERE
    if refusal:
        cause, cure = refusal
        cure = cure.format(connection=account.connection)
        raise ConfigurationError(f"HTTP {status}", account=str(account), cause=cause, cure=cure)
    token = read_token(body) if status == requests.codes.ok else None
    if token is None:
        raise _unusable(account, f"HTTP {status} without access_token and expires_in", body)
    return token


def _unusable(account: Account, detail: str, body: bytes = b"") -> UnreachableError:
    """With WeChat's errcode, where the service passes that on."""
    try:
        errcode, _ = errcode_and_errmsg(body)
    except ValueError:
        errcode = 0
    why = f"{detail}, but errcode {errcode}" if errcode else detail
    cause, cure = _UNUSABLE
    return UnreachableError(why, account=str(account), cause=cause, cure=cure)
