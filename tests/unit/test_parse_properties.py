"""What holds for every answer there can be."""

import contextlib
import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parse_cases import DAY, read

from weixin_etl import json_text
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse import BIGINT_MAX, SMALLINT_MAX, Parsed, UnreadableAnswerError
from weixin_etl.parse import _parse_documented as parse_documented
from weixin_etl.parse import _TakeApart as TakeApart

no_deadline = settings(deadline=None)
"""A slow machine is no fault of an answer."""

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
"""Lone surrogates and U+0000 included."""
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=20
)
NAMES = [metric.name for metric in ARTICLE_TOTAL.metrics]
METRICS = st.sampled_from(NAMES)
DATES = st.dates(DAY, DAY + timedelta(days=3)).map(date.isoformat)


def often(*good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what fits, sometimes anything."""
    return st.one_of(*good, *good, ANY_JSON)


ROWS = st.dictionaries(
    METRICS | ANY_TEXT, often(st.integers(0, 9), st.just(3.0)), max_size=4
).flatmap(lambda row: st.builds(lambda day: row | {"stat_date": day}, often(DATES)))
ITEMS = st.fixed_dictionaries(
    {
        "ref_date": often(st.just(DAY.isoformat())),
        "msgid": often(st.sampled_from(["1_1", "1_2", "1\0_1"])),
        "details": often(st.lists(often(ROWS), max_size=4)),
    },
    optional={"title": often(ANY_TEXT), "user_source": often(st.integers(0, 1)), "x": ANY_JSON},
)
ANSWERS = st.fixed_dictionaries(
    {"list": st.lists(often(ITEMS), max_size=5)}, optional={"is_delay": ANY_JSON, "y": ANY_JSON}
)

WHOLE = st.none() | st.integers(0, BIGINT_MAX)
TITLES = st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"))
DOCUMENTED_ROWS = st.lists(
    st.fixed_dictionaries({"stat_date": DATES}, optional=dict.fromkeys(NAMES, WHOLE)),
    unique_by=lambda row: row["stat_date"],
)
DOCUMENTED = st.fixed_dictionaries(
    {
        "list": st.lists(
            st.fixed_dictionaries(
                {
                    "ref_date": st.just(DAY.isoformat()),
                    "msgid": st.from_regex(r"[1-9][0-9]{0,9}_[1-8]", fullmatch=True),
                    "details": DOCUMENTED_ROWS,
                },
                optional={
                    "title": TITLES,
                    "url": TITLES,
                    "content_url": TITLES,
                    "publish_type": st.none() | st.integers(0, SMALLINT_MAX),
                    "user_source": WHOLE,
                },
            ),
            unique_by=lambda item: item["msgid"],
            max_size=4,
        )
    },
    optional={"is_delay": st.booleans()},
)


@no_deadline
@given(DOCUMENTED, st.booleans())
def test_the_fast_path_and_the_slow_one_agree(answer: Any, is_ascii: bool) -> None:
    """Of any answer as documented both make the same."""
    body = json.dumps(answer, ensure_ascii=is_ascii).encode()

    fast = parse_documented(ARTICLE_TOTAL, body, DAY)
    slow = TakeApart(ARTICLE_TOTAL, DAY).answer(json_text.decode(body))

    assert fast is not None
    assert fast == slow


@no_deadline
@given(ANY_JSON)
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    """No other exception leaves `parse`, whatever the answer is."""
    try:
        read(json.dumps(value).encode())
    except UnreadableAnswerError:
        assert not (isinstance(value, dict) and isinstance(value.get("list"), list))


@no_deadline
@given(st.binary())
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    """The same for bytes that need not be JSON."""
    with contextlib.suppress(UnreadableAnswerError):
        assert isinstance(read(body), Parsed)


@no_deadline
@given(ANSWERS)
def test_no_row_of_an_answer_is_lost(answer: Any) -> None:
    """Each is in an article, merged into a row of the same key, or rejected."""
    parsed = read(json.dumps(answer).encode())

    held = sum(
        len(item["details"]) if fits(item) else 1  # rejected as a whole
        for item in answer["list"]
    )
    assert parsed.row_count + parsed.merged_rows + len(parsed.rejected) == held


@no_deadline
@given(ANSWERS)
def test_what_is_read_can_be_stored(answer: Any) -> None:
    """Every text is UTF-8 without U+0000, and every extra is JSON."""
    parsed = read(json.dumps(answer).encode())

    kept = [
        (article.msgid, article.title, article.extra, list(article.row_extras.values()))
        for article in parsed.articles.values()
    ]
    text = json_text.encode(kept)
    json.loads(text, parse_constant=pytest.fail)
    payloads = "".join(rejected.payload for rejected in parsed.rejected)
    for stored in (text, payloads):
        assert b"\\u0000" not in stored.replace("\\\\", "").encode()


def fits(item: Any) -> bool:
    """Whether an article's rows are judged one by one."""
    return (
        isinstance(item, dict)
        and item.get("ref_date") == DAY.isoformat()
        and isinstance(item.get("msgid"), str)
        and item["msgid"].replace("\0", "") != ""
        and isinstance(item.get("details"), list)
    )
