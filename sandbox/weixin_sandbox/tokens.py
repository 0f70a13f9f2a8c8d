"""Access tokens of accounts and of third-party platforms, from issue to expiry."""

import secrets
import time
from dataclasses import dataclass

from weixin_sandbox.answers import RefusedError

_TOKEN_SECONDS = 7200
_RENEWAL_SECONDS = 300
"""The time before its end at which a stable token is renewed."""
REPLACED = 40001
EXPIRED = 42001


@dataclass
class Token:
    """A token with its owner, its end, and the errcode that refuses it after its end."""

    value: str
    appid: str
    is_of_component: bool
    ends_at: float
    errcode: int = EXPIRED

    @property
    def seconds(self) -> int:
        """The seconds until the token's end."""
        return int(self.ends_at - time.monotonic())

    def end(self, errcode: int) -> None:
        """Refuse the token with `errcode` from now on, unless it has ended already."""
        if (now := time.monotonic()) < self.ends_at:
            self.ends_at, self.errcode = now, errcode


class Tokens:
    """All tokens ever issued, and the newest token of each account."""

    def __init__(self) -> None:
        self._by_value: dict[str, Token] = {}
        self._newest: dict[tuple[str, bool], Token] = {}

    def issued(self) -> set[str]:
        """Return the values of all tokens ever issued."""
        return set(self._by_value)

    def stable(self, appid: str) -> Token:
        """Return the account's own token: the same until shortly before its end."""
        token = self._newest.get((appid, False))
        if token and token.seconds > _RENEWAL_SECONDS:
            return token
        return self._issue(appid, is_of_component=False)

    def of_component(self, appid: str) -> Token:
        """Issue a platform's new token for an account, and refuse the one before from now on."""
        self.end(appid, is_of_component=True)
        return self._issue(appid, is_of_component=True)

    def find(self, value: str | None) -> Token | None:
        """Return the token with this value, ended or not; None if it was never issued."""
        return self._by_value.get(value or "")

    def check(self, value: str | None) -> str:
        """
        Return the AppID of a valid token.

        Raises:
            RefusedError: 41001 without a token, 40001 if it is unknown or replaced, 42001 if it has
                expired.
        """
        token = self.find(value)
        if token is None:
            raise RefusedError(REPLACED if value else 41001)
        if time.monotonic() >= token.ends_at:
            raise RefusedError(token.errcode)
        return token.appid

    def end(self, appid: str, errcode: int = REPLACED, *, is_of_component: bool = False) -> None:
        """Refuse an account's newest token with `errcode` from now on."""
        if token := self._newest.get((appid, is_of_component)):
            token.end(errcode)

    def expire_all(self) -> None:
        """Refuse every valid token with 42001 from now on."""
        for token in self._by_value.values():
            token.end(EXPIRED)

    def _issue(self, appid: str, *, is_of_component: bool) -> Token:
        """Issue a token that lives for `_TOKEN_SECONDS`."""
        value = f"{80 + secrets.randbelow(20)}_{secrets.token_urlsafe(114)}"
        token = Token(value, appid, is_of_component, time.monotonic() + _TOKEN_SECONDS)
        self._by_value[value] = self._newest[appid, is_of_component] = token
        return token
