"""
The calls of one account within one try of the task `ingest`.

`AccountCalls` fetches days through the account's client, counts each call for the day's quota, and
stops after an error that concerns the whole account. The module `run.ingest` makes one object for
each account; `run.extract` calls it from several threads.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field, replace
from datetime import date, datetime
from math import inf
from threading import Lock

from weixin_etl import clock, rules
from weixin_etl.api.client import FailedCall, Response, WeixinClient
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account, PlannedAccount
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import Quoted

RESERVED_CALLS = 40
"""Calls of an account that are counted together before they are made. Most days need fewer."""
OpenClient = Callable[[PlannedAccount], WeixinClient]
"""Returns a planned account's client. Raises `WeixinError` if its connection is unusable."""


class OutageStreak:
    """
    The consecutive outages of calls to one server; usable by several threads at once.

    Each outage lasts as long as all tries of a call: some minutes. The streak's limit keeps
    thousands of calls from waiting that long.
    """

    def __init__(self) -> None:
        """Begin without an outage."""
        self._outages: list[WeixinError] = []

    @property
    def is_at_limit(self) -> bool:
        """Whether the streak is so long that no further call is made."""
        return len(self._outages) >= rules.OUTAGES_BEFORE_STOP

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """
        Record the outcome of the call in the block: an outage, or the end of the streak.

        Only a `WeixinError` of a kind that `is_outage` is an outage. Every other `WeixinError`, and
        a block that ends normally, end the streak. Other exceptions change nothing.

        Raises:
            WeixinError: The error of the block; or, if the streak is at its limit, the last outage.
                Then the block is not executed.
        """
        if self.is_at_limit:
            raise self._outages[-1].with_traceback(None)
        try:
            yield
        except WeixinError as error:
            self.record(error if error.kind.is_outage else None)
            raise
        self.record(None)

    def record(self, outage: WeixinError | None) -> None:
        """Add an outage to the streak. None means another outcome, which ends the streak."""
        self._outages = [*self._outages, outage] if outage else []


@dataclass(eq=False)
class AccountCalls:
    """
    The calls of one account in one try; usable by several threads at once.

    After an error that stops the account, the other days get the same error without a call.
    """

    dataset: Dataset
    planned: PlannedAccount
    planned_chunks: InitVar[Iterable[list[date]]]
    """The account's days, in lists of days that are evaluated together."""
    open_client: OpenClient
    calls_left: float = inf
    now: Callable[[], datetime] = clock.now
    count: Callable[["AccountCalls", int], None] = lambda *_: None
    """
    Adds a number of calls to the stored count of `reserved_on`, for the day's quota.

    Calls are counted before they are made. If the process is killed, the count is too high. It is
    too low only by the repeated tries of the calls that were under way.
    """
    reserved: int = field(default=0, init=False)
    """Calls that are counted but not made. Uncounted repeated tries can make it negative."""
    reserved_on: date = field(init=False)
    """The Beijing date on which the reserved calls are counted."""
    _client: WeixinClient | None = field(default=None, init=False)
    _stopped: FailedCall | None = field(default=None, init=False)
    _outages: OutageStreak = field(default_factory=OutageStreak, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self, planned_chunks: Iterable[list[date]]) -> None:
        """
        Set the fields that follow from the plan.

        They are the account, without its secret, the queue of its chunks, and today's Beijing date
        as the date of reserved calls.
        """
        self.account = Account(self.planned.conn_id, self.planned.appid, "", self.planned.name)
        self.chunks = deque(planned_chunks)
        self.reserved_on = clock.beijing_date(self._now())

    def fetch(self, day: date) -> Response | FailedCall | None:
        """
        Fetch one day, opening the client on first use, and record the outcome.

        The call is counted by `count` before it is made, and its further tries are taken from the
        calls left. The outcome may stop the account (`_record`).

        Returns:
            The response or the error. If the account is stopped, or its client can't be opened,
            that error, without a call. None if no calls are left.
        """
        with self._lock:
            if self.calls_left <= 0 and not self._stopped:
                return None
            client = self._client_or_error()
            if isinstance(client, FailedCall):
                return client
            self._reserve()
            self._subtract(1)
        response = client.datacube(self.dataset, day, self._now)
        with self._lock:
            self._subtract(response.calls - 1)  # without a token no data call was made
            self._record(day, response)
        return response

    def _subtract(self, calls: int) -> None:
        """Subtract calls that were made from the calls left and from the reserved calls."""
        self.calls_left -= calls
        self.reserved -= calls

    def _reserve(self) -> None:
        """
        Count 40 more calls on today's Beijing date, unless some of today are still reserved.

        Calls of today that were made beyond the reserved ones are counted with them. After
        midnight the reserved calls of the date before are forgotten: what was counted stays counted
        on that date, and what was made beyond it is never counted.
        """
        today = clock.beijing_date(self._now())
        if today != self.reserved_on:  # reserved calls of an earlier day stay counted on that day
            self.reserved, self.reserved_on = 0, today
        if self.reserved <= 0:
            self.count(self, RESERVED_CALLS - self.reserved)
            self.reserved = RESERVED_CALLS

    def stop(self) -> None:
        """Let `fetch` return None from now on, or the error that has stopped the account before."""
        with self._lock:
            self.calls_left = 0

    def _now(self) -> datetime:
        """Return the time now, or the time of the plan if that is later: a clock may go back."""
        return max(self.now(), self.planned.planned_at)

    def _client_or_error(self) -> WeixinClient | FailedCall:
        """
        Return the client, opened on first use, or the error that stopped the account.

        A client that can't be opened stops the account.
        """
        if not self._stopped:
            try:
                self._client = self._client or self._open()
                return self._client
            except WeixinError as error:
                self._stopped = FailedCall(error, self._now(), calls=0)
        return replace(self._stopped, calls=0)

    def _open(self) -> WeixinClient:
        """
        Open the account's client, get a token, and return the client.

        Raises:
            WeixinError: The connection is unusable, has a different AppID since the plan, or gets
                no token.
        """
        client, planned = self.open_client(self.planned), self.planned
        if client.account.appid != planned.appid:
            kind = ProblemKind.CONFIGURATION
            appids = Quoted(f"{planned.appid} → {client.account.appid}")
            raise WeixinError(kind, appids, account=planned.name, code="appid_changed")
        client.check_token()
        return client

    def _record(self, day: date, response: Response | FailedCall) -> None:
        """
        Record the outcome of a call in the outage streak, and stop the account if required.

        An error of a kind that `stops_account` stops the account, and so does the error that brings
        the streak to its limit. An offline endpoint counts as an outage for days before today's
        window. It does not count for days within the window: WeChat may refuse newer days and still
        answer older ones. A response and every other error end the streak.
        """
        if isinstance(response, Response):
            self._outages.record(None)
            return
        error, kind = response.error, response.error.kind
        window_start = clock.beijing_date(self._now()) - rules.DAY * self.dataset.window
        is_offline = kind is ProblemKind.ENDPOINT_OFFLINE and day < window_start
        self._outages.record(error if kind.is_outage or is_offline else None)
        if kind.stops_account or self._outages.is_at_limit:
            self._stopped = response
