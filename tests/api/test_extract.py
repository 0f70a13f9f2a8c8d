"""
Extract: one call per pair, a few at once over all accounts; none holds up the others.

Which refusals stop an account is proven by the calendars of `tests/run`.
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
from weixin_etl.run.extract import FetchedChunk, extract

DAYS = [date(2026, 11, day) for day in range(23, 11, -1)]
LATER = datetime(2027, 1, 8, 10, tzinfo=clock.SHANGHAI)
"""When none of the days is of the present window."""
EVER = datetime.min.replace(tzinfo=UTC)
PATIENCE_SECONDS = 20


class Came(NamedTuple):
    """What a call came to."""

    day: date
    what: Response | FailedCall | None = None
    size: int = 100


Ask = Callable[[AccountCalls, date], Came]


def several(count: int, days: int = 12, in_chunk: int = 12) -> list[AccountCalls]:
    """Calls of accounts that have no server."""
    parts = [DAYS[:days][start : start + in_chunk] for start in range(0, days, in_chunk)]
    return [
        AccountCalls(ARTICLE_TOTAL, PlannedAccount(f"a{it}", f"wx{it}", "号", EVER), parts, _nobody)
        for it in range(count)
    ]


def _nobody(_: PlannedAccount) -> WeixinClient:
    raise AssertionError("nobody needs a client")


def extracted(accounts: list[AccountCalls], ask: Ask, concurrency: int) -> Iterator[FetchedChunk]:
    """Each chunk as it comes, two at a time at most."""
    limits = {"concurrency": concurrency, "most_bytes": 200, "most_seconds": 60}
    for several_ in extract(accounts, ask, **limits):
        yield from several_


def days(chunk: FetchedChunk) -> list[date]:
    """Of which it has something, newest first."""
    return sorted((it.day for it in chunk.staged), reverse=True)


def calls_of(wire: Wire, now: datetime = LATER) -> AccountCalls:
    """An account's calls for the days, as one chunk."""
    client = WeixinClient(wire.account, LIMITS)
    planned = PlannedAccount("weixin_wire", wire.account.appid, "春风", LATER, Due(DAYS))
    return AccountCalls(ARTICLE_TOTAL, planned, [DAYS], lambda _: client, now=lambda: now)


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire) -> None:
    """
    Two in flight, the first is refused for good: what is in hand ends, nothing new begins.

    The other days get the refusal with its time: those of 23:59 wait for the same midnight.
    """
    both_are_in_flight = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    def ask(calls: AccountCalls, day: date) -> Came:
        return Came(day, calls.fetch(day))

    (chunk,) = extracted([calls_of(wire)], ask, 2)
    refusals = [it.what for it in chunk.staged if isinstance(it.what, FailedCall)]

    assert sorted(it.calls for it in refusals) == [0] * 10 + [1, 1]
    assert {it.refused_at for it in refusals} == {LATER}
    assert len(wire.data_calls) == 2


def test_no_answer_is_of_a_time_before_the_plan(wire: Wire) -> None:
    """A clock may stand still or go back: the day would never be in."""
    came = calls_of(wire, now=LATER - timedelta(seconds=1)).fetch(DAYS[0])

    assert isinstance(came, Response)
    assert came.fetched_at == LATER


@pytest.mark.parametrize(
    ("count", "in_chunk", "concurrency", "together"),
    [(1, 12, 1, 1), (1, 12, 4, 4), (12, 1, 4, 4), (1, 4, 8, 4)],
    ids=["one by one", "of one account", "of many", "the next chunk waits"],
)
def test_as_many_calls_as_allowed_are_in_flight_at_once(
    count: int, in_chunk: int, concurrency: int, together: int
) -> None:
    """
    None ends before that many have begun, and no other begins.

    An account's older days wait for its window, which says what it is heard of.
    """
    all_have_begun = threading.Barrier(together, timeout=PATIENCE_SECONDS)
    in_hand = threading.Semaphore(together)

    def ask(calls: AccountCalls, day: date) -> Came:
        assert in_hand.acquire(blocking=False)
        all_have_begun.wait()
        in_hand.release()
        return Came(day, size=1)

    came = [*extracted(several(count, 12 // count, in_chunk), ask, concurrency)]

    assert [(it.failure, len(it.staged)) for it in came] == [(None, in_chunk)] * (12 // in_chunk)
    assert [day for it in came for day in days(it)] == (DAYS if count == 1 else DAYS[:1] * 12)


def test_an_account_that_answers_slowly_holds_no_other() -> None:
    """While its call is in flight another one's chunks are handed on, each as it is complete."""
    slow, quick = several(2, in_chunk=4)
    is_over = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert calls is quick or is_over.wait(PATIENCE_SECONDS)
        return Came(day)

    came = extracted([slow, quick], ask, 2)
    firsts = [next(came) for _ in range(3)]
    is_over.set()
    rest = [*came]

    assert [it.calls for it in firsts + rest] == [quick] * 3 + [slow] * 3
    for chunks in (firsts, rest):
        assert [days(it) for it in chunks] == [DAYS[:4], DAYS[4:8], DAYS[8:]]


def test_what_there_is_comes_after_some_time() -> None:
    """Though it is little, and the next answer is not there yet."""
    is_taken = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert day == DAYS[0] or is_taken.wait(PATIENCE_SECONDS)
        return Came(day, size=1)

    accounts = several(1, days=2, in_chunk=1)
    came = extract(accounts, ask, concurrency=1, most_bytes=200, most_seconds=0.1)
    (first,) = next(came)
    is_taken.set()
    ((second,),) = came

    assert [days(first), days(second)] == [DAYS[:1], DAYS[1:2]]


def test_calls_go_on_while_the_caller_works_within_the_bytes_it_allows() -> None:
    """Half of them are taken, half may wait: no call is made beyond that."""
    taken: list[FetchedChunk] = []
    made = threading.Semaphore(0)
    ahead: list[int] = []
    count = itertools.count(1)

    def ask(calls: AccountCalls, day: date) -> Came:
        number = next(count)
        ahead.append(number - len(taken))
        if number > 1:
            made.release()
        return Came(day)

    for chunk in extracted(several(6, 1), ask, 1):
        assert len(taken) == 5 or made.acquire(timeout=PATIENCE_SECONDS)
        taken.append(chunk)

    assert len(taken) == 6
    assert max(ahead) == 2


def test_an_error_of_the_program_ends_its_accounts_calls_alone() -> None:
    """It is the failure of its chunk, which keeps what had come, and the account's last one."""
    broken, fine = several(2, in_chunk=6)
    bug = RuntimeError("a bug")

    def ask(calls: AccountCalls, day: date) -> Came:
        if calls is broken and day == DAYS[2]:
            raise bug
        return Came(day)

    came = extracted([broken, fine], ask, 1)

    assert [(it.calls, it.failure, days(it)) for it in came] == [
        (broken, bug, DAYS[:2]),
        (fine, None, DAYS[:6]),
        (fine, None, DAYS[6:]),
    ]


class TimeIsUpError(BaseException):
    """As Airflow's timeout of a task, which no handler of errors takes."""


def test_a_task_whose_time_is_up_waits_for_no_call() -> None:
    """The call in flight is left to end by its deadline; no other is made."""
    is_in_flight, goes_on = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def ask(calls: AccountCalls, day: date) -> Came:
        threads.append(threading.current_thread())
        is_in_flight.set()
        assert goes_on.wait(PATIENCE_SECONDS)
        return Came(day)

    def time_is_up(*_: object) -> None:
        if is_in_flight.is_set():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise TimeIsUpError

    limits = {"concurrency": 1, "most_bytes": 200, "most_seconds": 60}
    handler = signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)  # again, until the call is in flight
    try:
        with pytest.raises(TimeIsUpError):
            next(extract(several(12, days=1), ask, **limits))
        is_still = threads[0].is_alive()
    finally:
        signal.signal(signal.SIGALRM, handler)
        goes_on.set()
    threads[0].join(PATIENCE_SECONDS)

    assert (is_still, len(threads), threads[0].is_alive()) == (True, 1, False)
