"""What people are told in Chinese: by kind and errcode, in the order of the English line."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from weixin_etl.health import chinese, messages
from weixin_etl.problem import Problem, ProblemKind

FRAMES: dict[str, str] = tomllib.loads(Path(chinese.__file__).with_suffix(".toml").read_text())
PLACES = re.compile(r"{(\w+)}")
REFUSED = Problem(
    ProblemKind.CONFIGURATION,
    "the AppSecret is wrong: invalid appsecret",
    "correct the password in the connection spring",
    account="春风",
    appid="wx1",
    conn_id="spring",
    days=(date(2026, 11, 17), date(2026, 11, 18)),
    errcode=40125,
)


@pytest.mark.parametrize("english", FRAMES)
def test_every_frame_is_one_of_a_message(english: str) -> None:
    """With the same places in both languages; counts are put together there."""
    source = Path(messages.__file__).read_text() + Path(chinese.__file__).read_text()

    assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(FRAMES[english]))
    assert english.startswith("{count} ") or english in source


def test_a_problem_is_told_whole() -> None:
    """Cure, cause, days and ids; WeChat's words as they came."""
    assert chinese.title(REFUSED) == "春风：被拒绝"
    assert chinese.line(chinese.told(REFUSED)) == (
        "春风：改正连接 spring 中的 password（the AppSecret is wrong: invalid appsecret） · "
        "2026-11-17 至 2026-11-18 · spring，错误码 40125"
    )


def test_what_concerns_nobody_alone_is_of_wechat() -> None:
    """And a problem without a cure gets none."""
    problem = Problem(ProblemKind.UNREACHABLE, "", "")

    assert chinese.title(problem) == "微信：无法访问"
    assert chinese.told(problem).cure == ""
