"""Extract: one call per pair, a few at once over all accounts; none holds up the others."""

import itertools
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from time import sleep

import pytest
from wire import LIMITS, Handler, Reply, Wire, in_turn, refuses, says

from weixin_etl import clock
from weixin_etl.api.calls import AccountCalls
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Account, Coverage, Due, PlannedAccount, Run
from weixin_etl.problem import ProblemKind
from weixin_etl.run.extract import FetchedChunk, extract
from weixin_etl.run.outcome import Outcome
from weixin_sandbox import Sandbox, Scenario

DAYS = [date(2026, 11, day) for day in range(23, 11, -1)]
ANSWER = says(b'{"list":[]}')
OUTAGE = says(b"", 502)
OFFLINE = refuses(47009)
LATER = datetime(2027, 1, 8, 10, tzinfo=clock.SHANGHAI)
"""When none of the days is of the present window."""
RUN = Run("manual", ARTICLE_TOTAL, LATER.date())
EVER = datetime.min.replace(tzinfo=UTC)
PATIENCE_SECONDS = 5


@dataclass(frozen=True)
class Came:
    """What a call came to."""

    appid: str
    day: date
    what: Answer | Refusal | None = None
    size: int = 1


def asked(calls: AccountCalls, day: date) -> Came:
    """Ask the account's server."""
    return Came(calls.account.appid, day, calls.ask(day))


def calls_of(account: Account, now: Callable[[], datetime] = lambda: LATER) -> AccountCalls:
    """Calls for the days, as one chunk."""
    client = WeixinClient(account, LIMITS)
    planned = PlannedAccount(account.conn_id, account.appid, account.name, EVER, Due(DAYS))
    return AccountCalls(ARTICLE_TOTAL, planned, [DAYS], lambda _: client, now=now)


def chunks(
    *accounts: AccountCalls,
    ask: Callable[[AccountCalls, date], Came] = asked,
    concurrency: int = 1,
) -> list[FetchedChunk]:
    """Everything, in the order it came."""
    came = extract(accounts, ask, concurrency=concurrency, most_bytes=100, most_seconds=60)
    return [chunk for several in came for chunk in several]


def extracted(
    *accounts: AccountCalls,
    ask: Callable[[AccountCalls, date], Came] = asked,
    concurrency: int = 1,
) -> list[Came]:
    """The same, day by day."""
    came = chunks(*accounts, ask=ask, concurrency=concurrency)
    assert [chunk.failure for chunk in came] == [None] * len(came)
    return [one for chunk in came for one in chunk.staged]


def refusals(came: list[Came]) -> list[tuple[int, type[Exception], int]]:
    """The refused days' places, why, and the calls they cost."""
    by_day = sorted(came, key=lambda one: one.day, reverse=True)
    assert [one.day for one in by_day] == DAYS
    return [
        (place, one.what.error.kind, one.what.calls)
        for place, one in enumerate(by_day)
        if isinstance(one.what, Refusal)
    ]


# ------------------------------------------------------------------------- the calls of an account


def test_one_refused_day_holds_back_no_other(sandbox: Sandbox, account: Account):
    """It is refused with the calls it took."""
    sandbox.scenarios[:] = [
        Scenario("offline", day=DAYS[2]),
        Scenario("not-ready-code", day=DAYS[4]),
        Scenario("http-500", day=DAYS[6]),
    ]

    assert refusals(extracted(calls_of(account), concurrency=4)) == [
        (2, ProblemKind.ENDPOINT_OFFLINE, 1),
        (4, ProblemKind.NOT_READY, 1),
        (6, ProblemKind.UNREACHABLE, 3),
    ]


@pytest.mark.parametrize(
    ("scenario", "kind"),
    [("unauthorized", ProblemKind.CONFIGURATION), ("daily-quota", ProblemKind.DAILY_QUOTA)],
)
def test_an_error_that_stops_the_account_is_given_to_the_days_not_asked_yet(
    sandbox: Sandbox, account: Account, scenario: str, kind: type[Exception]
):
    """Without a call, and with its time: those of 23:59 wait for the same midnight."""
    sandbox.scenarios[:] = [Scenario(scenario, day=DAYS[2])]

    ticks = map(timedelta, itertools.count())

    came = extracted(calls_of(account, lambda: LATER + next(ticks)))

    assert refusals(came) == [(2, kind, 1), *((place, kind, 0) for place in range(3, 12))]
    assert len({one.what.refused_at for one in came if isinstance(one.what, Refusal)}) == 1


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
def test_five_refusals_in_a_row_stop_the_account(wire: Wire, replies: list[Reply], calls: int):
    """Outages (three calls each), or 47009: an answer begins the row anew."""
    wire.on_data = in_turn(*replies)

    extracted(calls_of(wire.account))

    assert len(wire.data_calls) == calls


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire):
    """Two in flight, the first is refused for good: what is in hand ends, nothing new begins."""
    both_are_in_flight = threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    came = extracted(calls_of(wire.account), concurrency=2)

    assert sorted(calls for *_, calls in refusals(came)) == [0] * 10 + [1, 1]
    assert len(wire.data_calls) == 2


def test_no_answer_is_of_a_time_before_the_plan(wire: Wire):
    """A clock may stand still or go back: the day would never be in."""
    calls = calls_of(wire.account, now=lambda: LATER - timedelta(seconds=1))
    calls.planned = replace(calls.planned, planned_at=LATER)

    came = [calls.ask(day) for day in DAYS]

    assert {it.fetched_at for it in came if isinstance(it, Answer)} == {LATER}


def test_a_connection_that_leads_to_another_account_by_now_is_not_asked(wire: Wire):
    """Its figures would be kept as the planned account's."""
    calls = calls_of(wire.account)
    calls.planned = replace(calls.planned, appid="wx-planned")

    assert {place for place, *_ in refusals(extracted(calls))} == {*range(12)}
    assert wire.asked == []


# ------------------------------------------------------------------------ the calls of all accounts


def several(count: int, days: int = 12, in_chunk: int = 12) -> list[AccountCalls]:
    """Calls of accounts that have no server."""
    return [
        AccountCalls(
            ARTICLE_TOTAL,
            PlannedAccount(f"a{number}", f"wx{number}", f"号{number}", EVER),
            [DAYS[:days][start : start + in_chunk] for start in range(0, days, in_chunk)],
            lambda _: pytest.fail("nobody needs a client"),
        )
        for number in range(count)
    ]


def at_once(calls: AccountCalls, day: date) -> Came:
    """A call that costs nothing."""
    return Came(calls.account.appid, day)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("count", [1, 12])
def test_as_many_calls_as_allowed_are_in_flight_at_once(count: int, concurrency: int):
    """Of one account or of many: none ends before that many have begun, and no other begins."""
    together = threading.Barrier(concurrency, timeout=PATIENCE_SECONDS)
    in_hand = threading.Semaphore(concurrency)

    def ask(calls: AccountCalls, day: date) -> Came:
        assert in_hand.acquire(blocking=False)
        together.wait()
        in_hand.release()
        return at_once(calls, day)

    accounts = several(count, days=12 // count)

    assert len(extracted(*accounts, ask=ask, concurrency=concurrency)) == 12


def test_an_account_that_answers_slowly_holds_no_other():
    """
    While its first call is in flight another account comes to its end, newest days first.

    Each of its chunks is handed on as it is complete, and its next begins only then.
    """
    slow, quick = several(2, in_chunk=4)
    events: list[tuple[str, date]] = []
    is_over = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        if calls is slow:
            assert is_over.wait(PATIENCE_SECONDS)
        else:
            events.append(("asked", day))
        return replace(at_once(calls, day), size=100)

    came = extract([slow, quick], ask, concurrency=2, most_bytes=200, most_seconds=60)
    for _ in range(3):
        (chunk,) = next(came)
        assert chunk.calls is quick
        events += [("taken", one.day) for one in chunk.staged]
    is_over.set()
    rest = [one for several_ in came for chunk in several_ for one in chunk.staged]

    assert [day for what, day in events if what == "asked"] == DAYS
    assert [day for what, day in events if what == "taken"] == DAYS
    assert sorted((one.day for one in rest if one.appid == "wx0"), reverse=True) == DAYS


def test_the_older_days_begin_after_the_window_is_complete():
    """With calls to spare, too: the window says what the account is heard of."""
    (account,) = several(1, in_chunk=4)
    in_hand: list[date] = []
    lock = threading.Lock()

    def ask(calls: AccountCalls, day: date) -> Came:
        with lock:
            in_hand.append(day)
            assert len({DAYS.index(it) // 4 for it in in_hand}) == 1
        sleep(0.01)
        with lock:
            in_hand.remove(day)
        return at_once(calls, day)

    came = chunks(account, ask=ask, concurrency=8)

    assert [chunk.failure for chunk in came] == [None] * 3
    assert [sorted(one.day for one in it.staged) for it in came] == [
        sorted(DAYS[start : start + 4]) for start in (0, 4, 8)
    ]


def test_chunks_are_the_window_and_at_most_thirty_older_days():
    """Of the planned days that are asked for, in the plan's order."""
    older = [date(2026, 11, 11) - timedelta(number) for number in range(70)]
    planned = PlannedAccount("a", "wx0", "号", LATER, Due(DAYS, older))

    def chunks_of(*wanted: date) -> list[list[date]]:
        settled = {("wx0", day): Coverage("final") for day in {*planned.due.days} - {*wanted}}
        return Outcome(RUN, [planned], settled, {}, {}).chunks(planned)

    assert chunks_of(*older, *DAYS) == [DAYS, older[:30], older[30:60], older[60:]]
    assert chunks_of(*older[:31]) == [older[:30], older[30:31]]
    assert chunks_of(*DAYS[2:4]) == [DAYS[2:4]]
    assert chunks_of() == []


def test_an_error_of_the_program_ends_its_accounts_calls_alone():
    """It is the failure of its chunk, which keeps what had come, and the account's last one."""
    broken, fine = several(2, in_chunk=6)
    bug = RuntimeError("a bug")

    def ask(calls: AccountCalls, day: date) -> Came:
        if calls is broken and day == DAYS[2]:
            raise bug
        return at_once(calls, day)

    came = chunks(broken, fine, ask=ask)

    assert [(it.calls.account.appid, it.failure, len(it.staged)) for it in came] == [
        ("wx0", bug, 2),
        ("wx1", None, 6),
        ("wx1", None, 6),
    ]


def test_calls_go_on_while_the_caller_works_within_the_bytes_it_allows():
    """
    Half of them are taken, half may wait, and what is in flight then may come besides.

    When the caller ends it, no other call begins.
    """
    first, *others = several(24, days=1)
    made: list[date] = []
    is_at_work = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert calls is first or is_at_work.wait(PATIENCE_SECONDS)
        made.append(day)
        return replace(at_once(calls, day), size=100)

    came = extract([first, *others], ask, concurrency=2, most_bytes=200, most_seconds=60)
    before = {*threading.enumerate()}
    (taken,) = next(came)
    callers = {*threading.enumerate()} - before

    assert (taken.calls, len(made)) == (first, 1)
    is_at_work.set()
    for taken_before in range(1, 12):
        sleep(0.05)  # for one too many
        assert 1 <= len(made) - taken_before <= 1 + 1
        assert len(next(came)) == 1
    came.close()
    made_by_then = len(made)
    for caller in callers:
        caller.join(PATIENCE_SECONDS)
    assert len(made) <= made_by_then + 2 < 24
    assert [caller.is_alive() for caller in callers] == [False, False]


class TimeIsUpError(BaseException):
    """As Airflow's timeout of a task, which no handler of errors takes."""


def test_a_task_whose_time_is_up_waits_for_no_call():
    """The call in flight is left to end by its deadline; no other is made."""
    slow, quick = several(2, days=4, in_chunk=1)
    goes_on = threading.Event()
    calls_made: list[str] = []
    before = {*threading.enumerate()}

    def ask(calls: AccountCalls, day: date) -> Came:
        calls_made.append(calls.account.appid)
        if calls is slow:
            goes_on.wait(PATIENCE_SECONDS)
        return replace(at_once(calls, day), size=100)

    def time_is_up(*_: object) -> None:
        raise TimeIsUpError

    handler = signal.signal(signal.SIGALRM, time_is_up)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeIsUpError):
            list(extract([slow, quick], ask, concurrency=2, most_bytes=400, most_seconds=60))
    finally:
        signal.signal(signal.SIGALRM, handler)
    in_flight = [it for it in {*threading.enumerate()} - before if it.is_alive()]
    goes_on.set()
    for caller in in_flight:
        caller.join(PATIENCE_SECONDS)

    assert len(in_flight) >= 1
    assert calls_made.count(slow.account.appid) <= 2


def test_what_there_is_comes_after_some_time():
    """Though it is little, and the next answer is not there yet."""
    is_taken = threading.Event()

    def ask(calls: AccountCalls, day: date) -> Came:
        assert day == DAYS[0] or is_taken.wait(PATIENCE_SECONDS)
        return at_once(calls, day)

    (account,) = several(1, days=2, in_chunk=1)
    came = extract([account], ask, concurrency=1, most_bytes=100, most_seconds=0.1)

    (first,) = next(came)
    assert [one.day for one in first.staged] == DAYS[:1]
    is_taken.set()
    ((second,),) = came
    assert ([one.day for one in second.staged], second.failure) == (DAYS[1:2], None)
