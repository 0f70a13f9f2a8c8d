"""What does not fit is rejected with its reason, and the remaining values and rows are loaded."""

import json
from datetime import date, datetime
from typing import Any

import pytest
from parse_cases import DAY, NEXT_DAY, body, item, metrics, read, row

BIGINT = "a whole number from 0 to 9223372036854775807"


@pytest.mark.parametrize(
    ("written", "what"),
    [
        *((it, "a text") for it in (b'"3 "', b'"many"', b'"+3"', b'"1e2"', '"３"'.encode())),
        *((it, "a text") for it in (b'"9223372036854775808"', b'"' + b"7" * 100_000 + b'"')),
        *((it, "a text") for it in (b"1e400", b"NaN", b"7" * 100_000)),
        *((it, "a number") for it in (b"1.5", b"9223372036854775808", b"7" * 400)),
        (b"true", "a boolean"),
        (b"-1", "a negative number"),
        (b"[1]", "a list"),
        (b'{"a": 1}', "an object"),
    ],
    ids=lambda it: f"{it:.12}" if isinstance(it, str) else f"{it!r:.12}",
)
def test_a_metric_that_is_no_whole_number_is_rejected_alone(written: bytes, what: str) -> None:
    """The row keeps its other figures; the reason quotes nothing that WeChat wrote."""
    parsed = read(body(item(row(share_user="PLACE", share_count=4))).replace(b'"PLACE"', written))

    (rejected,) = parsed.rejected
    assert rejected.reason == f"share_user is {what}, not {BIGINT}"
    assert (rejected.msgid, rejected.stat_date) == ("100_1", DAY)
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_count": 4}}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (b"3.0", 3),
        (b"1e2", 100),
        (b"-0.0", 0),
        (b"9223372036854775807", 9223372036854775807),
        (b'"0012"', 12),
        (b'"9223372036854775807"', 9223372036854775807),
    ],
)
def test_a_whole_number_is_one_however_it_is_written(written: bytes, value: int) -> None:
    """3.0 is 3, digits in a text are a number, and the largest bigint fits."""
    answer = body(item(row(share_user="PLACE"), row("2026-11-18", share_user=5)))
    parsed = read(answer.replace(b'"PLACE"', written))

    found = {DAY: {"share_user": value}, NEXT_DAY: {"share_user": 5}}
    assert (metrics(parsed.articles["100_1"]), parsed.rejected) == (found, [])


NO_MSGID = "msgid is {}, not a text of 1 to 200 characters"
OTHER_DAY = "ref_date is not the day asked for"


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        *((it, "an item that is not an object") for it in (None, 7, "100_1", [], True)),
        *(
            (item(row(share_user=4), msgid=msgid), NO_MSGID.format(what))
            for msgid, what in (
                *((None, "missing"), (100, "a number"), (["100_1"], "a list")),
                *((True, "a boolean"), ("", "a text"), ("1" * 201, "a text")),
            )
        ),
        *(
            (item(row(), msgid="99_1", ref_date=day), OTHER_DAY)
            for day in ("17 Nov", 20261117, None, "2026-11-16")
        ),
    ],
)
def test_an_article_that_does_not_fit_is_rejected(stranger: Any, reason: str) -> None:
    """With what stands in its place; the next one is loaded."""
    parsed = read(body(stranger, item(row(share_user=5))))

    (rejected,) = parsed.rejected
    msgid = "99_1" if reason == OTHER_DAY else None
    assert (rejected.reason, rejected.msgid) == (reason, msgid)
    assert json.loads(rejected.payload) == stranger
    assert {it: metrics(its) for it, its in parsed.articles.items()} == {
        "100_1": {DAY: {"share_user": 5}}
    }


@pytest.mark.parametrize(
    ("details", "what"), [({}, "an object"), ("", "a text"), (0, "a number"), (False, "a boolean")]
)
def test_an_article_whose_rows_are_no_list_is_listed_without_any(details: Any, what: str) -> None:
    """WeChat has not deleted it: its rows are missing, and what stands in their place is kept."""
    stranger = item(msgid="99_1", details=details)

    parsed = read(body(stranger, item(row(share_user=5))))

    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.msgid) == (f"details is {what}, not a list", "99_1")
    assert json.loads(rejected.payload) == stranger
    assert list(parsed.articles) == ["99_1", "100_1"]
    assert parsed.articles["99_1"].rows == {}


@pytest.mark.parametrize(
    ("stranger", "reason"),
    [
        *((it, "a row that is not an object") for it in (None, 7, "row", [], True)),
        *(
            (row(day, share_user=4), f"stat_date is {what}, not a date")
            for day, what in (
                *((it, "a text") for it in ("2026-02-29", "2026-11-17T00:00:00", "20261117", "")),
                *((20261117, "a number"), (None, "missing"), (True, "a boolean")),
            )
        ),
    ],
)
def test_a_row_that_does_not_fit_is_rejected(stranger: Any, reason: str) -> None:
    """With its article's msgid and what stands in its place; the next row is loaded."""
    parsed = read(body(item(stranger, row(share_user=5))))

    (rejected,) = parsed.rejected
    assert (rejected.reason, rejected.msgid, rejected.stat_date) == (reason, "100_1", None)
    assert json.loads(rejected.payload) == stranger
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize("keys", [{"x": 1}, {}], ids=["row by row", "decoded at once"])
@pytest.mark.parametrize("stat_date", ["0001-01-01", "2026-11-16", "2026-11-24", "9999-12-31"])
@pytest.mark.parametrize("fetched_at", ["2026-11-24T00:00:00+08:00", "2026-11-24T15:59:59+00:00"])
def test_a_row_of_a_day_that_cannot_have_been_counted_is_rejected(
    stat_date: str, fetched_at: str, keys: dict[str, int]
) -> None:
    """Days are Beijing's: the answer's own day had not ended when it came."""
    answer = body(item(row(stat_date, share_user=4), row("2026-11-23", share_user=5), **keys))
    parsed = read(answer, datetime.fromisoformat(fetched_at))

    (rejected,) = parsed.rejected
    assert rejected.reason == "stat_date is no day that the answer can have a row of"
    assert (rejected.msgid, str(rejected.stat_date)) == ("100_1", stat_date)
    assert metrics(parsed.articles["100_1"]) == {date(2026, 11, 23): {"share_user": 5}}


# -------------------------------------------------------------------------------------- unreadable

DEEP = b"[" * 100_000 + b"]" * 100_000
OBJECTS = b'{"list": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}"
NO_JSON, NO_LIST = "the answer is not JSON", "the answer has no list"
TOO_DEEP = "the answer is nested too deeply"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        *((it, NO_JSON) for it in (b"", b" ", b"<html>", b'{"list": [', b'{"list": []} x')),
        *((it, NO_JSON) for it in (b"\xff\xfe", b'{"list": [1 2]}')),
        *((it, NO_LIST) for it in (b"[]", b"null", b"7", b'"list"', b"{}", b'{"list": null}')),
        (b'{"list": {}}', NO_LIST),
        *((it, TOO_DEEP) for it in (b"[" * 100_000, DEEP, OBJECTS)),
        (b'{"list": ["\x01", ' + DEEP + b"]}", TOO_DEEP),
    ],
    ids=lambda it: f"{it[:12]!r}",
)
def test_bytes_that_are_no_answer_are_unreadable_for_a_reason(answer: bytes, why: str) -> None:
    """Nothing is taken for an empty day that does not say so, and nothing crashes the worker."""
    assert read(answer).unreadable == why


def test_an_unknown_key_may_be_nested_to_the_hundredth_level() -> None:
    """Of an article and of a row, whose keys are on the first level."""

    def nested(levels: int) -> Any:
        return json.loads("[" * levels + "]" * levels)

    assert read(body(item(row(x=nested(99)), x=nested(99)))).row_count == 1
    for too_deep in (item(row(x=nested(100))), item(row(), x=nested(100))):
        assert read(body(too_deep)).unreadable == TOO_DEEP


def test_a_hundred_thousand_misfits_are_unreadable() -> None:
    """So many parts set aside one by one would fill the memory, and the warehouse."""
    assert len(read(b'{"list": [' + b"0, " * 99_999 + b"0]}").rejected) == 100_000

    assert read(b'{"list": [' + b"0, " * 100_000 + b"0]}").unreadable
