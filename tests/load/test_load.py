"""Check what a load writes beside the figures and their history, which test_any_way.py checks."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import Engine
from support import execute, rows
from support.warehouse_loads import (
    ACCOUNT,
    DAY,
    article,
    at,
    body,
    coverage,
    facts,
    load_chunk,
    refused,
    staged,
)
from world.expected_tables import kept

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL
from weixin_etl.load import StagedAnswer
from weixin_etl.model import Counts
from weixin_etl.problem import ProblemKind, WeixinError

pytestmark = [pytest.mark.every_postgres, pytest.mark.usefixtures("now")]
LARGEST = 2**63 - 1
DESCRIBED = {
    "title": "头条",
    "url": "http://mp.weixin.qq.com/s?a=1",
    "content_url": "http://mp.weixin.qq.com/s?b=2",
    "publish_type": 1,
}
FIRST = body(
    article(
        "2247483647_1",
        {"20": {"share_count": 1}, "21": {"share_count": LARGEST}},
        like_num=7,
        **DESCRIBED,
    ),
    article("2247483647_2", {"20": {"share_user": 4}}),
)
UNLISTED = """
    SELECT cast(unlisted_since->>'article_total' AS timestamptz) FROM weixin.dim_article
    WHERE msgid = '2_1'
"""
FIGURES = "msgid, to_char(stat_date, 'DD'), share_count, share_user"


def test_an_articles_attributes_and_rows_are_stored(warehouse: Engine) -> None:
    """An attribute without a column is stored in `extra`; the largest bigint is exact."""
    counts = load_chunk(warehouse, staged(FIRST, "22 08:30"))

    assert facts(warehouse, f"{FIGURES}, publication_date, fetched_at") == [
        ("2247483647_1", "20", 1, None, DAY, at("22 08:30")),
        ("2247483647_1", "21", LARGEST, None, DAY, at("22 08:30")),
        ("2247483647_2", "20", None, 4, DAY, at("22 08:30")),
    ]
    assert counts == Counts(calls=1, inserted=3)
    assert coverage(warehouse, "to_char(through_date, 'DD'), row_count") == [("20", 3)]
    described = (
        "SELECT to_jsonb(article) - 'first_seen_at' FROM weixin.dim_article AS article "
        "ORDER BY msgid"
    )
    ((first,), (second,)) = rows(warehouse, described)
    assert first == DESCRIBED | {
        "appid": ACCOUNT.appid,
        "msgid": "2247483647_1",
        "message_id": "2247483647",
        "position": 1,
        "publication_date": str(DAY),
        "extra": {"like_num": 7},
        "unlisted_since": {"article_total": None},
    }
    assert (second["position"], second["title"], second["extra"]) == (2, None, None)


def test_a_row_names_the_answer_and_the_time_of_its_last_change(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row that it replaced is kept with its own answer and time (0025)."""
    load_chunk(warehouse, staged(FIRST, "22 08:30"))
    changed = body(article("2247483647_1", {"20": {"share_count": 0}, "21": {}, "22": {}}))
    monkeypatch.setenv("WEIXIN_NOW", at("25 08:30").isoformat())

    counts = load_chunk(warehouse, staged(changed, "23 08:30"))

    new, old = (at("23 08:30"), at("25 08:30"), 2), (at("22 08:30"), at("24 10:30"), 1)
    assert facts(warehouse, f"{FIGURES}, fetched_at, changed_at, raw_response_id") == [
        ("2247483647_1", "20", 0, None, *new),
        ("2247483647_1", "21", LARGEST, None, *old),
        ("2247483647_1", "22", None, None, *new),
        ("2247483647_2", "20", None, 4, *old),
    ]
    of_row = "item, cause, changed_at, replaced_at, row->'share_count', row->'raw_response_id'"
    assert rows(warehouse, f"SELECT {of_row} FROM weixin.fact_history") == [
        ("2247483647_1", "wechat", at("24 10:30"), at("25 08:30"), 1, 1)
    ]
    assert counts == Counts(calls=1, inserted=1, updated=1, unchanged=1)


@pytest.mark.parametrize("damage", ["DELETE FROM {}", "UPDATE {} SET share_count = 9"])
def test_a_refetch_repairs_the_fact(warehouse: Engine, damage: str) -> None:
    """The same answer restores rows that were deleted or changed by hand."""
    answer = body(article("1_1", {"20": {"share_count": 1}}))
    load_chunk(warehouse, staged(answer, "22 08:30"))
    execute(warehouse, damage.format("weixin.fact_article_total"))

    load_chunk(warehouse, staged(answer, "22 11:00"), run_id="again", refetch=True)

    assert facts(warehouse, "share_count") == [(1,)]


def test_every_distinct_answer_is_kept(warehouse: Engine) -> None:
    """An answer identical to the newest one only moves its times."""
    first = '{ "list" : [ ] ,\n "备注":"\x01\\u0000" }'.encode()
    other = body(article("1_1", {"20": {"share_count": 2}}))
    fetched = ["22 08:30", "22 09:00", "22 09:30", "22 10:30"]
    for answer, fetched_at in zip((first, first, other, first), fetched, strict=True):
        load_chunk(warehouse, staged(answer, fetched_at))

    seen = zip((first, other, first), map(at, fetched[1:]), strict=True)
    assert [(answer.body, answer.at) for answer in kept(warehouse)] == [*seen]
    assert coverage(warehouse, "fetched_at, attempted_at") == [(at(fetched[-1]),) * 2]


def test_an_out_of_order_answer_gives_only_figures_that_newer_answers_lack(
    warehouse: Engine,
) -> None:
    """
    Figures of newer answers stand (0019).

    The newest attempt is unchanged. A changed figure is recorded as changed by kept answers.
    """
    newest = body(article("1_1", {"20": {"share_count": 2}}))
    late = body(
        article("1_1", {"20": {"share_count": 1, "share_user": 4}, "21": {"share_user": 5}}),
        article("2_1", {}),
    )
    load_chunk(warehouse, staged(newest, "22 11:00"))

    counts = load_chunk(warehouse, staged(late, "22 10:30"), run_id="late")

    assert facts(warehouse, f"{FIGURES}, fetched_at") == [
        ("1_1", "20", 2, 4, at("22 11:00")),
        ("1_1", "21", None, 5, at("22 10:30")),
    ]
    assert counts == Counts(calls=1, inserted=1, updated=1)
    replaced = "SELECT cause, row->'share_count', row->'share_user' FROM weixin.fact_history"
    assert rows(warehouse, replaced) == [("replay", 2, None)]
    assert rows(warehouse, UNLISTED) == [(at("22 11:00"),)]
    attempt = "fetched_at, attempted_at, ready_at, article_count, row_count"
    assert coverage(warehouse, attempt) == [(*[at("22 11:00")] * 3, 2, 1)]


def test_an_out_of_order_answer_is_kept_unless_it_is_kept_already(warehouse: Engine) -> None:
    """The same bytes, fetched before they were first seen, are a second kept answer."""
    answer, attempts = body(article("1_1", {})), ["22 09:00", "22 10:30", "22 08:30", "22 09:30"]
    for number, fetched in enumerate(attempts):
        load_chunk(warehouse, staged(answer, fetched), run_id=str(number))

    assert [(answer.first_at, answer.at) for answer in kept(warehouse)] == [
        (at("22 09:00"), at("22 10:30")),
        (at("22 08:30"), at("22 08:30")),
    ]
    first_seen = "SELECT first_seen_at FROM weixin.dim_article"
    assert rows(warehouse, first_seen) == [(at("22 08:30"),)]


def test_an_out_of_order_answer_is_loaded_if_newer_ones_are_unreadable(warehouse: Engine) -> None:
    """Coverage counts its rows, its rejected parts are open, the newest attempt is unchanged."""
    late = body(article("1_1", {"20": {"share_count": 1}, "21": {"share_count": -1}}))
    load_chunk(warehouse, staged(b"{}", "22 11:00"))

    counts = load_chunk(warehouse, staged(late, "22 10:30"), run_id="late")

    assert counts == Counts(calls=1, inserted=2, rejected=1)
    columns = "fetched_at, ready_at, row_count, attempted_at, error_kind"
    found = (*[at("22 10:30")] * 2, 2, at("22 11:00"), "unreadable")
    assert coverage(warehouse, columns) == [found]
    is_open = "SELECT count(*) FROM weixin.rejected_row WHERE resolved_at IS NULL"
    assert rows(warehouse, is_open) == [(1,)]


@pytest.mark.parametrize("clock", [("24 10:30", "24 10:30"), ("24 10:30", "24 09:00")])
def test_a_clock_that_stands_still_or_goes_back_hides_no_row(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, clock: tuple[str, str]
) -> None:
    """The row is found at most once as of any instant, in the end with its newest value (0025)."""
    for count, now in enumerate(clock, start=1):
        monkeypatch.setenv("WEIXIN_NOW", at(now).isoformat())
        answered = body(article("1_1", {"20": {"share_count": count}}))
        load_chunk(warehouse, staged(answered, f"2{count} 10:30"), run_id=now)
    asked = "SELECT share_count FROM analytics.article_total_as_of(:instant)"
    hours = [at(f"24 {hour:02}:{minute}") for hour in range(8, 12) for minute in ("00", "30")]
    found = [rows(warehouse, asked, instant=instant) for instant in hours]

    assert max(map(len, found)) == 1
    assert found[-1] == [(2,)]


def test_an_answer_once_unreadable_is_loaded_when_the_parser_can_read_it(warehouse: Engine) -> None:
    """WeChat gives the same bytes again."""
    answer = staged(body(article("1_1", {"20": {"share_count": 2}})), "22 09:30")
    unreadable = replace(answer.evidence, error_kind="unreadable")
    error = WeixinError(ProblemKind.UNREADABLE)
    load_chunk(warehouse, replace(answer, articles={}, rows={}, error=error, evidence=unreadable))

    load_chunk(warehouse, answer)

    assert facts(warehouse, "share_count") == [(2,)]


def test_rows_that_an_earlier_parser_left_out_are_loaded(warehouse: Engine) -> None:
    """WeChat gives the same bytes again."""
    answer = staged(body(article("1_1", {"20": {}, "21": {"share_count": 2}})), "22 09:30")
    load_chunk(warehouse, replace(answer, rows=answer.rows[:1], row_count=1))

    load_chunk(warehouse, answer)

    assert facts(warehouse, FIGURES) == [("1_1", "20", None, None), ("1_1", "21", 2, None)]


def test_an_article_is_unlisted_again_after_an_answer_that_was_not_ready(warehouse: Engine) -> None:
    """The delayed answer lists the article; the ready ones before and after it do not."""
    first_alone, both = body(article("1_1", {})), [article("1_1", {}), article("2_1", {})]
    found = []
    for answer, fetched in [
        (body(*both), "22 10:30"),
        (first_alone, "23 10:30"),
        (body(*both, is_delay=True), "24 08:30"),
        (first_alone, "24 10:30"),
    ]:
        load_chunk(warehouse, staged(answer, fetched))
        found += rows(warehouse, UNLISTED)

    assert found == [(None,), (at("23 10:30"),), (None,), (at("24 10:30"),)]


def test_a_row_missing_in_the_later_days_answers_comes_from_the_earlier_day(
    warehouse: Engine,
) -> None:
    """The article is listed by both days and belongs to the later one."""
    next_day = DAY + timedelta(days=1)
    later = body(article("1_1", {"21": {"share_count": 5}}), day=next_day)
    first, newer = (body(article("1_1", {"20": {"share_count": count}})) for count in (1, 2))
    load_chunk(warehouse, staged(first, "22 10:30"))
    load_chunk(warehouse, staged(later, "22 10:30", next_day))

    load_chunk(warehouse, staged(newer, "23 10:30"))

    assert facts(warehouse, f"{FIGURES}, publication_date") == [
        ("1_1", "20", 2, None, next_day),
        ("1_1", "21", 5, None, next_day),
    ]


ODD_ROW = {"stat_date": "2026-11-21", "share_count": -1}
NO_DAY = {"stat_date": "2026-11-31"}
PARTLY = body({"msgid": "1_1", "details": [ODD_ROW, NO_DAY, {"stat_date": "2026-11-20"}]})


def test_a_rejected_part_is_kept_with_its_reason(warehouse: Engine) -> None:
    """
    Its article, day, metric and answer are kept where they are known.

    The rest of the answer is loaded.
    """
    counts = load_chunk(warehouse, staged(PARTLY, "22 08:30"))

    found = rows(
        warehouse,
        "SELECT dataset, appid, day, msgid, to_char(stat_date, 'DD'), payload::jsonb, "
        "raw_response_id, rejected_at, code, field "
        "FROM weixin.rejected_row ORDER BY stat_date",
    )
    of_answer, at_once = ("article_total", "wx1", DAY, "1_1"), (1, at("24 10:30"))
    assert found == [
        (*of_answer, "21", -1, *at_once, "negative", "share_count"),
        (*of_answer, None, NO_DAY, *at_once, "row_without_date", "stat_date"),
    ]
    assert counts == Counts(calls=1, inserted=2, rejected=2)


@pytest.mark.parametrize(
    ("bad", "kind", "code", "still_open"),
    [
        (refused(WeixinError(ProblemKind.CONFIGURATION, code="40164")), "configuration", 40164, 2),
        (staged(b"{}", "24 10:30"), "unreadable", None, 2),
        (staged(body(article("", {"20": {}})), "24 10:30"), "unreadable", None, 0),
    ],
    ids=["refused", "unreadable", "all rejected"],
)
def test_a_failed_attempt_changes_no_figures(
    warehouse: Engine, bad: StagedAnswer, kind: str, code: int | None, still_open: int
) -> None:
    """
    Only the attempt changes, and an answer's bytes are kept.

    The next ready answer clears the error. A rejected part stays open until an answer that can be
    read does not have it.
    """
    data, attempt = "fetched_at, ready_at, article_count", "attempted_at, error_kind, error_code"
    load_chunk(warehouse, staged(PARTLY, "24 08:30"))
    before = coverage(warehouse, data)

    load_chunk(warehouse, bad, run_id="later")

    assert coverage(warehouse, data) == before
    assert coverage(warehouse, attempt) == [(at("24 10:30"), kind, code)]
    assert len(kept(warehouse)) == 1 + bad.is_answer
    is_open = "SELECT 1 FROM weixin.rejected_row WHERE resolved_at IS NULL AND msgid = '1_1'"
    assert len(rows(warehouse, is_open)) == still_open

    load_chunk(warehouse, staged(FIRST, "24 11:00"))
    assert coverage(warehouse, attempt) == [(at("24 11:00"), None, None)]
    assert rows(warehouse, is_open) == []


def test_a_replaced_title_is_kept_with_the_time_of_its_end(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either endpoint may give it. The same title, or no title, changes nothing."""
    for title, fetched, dataset in [
        ("一", "22 08:31", ARTICLE_TOTAL),
        ("二", "23 08:31", ARTICLE_TOTAL_DETAIL),
        ("二", "23 09:31", ARTICLE_TOTAL),
        (None, "23 10:31", ARTICLE_TOTAL),
        ("一", "24 08:31", ARTICLE_TOTAL),
    ]:
        monkeypatch.setenv("WEIXIN_NOW", at(fetched).isoformat())
        answer = body(article("1_1", {}, title=title), rows_key=dataset.rows_key)
        load_chunk(warehouse, staged(answer, fetched, dataset=dataset), dataset=dataset)

    replaced = "SELECT title, replaced_at FROM weixin.dim_article_title_history ORDER BY 2"
    assert rows(warehouse, replaced) == [("一", at("23 08:31")), ("二", at("24 08:31"))]
    assert rows(warehouse, "SELECT title FROM weixin.dim_article") == [("一",)]


TEXTS = yaml.safe_load(Path(__file__).with_name("texts.yaml").read_text())


def test_texts_are_kept_as_written(warehouse: Engine) -> None:
    """The texts are used as msgid, title, and name and value of an unknown metric."""
    items = [
        article(text, {"20": {"share_count": 1, f"new {text}": [text]}}, title=text, tag=text)
        for text in TEXTS
    ]
    items += [article("empty", {}, title=""), article("none", {})]
    load_chunk(warehouse, staged(body(*items), "22 08:30"))

    again = body(*items).replace(b'"share_count": 1', b'"share_count": 3')
    counts = load_chunk(warehouse, staged(again, "22 11:00"))

    found = {msgid: columns for msgid, *columns in facts(warehouse, "msgid, share_count, extra")}
    assert found == {text: [3, {f"new {text}": [text]}] for text in TEXTS}
    assert counts == Counts(calls=1, updated=len(TEXTS))
    described = rows(warehouse, "SELECT msgid, title, extra FROM weixin.dim_article")
    expected = [(text, text, {"tag": text}) for text in TEXTS]
    assert {*map(repr, described)} == {
        *map(repr, [*expected, ("empty", "", None), ("none", None, None)])
    }


READERS = "int_page_read_user"


def readers_of(*totals: int) -> bytes:
    """Return an answer for an article with these totals of readers, from the 20th on."""
    days = {str(20 + number): {READERS: total} for number, total in enumerate(totals)}
    return body(article("100_1", days))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        # lower than in the row before it, of the same answer
        ([[5, 9, 3]], ["23 10:30", "100_1 2026-11-22 int_page_read_user: 9 → 3"]),
        # lower than what is stored of the same row
        ([[5, 9], [5, 8, 9]], ["24 10:30", "100_1 2026-11-21 int_page_read_user: 9 → 8"]),
        # the larger one, and how many more
        ([[5, 9], [1, 8, 9]], ["24 10:30", "100_1 2026-11-20 int_page_read_user: 5 → 1 (+1)"]),
        # a fall is told when it comes, not each morning that it stays
        ([[5, 9, 3], [5, 9, 3, 4]], ["23 10:30", "100_1 2026-11-22 int_page_read_user: 9 → 3"]),
        # a row before it that rises makes the next one lower as well
        ([[5, 6, 7], [5, 9, 7]], ["24 10:30", "100_1 2026-11-22 int_page_read_user: 9 → 7"]),
        ([[5, 9], [5, 9, 12]], [None, None]),
    ],
)
def test_a_total_that_fell_is_stored_and_described_in_coverage(
    warehouse: Engine,
    answers: list[list[int]],
    expected: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Coverage names the article, day, metric and both values, in the load's transaction."""
    for number, totals in enumerate(answers):
        monkeypatch.setenv("WEIXIN_NOW", at(f"{23 + number} 10:31").isoformat())
        load_chunk(warehouse, staged(readers_of(*totals), f"{23 + number} 10:30"))

    columns = "to_char(fell_at AT TIME ZONE 'Asia/Shanghai', 'DD HH24:MI'), fall"
    assert coverage(warehouse, columns) == [tuple(expected)]
    assert [total for (total,) in facts(warehouse, READERS)] == answers[-1]


def test_a_metric_that_may_fall_is_not_reported(warehouse: Engine) -> None:
    """Likes can be withdrawn, readers can move between sources, a target is no running total."""
    first, second = (
        body(
            article(
                "100_1", {"20": {"target_user": n, "int_page_from_feed_read_user": n, READERS: 5}}
            )
        )
        for n in (9, 3)
    )
    detail = [
        body(article("100_1", {"20": {"like_user": n, "read_user": 5}}), rows_key="detail_list")
        for n in (9, 3)
    ]
    for dataset, answers in ((ARTICLE_TOTAL, (first, second)), (ARTICLE_TOTAL_DETAIL, detail)):
        for number, answer in enumerate(answers):
            slice_answer = staged(answer, f"{23 + number} 10:30", dataset=dataset)
            load_chunk(warehouse, slice_answer, dataset=dataset)

    assert coverage(warehouse, "fell_at") == [(None,), (None,)]


def test_articles_without_figures_are_given_up_until_they_have_some(warehouse: Engine) -> None:
    """Two answers must agree, both that there are none and on the later figures."""
    for fetched in ("27 10:30", "29 10:30"):
        load_chunk(warehouse, staged(body(article("100_1", {})), fetched))
    assert coverage(warehouse, "settled, error_kind") == [("given_up", "no_figures")]

    found = []
    for fetched in ("29 12:30", "30 10:30"):
        load_chunk(warehouse, staged(readers_of(*range(7)), fetched))
        found += coverage(warehouse, "settled, error_kind")

    assert found == [(None, None), ("final", None)]


@pytest.mark.parametrize(
    "last_totals",
    [(2500, 3, 3), (3, 10, 10), (None, 2500, 2500)],
    ids=["it fell", "it stays lower than the day before", "it came late"],
)
def test_a_day_is_final_only_after_its_last_total_was_seen_twice(
    warehouse: Engine, last_totals: tuple[int | None]
) -> None:
    """The window of the 20th ends on the 26th: its last row is there on the 27th."""
    before, found = [10, 20, 30, 40, 50, 2400], []
    for fetched, last in zip(("27 08:30", "28 08:30", "29 08:30"), last_totals, strict=True):
        totals = before if last is None else [*before, last]
        load_chunk(warehouse, staged(readers_of(*totals), fetched))
        found += coverage(warehouse, "settled")

    assert found == [(None,), (None,), ("final",)]
