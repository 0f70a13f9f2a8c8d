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


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (
            REFUSED,
            "春风: correct the password (the AppSecret is wrong) · 2026-11-17 to 2026-11-23 · "
            "spring, errcode 40125",
        ),
        (
            Problem(ProblemKind.PARAMETER, "begin_dat is no parameter", ""),
            "begin_dat is no parameter",
        ),
        (Problem(ProblemKind.PARAMETER, "", "wait"), "wait"),
        (
            WeixinError(ProblemKind.PARAMETER, account="p/wx1", cause="none", cure="remove it"),
            "p/wx1: remove it (none)",
        ),
    ],
)
def test_a_line_says_what_to_change_then_what_happened_then_ids(
    problem: Problem | WeixinError, line: str
) -> None:
    """The days are ranges; an entry that stands for no account is named whole."""
    assert str(problem) == line


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
