"""What a message says to people and to programs, by the incidents it tells of."""

from datetime import UTC, date, datetime, timedelta

from weixin_etl.json_text import whole_words
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble.incidents import Incident
from weixin_etl.trouble.messages import Installation, compose

HERE = Installation("http://airflow.example/weixin/", "production")
OPENED = datetime(2026, 11, 24, 1, tzinfo=UTC)


def incident(number: int, kind: ProblemKind, *, has_ended: bool = False, **of: object) -> Incident:
    """One that began on 24 November at 09:00 in Beijing, and lasted an hour if it has ended."""
    values = {"cause": "it broke", "cure": "mend it", "account": f"号{number}", **of}
    problem = Problem(kind, appid=f"wx{number}", **values)  # type: ignore[arg-type]
    closed_at = OPENED + timedelta(hours=1) if has_ended else None
    return Incident(number, "article_total", problem, "a_run", OPENED, closed_at)


def test_many_are_one_message_of_the_worst_ones_type_which_come_first() -> None:
    """What there is no room for are warnings; to programs all are named."""
    long = "figures that WeChat has sent and nobody expected, " * 8
    warnings = [incident(n, ProblemKind.REJECTED, cause=long) for n in range(6)]
    broken = incident(7, ProblemKind.CONFIGURATION, days=(date(2026, 11, 23),), errcode=48001)
    over = incident(8, ProblemKind.NOT_ASKED, has_ended=True)

    [message] = compose([*warnings, over, broken], HERE)
    [all_over] = compose([over] * 6, HERE)
    [all_known] = compose(warnings, HERE)

    first, *_, more, link = message.body.splitlines()
    assert message.title == "weixin-etl production: 7 problems, 1 is over"
    assert first.startswith("article_total: 号7: mend it (it broke) · 2026-11-23")
    assert (more, link) == ("and 4 more", "all of them: http://airflow.example/weixin/")
    assert [it["account"] for it in message.facts["problems"]][:2] == ["号7", "号0"]
    severities = [it.severity for it in (message, all_known, all_over)]
    assert severities == ["failure", "warning", "success"]


def test_no_line_is_cut_in_a_word() -> None:
    """It ends at a whole item where one is near; a range of days is one. A single word is cut."""
    text = "mend it · 2026-11-01 to 2026-11-03, 2026-11-05 to 2026-11-09"

    cut = [whole_words(text, length) for length in (9, 20, 36, 59, 60)]

    assert cut == ["mend it", "mend it", *["mend it · 2026-11-01 to 2026-11-03"] * 2, text]
    assert whole_words("换密码，再清除任务", 6) == "换密码"
    assert whole_words("x" * 99, 5) == "xxxxx"
    [message] = compose([incident(1, ProblemKind.PROGRAM, cause="never ending " * 200)], HERE)
    assert message.body.splitlines()[0].endswith(("never …", "ending …"))
    assert len(message.body.encode()) <= 1800
