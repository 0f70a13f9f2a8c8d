"""What does not fit is rejected with its reason, and the remaining rows are loaded."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from parse_cases import DAY, NEXT_DAY, body, body_with_metric, item, metrics, read, row

BIGINT = "a whole number from 0 to 9223372036854775807"


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (b'"3"', "'3'"),
        (b"true", "True"),
        (b"1.5", "1.5"),
        (b"-1", "-1"),
        (b"9223372036854775808", "9223372036854775808"),
        (b"1e400", "'1E+400'"),
        (b"-1e400", "'-1E+400'"),
        (b"NaN", "'nan'"),
        (b"[1]", "[1]"),
        (b'{"a": 1}', "{'a': 1}"),
    ],
)
def test_a_metric_that_is_no_whole_number_rejects_its_row(written: bytes, named: str) -> None:
    """The reason names metric and value; the other row of the article is loaded."""
    parsed = read(body_with_metric(written))

    (rejected,) = parsed.rejected
    assert rejected.reason == f"share_user {named} is not {BIGINT}"
    assert (rejected.msgid, rejected.stat_date) == ("100_1", "2026-11-17")
    assert metrics(parsed.articles["100_1"]) == {NEXT_DAY: {"share_user": 5}}


@pytest.mark.parametrize("digits", [400, 100_000])
def test_a_number_of_thousands_of_digits_rejects_its_row_only(digits: int) -> None:
    """Python refuses to read the longest ones; the answer's other rows are loaded all the same."""
    parsed = read(body_with_metric(b"7" * digits))

    (rejected,) = parsed.rejected
    assert rejected.reason.startswith("share_user ")
    assert rejected.reason.endswith(f"is not {BIGINT}")
    assert len(rejected.reason) < 150
    assert metrics(parsed.articles["100_1"]) == {NEXT_DAY: {"share_user": 5}}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"3.0", 3),
        (b"1e2", 100),
        (b"0", 0),
        (b"-0.0", 0),
        (b"9223372036854775807", 9223372036854775807),
    ],
)
def test_a_whole_number_is_one_however_it_is_written(written: bytes, value: int) -> None:
    """3.0 is 3, and the largest bigint fits."""
    parsed = read(body_with_metric(written))

    assert metrics(parsed.articles["100_1"]) == {
        DAY: {"share_user": value},
        NEXT_DAY: {"share_user": 5},
    }
    assert parsed.rejected == []


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        *((value, "an article that is not an object") for value in (None, 7, "100_1", [], True)),
        *(
            (item(row(share_user=4), msgid=msgid), f"msgid {msgid!r} is not a text")
            for msgid in (None, "", 100, ["100_1"], True)
        ),
        *(
            (item(row(), msgid="99_1", ref_date=day), f"ref_date {day!r} is not the day asked for")
            for day in ("2026-11-16", "2026-11-17 ", "", 20261117, None)
        ),
    ],
)
def test_an_article_that_does_not_fit_is_rejected(stranger: Any, reason: str) -> None:
    """With what stands in its place; the next one is loaded."""
    parsed = read(body(stranger, item(row(share_user=5))))

    (rejected,) = parsed.rejected
    assert rejected.reason == reason
    assert json.loads(rejected.payload) == stranger
    assert list(parsed.articles) == ["100_1"]
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize("details", [{}, "", 0, False])
def test_an_article_whose_rows_are_no_list_is_listed_without_any(details: Any) -> None:
    """WeChat has not deleted it: its rows are missing, and what stands in their place is kept."""
    stranger = item(msgid="99_1", details=details)

    parsed = read(body(stranger, item(row(share_user=5))))

    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.msgid) == ("details is not a list", "99_1")
    assert json.loads(rejected.payload) == stranger
    assert list(parsed.articles) == ["99_1", "100_1"]
    assert parsed.articles["99_1"].rows == {}
    assert parsed.articles_without_list == 0


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        *((value, "a row that is not an object") for value in (None, 7, "row", [], True)),
        *(
            (row(day, share_user=4), f"stat_date {day!r} is not a date")
            for day in ("2026-02-29", "2026-11-17T00:00:00", "20261117", "", 20261117, None, True)
        ),
    ],
)
def test_a_row_that_does_not_fit_is_rejected(stranger: Any, reason: str) -> None:
    """With its article's msgid and what stands in its place; the next row is loaded."""
    parsed = read(body(item(stranger, row(share_user=5))))

    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.msgid) == (reason, "100_1")
    assert json.loads(rejected.payload) == stranger
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize("digits", ["1E+400", "1E+99999999999999999999", "1e-99999999999999999999"])
def test_a_number_too_long_to_keep_is_no_msgid(digits: str) -> None:
    """It is written down as a text, but was none."""
    parsed = read(body(item(msgid="PLACE")).replace(b'"PLACE"', digits.encode()))

    (rejected,) = parsed.rejected
    assert rejected.reason == f"msgid '{digits}' is not a text"
    assert parsed.articles == {}


BEFORE = "is before the publication day"
LATER = "is later than 2026-11-23, the day before the answer"


@pytest.mark.parametrize("keys", [{"x": 1}, {}], ids=["taken apart", "as documented"])
@pytest.mark.parametrize(
    ("stat_date", "why"),
    [
        ("0001-01-01", BEFORE),
        ("2026-11-16", BEFORE),
        ("2026-11-24", LATER),
        ("9999-12-31", LATER),
    ],
)
@pytest.mark.parametrize("fetched_at", ["2026-11-24T00:00:00+08:00", "2026-11-24T15:59:59+00:00"])
def test_a_row_of_a_day_that_cannot_have_been_counted_is_rejected(
    stat_date: str, why: str, fetched_at: str, keys: dict[str, int]
) -> None:
    """Days are Beijing's: the answer's own day had not ended when it came."""
    parsed = read(
        body(item(row(stat_date, share_user=4), row("2026-11-23", share_user=5), **keys)),
        datetime.fromisoformat(fetched_at),
    )

    (rejected,) = parsed.rejected
    assert rejected.reason == f"stat_date {stat_date} {why}"
    assert (rejected.msgid, rejected.stat_date) == ("100_1", stat_date)
    assert metrics(parsed.articles["100_1"]) == {date(2026, 11, 23): {"share_user": 5}}


def test_an_article_keeps_nothing_of_its_rejected_row() -> None:
    """Not its unknown keys either: they are in the rejected row's payload."""
    parsed = read(body(item(row(share_user=-1, like_user=7))))

    assert parsed.articles["100_1"].row_extras == {}
    assert parsed.unknown_metrics == set()
    assert json.loads(parsed.rejected[0].payload)["like_user"] == 7
