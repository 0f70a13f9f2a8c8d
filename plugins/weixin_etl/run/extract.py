"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from threading import Condition

from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.threads import thread_pool
from weixin_etl.load import StagedAnswer

log = logging.getLogger(__name__)

ENOUGH_BYTES = 1 << 20
"""Bytes of answers that are handed on together."""


@dataclass(eq=False, slots=True)
class FetchedChunk:
    """An account's days that are judged together, and what has come of them."""

    calls: AccountCalls
    days: deque[date]
    """Not asked yet."""
    staged: list[StagedAnswer] = field(default_factory=list)
    size: int = 0
    """Bytes of its answers."""
    in_flight: int = 0
    failure: Exception | None = None
    """What went wrong in the program itself: the account is given up."""


def extract(
    accounts: Iterable[AccountCalls],
    ask: Callable[[AccountCalls, date], StagedAnswer | None],
    *,
    concurrency: int,
    most_bytes: int,
    most_seconds: float,
) -> Iterator[list[FetchedChunk]]:
    """
    Ask for each account's days, `concurrency` calls at once, from the first to the last.

    Chunks that are complete are yielded together: 1 MB of answers or more, up to half of
    `most_bytes` or a single one, or what there is after `most_seconds`. Calls go on while the
    caller works, until the other half waits for it. An account's next chunk begins when the one
    before is complete.

    `ask` makes a call, if it may, and may work on its answer; it runs in a thread.
    """
    asked = deque(account for account in accounts if account.chunks)
    flight = _Flight(asked, ask, concurrency, max(1, most_bytes // 2))
    with thread_pool(concurrency) as pool:
        try:
            callers = [pool.submit(flight.make_calls) for _ in range(concurrency)]
            while taken := flight.taken(most_seconds):
                yield taken
                del taken  # else they stay until the next ones are all there
        finally:
            flight.end()
        for caller in callers:
            caller.result()


@dataclass(eq=False, slots=True)
class _Flight:
    """The calls of a try: threads make them, one takes what has come of them."""

    accounts: deque[AccountCalls]
    """Not begun yet."""
    ask: Callable[[AccountCalls, date], StagedAnswer | None]
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
                del turn  # else its chunk stays while there is no other
        finally:
            self.end()

    def taken(self, seconds: float) -> list[FetchedChunk]:
        """The first complete chunks within the bytes, or one; none when all were taken."""
        taken: list[FetchedChunk] = []
        size = 0
        with self.changed:
            enough = min(ENOUGH_BYTES, self.most_bytes)
            self.changed.wait_for(lambda: self.is_over or self.size >= enough, seconds)
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

    def _next(self) -> tuple[FetchedChunk, date] | None:
        """The next call, once it may begin; None when there is none."""
        with self.changed:
            while (self.accounts or self.active) and not self.is_over:
                if chunk := self._askable():
                    chunk.in_flight += 1
                    return chunk, chunk.days.popleft()
                self.changed.wait()
        return None

    def _askable(self) -> FetchedChunk | None:
        """The chunk with the fewest calls in flight that has a day left."""
        if self.size >= self.most_bytes:
            return None
        while self.accounts and len(self.active) < self.concurrency:
            self._begin(self.accounts.popleft())
        askable = [chunk for chunk in self.active if chunk.days]
        return min(askable, key=lambda chunk: chunk.in_flight, default=None)

    def _begin(self, calls: AccountCalls) -> None:
        self.active.append(FetchedChunk(calls, deque(calls.chunks.popleft())))

    def _make_call(self, chunk: FetchedChunk, day: date) -> None:
        try:
            came: StagedAnswer | Exception | None = self.ask(chunk.calls, day)
        except Exception as error:
            log.warning("%s %s: not worked on: %s", chunk.calls.account, day, type(error).__name__)
            came = error
        with self.changed:
            self._land(chunk, came)
            self.changed.notify_all()

    def _land(self, chunk: FetchedChunk, came: StagedAnswer | Exception | None) -> None:
        chunk.in_flight -= 1
        if isinstance(came, Exception):
            chunk.failure = came
            chunk.days.clear()
            chunk.calls.chunks.clear()
        elif came:
            chunk.staged.append(came)
            chunk.size += came.size
        if not chunk.days and not chunk.in_flight:
            self._complete(chunk)

    def _complete(self, chunk: FetchedChunk) -> None:
        self.active.remove(chunk)
        self.complete.append(chunk)
        self.size += chunk.size
        if chunk.calls.chunks:
            self._begin(chunk.calls)
