"""What holds for every answer there can be."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hostile_answers import ANY_JSON, DATES, DAY, answers, no_deadline, written
from hypothesis import given
from hypothesis import strategies as st
from parse_cases import FETCHED_AT, read

from weixin_etl.datasets import DATASETS, Dataset, Kind
from weixin_etl.load.stage import SeenArticle, StagedPair, article_lines, row_lines
from weixin_etl.parse import _parse_documented as parse_documented
from weixin_etl.parse import parse
from weixin_etl.parse.articles import BIGINT_MAX, SMALLINT_MAX, UnreadableAnswerError
from weixin_etl.parse.lenient import take_apart

both_datasets = pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
NEXT_DAY = DAY + timedelta(days=1)
LAST_DAY = DAY + timedelta(days=6)
WHOLE = st.none() | st.integers(0, BIGINT_MAX)
TITLES = st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"))
DOCUMENTED_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.COUNT: WHOLE,
    Kind.RATE: st.none() | st.integers(0, 9) | st.floats(0, 10**6).map(lambda rate: round(rate, 4)),
    Kind.LIST: st.none() | st.lists(st.dictionaries(TITLES.map(str), WHOLE), max_size=2),
}


def documented(dataset: Dataset) -> st.SearchStrategy[dict[str, Any]]:
    """Answers as the documentation shows them."""
    rows = st.lists(
        st.fixed_dictionaries(
            {"stat_date": DATES},
            optional={metric.name: DOCUMENTED_VALUES[metric.kind] for metric in dataset.metrics},
        ),
        unique_by=lambda row: row["stat_date"],
    )
    items = st.fixed_dictionaries(
        {
            "ref_date": st.just(DAY.isoformat()),
            "msgid": st.from_regex(r"[1-9][0-9]{0,9}_[1-8]", fullmatch=True),
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
    return st.fixed_dictionaries(
        {"list": st.lists(items, unique_by=lambda item: item["msgid"], max_size=4)},
        optional={"is_delay": st.booleans(), "errcode": st.just(0), "errmsg": st.just("ok")},
    )


@both_datasets
@no_deadline
@given(st.data(), st.booleans())
def test_the_fast_path_and_the_slow_one_agree(
    dataset: Dataset, data: st.DataObject, is_ascii: bool
) -> None:
    """Of any answer as documented both make the same."""
    body = json.dumps(data.draw(documented(dataset)), ensure_ascii=is_ascii).encode()

    fast = parse_documented(dataset, body, DAY, LAST_DAY)
    slow = take_apart(dataset, body, DAY, LAST_DAY)

    assert fast is not None
    assert fast == slow


@both_datasets
@no_deadline
@given(st.data())
def test_the_fast_path_takes_nothing_the_slow_one_does_not(
    dataset: Dataset, data: st.DataObject
) -> None:
    """Of any other answer both make the same too, unless the fast one leaves it to the slow one."""
    body = written(data.draw(answers(dataset)))

    fast = parse_documented(dataset, body, DAY, LAST_DAY)

    if fast is not None:
        assert fast == take_apart(dataset, body, DAY, LAST_DAY)


@pytest.mark.parametrize(
    "written_rate", ['"0.5"', '"1_0"', '"１"', "true", "[1]", "1e400", "1e99999999999999999999"]
)
def test_a_rate_that_is_no_number_rejects_its_row(written_rate: str) -> None:
    """A text is none, whatever Python could read in it."""
    dataset = DATASETS["article_total_detail"]
    rate = next(metric.name for metric in dataset.metrics if metric.kind is Kind.RATE)
    rows = [{"stat_date": str(DAY), rate: "RATE"}, {"stat_date": str(NEXT_DAY)}]
    item = {"ref_date": str(DAY), "msgid": "1_1", dataset.rows_key: rows}
    body = json.dumps({"list": [item]}).replace('"RATE"', written_rate).encode()

    parsed = parse(dataset, body, DAY, FETCHED_AT)

    (rejected,) = parsed.rejected
    assert rejected.reason.startswith(f"{rate} ")
    assert list(parsed.articles["1_1"].rows) == [NEXT_DAY]


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

    try:
        parsed = parse(dataset, body, DAY, FETCHED_AT)
    except UnreadableAnswerError:
        assert depth > 90
    else:
        seen = [
            SeenArticle(article, FETCHED_AT, FETCHED_AT) for article in parsed.articles.values()
        ]
        staged = [StagedPair(DAY, 1, seen)]
        assert b"".join([*row_lines(dataset, staged), *article_lines(staged)])


@no_deadline
@given(ANY_JSON)
def test_any_json_is_read_or_unreadable(value: Any) -> None:
    """No other exception leaves `parse`, whatever the answer is."""
    try:
        read(written(value))
    except UnreadableAnswerError:
        assert not (isinstance(value, dict) and isinstance(value.get("list"), list))
