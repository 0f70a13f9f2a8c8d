"""The line an operator reads of a trouble: what to change first, ids last, never too long."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weixin_etl.api import errors
from weixin_etl.api.errors import from_errcode
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Account
from weixin_etl.problem import Problem, ProblemKind, together
from weixin_etl.run.check import checks
from weixin_etl.trouble.status import ListedProblem, assess

WEEK = tuple(date(2026, 11, 17) + timedelta(days=n) for n in range(7))
NAME, CONN_ID = "n" * 24, "c" * 25
REFUSED = Problem(
    ProblemKind.CONFIGURATION,
    "the AppSecret is wrong",
    "correct the password",
    account="春风",
    appid="wx1",
    conn_id="spring",
    days=WEEK,
    errcode=40125,
    rid="5fc8a1b2-0a1b",
)
TEXTS = st.one_of(st.text(), st.integers(0, 300).map("字".__mul__))
DAYS = st.lists(st.dates(date(2014, 12, 1), date(2099, 1, 1)), max_size=30).map(tuple)


def test_a_line_says_what_to_change_then_what_happened_then_ids() -> None:
    """The days are ranges; WeChat's id of the call is last."""
    assert str(REFUSED) == (
        "春风: correct the password (the AppSecret is wrong) · 2026-11-17 to 2026-11-23 · spring, "
        "errcode 40125, rid 5fc8a1b2-0a1b"
    )


@pytest.mark.parametrize(("cause", "cure"), [("begin_dat is no parameter", ""), ("", "wait")])
def test_what_is_said_alone_has_no_brackets(cause: str, cure: str) -> None:
    """In the log and in a message."""
    problem = Problem(ProblemKind.PARAMETER, cause, cure)

    assert str(problem) == problem.in_full == cause + cure


def test_an_entry_that_stands_for_no_account_is_named_whole() -> None:
    """Nothing else in its line tells it from others of the same platform."""
    entry = "weixin_platform/wx5a4d80c70b1e2f3a"
    refusal = errors.ConfigurationError(account=entry, cause="no account", cure="remove it")

    assert str(refusal.problem(None)) == f"{entry}: remove it (no account)"


def test_the_rid_is_the_first_to_go() -> None:
    """Then the cause is cut at the end of a word, while the cure is whole."""
    roomy = replace(REFUSED, cause="x" * 65)
    tight = replace(REFUSED, cause="the AppSecret is wrong: " + "invalid appsecret, " * 9)

    assert str(roomy).endswith(" · spring, errcode 40125")
    assert f"({'x' * 65})" in str(roomy)
    assert str(tight) == (
        "春风: correct the password (the AppSecret is wrong: invalid appsecret, invalid "
        "appsecret, invalid appsecret…) · 2026-11-17 to 2026-11-23 · spring, errcode 40125"
    )


def test_of_many_ranges_the_first_two_are_named() -> None:
    """And how many more days there are."""
    scattered = tuple(WEEK[0] + timedelta(days=2 * n) for n in range(9))

    assert " · 2026-11-17, 2026-11-19 and 7 more days · " in str(replace(REFUSED, days=scattered))


@given(
    TEXTS,
    TEXTS,
    TEXTS,
    st.integers(0, 50).map("c".__mul__),
    DAYS,
    st.integers(-(2**31), 2**31 - 1),
    TEXTS,
)
def test_no_line_is_longer_than_160(
    account: str, cause: str, cure: str, conn_id: str, days: tuple[date, ...], code: int, rid: str
) -> None:
    """Whatever the account is called and WeChat says."""
    problem = Problem(
        ProblemKind.CALL_REFUSED,
        cause,
        cure,
        account=account,
        appid="wx1" if conn_id else None,
        conn_id=conn_id,
        days=days,
        errcode=code,
        rid=rid,
    )

    assert len(str(problem)) <= 160


def cures() -> dict[str, errors.WeixinError]:
    """An error of each class and errcode, as it is met."""
    account = {"account": NAME, "connection": f"connection {CONN_ID}"}
    classes = [kind for kind in vars(errors).values() if _has_cure(kind)]
    codes = [
        from_errcode(code, "invalid ip 203.113.213.117", **account, dataset=dataset)
        for code in errors.WHAT_TO_CHANGE.keys() | errors.BY_CODE.keys()
        for dataset in DATASETS.values()
    ]
    return {
        f"{type(error).__name__}-{error.errcode}-{error.cure[:30]}": error
        for error in [*(kind() for kind in classes), *codes]
    }


def _has_cure(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, errors.WeixinError) and hasattr(kind, "cure")


@pytest.mark.parametrize("error", cures().values(), ids=cures())
def test_every_cure_fits(error: errors.WeixinError) -> None:
    """Or its first half, beside a long name, a long connection id, a week and an errcode."""
    account = Account(CONN_ID, "wx0123456789abcdef", "", NAME)

    line = str(replace(error.problem(account, *WEEK), errcode=error.errcode or 12345))

    assert line.startswith(f"{NAME}: {error.cure.partition(', or ')[0]}")
    assert len(line) <= 160


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

    shown = assess([], [ListedProblem(late, seen_at=met)], None, now=now, catch_up_days=60).open

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


def test_what_differs_in_days_and_rids_only_is_one_problem() -> None:
    """The days are joined and sorted, and one rid is kept; another cause is another line."""
    first = replace(REFUSED, days=WEEK[2:4], rid="1-a")
    second = replace(REFUSED, days=(*WEEK[:2], WEEK[2]), rid="2-b")
    other = replace(REFUSED, cause="the AppID is wrong")

    assert together([first, second, other]) == [
        replace(REFUSED, days=WEEK[:4], rid="1-a"),
        other,
    ]


def test_every_check_has_a_cure() -> None:
    """No statement of a checks.sql is left out for want of one."""
    from weixin_etl.warehouse import sql_directory

    named = {
        name
        for path in sorted(sql_directory().glob("*/checks.sql"))
        for name in re.findall(r"^-- (?:fail|warn): (\w+):", path.read_text(), re.MULTILINE)
    }
    found = [check for dataset in DATASETS.values() for check in checks(dataset)]

    assert len(named) > 5
    assert {check.name for check in found} == named
    assert all(re.match(r"\w.*\w", check.cure) for check in found)
