"""Access tokens: asked for once per process and account, kept in its memory."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from weixin_etl.api.envelope import read

RENEW_BEFORE_SECONDS = 300
"""WeChat itself renews a token in its last five minutes, when old and new are both good."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it was good for when it was answered."""

    value: str = field(repr=False)
    expires_in_seconds: float


TokenText = Annotated[str, Meta(pattern=r"^[!-~]+\Z")]
"""A token in an answer: what a URL can carry."""
Seconds = Annotated[float, Meta(ge=0, le=1_000_000_000)]
"""How long a token in an answer is good for."""


class _TokenAnswer(msgspec.Struct):
    access_token: TokenText
    expires_in: Seconds


def read_token(body: bytes) -> Token | None:
    """The token of an answer `{"access_token", "expires_in"}`; None when it holds none."""
    answer = read(body, _TokenAnswer)
    return Token(answer.access_token, answer.expires_in) if answer else None


AskForToken = Callable[[str], Token]
"""Where an account's token is from; given the one that WeChat refuses, or "" when none is."""


class TokenKeeper:
    """Gives one account's token to every thread of the process."""

    def __init__(self, ask: AskForToken, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0

    def token(self, refused: str = "") -> str:
        """Not the `refused` one; it has more than five minutes left, as far as WeChat gives one."""
        with self._lock:
            known = self._token
            if known and known.value != refused and self._monotonic() < self._renew_at:
                return known.value
            return self._renew(refused)

    def _renew(self, refused: str) -> str:
        self._token = None
        token = self._ask(refused)
        seconds = token.expires_in_seconds
        # a token answered in its last minutes is used, not asked for again at every call
        good_for = seconds - RENEW_BEFORE_SECONDS
        self._renew_at = self._monotonic() + (good_for if good_for > 0 else seconds / 2)
        self._token = token
        return token.value
