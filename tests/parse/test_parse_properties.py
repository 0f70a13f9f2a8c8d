"""What holds for every answer there can be."""

import json
import operator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hostile_answers import ANY_JSON, DATES, DAY, answers, no_deadline, written
from hypothesis import given
from hypothesis import strategies as st
from parse_cases import FETCHED_AT, read

from weixin_etl import json_text
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset, Kind
from weixin_etl.parse import BIGINT_MAX, SMALLINT_MAX, Parsed, Row, RowByRow, parse

both_datasets = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
NEXT_DAY = DAY + timedelta(days=1)
WHOLE = st.none() | st.integers(0, BIGINT_MAX)
TITLES = st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"))
DOCUMENTED_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.COUNT: WHOLE,
    Kind.RATE: st.none() | st.integers(0, 9) | st.floats(0, 10**6).map(lambda rate: round(rate, 4)),
    Kind.LIST: st.none() | st.lists(st.dictionaries(TITLES.map(str), WHOLE), max_size=2),
}


UNKNOWN_VALUES = st.recursive(
    st.sampled_from([None, True, 10**500, "ÿ"]) | DOCUMENTED_VALUES[Kind.RATE] | TITLES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner),
    max_leaves=3,
)
UNKNOWN = st.dictionaries(st.sampled_from(["new_user", "rows", "新"]), UNKNOWN_VALUES, max_size=2)


def documented_items(
    dataset: Dataset, unknown: st.SearchStrategy[dict[str, Any]]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Articles as the documentation shows them, with unknown keys beside the documented ones."""
    row = st.fixed_dictionaries(
        {"stat_date": DATES},
        optional={metric.name: DOCUMENTED_VALUES[metric.kind] for metric in dataset.metrics},
    )
    rows = st.lists(
        st.builds(operator.or_, unknown, row), unique_by=lambda row: row["stat_date"], max_size=4
    )
    item = st.fixed_dictionaries(
        {
            "ref_date": st.just(DAY.isoformat()),
            "msgid": st.sampled_from(["1_1", "1_2", "7_1"]),
            dataset.rows_key: rows,
        },
        optional={
            "title": TITLES,
            "url": TITLES,
            "content_url": TITLES,
            "publish_type": st.none() | st.integers(0, SMALLINT_MAX),
            "user_source": WHOLE,
        },
    )
    return st.lists(st.builds(operator.or_, unknown, item), max_size=4)


def row_by_row(dataset: Dataset, body: bytes) -> Parsed:
    """The answer without decoding the whole of it by type."""
    with patch("weixin_etl.parse.documented", return_value=None):
        return parse(dataset, body, DAY, FETCHED_AT)


def value_by_value(dataset: Dataset, body: bytes) -> Parsed:
    """The answer without converting any row by type."""
    convert = msgspec.convert

    def convert_no_row(value: Any, form: Any) -> Any:
        if issubclass(form, Row):
            raise msgspec.ValidationError
        return convert(value, form)

    with patch("msgspec.convert", convert_no_row):
        return row_by_row(dataset, body)


@both_datasets
@no_deadline
@given(st.data(), st.booleans())
def test_a_documented_answer_is_decoded_at_once(
    dataset: Dataset, data: st.DataObject, is_ascii: bool
) -> None:
    """Keys beside its list cost no time; row by row and value by value are the same."""
    answer = {"is_delay": data.draw(st.booleans()), "errcode": 0} | data.draw(UNKNOWN)
    answer["list"] = data.draw(documented_items(dataset, st.just({})))
    body = json.dumps(answer, ensure_ascii=is_ascii).encode()

    with patch.object(RowByRow, "read", side_effect=AssertionError):
        parsed = parse(dataset, body, DAY, FETCHED_AT)

    assert parsed == row_by_row(dataset, body) == value_by_value(dataset, body)


@both_datasets
@no_deadline
@given(st.data())
def test_a_documented_row_is_converted_by_type_unknown_keys_or_not(
    dataset: Dataset, data: st.DataObject
) -> None:
    """None of them costs the time of reading value by value, which would make the same of it."""
    items = data.draw(documented_items(dataset, UNKNOWN))
    body = json.dumps({"list": items}).encode()

    with patch.object(RowByRow, "_value_by_value", side_effect=AssertionError):
        parsed = parse(dataset, body, DAY, FETCHED_AT)

    assert parsed == value_by_value(dataset, body)


@both_datasets
@no_deadline
@given(st.data())
def test_what_is_read_by_type_is_what_is_read_value_by_value(
    dataset: Dataset, data: st.DataObject
) -> None:
    """Of any answer, odd articles among documented ones, and bytes that are no text."""
    answer = data.draw(answers(dataset))
    unknown = st.dictionaries(st.sampled_from(["a", "b\0"]), UNKNOWN_VALUES)
    items = answer["list"] + data.draw(documented_items(dataset, st.just({}) | UNKNOWN | unknown))
    answer["list"] = data.draw(st.permutations(items))
    body = written(answer).replace(b"\\u00ff", b"\xff").replace(b"\\u0001", b"\x01")

    parsed = parse(dataset, body, DAY, FETCHED_AT)

    assert parsed == row_by_row(dataset, body) == value_by_value(dataset, body)


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
    dataset = ARTICLE_DATASETS["article_total_detail"]
    rate = next(metric.name for metric in dataset.metrics if metric.kind is Kind.RATE)
    rows = [{"stat_date": str(DAY), rate: "RATE"}, {"stat_date": str(NEXT_DAY)}]
    item = {"ref_date": str(DAY), "msgid": "1_1", dataset.rows_key: rows}
    body = json.dumps({"list": [item]}).replace('"RATE"', written_rate).encode()

    parsed = parse(dataset, body, DAY, FETCHED_AT)

    found = getattr(parsed.articles["1_1"].rows[DAY], rate)
    assert (found if found is None else str(found)) == rate_read
    assert [part.reason.split()[0] for part in parsed.rejected] == ([] if rate_read else [rate])
    assert list(parsed.articles["1_1"].rows) == [DAY, NEXT_DAY]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "NaN", "-Infinity"])
def test_a_number_in_a_list_that_nothing_holds_is_kept_as_a_text(number: str) -> None:
    """Its row is loaded."""
    dataset = ARTICLE_DATASETS["article_total_detail"]
    name = dataset.lists[0].name
    row = {"stat_date": str(DAY), name: [{"user_count": "ODD"}], dataset.readers: 3}
    item = {"ref_date": str(DAY), "msgid": "1_1", dataset.rows_key: [row]}
    body = json.dumps({"list": [item]}).replace('"ODD"', number).encode()

    parsed = parse(dataset, body, DAY, FETCHED_AT)

    row = parsed.articles["1_1"].rows[DAY]
    assert all(isinstance(it["user_count"], str) for it in getattr(row, name))
    assert getattr(row, dataset.readers) == 3
    assert json_text.encode(row)


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
    body = json.dumps(answer).encode().replace(b'"DEEP"', deep)

    parsed = parse(dataset, body, DAY, FETCHED_AT)

    if parsed.unreadable:
        assert depth > 90
    else:
        assert [json_text.encode(article) for article in parsed.articles.values()]


@no_deadline
@given(ANY_JSON)
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    """No other exception leaves `parse`, whatever the answer is."""
    if read(written(value)).unreadable:
        assert not (isinstance(value, dict) and isinstance(value.get("list"), list))
