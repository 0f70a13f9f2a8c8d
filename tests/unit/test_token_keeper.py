"""One token per process and account: asked for once, renewed in time, kept in memory."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from weixin_etl.api.token import Token, TokenKeeper
from weixin_etl.problem import ProblemKind, WeixinError


class Platform:
    """Gives the tokens t1, t2, …, each good for `expires_in_seconds`, and counts them."""

    def __init__(self, expires_in_seconds: float = 7200) -> None:
        self.expires_in_seconds = expires_in_seconds
        self.seconds = 0.0
        self.given = 0
        self.troubles: Iterator[Exception] = iter(())
        self.seconds_to_be_joined = 0.0
        """How long a token call waits for another one to come beside it."""
        self._two_calls = threading.Barrier(2)
        self.keeper = TokenKeeper(self.ask, monotonic=lambda: self.seconds)

    def ask(self, _refused: str) -> Token:
        """As the token call."""
        for trouble in self.troubles:
            raise trouble
        if self.seconds_to_be_joined:
            with suppress(threading.BrokenBarrierError):
                self._two_calls.wait(self.seconds_to_be_joined)
        self.given += 1
        return Token(f"t{self.given}", self.expires_in_seconds)


def test_a_token_is_asked_for_once_for_many_threads() -> None:
    """While one asks, the others wait for its token."""
    platform = Platform()
    platform.seconds_to_be_joined = 0.2

    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: platform.keeper.token(), range(8)))

    assert tokens == ["t1"] * 8
    assert platform.given == 1


@pytest.mark.parametrize(
    ("expires_in_seconds", "seconds", "token"),
    [
        (7200, 6899, "t1"),
        (7200, 6900, "t2"),
        (400, 99, "t1"),
        (400, 100, "t2"),
    ],
)
def test_a_token_is_renewed_with_less_than_five_minutes_left(
    expires_in_seconds: float, seconds: float, token: str
) -> None:
    """And not a second earlier."""
    platform = Platform(expires_in_seconds)
    platform.keeper.token()

    platform.seconds = seconds

    assert platform.keeper.token() == token


def test_a_token_answered_in_its_last_minutes_is_used() -> None:
    """WeChat gives the old one until it renews it: not asked again at every call."""
    platform = Platform(expires_in_seconds=200)
    tokens = []
    for platform.seconds in (0, 1, 50, 99, 100):
        tokens.append(platform.keeper.token())

    assert tokens == ["t1", "t1", "t1", "t1", "t2"]


def test_trouble_while_asking_is_not_the_end() -> None:
    """It is raised, and the next call asks again: no lock is held, no old token given."""
    platform = Platform()
    platform.keeper.token()
    platform.troubles = iter(
        [
            WeixinError(ProblemKind.UNREACHABLE, "reset"),
            WeixinError(ProblemKind.UNREACHABLE, "reset"),
        ]
    )

    with pytest.raises(WeixinError):
        platform.keeper.token("t1")
    with pytest.raises(WeixinError):
        platform.keeper.token()

    assert platform.keeper.token() == "t2"
