"""The tables of errors in the manual are those of the code, in both languages."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from weixin_etl.problem import ROWS, Problem, ProblemKind, Row, filled

PAGES = Path(__file__).parents[2] / "docs/operating"
BEGIN, END = "<!-- errors: UPDATE_DOCS=1 writes them -->\n", "\n<!-- end of errors -->"
PLACES = re.compile(r"{(\w+)}")
ERRCODE = re.compile(r"-?\d+")
HEADS = {
    True: ("Asked again by Airflow:", "由 Airflow 重试："),
    False: ("Not asked again in this run:", "本次运行不再请求："),
}
"""Whether Airflow tries again."""
TURN_NO_RUN_RED = {
    ProblemKind.UNKNOWN,
    ProblemKind.NOTHING_COLLECTED,
    ProblemKind.FIRST_RUN,
    ProblemKind.DAYS_LOST,
}
"""Beside warnings and what befalls whole runs: the page and messages say what to do."""
COLUMNS = (
    "| what happened (errcode) | what to change |",
    "| 发生了什么（错误码） | 该怎么改 |",
)


def table(*, is_chinese: bool) -> str:
    """What turns a run red, a row per cause, by whether Airflow tries again."""
    return "\n\n".join(
        "\n".join([head[is_chinese], "", COLUMNS[is_chinese], "| --- | --- |", *rows])
        for again, head in HEADS.items()
        if (rows := [_row(it, is_chinese) for it in _told() if _is_retried(it.kind) is again])
    )


def _is_retried(kind: ProblemKind) -> bool:
    return kind.is_retried and kind is not ProblemKind.NOT_ASKED  # the next daily run asks


def _told() -> Iterator[Row]:
    for row in ROWS:
        if not (row.kind in TURN_NO_RUN_RED or row.kind.is_warning or row.kind.is_of_run):
            yield row


def _row(row: Row, is_chinese: bool) -> str:
    cause, cure = (row.cause_zh, row.cure_zh) if is_chinese else (row.cause, row.cure)
    conn_id = "weixin_warehouse" if row.kind.is_of_warehouse else "…"
    codes = "" if row.kind.is_of_warehouse else ", ".join(filter(ERRCODE.fullmatch, row.codes))
    if row.kind is ProblemKind.CALL_REFUSED:
        codes = "其他任何错误码" if is_chinese else "any other"
    return f"| {cause}{f' ({codes})' if codes else ''} | {filled(cure, conn_id, '')} |"


@pytest.mark.parametrize("page", ["something-is-red.md", "something-is-red.zh-CN.md"])
def test_the_documented_table_is_that_of_the_errors(page: str) -> None:
    """UPDATE_DOCS=1 writes it anew."""
    path = PAGES / page
    before, begin, after = path.read_text().partition(BEGIN)
    documented, end, rest = after.partition(END)
    printed = table(is_chinese="zh-CN" in page)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(f"{before}{begin}{printed}{end}{rest}")

    assert documented == printed


def test_every_row_has_its_texts_in_both_languages() -> None:
    """A title for each kind, a cause of its own and a cure for each row, with the same places."""
    assert {row.kind for row in ROWS if row.title and row.title_zh} == {*ProblemKind}
    assert len({row.cause for row in ROWS}) == len(ROWS)
    for row in ROWS:
        both = zip(row[3:6], row[6:9], strict=True)
        for english, chinese in both:
            assert sorted(PLACES.findall(english)) == sorted(PLACES.findall(chinese))
            assert bool(english) == bool(re.search("[\u4e00-\u9fff]", chinese))
        assert all([row.cause, row.cure])


def test_a_problem_finds_its_row_again() -> None:
    """Also one that was recorded, of which the code's own name is not kept."""
    for row in ROWS:
        code = row.codes[0] if row.codes else ""
        problem = Problem.of_kind(row.kind, code=code, detail="what was said: 1")

        assert problem.row is row
