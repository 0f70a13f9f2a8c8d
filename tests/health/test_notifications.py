"""What people read of a trouble in their language, and what a message says of several."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from weixin_etl.health.alert import Alert, default_severity
from weixin_etl.health.notifications import Installation, compose
from weixin_etl.health.status import Newest, Status
from weixin_etl.health.wording import Wording
from weixin_etl.problem import Problem, ProblemKind

HERE = Installation("http://airflow.example/weixin/")
CHINESE = replace(HERE, words=Wording("zh-CN", {"ready_hour": 9}))
OPENED = datetime(2026, 11, 24, 1, tzinfo=UTC)
FAILURE, WARNING = ProblemKind.CONFIGURATION, ProblemKind.REJECTED


def trouble(kind: ProblemKind, *, has_ended: bool = False, **of: Any) -> Alert:
    """One that began on 24 November at 09:00 in Beijing, and lasted an hour if it has ended."""
    ended = {"told_at": OPENED, "closed_at": OPENED + timedelta(hours=1)} if has_ended else {}
    problem = Problem.of_kind(kind, **{"account": "号1", "appid": "wx1", **of})
    return Alert(
        problem, "article_total", default_severity(kind), opened_at=OPENED, incident_id=1, **ended
    )


SECRET = {"code": "40125", "conn_id": "spring"}
BEGUN, OVER = trouble(FAILURE, **SECRET), trouble(FAILURE, has_ended=True)
ODD, READY = trouble(WARNING), trouble(ProblemKind.NOT_READY)


@pytest.mark.parametrize(
    ("installation", "several", "kind", "texts"),
    [
        (HERE, [BEGUN], "failure", ["connection spring", "09:00 Beijing time", "#problem-1"]),
        (HERE, [ODD, ODD, BEGUN], "failure", ["号1 refused, and 2 more"]),
        (HERE, [ODD, OVER], "warning", ["号1: a value does not fit, and 1 more"]),
        (HERE, [OVER], "success", ["refused · from 2026-11-24 09:00 to 2026-11-24 10:00"]),
        (CHINESE, [BEGUN], "failure", ["连接 spring 中的 password (AppSecret 错误"]),
        (CHINESE, [OVER], "success", ["已恢复：号1：被拒绝 · 北京时间 2026-11-24 09:00 至"]),
        (CHINESE, [READY], "warning", ["[weixin] ready_hour = 9"]),
        (CHINESE, [OVER, *[BEGUN] * 20], "failure", ["号1：被拒绝, 另有 20 个", "\n另有 "]),
    ],
)
def test_several_are_one_message_of_the_worst_ones_type(
    installation: Installation, several: list[Alert], kind: str, texts: list[str]
) -> None:
    """In the language that is set, with settings as they are; the cause is in WeChat's words."""
    message = compose(several, installation)

    assert message.notify_type == kind
    for text in texts:
        assert text in f"{message.title}\n{message.body}"


MORNING = Newest(date(2026, 11, 24), 2, 16, 16, OPENED - timedelta(minutes=29))


@pytest.mark.parametrize(
    ("language", "now", "newest", "next_run", "expected"),
    [
        (
            "en",
            1,
            MORNING,
            24,
            "Today, 2 accounts: 16 of 16 days in at 08:31; next run tomorrow 08:30",
        ),
        (
            "zh-CN",
            1,
            MORNING,
            24,
            "今天，2 个公众号：16 天中 16 天已到位（08:31）；下一次运行：明天 08:30",
        ),
        (
            "en",
            20,
            MORNING,
            24,
            "Yesterday, 2 accounts: 16 of 16 days in at 08:31; next run today 08:30",
        ),
        ("en", 70, MORNING, 24, "2026-11-24, 2 accounts: 16 of 16 days in at 08:31"),
        (
            *("en", 1, replace(MORNING, account_count=1, days_in=0, in_at=None), None),
            "Today, 1 account: 0 of 16 days in",
        ),
        ("en", 1, None, 24, "No run has asked yet; next run tomorrow 08:30"),
    ],
)
def test_how_far_the_newest_morning_has_come_is_one_line(
    language: str, now: int, newest: Newest | None, next_run: int | None, expected: str
) -> None:
    """With its age, and the next run if one is to come."""
    begin = OPENED - timedelta(minutes=30)
    next_run_at = begin + timedelta(hours=next_run) if next_run else None
    at = begin + timedelta(hours=now)

    status = Status(at, (), newest=newest, next_run_at=next_run_at)
    assert Wording(language).morning_line(status) == expected


@pytest.mark.parametrize("text", ["never ending " * 200, "没有尽头，" * 400])
@pytest.mark.parametrize("count", [1, 9])
def test_a_message_holds_as_many_bytes_as_a_receiver_takes(text: str, count: int) -> None:
    """Days and a cure that is too long are cut, between Chinese characters as well: no cause."""
    days = (date(2026, 11, 17), date(2026, 11, 18))
    alert = trouble(ProblemKind.PROGRAM, cure=text, cause="the cause", days=days)

    body = compose([alert] * count, HERE).body

    assert body.splitlines()[0].endswith("… (the cause) · since 2026-11-24 09:00 Beijing time")
    assert len(body.encode()) <= 1800
