"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from itertools import islice
from math import inf
from threading import Condition, Lock

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
        calls_allowed: float = inf,
        stopped: Refusal | None = None,
    ) -> None:
        """`open_client` raises `WeixinError` when the account can't be asked."""
        self.account = account
        self.chunks = deque(chunks)
        """Days that are judged together, not begun yet."""
        self._run = run
        self._open_client = open_client
        self._now = now
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
        came = client.datacube(self._run.dataset, day)
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

    Chunks that are complete are yielded together, whenever the caller is ready for more: 8 MB of
    answers or more, up to half of `most_bytes` or a single one, or what there is after
    `most_seconds`. The calls go on while the caller works, until the other half waits. An account
    that answers slowly leaves the other calls in flight to the others. Its next chunk begins when
    the one before is complete.

    Accounts are taken from the iterable when their turn comes. `ask` makes a call and may work on
    its answer; it runs in the thread of the call.
    """
    extraction = _Extraction(iter(accounts), ask, concurrency, max(1, most_bytes // 2))
    with short_turns(), thread_pool(concurrency) as pool:
        try:
            callers = [pool.submit(extraction.call) for _ in range(concurrency)]
            while taken := extraction.take(most_seconds):
                yield taken
                del taken  # else it stays until the next ones are all there
        finally:
            extraction.end()
    for caller in callers:
        caller.result()


@dataclass(eq=False, slots=True)
class _Extraction:
    """What the calling threads and the one that takes their results share."""

    accounts: Iterator[AccountCalls]
    ask: Callable[[AccountCalls, date], Staged]
    callers: int
    """Threads that still make calls."""
    most_bytes: int
    active: list[FetchedChunk] = field(default_factory=list)
    """At most as many as threads, one of an account."""
    complete: deque[FetchedChunk] = field(default_factory=deque)
    changed: Condition = field(default_factory=Condition)

    def call(self) -> None:
        """Make calls until there is none left to make."""
        try:
            while turn := self._next():
                chunk, day = turn
                try:
                    chunk.staged.append(self.ask(chunk.calls, day))
                except Exception as error:
                    name = type(error).__name__
                    log.warning("%s %s: not worked on: %s", chunk.calls.account, day, name)
                    chunk.failure = error
                self._done(chunk)
        finally:
            with self.changed:
                self.callers -= 1
                self.changed.notify_all()

    def _next(self) -> tuple[FetchedChunk, date] | None:
        """The next day, of the account with the fewest calls in flight; None when none is left."""
        with self.changed:
            self.changed.wait_for(lambda: self._bytes < self.most_bytes)
            self.changed.wait_for(self._has_next)
            chunk = min(self._begun(), key=lambda chunk: chunk.in_flight, default=None)
            if chunk is None:
                return None
            chunk.in_flight += 1
            return chunk, chunk.days.popleft()

    def _has_next(self) -> bool:
        """Whether there is a day to ask for, or none will be: chunks in flight have a next one."""
        for calls in islice(self.accounts, max(0, self.callers - len(self.active))):
            self._begin(calls)
        return bool(self._begun()) or not self.active

    def _begun(self) -> list[FetchedChunk]:
        return [chunk for chunk in self.active if chunk.days]

    def _begin(self, calls: AccountCalls) -> None:
        self.active.append(FetchedChunk(calls, deque(calls.chunks.popleft())))

    def _done(self, chunk: FetchedChunk) -> None:
        with self.changed:
            chunk.in_flight -= 1
            if chunk.failure:
                chunk.days.clear()
                chunk.calls.chunks.clear()
            if chunk in self.active and not chunk.in_flight and not chunk.days:
                self.active.remove(chunk)
                self.complete.append(chunk)
                if chunk.calls.chunks:
                    self._begin(chunk.calls)
            self.changed.notify_all()

    @property
    def _bytes(self) -> int:
        return sum(chunk.size for chunk in self.complete)

    def take(self, most_seconds: float) -> list[FetchedChunk]:
        """Chunks of different accounts, once they are enough or late enough; none at the end."""
        enough = min(self.most_bytes, ENOUGH_BYTES)
        with self.changed:
            while not self.complete and self.callers:
                self.changed.wait()
            self.changed.wait_for(lambda: self._bytes >= enough or not self.callers, most_seconds)
            taken: list[FetchedChunk] = []
            while self.complete and self._fits(self.complete[0], taken):
                taken.append(self.complete.popleft())
            self.changed.notify_all()
            return taken

    def _fits(self, chunk: FetchedChunk, taken: list[FetchedChunk]) -> bool:
        size = sum(one.size for one in taken) + chunk.size
        return not taken or (
            size <= self.most_bytes and all(one.calls is not chunk.calls for one in taken)
        )

    def end(self) -> None:
        """Nobody takes any more: calls in flight end, and no other is made."""
        with self.changed:
            self.accounts = iter(())
            self.active.clear()
            self.complete.clear()
            self.changed.notify_all()
