"""A company's own server that owns every token, as WeChat advises: it is asked, never WeChat."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
import requests
from msgspec import Meta

from weixin_etl.api.envelope import errcode_and_errmsg, read
from weixin_etl.api.http import Caller, CallLimits
from weixin_etl.api.token import Token, read_token
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.text import one_line

_PASSES = (requests.codes.request_timeout, requests.codes.too_many_requests)


class _Listed(msgspec.Struct):
    appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    name: str = ""


def accounts(service: Account, limits: CallLimits) -> list[Account]:
    """
    The accounts of a token service: `GET <token_url>`, answered `[{"appid", "name"}]`.

    Raises:
        WeixinError: the service gives no usable answer, or refuses who asks.
    """
    body = _asked(service, Caller(service, limits), {})
    listed = read(body, list[_Listed])
    if listed is None:
        said = "HTTP 200 without a list of accounts with appid and name"
        raise _error(ProblemKind.TOKEN_SERVICE, service, said)
    return [service.member(it.appid, one_line(it.name)) for it in listed]


def ask(account: Account, caller: Caller) -> Token:
    """
    The token of an account: `GET <token_url>?appid=…`, answered `{"access_token", "expires_in"}`.

    The connection's password is sent as bearer token, if it has one.

    Raises:
        WeixinError: the service gives no usable answer, or refuses the account or who asks.
    """
    body = _asked(account, caller, {"appid": account.appid})
    token = read_token(body)
    if token is None:
        said = f"HTTP 200 without access_token and expires_in{_but_errcode(body)}"
        raise _error(ProblemKind.TOKEN_SERVICE, account, said)
    return token


def _asked(account: Account, caller: Caller, parameters: Mapping[str, str]) -> bytes:
    """What the service answers with HTTP 200."""

    def proven(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {account.secret}"
        return request

    # not as a header: what ~/.netrc says of the host would replace it
    auth = proven if account.secret else None
    request = requests.Request("GET", account.token_url, params=dict(parameters), auth=auth)
    try:
        response = caller.send(request)
    except WeixinError as error:
        raise _error(ProblemKind.TOKEN_SERVICE, account, error.detail) from None
    status, body = response.status, response.body
    if status >= requests.codes.multiple_choices and status not in _PASSES:
        refuses = status in (requests.codes.unauthorized, requests.codes.forbidden)
        code = "token_service_refuses" if refuses else "token_service_lacks"
        raise _error(ProblemKind.CONFIGURATION, account, f"HTTP {status}", code)
    if status != requests.codes.ok:
        raise _error(ProblemKind.TOKEN_SERVICE, account, f"HTTP {status}{_but_errcode(body)}")
    return body


def _error(kind: ProblemKind, account: Account, said: str, code: str = "") -> WeixinError:
    connection = account.airflow_connection
    return WeixinError(kind, said, account=str(account), to_change=connection, code=code)


def _but_errcode(body: bytes) -> str:
    """WeChat's errcode, where the service passes that on."""
    try:
        errcode, _ = errcode_and_errmsg(body)
    except ValueError:
        return ""
    return f", but errcode {errcode}" if errcode else ""
