"""Answers as the documentation shows them."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from parse_cases import DAY, FETCHED_AT, body, item, metrics, read, row

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse import parse

FIXTURES = Path(__file__).parents[1] / "fixtures/article_total"


def test_the_documentations_example_field_by_field() -> None:
    """Every key of the example has its column; the four metrics it lacks are None."""
    example = (FIXTURES / "official_example.json").read_bytes()

    parsed = parse(ARTICLE_TOTAL, example, date(2014, 12, 14), FETCHED_AT)

    assert list(parsed.articles) == ["202457380_1"]
    article = parsed.articles["202457380_1"]
    assert article.title == "马航丢画记"
    assert article.message == ("202457380", 1)
    assert list(article.rows) == [date(2014, 12, 14)]
    (shown,) = json.loads(example)["list"][0]["details"]
    absent = dict.fromkeys(metric.name for metric in ARTICLE_TOTAL.metrics)
    assert msgspec.structs.asdict(article.rows[date(2014, 12, 14)]) == {
        **absent,
        **shown,
        "stat_date": date(2014, 12, 14),
    }
    assert len(shown) == 26
    assert (parsed.rejected, parsed.unknown_metrics) == ([], set())


def test_an_absent_metric_and_a_null_one_are_none() -> None:
    """Absent is NULL, never 0; a 0 that was said stays a 0."""
    parsed = read(body(item(row(share_user=None, share_count=0))))

    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_count": 0}}
    known = parsed.articles["100_1"].rows[DAY]
    assert (known.share_user, known.target_user) == (None, None)


@pytest.mark.parametrize("keys", [{"x": 1}, {}], ids=["taken apart", "as documented"])
def test_a_row_beyond_the_window_is_a_row(keys: dict[str, int]) -> None:
    """How many rows an article gets is WeChat's to say; the last can be that of yesterday."""
    days = [DAY + timedelta(days=number) for number in range(9)]

    parsed = read(
        body(item(*(row(str(day), share_user=5) for day in days), **keys)),
        datetime(2026, 11, 26, 0, 0, tzinfo=SHANGHAI),
    )

    assert list(parsed.articles["100_1"].rows) == days
    assert parsed.rejected == []


@pytest.mark.parametrize("keys", [{}, {"details": None}], ids=["missing", "null"])
def test_an_article_without_its_list_of_rows_is_kept(keys: dict[str, None]) -> None:
    """As one that WeChat has not counted yet; nothing is rejected."""
    named = {"ref_date": "2026-11-17", "msgid": "99_1", "title": "第一篇"} | keys

    parsed = read(body(named, item(row(share_user=5))))

    assert parsed.articles["99_1"].title == "第一篇"
    assert parsed.articles["99_1"].rows == {}
    assert parsed.rejected == []
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


def test_an_empty_row_object_is_no_row() -> None:
    """The article and its other rows are kept; nothing is rejected."""
    parsed = read(body(item({}, row(share_user=5), {}), item({}, msgid="100_2")))

    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}
    assert parsed.articles["100_2"].rows == {}
    assert parsed.rejected == []


@pytest.mark.parametrize(
    ("written", "is_delayed"), [(True, True), ("true", True), (False, False), ("false", False)]
)
def test_is_delay_is_wechats_word_that_figures_are_missing(
    written: bool | str, is_delayed: bool
) -> None:
    """As a boolean and as a text."""
    parsed = read(body(item(row(share_user=5)), is_delay=written))

    assert parsed.is_delayed is is_delayed
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize(
    ("msgid", "message"),
    [
        ("2247483647_8", ("2247483647", 8)),
        ("a_b_12", ("a_b", 12)),
        ("2247483647", (None, None)),
        ("2247483647_0", (None, None)),
        ("2247483647_x", (None, None)),
        ("_1", (None, None)),
    ],
)
def test_a_msgid_is_a_message_and_a_position(
    msgid: str, message: tuple[str, int] | tuple[None, None]
) -> None:
    """`12003_3` is the third article of message 12003; another form is a msgid all the same."""
    parsed = read(body(item(msgid=msgid)))

    assert parsed.articles[msgid].message == message
