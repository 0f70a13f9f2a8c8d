"""Access tokens and their lives: an account's own, and those with which a platform calls."""

import secrets
import time
from dataclasses import dataclass

from weixin_sandbox.answers import RefusedError

_TOKEN_SECONDS = 7200
_RENEWAL_SECONDS = 300
"""A stable token is renewed this long before its end."""
REPLACED = 40001
EXPIRED = 42001


@dataclass
class Token:
    """A token, of whom it is, and how a call with it is refused once it has ended."""

    value: str
    appid: str
    is_of_component: bool
    ends_at: float
    errcode: int = EXPIRED

    @property
    def seconds(self) -> int:
        """How long it is still good."""
        return int(self.ends_at - time.monotonic())

    def end(self, errcode: int) -> None:
        """Refuse it with `errcode` from now on, unless it has ended already."""
        if (now := time.monotonic()) < self.ends_at:
            self.ends_at, self.errcode = now, errcode


class Tokens:
    """Every token ever issued, and which of them are in force."""

    def __init__(self) -> None:
        self._by_value: dict[str, Token] = {}
        self._newest: dict[tuple[str, bool], Token] = {}

    def issued(self) -> set[str]:
        """Every value ever issued."""
        return set(self._by_value)

    def stable(self, appid: str) -> Token:
        """The account's own: the same until it nears its end."""
        token = self._newest.get((appid, False))
        if token and token.seconds > _RENEWAL_SECONDS:
            return token
        return self._issue(appid, is_of_component=False)

    def of_component(self, appid: str) -> Token:
        """A new one on each fetch for a platform; the one before is refused from now on."""
        self.end(appid, is_of_component=True)
        return self._issue(appid, is_of_component=True)

    def find(self, value: str | None) -> Token | None:
        """The token, in force or not; None for a value never issued."""
        return self._by_value.get(value or "")

    def check(self, value: str | None) -> str:
        """The appid of a token in force; 40001 for an unknown or replaced, 42001 for an old one."""
        token = self.find(value)
        if token is None:
            raise RefusedError(REPLACED if value else 41001)
        if time.monotonic() >= token.ends_at:
            raise RefusedError(token.errcode)
        return token.appid

    def end(self, appid: str, errcode: int = REPLACED, *, is_of_component: bool = False) -> None:
        """Refuse an account's newest token from now on."""
        if token := self._newest.get((appid, is_of_component)):
            token.end(errcode)

    def expire_all(self) -> None:
        """Refuse every token now in force with 42001 from now on."""
        for token in self._by_value.values():
            token.end(EXPIRED)

    def _issue(self, appid: str, *, is_of_component: bool) -> Token:
        value = f"{80 + secrets.randbelow(20)}_{secrets.token_urlsafe(114)}"
        token = Token(value, appid, is_of_component, time.monotonic() + _TOKEN_SECONDS)
        self._by_value[value] = self._newest[appid, is_of_component] = token
        return token
