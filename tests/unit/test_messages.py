"""What a message says to people and to programs, by the incidents it tells of."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from weixin_etl.health.messages import Installation, compose, direct
from weixin_etl.health.troubles import Incident, Severity
from weixin_etl.health.words import Words
from weixin_etl.problem import Problem, ProblemKind

HERE = Installation("http://airflow.example/weixin/", "production")
OPENED = datetime(2026, 11, 24, 1, tzinfo=UTC)


def incident(number: int, kind: ProblemKind, *, has_ended: bool = False, **of: object) -> Incident:
    """One that began on 24 November at 09:00 in Beijing, and lasted an hour if it has ended."""
    values = {"cause": "it broke", "cure": "mend it", "account": f"号{number}", **of}
    problem = Problem(kind, appid=f"wx{number}", **values)  # type: ignore[arg-type]
    severity = Severity.WARNING if kind.is_warning else Severity.FAILURE
    ended = {"told_at": OPENED, "closed_at": OPENED + timedelta(hours=1)} if has_ended else {}
    return Incident(number, "article_total", str(number), problem, severity, OPENED, **ended)


def test_many_are_one_message_of_the_worst_ones_type_which_come_first() -> None:
    """What there is no room for are warnings; to programs all are named."""
    long = "figures that WeChat has sent and nobody expected, " * 8
    warnings = [incident(n, ProblemKind.REJECTED, cause=long) for n in range(6)]
    broken = incident(7, ProblemKind.CONFIGURATION, days=(date(2026, 11, 23),), errcode=48001)
    over = incident(8, ProblemKind.NOT_ASKED, has_ended=True)

    message = compose([*warnings, over, broken], HERE)

    first, *_, more, link = message.body.splitlines()
    assert message.title == "weixin-etl production: 号7 refused, and 7 more"
    assert first.startswith("article_total: 号7: mend it (it broke) · 2026-11-23")
    assert (more, link) == ("and 4 more", "http://airflow.example/weixin/")
    assert [it["account"] for it in message.facts["problems"]][:2] == ["号7", "号0"]
    types = [compose(those, HERE).notify_type for those in ([broken, over], warnings, [over] * 6)]
    assert types == ["failure", "warning", "success"]


@pytest.mark.parametrize("text", ["never ending " * 200, "没有尽头，" * 400])
def test_a_message_holds_as_many_bytes_as_a_receiver_takes(text: str) -> None:
    """Days and a cure that is too long are cut, between Chinese characters as well: no cause."""
    days = (date(2026, 11, 23),)
    one = incident(1, ProblemKind.PROGRAM, cure=text, cause="the cause", days=days)

    for many in ([one], [one] * 9):
        message = compose(many, HERE)
        line = message.body.splitlines()[0]
        assert "… (the cause)" in line
        assert "2026-11-23" not in line
        assert line.endswith("since 2026-11-24 09:00 Beijing time")
        assert len(message.body.encode()) <= 1800


def test_people_are_told_in_their_language() -> None:
    """What begins, what is over, many at once, and what can't be recorded."""
    here = replace(HERE, words=Words("zh-CN", {"ready_hour": 9}))
    known = {"cause": "the AppSecret is wrong", "conn_id": "spring", "errcode": 40125}
    begun = incident(1, ProblemKind.CONFIGURATION, **known)
    over = incident(2, ProblemKind.CONFIGURATION, has_ended=True, **known)

    one, other = compose([begun], here), compose([over], here)
    many = compose([over, *[begun] * 20], here)
    unrecorded = direct(Problem(ProblemKind.WAREHOUSE, "it broke", "mend it"), here, OPENED)

    assert one.title == "weixin-etl production: 号1：被拒绝"
    assert one.body.splitlines() == [
        "article_total: 号1：改正连接 spring 中的 password（the AppSecret is wrong）"
        " · spring，错误码 40125 · 自北京时间 2026-11-24 09:00 起",
        "http://airflow.example/weixin/#problem-1",
    ]
    assert other.title == "weixin-etl production: 已恢复：号2：被拒绝"
    assert other.body.splitlines()[-1] == HERE.page_url  # its card is gone
    assert "持续 1 小时 0 分钟，北京时间 2026-11-24 09:00 至 2026-11-24 10:00" in other.body
    assert many.title == "weixin-etl production: 号1：被拒绝, 另有 20 个"
    assert re.fullmatch("另有 [0-9]+ 个", many.body.splitlines()[-2])
    assert unrecorded.title == "weixin-etl production: 数据仓库不能工作"
