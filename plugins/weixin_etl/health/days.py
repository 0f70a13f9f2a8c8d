"""An account's days in a dataset: what each is called, and how its last attempt ended."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import RowMapping

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import Coverage, State

CATCH_UP_DAYS = 60
"""What holds for an account that no daily run has planned; analytics.coverage has it too."""


@dataclass(frozen=True)
class AccountDays:
    """Some days of an account, and all else that `rules.state` asks for."""

    dataset: Dataset
    since_date: date | None
    """The first day that daily runs are to bring in; None where none has planned the account."""
    catch_up_days: int | None
    heard_at: datetime | None
    """As `rules.heard_at` has it; None as well where no day's state depends on it."""
    pairs: Mapping[date, Coverage | None]
    """None for a day that nobody has asked for."""
    is_active: bool = True
    """Whether the account is collected still."""

    @cached_property
    def is_retired(self) -> bool:
        """Whether WeChat has taken the endpoint offline for it."""
        return rules.is_retired({day: pair for day, pair in self.pairs.items() if pair})

    def reach(self, today: date) -> date:
        """The first day that a daily run of today asks for."""
        days = CATCH_UP_DAYS if self.catch_up_days is None else self.catch_up_days
        return rules.reach(self.dataset, today, self.since_date, days)

    def state(self, day: date, now: datetime) -> State:
        """What the day is called."""
        return rules.state(
            self.dataset,
            day,
            self.pairs.get(day),
            reach=self.reach(clock.beijing_date(now)),
            heard=self.heard_at,
            now=now,
        )

    def next_date(self, day: date, now: datetime) -> date | None:
        """The morning whose daily run asks for it again; None when none does."""
        pair, today = self.pairs.get(day) or Coverage(), clock.beijing_date(now)
        is_asked = self.is_active and self.since_date is not None and not self.is_retired
        if pair.settled or not is_asked:
            return None
        morning = max(today + rules.DAY * self._is_asked(pair, now), day + rules.DAY)
        over = day + rules.DAY * self.dataset.window
        if over < morning and rules.is_silent(pair, over, self.heard_at):
            return None
        return morning if pair.ready_at or day >= self.reach(morning) else None

    def _is_asked(self, pair: Coverage, now: datetime) -> bool:
        """Whether the run of today has asked for it, or asks no more."""
        today = clock.beijing_date(now)
        at = pair.attempted_at if pair.error_kind != "not_ready" else None
        is_of_today = at is not None and clock.beijing_date(at) == today
        return is_of_today or rules.due_morning(now) == today

    def final_date(self, day: date, now: datetime) -> date | None:
        """The first morning on which it can be final; None when daily runs ask no more."""
        asked, over = self.next_date(day, now), day + rules.DAY * self.dataset.window
        if asked is None or not self.dataset.describes_articles:
            return asked and max(asked, over)
        pair, since = self.pairs.get(day) or Coverage(), over - rules.DAY
        if pair.ready_date and pair.list_sha256 is not None and since <= pair.ready_date < asked:
            return max(asked, over)
        return max(asked, since) + rules.DAY


def pairs_by_account(
    rows: Iterable[Mapping[str, Any] | RowMapping],
) -> dict[str, dict[date, Coverage | None]]:
    """What rows of `weixin.coverage` say of each account's days; None of one never asked for."""
    found: dict[str, dict[date, Coverage | None]] = defaultdict(dict)
    for row in rows:
        known = {name: value for name, value in row.items() if name not in ("appid", "day")}
        found[row["appid"]][row["day"]] = Coverage(**known) if known["attempted_at"] else None
    return found


def ending(pair: Coverage | None) -> str | None:
    """How the last attempt for a day ended: `ok`, `not_ready` or `failed`; None without one."""
    if pair is None:
        return None
    if pair.error_kind is None:
        return "ok"
    return "not_ready" if pair.error_kind == "not_ready" else "failed"
