"""Scenarios: which calls go wrong, how often and how."""

import threading
from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import overload

from weixin_etl import clock
from weixin_sandbox import endpoints
from weixin_sandbox.effects import Effect, effect_named


class CallKind(Enum):
    """The calls that scenarios tell apart; a name starts with the kind's prefix, `token-call:`."""

    DATA = "data"
    TOKEN = "token"  # noqa: S105 - a kind, not a password
    QUOTA = "quota"
    LIST = "list"
    INFO = "info"

    @property
    def prefix(self) -> str:
        """What a scenario's name starts with to hit such calls instead of data calls."""
        return "" if self is CallKind.DATA else f"{self.value}-call:"

    @property
    def title(self) -> str:
        """A call of this kind, for a sentence."""
        return f"a {self.value} call" if self is not CallKind.INFO else "an info call"


@dataclass(frozen=True)
class Scenario:
    """
    One thing that goes wrong for the calls it matches.

    Args:
        name: one of `EFFECTS`, or of `NUMBERED` with its number. Most hit data calls; with the
            prefix of another `CallKind` in front, those that do not need an article hit calls of
            that kind.
        account: an appid, or None for every account. On a component's own calls it is the
            component's.
        day: a publication day, or None for every day. With `last_day` the first of several.
        times: how many matching calls it hits, or None for every one.
        endpoint: the name of a data endpoint, such as `getarticletotal`, or None for every one
            that the effect is meant for.
        last_day: the last publication day, or None for `day` alone.
        asked_from: the Beijing day or the instant from which on a call is hit.
        asked_before: the Beijing day or the instant from which on none is hit any more.

    Raises:
        ValueError: there is no such scenario, or it could never hit a call.

    """

    name: str
    account: str | None = None
    day: date | None = None
    times: int | None = None
    endpoint: str | None = None
    last_day: date | None = None
    asked_from: date | None = None
    asked_before: date | None = None

    def __post_init__(self) -> None:
        """Refuse a scenario that could never hit."""
        effect, call = self.effect, self.call_kind.title
        if self.call_kind is not CallKind.DATA:
            if effect.edit or effect.expires_token:
                raise ValueError(f"{self.name}: there is nothing to do on {call}")
            if self.day is not None:
                raise ValueError(f"{self.name}: {call} has no publication day")
            if self.endpoint is not None:
                raise ValueError(f"{self.name}: {call} has no data endpoint")
        if self.endpoint is not None:
            endpoint = endpoints.named(self.endpoint)
            if effect.is_delay and not endpoint.says_is_delay:
                raise ValueError(f"{self.name}: {endpoint.name} does not say is_delay")
        if self.times is not None and self.times < 1:
            raise ValueError(f"{self.name}: times={self.times} never hits; leave it out for always")
        if self.last_day is not None:
            if self.day is None:
                raise ValueError(f"{self.name}: last_day without day, the first")
            if self.last_day < self.day:
                raise ValueError(f"{self.name}: last_day is before day")
        begin, end = _instant(self.asked_from), _instant(self.asked_before)
        if begin and end and end <= begin:
            raise ValueError(f"{self.name}: asked_before is not after asked_from")

    @property
    def effect(self) -> Effect:
        """What it does to a call."""
        return effect_named(self.name.removeprefix(self._prefixed_kind.prefix))

    @property
    def call_kind(self) -> CallKind:
        """The calls it waits for."""
        kind = self._prefixed_kind
        is_for_token_call = kind is CallKind.DATA and self.effect.is_for_token_call
        return CallKind.TOKEN if is_for_token_call else kind

    @property
    def _prefixed_kind(self) -> CallKind:
        prefixed = [kind for kind in CallKind if kind.prefix and self.name.startswith(kind.prefix)]
        return prefixed[0] if prefixed else CallKind.DATA

    def matches(
        self,
        kind: CallKind,
        asked_at: datetime,
        appid: str,
        day: date | None = None,
        endpoint: str | None = None,
    ) -> bool:
        """Whether a call is one it hits; only a data call has a day and an endpoint."""
        if kind is not self.call_kind or self.account not in (None, appid):
            return False
        begin, end = _instant(self.asked_from), _instant(self.asked_before)
        if (begin and asked_at < begin) or (end and end <= asked_at):
            return False
        is_its_endpoint = (self.endpoint or self.effect.endpoint) in (None, endpoint)
        return kind is not CallKind.DATA or (is_its_endpoint and self._is_of(day))

    def _is_of(self, day: date | None) -> bool:
        if self.day is None or day is None:
            return self.day is None
        return self.day <= day <= (self.last_day or self.day)


def _instant(when: date | None) -> datetime | None:
    """An instant itself, or the one at which a day begins in Beijing."""
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), clock.SHANGHAI) if when else None
    if when.tzinfo is None:
        raise ValueError(f"{when.isoformat()} has no offset, so it is no instant")
    return when


class Scenarios(MutableSequence[Scenario]):
    """
    The scenarios in force, in order. Thread-safe.

    A call is hit by the first one that matches it and has hits left, by no other: a list is a
    script. Putting a scenario in gives it all its hits, even the same object again.
    """

    def __init__(self, scenarios: Iterable[Scenario]) -> None:
        self._lock = threading.RLock()
        self._entries = [_Entry(scenario) for scenario in scenarios]

    def take(
        self,
        kind: CallKind,
        asked_at: datetime,
        appid: str,
        day: date | None = None,
        endpoint: str | None = None,
    ) -> Effect | None:
        """The effect on one call; it uses up one hit."""
        with self._lock:
            for entry in self._entries:
                scenario = entry.scenario
                if scenario.matches(kind, asked_at, appid, day, endpoint):
                    if entry.hits == scenario.times:
                        continue
                    entry.hits += 1
                    return scenario.effect
            return None

    def insert(self, index: int, value: Scenario) -> None:
        """Put one in before an index."""
        with self._lock:
            self._entries.insert(index, _Entry(value))

    def __len__(self) -> int:
        """How many there are, used up or not."""
        with self._lock:
            return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Scenario: ...
    @overload
    def __getitem__(self, index: slice) -> list[Scenario]: ...
    def __getitem__(self, index: int | slice) -> Scenario | list[Scenario]:
        """One, or a list of those in a slice."""
        with self._lock:
            if isinstance(index, slice):
                return [entry.scenario for entry in self._entries[index]]
            return self._entries[index].scenario

    @overload
    def __setitem__(self, index: int, value: Scenario) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[Scenario]) -> None: ...
    def __setitem__(self, index: int | slice, value: Scenario | Iterable[Scenario]) -> None:
        """Replace one, or those in a slice."""
        with self._lock:
            if isinstance(index, slice) and not isinstance(value, Scenario):
                self._entries[index] = [_Entry(scenario) for scenario in value]
            elif isinstance(index, int) and isinstance(value, Scenario):
                self._entries[index] = _Entry(value)
            else:
                raise TypeError("one scenario goes to an index, several to a slice")

    def __delitem__(self, index: int | slice) -> None:
        """Take one out, or those in a slice."""
        with self._lock:
            del self._entries[index]


@dataclass
class _Entry:
    scenario: Scenario
    hits: int = 0
