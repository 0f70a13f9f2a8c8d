"""Scenarios: which calls go wrong, how often and how."""

import re
import threading
from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass
from datetime import date
from typing import overload

from weixin_sandbox import endpoints
from weixin_sandbox.effects import EFFECTS, Effect

ANY_ERRCODE = "errcode:N"
ON_TOKEN_CALL = "token-call:"  # noqa: S105 - a prefix, not a password
ON_QUOTA_CALL = "quota-call:"
QUOTA_CALL = "quota/get"
"""What stands for it where an endpoint is named."""


@dataclass(frozen=True)
class Scenario:
    """
    One thing that goes wrong for the calls it matches.

    Args:
        name: one of `EFFECTS`, or `errcode:N` for a refusal with any code. Most hit data calls;
            with `token-call:` or `quota-call:` in front those that do not need an article hit
            token calls or calls of quota/get.
        account: an appid, or None for every account.
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
        effect = self.effect
        if self.name.startswith((ON_TOKEN_CALL, ON_QUOTA_CALL)) and (
            effect.edit or effect.expires_token
        ):
            kind = self.name.partition("-")[0]
            raise ValueError(f"{self.name}: there is nothing to do on a {kind} call")
        if self.is_for_quota_call and (self.day is not None or self.endpoint is not None):
            raise ValueError(f"{self.name}: a quota call has no publication day and no endpoint")
        if self.is_for_token_call and self.day is not None:
            raise ValueError(f"{self.name}: a token call has no publication day")
        if self.is_for_token_call and self.endpoint is not None:
            raise ValueError(f"{self.name}: a token call has no data endpoint")
        if self.endpoint is not None:
            endpoint = endpoints.named(self.endpoint)
            if effect.is_delay and not endpoint.says_is_delay:
                raise ValueError(f"{self.name}: {endpoint.name} does not say is_delay")
        if self.times is not None and self.times < 1:
            raise ValueError(f"{self.name}: times={self.times} never hits; leave it out for always")

    @property
    def effect(self) -> Effect:
        """What it does to a call."""
        name = self.name.removeprefix(ON_TOKEN_CALL).removeprefix(ON_QUOTA_CALL)
        if match := re.fullmatch(r"errcode:(-?\d+)", name):
            return Effect(f"{match[1]}.", errcode=int(match[1]))
        if name not in EFFECTS:
            known = ", ".join([*EFFECTS, ANY_ERRCODE])
            raise ValueError(f"There is no scenario {name!r}; there are {known}.")
        return EFFECTS[name]

    @property
    def is_for_token_call(self) -> bool:
        """Whether it waits for a token call instead of a data call."""
        return self.name.startswith(ON_TOKEN_CALL) or self.effect.is_for_token_call

    @property
    def is_for_quota_call(self) -> bool:
        """Whether it waits for a call of quota/get instead of a data call."""
        return self.name.startswith(ON_QUOTA_CALL)

    def matches(self, appid: str, day: date | None, endpoint: str | None) -> bool:
        """
        Whether a call is one it hits.

        A token call has neither day nor endpoint, and a call of quota/get is named `QUOTA_CALL`.
        """
        if self.is_for_quota_call or endpoint == QUOTA_CALL:
            return self.is_for_quota_call == (endpoint == QUOTA_CALL) and self.account in (
                None,
                appid,
            )
        if self.is_for_token_call != (endpoint is None):
            return False
        is_its_endpoint = endpoint is None or (self.endpoint or self.effect.endpoint) in (
            None,
            endpoint,
        )
        return is_its_endpoint and self.account in (None, appid) and self.day in (None, day)


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
        self, appid: str, day: date | None = None, endpoint: str | None = None
    ) -> Effect | None:
        """The effect on one call, a token call without day and endpoint; it uses up one hit."""
        with self._lock:
            for entry in self._entries:
                scenario = entry.scenario
                if scenario.matches(appid, day, endpoint):
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
