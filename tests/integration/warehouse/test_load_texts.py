"""Texts of every kind reach the warehouse as WeChat wrote them."""

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, body, facts, load_pairs, pair, rows

from weixin_etl.model import Counts

pytestmark = pytest.mark.every_postgres

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
    "  spaces  ",
    "'); DROP TABLE weixin.fact_article_total; --",
    "%s %(appid)s :appid {{ fact }}",
    "\u2028\u0085\x0b\x7f",
]
"""Whatever COPY, CSV, SQL, binds or templates could take for their own."""


@pytest.mark.parametrize("text", TEXTS, ids=repr)
def test_texts_are_kept_as_written(warehouse: Engine, text: str):
    """As a msgid, which keys its rows, a title, and the name and value of an unknown metric."""
    figures = {"20": {"share_count": 1, f"new {text}": [text]}, "21": {"share_count": 2}}
    answer = body(article(text, figures, title=text, tag=text))
    load_pairs(warehouse, pair(answer, "22 08:30"))

    (loaded,) = load_pairs(warehouse, pair(answer.replace(b": 2}", b": 3}"), "22 11:00"))

    assert facts(warehouse, "msgid, share_count, extra") == [
        (text, 1, {f"new {text}": [text]}),
        (text, 3, None),
    ]
    assert loaded.counts == Counts(updated=1, unchanged=1)
    assert rows(warehouse, "SELECT msgid, title, extra FROM weixin.dim_article") == [
        (text, text, {"tag": text})
    ]


def test_an_empty_text_is_not_an_absent_one(warehouse: Engine):
    """COPY would take them for the same; and an article without rows does not end the file."""
    answer = body(article("1_1", {}, title=""), article("1_2", {"20": {"share_count": 1}}))

    load_pairs(warehouse, pair(answer, "22 08:30"))

    assert rows(warehouse, "SELECT title FROM weixin.dim_article ORDER BY msgid") == [
        ("",),
        (None,),
    ]
    assert facts(warehouse, "msgid, share_count") == [("1_2", 1)]
