"""Scenarios: which calls go wrong, how often and how."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import Enum

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


@dataclass(frozen=True)
class Scenario:
    """
    One thing that goes wrong for the calls it matches, so many `times`.

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
    _hits: Iterator[int] = field(
        default_factory=itertools.count, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        """Refuse a scenario that could never hit."""
        effect = self.effect
        endpoint = endpoints.named(self.endpoint) if self.endpoint else None
        has_article_day = (effect.edit, effect.expires_token, self.day, endpoint)
        if self.call_kind is not CallKind.DATA and any(has_article_day):
            raise ValueError(f"{self.name}: only a data call has articles, a day and an endpoint")
        if endpoint and effect.is_delay and not endpoint.says_is_delay:
            raise ValueError(f"{self.name}: {endpoint.name} does not say is_delay")
        begin, end = _instant(self.asked_from), _instant(self.asked_before)
        if (
            (self.times is not None and self.times < 1)
            or (self.last_day and not (self.day and self.day <= self.last_day))
            or (begin and end and end <= begin)
        ):
            raise ValueError(f"{self.name}: these times, days or instants never hit a call")

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

    def hits(
        self,
        kind: CallKind,
        asked_at: datetime,
        appid: str,
        day: date | None = None,
        endpoint: str | None = None,
    ) -> bool:
        """Whether it hits a call, which then counts; only a data call has a day and an endpoint."""
        if kind is not self.call_kind or self.account not in (None, appid):
            return False
        begin, end = _instant(self.asked_from), _instant(self.asked_before)
        if (begin and asked_at < begin) or (end and end <= asked_at):
            return False
        if kind is CallKind.DATA and (self.endpoint or self.effect.endpoint) not in (
            None,
            endpoint,
        ):
            return False
        if self.day and not (day and self.day <= day <= (self.last_day or self.day)):
            return False
        return self.times is None or next(self._hits) < self.times


def _instant(when: date | None) -> datetime | None:
    """An instant itself, or the one at which a day begins in Beijing."""
    if not isinstance(when, datetime):
        return datetime.combine(when, time(), clock.SHANGHAI) if when else None
    if when.tzinfo is None:
        raise ValueError(f"{when.isoformat()} has no offset, so it is no instant")
    return when
