"""
Tests of `extract`: it makes one call per slice, and several calls at once over all accounts.

The calendars of `tests/run` show which refusals stop an account.
"""

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pytest
from support.wire import LIMITS, Handler, Wire, refuses

from weixin_etl import clock
from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.client import FailedCall, Response, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Due, PlannedAccount
from weixin_etl.run import Settings
from weixin_etl.run.extract import FetchedChunk, extract

DAYS = [date(2026, 11, day) for day in range(23, 11, -1)]
LATER = datetime(2027, 1, 8, 10, tzinfo=clock.SHANGHAI)
"""A time at which the window of each day is over."""
EVER = datetime.min.replace(tzinfo=UTC)
PATIENCE_SECONDS = 20


class FetchedDay(NamedTuple):
    """The result of a day's call, in place of a `StagedAnswer`; `size` counts its bytes."""

    day: date
    outcome: Response | FailedCall | None = None
    size: int = 100


Ask = Callable[[AccountCalls, date], FetchedDay]


def several(count: int, days: int = 12, in_chunk: int = 12) -> list[AccountCalls]:
    """Return calls for a number of accounts without a server, in chunks of `in_chunk` days."""
    parts = [DAYS[:days][start : start + in_chunk] for start in range(0, days, in_chunk)]
    accounts = [PlannedAccount(f"a{number}", f"wx{number}", "号", EVER) for number in range(count)]
    return [AccountCalls(ARTICLE_TOTAL, account, parts, _nobody) for account in accounts]


def _nobody(_: PlannedAccount) -> WeixinClient:
    raise AssertionError("nobody needs a client")


def extracted(accounts: list[AccountCalls], ask: Ask, concurrency: int) -> Iterator[FetchedChunk]:
    """Yield each extracted chunk; `extract` may hold the bytes of two answers."""
    settings = Settings(concurrency=concurrency, commit_bytes=200)
    for batch in extract(accounts, ask, settings, most_seconds=60):
        yield from batch


def days(chunk: FetchedChunk) -> list[date]:
    """Return the chunk's days, newest first."""
    return sorted((answer.day for answer in chunk.staged), reverse=True)


def calls_of(wire: Wire, now: datetime = LATER) -> AccountCalls:
    """Return an account's calls for `DAYS`, as one chunk."""
    client = WeixinClient(wire.account, LIMITS)
    planned = PlannedAccount("weixin_wire", wire.account.appid, "春风", LATER, Due(DAYS))
    return AccountCalls(ARTICLE_TOTAL, planned, [DAYS], lambda _: client, now=lambda: now)


def test_an_error_that_stops_an_account_stops_its_other_calls(wire: Wire) -> None:
    """
    Of two calls in flight the first is refused for good. The second ends, and no other begins.

    The remaining days get the same refusal with the same time, so they wait for the same midnight.
    """
    both_are_in_flight = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        return FetchedDay(day, calls.fetch(day))

    (chunk,) = extracted([calls_of(wire)], ask, 2)
    outcomes = [fetched.outcome for fetched in chunk.staged]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, FailedCall)]

    assert sorted(refusal.calls for refusal in refusals) == [0] * 10 + [1, 1]
    assert {refusal.refused_at for refusal in refusals} == {LATER}
    assert len(wire.data_calls) == 2


def test_an_answer_is_never_dated_before_the_plan(wire: Wire) -> None:
    """A clock may be set back. The answer would then never count for the plan."""
    response = calls_of(wire, now=LATER - timedelta(seconds=1)).fetch(DAYS[0])

    assert isinstance(response, Response)
    assert response.fetched_at == LATER


@pytest.mark.parametrize(
    ("count", "in_chunk", "concurrency", "together"),
    [(1, 12, 1, 1), (1, 12, 4, 4), (12, 1, 4, 4), (1, 4, 8, 4)],
    ids=["one by one", "of one account", "of many", "the next chunk waits"],
)
def test_as_many_calls_as_allowed_are_in_flight_at_once(
    count: int, in_chunk: int, concurrency: int, together: int
) -> None:
    """
    A call ends only after the others have begun, and no further call begins.

    An account's older days wait for its window, whose answers are evidence for them.
    """
    all_have_begun = threading.Barrier(together, timeout=PATIENCE_SECONDS)
    in_hand = threading.Semaphore(together)

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        assert in_hand.acquire(blocking=False)
        all_have_begun.wait()
        in_hand.release()
        return FetchedDay(day, size=1)

    chunks = [*extracted(several(count, 12 // count, in_chunk), ask, concurrency)]

    sizes = [(chunk.failure, len(chunk.staged)) for chunk in chunks]
    assert sizes == [(None, in_chunk)] * (12 // in_chunk)
    fetched = [day for chunk in chunks for day in days(chunk)]
    assert fetched == (DAYS if count == 1 else DAYS[:1] * 12)


def test_a_slow_account_does_not_delay_other_accounts() -> None:
    """The chunks of other accounts are handed on while a slow call is in flight."""
    slow, quick = several(2, in_chunk=4)
    is_over = threading.Event()

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        assert calls is quick or is_over.wait(PATIENCE_SECONDS)
        return FetchedDay(day)

    chunks = extracted([slow, quick], ask, 2)
    firsts = [next(chunks) for _ in range(3)]
    is_over.set()
    rest = [*chunks]

    assert [chunk.calls for chunk in firsts + rest] == [quick] * 3 + [slow] * 3
    for fetched in (firsts, rest):
        assert [days(chunk) for chunk in fetched] == [DAYS[:4], DAYS[4:8], DAYS[8:]]


def test_a_small_batch_is_handed_on_after_some_time() -> None:
    """The next answer is still missing."""
    is_taken = threading.Event()

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        assert day == DAYS[0] or is_taken.wait(PATIENCE_SECONDS)
        return FetchedDay(day, size=1)

    accounts = several(1, days=2, in_chunk=1)
    settings = Settings(concurrency=1, commit_bytes=200)
    chunks = extract(accounts, ask, settings, most_seconds=0.1)
    (first,) = next(chunks)
    is_taken.set()
    ((second,),) = chunks

    assert [days(first), days(second)] == [DAYS[:1], DAYS[1:2]]


def test_calls_go_on_while_the_caller_works_within_the_bytes_it_allows() -> None:
    """Half of the bytes are being loaded and half may wait; then no further call is made."""
    taken: list[FetchedChunk] = []
    made = threading.Semaphore(0)
    ahead: list[int] = []
    count = itertools.count(1)

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        number = next(count)
        ahead.append(number - len(taken))
        if number > 1:
            made.release()
        return FetchedDay(day)

    for chunk in extracted(several(6, 1), ask, 1):
        assert len(taken) == 5 or made.acquire(timeout=PATIENCE_SECONDS)
        taken.append(chunk)

    assert len(taken) == 6
    assert max(ahead) == 2


def test_a_bug_ends_the_calls_of_its_account_only() -> None:
    """The account's last chunk has the error as its failure, and keeps the earlier answers."""
    broken, fine = several(2, in_chunk=6)
    bug = RuntimeError("a bug")

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        if calls is broken and day == DAYS[2]:
            raise bug
        return FetchedDay(day)

    chunks = extracted([broken, fine], ask, 1)

    assert [(chunk.calls, chunk.failure, days(chunk)) for chunk in chunks] == [
        (broken, bug, DAYS[:2]),
        (fine, None, DAYS[:6]),
        (fine, None, DAYS[6:]),
    ]


class TimeIsUpError(BaseException):
    """A stand-in for Airflow's task timeout, which `except Exception` does not catch."""


def test_a_task_that_times_out_waits_for_no_call() -> None:
    """The call in flight ends by its own deadline, and no other call is made."""
    is_in_flight, goes_on = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def ask(calls: AccountCalls, day: date) -> FetchedDay:
        threads.append(threading.current_thread())
        is_in_flight.set()
        assert goes_on.wait(PATIENCE_SECONDS)
        return FetchedDay(day)

    def time_is_up(*_: object) -> None:
        if is_in_flight.is_set():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise TimeIsUpError

    settings = Settings(concurrency=1, commit_bytes=200)
    handler = signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)  # again, until the call is in flight
    try:
        with pytest.raises(TimeIsUpError):
            next(extract(several(12, days=1), ask, settings, most_seconds=60))
        is_still = threads[0].is_alive()
    finally:
        signal.signal(signal.SIGALRM, handler)
        goes_on.set()
    threads[0].join(PATIENCE_SECONDS)

    assert (is_still, len(threads), threads[0].is_alive()) == (True, 1, False)
