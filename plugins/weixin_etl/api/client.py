"""
The client of the WeChat API for one account.

It fetches the figures of one publication day, and returns the response's bytes or the error. It
gets access tokens itself. `api.calls` and the command `probe` use it.
"""

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
    """A successful response: its exact bytes, and the time at which they were complete."""

    body: bytes
    fetched_at: datetime
    calls: int
    """The number of data calls made, including repeated tries."""


class Quota(msgspec.Struct):
    """An account's quota of one endpoint, as WeChat counts the calls of all programs."""

    daily_limit: Annotated[int, msgspec.Meta(gt=0)]
    """A limit of 0 is rejected: WeChat may give it for an account whose calls it answers."""
    remain: Annotated[int, msgspec.Meta(ge=0)]


class _QuotaAnswer(msgspec.Struct):
    quota: Quota


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A call without figures: its error, and the time of the error."""

    error: WeixinError
    refused_at: datetime
    calls: int
    """The number of data calls made, including repeated tries."""


class WeixinClient:
    """One account's client; usable by several threads at once. Its errors contain no secret."""

    def __init__(
        self,
        account: Account,
        limits: CallLimits | None = None,
        token_source: RequestToken | None = None,
    ) -> None:
        """
        Make a client that shares the account's token with the process's other clients.

        Args:
            account: The account, with its secret or its token service.
            limits: The limits of each call.
            token_source: The source of tokens; by default WeChat, or the account's token service.
        """
        self.account = account
        limits = limits or CallLimits()
        self._caller = Caller(account, limits)
        cache = TokenCache(token_source or (lambda _: request_token(account, limits)))
        self._tokens = token_caches.setdefault(account, cache)

    def check_token(self) -> None:
        """Get a token, or raise the `WeixinError` that says why there is none."""
        self._tokens.token()

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime] = clock.now
    ) -> Response | FailedCall:
        """Fetch the dataset's figures of one day: `begin_date` and `end_date` are this day."""
        period = {"begin_date": day.isoformat(), "end_date": day.isoformat()}
        tries = itertools.count()
        try:
            body = self._post(dataset.path, period, tries)
        except WeixinError as error:
            # the traceback's frames would keep parts of the answer as long as the error lives
            error.__traceback__ = error.__context__ = None
            return FailedCall(error, now(), next(tries))
        return Response(body, now(), next(tries))

    def quota(self, dataset: Dataset) -> Quota:
        """
        Return how many calls of the dataset's endpoint are left today.

        https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html

        Raises:
            WeixinError: The call failed, or its answer contains no quota.
        """
        body = self._post(
            "/cgi-bin/openapi/quota/get", {"cgi_path": dataset.path}, itertools.count()
        )
        if answer := decode_as(body, _QuotaAnswer):
            return answer.quota
        detail = sentence("the quota call was answered without a quota")
        raise WeixinError(ProblemKind.UNREADABLE, detail, account=str(self.account))

    def _post(self, path: str, payload: dict[str, str], tries: Iterator[int]) -> bytes:
        """
        Return the body of a call's answer. If WeChat refuses the token, call again with a new one.

        Args:
            path: the path of the endpoint.
            payload: the values of the JSON body.
            tries: an unlimited counter, from which each request takes a number.

        Raises:
            WeixinError: there is no token or no answer, or the source of tokens returned the
                refused token again.
        """
        token = self._tokens.token()
        try:
            return self._caller.post(path, payload, token, tries=tries)
        except WeixinError as error:
            new_token = token
            if error.kind is ProblemKind.TOKEN_REFUSED:
                new_token = self._tokens.token(token)
            if new_token == token:
                raise
        return self._caller.post(path, payload, new_token, tries=tries)


token_caches: dict[Account, TokenCache] = {}
"""The token caches of the process, by account."""
