"""The line an operator reads of a trouble: what to change first, ids last."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from weixin_etl.api import errors
from weixin_etl.problem import Problem, ProblemKind, together
from weixin_etl.trouble.status import ListedProblem, assess

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
    """The days are ranges; WeChat's id of the call is last."""
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
    refusal = errors.ConfigurationError(account=entry, cause="no account", cure="remove it")

    assert str(refusal.problem(None)) == f"{entry}: remove it (no account)"


def test_a_cause_is_cut_at_the_end_of_a_word() -> None:
    """A stranger may have written it; the rest of the line is whole."""
    long = replace(REFUSED, cause="the AppSecret is wrong: " + "invalid appsecret, " * 90)

    assert len(long.cause) <= 500
    assert str(long).startswith("春风: correct the password (the AppSecret is wrong: invalid ")
    assert str(long).endswith(f"appsecret…) · {str(REFUSED).partition(' · ')[2]}")


@pytest.mark.parametrize(
    ("met_at", "read_at", "expected"),
    [
        ("24T08:30", "24T08:31", "run again after 2026-11-24 10:00 Beijing time"),
        ("24T08:30", "24T10:00", "run again now"),
        ("24T23:44", "24T23:44", "run again after 2026-11-25 10:00 Beijing time"),
        ("24T23:44", "26T00:00", "run again now"),
    ],
)
def test_a_cure_knows_the_clock(met_at: str, read_at: str, expected: str) -> None:
    """Which day's 10:00 it waits for, and that it has come; on the page and by `status` as well."""
    met, now = (
        datetime.fromisoformat(f"2026-11-{it}:00+08:00").astimezone(UTC) for it in (met_at, read_at)
    )
    late = errors.NotReadyError("to be asked after 10:00 Beijing time").problem(None)
    other = replace(late, kind=ProblemKind.CALL_REFUSED)

    shown = assess([], [ListedProblem(late, seen_at=met)], None, now=now).open

    assert late.as_of(met, now) == replace(late, cure=expected)
    assert late.as_of(met, now).as_of(met, now).cure == expected
    assert expected in {it.problem.cure for it in shown}
    assert other.as_of(met, now) == other


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_kind_has_a_word_and_a_title(kind: ProblemKind) -> None:
    """Without a title a problem would be recorded and never told."""
    title = Problem(kind, "a cause", "a cure", account="春风", subject="a metric").title

    assert ProblemKind(str(kind)) is kind
    assert re.fullmatch("[^{}]+", title)


def test_what_differs_in_days_only_is_one_problem() -> None:
    """The days are joined and sorted; another cause is another line."""
    first = replace(REFUSED, days=WEEK[2:4])
    second = replace(REFUSED, days=(*WEEK[:2], WEEK[2]))
    other = replace(REFUSED, cause="the AppID is wrong")

    assert together([first, second, other]) == [
        replace(REFUSED, days=WEEK[:4]),
        other,
    ]
