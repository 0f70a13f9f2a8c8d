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
        self._outages: list[WeixinError] = []

    @property
    def is_at_limit(self) -> bool:
        """Whether the streak is so long that no further call is made."""
        return len(self._outages) >= rules.OUTAGES_BEFORE_STOP

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """
        Record the outcome of the call in the block.

        Raises:
            WeixinError: The last outage, without a call, if the streak is at its limit.
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
        """Set the fields that follow from the plan: the account, its chunks and today's date."""
        self.account = Account(self.planned.conn_id, self.planned.appid, "", self.planned.name)
        self.chunks = deque(planned_chunks)
        self.reserved_on = clock.beijing_date(self._now())

    def fetch(self, day: date) -> Response | FailedCall | None:
        """
        Fetch one day, opening the client on first use.

        Returns:
            The response or the error. If an earlier error stopped the account, that error, without
            a call. None if no calls are left.
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
        """Count more calls before the next call, unless some of today are still reserved."""
        today = clock.beijing_date(self._now())
        if today != self.reserved_on:  # reserved calls of an earlier day stay counted on that day
            self.reserved, self.reserved_on = 0, today
        if self.reserved <= 0:
            self.count(self, RESERVED_CALLS - self.reserved)
            self.reserved = RESERVED_CALLS

    def stop(self) -> None:
        """Make no further call."""
        with self._lock:
            self.calls_left = 0

    def _now(self) -> datetime:
        """Return the time, but none before the plan's: a clock may stop, or go back."""
        return max(self.now(), self.planned.planned_at)

    def _client_or_error(self) -> WeixinClient | FailedCall:
        """Return the client, opened on first use, or the error that stopped the account."""
        if self._stopped:
            return replace(self._stopped, calls=0)
        try:
            self._client = self._client or self._open()
        except WeixinError as error:
            self._stopped = FailedCall(error, self._now(), calls=0)
            return self._stopped
        return self._client

    def _open(self) -> WeixinClient:
        """
        Open the account's client and get a token.

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
        Record the outcome of a call, and stop the account if the outcome requires it.

        Several consecutive outages stop the account. An offline endpoint counts as an outage for
        days before today's window. It does not count for days within the window: WeChat may refuse
        newer days and still answer older ones.
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
