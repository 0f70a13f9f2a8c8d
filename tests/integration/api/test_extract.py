"""Extract: one call per publication day, a few at once; a refused day holds back no other."""

import threading
from datetime import date

import pytest
from wire import LIMITS, Handler, Reply, Wire, in_turn, refuses, says

from weixin_etl import clock
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    DailyQuotaError,
    EndpointOfflineError,
    NotReadyError,
    UnreachableError,
)
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.extract import extract
from weixin_etl.model import Account
from weixin_etl.rules import Days
from weixin_sandbox import Sandbox, Scenario

DAYS = [date(2026, 11, day) for day in range(23, 11, -1)]
Extracted = list[tuple[date, Answer | Refusal]]
ANSWER = says(b'{"list":[]}')
OUTAGE = says(b"", 502)
OFFLINE = refuses(47009)


LONG_AGO = Days(date(2020, 1, 1), date(2020, 1, 7))


def extracted(account: Account, concurrency: int = 1, present: Days = LONG_AGO) -> Extracted:
    """What extract makes of the days, none of which is of the present window."""
    came = extract(
        WeixinClient(account, LIMITS),
        ARTICLE_TOTAL,
        DAYS,
        present=present,
        concurrency=concurrency,
        now=clock.now,
    )
    return list(came)


def refusals(outcomes: Extracted) -> list[tuple[int, type[Exception], int]]:
    """The refused days' places, why, and the calls they cost."""
    return [
        (place, type(came.error), came.calls)
        for place, (_, came) in enumerate(outcomes)
        if isinstance(came, Refusal)
    ]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_each_day_is_asked_once(sandbox: Sandbox, account: Account, concurrency: int):
    """The exact bytes of each, in the order of the days; one token serves all threads."""
    outcomes = extracted(account, concurrency)

    assert [(day, came.body, came.calls) for day, came in outcomes if isinstance(came, Answer)] == [
        (day, sandbox.answer(account.appid, day, sandbox.beijing_today), 1) for day in DAYS
    ]
    paths = sorted(call.path for call in sandbox.calls)
    assert paths == ["/cgi-bin/stable_token"] + [ARTICLE_TOTAL.path] * 12


def test_one_refused_day_holds_back_no_other(sandbox: Sandbox, account: Account):
    """It is refused in its place, with the calls it took."""
    sandbox.scenarios[:] = [
        Scenario("offline", day=DAYS[2]),
        Scenario("not-ready-code", day=DAYS[4]),
        Scenario("http-500", day=DAYS[6]),
    ]

    assert refusals(extracted(account, 4)) == [
        (2, EndpointOfflineError, 1),
        (4, NotReadyError, 1),
        (6, UnreachableError, 3),
    ]


@pytest.mark.parametrize(
    ("scenario", "kind"), [("unauthorized", ConfigurationError), ("daily-quota", DailyQuotaError)]
)
def test_an_error_that_stops_the_account_is_given_to_the_days_not_asked_yet(
    sandbox: Sandbox, account: Account, scenario: str, kind: type[Exception]
):
    """Without a call: neither the quota nor WeChat's patience is spent in vain."""
    sandbox.scenarios[:] = [Scenario(scenario, day=DAYS[2])]

    outcomes = extracted(account)

    assert refusals(outcomes) == [(2, kind, 1), *((place, kind, 0) for place in range(3, 12))]


def test_an_account_without_a_token_is_asked_for_nothing(sandbox: Sandbox, account: Account):
    """One token call, and each day is refused with its sentence."""
    sandbox.scenarios[:] = [Scenario("ip")]

    outcomes = extracted(account, 4)

    assert refusals(outcomes) == [(place, ConfigurationError, 0) for place in range(12)]
    assert [call.path for call in sandbox.calls] == ["/cgi-bin/stable_token"]


@pytest.mark.parametrize(
    ("replies", "asked"),
    [
        ([OUTAGE] * 15, 15),
        ([ANSWER] * 3 + [OUTAGE] * 15, 18),
        ([OUTAGE] * 12 + [ANSWER] + [OUTAGE] * 12 + [ANSWER], 28),
        ([OFFLINE] * 5, 5),
        ([OFFLINE] * 4 + [ANSWER] + [OFFLINE] * 4 + [ANSWER], 12),
        ([OFFLINE] * 3 + [OUTAGE] * 6 + [OFFLINE] * 4 + [ANSWER], 16),
    ],
    ids=["outages", "later outages", "four and four", "offline", "four and four offline", "mixed"],
)
def test_five_refusals_of_a_kind_in_a_row_stop_the_account(
    wire: Wire, replies: list[Reply], asked: int
):
    """Outages (three calls each), or 47009: an answer or the other kind begins the row anew."""
    wire.on_data = in_turn(*replies)

    extracted(wire.account)

    assert len(wire.data_calls) == asked


def test_an_endpoint_that_is_offline_is_asked_for_each_day_of_the_present_window(wire: Wire):
    """WeChat may still give older days when it refuses newer ones."""
    wire.on_data = in_turn(*[OFFLINE] * 7, ANSWER)

    outcomes = extracted(wire.account, present=Days(min(DAYS), max(DAYS)))

    assert len(wire.data_calls) == len(DAYS)
    assert [place for place, _, _ in refusals(outcomes)] == list(range(7))


@pytest.mark.parametrize("concurrency", [1, 4])
def test_as_many_calls_as_allowed_are_in_flight_at_once(wire: Wire, concurrency: int):
    """The server answers none of them before that many have come: fewer would never end."""
    together = threading.Barrier(concurrency, timeout=20)
    in_hand = threading.Semaphore(concurrency)

    def answer(handler: Handler) -> None:
        assert in_hand.acquire(blocking=False)
        together.wait()
        in_hand.release()
        ANSWER(handler)

    wire.on_data = answer

    assert refusals(extracted(wire.account, concurrency)) == []


def test_answers_come_in_the_order_of_the_days(wire: Wire):
    """Also when the first day is answered last of those in memory: twice as many as in flight."""
    others_are_answered = threading.Event()

    def answer(handler: Handler) -> None:
        if DAYS[0].isoformat().encode() in handler.asked.body:
            assert others_are_answered.wait(20)
        says(b'{"asked":%b}' % handler.asked.body)(handler)
        if len(wire.data_calls) == 4:
            others_are_answered.set()

    wire.on_data = answer

    for day, came in extracted(wire.account, 2):
        assert isinstance(came, Answer)
        assert day.isoformat().encode() in came.body


def test_no_more_than_twice_as_many_answers_wait_in_memory(wire: Wire):
    """Whoever stores them sets the pace."""
    client = WeixinClient(wire.account, LIMITS)
    answers = extract(client, ARTICLE_TOTAL, DAYS, present=LONG_AGO, concurrency=2, now=clock.now)

    next(answers)
    answers.close()  # waits for the calls in flight

    assert len(wire.data_calls) == 4


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire):
    """Two in flight, the first is refused for good: what is in hand ends, nothing new begins."""
    both_are_in_flight = threading.Barrier(2, timeout=20)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    assert [calls for *_, calls in refusals(extracted(wire.account, 2))] == [1, 1] + [0] * 10
    assert len(wire.data_calls) == 2


def test_a_rest_begins_with_the_answer(wire: Wire, monkeypatch: pytest.MonkeyPatch):
    """Answered 45009 just before midnight: the days not asked after it have the same time."""
    monkeypatch.setenv("WEIXIN_NOW", "2026-11-24T23:59:59+08:00")
    wire.on_data = refuses(45009)
    client = WeixinClient(wire.account, LIMITS)

    outcomes = list(
        extract(
            client,
            ARTICLE_TOTAL,
            DAYS,
            present=LONG_AGO,
            concurrency=1,
            now=lambda: pytest.fail("asked later"),
        )
    )

    refused_at = {came.refused_at for _, came in outcomes if isinstance(came, Refusal)}
    assert refused_at == {clock.now()}
