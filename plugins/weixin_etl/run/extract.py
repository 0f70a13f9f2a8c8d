"""
The calls of one try: at most one call per slice, several at once, over all accounts of a batch.

`extract` runs the calls in threads and yields complete chunks to `ingest`, which loads them while
further calls are made. It limits the bytes of answers that are held in memory.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from threading import Condition

from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.threads import thread_pool
from weixin_etl.load import StagedAnswer
from weixin_etl.run import Settings

log = logging.getLogger(__name__)

ENOUGH_BYTES = 1 << 20
"""The bytes of complete chunks that are enough to yield them."""
FetchDay = Callable[[AccountCalls, date], StagedAnswer | None]
"""
Makes the call for one day of an account and may process its answer.

It runs in a thread. It returns None if no call is left.
"""


@dataclass(eq=False, slots=True)
class FetchedChunk:
    """The days of an account that are evaluated together, with their staged answers."""

    calls: AccountCalls
    days: deque[date]
    """The days that are still to be requested."""
    staged: list[StagedAnswer] = field(default_factory=list)
    size: int = 0
    """The bytes of the staged answers."""
    in_flight: int = 0
    """The number of calls that are being made."""
    failure: Exception | None = None
    """An unexpected exception of a call. The account then fails for this try."""


def extract(
    accounts: Iterable[AccountCalls], fetch_day: FetchDay, settings: Settings, most_seconds: float
) -> Iterator[list[FetchedChunk]]:
    """
    Make the calls of all accounts in threads, and yield complete chunks.

    An account's next chunk begins when its previous chunk is complete. Calls go on while the caller
    works, until half of `commit_bytes` waits for the caller. An exception of `fetch_day` is kept in
    its chunk as `failure`, and the account's other days are not requested. If the caller stops
    early, no further call begins.

    Args:
        accounts: the accounts, in the order in which their calls begin. Their `chunks` are emptied.
        fetch_day: makes one call.
        settings: `concurrency` is the number of calls at once. `commit_bytes` is the number of
            bytes of complete chunks that are held: one half waits, the other is with the caller.
        most_seconds: the time after which complete chunks are yielded even if they are few.

    Yields:
        The chunks that are complete: at least 1 MB of answers, or fewer after `most_seconds` or at
        the end; at most half of `commit_bytes`, or one larger chunk.
    """
    waiting = deque(account for account in accounts if account.chunks)
    schedule = _CallSchedule(waiting, fetch_day, settings)
    with thread_pool(settings.concurrency) as pool:
        try:
            callers = [pool.submit(schedule.make_calls) for _ in range(settings.concurrency)]
            while chunks := schedule.take_complete(most_seconds):
                yield chunks
                del chunks  # release the answers before the next chunks are complete
        finally:
            schedule.end()
        for caller in callers:
            caller.result()


@dataclass(eq=False, slots=True)
class _CallSchedule:
    """The calls of one try. Several threads make them, and one thread takes complete chunks."""

    accounts: deque[AccountCalls]
    """The accounts whose calls have not begun."""
    fetch_day: FetchDay
    settings: Settings
    active: list[FetchedChunk] = field(default_factory=list)
    """The chunks that are being fetched, at most one of an account."""
    complete: deque[FetchedChunk] = field(default_factory=deque)
    size: int = 0
    """The bytes of the complete chunks."""
    is_over: bool = False
    """Whether all calls are made, or the caller waits for no more chunks."""
    changed: Condition = field(default_factory=Condition)
    """The lock of all fields. Waiting threads are woken after each change."""

    @property
    def most_bytes(self) -> int:
        """The bytes of complete chunks that may wait, and that may be taken together."""
        return max(1, self.settings.commit_bytes // 2)

    def make_calls(self) -> None:
        """
        Make one call after the other until none is left or `end` is called.

        Each thread runs this method. When one thread stops, also by an exception, the schedule ends
        for all.
        """
        try:
            while call := self._next_call():
                self._make_call(*call)
                del call  # release the chunk while the thread waits for another one
        finally:
            self.end()

    def take_complete(self, seconds: float) -> list[FetchedChunk]:
        """
        Wait for complete chunks, remove them from the schedule and return them.

        Wait until 1 MB of answers is complete or, after `seconds`, until one chunk is. Return the
        first chunks that fit `most_bytes` together, or one larger chunk. Return an empty list when
        the schedule has ended and no complete chunk is left.
        """
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
        """Begin no further call, and wake all waiting threads."""
        with self.changed:
            self.is_over = True
            self.changed.notify_all()

    def _next_call(self) -> tuple[FetchedChunk, date] | None:
        """
        Wait until a call may begin, and return its chunk and day.

        The call is counted in the chunk's `in_flight`, and the day is removed from its days. Return
        None if the schedule has ended or no account has days left.
        """
        with self.changed:
            while (self.accounts or self.active) and not self.is_over:
                if chunk := self._next_chunk():
                    chunk.in_flight += 1
                    return chunk, chunk.days.popleft()
                self.changed.wait()
        return None

    def _next_chunk(self) -> FetchedChunk | None:
        """
        Return the active chunk with days left that has the fewest calls in flight.

        First begin chunks of waiting accounts, until as many are active as calls are made at once.
        Return None if no active chunk has days left, or if `most_bytes` of complete chunks wait.
        """
        if self.size >= self.most_bytes:
            return None
        while self.accounts and len(self.active) < self.settings.concurrency:
            self._begin_chunk(self.accounts.popleft())
        unfinished = [chunk for chunk in self.active if chunk.days]
        return min(unfinished, key=lambda chunk: chunk.in_flight, default=None)

    def _begin_chunk(self, calls: AccountCalls) -> None:
        """Remove the next chunk from the account's chunks and make it active."""
        self.active.append(FetchedChunk(calls, deque(calls.chunks.popleft())))

    def _make_call(self, chunk: FetchedChunk, day: date) -> None:
        """
        Fetch a day and record the result in its chunk, then wake the waiting threads.

        An exception is logged as a warning and becomes the chunk's failure.
        """
        try:
            result: StagedAnswer | Exception | None = self.fetch_day(chunk.calls, day)
        except Exception as error:
            log.warning("%s %s: not worked on: %s", chunk.calls.account, day, type(error).__name__)
            result = error
        with self.changed:
            self._record(chunk, result)
            self.changed.notify_all()

    def _record(self, chunk: FetchedChunk, result: StagedAnswer | Exception | None) -> None:
        """
        Add a call's result to its chunk, and complete the chunk if it was its last call.

        After an exception, the account's other days and chunks are dropped. None adds nothing.
        """
        chunk.in_flight -= 1
        if isinstance(result, Exception):
            chunk.failure = result
            chunk.days.clear()
            chunk.calls.chunks.clear()
        elif result:
            chunk.staged.append(result)
            chunk.size += result.size
        if not chunk.days and not chunk.in_flight:
            self._complete_chunk(chunk)

    def _complete_chunk(self, chunk: FetchedChunk) -> None:
        """Move the chunk to the complete ones, and begin the account's next chunk, if any."""
        self.active.remove(chunk)
        self.complete.append(chunk)
        self.size += chunk.size
        if chunk.calls.chunks:
            self._begin_chunk(chunk.calls)
