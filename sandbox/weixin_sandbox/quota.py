"""How many calls an account has made: counted for real, per endpoint and Beijing day."""

from collections import Counter, deque
from collections.abc import Callable
from datetime import date

from weixin_sandbox.errcodes import RefusedError

_MINUTE_SECONDS = 60


class Quota:
    """The calls that were let through. A call refused for its quota is not counted."""

    def __init__(
        self, daily_limit: int, minute_limit: int | None, monotonic: Callable[[], float]
    ) -> None:
        self.daily_limit = daily_limit
        self.minute_limit = minute_limit
        self._monotonic = monotonic
        self._used: Counter[tuple[str, str, date]] = Counter()
        self._lately: dict[tuple[str, str], deque[float]] = {}

    def used(self, appid: str, path: str, today: date) -> int:
        """How many calls of the day were let through."""
        return self._used[appid, path, today]

    def spend(self, appid: str, path: str, today: date, calls: int) -> None:
        """Let calls of another program through."""
        self._used[appid, path, today] += calls

    def count(self, appid: str, path: str, today: date) -> None:
        """
        Let one call through.

        Raises:
            RefusedError: 45009 when the day's calls are used up, 45011 when the last minute's are.

        """
        if self.used(appid, path, today) >= self.daily_limit:
            raise RefusedError(45009)
        if self.minute_limit is not None:
            self._count_in_minute(appid, path, self.minute_limit)
        self._used[appid, path, today] += 1

    def _count_in_minute(self, appid: str, path: str, limit: int) -> None:
        now = self._monotonic()
        lately = self._lately.setdefault((appid, path), deque())
        while lately and now - lately[0] >= _MINUTE_SECONDS:
            lately.popleft()
        if len(lately) >= limit:
            raise RefusedError(45011)
        lately.append(now)
