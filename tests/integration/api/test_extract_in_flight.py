"""Extract has several calls in flight at once, and no more than it may."""

import threading
from datetime import date

import pytest
from wire import DATASET, LIMITS, Handler, Wire, answered, in_turn, refused, refuses, says

from weixin_etl import clock
from weixin_etl.api.client import Answer, Refusal, WeixinClient
from weixin_etl.extract import extract

DAYS = [date(2026, 11, day) for day in range(11, 23)]


def extracted(wire: Wire, concurrency: int) -> list[tuple[date, Answer | Refusal]]:
    """What comes of asking for all the days."""
    client = WeixinClient(wire.account, LIMITS)
    return list(extract(client, DATASET, DAYS, concurrency=concurrency, now=clock.now))


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

    outcomes = extracted(wire, concurrency)

    assert [day for day, outcome in outcomes if answered(outcome)] == DAYS
    assert gauge.most == concurrency


def test_answers_come_in_the_order_of_the_days_and_few_wait(wire: Wire):
    """While the first day is not answered, twice `concurrency` days are asked for and no more."""
    three_others_have_come = threading.Event()
    came: list[bytes] = []

    def answer(handler: Handler) -> None:
        came.append(handler.asked.body)
        if b"2026-11-11" in handler.asked.body:
            three_others_have_come.wait(20)
            handler.server.is_over.wait(0.1)  # for a fifth that must not come
            assert len(came) == 4
        elif len(came) == 4:
            three_others_have_come.set()
        says(b'{"asked":%b}' % handler.asked.body)(handler)

    wire.on_data = answer

    outcomes = extracted(wire, 2)

    assert [day for day, _ in outcomes] == DAYS
    assert all(day.isoformat().encode() in answered(outcome).body for day, outcome in outcomes)
    assert three_others_have_come.is_set()


def test_an_error_that_stops_the_account_ends_the_calls_beside_it_too(wire: Wire):
    """Two in flight, the first is refused for good: what is in hand ends, nothing new begins."""
    both_are_in_flight = threading.Barrier(2, timeout=20)

    def answer(handler: Handler) -> None:
        both_are_in_flight.wait()
        refuses(45009)(handler)

    wire.on_data = answer

    refusals = [refused(outcome) for _, outcome in extracted(wire, 2)]

    assert [refusal.calls for refusal in refusals] == [1, 1] + [0] * 10
    assert {refusal.error.errcode for refusal in refusals} == {45009}
    assert len(wire.data_calls) == 2


def test_a_process_of_many_threads_asks_for_one_token(wire: Wire):
    """The threads share the client's."""
    wire.on_data = in_turn(says(b"{}"))

    extracted(wire, 8)

    assert len(wire.token_calls) == 1
    assert {call.token for call in wire.data_calls} == {"wire-token-1"}
