"""
The rollups: filled where there are none, whole, and quick to read.

That any history of loads leaves them as they should be is tested in test_newest_answer_wins.py,
test_calendars.py and tests/faults.
"""

from datetime import date

import pytest
from sqlalchemy import Engine
from support import rows, stale_rollups
from warehouse_loads import article, at, body, know, load_pairs, pair, whole

from weixin_etl.datasets import ARTICLE_DATASETS, ARTICLE_TOTAL, Dataset
from weixin_etl.warehouse import migrate
from weixin_etl.warehouse.statements import sql_directory
from weixin_etl.warehouse.views import views

BEFORE, AFTER, LATER = date(2026, 10, 1), date(2026, 11, 20), date(2026, 11, 21)
FORGET = f"TRUNCATE weixin.latest_{ARTICLE_TOTAL.name}, weixin.account_day_{ARTICLE_TOTAL.name}"


def load(warehouse: Engine, *days: date) -> None:
    """An account's publication days, a commit each."""
    know(warehouse, "wx1")
    for day in days:
        load_pairs(warehouse, pair(body(whole(day, LATER), day=day), at("24 10:00"), day=day))


def forget(warehouse: Engine) -> None:
    """What a warehouse of a release without rollups is, once its tables are made."""
    with warehouse.begin() as connection:
        connection.exec_driver_sql(FORGET)


def test_migrate_fills_them_once(warehouse: Engine):
    """Accounts that have facts get their rollups, with progress; then there is nothing to do."""
    load(warehouse, AFTER, LATER)
    forget(warehouse)
    url = warehouse.url.render_as_string(hide_password=False)
    progress: list[tuple[int, int]] = []

    said = migrate(url, lambda done, total: progress.append((done, total)))

    assert said == "Worked out the rollups of 1 account."
    assert progress == [(0, 1), (1, 1)]
    assert stale_rollups(warehouse) == []
    assert migrate(url) == ""


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)
def test_the_totals_of_a_day_are_in_the_order_of_the_metrics(warehouse: Engine, dataset: Dataset):
    """
    What is kept would mean other metrics otherwise.

    Who changes the order, or adds a metric, writes a migration that works them out again.
    """
    found = rows(
        warehouse,
        "SELECT substring(col_description(attrelid, attnum) FROM 'in this order: (.*);') "
        "FROM pg_attribute WHERE attrelid = to_regclass(:of) AND attname ~ '^day_[0-9]+$'",
        of=f"weixin.latest_{dataset.name}",
    )
    assert found == [(", ".join(metric.name for metric in dataset.wholes),)] * 4


def test_the_totals_of_days_are_filled_where_there_were_none(warehouse: Engine):
    """By the migration after the one that adds their columns."""
    load(warehouse, AFTER, LATER)
    up, _ = (
        (sql_directory() / "migrations/0013_growth_is_filled.sql")
        .read_text()
        .split("-- migrate:down")
    )
    with warehouse.begin() as connection:
        empty = "UPDATE weixin.latest_article_total SET (day_1, day_3) = (NULL, NULL)"
        connection.exec_driver_sql(empty)
    assert stale_rollups(warehouse) != []

    with warehouse.begin() as connection:
        connection.exec_driver_sql(up)

    assert stale_rollups(warehouse) == []


def test_a_load_of_an_account_without_rollups_fills_them(warehouse: Engine):
    """Whoever is first, a load or the filling: an account's rollups are whole."""
    load(warehouse, AFTER)
    forget(warehouse)

    load(warehouse, LATER)

    assert stale_rollups(warehouse) == []


def test_days_between_answers_are_there(warehouse: Engine):
    """A day between those that answers tell of has a row, of which nothing is known."""
    load(warehouse, AFTER, BEFORE)

    assert stale_rollups(warehouse) == []
    assert rows(
        warehouse,
        "SELECT count(*), count(DISTINCT calendar_date), min(calendar_date), "
        "bool_or(is_complete) FROM analytics.account_day WHERE calendar_date <= '2026-11-20'",
    ) == [(51, 51, BEFORE, False)]


def test_an_article_that_moves_takes_its_days_along(warehouse: Engine):
    """The gap before its first row was of its old publication day; then there is none."""
    know(warehouse, "wx1")
    moved = date(2026, 11, 22)
    for day, dates, fetched in ((AFTER, ["22"], "24 10:00"), (moved, ["22", "23"], "25 10:00")):
        its = article("1_1", {it: {"int_page_read_user": 5} for it in dates})
        load_pairs(warehouse, pair(body(its, day=day), fetched, day=day))

    assert stale_rollups(warehouse) == []


@pytest.mark.every_postgres
def test_no_view_is_compiled(warehouse: Engine):
    """On a server that can, Postgres compiles no view of a fresh warehouse: that takes seconds."""
    with warehouse.connect() as connection:
        for view in views():
            query = f"SELECT * FROM {view.full_name}"  # noqa: S608 # a view of ours
            plan = connection.exec_driver_sql(f"EXPLAIN ANALYZE {query}")
            assert "JIT" not in "".join(plan.scalars()), view.full_name
