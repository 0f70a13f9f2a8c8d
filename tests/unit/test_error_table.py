"""The tables of errors in the manual are those of the code, in both languages."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from weixin_etl.problem import ROWS, ProblemKind, Row, filled

PAGES = Path(__file__).parents[2] / "docs/operating"
BEGIN, END = "<!-- errors: UPDATE_DOCS=1 writes them -->\n", "\n<!-- end of errors -->"
HEAD = ("what happened", "errcode", "what to change", "asked again without your doing")
IN_CHINESE = {
    "what happened": "发生了什么",
    "errcode": "错误码",
    "what to change": "该怎么改",
    "asked again without your doing": "不做任何处理时，是否再次请求",
    "no": "否",
    "by Airflow": "由 Airflow 重试",
    "by the next daily run": "由下一次每日运行请求",
    "any other": "其他任何错误码",
}


def table(*, is_chinese: bool) -> str:
    """What can go wrong, a row per cause."""
    rows = [HEAD, ["---"] * len(HEAD), *(_cells(row, is_chinese=is_chinese) for row in _told())]
    said = IN_CHINESE if is_chinese else {}
    return "\n".join(f"| {' | '.join(said.get(cell, cell) for cell in cells)} |" for cells in rows)


def _told() -> Iterator[Row]:
    for row in ROWS:
        conn_id = "weixin_warehouse" if row.kind.is_of_warehouse else "…"
        cures = [filled(it.cure, conn_id, "") for it in (row.english, row.chinese)]
        if row.kind is not ProblemKind.UNKNOWN:
            yield row._replace(
                english=row.english._replace(cure=cures[0]),
                chinese=row.chinese._replace(cure=cures[1]),
            )


def _cells(row: Row, *, is_chinese: bool) -> tuple[str, ...]:
    texts = row.chinese if is_chinese else row.english
    is_any = row.kind is ProblemKind.CALL_REFUSED
    codes = "any other" if is_any else ", ".join(map(str, row.errcodes)) or "–"
    return texts.cause, codes, texts.cure, row.asked_again


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


def test_every_kind_and_errcode_has_its_texts_in_both_languages() -> None:
    """A title for each kind; a cause and a cure for each row."""
    assert {row.kind for row in ROWS if row.english.title} == {*ProblemKind}
    assert [row for row in ROWS if bool(row.english.title) != bool(row.chinese.title)] == []
    lacking = [row for row in ROWS if not all([*row.english[1:], *row.chinese[1:]])]
    assert lacking == []
