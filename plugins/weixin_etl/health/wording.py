"""
The texts of alerts and of the status in the reader's language.

What is stored is English, see decision 0036. A reader of Chinese gets our sentences in Chinese; the
words of WeChat and Postgres are quoted. The page, notifications and `weixin-etl status` use this.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from weixin_etl import clock
from weixin_etl.health.alert import Alert
from weixin_etl.health.status import Newest, Status
from weixin_etl.problem import Problem, problem_row
from weixin_etl.sentences import CHINESE_MESSAGES, in_chinese

ENGLISH, CHINESE = "en", "zh-CN"
_SETTING = re.compile(r"\[weixin\] (\w+)")


@dataclass(frozen=True, slots=True)
class Wording:
    """A language, and the values of the settings that cures name."""

    language: str = ENGLISH
    settings: Mapping[str, object] = field(default_factory=dict)

    # ------------------------------------------------------------------------------- of problems

    def title(self, problem: Problem) -> str:
        """Return the title of the problem's kind in the language, with its account or subject."""
        row, who = problem_row(problem.kind), problem.who or self.phrase("WeChat")
        title = row.title if self.language == ENGLISH else row.title_zh
        return title.format(who=who, subject=problem.subject)

    def problem_of(self, alert: Alert) -> Problem:
        """Return the alert's problem in the language. If a task retries it, its cure says so."""
        problem = self.translated_problem(alert.problem)
        return replace(problem, cure=self._tries(alert)) if alert.failed_tries else problem

    def translated_problem(self, problem: Problem) -> Problem:
        """Return the problem in the language, with the values of the settings in its cure."""
        cure = _SETTING.sub(self._with_value, self.translated(problem.cure))
        return replace(problem, cause=self.translated(problem.cause), cure=cure)

    def translated(self, text: str) -> str:
        """Return a sentence of ours in the language; any other text as it is."""
        return text if self.language == ENGLISH else in_chinese(text)

    def line(self, problem: Problem) -> str:
        """Return the line of a problem that is translated already, with its days at the end."""
        parts = [str(replace(problem, days=())), self.days(problem.days)]
        return " · ".join(filter(None, parts))

    def _with_value(self, setting: re.Match[str]) -> str:
        """Return a setting that a cure names, with its value if `settings` has one."""
        value = self.settings.get(setting[1])
        return setting[0] if value is None else f"{setting[0]} = {value}"

    def _tries(self, alert: Alert) -> str:
        """
        Return the cure of a retried alert: nothing to do, how many tries failed, when the next is.

        Without `next_at` the text says that the next try is at work.
        """
        counts = {"failed": alert.failed_tries, "tries": alert.tries}
        if alert.next_at is None:
            frame = "nothing to do: try {failed} of {tries} failed, the next is at work"
            return self.phrase(frame, **counts)
        frame = "nothing to do: try {failed} of {tries} failed; next at {time}"
        return self.phrase(frame, **counts, time=clock.time_text(alert.next_at))

    # ----------------------------------------------------------------------------- of the morning

    def morning_line(self, status: Status) -> str:
        """
        Return how far the newest morning has come, and when the next run is created.

        Say that no run has asked yet before the first one. Leave the next run out if its time is
        unknown or past. The first letter is a capital.
        """
        newest, next_run_at, now = status.newest, status.next_run_at, status.checked_at
        line = self._days_in(newest, now) if newest else self.phrase("no run has asked yet")
        if next_run_at and next_run_at > now:
            moment = (
                f"{self._day(clock.beijing_date(next_run_at), now)} {clock.hour_text(next_run_at)}"
            )
            line = self.phrase("{said}; next run {moment}", said=line, moment=moment)
        return line[:1].upper() + line[1:]

    def _days_in(self, newest: Newest, now: datetime) -> str:
        """Return how many days of the newest morning are loaded, and when the last one was."""
        accounts = "1 account" if newest.account_count == 1 else "{count} accounts"
        line = self.phrase(
            "{day}, {accounts}: {done} of {total} days in",
            day=self._day(newest.morning, now),
            accounts=self.phrase(accounts, count=f"{newest.account_count:,}"),
            done=f"{newest.days_in:,}",
            total=f"{newest.day_count:,}",
        )
        if newest.in_at is None:
            return line
        return self.phrase("{said} at {time}", said=line, time=clock.hour_text(newest.in_at))

    def _day(self, day: date, now: datetime) -> str:
        """Return `today`, `yesterday`, `tomorrow` or the date."""
        names = {0: "today", -1: "yesterday", 1: "tomorrow"}
        name = names.get((day - clock.beijing_date(now)).days)
        return self.phrase(name) if name else str(day)

    # --------------------------------------------------------------------------------- of the rest

    def since(self, begin: datetime, end: datetime | None = None) -> str:
        """Return a phrase with the time of the beginning, and of the end if there is one."""
        if end is None:
            return self.phrase("since {time} Beijing time", time=clock.time_text(begin))
        frame = "from {begin} to {end} Beijing time"
        return self.phrase(frame, begin=clock.time_text(begin), end=clock.time_text(end))

    def phrase(self, frame: str, **places: object) -> str:
        """
        Return an English text in the language, with its placeholders filled in.

        Raises:
            KeyError: `sentences.toml` has no Chinese text for it, or a placeholder has no value.
        """
        return (frame if self.language == ENGLISH else CHINESE_MESSAGES[frame]).format(**places)

    def days(self, days: tuple[date, ...]) -> str:
        """Return days as text in the language; consecutive days as one range."""
        if self.language == ENGLISH:
            return clock.days_as_ranges(days)
        return clock.days_as_ranges(days, " 至 ", "、")
