"""An account's calls: by its client, as many as are left, until a refusal stops them."""

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
"""Calls of an account that are counted at once, before they are made: more than most mornings'."""
OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


class OutageStreak:
    """
    Outages in a row, of calls to one place; may be used by several threads at once.

    Each costs minutes, as long as a call is patient: thousands of them a whole morning.
    """

    def __init__(self) -> None:
        self._row: list[WeixinError] = []

    @property
    def are_enough(self) -> bool:
        """Whether further calls would be in vain."""
        return len(self._row) >= rules.OUTAGES_BEFORE_STOP

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Make a call in it; where that would be in vain, the last outage is raised instead."""
        if self.are_enough:
            raise self._row[-1].with_traceback(None)
        try:
            yield
        except WeixinError as error:
            self.note(error if error.kind.is_outage else None)
            raise
        self.note(None)

    def note(self, outage: WeixinError | None) -> None:
        """Take a call's end into account; None when it was no outage, which ends the row."""
        self._row = [*self._row, outage] if outage else []


@dataclass(eq=False)
class AccountCalls:
    """
    One account's calls of a try; several threads may make them at once.

    Once a refusal stops the account, the days not yet asked get it without a call, with its time.
    """

    dataset: Dataset
    planned: PlannedAccount
    planned_chunks: InitVar[Iterable[list[date]]]
    """Days that are judged together."""
    open_client: OpenClient
    calls_left: float = inf
    now: Callable[[], datetime] = clock.now
    count: Callable[["AccountCalls", int], None] = lambda *_: None
    """
    Counts calls for the day's quota, on `reserved_on`, where a kill does not forget them.

    A call is counted before it is made: a kill leaves too many calls counted, never too few but for
    the repeated tries of the calls under way.
    """
    reserved: int = field(default=0, init=False)
    """Calls that are counted and not made; negative after repeated tries that are not counted."""
    reserved_on: date = field(init=False)
    """The day in Beijing on which they are counted."""
    _client: WeixinClient | None = field(default=None, init=False)
    _stopped: FailedCall | None = field(default=None, init=False)
    _outages: OutageStreak = field(default_factory=OutageStreak, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self, planned_chunks: Iterable[list[date]]) -> None:
        """Begin with the first chunk."""
        self.account = Account(self.planned.conn_id, self.planned.appid, "", self.planned.name)
        self.chunks = deque(planned_chunks)
        self.reserved_on = clock.beijing_date(self._now())

    def fetch(self, day: date) -> Response | FailedCall | None:
        """Ask for the day, unless the account is stopped; None when it has no call left."""
        with self._lock:
            if self.calls_left <= 0 and not self._stopped:
                return None
            client = self._client_or_refusal()
            if isinstance(client, FailedCall):
                return client
            self._reserve()
            self._take_off(1)
        came = client.datacube(self.dataset, day, self._now)
        with self._lock:
            self._take_off(came.calls - 1)  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def _take_off(self, calls: int) -> None:
        """Take calls off those that are left, and off those that are counted and not made."""
        self.calls_left -= calls
        self.reserved -= calls

    def _reserve(self) -> None:
        """Have calls counted before the next one is made, unless there are some of this day."""
        today = clock.beijing_date(self._now())
        if today != self.reserved_on:  # what was not made stays counted on the day before
            self.reserved, self.reserved_on = 0, today
        if self.reserved <= 0:
            self.count(self, RESERVED_CALLS - self.reserved)
            self.reserved = RESERVED_CALLS

    def stop(self) -> None:
        """Make no further call."""
        with self._lock:
            self.calls_left = 0

    def _now(self) -> datetime:
        """Never before the plan: a clock may stand still, or go back."""
        return max(self.now(), self.planned.planned_at)

    def _client_or_refusal(self) -> WeixinClient | FailedCall:
        if self._stopped:
            return replace(self._stopped, calls=0)
        try:
            self._client = self._client or self._opened()
        except WeixinError as error:
            self._stopped = FailedCall(error, self._now(), calls=0)
            return self._stopped
        return self._client

    def _opened(self) -> WeixinClient:
        """The account's client, with a token, unless the connection's login is another by now."""
        client, planned = self.open_client(self.planned), self.planned
        if client.account.appid != planned.appid:
            kind = ProblemKind.CONFIGURATION
            both = Quoted(f"{planned.appid} → {client.account.appid}")
            raise WeixinError(kind, both, account=planned.name, code="appid_changed")
        client.check_token()
        return client

    def _note(self, day: date, came: Response | FailedCall) -> None:
        """
        Take a call's end into account.

        Several outages in a row stop the account. So does an endpoint that is offline, but not
        within the present window: WeChat may give older days that newer ones lack.
        """
        if isinstance(came, Response):
            self._outages.note(None)
            return
        error, kind = came.error, came.error.kind
        window_first = clock.beijing_date(self._now()) - rules.DAY * self.dataset.window
        is_offline = kind is ProblemKind.ENDPOINT_OFFLINE and day < window_first
        self._outages.note(error if kind.is_outage or is_offline else None)
        if kind.stops_account or self._outages.are_enough:
            self._stopped = came
