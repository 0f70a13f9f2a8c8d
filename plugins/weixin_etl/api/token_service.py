"""A company's own server that owns every token, as WeChat advises: it is asked, never WeChat."""

import requests

from weixin_etl.api.envelope import errcode_and_errmsg
from weixin_etl.api.http import Caller
from weixin_etl.api.token import Token, read_token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError

_PASSES = (requests.codes.request_timeout, requests.codes.too_many_requests)


def ask(account: Account, caller: Caller) -> Token:
    """
    The token that the account's token service gives.

    `GET <token_url>?appid=…`, with the account's secret as bearer token when it has one, answered
    `{"access_token", "expires_in"}`, in seconds.

    Raises:
        WeixinError: the service gives no usable answer, or refuses the account or who asks.
    """
    try:
        status, body = caller.get(account.token_url, {"appid": account.appid}, account.secret)
    except WeixinError as error:
        raise _error(ProblemKind.TOKEN_SERVICE, account, error.detail) from None
    if status >= requests.codes.multiple_choices and status not in _PASSES:
        refuses = status in (requests.codes.unauthorized, requests.codes.forbidden)
        kind = ProblemKind.TOKEN_SERVICE_REFUSES if refuses else ProblemKind.TOKEN_SERVICE_LACKS
        raise _error(kind, account, f"HTTP {status}")
    token = read_token(body) if status == requests.codes.ok else None
    if token is None:
        said = f"HTTP {status} without access_token and expires_in{_but_errcode(body)}"
        raise _error(ProblemKind.TOKEN_SERVICE, account, said)
    return token


def _error(kind: ProblemKind, account: Account, said: str) -> WeixinError:
    return WeixinError(kind, said, account=str(account), conn_id=account.airflow_connection)


def _but_errcode(body: bytes) -> str:
    """WeChat's errcode, where the service passes that on."""
    try:
        errcode, _ = errcode_and_errmsg(body)
    except ValueError:
        return ""
    return f", but errcode {errcode}" if errcode else ""
