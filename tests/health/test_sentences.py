"""Sentences in English and Chinese: each has both, and is found again by its words."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

import weixin_etl
from weixin_etl.problem import ROWS, fill_places
from weixin_etl.sentences import CHINESE_CAUSES, REJECTIONS, in_chinese, rejection, sentence

PACKAGE = Path(weixin_etl.__file__).parent
NUMBERS = dict.fromkeys(["count", "size", "most", "status", "found", "total"], "1,200")
PLACES = {
    **NUMBERS,
    **{"field": "add_to_fav_count", "value": '"1\\u0000_1"', "characters": "U+0000"},
    **{"first": rejection("text", 29, field="share_user"), "names": "rows_2, c and 1 more"},
    "why": sentence(
        "{endpoint} has days from {begin} to yesterday in Beijing, {last}",
        endpoint="getarticletotal",
        begin="2014-12-01",
        last="2026-11-23",
    ),
    **dict.fromkeys(["begin", "end", "today", "last", "date"], "2026-11-20"),
    **{"ours": "2026-11-20 08:30:00", "theirs": "2026-11-20 09:30:00"},
    **dict.fromkeys(["connection", "reader", "loader", "role"], "weixin_default"),
    **{"endpoint": "getarticletotal", "variable": "weixin_accounts", "near": "accounts"},
    **{
        "name": "acounts",
        "error": "ProtocolError",
        "database": "weixin",
        "example": '["weixin_default"]',
    },
}
ENGLISH_LEFT = re.compile("[a-z]{3,}")
OURS = {word for value in PLACES.values() for word in ENGLISH_LEFT.findall(value)}


def constants() -> set[str]:
    """Return each text in the code of the package."""
    trees = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_each_sentence_of_the_table_is_said_somewhere() -> None:
    """Apart from `a, b and 9 more`, which `few_names` makes."""
    assert CHINESE_CAUSES.keys() - constants() == {"{names} and {count} more"}


def test_a_frame_that_the_table_lacks_is_an_error() -> None:
    """So that no sentence is raised that has no Chinese."""
    with pytest.raises(KeyError):
        sentence("the answer is blue")


@pytest.mark.parametrize("frame", CHINESE_CAUSES)
def test_a_cause_is_translated_with_all_that_is_in_its_places(frame: str) -> None:
    """No English word is left but those of names and of the wire."""
    english = sentence(frame, **PLACES)
    known = {*OURS, *ENGLISH_LEFT.findall(CHINESE_CAUSES[frame])}

    assert in_chinese(english) == CHINESE_CAUSES[frame].format(
        **PLACES | {name: in_chinese(PLACES[name]) for name in ("first", "why", "names")}
    )
    assert {*ENGLISH_LEFT.findall(in_chinese(english))} <= known


@pytest.mark.parametrize("code", REJECTIONS)
def test_a_reason_is_translated_with_all_that_is_in_its_places(code: str) -> None:
    """About one part and about 1,200."""
    reason = REJECTIONS[code]
    for number in [count for count, text in ((1, reason.singular), (1200, reason.plural)) if text]:
        places = {name: value for name, value in PLACES.items() if name != "count"}
        english = rejection(code, number, **places)
        chinese = in_chinese(english)

        assert {*ENGLISH_LEFT.findall(chinese)} <= OURS
        assert ("1,200" in chinese) == ("1,200" in english)
        assert chinese != english


def test_a_problems_texts_are_translated_with_what_is_in_their_places() -> None:
    """Cause, cure, and a cause with a detail that is quoted or ours."""
    for row in ROWS:
        named = "weixin_second", "invalid ip 203.0.113.7, not in whitelist", "weixin_article_total"
        assert in_chinese(fill_places(row.cure, *named)) == fill_places(row.cure_zh, *named)
        assert in_chinese(row.cause) == row.cause_zh
        if row.cause:
            assert in_chinese(f"{row.cause}: invalid ip 203.0.113.7") == (
                f"{row.cause_zh}：invalid ip 203.0.113.7"
            )
            assert in_chinese(f"{row.cause}: the answer is not JSON") == (
                f"{row.cause_zh}：应答不是 JSON"
            )


def test_a_cure_without_an_address_is_translated_too() -> None:
    """WeChat does not always name the address that it refused."""
    for row in ROWS:
        named = "weixin_second", "not in whitelist", "weixin_article_total"
        assert (
            in_chinese(fill_places(row.cure, *named)).split()
            == fill_places(row.cure_zh, *named).split()
        )


def test_one_english_sentence_has_one_chinese_sentence() -> None:
    """As it is found by its words."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in ROWS:
        found[row.cause].add(row.cause_zh)
        found[row.cure].add(row.cure_zh)

    assert {english: chinese for english, chinese in found.items() if len(chinese) > 1} == {}


def test_words_of_others_stay_as_they_are() -> None:
    """Those of WeChat, of Postgres, and of another release."""
    for text in ("api unauthorized rid: 1", "FATAL: no pg_hba.conf entry", "x is text; why?"):
        assert in_chinese(text) == text


def test_a_sentence_in_another_is_translated_too() -> None:
    """Whatever their number."""
    first = rejection("unknown_keys", first=rejection("rows_missing", field="details"), names="b")
    whole = rejection("further", 3, first=rejection("nothing_fits", 2, first=first))

    assert in_chinese(whole) == (
        "应答中没有一行合格；2 个被拒绝部分中的第一个：有一个条目缺少 details；该条目没有数据行；"
        "未知的键：b；另有 3 处不合格"
    )
