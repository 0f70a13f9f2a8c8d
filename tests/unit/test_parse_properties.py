"""What holds for every answer there can be."""

import contextlib
import json
from typing import Any

import pytest
from hostile_answers import ANY_JSON, DATES, DAY, answers, held_rows, no_deadline
from hypothesis import given
from hypothesis import strategies as st
from parse_cases import read

from weixin_etl import json_text
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.parse import BIGINT_MAX, SMALLINT_MAX, Parsed, UnreadableAnswerError, parse
from weixin_etl.parse import _parse_documented as parse_documented
from weixin_etl.parse import _TakeApart as TakeApart

both_datasets = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
NAMES = [metric.name for metric in ARTICLE_TOTAL.metrics]
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


@both_datasets
@no_deadline
@given(st.data())
def test_no_row_of_an_answer_is_lost(dataset: Dataset, data: st.DataObject) -> None:
    """Each is in an article, merged into a row of the same key, or rejected."""
    answer = data.draw(answers(dataset))

    parsed = parse(dataset, json.dumps(answer).encode(), DAY)

    rows = parsed.row_count + parsed.merged_rows + len(parsed.rejected)
    assert rows == held_rows(dataset, answer)


@both_datasets
@no_deadline
@given(st.data())
def test_what_is_read_can_be_stored(dataset: Dataset, data: st.DataObject) -> None:
    """Every text is UTF-8 without U+0000, and every extra is JSON."""
    parsed = parse(dataset, json.dumps(data.draw(answers(dataset))).encode(), DAY)

    kept = [
        (article.msgid, article.title, article.extra, list(article.row_extras.values()))
        for article in parsed.articles.values()
    ]
    text = json_text.encode(kept)
    json.loads(text, parse_constant=pytest.fail)
    payloads = "".join(rejected.payload for rejected in parsed.rejected)
    for stored in (text, payloads):
        assert b"\\u0000" not in stored.replace("\\\\", "").encode()
