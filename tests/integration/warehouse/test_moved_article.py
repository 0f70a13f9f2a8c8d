"""An article that WeChat lists under another publication day than before is still one article."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Engine
from warehouse_loads import (
    DAY,
    SCHEDULED,
    article,
    at,
    body,
    contents,
    facts,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import replay
from weixin_etl.load import Outcome
from weixin_etl.run.check import checks

NEXT_DAY = DAY + timedelta(days=1)
SILENT = [date(2026, 11, day) for day in range(15, 20)]
SHOWN = {ARTICLE_TOTAL: "", ARTICLE_TOTAL_DETAIL: "_detail"}
"""The ends of the names of the analysts' views."""
Listed = dict[str, dict[str, int]]
"""Readers by day of November, by msgid."""


def answered(dataset: Dataset, day: date, fetched: str, listed: Listed) -> Outcome:
    """An answer that lists articles."""
    rows_key = "details" if dataset is ARTICLE_TOTAL else "detail_list"
    items = [
        article(msgid, {stat: {dataset.readers: count} for stat, count in readers.items()})
        for msgid, readers in listed.items()
    ]
    return pair(body(*items, day=day, rows_key=rows_key), fetched, day, dataset)


def load(warehouse: Engine, dataset: Dataset, fetched: str, *listed: tuple[date, Listed]) -> None:
    """One commit."""
    outcomes = [answered(dataset, day, fetched, articles) for day, articles in listed]
    load_pairs(warehouse, *outcomes, dataset=dataset)


def publication_dates(warehouse: Engine, instant: datetime | None = None) -> set[date]:
    """Each day that the dimension and the facts give the article 1_1, now and as of an instant."""
    sources = ["weixin.dim_article"]
    for it in ARTICLE_DATASETS.values():
        sources += [f"weixin.{it.fact}", f"analytics.{it.name}_as_of(:instant)"]
    of_each = (f"SELECT publication_date FROM {it} WHERE msgid = '1_1'" for it in sources)  # noqa: S608 # ours
    return {day for (day,) in rows(warehouse, " UNION ".join(of_each), instant=instant)}


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)
def test_what_it_gained_counts_once(warehouse: Engine, dataset: Dataset):
    """All its rows are of the newer day; of the checks, one alone tells, and names both days."""
    know(warehouse, "wx1")
    load(warehouse, dataset, "21 10:30", (DAY, {"1_1": {"20": 1000}}))
    load(
        warehouse,
        dataset,
        "22 10:30",
        *((day, {}) for day in [*SILENT, DAY]),
        (NEXT_DAY, {"1_1": {"21": 1100}, "2_1": {"21": 160}}),
    )

    assert rows(
        warehouse,
        "SELECT msgid, publication_date, stat_date::text, day_number, days_spanned, "  # noqa: S608 # ours
        f"{dataset.readers}_increment, is_latest "
        f"FROM analytics.article_day{SHOWN[dataset]} ORDER BY msgid, stat_date",
    ) == [
        ("1_1", NEXT_DAY, "2026-11-20", 0, 0, 1000, False),
        ("1_1", NEXT_DAY, "2026-11-21", 1, 1, 100, True),
        ("2_1", NEXT_DAY, "2026-11-21", 1, 1, 160, True),
    ]
    assert rows(
        warehouse,
        f"SELECT {dataset.readers}_increment, articles_published, articles_expected "  # noqa: S608 # ours
        f"FROM analytics.account_day{SHOWN[dataset]} WHERE calendar_date = '2026-11-21'",
    ) == [(260, 2, 2)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.restatement") == [(0,)]
    run = {"run_id": SCHEDULED.run_id, "dataset": dataset.name, "installation": ""}
    found = {promise.name: rows(warehouse, promise.sql, **run) for promise in checks(dataset)}
    assert {name: broken_by for name, broken_by in found.items() if broken_by} == {
        "article_has_one_publication_day": [
            ("wx1", NEXT_DAY, "1_1", "moved from 2026-11-20 to 2026-11-21")
        ]
    }


def test_days_that_both_list_it_each_morning(warehouse: Engine):
    """The later one has it, whichever is asked first; nothing moves, no figure is restated."""
    for minute, morning in ((29, "22"), (31, "23"), (29, "24")):
        both = [
            answered(
                ARTICLE_TOTAL,
                DAY,
                f"{morning} 10:{minute}",
                {"1_1": {"21": 1}, "1_2": {morning: 7}},
            ),
            answered(
                ARTICLE_TOTAL, NEXT_DAY, f"{morning} 10:30", {"1_1": {"21": 2}, "2_1": {morning: 9}}
            ),
        ]
        load_pairs(warehouse, *both)

    assert publication_dates(warehouse) == {NEXT_DAY}
    assert rows(
        warehouse, "SELECT msgid, other_publication_dates FROM weixin.dim_article ORDER BY 1"
    ) == [("1_1", [DAY]), ("1_2", None), ("2_1", None)]
    assert rows(warehouse, "SELECT count(*) FROM weixin.fact_article_total_history") == [(0,)]


def test_the_newest_answer_of_any_dataset_says_which_day(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch
):
    """The rows of both follow, back to the earlier day as well; so do those that were replaced."""
    instant = at("22 12:00")

    def load_at(dataset: Dataset, now: str, *listed: tuple[date, Listed]) -> None:
        monkeypatch.setenv("WEIXIN_NOW", at(now).isoformat())
        load(warehouse, dataset, now, *listed)

    load_at(ARTICLE_TOTAL, "22 08:30", (DAY, {"1_1": {"20": 1, "21": 2}}))
    load_at(ARTICLE_TOTAL_DETAIL, "22 08:31", (DAY, {"1_1": {"20": 3, "21": 4}}))
    load_at(ARTICLE_TOTAL, "23 10:30", (DAY, {"1_1": {"20": 1, "21": 5}}))

    load_at(ARTICLE_TOTAL_DETAIL, "23 10:31", (DAY, {}), (NEXT_DAY, {"1_1": {"22": 9}}))
    assert publication_dates(warehouse, instant) == {NEXT_DAY}

    load_at(ARTICLE_TOTAL, "23 10:32", (DAY, {"1_1": {"20": 1, "21": 6}}))
    assert publication_dates(warehouse, instant) == {NEXT_DAY}

    load_at(ARTICLE_TOTAL, "24 10:30", (DAY, {"1_1": {"22": 6}}))
    assert publication_dates(warehouse, instant) == {DAY}


@pytest.mark.parametrize("alone", [DAY, NEXT_DAY], ids=str)
def test_a_pair_that_is_rebuilt_alone(warehouse: Engine, alone: date):
    """A replay of either day finds that the article is as the answers of both make it."""
    load(warehouse, ARTICLE_TOTAL, "22 10:30", (DAY, {"1_1": {"20": 1000, "21": 1050}}))
    load(warehouse, ARTICLE_TOTAL, "23 10:30", (NEXT_DAY, {"1_1": {"21": 1100}}))
    load(warehouse, ARTICLE_TOTAL, "22 10:00", (DAY, {"1_1": {"20": 900, "21": 1040}}))  # late
    before = contents(warehouse, versions=True)
    selection = Selection(ARTICLE_TOTAL, begin_date=alone, end_date=alone)

    assert replay(warehouse, selection, ready_hour=10, is_applied=False).is_empty
    replay(warehouse, selection, ready_hour=10, is_applied=True)
    assert contents(warehouse, versions=True) == before
    assert facts(warehouse, "stat_date::text, int_page_read_user") == [
        ("2026-11-20", 1000),
        ("2026-11-21", 1100),
    ]
