"""Texts of every kind reach the warehouse as WeChat wrote them."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, body, facts, load_pairs, pair, rows

TEXTS = [
    'says "hello", twice: ""',
    "it's, a comma; and a semicolon",
    "back\\slash \\n \\\\ \\",
    "two\nlines\r\nand\ta tab",
    "👩‍👩‍👧 🚀 家庭",
    "\\N",
    "\\.",
    "a line with\n\\.\nalone",
    "null",
    "",
    "  spaces  ",
    "'); DROP TABLE weixin.fact_article_total; --",
    "%s %(appid)s :appid {{ fact }}",
    "\u2028\u0085\x0b\x7f",
]
"""Whatever COPY, CSV, SQL, binds or templates could take for their own."""


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_title_is_kept_as_written(warehouse: Engine, text: str):
    """A title is text, and no character of it means anything else."""
    load_pairs(
        warehouse, pair(body(article("1_1", {}, title=text), article("1_2", {})), "22 08:30")
    )

    assert rows(warehouse, "SELECT title FROM weixin.dim_article ORDER BY msgid") == [
        (text,),
        (None,),
    ]


@pytest.mark.parametrize("text", [text for text in TEXTS if text], ids=repr)
def test_msgid_is_text(warehouse: Engine, text: str):
    """A msgid with quotes, backslashes or a comma keys its rows as any other does."""
    answer = body(article(text, {"20": {"share_count": 1}, "21": {"share_count": 2}}))
    load_pairs(warehouse, pair(answer, "22 08:30"))

    (report,) = load_pairs(warehouse, pair(answer.replace(b": 2}", b": 3}"), "22 11:00"))

    assert facts(warehouse, "msgid, stat_date::text, share_count") == [
        (text, "2026-11-20", 1),
        (text, "2026-11-21", 3),
    ]
    assert (report.counts.inserted, report.counts.updated, report.counts.unchanged) == (0, 1, 1)
    assert rows(warehouse, "SELECT msgid FROM weixin.dim_article") == [(text,)]


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_unknown_metric_is_kept_as_written(warehouse: Engine, text: str):
    """Names and values of unknown metrics are kept as WeChat wrote them."""
    answer = body(article("1_1", {"20": {"share_count": 1, f"new {text}": [text]}}, tag=text))

    load_pairs(warehouse, pair(answer, "22 08:30"))

    assert facts(warehouse, "share_count, extra") == [(1, {f"new {text}": [text]})]
    assert rows(warehouse, "SELECT extra FROM weixin.dim_article") == [({"tag": text},)]
