"""Extract: one call per pair, a few at once over all accounts; none holds up the others."""

import itertools
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from wire import LIMITS, Handler, Reply, Wire, in_turn, refuses, says

from weixin_etl import clock
from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Coverage, Due, PlannedAccount, Run
from weixin_etl.problem import ProblemKind
from weixin_etl.run.extract import FetchedChunk, extract
from weixin_etl.run.outcome import Outcome

DAYS = [date(2026, 11, day) for day in range(23, 11, -1)]
ANSWER, OUTAGE, OFFLINE = says(b'{"list":[]}'), says(b"", 502), refuses(47009)
LATER = datetime(2027, 1, 8, 10, tzinfo=clock.SHANGHAI)
"""When none of the days is of the present window."""
EVER = datetime.min.replace(tzinfo=UTC)
PATIENCE_SECONDS = 5


@dataclass(frozen=True)
class Came:
    """What a call came to."""

    appid: str
    day: date
    what: Answer | Refusal | None = None
    size: int = 1


Ask = Callable[[AccountCalls, date], Came]


def asked(calls: AccountCalls, day: date) -> Came:
    """Ask the account's server."""
    return Came(calls.account.appid, day, calls.ask(day))


def calls_of(wire: Wire, now: Callable[[], datetime] = lambda: LATER) -> AccountCalls:
    """Calls for the days, as one chunk."""
    client = WeixinClient(wire.account, LIMITS)
    planned = PlannedAccount("weixin_wire", wire.account.appid, "春风", EVER, Due(DAYS))
    return AccountCalls(ARTICLE_TOTAL, planned, [DAYS], lambda _: client, now=now)


def several(count: int, days: int = 12, in_chunk: int = 12) -> list[AccountCalls]:
    """Calls of accounts that have no server."""
    parts = [DAYS[:days][start : start + in_chunk] for start in range(0, days, in_chunk)]
    return [
        AccountCalls(ARTICLE_TOTAL, PlannedAccount(f"a{it}", f"wx{it}", "号", EVER), parts, _nobody)
        for it in range(count)
    ]


def _nobody(_: PlannedAccount) -> WeixinClient:
    raise AssertionError("nobody needs a client")


def chunks(*accounts: AccountCalls, ask: Ask = asked, concurrency: int = 1) -> list[FetchedChunk]:
    """Everything, in the order it came."""
    limits = {"concurrency": concurrency, "most_bytes": 100, "most_seconds": 60}
    return [chunk for several in extract(accounts, ask, **limits) for chunk in several]


def days(chunk: FetchedChunk) -> list[date]:
    """Of which it has something, newest first."""
    return sorted((it.day for it in chunk.staged), reverse=True)


def refusals(wire: Wire, concurrency: int = 1) -> list[tuple[int, ProblemKind, int]]:
    """The refused days' places, why, and the calls they cost; each of the days has come."""
    (chunk,) = chunks(calls_of(wire), concurrency=concurrency)
    assert (chunk.failure, days(chunk)) == (None, DAYS)
    refused = {it.day: it.what for it in chunk.staged if isinstance(it.what, Refusal)}
    assert len({it.refused_at for it in refused.values() if not it.calls}) <= 1
    return sorted((DAYS.index(day), it.error.kind, it.calls) for day, it in refused.items())


# ------------------------------------------------------------------------- the calls of an account


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([ANSWER, refuses(61503)], [(1, ProblemKind.NOT_READY, 1)]),
        ([ANSWER, OUTAGE, OUTAGE, OUTAGE, ANSWER], [(1, ProblemKind.UNREACHABLE, 3)]),
        *(
            ([ANSWER, refuses(code)], [(1, kind, 1), *((it, kind, 0) for it in range(2, 12))])
            for code, kind in [
                (48001, ProblemKind.CONFIGURATION),
                (45009, ProblemKind.DAILY_QUOTA),
            ]
        ),
    ],
)
def test_a_refused_day_holds_back_no_other_unless_it_stops_the_account(
    wire: Wire, replies: list[Reply], expected: list[tuple[int, ProblemKind, int]]
) -> None:
    """Then the others are not asked, with its time: those of 23:59 wait for the same midnight."""
    wire.on_data = in_turn(*replies, ANSWER)

    assert refusals(wire) == expected


@pytest.mark.parametrize(
    ("replies", "calls"),
    [
        ([OUTAGE] * 15, 15),
        ([ANSWER] * 3 + [OUTAGE] * 15, 18),
        ([OUTAGE] * 12 + [ANSWER] + [OUTAGE] * 12 + [ANSWER], 28),
        ([OFFLINE] * 5, 5),
        ([OFFLINE] * 4 + [ANSWER] + [OFFLINE] * 4 + [ANSWER], 12),
    ],
    ids=["outages", "later outages", "four and four", "offline", "four and four offline"],
)
def test_five_refusals_in_a_row_stop_the_account(
    wire: Wire, replies: list[Reply], calls: int
) -> None:
    """Outages (three calls each), or 47009: an answer begins the row anew."""
    wire.on_data = in_turn(*replies)

    chunks(calls_of(wire))

    assert len(wire.data_calls) == calls


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire) -> None:
    """Two in flight, the first is refused for good: what is in hand ends, nothing new begins."""
    both_are_in_flight = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    assert sorted(calls for *_, calls in refusals(wire, 2)) == [0] * 10 + [1, 1]
    assert len(wire.data_calls) == 2


def test_no_answer_is_of_a_time_before_the_plan(wire: Wire) -> None:
    """A clock may stand still or go back: the day would never be in."""
    calls = calls_of(wire, now=lambda: LATER - timedelta(seconds=1))
    calls.planned = replace(calls.planned, planned_at=LATER)

    came = calls.ask(DAYS[0])

    assert isinstance(came, Answer)
    assert came.fetched_at == LATER


# ------------------------------------------------------------------------ the calls of all accounts


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
        return Came(calls.account.appid, day)

    came = chunks(*several(count, 12 // count, in_chunk), ask=ask, concurrency=concurrency)

    assert [(it.failure, len(it.staged)) for it in came] == [(None, in_chunk)] * (12 // in_chunk)
    assert [day for it in came for day in days(it)] == (DAYS if count == 1 else DAYS[:1] * 12)


def test_an_account_that_answers_slowly_holds_no_other() -> None:
    """While its call is in flight another one's chunks are handed on, each as it is complete."""
    slow, quick = several(2, in_chunk=4)
    is_over = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert calls is quick or is_over.wait(PATIENCE_SECONDS)
        return Came(calls.account.appid, day, size=100)

    came = extract([slow, quick], ask, concurrency=2, most_bytes=200, most_seconds=60)
    firsts = [next(came) for _ in range(3)]
    is_over.set()
    rest = [chunk for several_ in came for chunk in several_]

    assert [(chunk.calls, days(chunk)) for (chunk,) in firsts] == [
        (quick, DAYS[start : start + 4]) for start in (0, 4, 8)
    ]
    assert [day for chunk in rest for day in days(chunk)] == DAYS


def test_what_there_is_comes_after_some_time() -> None:
    """Though it is little, and the next answer is not there yet."""
    is_taken = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert day == DAYS[0] or is_taken.wait(PATIENCE_SECONDS)
        return Came(calls.account.appid, day)

    accounts = several(1, days=2, in_chunk=1)
    came = extract(accounts, ask, concurrency=1, most_bytes=100, most_seconds=0.1)
    (first,) = next(came)
    is_taken.set()
    ((second,),) = came

    assert [days(first), days(second)] == [DAYS[:1], DAYS[1:2]]


def test_calls_go_on_while_the_caller_works_within_the_bytes_it_allows() -> None:
    """Half of them are taken, half may wait: no call is made beyond that."""
    taken: list[FetchedChunk] = []
    made = itertools.count(1)
    is_too_far = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        if next(made) > len(taken) + 2:
            is_too_far.set()
        return Came(calls.account.appid, day, size=100)

    for several_ in extract(several(6, 1), ask, concurrency=1, most_bytes=200, most_seconds=60):
        assert not is_too_far.wait(0.05)
        taken += several_

    assert len(taken) == 6


def test_chunks_are_the_window_and_at_most_thirty_older_days() -> None:
    """Of the planned days that are asked for, in the plan's order."""
    older = [date(2026, 11, 11) - timedelta(number) for number in range(70)]
    planned = PlannedAccount("a", "wx0", "号", LATER, Due(DAYS, older))

    def chunks_of(*wanted: date) -> list[list[date]]:
        settled = {("wx0", day): Coverage("final") for day in {*planned.due.days} - {*wanted}}
        run = Run("manual", ARTICLE_TOTAL, LATER.date())
        return Outcome(run, [planned], settled, {}, {}).chunks(planned)

    assert chunks_of(*older, *DAYS) == [DAYS, older[:30], older[30:60], older[60:]]
    assert chunks_of(*older[:31]) == [older[:30], older[30:31]]
    assert chunks_of(*DAYS[2:4]) == [DAYS[2:4]]
    assert chunks_of() == []


def test_an_error_of_the_program_ends_its_accounts_calls_alone() -> None:
    """It is the failure of its chunk, which keeps what had come, and the account's last one."""
    broken, fine = several(2, in_chunk=6)
    bug = RuntimeError("a bug")

    def ask(calls: AccountCalls, day: date) -> Came:
        if calls is broken and day == DAYS[2]:
            raise bug
        return Came(calls.account.appid, day)

    came = chunks(broken, fine, ask=ask)

    assert [(it.calls, it.failure, days(it)) for it in came] == [
        (broken, bug, DAYS[:2]),
        (fine, None, DAYS[:6]),
        (fine, None, DAYS[6:]),
    ]


class TimeIsUpError(BaseException):
    """As Airflow's timeout of a task, which no handler of errors takes."""


def test_a_task_whose_time_is_up_waits_for_no_call() -> None:
    """The call in flight is left to end by its deadline; no other is made."""
    goes_on, main = threading.Event(), threading.get_ident()
    threads: list[threading.Thread] = []

    def ask(calls: AccountCalls, day: date) -> Came:
        threads.append(threading.current_thread())
        if len(threads) == 1:
            signal.pthread_kill(main, signal.SIGALRM)
        assert goes_on.wait(PATIENCE_SECONDS)
        return Came(calls.account.appid, day)

    def time_is_up(*_: object) -> None:
        raise TimeIsUpError

    handler = signal.signal(signal.SIGALRM, time_is_up)
    try:
        with pytest.raises(TimeIsUpError):
            chunks(*several(12, days=1), ask=ask)
        is_in_flight = threads[0].is_alive()
    finally:
        signal.signal(signal.SIGALRM, handler)
        goes_on.set()
    threads[0].join(PATIENCE_SECONDS)

    assert (is_in_flight, len(threads), threads[0].is_alive()) == (True, 1, False)
