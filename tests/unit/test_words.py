"""What people are told in their language: by kind and errcode, in the order of the English line."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from weixin_etl.health import messages, words
from weixin_etl.health.words import Words
from weixin_etl.orchestration.commands import status
from weixin_etl.problem import Problem, ProblemKind

FRAMES: dict[str, str] = tomllib.loads(Path(words.__file__).with_suffix(".toml").read_text())
PLACES = re.compile(r"{(\w+)}")
CHINESE = Words("zh-CN", {"ready_hour": 9})
DAYS = (date(2026, 11, 17), date(2026, 11, 18))


@pytest.mark.parametrize("english", FRAMES)
def test_every_frame_is_used_with_the_same_places_in_both_languages(english: str) -> None:
    """A place that one lacks would stop the message there."""
    source = "".join(Path(it.__file__).read_text() for it in (messages, words, status))

    assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(FRAMES[english]))
    assert f'"{english}"' in source


@pytest.mark.parametrize(
    ("problem", "title", "line"),
    [
        (
            Problem(
                ProblemKind.CONFIGURATION,
                "the AppSecret is wrong",
                "correct it",
                **{"account": "春风", "appid": "wx1", "conn_id": "spring"},
                days=DAYS,
                errcode=40125,
            ),
            "春风：被拒绝",
            "春风：改正连接 spring 中的 password（the AppSecret is wrong） · "
            "2026-11-17 至 2026-11-18 · spring，错误码 40125",
        ),
        (
            Problem.of_kind(ProblemKind.DAYS_LOST, subject="weixin_x", days=DAYS),
            "weixin_x：有日期已错过",
            "用 begin_date 2026-11-17 和 end_date 2026-11-18 触发 weixin_x"
            "（too old for daily runs） · 2026-11-17 至 2026-11-18",
        ),
        (
            Problem.of_kind(ProblemKind.NO_RUNS, code="paused", subject="weixin_x"),
            "没有每日运行",
            "如果又需要它的数据，请启用 weixin_x（the DAG is paused）",
        ),
        (Problem(ProblemKind.UNREACHABLE, "", ""), "微信：无法访问", ""),
    ],
)
def test_a_problem_is_told_whole(problem: Problem, title: str, line: str) -> None:
    """Cure, cause, days and ids, with the DAG's name; WeChat's words as they came."""
    assert CHINESE.title(problem) == title
    assert CHINESE.line(CHINESE.told(problem)) == line


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_cure_names_a_setting_as_it_is_set(language: str) -> None:
    """Whoever reads it need not look it up."""
    problem = Problem.of_kind(ProblemKind.NOT_READY)

    assert "[weixin] ready_hour = 9" in Words(language, {"ready_hour": 9}).told(problem).cure
