"""Access tokens and their lives: an account's own, and those with which a platform calls."""

import secrets
import time
from dataclasses import dataclass

from weixin_sandbox.answers import RefusedError

TOKEN_SECONDS = 7200
RENEWAL_SECONDS = 300
"""A token is renewed this long before its end; the old one works this long beside the new one."""

_REPLACED = 40001
_EXPIRED = 42001


@dataclass
class _Token:
    value: str
    appid: str
    is_of_component: bool
    ends_at: float
    errcode_after_end: int = _EXPIRED

    def end(self, errcode: int) -> None:
        """Refuse it with `errcode` from now on, unless it has ended already."""
        if (now := time.monotonic()) < self.ends_at:
            self.ends_at, self.errcode_after_end = now, errcode


class Tokens:
    """Every token ever issued, and which of them are in force."""

    def __init__(self) -> None:
        self._by_value: dict[str, _Token] = {}
        self._newest: dict[tuple[str, bool], _Token] = {}

    def issued(self) -> set[str]:
        """Every value ever issued."""
        return set(self._by_value)

    def stable(self, appid: str) -> tuple[str, int]:
        """The account's own: the same until it nears its end, and the seconds it has left."""
        now = time.monotonic()
        token = self._newest.get((appid, False))
        if token is None or token.ends_at - now <= RENEWAL_SECONDS:
            token = self._issue(appid, is_of_component=False)
        return token.value, int(token.ends_at - now)

    def of_component(self, appid: str) -> tuple[str, int]:
        """A new one on each fetch for a platform; the one before is refused from now on."""
        self.end(appid, is_of_component=True)
        return self._issue(appid, is_of_component=True).value, TOKEN_SECONDS

    def is_of_component(self, value: str) -> bool:
        """Whether a token is one with which a platform calls, in force or not."""
        return value in self._by_value and self._by_value[value].is_of_component

    def owner(self, value: str) -> str | None:
        """The appid a token was issued to, in force or not; None for a value never issued."""
        return self._by_value[value].appid if value in self._by_value else None

    def check(self, value: str) -> str:
        """The appid of a token in force; 40001 for an unknown or replaced, 42001 for an old one."""
        token = self._by_value.get(value)
        if token is None:
            raise RefusedError(_REPLACED)
        if time.monotonic() >= token.ends_at:
            raise RefusedError(token.errcode_after_end)
        return token.appid

    def end(self, appid: str, *, is_of_component: bool = False) -> None:
        """Refuse an account's newest token with 40001 from now on."""
        if token := self._newest.get((appid, is_of_component)):
            token.end(_REPLACED)

    def replace(self, appid: str) -> None:
        """Refuse the account's stable token with 40001 from now on and issue a new one."""
        self.end(appid)
        self._issue(appid, is_of_component=False)

    def expire(self, value: str) -> None:
        """Refuse one token with 42001 from now on."""
        self._by_value[value].end(_EXPIRED)

    def expire_all(self) -> None:
        """Refuse every token now in force with 42001 from now on."""
        for value in list(self._by_value):
            self.expire(value)

    def _issue(self, appid: str, *, is_of_component: bool) -> _Token:
        value = f"{80 + secrets.randbelow(20)}_{secrets.token_urlsafe(114)}"
        token = _Token(value, appid, is_of_component, time.monotonic() + TOKEN_SECONDS)
        self._by_value[value] = self._newest[appid, is_of_component] = token
        return token


class TokenService:
    """
    Gives every program of a company the same stable token of an account.

    A caller must send `Authorization: Bearer …` with the `bearer`; None lets everybody in. While it
    `is_stale` it gives the first token of an account that it ever gave, even an ended one.
    """

    def __init__(self, tokens: Tokens, bearer: str | None) -> None:
        self.bearer = bearer
        self.is_stale = False
        self._tokens = tokens
        self._first: dict[str, str] = {}

    def token(self, appid: str) -> tuple[str, int]:
        """Return a token of an account and the seconds it has left."""
        if self.is_stale and appid in self._first:
            return self._first[appid], TOKEN_SECONDS
        value, seconds = self._tokens.stable(appid)
        self._first.setdefault(appid, value)
        return value, seconds
