"""What people read of a trouble in their language, and what a message says of several."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from weixin_etl.health.messages import Installation, Words, compose
from weixin_etl.health.troubles import Trouble, usual
from weixin_etl.problem import Problem, ProblemKind

HERE = Installation("http://airflow.example/weixin/")
CHINESE = replace(HERE, words=Words("zh-CN", {"ready_hour": 9}))
OPENED = datetime(2026, 11, 24, 1, tzinfo=UTC)
FAILURE, WARNING = ProblemKind.CONFIGURATION, ProblemKind.REJECTED


def trouble(kind: ProblemKind, *, has_ended: bool = False, **of: Any) -> Trouble:
    """One that began on 24 November at 09:00 in Beijing, and lasted an hour if it has ended."""
    ended = {"told_at": OPENED, "closed_at": OPENED + timedelta(hours=1)} if has_ended else {}
    problem = Problem.of_kind(kind, **{"account": "号1", "appid": "wx1", **of})
    return Trouble(problem, "article_total", usual(kind), opened_at=OPENED, incident_id=1, **ended)


SECRET = {"code": "40125", "conn_id": "spring"}
BEGUN, OVER = trouble(FAILURE, **SECRET), trouble(FAILURE, has_ended=True)
ODD, READY = trouble(WARNING), trouble(ProblemKind.NOT_READY)


@pytest.mark.parametrize(
    ("here", "several", "kind", "texts"),
    [
        (HERE, [BEGUN], "failure", ["connection spring", "09:00 Beijing time", "#problem-1"]),
        (HERE, [ODD, ODD, BEGUN], "failure", ["号1 refused, and 2 more"]),
        (HERE, [ODD, OVER], "warning", ["号1: a value does not fit, and 1 more"]),
        (HERE, [OVER], "success", ["refused · from 2026-11-24 09:00 to 2026-11-24 10:00"]),
        (CHINESE, [BEGUN], "failure", ["连接 spring 中的 password (the AppSecret is"]),
        (CHINESE, [OVER], "success", ["已恢复：号1：被拒绝 · 北京时间 2026-11-24 09:00 至"]),
        (CHINESE, [READY], "warning", ["[weixin] ready_hour = 9"]),
        (CHINESE, [OVER, *[BEGUN] * 20], "failure", ["号1：被拒绝, 另有 20 个", "\n另有 "]),
    ],
)
def test_several_are_one_message_of_the_worst_ones_type(
    here: Installation, several: list[Trouble], kind: str, texts: list[str]
) -> None:
    """In the language that is set, with settings as they are; the cause is in WeChat's words."""
    message = compose(several, here)

    assert message.notify_type == kind
    for text in texts:
        assert text in f"{message.title}\n{message.body}"


@pytest.mark.parametrize("text", ["never ending " * 200, "没有尽头，" * 400])
@pytest.mark.parametrize("count", [1, 9])
def test_a_message_holds_as_many_bytes_as_a_receiver_takes(text: str, count: int) -> None:
    """Days and a cure that is too long are cut, between Chinese characters as well: no cause."""
    days = (date(2026, 11, 17), date(2026, 11, 18))
    one = trouble(ProblemKind.PROGRAM, cure=text, cause="the cause", days=days)

    body = compose([one] * count, HERE).body

    assert body.splitlines()[0].endswith("… (the cause) · since 2026-11-24 09:00 Beijing time")
    assert len(body.encode()) <= 1800
