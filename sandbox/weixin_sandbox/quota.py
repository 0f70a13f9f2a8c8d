"""How many calls an account has made: counted for real, per endpoint and Beijing day."""

from collections import Counter
from datetime import date

from weixin_sandbox.answers import RefusedError


class Quota:
    """The calls that were let through. A call refused for its quota is not counted."""

    def __init__(self, daily_limit: int) -> None:
        self.daily_limit = daily_limit
        self._used: Counter[tuple[str, str, date]] = Counter()

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
            RefusedError: 45009 when the day's calls are used up.
        """
        if self.used(appid, path, today) >= self.daily_limit:
            raise RefusedError(45009)
        self.spend(appid, path, today, 1)
