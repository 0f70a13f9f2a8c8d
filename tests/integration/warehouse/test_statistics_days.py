"""Datasets of statistics days in the warehouse: whatever their rows' key, as the others."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect
from test_as_of import AS_OF
from warehouse_loads import (
    ACCOUNT,
    Loaded,
    article,
    at,
    body,
    contents,
    coverage,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl.datasets import (
    ARTICLE_READ,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    FOLLOWER_TOTAL,
    Dataset,
)
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import Replayed, replay, selected
from weixin_etl.load import Staged
from weixin_etl.model import Counts

DAY = date(2026, 11, 20)
FIXTURES = Path(__file__).parents[2] / "fixtures"
OF_STATISTICS = [it for it in DATASETS.values() if not it.describes_articles]
each = pytest.mark.parametrize("dataset", OF_STATISTICS, ids=lambda it: it.name)


def answer(dataset: Dataset, change: Callable[[str], str] = str, items: int | None = None) -> bytes:
    """The answer that public sources show, of the tests' day; some of its items, or changed."""
    (example,) = (FIXTURES / dataset.name).iterdir()
    shown = json.loads(change(example.read_text().replace("2026-05-12", str(DAY))))
    return json.dumps({**shown, "list": shown["list"][:items]}).encode()


def corrected(dataset: Dataset) -> bytes:
    """The answer with another figure in its first item."""
    metric = next(it.name for it in dataset.figures)
    return answer(dataset, lambda text: text.replace(f'"{metric}":', f'"{metric}":1', 1))


def came(dataset: Dataset, what: bytes, fetched: str) -> Staged:
    return pair(what, fetched, DAY, dataset)


def load(warehouse: Engine, dataset: Dataset, *staged: Staged) -> list[Loaded]:
    return load_pairs(warehouse, *staged, dataset=dataset, run_id=f"of {dataset.name}")


def replayed(warehouse: Engine, dataset: Dataset) -> Replayed:
    return replay(warehouse, dataset, selected(warehouse, dataset), ready_hour=10)


def import_(warehouse: Engine, dataset: Dataset, fetched: str, file: Path) -> Counts:
    """The answer, as another program kept it."""
    line = {
        "appid": ACCOUNT.appid,
        "dataset": dataset.name,
        "day": str(DAY),
        "fetched_at": at(fetched).isoformat(),
        "body": answer(dataset).decode(),
    }
    file.write_text(json.dumps(line))
    return import_files(warehouse, [file], ready_hour=10, commit_bytes=1000).replayed.counts


@each
def test_a_day_is_loaded_corrected_and_final(
    warehouse: Engine, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    New rows, then nothing by an import, then a row with another figure.

    What the fact was is known as of any instant; a replay brings back what somebody changed.
    """
    know(warehouse, ACCOUNT.appid)
    count = len(json.loads(answer(dataset))["list"])
    fact = f"SELECT * FROM weixin.{dataset.fact} ORDER BY 1, 2, 3"
    counts, seen = [], [rows(warehouse, fact)]
    for day, what in (("21", answer(dataset)), ("22", None), ("27", corrected(dataset))):
        monkeypatch.setenv("WEIXIN_NOW", f"2026-11-{day}T08:31:00+08:00")
        if what is None:
            counts.append(import_(warehouse, dataset, f"{day} 08:30", tmp_path / "answers"))
        else:
            (loaded,) = load(warehouse, dataset, came(dataset, what, f"{day} 08:30"))
            counts.append(loaded.counts)
        seen.append(rows(warehouse, fact))

    assert counts == [
        Counts(calls=1, inserted=count),
        Counts(unchanged=count),
        Counts(calls=1, updated=1, unchanged=count - 1),
    ]
    assert coverage(warehouse, "day, settled, row_count, ready_at") == [
        (DAY, "final", count, at("27 08:30"))
    ]
    columns = ", ".join(it["name"] for it in inspect(warehouse).get_columns(dataset.fact, "weixin"))
    as_of = f"{AS_OF.format(dataset.name).replace('*', columns)} ORDER BY 1, 2, 3"
    assert [
        rows(warehouse, as_of, appid=ACCOUNT.appid, instant=at(f"{day} 09:00"))
        for day in ("20", "21", "22", "27")
    ] == seen
    assert contents(warehouse, ["dim_article"]) == {"dim_article": []}
    assert not replayed(warehouse, dataset).changes

    held = f"SELECT to_jsonb(fact) - 'changed_at' FROM weixin.{dataset.fact} AS fact ORDER BY 1"
    before, metric = rows(warehouse, held), dataset.figures[0].name
    with warehouse.begin() as connection:
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {metric} = 1000")
    assert replayed(warehouse, dataset).counts == Counts(updated=count)
    assert rows(warehouse, held) == before


def test_a_stock_that_is_not_there_is_not_ready(warehouse: Engine) -> None:
    """Empty at any hour: kept, and asked for again."""
    know(warehouse, ACCOUNT.appid)

    (it,) = load(warehouse, FOLLOWER_TOTAL, came(FOLLOWER_TOTAL, b'{"list":[]}', "27 23:00"))

    said = "the figures are not ready yet: the answer has no rows yet"
    assert (it.coverage.error_kind, it.coverage.error) == ("not_ready", said)
    assert coverage(warehouse, "row_count, settled, ready_at") == [(0, None, None)]


def test_an_old_article_stays_where_it_was_published(warehouse: Engine) -> None:
    """A day on which it is read is no publication day of it, in either order."""
    dataset, published = ARTICLE_READ, DAY - timedelta(days=5)
    know(warehouse, ACCOUNT.appid)
    read: dict[str, Any] = {"ref_date": str(DAY), "msgid": "1_1", "detail": {"read_user": 3}}
    told = body(
        article("1_1", {"20": {"read_user": 9}}, title="题"), day=published, rows_key="detail_list"
    )

    for fetched in ("21 11:00", "22 11:00"):
        load(warehouse, dataset, came(dataset, json.dumps({"list": [read]}).encode(), fetched))
        load_pairs(
            warehouse,
            pair(told, fetched, published, ARTICLE_TOTAL_DETAIL),
            dataset=ARTICLE_TOTAL_DETAIL,
            run_id=fetched,
        )

    assert rows(
        warehouse,
        "SELECT publication_date, title FROM weixin.dim_article",
    ) == [(published, "题")]
    assert rows(warehouse, "SELECT msgid, stat_date FROM weixin.fact_article_read") == [
        ("1_1", DAY)
    ]
