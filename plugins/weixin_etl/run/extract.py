"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import islice
from math import inf
from threading import Lock
from time import monotonic

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, HeldBackError, WeixinError
from weixin_etl.api.outages import Outages
from weixin_etl.load import Staged
from weixin_etl.model import Account, PlannedAccount, Run
from weixin_etl.threads import short_turns, thread_pool

log = logging.getLogger(__name__)

ENOUGH_BYTES = 8 << 20
"""Bytes of answers that are handed on together."""
_EVER = datetime.min.replace(tzinfo=UTC)
WAITING = 2
"""Calls for each thread that are made or wait, so that none idles while answers are loaded."""


class AccountCalls:
    """
    One account's calls of a try; several threads may make them at once.

    Once a refusal stops the account, the days not yet asked get it without a call, with its time.
    """

    def __init__(
        self,
        run: Run,
        account: Account,
        chunks: Iterable[list[date]],
        open_client: Callable[[], WeixinClient],
        *,
        now: Callable[[], datetime] = clock.now,
        planned_at: datetime = _EVER,
        calls_allowed: float = inf,
        stopped: Refusal | None = None,
    ) -> None:
        """`open_client` raises `WeixinError` when the account can't be asked."""
        self.account = account
        self.chunks = deque(chunks)
        """Days that are judged together, not begun yet."""
        self._run = run
        self._open_client = open_client
        self._now: Callable[[], datetime] = lambda: max(now(), planned_at)
        self._planned_at = planned_at
        self._calls_allowed = calls_allowed
        self._client: WeixinClient | None = None
        self._stopped = stopped
        self._outages = Outages()
        self._opening, self._noting = Lock(), Lock()

    def ask(self, day: date) -> Answer | Refusal:
        """Ask for the day, unless the account is stopped or has no call left."""
        client = self._opened()
        with self._noting:
            if self._stopped:
                return replace(self._stopped, calls=0)
            if self._calls_allowed <= 0:
                return Refusal(HeldBackError(account=str(self.account)), self._now(), calls=0)
            self._calls_allowed -= 1
        assert client  # noqa: S101 # else it is stopped
        came = _not_before(client.datacube(self._run.dataset, day), self._planned_at)
        with self._noting:
            self._calls_allowed -= came.calls - 1  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def _opened(self) -> WeixinClient | None:
        """The account's client; None of an account that is stopped."""
        with self._opening:
            if self._client is None and self._stopped is None:
                try:
                    self._client = self._open_client()
                    self._client.check_token()
                except WeixinError as error:
                    self._stopped = Refusal(error, self._now(), calls=0)
            return self._client

    def _note(self, day: date, came: Answer | Refusal) -> None:
        """
        Take a call's end into account.

        Several outages in a row stop the account. So does an endpoint that is offline, but not
        within the present window: WeChat may give older days that newer ones lack.
        """
        error = came.error if isinstance(came, Refusal) else None
        window_first = clock.beijing_date(self._now()) - rules.DAY * self._run.dataset.window
        is_offline = isinstance(error, EndpointOfflineError) and day < window_first
        self._outages.note(error if error and (error.is_outage or is_offline) else None)
        if isinstance(came, Refusal) and (came.error.stops_account or self._outages.are_enough):
            self._stopped = came


def _not_before(came: Answer | Refusal, instant: datetime) -> Answer | Refusal:
    """The same, of no earlier instant: a clock may stand still, or go back."""
    if isinstance(came, Answer):
        return came if came.fetched_at >= instant else replace(came, fetched_at=instant)
    return replace(came, refused_at=max(came.refused_at, instant))


def chunks_of(planned: PlannedAccount, wanted: set[date]) -> list[list[date]]:
    """Those of an account's planned days as chunks: the window's first, then the older ones."""
    first = [day for day in planned.first if day in wanted]
    older = [day for day in planned.older if day in wanted]
    starts = range(0, len(older), rules.OLDER_DAYS)
    chunks = [first, *(older[start : start + rules.OLDER_DAYS] for start in starts)]
    return [chunk for chunk in chunks if chunk]


@dataclass(eq=False, slots=True)
class FetchedChunk:
    """An account's days that are judged together, and what has come of them."""

    calls: AccountCalls
    days: deque[date]
    """Not asked yet."""
    staged: list[Staged] = field(default_factory=list)
    in_flight: int = 0
    failure: Exception | None = None
    """What went wrong in the program itself: the account is given up."""

    @property
    def size(self) -> int:
        """Bytes of its answers."""
        return sum(staged.size for staged in self.staged)


def extract(
    accounts: Iterable[AccountCalls],
    ask: Callable[[AccountCalls, date], Staged],
    *,
    concurrency: int,
    most_bytes: int,
    most_seconds: float,
) -> Iterator[list[FetchedChunk]]:
    """
    Ask for each account's days, `concurrency` calls at once, from the first to the last.

    Chunks of different accounts that are complete are yielded together: 8 MB of answers or more, up
    to half of `most_bytes` or a single one, or what there is after `most_seconds`. Calls that wait
    for their turn are made while the caller works; no other begins while the other half waits for
    the caller. An account that answers slowly leaves the other calls to the others. Its next chunk
    begins when the one before is complete.

    Accounts are taken from the iterable when their turn comes. `ask` makes a call and may work on
    its answer; it runs in a thread.
    """
    with short_turns(), thread_pool(concurrency) as pool:
        flight = _Flight(iter(accounts), ask, pool, concurrency, max(1, most_bytes // 2))
        ends_at = monotonic() + most_seconds
        while flight.fill() or flight.complete:
            flight.land(0 if flight.is_enough else max(0, ends_at - monotonic()))
            if flight.is_enough or not flight.fill() or monotonic() >= ends_at:
                yield flight.taken()
                ends_at = monotonic() + most_seconds


@dataclass(eq=False, slots=True)
class _Flight:
    """The calls that are made or wait for a thread: as many again as there are threads."""

    accounts: Iterator[AccountCalls]
    ask: Callable[[AccountCalls, date], Staged]
    pool: ThreadPoolExecutor
    concurrency: int
    most_bytes: int
    """Bytes of complete chunks that may be taken together, and that may wait."""
    active: list[FetchedChunk] = field(default_factory=list)
    """One of an account."""
    calls: dict[Future[Staged], tuple[FetchedChunk, date]] = field(default_factory=dict)
    complete: list[FetchedChunk] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of the answers that are complete."""
        return sum(chunk.size for chunk in self.complete)

    @property
    def is_enough(self) -> bool:
        """Whether they are worth the caller's work."""
        return self.size >= min(ENOUGH_BYTES, self.most_bytes)

    def fill(self) -> bool:
        """Begin as many calls as may wait, for the accounts with the fewest; whether any is on."""
        while len(self.calls) < WAITING * self.concurrency and self.size < self.most_bytes:
            if len(self.active) < WAITING * self.concurrency:
                for calls in islice(self.accounts, 1):
                    self._begin(calls)
            chunk = min(filter(self._may_ask, self.active), key=_in_flight, default=None)
            if chunk is None:
                break
            day = chunk.days.popleft()
            chunk.in_flight += 1
            self.calls[self.pool.submit(self.ask, chunk.calls, day)] = chunk, day
        return bool(self.calls)

    def _may_ask(self, chunk: FetchedChunk) -> bool:
        """Whether it has a day to ask for, and no more than its share of the threads."""
        share = -(-self.concurrency // len(self.active))
        return bool(chunk.days) and chunk.in_flight < share

    def _begin(self, calls: AccountCalls) -> None:
        self.active.append(FetchedChunk(calls, deque(calls.chunks.popleft())))

    def land(self, seconds: float) -> None:
        """Wait for calls that end."""
        for future in wait(self.calls, seconds, FIRST_COMPLETED).done:
            chunk, day = self.calls.pop(future)
            chunk.in_flight -= 1
            try:
                chunk.staged.append(future.result())
            except Exception as error:
                name = type(error).__name__
                log.warning("%s %s: not worked on: %s", chunk.calls.account, day, name)
                chunk.failure = error
                chunk.days.clear()
                chunk.calls.chunks.clear()
            if not chunk.days and not chunk.in_flight:
                self._complete(chunk)

    def _complete(self, chunk: FetchedChunk) -> None:
        self.active.remove(chunk)
        self.complete.append(chunk)
        if chunk.calls.chunks:
            self._begin(chunk.calls)

    def taken(self) -> list[FetchedChunk]:
        """The first complete chunks of different accounts, within the bytes, or one."""
        taken: list[FetchedChunk] = []
        size = 0
        for chunk in self.complete:
            size += chunk.size
            if taken and (size > self.most_bytes or any(it.calls is chunk.calls for it in taken)):
                break
            taken.append(chunk)
        del self.complete[: len(taken)]
        self.fill()  # for the time that the caller works
        return taken


def _in_flight(chunk: FetchedChunk) -> int:
    return chunk.in_flight
