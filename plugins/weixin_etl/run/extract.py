"""One call per pair (account, publication day), a few at once over all accounts of a batch."""

import logging
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from math import inf
from threading import Condition, Lock

from weixin_etl import clock, rules
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import EndpointOfflineError, HeldBackError, WeixinError
from weixin_etl.api.outages import Outages
from weixin_etl.load import Outcome
from weixin_etl.model import Account, Run
from weixin_etl.threads import short_turns, thread_pool

log = logging.getLogger(__name__)

ENOUGH_BYTES = 8 << 20
"""Bytes of answers that are handed on together."""


class AccountCalls:
    """
    One account's calls of a try; several threads may make them at once.

    A day that is held back for the quota is not asked for, and gets a `HeldBackError`.

    Once a refusal stops the account, the days not yet asked get it without a call, with its time.
    """

    def __init__(
        self,
        run: Run,
        account: Account,
        days: Sequence[date],
        open_client: Callable[[], WeixinClient],
        *,
        today: date,
        now: Callable[[], datetime] = clock.now,
        spare: float = inf,
        stopped: Refusal | None = None,
    ) -> None:
        """
        `open_client` raises `WeixinError` when the account can't be asked.

        `spare` is the number of calls that leave the reserve of its quota whole.
        """
        self.account = account
        self.days = deque(days)
        """Not asked yet."""
        self.failure: Exception | None = None
        """What went wrong in the program itself: no more is asked."""
        self._run = run
        self._open_client = open_client
        self._today = today
        self._now = now
        self._spare = spare
        self._client: WeixinClient | Refusal | None = stopped
        """None before the first call; once a refusal stops the account, that."""
        self._outages = Outages()
        self._opening = Lock()
        self._noting = Lock()

    def ask(self, day: date) -> Answer | Refusal:
        """Ask for the day, unless the account is stopped or the day is held back."""
        with self._opening:
            if self._client is None:
                self._client = self._opened()
            client = self._client
        if isinstance(client, Refusal):
            return replace(client, calls=0)
        with self._noting:
            if rules.is_held_back(self._run, day, self._spare, self._today):
                return Refusal(HeldBackError(account=str(self.account)), self._now(), calls=0)
            self._spare -= 1
        came = client.datacube(self._run.dataset, day)
        with self._noting:
            self._spare -= came.calls - 1  # a call that was given up is not taken off
            self._note(day, came)
        return came

    def _opened(self) -> WeixinClient | Refusal:
        try:
            client = self._open_client()
            client.check_token()
        except WeixinError as error:
            return Refusal(error, self._now(), calls=0)
        return client

    def _note(self, day: date, came: Answer | Refusal) -> None:
        """
        Take a call's end into account.

        Several outages in a row stop the account. So does an endpoint that is offline, but not
        within the present window: WeChat may give older days that newer ones lack.
        """
        error = came.error if isinstance(came, Refusal) else None
        present = rules.present_window(self._run.dataset, self._today)
        is_offline = isinstance(error, EndpointOfflineError) and day not in present
        self._outages.note(error if error and (error.is_outage or is_offline) else None)
        if isinstance(came, Refusal) and (came.error.stops_account or self._outages.are_enough):
            self._client = came


def extract(
    accounts: Iterable[AccountCalls],
    ask: Callable[[AccountCalls, date], Outcome],
    *,
    concurrency: int,
    most_bytes: int,
    most_seconds: float,
) -> Iterator[list[Outcome]]:
    """
    Ask for each account's days, `concurrency` calls at once, from the first to the last.

    What has come is yielded together, in the order it came, whenever the caller is ready for more:
    answers of 8 MB or more, up to half of `most_bytes` or a single one, or what there is after
    `most_seconds`. The calls go on while the caller works, until the other half waits. An account
    that answers slowly leaves the other calls in flight to the others. An account whose calls fail
    with an error of the program keeps it as `failure`.

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
        ask: Callable[[AccountCalls, date], Outcome],
        concurrency: int,
        most_bytes: int,
    ) -> None:
        self._ask = ask
        self._concurrency = concurrency
        self._most_bytes = max(1, most_bytes // 2)
        self._accounts = iter(accounts)
        self._active: list[AccountCalls] = []
        """At most as many as calls in flight."""
        self._in_flight: Counter[AccountCalls] = Counter()
        self._came: deque[Outcome] = deque()
        self._bytes = 0
        self._callers = concurrency
        self._enough_bytes = min(self._most_bytes, ENOUGH_BYTES)
        self._changed = Condition()

    def call(self) -> None:
        """Make calls until there is none left to make."""
        try:
            while turn := self._next():
                account, day = turn
                try:
                    self._put(self._ask(account, day))
                except Exception as error:
                    self._give_up(account, day, error)
                finally:
                    with self._changed:
                        self._in_flight[account] -= 1
        finally:
            with self._changed:
                self._callers -= 1
                self._changed.notify_all()

    def _next(self) -> tuple[AccountCalls, date] | None:
        """The next day of the account with the fewest calls in flight."""
        with self._changed:
            if len(self._active) < self._concurrency:
                self._active += islice(self._accounts, 1)
            if not self._active:
                return None
            account = min(self._active, key=lambda it: self._in_flight[it])
            self._in_flight[account] += 1
            day = account.days.popleft()
            if not account.days:
                self._active.remove(account)
            return account, day

    def _give_up(self, account: AccountCalls, day: date, error: Exception) -> None:
        name = type(error).__name__
        log.warning("%s %s: the answer could not be worked on: %s", account.account, day, name)
        with self._changed:
            account.failure = error
            self._active = [it for it in self._active if it is not account]

    def _put(self, came: Outcome) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < self._most_bytes)
            self._came.append(came)
            self._bytes += came.size
            self._changed.notify_all()

    def come(self, most_seconds: float) -> Iterator[list[Outcome]]:
        """What has come, each time it is enough or late enough."""
        while self._callers or self._came:
            with self._changed:
                self._changed.wait_for(self._is_enough, most_seconds)
                taken = self._taken()
            if taken:
                yield taken
            del taken  # else it stays until the next ones are all there

    def _is_enough(self) -> bool:
        return self._bytes >= self._enough_bytes or not self._callers

    def _taken(self) -> list[Outcome]:
        taken: list[Outcome] = []
        size = 0
        while self._came and (not taken or size + self._came[0].size <= self._most_bytes):
            taken.append(self._came.popleft())
            size += taken[-1].size
        self._bytes -= size
        self._changed.notify_all()
        return taken

    def end(self) -> None:
        """Nobody takes any more: calls in flight end, and no other is made."""
        with self._changed:
            self._accounts = iter(())
            self._active.clear()
            self._came.clear()
            self._bytes = 0
            self._most_bytes = sys.maxsize
            self._changed.notify_all()
