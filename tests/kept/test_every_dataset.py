"""Datasets of statistics days, whatever their rows' key: loaded, corrected, imported, replayed."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from support import rows
from warehouse_loads import (
    ACCOUNT,
    article,
    at,
    body,
    contents,
    coverage,
    know,
    load_pairs,
    pair,
)

from weixin_etl.datasets import (
    ARTICLE_READ,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    FOLLOWER_TOTAL,
    Dataset,
)
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, selected
from weixin_etl.model import Counts

DAY = date(2026, 11, 20)
FIXTURES = Path(__file__).parents[1] / "fixtures"
OF_STATISTICS = [it for it in DATASETS.values() if not it.describes_articles]


def answer(dataset: Dataset, change: Callable[[str], str] = str) -> bytes:
    """The answer that public sources show, of the tests' day, or changed."""
    (example,) = (FIXTURES / dataset.name).iterdir()
    return change(example.read_text().replace("2026-05-12", str(DAY))).encode()


def load(warehouse: Engine, dataset: Dataset, said: bytes, fetched: str, day: date = DAY) -> Counts:
    """By a run of its own."""
    staged = pair(said, fetched, day, dataset)
    (loaded,) = load_pairs(warehouse, staged, dataset=dataset, run_id=f"{dataset.name} {fetched}")
    return loaded.counts


@pytest.mark.parametrize("dataset", OF_STATISTICS, ids=lambda it: it.name)
def test_a_day_is_loaded_corrected_and_final(
    warehouse: Engine, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    New rows, then nothing by an import, then a row with another figure.

    What the fact was is known as of any instant; a replay brings back what somebody changed.
    """
    know(warehouse, ACCOUNT.appid)
    metric, count = dataset.figures[0].name, len(json.loads(answer(dataset))["list"])
    corrected = answer(dataset, lambda text: text.replace(f'"{metric}":', f'"{metric}":1', 1))
    about = {"appid": ACCOUNT.appid, "dataset": dataset.name, "day": str(DAY)}
    line = about | {"fetched_at": at("22 08:30").isoformat(), "body": answer(dataset).decode()}
    file = tmp_path / "answers.jsonl"
    file.write_text(json.dumps(line))
    names = "ARRAY['changed_at', 'account_name', 'title', 'publication_date']"
    figures = f"SELECT to_jsonb(it) - {names} FROM {{}} AS it ORDER BY 1"
    fact, counts, seen = figures.format(f"weixin.{dataset.fact}"), [], [[]]
    for day, said in (("21", answer(dataset)), ("22", None), ("27", corrected)):
        monkeypatch.setenv("WEIXIN_NOW", f"2026-11-{day}T08:31:00+08:00")
        if said:
            counts.append(load(warehouse, dataset, said, f"{day} 08:30"))
        else:
            imported = import_files(warehouse, [file], ready_hour=10, commit_bytes=1000)
            counts.append(imported.replayed.counts)
        seen.append(rows(warehouse, fact))

    assert counts == [
        Counts(calls=1, inserted=count),
        Counts(unchanged=count),
        Counts(calls=1, updated=1, unchanged=count - 1),
    ]
    assert coverage(warehouse, "day, settled, row_count") == [(DAY, "final", count)]
    assert contents(warehouse, ["dim_article"]) == {"dim_article": []}
    as_of = f"analytics.{dataset.name}_as_of('2026-11-{{}} 09:00+08')"
    for day, then in zip(("20", "21", "22", "27"), seen, strict=True):
        assert rows(warehouse, figures.format(as_of.format(day))) == then

    with warehouse.begin() as connection:
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {metric} = 1000")
    for repaired in (Counts(updated=count), Counts(unchanged=count)):
        pairs = selected(warehouse, dataset)
        assert replay(warehouse, dataset, pairs, ready_hour=10).counts == repaired
        assert rows(warehouse, fact) == seen[-1]


def test_a_stock_that_is_not_there_is_not_ready(warehouse: Engine) -> None:
    """Empty at any hour: kept, and asked for again."""
    know(warehouse, ACCOUNT.appid)

    load(warehouse, FOLLOWER_TOTAL, b'{"list":[]}', "27 23:00")

    columns = "row_count, settled, ready_at, error_kind"
    assert coverage(warehouse, columns) == [(0, None, None, "not_ready")]


def test_an_old_article_stays_where_it_was_published(warehouse: Engine) -> None:
    """A day on which it is read is no publication day of it, in either order (0044)."""
    published = DAY - timedelta(days=5)
    know(warehouse, ACCOUNT.appid)
    read = {"ref_date": str(DAY), "msgid": "1_1", "detail": {"read_user": 3}}
    listed = article("1_1", {"20": {"read_user": 9}}, title="题")
    told = body(listed, day=published, rows_key="detail_list")

    for fetched in ("21 11:00", "22 11:00"):
        load(warehouse, ARTICLE_READ, json.dumps({"list": [read]}).encode(), fetched)
        load(warehouse, ARTICLE_TOTAL_DETAIL, told, fetched, published)

    known = "SELECT publication_date, title FROM weixin.dim_article"
    assert rows(warehouse, known) == [(published, "题")]
    days = "SELECT msgid, stat_date FROM weixin.fact_article_read"
    assert rows(warehouse, days) == [("1_1", DAY)]


@pytest.mark.parametrize("clock", [("24 10:30", "24 10:30"), ("24 10:30", "24 09:00")])
def test_a_clock_that_stands_still_or_goes_back_hides_no_row(
    warehouse: Engine, monkeypatch: pytest.MonkeyPatch, clock: tuple[str, str]
) -> None:
    """As of any instant it is there once at most, and in the end as it is (0025)."""
    for count, now in enumerate(clock, start=1):
        monkeypatch.setenv("WEIXIN_NOW", at(now).isoformat())
        answered = body(article("1_1", {"20": {"share_count": count}}))
        load_pairs(warehouse, pair(answered, f"2{count} 10:30"), run_id=now)
    asked = "SELECT share_count FROM analytics.article_total_as_of(:instant)"
    found = [
        rows(warehouse, asked, instant=at(f"24 {hour:02}:{minute}"))
        for hour in range(8, 12)
        for minute in ("00", "30")
    ]

    assert max(map(len, found)) == 1
    assert found[-1] == [(2,)]
