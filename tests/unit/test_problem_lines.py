"""The line an operator reads of a trouble: what to change first, ids last."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from weixin_etl.problem import Problem, ProblemKind, WeixinError, together

WEEK = tuple(date(2026, 11, 17) + timedelta(days=n) for n in range(7))
REFUSED = Problem(
    ProblemKind.CONFIGURATION,
    "the AppSecret is wrong",
    "correct the password",
    account="春风",
    appid="wx1",
    conn_id="spring",
    days=WEEK,
    errcode=40125,
)


def test_a_line_says_what_to_change_then_what_happened_then_ids() -> None:
    """The days are ranges; the ids are last."""
    assert str(REFUSED) == (
        "春风: correct the password (the AppSecret is wrong) · 2026-11-17 to 2026-11-23 · spring, "
        "errcode 40125"
    )


@pytest.mark.parametrize(("cause", "cure"), [("begin_dat is no parameter", ""), ("", "wait")])
def test_what_is_said_alone_has_no_brackets(cause: str, cure: str) -> None:
    """In the log and in a message."""
    problem = Problem(ProblemKind.PARAMETER, cause, cure)

    assert str(problem) == cause + cure


def test_an_entry_that_stands_for_no_account_is_named_whole() -> None:
    """Nothing else in its line tells it from others of the same platform."""
    entry = "weixin_platform/wx5a4d80c70b1e2f3a"
    refusal = WeixinError(
        ProblemKind.CONFIGURATION, account=entry, cause="no account", cure="remove it"
    )

    assert str(refusal) == f"{entry}: remove it (no account)"


def test_a_cause_that_is_too_long_is_cut() -> None:
    """A stranger may have written it; the rest of the line is whole; cut once, it stays."""
    long = replace(REFUSED, cause="the AppSecret is wrong: " + "invalid appsecret, " * 120)

    assert 1990 < len(long.cause) <= 2001
    assert replace(long) == long
    assert str(long).startswith("春风: correct the password (the AppSecret is wrong: invalid ")
    assert str(long).endswith(f"…) · {str(REFUSED).partition(' · ')[2]}")


def test_what_differs_in_days_only_is_one_problem() -> None:
    """The days are joined and sorted; another cause is another line."""
    first = replace(REFUSED, days=WEEK[2:4])
    second = replace(REFUSED, days=(*WEEK[:2], WEEK[2]))
    other = replace(REFUSED, cause="the AppID is wrong")

    assert together([first, second, other]) == [
        replace(REFUSED, days=WEEK[:4]),
        other,
    ]
