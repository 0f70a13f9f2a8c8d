"""An account's calls: by its client, as many as are left, until a refusal stops them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, datetime
from math import inf
from threading import Lock

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.outages import Outages
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account, PlannedAccount
from weixin_etl.problem import ProblemKind, WeixinError

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


class AccountCalls:
    """
    One account's calls of a try; several threads may make them at once.

    Once a refusal stops the account, the days not yet asked get it without a call, with its time.
    """

    def __init__(
        self,
        dataset: Dataset,
        planned: PlannedAccount,
        chunks: Iterable[list[date]],
        open_client: OpenClient,
        calls_left: float = inf,
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """Ask for these of the planned days."""
        self.account = Account(planned.conn_id, planned.appid, "", planned.name)
        self.chunks = deque(chunks)
        """Days that are judged together, not begun yet."""
        self._planned = planned
        self._dataset = dataset
        self._now: Callable[[], datetime] = lambda: max(now(), planned.planned_at)
        self._open_client = open_client
        self._calls_left = calls_left
        self._client: WeixinClient | None = None
        self._stopped: Refusal | None = None
        self._outages = Outages()
        self._lock = Lock()

    def ask(self, day: date) -> Answer | Refusal | None:
        """Ask for the day, unless the account is stopped; None when it has no call left."""
        with self._lock:
            if self._calls_left <= 0 and not self._stopped:
                return None
            client = self._client_or_refusal()
            if isinstance(client, Refusal):
                return client
            self._calls_left -= 1
        came = _not_before(client.datacube(self._dataset, day), self._planned.planned_at)
        with self._lock:
            self._calls_left -= came.calls - 1  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def stop(self) -> None:
        """Make no further call."""
        with self._lock:
            self._calls_left = 0

    def _client_or_refusal(self) -> WeixinClient | Refusal:
        if self._stopped:
            return replace(self._stopped, calls=0)
        try:
            self._client = self._client or self._opened()
        except WeixinError as error:
            self._stopped = Refusal(error, self._now(), calls=0)
            return self._stopped
        return self._client

    def _opened(self) -> WeixinClient:
        """
        The account's client, with a token.

        Raises:
            WeixinError: it gets none, or the connection's login has changed since the plan.
        """
        client, planned = self._open_client(self._planned), self._planned
        if client.account.appid != planned.appid:
            raise WeixinError(
                ProblemKind.CONFIGURATION,
                f"{planned.appid} then, {client.account.appid} now",
                account=planned.name,
                code="appid_changed",
            )
        client.check_token()
        return client

    def _note(self, day: date, came: Answer | Refusal) -> None:
        """
        Take a call's end into account.

        Several outages in a row stop the account. So does an endpoint that is offline, but not
        within the present window: WeChat may give older days that newer ones lack.
        """
        error = came.error if isinstance(came, Refusal) else None
        window_first = clock.beijing_date(self._now()) - rules.DAY * self._dataset.window
        is_retired = error and error.kind is ProblemKind.ENDPOINT_OFFLINE
        is_offline = is_retired and day < window_first
        self._outages.note(error if error and (error.kind.is_outage or is_offline) else None)
        if isinstance(came, Refusal) and (
            came.error.kind.stops_account or self._outages.are_enough
        ):
            self._stopped = came


def _not_before(came: Answer | Refusal, instant: datetime) -> Answer | Refusal:
    """The same, of no earlier instant: a clock may stand still, or go back."""
    if isinstance(came, Answer):
        return came if came.fetched_at >= instant else replace(came, fetched_at=instant)
    return replace(came, refused_at=max(came.refused_at, instant))
