"""What people read is there in both languages, and the manual's tables of errors are the code's."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from weixin_etl.health import messages
from weixin_etl.orchestration.web.page import app as page
from weixin_etl.problem import ROWS, Problem, ProblemKind, Row, filled

PAGES = Path(__file__).parents[2] / "docs/operating"
BEGIN, END = "<!-- errors: UPDATE_DOCS=1 writes them -->\n", "\n<!-- end of errors -->"
HEADS = {
    True: ("Asked again by Airflow:", "由 Airflow 重试："),
    False: ("Not asked again in this run:", "本次运行不再请求："),
}
"""Whether Airflow tries again."""
TURN_NO_RUN_RED = (
    *(ProblemKind.UNKNOWN, ProblemKind.NOTHING_COLLECTED),
    *(ProblemKind.FIRST_RUN, ProblemKind.DAYS_LOST),
    *(ProblemKind.RUN_LATE, ProblemKind.RUN_ENDED),
    *(ProblemKind.SCHEDULER_DOWN, ProblemKind.NO_RUNS),
)
"""Beside warnings: the page and messages say what to do."""
COLUMNS = (
    "| what happened (errcode) | what to change |",
    "| 发生了什么（错误码） | 该怎么改 |",
)


def table(*, is_chinese: bool) -> str:
    """What turns a run red, a row per cause, by whether Airflow tries again."""
    parts: dict[bool, list[str]] = {True: [], False: []}
    for row in ROWS:
        kind = row.kind
        if not (kind in TURN_NO_RUN_RED or kind.is_warning):
            is_retried = kind.is_retried and kind is not ProblemKind.NOT_ASKED  # the next run asks
            parts[is_retried].append(as_row(row, is_chinese))
    return "\n\n".join(
        "\n".join([HEADS[it][is_chinese], "", COLUMNS[is_chinese], "| --- | --- |", *rows])
        for it, rows in parts.items()
    )


def as_row(row: Row, is_chinese: bool) -> str:
    """Cause, errcodes and cure."""
    cause, cure = (row.cause_zh, row.cure_zh) if is_chinese else (row.cause, row.cure)
    conn_id = "weixin_warehouse" if row.kind.is_of_warehouse else "…"
    known = () if row.kind.is_of_warehouse else row.codes
    codes = ", ".join(it for it in known if re.fullmatch(r"-?\d+", it))
    if row.kind is ProblemKind.CALL_REFUSED:
        codes = "其他任何错误码" if is_chinese else "any other"
    return f"| {cause}{f' ({codes})' if codes else ''} | {filled(cure, conn_id, '')} |"


@pytest.mark.parametrize("name", ["something-is-red.md", "something-is-red.zh-CN.md"])
def test_the_documented_table_is_that_of_the_errors(name: str) -> None:
    """UPDATE_DOCS=1 writes it anew."""
    path = PAGES / name
    before, begin, after = path.read_text().partition(BEGIN)
    documented, end, rest = after.partition(END)
    printed = table(is_chinese="zh-CN" in name)
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(f"{before}{begin}{printed}{end}{rest}")

    assert documented == printed


def pairs() -> Iterator[tuple[str, str]]:
    """Every text of problems, messages and the page, in English and Chinese."""
    for row in ROWS:
        yield from zip(row[3:6], row[6:9], strict=True)
    yield from tomllib.loads(Path(messages.__file__).with_name("words.toml").read_text()).items()
    for label in page.labels().values():
        english, chinese = label
        yield english, chinese


def test_every_row_has_its_texts_in_both_languages() -> None:
    """With the same places; a title for each kind, a cause of its own and a cure for each row."""
    for english, chinese in pairs():
        places = [sorted(re.findall(r"{\w+}", text)) for text in (english, chinese)]
        assert places[0] == places[1]
        assert bool(english) == bool(re.search("[\u4e00-\u9fff{]", chinese))
    assert {row.kind for row in ROWS if row.title and row.title_zh} == {*ProblemKind}
    assert len({row.cause for row in ROWS if row.cure}) == len(ROWS)


def test_a_problem_finds_its_row_again() -> None:
    """Also one that was recorded, of which the code's own name is not kept."""
    for row in ROWS:
        code = row.codes[0] if row.codes else ""
        assert Problem.of_kind(row.kind, code=code, detail="what was said: 1").row is row
