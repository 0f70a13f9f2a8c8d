"""What people read is there in both languages, and the manual's tables of errors are the code's."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.health.alert import Severity, default_severity
from weixin_etl.orchestration.web.page import app as page
from weixin_etl.problem import ROWS, Problem, ProblemKind, ProblemRow, fill_places
from weixin_etl.sentences import CHINESE_CAUSES, CHINESE_MESSAGES, read_table

PAGES = Path(__file__).parents[2] / "docs/operating"
BEGIN, END = "<!-- what turns a run red -->\n", "\n<!-- end of errors -->"
NOT_RED = {kind for kind in ProblemKind if kind.is_warning}
NOT_RED |= {ProblemKind.UNKNOWN, ProblemKind.NOTHING_COLLECTED, ProblemKind.FIRST_RUN}
NOT_RED |= {ProblemKind.DAYS_LOST, ProblemKind.RUN_LATE, ProblemKind.RUN_ENDED}
NOT_RED |= {ProblemKind.SCHEDULER_DOWN, ProblemKind.NO_RUNS}
"""What turns no run red: the page and messages say what to do."""
NO_FAILURE = {
    *((ProblemKind.FIRST_RUN, code) for code in ("today", "later", "at_work")),
    (ProblemKind.ENDPOINT_OFFLINE, "47009_succeeded"),
}
"""What is a note or a warning wherever it is said."""


def as_row(row: ProblemRow, is_chinese: bool) -> str:
    """Cause, errcodes and cure."""
    cause, cure = (row.cause_zh, row.cure_zh) if is_chinese else (row.cause, row.cure)
    conn_id = "weixin_warehouse" if row.kind.is_of_warehouse else "…"
    known = () if row.kind.is_of_warehouse else row.codes
    codes = ", ".join(number[0] for code in known if (number := re.match(r"-?\d+", code)))
    if row.kind is ProblemKind.CALL_REFUSED:
        codes = "其他任何错误码" if is_chinese else "any other"
    cure = fill_places(cure, conn_id, "", ARTICLE_TOTAL.successor_dag_id)
    return f"| {cause}{f' ({codes})' if codes else ''} | {cure} |"


@pytest.mark.parametrize("name", ["something-is-red.md", "something-is-red.zh-CN.md"])
def test_the_documented_tables_are_those_of_the_errors(name: str) -> None:
    """A row per cause that turns a run red: first what Airflow asks again, then the others."""
    table = (PAGES / name).read_text().partition(BEGIN)[2].partition(END)[0]
    parts = [
        re.findall(r"^\| .*(?<!-) \|$", part, re.MULTILINE)[1:] for part in table.split("\n\n")
    ]
    again, for_good = (part for part in parts if part)
    red = [row for row in ROWS if row.kind not in NOT_RED]
    retried = {kind for kind in ProblemKind if kind.is_retried} - {ProblemKind.NOT_ASKED}

    assert again == [as_row(row, "zh" in name) for row in red if row.kind in retried]
    assert for_good == [as_row(row, "zh" in name) for row in red if row.kind not in retried]


def test_where_there_is_nothing_to_do_nothing_is_red() -> None:
    """A cure that begins so says it in both languages, and its kind is no failure."""
    for row in ROWS:
        if row.cure.startswith("nothing to do"):
            assert "不用处理" in row.cure_zh
            is_failure = (row.kind, "".join(row.codes)) not in NO_FAILURE
            assert default_severity(row.kind) is not Severity.FAILURE or not is_failure


def translations() -> Iterator[Sequence[str]]:
    """Every text of problems, messages and the page, in English and Chinese."""
    for row in ROWS:
        yield from zip(row[2:5], row[5:], strict=True)
    yield from (CHINESE_MESSAGES | CHINESE_CAUSES).items()
    yield from page.labels().values()


def test_every_row_has_its_texts_in_both_languages() -> None:
    """With the same places; a title for each kind, a cause of its own and a cure for each row."""
    for english, chinese in translations():
        places = [sorted(re.findall(r"{\w+}", text)) for text in (english, chinese)]
        assert places[0] == places[1]
        assert bool(english) == bool(re.search("[\u4e00-\u9fff{]", chinese))
    assert {row.kind for row in ROWS if row.title and row.title_zh} == {*ProblemKind}
    assert len({row.cause for row in ROWS if row.cure}) == len(ROWS)
    for row in ROWS:  # also of one that was recorded, of which the code's own name is not kept
        code = row.codes[0] if row.codes else ""
        assert Problem.of_kind(row.kind, code=code, detail="what was said: 1").row is row


def test_the_table_names_no_flag_that_kinds_do_not_have() -> None:
    marks = {mark for row in read_table("problems.csv") for mark in row[2].split()}
    assert marks <= vars(ProblemKind.UNKNOWN).keys()
