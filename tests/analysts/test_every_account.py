"""The queries of docs/analysts.md, asked of every account and of days that the page leaves out."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine

from analysts.page import answer, queries, rounded
from analysts.truth import TRUTHS, drops, what_is_missing
from analysts.world import BUSY, PAPER, World, filled_warehouse
from weixin_etl.datasets import DATASETS
from weixin_local.postgres import Server

NAMED = f"appid = '{BUSY.appid}'"
LISTED = f"account_name IN ('{BUSY.name}', '{PAPER.name}')"
OF_AN_ACCOUNT = [it for it in TRUTHS if all(NAMED in query for query in queries(it))]
OF_A_LIST = [it for it in TRUTHS if all(LISTED in query for query in queries(it))]
OF_ALL = [it for it in TRUTHS if it not in OF_AN_ACCOUNT + OF_A_LIST]


@pytest.fixture(scope="module")
def filled(embedded_server: Server) -> Iterator[tuple[Engine, World]]:
    """A warehouse that the engine filled, on the morning of `NOW`, and what WeChat said."""
    with filled_warehouse(embedded_server, "every_account") as filled:
        yield filled


@pytest.fixture
def world(filled: tuple[Engine, World]) -> World:
    """What WeChat said."""
    return filled[1]


@pytest.fixture
def connection(filled: tuple[Engine, World]) -> Iterator[Connection]:
    """A connection whose changes are undone."""
    with filled[0].connect() as connection:
        yield connection
        connection.rollback()


def test_each_question_names_an_account_a_list_or_none():
    """So that each is asked of every account below."""
    assert OF_A_LIST == [11, 15]
    assert OF_ALL == [21, 24]


@pytest.mark.parametrize("question", OF_AN_ACCOUNT)
def test_it_is_the_truth_of_every_account(
    connection: Connection, world: World, question: int
) -> None:
    """Also of one that is silent, or retired, or has a long history."""
    for appid in world.names:
        for query, truth in zip(queries(question), TRUTHS[question], strict=True):
            shown = answer(connection, query.replace(NAMED, f"appid = '{appid}'"))

            assert shown == rounded(truth(world, appid), shown), world.names[appid]


@pytest.mark.parametrize("question", OF_A_LIST)
def test_it_is_the_truth_of_all_accounts_together(
    connection: Connection, world: World, question: int
) -> None:
    """However many accounts are named."""
    (query,), (truth,) = queries(question), TRUTHS[question]
    shown = answer(connection, query.replace(LISTED, f"account_name IN {(*world.names.values(),)}"))

    assert shown == rounded(truth(world, [*world.names]), shown)
    assert {row["account_name"] for row in shown} == {*world.names.values()}


@pytest.mark.parametrize("question", OF_A_LIST + OF_ALL)
def test_accounts_of_one_name_are_not_added_together(
    connection: Connection, world: World, question: int
) -> None:
    """Each has its own rows, in the order of the AppIDs."""
    connection.execute(
        sqlalchemy.text("UPDATE weixin.dim_account SET name = :name"), {"name": "春"}
    )
    namesakes = World(dict.fromkeys(world.names, "春"), world.given)
    (query,), (truth,) = queries(question), TRUTHS[question]
    shown = answer(connection, query.replace(LISTED, "account_name = '春'"))
    of_all = [[*world.names]] if question in OF_A_LIST else []

    assert shown == rounded(truth(namesakes, *of_all), shown)


def test_no_query_divides_by_zero(connection: Connection, world: World) -> None:
    """An account whose every figure is 0 has rows, or none, but no error."""
    for dataset in DATASETS.values():
        figures = ", ".join(f"{it.name} = 0" for it in dataset.figures)
        connection.exec_driver_sql(f"UPDATE weixin.{dataset.fact} SET {figures}")  # noqa: S608 # ours
    failed = []
    for question in TRUTHS:
        try:
            for query in [*queries(question), *queries(question, wrong=True)]:
                answer(connection, query)
        except sqlalchemy.exc.DataError:
            failed.append(question)

    assert failed == []


def test_days_of_a_run_with_dates_are_asked_for_until_they_are_final(
    connection: Connection, world: World
) -> None:
    """October was answered once, before the successor's totals had stopped growing."""
    (query,) = queries(21)
    first_day = date(2026, 10, 1)
    shown = answer(connection, query.replace("2026-11-01", first_day.isoformat()))

    assert shown == what_is_missing(world, first_day)
    unfinished = answer(
        connection,
        "SELECT dataset, publication_date FROM analytics.coverage "
        "WHERE state = 'loaded' AND NOT is_final AND publication_date < DATE '2026-10-24'",
    )
    assert unfinished == []


def test_a_drop_is_judged_by_three_complete_days(connection: Connection, world: World) -> None:
    """In the first days of what was loaded there are fewer: nothing is said of them."""
    (query,) = queries(24)
    last_day, page = date(2026, 10, 10), date(2026, 11, 23)
    for day in (page, page - timedelta(1), page - timedelta(8)):
        query = query.replace(f"{day}", f"{day - (page - last_day)}")
    shown = answer(connection, query)

    assert shown == rounded(drops(world, last_day), shown)
    assert {(row["days"], row["verdict"]) for row in shown if row["account_name"] == BUSY.name} == {
        (2, "unknown"),
        (3, "ok"),
    }
