"""What is read of answers as WeChat writes them: articles, rows, unknown keys, repetitions."""

import json
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
from parse_cases import DAY, FETCHED_AT, NEXT_DAY, body, item, metrics, read, row

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse import parse

FIXTURES = Path(__file__).parents[1] / "fixtures/article_total"
each_way = pytest.mark.parametrize("keys", [{"x": 1}, {}], ids=["row by row", "decoded at once"])


def test_the_documentations_example_field_by_field() -> None:
    """Every key of the example has its column; the four metrics it lacks are None."""
    example = (FIXTURES / "official_example.json").read_bytes()

    parsed = parse(ARTICLE_TOTAL, example, date(2014, 12, 14), FETCHED_AT)

    ((msgid, article),) = parsed.articles.items()
    assert (msgid, article.title, article.message) == (
        *("202457380_1", "马航丢画记"),
        ("202457380", 1),
    )
    (shown,) = json.loads(example)["list"][0]["details"]
    absent = dict.fromkeys(metric.name for metric in ARTICLE_TOTAL.metrics)
    its_row = absent | shown | {"stat_date": date(2014, 12, 14)}
    assert msgspec.structs.asdict(article.rows[date(2014, 12, 14)]) == its_row
    assert len(shown) == 26
    assert (parsed.rejected, parsed.unknown_metrics) == ([], set())


def test_an_absent_metric_and_a_null_one_are_none() -> None:
    """Absent is NULL, never 0; a 0 that was said stays a 0."""
    parsed = read(body(item(row(share_user=None, share_count=0))))

    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_count": 0}}


@each_way
def test_a_row_beyond_the_window_is_a_row(keys: dict[str, int]) -> None:
    """How many rows an article gets is WeChat's to say; the last can be that of yesterday."""
    days = [DAY + timedelta(days=number) for number in range(9)]

    answer = body(item(*(row(str(day), share_user=5) for day in days), **keys))
    parsed = read(answer, datetime(2026, 11, 26, 0, 0, tzinfo=SHANGHAI))

    assert (list(parsed.articles["100_1"].rows), parsed.rejected) == (days, [])


@pytest.mark.parametrize(
    "named", [item(), item({}), item() | {"details": None}, {"msgid": "100_1"}]
)
def test_an_article_without_rows_is_kept(named: dict[str, Any]) -> None:
    """As one that WeChat has not counted yet; an empty object is no row; nothing is rejected."""
    named = {"ref_date": "2026-11-17", "title": "第一篇"} | named

    parsed = read(body(named, item({}, row(share_user=5), msgid="100_2")))

    assert (parsed.articles["100_1"].title, parsed.articles["100_1"].rows) == ("第一篇", {})
    assert metrics(parsed.articles["100_2"]) == {DAY: {"share_user": 5}}
    assert parsed.rejected == []


@pytest.mark.parametrize(("written", "expected"), [(True, True), ("true", True), ("false", False)])
def test_is_delay_is_wechats_word_that_figures_are_missing(
    written: bool | str, expected: bool
) -> None:
    """As a boolean and as a text."""
    parsed = read(body(item(row(share_user=5)), is_delay=written))

    assert parsed.is_delayed is expected
    assert metrics(parsed.articles["100_1"]) == {DAY: {"share_user": 5}}


@pytest.mark.parametrize(
    ("msgid", "message"),
    [
        ("2247483647_8", ("2247483647", 8)),
        ("a_b_12", ("a_b", 12)),
        *((it, (None, None)) for it in ("2247483647", "2247483647_0", "2247483647_x", "_1")),
    ],
)
def test_a_msgid_is_a_message_and_a_position(
    msgid: str, message: tuple[str | None, int | None]
) -> None:
    """`12003_3` is the third article of message 12003; another form is a msgid all the same."""
    assert read(body(item(msgid=msgid))).articles[msgid].message == message


# ------------------------------------------------------------------------------------ unknown keys


@each_way
def test_an_unknown_key_is_kept_where_it_stands(keys: dict[str, int]) -> None:
    """Whatever its type, unless it is null: a row's is named. Nobody documents `user_source`."""
    parsed = read(
        body(
            item(
                row(share_user=5, like_user=7, scenes=[{"user_count": 1}]),
                row("2026-11-18", share_user=6, seen_user=None),
                **{"title": "第一篇", "user_source": 0, "mood": None, **keys},
            ),
            total=1,
        )
    )

    article = parsed.articles["100_1"]
    assert article.row_extras == {DAY: {"like_user": 7, "scenes": [{"user_count": 1}]}}
    assert parsed.unknown_metrics == {"like_user", "scenes"}
    assert metrics(article) == {DAY: {"share_user": 5}, NEXT_DAY: {"share_user": 6}}
    assert (article.title, article.extra) == ("第一篇", {"user_source": 0} | keys)


def test_an_attribute_of_another_type_is_kept_in_extra() -> None:
    """Neither lost nor forced into its column, and the rows go on."""
    odd = {"title": 12, "publish_type": 70_000, "url": True, "content_url": []}

    article = read(body(item(row(share_user=5), **odd))).articles["100_1"]

    assert (article.extra, article.title, article.publish_type) == (odd, None, None)
    assert metrics(article) == {DAY: {"share_user": 5}}


# ------------------------------------------------------------------------------------ repetitions


def test_an_article_with_and_without_its_url_is_one_article() -> None:
    """Whichever comes first; a row both have is one row."""
    with_url = item(row(share_user=5), title="第一篇", url="http://a")
    without_url = item(row(share_user=5), title="第一篇")

    for items in ([with_url, without_url], [without_url, with_url]):
        parsed = read(body(*items))

        article = parsed.articles["100_1"]
        assert (article.title, article.url) == ("第一篇", "http://a")
        assert (metrics(article), parsed.row_count) == ({DAY: {"share_user": 5}}, 1)


def test_a_repeated_row_has_the_last_value_of_each_field() -> None:
    """A null takes no value away; unknown keys too; other days and articles stay apart."""
    parsed = read(
        body(
            item(
                row(share_user=5, share_count=8, target_user=100, like_user=1, seen_user=2),
                row(share_user=6, share_count=None),
                is_top=True,
                mood="a",
            ),
            item(row(share_user=7, like_user=3), row("2026-11-18", share_user=6), mood="b"),
            item(row(share_user=1), msgid="100_2"),
        )
    )

    article = parsed.articles["100_1"]
    assert metrics(article) == {
        DAY: {"share_user": 7, "share_count": 8, "target_user": 100},
        NEXT_DAY: {"share_user": 6},
    }
    assert article.row_extras == {DAY: {"like_user": 3, "seen_user": 2}}
    assert article.extra == {"is_top": True, "mood": "b"}
    assert metrics(parsed.articles["100_2"]) == {DAY: {"share_user": 1}}
    assert parsed.row_count == 3


# --------------------------------------------------------------------------- the answer as a whole

WHOLE = [row(f"2026-11-{day}", share_user=day) for day in range(17, 24)]


def test_what_an_answer_lists_is_told_by_one_hash() -> None:
    """Whatever their order and their rows; a part that is no article counts, and so does none."""
    parsed = read(body(item(row(share_user=5), msgid="100_2"), item(), 7))

    assert parsed.list_sha256 == sha256(b"100_1\x00100_2\x00?").digest()
    assert (len(parsed.articles), parsed.row_count) == (2, 1)
    assert read(body()).list_sha256 == sha256(b"").digest()


def test_an_answer_reaches_as_far_as_all_of_its_articles() -> None:
    """Not at all if one has no row, or there is none; one article is enough to have a day's row."""
    both = item(row(), row("2026-11-18")), item(row(), row("2026-11-19"), msgid="100_2")

    assert read(body(*both)).through_date == NEXT_DAY
    assert read(body(*both, item(msgid="100_3"))).through_date is None
    assert read(body()).through_date is None
    has_row = [read(body(*both)).has_row_of(date(2026, 11, day)) for day in (18, 19, 20)]
    assert has_row == [True, True, False]


@pytest.mark.parametrize(
    ("rows", "is_whole"),
    [
        (WHOLE[::-1], True),
        (WHOLE[:-1], False),
        (WHOLE[1:], False),
        ([*WHOLE[:3], *WHOLE[4:]], False),
        ([*WHOLE[:-1], row("2026-11-23", share_user=-1)], False),
        ([*WHOLE, row("2026-11-24")], False),
    ],
)
def test_an_answer_is_whole_when_each_article_has_all_rows_of_the_window(
    rows: list[dict[str, object]], is_whole: bool
) -> None:
    """And nothing of it is rejected. One that lists nothing is whole, an unreadable one is not."""
    assert read(body(item(*rows))).is_whole(DAY, 7) is is_whole
    assert read(body(item(*WHOLE), item(*rows, msgid="100_2"))).is_whole(DAY, 7) is is_whole
    assert read(body()).is_whole(DAY, 7)
    assert not read(b"<html>").is_whole(DAY, 7)


@pytest.mark.parametrize(
    ("item_rows", "nothing_fits"),
    [
        ([], False),
        ([row(share_user=-1)], True),
        ([row(share_user=-1), row("2026-11-18", share_user=0)], False),
        ([row(share_user=-1, next_user=1)], False),
        ([row()], False),
    ],
)
def test_nothing_fits_when_parts_are_rejected_and_no_row_gives_a_figure(
    item_rows: list[dict[str, object]], nothing_fits: bool
) -> None:
    """An unknown metric is a figure; an answer of which nothing is rejected fits."""
    assert read(body(item(*item_rows))).nothing_fits is nothing_fits
