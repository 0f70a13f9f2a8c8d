"""An article's titles: those that were replaced are kept, with the instant at which they were."""

from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, at, body, load_pairs, pair, rows

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset

REPLACED = "SELECT title, replaced_at FROM weixin.dim_article_title_history ORDER BY history_id"


@pytest.mark.parametrize("other", [ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL], ids=lambda it: it.name)
def test_each_title_stood_until_the_next_was_loaded(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, other: Dataset
):
    """Whichever endpoint gave it; the same one again, and an answer without one, change nothing."""

    def load(title: str | None, fetched: str, dataset: Dataset = ARTICLE_TOTAL) -> None:
        monkeypatch.setenv("WEIXIN_NOW", at(fetched).isoformat())
        answer: Any = body(article("1_1", {}, title=title), rows_key=dataset.rows_key)
        load_pairs(warehouse, pair(answer, fetched, dataset=dataset), dataset=dataset)

    load("一", "22 08:31")
    load("二", "23 08:31", other)
    load("二", "23 09:31")
    load(None, "23 10:31")
    load("一", "24 08:31")

    assert rows(warehouse, REPLACED) == [("一", at("23 08:31")), ("二", at("24 08:31"))]
    assert rows(warehouse, "SELECT title FROM weixin.dim_article") == [("一",)]
