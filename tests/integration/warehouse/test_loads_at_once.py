"""Loads at the same time: of one account they wait for each other, of several they do not."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import sqlalchemy
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from support import empty
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    RUN,
    article,
    at,
    body,
    contents,
    facts,
    load_pairs,
    pair,
)
from warehouse_processes import PATIENCE_SECONDS, Commit, context, exit_code, start

from weixin_etl import warehouse as the_warehouse
from weixin_etl.api.client import Answer
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.load import load
from weixin_etl.pair import Counts, Pair
from weixin_etl.parse import parse

ROUNDS = 5
ARTICLES = 300
LOCK = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
"""What a load takes first."""


def commit(number: int, *, is_reversed: bool) -> Commit:
    """Three days with the same figures for whoever loads them in this round, in its own order."""
    order = -1 if is_reversed else 1
    days = [DAY - timedelta(days=age) for age in range(3)][::order]
    return [
        (
            day,
            body(
                *[
                    article(f"{day:%d}{index}_1", {"20": {"share_count": number}})
                    for index in range(ARTICLES)
                ][::order],
                day=day,
            ),
            at("24 08:30") + timedelta(minutes=number),
        )
        for day in days
    ]


def loaded(warehouse: Engine) -> dict[str, object]:
    """What must not depend on who came first: all but which of two like answers was kept."""
    held = contents(warehouse, ["dim_article", "fact_article_total", "restatement", "coverage"])
    return {**held, "answers": len(contents(warehouse, ["raw_response"])["raw_response"])}


def load_all(warehouse: Engine, commits: Sequence[Commit], together: Barrier | None = None) -> None:
    for of_round in commits:
        if together:
            together.wait(PATIENCE_SECONDS)
        pairs = [pair(answer, fetched_at, day=day) for day, answer, fetched_at in of_round]
        load_pairs(warehouse, *pairs)


@pytest.fixture(autouse=True)
def _today(now: None) -> None:  # the clock stands still
    pass


@pytest.fixture
def both() -> tuple[list[Commit], list[Commit]]:
    """What each of the two loads, round by round: the same pairs, in opposite orders."""
    one, other = (
        [commit(number, is_reversed=is_reversed) for number in range(ROUNDS)]
        for is_reversed in (False, True)
    )
    return one, other


@pytest.fixture
def one_after_the_other(
    warehouse: Engine, both: tuple[list[Commit], list[Commit]]
) -> dict[str, object]:
    """What the tables hold after both loaded in turn."""
    for round_ in zip(*both, strict=True):
        load_all(warehouse, round_)
    held = loaded(warehouse)
    empty(warehouse)
    return held


def test_two_threads(
    warehouse: Engine, both: tuple[list[Commit], list[Commit]], one_after_the_other: dict
):
    """Two loads of the same pairs at once end as one after the other, without a deadlock."""
    together = Barrier(2)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda commits: load_all(warehouse, commits, together), both))

    assert loaded(warehouse) == one_after_the_other
    assert facts(warehouse, "share_count") == [(4,)] * 3 * ARTICLES


def test_two_processes(
    warehouse: Engine, both: tuple[list[Commit], list[Commit]], one_after_the_other: dict
):
    """The same holds for two processes, such as tasks of two runs."""
    together = context.Barrier(2)

    processes = [start(warehouse, ACCOUNT, commits, together=together) for commits in both]

    assert [exit_code(process) for process in processes] == [0, 0]
    assert loaded(warehouse) == one_after_the_other
    assert facts(warehouse, "share_count") == [(4,)] * 3 * ARTICLES


def test_two_datasets(warehouse: Engine, both: tuple[list[Commit], list[Commit]]):
    """Both endpoints' DAGs run at the same minute and hold the same articles, in their orders."""
    together = Barrier(2)
    endpoints = ("details", ARTICLE_TOTAL), ("detail_list", ARTICLE_TOTAL_DETAIL)

    def load_as(endpoint: tuple[str, Dataset], commits: Sequence[Commit]) -> None:
        rows_key, dataset = endpoint
        for of_round in commits:
            bodies = [
                answer.replace(b'"details"', f'"{rows_key}"'.encode()) for _, answer, _ in of_round
            ]
            pairs = [
                Pair(day, 1, Answer(answer, fetched_at, 1), parse(dataset, answer, day))
                for (day, _, fetched_at), answer in zip(of_round, bodies, strict=True)
            ]
            together.wait(PATIENCE_SECONDS)
            load(warehouse, dataset, ACCOUNT, RUN, pairs)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load_as, endpoints, both))

    held = contents(warehouse, ["dim_article", "article_sighting"])
    assert len(held["dim_article"]) == 3 * ARTICLES
    assert len(held["article_sighting"]) == 2 * 3 * ARTICLES


def test_loads_of_one_account_wait_for_each_other(warehouse: Engine):
    """While a load of an account is under way, another one of it waits before it does anything."""
    answer = pair(body(article("1_1", {"20": {"share_count": 1}})), "24 08:30")
    impatient = the_warehouse.engine(warehouse.url)
    event.listen(
        impatient, "connect", lambda raw, _: raw.cursor().execute("SET lock_timeout = '50ms'")
    )

    with warehouse.connect() as connection, connection.begin():
        connection.execute(LOCK, {"key": ACCOUNT.appid})
        with pytest.raises(OperationalError, match="lock timeout"):
            load_pairs(impatient, answer)

    impatient.dispose()
    assert load_pairs(warehouse, answer)[0].counts == Counts(inserted=1)


def test_other_accounts_do_not_wait(warehouse: Engine):
    """A load that is under way holds back no other account's, though the msgids are the same."""
    answer = body(article("1_1", {"20": {"share_count": 1}}))
    with warehouse.connect() as connection, connection.begin():
        connection.execute(LOCK, {"key": ACCOUNT.appid})
        (report,) = load_pairs(warehouse, pair(answer, "24 08:30"), account=OTHER_ACCOUNT)

    assert report.counts == Counts(inserted=1)
