"""
Access tokens of accounts: requested from WeChat or a token service, and cached in the process.

A client asks its `TokenCache`, which calls `request_token` when it has no usable token.
`call_with_token` makes a call that needs a token. A token service also lists its accounts.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, TypeVar

import msgspec
import requests
from msgspec import Meta

from weixin_etl.api.http import Caller, CallLimits, decode_as
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import one_line

T = TypeVar("T")
RENEW_BEFORE_SECONDS = 300
"""WeChat renews a token in its last five minutes. The old and the new token are valid then."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, and its remaining validity when it was received."""

    value: str = field(repr=False)
    expires_in_seconds: float


TokenText = Annotated[str, Meta(pattern=r"^[!-~]+\Z")]
"""A token in an answer: printable ASCII, so that a URL can contain it."""
Seconds = Annotated[float, Meta(ge=0, le=1_000_000_000)]
"""The remaining validity of a token in an answer."""


class _TokenAnswer(msgspec.Struct):
    access_token: TokenText
    expires_in: Seconds


class _ServiceAccount(msgspec.Struct):
    appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    name: str = ""


RequestToken = Callable[[str], Token]
"""Requests a token. The argument is the token that WeChat refused, or "" if it refused none."""


class TokenCache:
    """One account's token, shared by all threads of the process."""

    def __init__(self, request: RequestToken) -> None:
        """Make a cache without a token. `request` is called at the first use."""
        self._request = request
        self._lock = threading.Lock()
        self._cached = ""
        self._renew_at = 0.0

    def token(self, refused: str = "") -> str:
        """
        Return the cached token, or request one if the cached token is `refused` or ends soon.

        A cached token is used until five minutes before its end. A token that was received with
        less than ten minutes left is used for half of that time. Other threads wait during the
        request. The source may return the `refused` token again, which is then returned.

        Raises:
            WeixinError: The request brought no token. The cached token stays.
        """
        with self._lock:
            if self._cached != refused and time.monotonic() < self._renew_at:
                return self._cached
            token = self._request(refused)
            # a token in its last minutes must not be requested again at every call
            validity = token.expires_in_seconds
            self._renew_at = time.monotonic() + max(validity - RENEW_BEFORE_SECONDS, validity / 2)
            self._cached = token.value
            return self._cached


def call_with_token(token: Callable[[str], str], call: Callable[[str], T]) -> T:
    """
    Make a call with a token, and return its result.

    If WeChat refuses the token, the call is made once more with a new one.

    Args:
        token: Returns a token. Its argument is the refused one, or "" at first.
        call: Makes the call with the token that it gets.

    Raises:
        WeixinError: There is no token, or the call failed. If `token` returned the refused token
            again, that is the refusal, and no second call is made.
    """
    first = second = token("")
    try:
        return call(first)
    except WeixinError as error:
        if error.kind is ProblemKind.TOKEN_REFUSED:
            second = token(first)
        if second == first:
            raise
    return call(second)


def request_token(account: Account, limits: CallLimits) -> Token:
    """
    Request a token from WeChat, or from the account's token service if it has one. Cache nothing.

    WeChat gives the same stable token to every program, so the request ends no other program's
    token. A token service answers `GET <token_url>?appid=…` with `{"access_token", "expires_in"}`.
    https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html

    Raises:
        WeixinError: The request failed, or its answer contains no token that a URL can contain.
    """
    if account.token_url:
        kind = ProblemKind.TOKEN_SERVICE
        body = _ask_service(account, limits, {"appid": account.appid})
    else:
        payload = {
            "grant_type": "client_credential",
            "appid": account.appid,
            "secret": account.secret,
            "force_refresh": False,
        }
        kind = ProblemKind.UNREACHABLE
        body = Caller(account, limits).post("/cgi-bin/stable_token", payload)
    answer = decode_as(body, _TokenAnswer)
    if answer is None:
        raise _error(kind, account, sentence("the answer has no access_token and expires_in"))
    return Token(answer.access_token, answer.expires_in)


def list_service_accounts(service: Account, limits: CallLimits) -> list[Account]:
    """
    Request the list of a token service's accounts, and return them with its credentials.

    The service answers `GET <token_url>` with `[{"appid", "name"}]`; the name may be missing.

    Raises:
        WeixinError: The request failed, or its answer is not such a list (`TOKEN_SERVICE`). An
            AppID that does not begin with `wx` makes the whole list unusable.
    """
    listed = decode_as(_ask_service(service, limits, {}), list[_ServiceAccount])
    if listed is None:
        detail = sentence("the answer has no list of accounts with appid and name")
        raise _error(ProblemKind.TOKEN_SERVICE, service, detail)
    return [service.member(member.appid, one_line(member.name)) for member in listed]


def _ask_service(account: Account, limits: CallLimits, parameters: Mapping[str, str]) -> bytes:
    """
    Return the body of the token service's answer to a GET with these query parameters.

    The connection's password, if there is one, is sent as the bearer token.

    Raises:
        WeixinError: There is no answer, or its status is not 200 (`TOKEN_SERVICE`).
    """
    headers = {"Authorization": f"Bearer {account.secret}"} if account.secret else {}
    request = requests.Request("GET", account.token_url, headers, params=dict(parameters))
    try:
        status, body, _ = Caller(account, limits).send(request)
    except WeixinError as error:
        raise _error(ProblemKind.TOKEN_SERVICE, account, error.detail or Quoted("")) from None
    if status != requests.codes.ok:
        raise _error(ProblemKind.TOKEN_SERVICE, account, sentence("HTTP {status}", status=status))
    return body


def _error(kind: ProblemKind, account: Account, detail: Sentence | Quoted) -> WeixinError:
    """Return an error of the kind for the account. Its cure names the Airflow connection."""
    return WeixinError(kind, detail, account=str(account), to_change=account.airflow_connection)
