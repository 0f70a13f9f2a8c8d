"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
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
        self._opening = Lock()
        self._noting = Lock()

    def ask(self, day: date) -> Answer | Refusal:
        """Ask for the day, unless the account is stopped or has no call left."""
        with self._opening:
            if self._stopped is None and self._client is None:
                self._open()
        with self._noting:
            if self._stopped:
                return replace(self._stopped, calls=0)
            if self._calls_allowed <= 0:
                return Refusal(HeldBackError(account=str(self.account)), self._now(), calls=0)
            self._calls_allowed -= 1
        assert self._client  # noqa: S101 # opened, or stopped
        came = self._client.datacube(self._run.dataset, day)
        with self._noting:
            self._calls_allowed -= came.calls - 1  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def _open(self) -> None:
        try:
            self._client = self._open_client()
            self._client.check_token()
        except WeixinError as error:
            self._stopped = Refusal(error, self._now(), calls=0)

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


def chunks_of(planned: PlannedAccount, days: Iterable[date]) -> list[list[date]]:
    """Some of an account's planned days as chunks: those of the window first, then the older."""
    wanted = set(days)
    first = [day for day in planned.first if day in wanted]
    older = [day for day in planned.older if day in wanted]
    starts = range(0, len(older), rules.OLDER_DAYS)
    return [first, *(older[start : start + rules.OLDER_DAYS] for start in starts)][not first :]


class FetchedChunk:
    """An account's days that are judged together, and what has come of them."""

    def __init__(self, calls: AccountCalls) -> None:
        """Begin with the account's next chunk."""
        self.calls = calls
        self.days = deque(calls.chunks.popleft())
        """Not asked yet."""
        self.staged: list[Staged] = []
        self.in_flight = 0
        self.failure: Exception | None = None
        """What went wrong in the program itself: the account is given up."""

    @property
    def is_complete(self) -> bool:
        """Whether no day is asked, or to be asked, any more."""
        return not self.in_flight and not self.days

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
    extraction = _Extraction(accounts, ask, concurrency, most_bytes)
    with short_turns(), thread_pool(concurrency) as pool:
        try:
            callers = [pool.submit(extraction.call) for _ in range(concurrency)]
            yield from extraction.come(most_seconds)
        finally:
            extraction.end()
    for caller in callers:
        caller.result()


class _Extraction:
    """What the calling threads and the one that takes their results share."""

    def __init__(
        self,
        accounts: Iterable[AccountCalls],
        ask: Callable[[AccountCalls, date], Staged],
        concurrency: int,
        most_bytes: int,
    ) -> None:
        self._ask = ask
        self._concurrency = concurrency
        self._most_bytes = max(1, most_bytes // 2)
        self._enough_bytes = min(self._most_bytes, ENOUGH_BYTES)
        self._accounts = iter(accounts)
        self._active: list[FetchedChunk] = []
        """At most as many as calls in flight, one of an account."""
        self._complete: deque[FetchedChunk] = deque()
        self._callers = concurrency
        self._changed = Condition()

    def call(self) -> None:
        """Make calls until there is none left to make."""
        try:
            while turn := self._next():
                chunk, day = turn
                try:
                    chunk.staged.append(self._ask(chunk.calls, day))
                except Exception as error:
                    name = type(error).__name__
                    log.warning("%s %s: not worked on: %s", chunk.calls.account, day, name)
                    chunk.failure = error
                self._done(chunk)
        finally:
            with self._changed:
                self._callers -= 1
                self._changed.notify_all()

    def _next(self) -> tuple[FetchedChunk, date] | None:
        """The next day, of the account with the fewest calls in flight; None when none is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < self._most_bytes)
            while True:
                free = self._concurrency - len(self._active)
                self._active += map(FetchedChunk, islice(self._accounts, max(0, free)))
                begun = [chunk for chunk in self._active if chunk.days]
                if begun:
                    chunk = min(begun, key=lambda chunk: chunk.in_flight)
                    chunk.in_flight += 1
                    return chunk, chunk.days.popleft()
                if not self._active:
                    return None
                self._changed.wait()  # for a chunk that is in flight, after which its next begins

    def _done(self, chunk: FetchedChunk) -> None:
        with self._changed:
            chunk.in_flight -= 1
            if chunk.failure:
                chunk.days.clear()
                chunk.calls.chunks.clear()
            if chunk.is_complete and chunk in self._active:
                self._active.remove(chunk)
                self._complete.append(chunk)
                if chunk.calls.chunks:
                    self._active.append(FetchedChunk(chunk.calls))
            self._changed.notify_all()

    @property
    def _bytes(self) -> int:
        return sum(chunk.size for chunk in self._complete)

    def come(self, most_seconds: float) -> Iterator[list[FetchedChunk]]:
        """What is complete, each time it is enough or late enough."""
        while self._callers or self._complete:
            with self._changed:
                self._changed.wait_for(self._is_enough, most_seconds)
                taken = self._taken()
            if taken:
                yield taken
            del taken  # else it stays until the next ones are all there

    def _is_enough(self) -> bool:
        return self._bytes >= self._enough_bytes or not self._callers

    def _taken(self) -> list[FetchedChunk]:
        """Chunks of different accounts."""
        taken: list[FetchedChunk] = []
        size = 0
        while self._complete:
            chunk = self._complete[0]
            size += chunk.size
            if taken and (size > self._most_bytes or any(it.calls is chunk.calls for it in taken)):
                break
            taken.append(self._complete.popleft())
        self._changed.notify_all()
        return taken

    def end(self) -> None:
        """Nobody takes any more: calls in flight end, and no other is made."""
        with self._changed:
            self._accounts = iter(())
            self._active.clear()
            self._complete.clear()
            self._most_bytes = sys.maxsize
            self._changed.notify_all()
