"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from math import inf
from threading import Condition, Lock

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, HeldBackError, WeixinError
from weixin_etl.api.outages import Outages
from weixin_etl.load import Staged
from weixin_etl.model import Account, PlannedAccount, Run
from weixin_etl.threads import thread_pool

log = logging.getLogger(__name__)

ENOUGH_BYTES = 4 << 20
"""Bytes of answers that are handed on together."""
_EVER = datetime.min.replace(tzinfo=UTC)


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
    size: int = 0
    """Bytes of its answers."""
    in_flight: int = 0
    failure: Exception | None = None
    """What went wrong in the program itself: the account is given up."""


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

    Chunks that are complete are yielded together: 4 MB of answers or more, up to half of
    `most_bytes` or a single one, or what there is after `most_seconds`. Calls go on while the
    caller works, until the other half waits for it. An account that answers slowly leaves the other
    calls to the others. Its next chunk begins when the one before is complete.

    `ask` makes a call and may work on its answer; it runs in a thread.
    """
    flight = _Flight(deque(accounts), ask, concurrency, max(1, most_bytes // 2))
    with thread_pool(concurrency) as pool:
        callers = [pool.submit(flight.make_calls) for _ in range(concurrency)]
        try:
            while taken := flight.taken(most_seconds):
                yield taken
        finally:
            flight.end()
        for caller in callers:
            caller.result()


@dataclass(eq=False, slots=True)
class _Flight:
    """The calls of a try: threads make them, one takes what has come of them."""

    accounts: deque[AccountCalls]
    """Not begun yet."""
    ask: Callable[[AccountCalls, date], Staged]
    concurrency: int
    most_bytes: int
    """Bytes of complete chunks that may be taken together, and that may wait."""
    active: list[FetchedChunk] = field(default_factory=list)
    """One of an account."""
    complete: deque[FetchedChunk] = field(default_factory=deque)
    size: int = 0
    """Bytes of these."""
    is_over: bool = False
    """Whether all calls are made, or nobody waits for them."""
    changed: Condition = field(default_factory=Condition)

    def make_calls(self) -> None:
        """Make one call after the other."""
        try:
            while turn := self._next():
                self._make_call(*turn)
        finally:
            self.end()

    def taken(self, seconds: float) -> list[FetchedChunk]:
        """The first complete chunks within the bytes, or one; none when all were taken."""
        taken: list[FetchedChunk] = []
        size = 0
        with self.changed:
            self.changed.wait_for(lambda: self.is_over or self._is_enough(), seconds)
            self.changed.wait_for(lambda: self.is_over or self.complete)
            while self.complete and (not taken or size + self.complete[0].size <= self.most_bytes):
                taken.append(self.complete.popleft())
                size += taken[-1].size
            self.size -= size
            self.changed.notify_all()
        return taken

    def end(self) -> None:
        """Begin no other call."""
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def _is_enough(self) -> bool:
        return self.size >= min(ENOUGH_BYTES, self.most_bytes)

    def _next(self) -> tuple[FetchedChunk, date] | None:
        """The next call, once it may begin; None when there is none."""
        with self.changed:
            while self.accounts or self.active:
                chunk = self._askable()
                if self.is_over:
                    break
                if chunk:
                    chunk.in_flight += 1
                    return chunk, chunk.days.popleft()
                self.changed.wait()
        return None

    def _askable(self) -> FetchedChunk | None:
        """The chunk with the fewest calls in flight that has a day left, and less than a share."""
        if self.size >= self.most_bytes:
            return None
        while self.accounts and len(self.active) < self.concurrency:
            self._begin(self.accounts.popleft())
        share = -(-self.concurrency // len(self.active))
        askable = [it for it in self.active if it.days and it.in_flight < share]
        return min(askable, key=lambda chunk: chunk.in_flight, default=None)

    def _begin(self, calls: AccountCalls) -> None:
        self.active.append(FetchedChunk(calls, deque(calls.chunks.popleft())))

    def _make_call(self, chunk: FetchedChunk, day: date) -> None:
        staged, failure = None, None
        try:
            staged = self.ask(chunk.calls, day)
        except Exception as error:
            log.warning("%s %s: not worked on: %s", chunk.calls.account, day, type(error).__name__)
            failure = error
        with self.changed:
            self._land(chunk, staged, failure)
            self.changed.notify_all()

    def _land(self, chunk: FetchedChunk, staged: Staged | None, failure: Exception | None) -> None:
        chunk.in_flight -= 1
        if staged:
            chunk.staged.append(staged)
            chunk.size += staged.size
        if failure:
            chunk.failure = failure
            chunk.days.clear()
            chunk.calls.chunks.clear()
        if not chunk.days and not chunk.in_flight:
            self._complete(chunk)

    def _complete(self, chunk: FetchedChunk) -> None:
        self.active.remove(chunk)
        self.complete.append(chunk)
        self.size += chunk.size
        if chunk.calls.chunks:
            self._begin(chunk.calls)
