"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from threading import Condition

from weixin_etl.api.calls import AccountCalls
from weixin_etl.load import Staged
from weixin_etl.threads import short_turns, thread_pool

log = logging.getLogger(__name__)

ENOUGH_BYTES = 4 << 20
"""Bytes of answers that are handed on together."""


@dataclass(eq=False, slots=True)
class FetchedChunk:
    """What has come of an account's days that are judged together."""

    calls: AccountCalls
    staged: list[Staged] = field(default_factory=list)
    failure: Exception | None = None
    """What went wrong in the program itself: the account is given up."""

    @property
    def size(self) -> int:
        """Bytes of its answers."""
        return sum(one.size for one in self.staged)


def extract(
    accounts: Iterable[AccountCalls],
    ask: Callable[[AccountCalls, date], Staged],
    *,
    concurrency: int,
    most_bytes: int,
    most_seconds: float,
) -> Iterator[list[FetchedChunk]]:
    """
    Ask for each account's days, at most `concurrency` calls at once, from the first to the last.

    Chunks that are complete are yielded together: 4 MB of answers or more, up to half of
    `most_bytes` or a single one, or what there is after `most_seconds`. Calls go on while the
    caller works, until the other half waits for it. Each account has its share of the calls, so
    that one that answers slowly holds no other. Its next chunk begins when the one before is
    complete.

    `ask` makes a call and may work on its answer; it runs in a thread.
    """
    asked = [account for account in accounts if account.chunks]
    share = max(1, concurrency // max(1, len(asked)))
    flight = _Flight(ask, share, max(1, most_bytes // 2), len(asked), is_over=not asked)
    with short_turns(), thread_pool(concurrency) as pool:
        fetching = [pool.submit(flight.fetch, calls) for calls in asked]
        try:
            while taken := flight.taken(most_seconds):
                yield taken
        finally:
            flight.end()
        for account in fetching:
            account.result()


@dataclass(eq=False, slots=True)
class _Flight:
    """The calls of a try: threads make them, one takes what has come of them."""

    ask: Callable[[AccountCalls, date], Staged]
    share: int
    """Calls of an account at once."""
    most_bytes: int
    """Bytes of complete chunks that may be taken together, and that may wait."""
    unfinished: int
    """Accounts whose calls are not all made."""
    is_over: bool
    """Whether there is none, or nobody waits for them."""
    complete: deque[FetchedChunk] = field(default_factory=deque)
    size: int = 0
    """Bytes of these."""
    changed: Condition = field(default_factory=Condition)

    def fetch(self, calls: AccountCalls) -> None:
        """Ask for an account's days, chunk by chunk."""
        try:
            with thread_pool(self.share) as callers:
                while calls.chunks:
                    chunk, days = FetchedChunk(calls), calls.chunks.popleft()
                    list(callers.map(partial(self._make_call, chunk), days))  # waits for all
                    self._hand_on(chunk)
        finally:
            with self.changed:
                self.unfinished -= 1
                self.is_over |= not self.unfinished
                self.changed.notify_all()

    def taken(self, seconds: float) -> list[FetchedChunk]:
        """The first complete chunks within the bytes, or one; none when all were taken."""
        taken: list[FetchedChunk] = []
        size, enough = 0, min(ENOUGH_BYTES, self.most_bytes)
        with self.changed:
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

    def _make_call(self, chunk: FetchedChunk, day: date) -> None:
        """Ask for a day, once there is room for its answer; an error ends the account's calls."""
        with self.changed:
            self.changed.wait_for(lambda: self.is_over or self.size < self.most_bytes)
        if self.is_over or chunk.failure:
            return
        try:
            chunk.staged.append(self.ask(chunk.calls, day))
        except Exception as error:
            log.warning("%s %s: not worked on: %s", chunk.calls.account, day, type(error).__name__)
            chunk.failure = error
            chunk.calls.chunks.clear()

    def _hand_on(self, chunk: FetchedChunk) -> None:
        with self.changed:
            self.complete.append(chunk)
            self.size += chunk.size
            self.changed.notify_all()
