"""
What people read of a problem, in their language: it is kept in English. See decision 0036.

Title and cure are the kind's or the errcode's, the cause is in the words of WeChat or Postgres.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from weixin_etl import clock
from weixin_etl.model import connection_of
from weixin_etl.problem import Problem, filled, row_of

ENGLISH, CHINESE = "en", "zh-CN"
_SETTING = re.compile(r"\[weixin\] (\w+)")


@dataclass(frozen=True, slots=True)
class Words:
    """A language, and the settings that cures name."""

    language: str = ENGLISH
    settings: Mapping[str, object] = field(default_factory=dict)

    def title(self, problem: Problem) -> str:
        """The problem in a few words."""
        if self.language == ENGLISH:
            return problem.title
        who = _names(problem, problem.who) or self.says("WeChat")
        return row_of(problem.kind).title_zh.format(who=who, subject=problem.subject)

    def told(self, problem: Problem) -> Problem:
        """The problem with its cure in the language, and with the values of settings in it."""
        cure = problem.cure
        if cure and self.language != ENGLISH:
            conn_id = problem.to_change or connection_of(problem.conn_id)
            about = problem.subject, problem.days
            cure = filled(problem.row.cure_zh, conn_id, problem.cause, *about)
        return replace(problem, cure=_SETTING.sub(self._with_value, cure))

    def _with_value(self, named: re.Match[str]) -> str:
        value = self.settings.get(named[1])
        return named[0] if value is None else f"{named[0]} = {value}"

    def line(self, problem: Problem) -> str:
        """The line of a problem that is `told`."""
        if self.language == ENGLISH:
            return str(problem)
        cause, cure = problem.cause, problem.cure
        said = f"{cure}（{cause}）" if cure and cause else cure or cause
        errcode = "" if problem.errcode is None else f"错误码 {problem.errcode}"
        ids = filter(None, [problem.conn_id if problem.appid else "", errcode])
        parts = [said, self.days(problem.days), "，".join(ids)]
        account = f"{_names(problem, problem.account)}：" if problem.account else ""
        return account + " · ".join(filter(None, parts))

    def says(self, text: str, **values: object) -> str:
        """A text of ours; what comes into its places stays as it is."""
        return (text if self.language == ENGLISH else _frames()[text]).format(**values)

    def days(self, days: tuple[date, ...]) -> str:
        """Days as ranges."""
        text = clock.days_as_ranges(days)
        return text if self.language == ENGLISH else text.replace(" to ", " 至 ")

    def lasted(self, lasted: timedelta) -> str:
        """How long something lasted."""
        text = clock.duration(lasted)
        if self.language == ENGLISH:
            return text
        for english, chinese in _UNITS.items():
            text = text.replace(english, chinese)
        return text


_UNITS = {" days": " 天", " day": " 天", " h": " 小时", " min": " 分钟"}


def _names(problem: Problem, names: str) -> str:
    """What accounts are called; of several, the first and how many more there are."""
    return names if problem.appid else re.sub(r" and (\d+) more$", r"，另有 \1 个", names)


@cache
def _frames() -> Mapping[str, str]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
