"""
What people are told, in Chinese, when somebody reads it: it is kept in English. See decision 0036.

Title and cure are the kind's or the errcode's, the cause is in the words of WeChat or Postgres.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from weixin_etl.clock import days_as_ranges
from weixin_etl.model import connection_of
from weixin_etl.problem import Problem, filled, row_of

LANGUAGE = "zh-CN"
_UNITS = {" days": " 天", " day": " 天", " h": " 小时", " min": " 分钟"}


def title(problem: Problem) -> str:
    """`Problem.title` in Chinese."""
    who = _names(problem, problem.who) or frame("WeChat")
    return row_of(problem.kind).title_zh.format(who=who, subject=problem.subject)


def told(problem: Problem) -> Problem:
    """The problem with its cure in Chinese, if it has one."""
    if not problem.cure:
        return problem
    conn_id = problem.to_change or connection_of(problem.conn_id)
    return replace(problem, cure=filled(problem.row.cure_zh, conn_id, problem.cause))


def line(problem: Problem) -> str:
    """The line of a problem that is `told` in Chinese."""
    cause, cure = problem.cause, problem.cure
    said = f"{cure}（{cause}）" if cure and cause else cure or cause
    errcode = "" if problem.errcode is None else f"错误码 {problem.errcode}"
    ids = filter(None, [problem.conn_id if problem.appid else "", errcode])
    parts = [said, days_as_ranges(problem.days).replace(" to ", " 至 "), "，".join(ids)]
    return (f"{_names(problem, problem.account)}：" if problem.account else "") + " · ".join(
        filter(None, parts)
    )


def _names(problem: Problem, names: str) -> str:
    """What accounts are called; of several, the first and how many more there are."""
    return names if problem.appid else re.sub(r" and (\d+) more$", r"，另有 \1 个", names)


def frame(text: str) -> str:
    """A text of a message, its places unfilled, in Chinese."""
    return _frames()[text]


def duration(text: str) -> str:
    """`clock.duration` in Chinese."""
    for english, chinese in _UNITS.items():
        text = text.replace(english, chinese)
    return text


@cache
def _frames() -> Mapping[str, str]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
