"""What people read of a trouble in their language, and what a message says of several."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from weixin_etl.health import messages
from weixin_etl.health.messages import Installation, Words, compose
from weixin_etl.health.troubles import Trouble, usual
from weixin_etl.problem import Problem, ProblemKind

FRAMES: dict[str, str] = tomllib.loads(Path(messages.__file__).with_name("words.toml").read_text())
PLACES = re.compile(r"{(\w+)}")
CHINESE = Words("zh-CN", {"ready_hour": 9})
HERE = Installation("http://airflow.example/weixin/")
OPENED = datetime(2026, 11, 24, 1, tzinfo=UTC)
DAYS = (date(2026, 11, 17), date(2026, 11, 18))
SECRET = {"cause": "the AppSecret is wrong", "conn_id": "spring", "errcode": 40125}


def trouble(number: int, kind: ProblemKind, *, has_ended: bool = False, **of: Any) -> Trouble:
    """One that began on 24 November at 09:00 in Beijing, and lasted an hour if it has ended."""
    values = {"cause": "it broke", "cure": "mend it", "account": f"号{number}", **of}
    problem = Problem(kind, appid=f"wx{number}", **values)
    ended = {"told_at": OPENED, "closed_at": OPENED + timedelta(hours=1)} if has_ended else {}
    began = {"opened_at": OPENED, "incident_id": number, **ended}
    return Trouble(problem, "article_total", usual(kind), **began)


@pytest.mark.parametrize("english", FRAMES)
def test_every_frame_is_used_with_the_same_places_in_both_languages(english: str) -> None:
    """A place that one lacks would stop the message there."""
    source = Path(messages.__file__).read_text()

    assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(FRAMES[english]))
    assert f'"{english}"' in source


@pytest.mark.parametrize(
    ("problem", "title", "line"),
    [
        (
            trouble(1, ProblemKind.CONFIGURATION, **SECRET, days=DAYS).problem,
            "号1：被拒绝",
            "号1: 改正连接 spring 中的 password (the AppSecret is wrong) · "
            "spring, errcode 40125 · 2026-11-17 至 2026-11-18",
        ),
        (
            Problem.of_kind(ProblemKind.DAYS_LOST, account="号1", subject="x (…)", days=DAYS),
            "号1：有日期已错过",
            "号1: 触发 x (…) (too old for daily runs) · 2026-11-17 至 2026-11-18",
        ),
        (
            Problem.of_kind(ProblemKind.WAREHOUSE, subject="plan"),  # as it is recorded
            "数据仓库不能工作",
            "启动 Postgres，或者改正连接 weixin_warehouse (the warehouse does not answer)",
        ),
        (
            Problem.of_kind(ProblemKind.NO_RUNS, code="paused", subject="weixin_x"),
            "没有每日运行",
            "如果又需要它的数据，请启用 weixin_x (the DAG is paused)",
        ),
        (Problem(ProblemKind.UNREACHABLE, "", ""), "微信：无法访问", ""),
    ],
)
def test_a_problem_is_told_in_chinese(problem: Problem, title: str, line: str) -> None:
    """Title and cure, with their places; ids, and the cause, stay as they are."""
    assert CHINESE.title(problem) == title
    assert CHINESE.line(CHINESE.cured(problem)) == line


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_cure_names_a_setting_as_it_is_set(language: str) -> None:
    """Whoever reads it need not look it up."""
    problem = Problem.of_kind(ProblemKind.NOT_READY)

    assert "[weixin] ready_hour = 9" in Words(language, {"ready_hour": 9}).cured(problem).cure


def test_many_are_one_message_of_the_worst_ones_type_which_come_first() -> None:
    """What there is no room for are warnings."""
    long = "figures that WeChat has sent and nobody expected, " * 8
    warnings = [trouble(n, ProblemKind.REJECTED, cause=long) for n in range(6)]
    broken = trouble(7, ProblemKind.CONFIGURATION)
    over = trouble(8, ProblemKind.NOT_ASKED, has_ended=True)

    message = compose([*warnings, over, broken], HERE)

    first, *_, more, link = message.body.splitlines()
    assert message.title == "weixin-etl: 号7 refused, and 7 more"
    assert first == "article_total: 号7: mend it (it broke) · since 2026-11-24 09:00 Beijing time"
    assert (more, link) == ("and 4 more", "http://airflow.example/weixin/")
    types = [compose(those, HERE).notify_type for those in ([broken, over], warnings, [over] * 6)]
    assert types == ["failure", "warning", "success"]


@pytest.mark.parametrize("text", ["never ending " * 200, "没有尽头，" * 400])
def test_a_message_holds_as_many_bytes_as_a_receiver_takes(text: str) -> None:
    """Days and a cure that is too long are cut, between Chinese characters as well: no cause."""
    one = trouble(1, ProblemKind.PROGRAM, cure=text, cause="the cause", days=DAYS)

    for many in ([one], [one] * 9):
        message = compose(many, HERE)
        line = message.body.splitlines()[0]
        assert line.endswith("… (the cause) · since 2026-11-24 09:00 Beijing time")
        assert len(message.body.encode()) <= 1800


def test_a_message_is_in_the_language_that_is_set() -> None:
    """What begins, what is over, and many at once."""
    here = replace(HERE, words=CHINESE)
    begun = trouble(1, ProblemKind.CONFIGURATION, **SECRET)
    over = trouble(2, ProblemKind.CONFIGURATION, has_ended=True, **SECRET)

    one, other = compose([begun], here), compose([over], here)
    many = compose([over, *[begun] * 20], here)

    assert one.title == "weixin-etl: 号1：被拒绝"
    assert one.body.endswith(
        " · 自北京时间 2026-11-24 09:00 起\nhttp://airflow.example/weixin/#problem-1"
    )
    assert other.body.splitlines() == [
        "article_total: 已恢复：号2：被拒绝 · 北京时间 2026-11-24 09:00 至 2026-11-24 10:00",
        HERE.page_url,  # its card is gone
    ]
    assert many.title == "weixin-etl: 号1：被拒绝, 另有 20 个"
    assert re.fullmatch("另有 [0-9]+ 个", many.body.splitlines()[-2])
