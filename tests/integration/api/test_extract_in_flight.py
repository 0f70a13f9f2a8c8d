"""Extract has several calls in flight at once, and no more than it may."""

import threading
from datetime import date

import pytest
from wire import LIMITS, Handler, Wire, in_turn, refuses, says

from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import DATASETS
from weixin_etl.extract import Fetched, Refused, extract

DATASET = DATASETS["article_total"]
DAYS = [date(2026, 11, day) for day in range(11, 23)]


class Gauge:
    """How many calls a server has in hand at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_hand = 0
        self.most = 0

    def __enter__(self) -> None:
        """One more."""
        with self._lock:
            self._in_hand += 1
            self.most = max(self.most, self._in_hand)

    def __exit__(self, *error: object) -> None:
        """One less."""
        with self._lock:
            self._in_hand -= 1


@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_as_many_calls_as_allowed_are_in_flight_at_once(wire: Wire, concurrency: int):
    """The server answers none of them before that many have come: fewer would never end."""
    together = threading.Barrier(concurrency, timeout=20)
    gauge = Gauge()

    def answer(handler: Handler) -> None:
        with gauge:
            together.wait()
        says(b"{}")(handler)

    wire.on_data = answer

    outcomes = list(extract(WeixinClient(wire.account, LIMITS), DATASET, DAYS, concurrency))

    assert [outcome.publication_date for outcome in outcomes] == DAYS
    assert all(isinstance(outcome, Fetched) for outcome in outcomes)
    assert gauge.most == concurrency


def test_answers_come_in_the_order_of_the_days(wire: Wire):
    """Also when the first day is answered last."""
    all_others_are_answered = threading.Event()
    answered: list[bytes] = []

    def answer(handler: Handler) -> None:
        is_first = b"2026-11-11" in handler.asked.body
        if is_first:
            all_others_are_answered.wait(20)
        answered.append(handler.asked.body)
        says(b'{"asked":%b}' % handler.asked.body)(handler)
        if len(answered) == len(DAYS) - 1:
            all_others_are_answered.set()

    wire.on_data = answer

    outcomes = list(extract(WeixinClient(wire.account, LIMITS), DATASET, DAYS, 2))

    assert [outcome.publication_date for outcome in outcomes] == DAYS
    assert all(
        isinstance(outcome, Fetched)
        and outcome.publication_date.isoformat().encode() in outcome.answer.body
        for outcome in outcomes
    )
    assert b"2026-11-11" in answered[-1]


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire):
    """Two in flight, the first is refused for good: what is in hand ends, nothing new begins."""
    both_are_in_flight = threading.Barrier(2, timeout=20)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    outcomes = list(extract(WeixinClient(wire.account, LIMITS), DATASET, DAYS, 2))

    assert [type(outcome) for outcome in outcomes] == [Refused] * 12
    assert [outcome.calls for outcome in outcomes] == [1, 1] + [0] * 10
    assert {outcome.error.errcode for outcome in outcomes} == {45009}
    assert len(wire.data_calls) == 2


def test_a_process_of_many_threads_asks_for_one_token(wire: Wire):
    """The threads share the client's."""
    wire.on_data = in_turn(says(b"{}"))

    list(extract(WeixinClient(wire.account, LIMITS), DATASET, DAYS, 8))

    assert len(wire.token_calls) == 1
    assert {call.token for call in wire.data_calls} == {"wire-token-1"}
