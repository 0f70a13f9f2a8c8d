"""
The client of the WeChat API for one account.

It fetches the figures of one day, and returns the response's bytes or the error. It
gets access tokens itself. `api.calls` and the command `probe` use it.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

import msgspec

from weixin_etl import clock
from weixin_etl.api.http import UNCOUNTED, Caller, CallLimits, decode_as
from weixin_etl.api.token import RequestToken, TokenCache, call_with_token, request_token
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
    """
    A call that brought no answer: its error, and the time of the error.

    It may stand for a call that was never made, because there is no token, or because an earlier
    error stopped the account.
    """

    error: WeixinError
    refused_at: datetime
    calls: int
    """The number of data calls made, including repeated tries."""


class WeixinClient:
    """One account's client; usable by several threads at once. Its errors contain no secret."""

    def __init__(
        self, account: Account, limits: CallLimits, token_source: RequestToken | None = None
    ) -> None:
        """
        Make a client that shares the account's token with the process's other clients.

        No call is made yet. Tokens come from the source of the account's first client.

        Args:
            account: The account, with its secret or its token service.
            limits: The limits of each call.
            token_source: The source of tokens; by default WeChat, or the account's token service.
        """
        self.account = account
        self._caller = Caller(account, limits)
        cache = TokenCache(token_source or (lambda _: request_token(account, limits)))
        self._tokens = token_caches.setdefault(account, cache)

    def check_token(self) -> None:
        """
        Request a token unless a usable one is cached. It is kept for the calls that follow.

        Raises:
            WeixinError: There is no token; the problem says why.
        """
        self._tokens.token()

    def datacube(
        self, dataset: Dataset, day: date, now: Callable[[], datetime] = clock.now
    ) -> Response | FailedCall:
        """
        Fetch the dataset's figures of one day: `begin_date` and `end_date` are this day.

        The body of the answer is not parsed. No `WeixinError` is raised.

        Args:
            dataset: The dataset whose endpoint is called.
            day: The day in Beijing.
            now: Returns the time of the answer or the error.

        Returns:
            The successful answer, or the error: WeChat refused the call, there is no token, or no
            usable answer.
        """
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
        Return how many calls of the dataset's endpoint WeChat allows a day, and how many are left.

        https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html

        Raises:
            WeixinError: The call failed, or its answer contains no quota with a limit above 0.
        """
        body = self._post("/cgi-bin/openapi/quota/get", {"cgi_path": dataset.path})
        if answer := decode_as(body, _QuotaAnswer):
            return answer.quota
        detail = sentence("the quota call was answered without a quota")
        raise WeixinError(ProblemKind.UNREADABLE, detail, account=str(self.account))

    def _post(self, path: str, payload: dict[str, str], tries: Iterator[int] = UNCOUNTED) -> bytes:
        """
        Return the body of a call's answer. If WeChat refuses the token, call again with a new one.

        Args:
            path: The path of the endpoint.
            payload: The values of the JSON body.
            tries: An unlimited counter, from which each request takes a number.

        Raises:
            WeixinError: There is no token or no successful answer, or the source of tokens returned
                the refused token again.
        """
        return call_with_token(
            self._tokens.token, lambda token: self._caller.post(path, payload, token, tries)
        )


token_caches: dict[Account, TokenCache] = {}
"""The token caches of the process, by account with its credentials."""
