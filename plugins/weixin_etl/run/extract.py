"""One call per pair (account, day), a few at once over all accounts of a batch, chunk by chunk."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from math import inf
from threading import Condition, Lock

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    EndpointOfflineError,
    HeldBackError,
    WeixinError,
)
from weixin_etl.api.outages import Outages
from weixin_etl.load import Staged
from weixin_etl.model import Account, PlannedAccount
from weixin_etl.run import Work
from weixin_etl.threads import short_turns, thread_pool

log = logging.getLogger(__name__)

ENOUGH_BYTES = 4 << 20
"""Bytes of answers that are handed on together."""

OpenClient = Callable[[PlannedAccount], WeixinClient]
"""The client of a planned account; raises `WeixinError` when its connection can't be used."""


class AccountCalls:
    """
    One account's calls of a try; several threads may make them at once.

    Once a refusal stops the account, the days not yet asked get it without a call, with its time.
    """

    def __init__(
        self,
        work: Work,
        planned: PlannedAccount,
        chunks: Iterable[list[date]],
        open_client: OpenClient,
        calls_left: float = inf,
    ) -> None:
        """Ask for these of the planned days."""
        self.account = Account(planned.conn_id, planned.appid, "", planned.name)
        self.chunks = deque(chunks)
        """Days that are judged together, not begun yet."""
        self._planned = planned
        self._dataset = work.run.dataset
        self._now: Callable[[], datetime] = lambda: max(work.now(), planned.planned_at)
        self._open_client = open_client
        self._calls_left = calls_left
        self._client: WeixinClient | None = None
        self._stopped: Refusal | None = None
        self._outages = Outages()
        self._lock = Lock()

    def ask(self, day: date) -> Answer | Refusal:
        """Ask for the day, unless the account is stopped or has no call left."""
        with self._lock:
            client = self._client_or_refusal()
            if isinstance(client, Refusal):
                return client
            self._calls_left -= 1
        came = _not_before(client.datacube(self._dataset, day), self._planned.planned_at)
        with self._lock:
            self._calls_left -= came.calls - 1  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def _client_or_refusal(self) -> WeixinClient | Refusal:
        if self._stopped:
            return replace(self._stopped, calls=0)
        if self._calls_left <= 0:
            return Refusal(HeldBackError(account=str(self.account)), self._now(), calls=0)
        try:
            self._client = self._client or self._opened()
        except WeixinError as error:
            self._stopped = Refusal(error, self._now(), calls=0)
            return self._stopped
        return self._client

    def _opened(self) -> WeixinClient:
        """
        The account's client, with a token.

        Raises:
            WeixinError: it gets none, or the connection's login has changed since the plan.
        """
        client, planned = self._open_client(self._planned), self._planned
        if client.account.appid != planned.appid:
            raise ConfigurationError(
                account=planned.name,
                cause=f"the AppID of connection {planned.conn_id} was {planned.appid} when the run "
                f"was planned and is {client.account.appid} now",
                cure="clear the task refresh_access_token with its downstream tasks",
            )
        client.check_token()
        return client

    def _note(self, day: date, came: Answer | Refusal) -> None:
        """
        Take a call's end into account.

        Several outages in a row stop the account. So does an endpoint that is offline, but not
        within the present window: WeChat may give older days that newer ones lack.
        """
        error = came.error if isinstance(came, Refusal) else None
        window_first = clock.beijing_date(self._now()) - rules.DAY * self._dataset.window
        is_offline = isinstance(error, EndpointOfflineError) and day < window_first
        self._outages.note(error if error and (error.is_outage or is_offline) else None)
        if isinstance(came, Refusal) and (came.error.stops_account or self._outages.are_enough):
            self._stopped = came


def _not_before(came: Answer | Refusal, instant: datetime) -> Answer | Refusal:
    """The same, of no earlier instant: a clock may stand still, or go back."""
    if isinstance(came, Answer):
        return came if came.fetched_at >= instant else replace(came, fetched_at=instant)
    return replace(came, refused_at=max(came.refused_at, instant))


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
