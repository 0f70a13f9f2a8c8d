"""The WeChat API for one account: the answer of a publication day, or why there is none."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import msgspec

from weixin_etl import clock
from weixin_etl.api.http import Caller, CallLimits, decode_as
from weixin_etl.api.token import RequestToken, TokenCache, request_token
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import sentence


@dataclass(frozen=True, slots=True)
class Response:
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
class FailedCall:
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
        ask: RequestToken | None = None,
    ) -> None:
        """Without `ask` its own token is asked for, of its token service if any."""
        self.account = account
        limits = limits or CallLimits()
        self._caller = Caller(account, limits)
        keeper = TokenCache(ask or (lambda _: request_token(account, limits)))
        self._keeper = token_caches.setdefault(account, keeper)

    def check_token(self) -> None:
        """Make sure that WeChat gives a token for the account; a `WeixinError` says why not."""
        self._keeper.token()

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime] = clock.now
    ) -> Response | FailedCall:
        """Ask for the dataset's figures of one day (`begin_date` = `end_date`)."""
        that_day = day.isoformat()
        tries = itertools.count()
        try:
            body = self._posted(dataset.path, {"begin_date": that_day, "end_date": that_day}, tries)
        except WeixinError as error:
            # its frames hold what was read of the answer, for as long as somebody holds the error
            error.__traceback__ = error.__context__ = None
            return FailedCall(error, now(), next(tries))
        return Response(body, now(), next(tries))

    def quota(self, dataset: Dataset) -> Quota:
        """
        Ask what is left of the day's calls of the dataset's endpoint; a `WeixinError` says why not.

        https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html
        """
        body = self._posted(
            "/cgi-bin/openapi/quota/get", {"cgi_path": dataset.path}, itertools.count()
        )
        if answer := decode_as(body, _QuotaAnswer):
            return answer.quota
        said = sentence("the quota call was answered without a quota")
        raise WeixinError(ProblemKind.UNREADABLE, said, account=str(self.account))

    def _posted(self, path: str, payload: dict[str, str], tries: Iterator[int]) -> bytes:
        """The answer of a call; a token that WeChat refuses is replaced once."""
        token = self._keeper.token()
        try:
            return self._caller.post(path, payload, token, tries=tries)
        except WeixinError as error:
            renewed = token
            if error.kind is ProblemKind.TOKEN_REFUSED:
                renewed = self._keeper.token(token)
            if renewed == token:
                raise
        return self._caller.post(path, payload, renewed, tries=tries)


token_caches: dict[Account, TokenCache] = {}
"""The process's tokens."""
