"""An article's titles: those that were replaced are kept, with the instant at which they were."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from warehouse_loads import article, at, body, load_pairs, pair, rows

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset

TITLES = """
    SELECT title, known_from, known_until FROM analytics.article_title
    ORDER BY is_current, known_from, known_until
"""
Load = Callable[..., None]


@pytest.fixture
def load(warehouse: Engine, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load an answer that gives the article a title, or none, when the clock shows `loaded`."""

    def _load(
        title: str | None, fetched: str, loaded: str, dataset: Dataset = ARTICLE_TOTAL
    ) -> None:
        monkeypatch.setenv("WEIXIN_NOW", at(loaded).isoformat())
        answer = body(article("1_1", {}, title=title), rows_key=dataset.rows_key)
        load_pairs(warehouse, pair(answer, fetched, dataset=dataset), dataset=dataset)

    return _load


def titles(warehouse: Engine) -> list[tuple[Any, ...]]:
    """The titles in their order, each with its instants."""
    return rows(warehouse, TITLES)


def test_each_title_stood_until_the_next_was_loaded(warehouse: Engine, load: Load):
    """The same one again, and an answer without one, change nothing."""
    load("一", "22 08:30", "22 08:31")
    load("二", "23 08:30", "23 08:31")
    load("二", "23 09:30", "23 09:31")
    load(None, "23 10:30", "23 10:31")
    load("一", "24 08:30", "24 08:31")

    assert titles(warehouse) == [
        ("一", at("22 08:30"), at("23 08:31")),
        ("二", at("23 08:31"), at("24 08:31")),
        ("一", at("24 08:31"), None),
    ]


@pytest.mark.parametrize("other", [ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL], ids=lambda it: it.name)
def test_an_older_answer_that_comes_late_replaces_no_title(
    warehouse: Engine, load: Load, other: Dataset
):
    """Whichever endpoint gave it: the newest title stands, and stood."""
    load("二", "23 08:30", "23 08:31")
    load("三", "23 09:30", "23 09:31", other)
    load("一", "22 08:30", "24 08:31")

    assert titles(warehouse) == [
        ("二", at("22 08:30"), at("23 09:31")),
        ("三", at("23 09:31"), None),
    ]


@pytest.mark.parametrize("clock", ["23 08:31", "22 20:00"], ids=["stands still", "goes back"])
def test_titles_stand_one_after_the_other_whatever_the_clock_does(
    warehouse: Engine, load: Load, clock: str
):
    """One that never stood is not told: of two titles of an instant, the last."""
    load("一", "22 08:30", "22 08:31")
    load("二", "23 08:30", "23 08:31")
    load("三", "23 09:30", clock)

    assert titles(warehouse) == [
        ("一", at("22 08:30"), at("23 08:31")),
        ("三", at("23 08:31"), None),
    ]
