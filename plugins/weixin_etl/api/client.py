"""The WeChat API for one account: the answer of a publication day, or why there is none."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import msgspec

from weixin_etl import clock
from weixin_etl.api import token_service
from weixin_etl.api.envelope import read
from weixin_etl.api.http import Call, Caller, CallLimits
from weixin_etl.api.token import AskForToken, Token, TokenKeeper, read_token
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError

TOKENS_A_CALL = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: the exact bytes, and when they had come."""

    body: bytes
    fetched_at: datetime
    calls: int
    """Data calls it took, repeated ones included."""


class Quota(msgspec.Struct):
    """What WeChat says of an account's calls of one endpoint, whoever makes them."""

    daily_limit: Annotated[int, msgspec.Meta(gt=0)]
    """0 of 0 is no limit that is known: WeChat may answer the account all the same."""
    remain: Annotated[int, msgspec.Meta(ge=0)]


class _QuotaAnswer(msgspec.Struct):
    quota: Quota


@dataclass(frozen=True, slots=True)
class Refusal:
    """No figures: why, and when that was known."""

    error: WeixinError
    refused_at: datetime
    calls: int
    """Data calls made before it was given up."""


class WeixinClient:
    """Speaks for one account; may be used by several threads at once. Its errors hold no secret."""

    def __init__(
        self,
        account: Account,
        limits: CallLimits | None = None,
        ask_for_token: AskForToken | None = None,
    ) -> None:
        """Without `ask_for_token` its own token is asked for, of its token service if any."""
        self.account = account
        limits = limits or CallLimits()
        self._caller = Caller(account, limits)
        self._keeper = _keeper(account, ask_for_token or _own_token(account, self._caller))

    def check_token(self) -> None:
        """
        Make sure that WeChat gives a token for the account.

        Raises:
            WeixinError: it does not; says why.
        """
        self._keeper.token()

    def datacube(self, dataset: Dataset, publication_date: date) -> Answer | Refusal:
        """Ask for the dataset's figures of one publication day (`begin_date` = `end_date`)."""
        day = publication_date.isoformat()
        calls = 0

        def count() -> None:
            nonlocal calls
            calls += 1

        try:
            payload = {"begin_date": day, "end_date": day}
            body = self._with_token(
                lambda token: self._caller.post(Call(dataset.path, payload, token), count)
            )
        except WeixinError as error:
            # its frames hold what was read of the answer, for as long as somebody holds the error
            error.__traceback__ = error.__context__ = None
            return Refusal(error, clock.now(), calls)
        return Answer(body, clock.now(), calls)

    def quota(self, dataset: Dataset) -> Quota:
        """
        Ask what is left of the day's calls of the dataset's endpoint.

        https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html

        Raises:
            WeixinError: WeChat does not say.
        """
        payload = {"cgi_path": dataset.path}
        path = "/cgi-bin/openapi/quota/get"
        body = self._with_token(lambda token: self._caller.post(Call(path, payload, token)))
        if answer := read(body, _QuotaAnswer):
            return answer.quota
        raise WeixinError(
            ProblemKind.UNREADABLE,
            "the quota call was answered without a quota",
            account=str(self.account),
        )

    def _with_token(self, post: Callable[[str], bytes]) -> bytes:
        """
        Post; a refused token is replaced, but none is used twice nor more than three.

        A token service is asked once more only: it, not WeChat, has a stale token then.
        """
        token = self._keeper.token()
        most = 2 if self.account.token_url else TOKENS_A_CALL
        refused: set[str] = set()
        while True:
            try:
                return post(token)
            except WeixinError as error:
                if error.kind is not ProblemKind.TOKEN_REFUSED:
                    raise
                refused.add(token)
                if len(refused) < most:
                    token = self._keeper.token(token)
                if token in refused:
                    raise


_keepers: dict[Account, TokenKeeper] = {}
_keepers_lock = threading.Lock()


def _keeper(account: Account, ask: AskForToken) -> TokenKeeper:
    """The process's one keeper of the account's token."""
    with _keepers_lock:
        return _keepers.setdefault(account, TokenKeeper(ask))


def ask_for_token(account: Account, limits: CallLimits) -> None:
    """
    Make sure that the account gets a token now, whatever token this process keeps.

    Raises:
        WeixinError: it does not; says why.
    """
    _own_token(account, Caller(account, limits))("")


def _own_token(account: Account, caller: Caller) -> AskForToken:
    """Where an account's token is from that has authorised no platform."""
    ask = token_service.ask if account.token_url else _stable_token
    return lambda _: ask(account, caller)


def _stable_token(account: Account, caller: Caller) -> Token:
    """
    WeChat's current token: everyone who asks gets the same, so asking harms nobody.

    https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html
    """
    payload = {
        "grant_type": "client_credential",
        "appid": account.appid,
        "secret": account.secret,
        "force_refresh": False,
    }
    token = read_token(caller.post(Call("/cgi-bin/stable_token", payload)))
    if token is None:
        raise WeixinError(
            ProblemKind.UNREACHABLE,
            "the token call was answered without a token",
            account=str(account),
        )
    return token
