"""Check properties of the parser with any answer that Hypothesis can think of."""

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.hostile_answers import DAY, answers, no_deadline, written

from weixin_etl import json_text
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.parse import ParsedAnswer, parse

both_datasets = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
FETCHED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=SHANGHAI)
MARK = "unknown to us"


def marked(part: Any, keys: list[str]) -> Any:
    """Return the answer with an unknown key in each object under the keys."""
    if not keys:
        return part | {MARK: 1} if isinstance(part, dict) and part != {} else part
    inner = part.get(keys[0]) if isinstance(part, dict) else None
    if not isinstance(inner, list):
        return part
    return part | {keys[0]: [marked(entry, keys[1:]) for entry in inner]}


def without_mark(parsed: ParsedAnswer) -> Any:
    """Return what was read, without the unknown key."""
    articles = json.loads(json_text.encode([*parsed.articles.values()]))
    for article in articles:
        for extra in (article["extra"], *article["row_extras"].values()):
            extra.pop(MARK, None)
        article["row_extras"] = {
            day: extras for day, extras in article["row_extras"].items() if extras
        }
    rejected = [(part.msgid, part.stat_date, part.reason) for part in parsed.rejected]
    return articles, rejected, parsed.unreadable, parsed.is_delayed, parsed.list_sha256


@both_datasets
@no_deadline
@given(st.data())
def test_unknown_keys_do_not_change_what_else_is_read(
    dataset: Dataset, data: st.DataObject
) -> None:
    """A documented answer is decoded by type; any other is read row by row or value by value."""
    answer = data.draw(answers(dataset))
    known, in_items, in_rows = (
        without_mark(parse(dataset, with_odd_bytes(body), DAY, FETCHED_AT))
        for body in (answer, marked(answer, ["list"]), marked(answer, ["list", dataset.rows_key]))
    )

    assert known == in_items == in_rows


def with_odd_bytes(answer: Any) -> bytes:
    """Return the answer as JSON with bytes that are no UTF-8, and with raw control characters."""
    return written(answer).replace(b"\\u00ff", b"\xff").replace(b"\\u0001", b"\x01")


@both_datasets
@no_deadline
@given(st.sampled_from(["answer", "item", "row", "figure"]), st.integers(1, 2000), st.booleans())
def test_any_depth_is_read_or_unreadable(
    dataset: Dataset, where: str, depth: int, is_list: bool
) -> None:
    """Nesting deeper than Python or Postgres can take makes the answer unreadable."""
    row: dict[str, Any] = {"stat_date": str(DAY)}
    item = {"ref_date": str(DAY), "msgid": "1_1", dataset.rows_key: [row]}
    answer: dict[str, Any] = {"list": [item]}
    place = {"answer": answer, "item": item, "row": row, "figure": row}[where]
    place["x" if where != "figure" else dataset.metrics[-1].name] = "DEEP"
    begin, end = (b"[", b"]") if is_list else (b'{"a":', b"}")
    deep = begin * depth + b"1" + end * depth

    parsed = parse(dataset, json.dumps(answer).encode().replace(b'"DEEP"', deep), DAY, FETCHED_AT)

    assert depth > 90 if parsed.unreadable else depth <= 100 or where == "answer"
