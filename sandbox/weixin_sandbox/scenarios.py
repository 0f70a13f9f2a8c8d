"""Scenarios: which calls go wrong, how often and how."""

import re
import threading
from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import overload

from weixin_sandbox import endpoints
from weixin_sandbox.effects import EFFECTS, Effect

ANY_ERRCODE = "errcode:N"


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
        name: one of `EFFECTS`, or `errcode:N` for a refusal with any code. Most hit data calls;
            with the prefix of another `CallKind` in front, those that do not need an article hit
            calls of that kind.
        account: an appid, or None for every account. On a component's own calls it is the
            component's.
        day: a publication day, or None for every day.
        times: how many matching calls it hits, or None for every one.
        endpoint: the name of a data endpoint, such as `getarticletotal`, or None for every one
            that the effect is meant for.

    Raises:
        ValueError: there is no such scenario, or it could never hit a call.

    """

    name: str
    account: str | None = None
    day: date | None = None
    times: int | None = None
    endpoint: str | None = None

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

    @property
    def effect(self) -> Effect:
        """What it does to a call."""
        name = self.name.removeprefix(self._prefixed_kind.prefix)
        if match := re.fullmatch(r"errcode:(-?\d+)", name):
            return Effect(f"{match[1]}.", errcode=int(match[1]))
        if name not in EFFECTS:
            known = ", ".join([*EFFECTS, ANY_ERRCODE])
            raise ValueError(f"There is no scenario {name!r}; there are {known}.")
        return EFFECTS[name]

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
        self, kind: CallKind, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> bool:
        """Whether a call is one it hits; only a data call has a day and an endpoint."""
        if kind is not self.call_kind or self.account not in (None, appid):
            return False
        is_its_endpoint = (self.endpoint or self.effect.endpoint) in (None, endpoint)
        return kind is not CallKind.DATA or (is_its_endpoint and self.day in (None, day))


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
        self, kind: CallKind, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> Effect | None:
        """The effect on one call; it uses up one hit."""
        with self._lock:
            for entry in self._entries:
                scenario = entry.scenario
                if scenario.matches(kind, appid, day, endpoint):
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
