"""Access tokens: asked for once per process and account, of WeChat or of a token service."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import requests
from msgspec import Meta

from weixin_etl.api.http import Caller, CallLimits, decode_as
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import Quoted, Sentence, sentence
from weixin_etl.text import one_line

RENEW_BEFORE_SECONDS = 300
"""WeChat itself renews a token in its last five minutes, when old and new are both good."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it was good for when it was answered."""

    value: str = field(repr=False)
    expires_in_seconds: float


TokenText = Annotated[str, Meta(pattern=r"^[!-~]+\Z")]
"""A token in an answer: what a URL can carry."""
Seconds = Annotated[float, Meta(ge=0, le=1_000_000_000)]
"""How long a token in an answer is good for."""


class _TokenAnswer(msgspec.Struct):
    access_token: TokenText
    expires_in: Seconds


class _Listed(msgspec.Struct):
    appid: Annotated[str, Meta(pattern=r"^wx\w{1,62}\Z")]
    name: str = ""


RequestToken = Callable[[str], Token]
"""Where an account's token is from; given the one that WeChat refuses, or "" when none is."""


class TokenCache:
    """Gives one account's token to every thread of the process."""

    def __init__(self, ask: RequestToken) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._known = ""
        self._renew_at = 0.0

    def token(self, refused: str = "") -> str:
        """Not the `refused` one; it has five minutes left, or half of what it was answered with."""
        with self._lock:
            if self._known != refused and time.monotonic() < self._renew_at:
                return self._known
            token = self._ask(refused)
            # a token answered in its last minutes is used, not asked for again at every call
            left = token.expires_in_seconds
            self._renew_at = time.monotonic() + max(left - RENEW_BEFORE_SECONDS, left / 2)
            self._known = token.value
            return self._known


def request_token(account: Account, limits: CallLimits) -> Token:
    """
    A token of WeChat's or of the account's token service; a `WeixinError` says why there is none.

    Everyone who asks WeChat gets the same, so asking harms nobody. A token service is asked by
    `GET <token_url>?appid=…`, which it answers `{"access_token", "expires_in"}`.
    https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
    """
    if account.token_url:
        kind, body = (
            ProblemKind.TOKEN_SERVICE,
            _ask_service(account, limits, {"appid": account.appid}),
        )
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
    """The accounts of a token service: `GET <token_url>`, answered `[{"appid", "name"}]`."""
    listed = decode_as(_ask_service(service, limits, {}), list[_Listed])
    if listed is None:
        said = sentence("the answer has no list of accounts with appid and name")
        raise _error(ProblemKind.TOKEN_SERVICE, service, said)
    return [service.member(it.appid, one_line(it.name)) for it in listed]


def _ask_service(account: Account, limits: CallLimits, parameters: Mapping[str, str]) -> bytes:
    """What the service answers with HTTP 200; the connection's password is the bearer token."""
    proof = {"Authorization": f"Bearer {account.secret}"} if account.secret else {}
    request = requests.Request("GET", account.token_url, proof, params=dict(parameters))
    try:
        status, body, _ = Caller(account, limits).send(request)
    except WeixinError as error:
        raise _error(ProblemKind.TOKEN_SERVICE, account, error.detail or Quoted("")) from None
    if status != requests.codes.ok:
        raise _error(ProblemKind.TOKEN_SERVICE, account, sentence("HTTP {status}", status=status))
    return body


def _error(kind: ProblemKind, account: Account, said: Sentence | Quoted) -> WeixinError:
    return WeixinError(kind, said, account=str(account), to_change=account.airflow_connection)
