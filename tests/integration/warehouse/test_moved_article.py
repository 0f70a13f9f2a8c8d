"""An article that two publication days list is one article: of the later day, as its rows are."""

from datetime import date

import pytest
from sqlalchemy import Engine
from warehouse_loads import DAY, article, contents, history, load_pairs, pair, rows
from warehouse_loads import body as answer_of

from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.kept import replay as verb
from weixin_etl.kept.replay import replay, selected
from weixin_etl.load import Staged
from weixin_etl.rules import DAY as A_DAY

NEXT_DAY = DAY + A_DAY
Listed = dict[str, dict[str, int]]
"""Readers by day of November, by msgid."""
each = pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)


def answered(dataset: Dataset, day: object, fetched: str, listed: Listed) -> Staged:
    """An answer that lists articles."""
    items = [
        article(msgid, {stat: {dataset.readers: count} for stat, count in readers.items()})
        for msgid, readers in listed.items()
    ]
    body = answer_of(*items, day=day, rows_key=dataset.rows_key, told_at=fetched)
    return pair(body, fetched, day, dataset)


def load(warehouse: Engine, dataset: Dataset, fetched: str, *listed: tuple[object, Listed]) -> None:
    """One chunk."""
    staged = [answered(dataset, day, fetched, articles) for day, articles in listed]
    load_pairs(warehouse, *staged, dataset=dataset)


def held(warehouse: Engine, dataset: Dataset = ARTICLE_TOTAL) -> list[tuple[object, ...]]:
    """Each row: its article's day, its own, and its readers."""
    return rows(
        warehouse,
        "SELECT article.publication_date, fact.publication_date, to_char(stat_date, 'DD'), "  # noqa: S608 # declared
        f"{dataset.readers} FROM weixin.{dataset.fact} AS fact INNER JOIN weixin.dim_article "
        "AS article USING (appid, msgid) WHERE msgid = '1_1' ORDER BY stat_date",
    )


@each
def test_an_article_that_moves_takes_its_rows_along(warehouse: Engine, dataset: Dataset):
    """Those of every dataset; no figure is restated."""
    other, *_ = (it for it in ARTICLE_DATASETS.values() if it is not dataset)
    load(warehouse, other, "21 10:30", (DAY, {"1_1": {"20": 7}}))
    load(warehouse, dataset, "21 10:31", (DAY, {"1_1": {"20": 1000}}))
    load(warehouse, dataset, "22 10:30", (DAY, {}), (NEXT_DAY, {"1_1": {"21": 1100}, "2_1": {}}))

    assert held(warehouse, dataset) == [
        (NEXT_DAY, NEXT_DAY, "20", 1000),
        (NEXT_DAY, NEXT_DAY, "21", 1100),
    ]
    assert held(warehouse, other) == [(NEXT_DAY, NEXT_DAY, "20", 7)]
    assert history(warehouse, "item") == []


@pytest.mark.parametrize("together", [True, False], ids=["in one commit", "in two"])
def test_days_that_both_list_it_each_morning(warehouse: Engine, together: bool):
    """
    The later one has it, with each row that it gives; nothing moves back or flickers.

    A row that the earlier day alone gives goes on with it.
    """
    for morning in (22, 23, 24):
        both = [
            (DAY, {"1_1": {"20": morning, "21": 1, f"{morning - 1}": 5}}),
            (NEXT_DAY, {"1_1": {"21": 2, f"{morning - 1}": 2}}),
        ]
        if together:
            load(warehouse, ARTICLE_TOTAL, f"{morning} 10:30", *both)
        else:
            for minute, of_day in ((29, both[1]), (31, both[0])):
                load(warehouse, ARTICLE_TOTAL, f"{morning} 10:{minute}", of_day)

    assert held(warehouse) == [
        (NEXT_DAY, NEXT_DAY, "20", 24),
        (NEXT_DAY, NEXT_DAY, "21", 2),
        (NEXT_DAY, NEXT_DAY, "22", 2),
        (NEXT_DAY, NEXT_DAY, "23", 2),
    ]
    readers = ARTICLE_TOTAL.readers
    assert history(warehouse, "item", "stat_date", readers) == [
        ("1_1", DAY, 22),
        ("1_1", DAY, 23),
    ]


def test_a_dataset_that_does_not_move_it_is_corrected(warehouse: Engine):
    """Its rows are of the later day too, and its own answers still say what they are."""
    load(warehouse, ARTICLE_TOTAL_DETAIL, "22 08:31", (DAY, {"1_1": {"20": 3, "21": 4}}))
    load(warehouse, ARTICLE_TOTAL, "22 10:31", (NEXT_DAY, {"1_1": {"21": 9}}))
    load(warehouse, ARTICLE_TOTAL_DETAIL, "23 10:31", (DAY, {"1_1": {"21": 5, "22": 6}}))

    assert held(warehouse, ARTICLE_TOTAL_DETAIL) == [
        (NEXT_DAY, NEXT_DAY, "20", 3),
        (NEXT_DAY, NEXT_DAY, "21", 5),
        (NEXT_DAY, NEXT_DAY, "22", 6),
    ]


@pytest.mark.parametrize("gives", [DAY, NEXT_DAY], ids=str)
def test_a_row_counts_for_the_day_that_gave_it(warehouse: Engine, gives: date):
    """Also where the article is of another; a row that is new there and one that is corrected."""
    load(warehouse, ARTICLE_TOTAL_DETAIL, "22 10:30", (DAY, {"1_1": {"21": 3}}))
    load(warehouse, ARTICLE_TOTAL, "22 10:31", (NEXT_DAY, {"1_1": {"21": 9}}))
    answer = answered(ARTICLE_TOTAL_DETAIL, gives, "23 10:31", {"1_1": {"21": 4, "22": 5}})
    (loaded,) = load_pairs(warehouse, answer, dataset=ARTICLE_TOTAL_DETAIL)

    assert (loaded.counts.inserted, loaded.counts.updated) == (1, 1)


@pytest.mark.parametrize("days", [(DAY, DAY), (NEXT_DAY, NEXT_DAY), (None, None)], ids=str)
def test_days_that_are_replayed_one_by_one(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, days: tuple[date | None, date | None]
):
    """A replay of either day, or of one after the other, finds what the answers of both make."""
    monkeypatch.setattr(verb, "_MOST_BYTES", 1)
    load(warehouse, ARTICLE_TOTAL, "22 10:30", (DAY, {"1_1": {"20": 1000, "21": 1050}}))
    load(warehouse, ARTICLE_TOTAL, "23 10:30", (NEXT_DAY, {"1_1": {"21": 1100}}))
    load(warehouse, ARTICLE_TOTAL, "24 10:00", (DAY, {"1_1": {"20": 900, "21": 1040}}))
    before = contents(warehouse, versions=True)

    for is_applied in (False, True):
        chosen = selected(warehouse, ARTICLE_TOTAL, (), *days)
        done = replay(warehouse, ARTICLE_TOTAL, chosen, ready_hour=10, is_applied=is_applied)
        assert not done.changes
    assert contents(warehouse, versions=True) == before
    assert held(warehouse) == [(NEXT_DAY, NEXT_DAY, "20", 900), (NEXT_DAY, NEXT_DAY, "21", 1100)]


def test_days_that_share_articles_in_a_chain_are_merged_the_later_first(warehouse: Engine):
    """In one commit: no row of an earlier day is written and then replaced."""
    days = [DAY, NEXT_DAY, NEXT_DAY + A_DAY]
    readers = [{"23": count} for count in (5, 6, 7)]
    first, second, third = zip(days, readers, strict=True)

    load(
        warehouse,
        ARTICLE_TOTAL,
        "24 10:30",
        (first[0], {"1_2": first[1]}),
        (second[0], {"1_1": second[1], "1_2": second[1]}),
        (third[0], {"1_1": third[1]}),
    )

    reads = "SELECT msgid, int_page_read_user FROM weixin.fact_article_total ORDER BY msgid"
    assert rows(warehouse, reads) == [("1_1", 7), ("1_2", 6)]
    assert history(warehouse) == []
