"""What holds for every answer there can be."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hostile_answers import ANY_JSON, DAY, answers, no_deadline, written
from hypothesis import given
from hypothesis import strategies as st
from parse_cases import FETCHED_AT, read

from weixin_etl import json_text
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset, Kind
from weixin_etl.parse import Parsed, parse

both_datasets = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
DETAIL = ARTICLE_DATASETS["article_total_detail"]
NEXT_DAY = DAY + timedelta(days=1)
MARK = "unknown to us"


def marked(dataset: Dataset, answer: dict[str, Any], *, rows: bool) -> dict[str, Any]:
    """The answer with an unknown key in each of its articles, or in each of their rows."""
    marks = {MARK: 1}
    if not rows:
        return answer | {"list": [it | marks if _is(it) else it for it in answer["list"]]}
    items = [
        it | {dataset.rows_key: [row | marks if _is(row) else row for row in it[dataset.rows_key]]}
        if _is(it) and isinstance(it.get(dataset.rows_key), list)
        else it
        for it in answer["list"]
    ]
    return answer | {"list": items}


def _is(part: Any) -> bool:
    return isinstance(part, dict) and part != {}


def what(parsed: Parsed) -> Any:
    """What was read, without the unknown key."""
    articles = json.loads(json_text.encode([*parsed.articles.values()]))
    for article in articles:
        article["extra"].pop(MARK, None)
        extras = article["row_extras"]
        its = {day: {k: v for k, v in row.items() if k != MARK} for day, row in extras.items()}
        article["row_extras"] = {day: row for day, row in its.items() if row}
    rejected = [(it.msgid, it.stat_date, it.reason) for it in parsed.rejected]
    whole = parsed.unreadable, parsed.is_delayed, parsed.list_sha256, parsed.row_count
    return articles, rejected, whole


@both_datasets
@no_deadline
@given(st.data())
def test_what_is_read_does_not_depend_on_unknown_keys_beside_it(
    dataset: Dataset, data: st.DataObject
) -> None:
    """An answer as documented is decoded by type and at once, others row or value by value."""
    answer = data.draw(answers(dataset))
    body = written(answer).replace(b"\\u00ff", b"\xff").replace(b"\\u0001", b"\x01")
    known = what(parse(dataset, body, DAY, FETCHED_AT))

    for rows in (False, True):
        other = written(marked(dataset, answer, rows=rows))
        other = other.replace(b"\\u00ff", b"\xff").replace(b"\\u0001", b"\x01")
        assert what(parse(dataset, other, DAY, FETCHED_AT)) == known


@pytest.mark.parametrize(
    ("written_rate", "rate_read"),
    [
        ('"0.50"', "0.50"),
        ('"12"', "12"),
        *((it, None) for it in ('"1_0"', '"１"', '"1e1"', '".5"', '"-1"', '"50%"')),
        *((it, None) for it in ("true", "[1]", "-0.5", "1e15", "1e400", "1e99999999999999999999")),
    ],
)
def test_a_rate_is_a_number_or_rejected_alone(written_rate: str, rate_read: str | None) -> None:
    """Of a text, plain decimals are a number to the digit, not whatever Python could read in it."""
    rate = next(metric.name for metric in DETAIL.metrics if metric.kind is Kind.RATE)
    rows = [{"stat_date": str(DAY), rate: "RATE"}, {"stat_date": str(NEXT_DAY)}]
    item = {"ref_date": str(DAY), "msgid": "1_1", DETAIL.rows_key: rows}
    body = json.dumps({"list": [item]}).replace('"RATE"', written_rate).encode()

    parsed = parse(DETAIL, body, DAY, FETCHED_AT)

    found = getattr(parsed.articles["1_1"].rows[DAY], rate)
    assert (found if found is None else str(found)) == rate_read
    assert [part.reason.split()[0] for part in parsed.rejected] == ([] if rate_read else [rate])
    assert list(parsed.articles["1_1"].rows) == [DAY, NEXT_DAY]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "NaN", "-Infinity"])
def test_a_number_in_a_list_that_nothing_holds_is_kept_as_a_text(number: str) -> None:
    """Its row is loaded."""
    name = DETAIL.lists[0].name
    row = {"stat_date": str(DAY), name: [{"user_count": "ODD"}], DETAIL.readers: 3}
    item = {"ref_date": str(DAY), "msgid": "1_1", DETAIL.rows_key: [row]}
    body = json.dumps({"list": [item]}).replace('"ODD"', number).encode()

    read_row = parse(DETAIL, body, DAY, FETCHED_AT).articles["1_1"].rows[DAY]

    assert all(isinstance(it["user_count"], str) for it in getattr(read_row, name))
    assert getattr(read_row, DETAIL.readers) == 3
    assert json_text.encode(read_row)


@both_datasets
@no_deadline
@given(st.sampled_from(["answer", "item", "row", "figure"]), st.integers(1, 2000), st.booleans())
def test_any_depth_is_read_or_unreadable(
    dataset: Dataset, where: str, depth: int, is_list: bool
) -> None:
    """What is nested deeper than Python or Postgres likes is a sentence, wherever it stands."""
    row: dict[str, Any] = {"stat_date": str(DAY)}
    item = {"ref_date": str(DAY), "msgid": "1_1", dataset.rows_key: [row]}
    answer: dict[str, Any] = {"list": [item]}
    place = {"answer": answer, "item": item, "row": row, "figure": row}[where]
    place["x" if where != "figure" else dataset.metrics[-1].name] = "DEEP"
    begin, end = (b"[", b"]") if is_list else (b'{"a":', b"}")
    deep = begin * depth + b"1" + end * depth

    parsed = parse(dataset, json.dumps(answer).encode().replace(b'"DEEP"', deep), DAY, FETCHED_AT)

    assert depth > 90 if parsed.unreadable else json_text.encode([*parsed.articles.values()])


@no_deadline
@given(ANY_JSON)
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    """No other exception leaves `parse`, whatever the answer is."""
    if read(written(value)).unreadable:
        assert not (isinstance(value, dict) and isinstance(value.get("list"), list))
