"""Access tokens and their lives: stable, classic and a component's, isolated from each other."""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum

from weixin_sandbox.errcodes import RefusedError

TOKEN_SECONDS = 7200
RENEWAL_SECONDS = 300
"""A token is renewed this long before its end; the old one works this long beside the new one."""

FORCED_REFRESHES_A_DAY = 20
FORCED_REFRESH_SECONDS = 30

_REPLACED = 40001
_EXPIRED = 42001
_DAILY_QUOTA = 45009


class _Kind(Enum):
    STABLE = "stable_token"
    CLASSIC = "token"
    OF_COMPONENT = "authorizer_access_token"


@dataclass
class _Token:
    value: str
    appid: str
    kind: _Kind
    ends_at: float
    errcode_after_end: int = _EXPIRED

    def end(self, at: float, errcode: int) -> None:
        """Let it end no later than `at`, and be refused with `errcode` from then on."""
        if at < self.ends_at:
            self.ends_at = at
            self.errcode_after_end = errcode


class Tokens:
    """Every token ever issued, and which of them are in force. Thread-safe."""

    def __init__(self, monotonic: Callable[[], float], overlap_seconds: float) -> None:
        self._monotonic = monotonic
        self._overlap_seconds = overlap_seconds
        self._lock = threading.RLock()
        self._by_value: dict[str, _Token] = {}
        self._of: dict[tuple[str, _Kind], list[_Token]] = {}
        self._forced: dict[tuple[str, date], int] = {}
        self._forced_at: dict[str, float] = {}

    def issued(self) -> set[str]:
        """Every value ever issued."""
        with self._lock:
            return set(self._by_value)

    def stable(self, appid: str) -> tuple[str, int]:
        """Ordinary mode: the same token until it nears its end, and the seconds it has left."""
        with self._lock:
            now = self._monotonic()
            token = self._newest(appid, _Kind.STABLE)
            if token is None or token.ends_at - now <= RENEWAL_SECONDS:
                if token is not None and now < token.ends_at:
                    token.ends_at = now + RENEWAL_SECONDS
                token = self._issue(appid, _Kind.STABLE)
            return token.value, int(token.ends_at - now)

    def force_refresh(self, appid: str, today: date) -> tuple[str, int]:
        """
        Forced mode: the old token is dead at once.

        Within 30 seconds of the last forced refresh nothing is refreshed, as WeChat documents it.

        Raises:
            RefusedError: 45009 after 20 refreshes on one Beijing day.

        """
        with self._lock:
            now = self._monotonic()
            last = self._forced_at.get(appid)
            if last is not None and now - last < FORCED_REFRESH_SECONDS:
                return self.stable(appid)
            used = self._forced.get((appid, today), 0)
            if used >= FORCED_REFRESHES_A_DAY:
                raise RefusedError(_DAILY_QUOTA)
            self._forced[appid, today] = used + 1
            self._forced_at[appid] = now
            self.replace(appid)
            return self.stable(appid)

    def classic(self, appid: str) -> tuple[str, int]:
        """A new token on every fetch; its predecessor is refused once the overlap has passed."""
        return self._fetched(appid, _Kind.CLASSIC)

    def of_component(self, appid: str) -> tuple[str, int]:
        """The same for the token with which a component calls for an account."""
        return self._fetched(appid, _Kind.OF_COMPONENT)

    def is_of_component(self, value: str) -> bool:
        """Whether a token is one with which a component calls, in force or not."""
        with self._lock:
            token = self._by_value.get(value)
            return token is not None and token.kind is _Kind.OF_COMPONENT

    def end_of_component(self, appid: str) -> None:
        """Refuse the tokens with which a component calls for an account with 40001 from now on."""
        with self._lock:
            self._end(appid, _Kind.OF_COMPONENT)

    def owner(self, value: str) -> str | None:
        """The appid a token was issued to, in force or not; None for a value never issued."""
        with self._lock:
            token = self._by_value.get(value)
            return token.appid if token else None

    def check(self, value: str) -> str:
        """
        The appid a token in force was issued to.

        Raises:
            RefusedError: 40001 for an unknown or replaced token, 42001 for an expired one.

        """
        with self._lock:
            token = self._by_value.get(value)
            if token is None:
                raise RefusedError(_REPLACED)
            if self._monotonic() >= token.ends_at:
                raise RefusedError(token.errcode_after_end)
            return token.appid

    def replace(self, appid: str) -> None:
        """Refuse the account's stable tokens with 40001 from now on and issue a new one."""
        with self._lock:
            self._end(appid, _Kind.STABLE)
            self._issue(appid, _Kind.STABLE)

    def expire(self, value: str) -> None:
        """Refuse one token with 42001 from now on."""
        with self._lock:
            self._by_value[value].end(self._monotonic(), _EXPIRED)

    def expire_all(self) -> None:
        """Refuse every token now in force with 42001 from now on."""
        with self._lock:
            now = self._monotonic()
            for token in self._by_value.values():
                token.end(now, _EXPIRED)

    def _fetched(self, appid: str, kind: _Kind) -> tuple[str, int]:
        with self._lock:
            predecessor = self._newest(appid, kind)
            if predecessor is not None:
                predecessor.end(self._monotonic() + self._overlap_seconds, _REPLACED)
            return self._issue(appid, kind).value, TOKEN_SECONDS

    def _newest(self, appid: str, kind: _Kind) -> _Token | None:
        issued = self._of.get((appid, kind))
        return issued[-1] if issued else None

    def _end(self, appid: str, kind: _Kind) -> None:
        now = self._monotonic()
        for token in self._of.pop((appid, kind), []):
            token.end(now, _REPLACED)

    def _issue(self, appid: str, kind: _Kind) -> _Token:
        value = f"{80 + secrets.randbelow(20)}_{secrets.token_urlsafe(114)}"
        token = _Token(value, appid, kind, ends_at=self._monotonic() + TOKEN_SECONDS)
        self._by_value[value] = token
        self._of.setdefault((appid, kind), []).append(token)
        return token
