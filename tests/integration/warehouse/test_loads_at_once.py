"""Loads at the same time: of one account they wait for each other, of several they do not."""

from collections.abc import Iterator, Sequence
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
from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.model import Counts

ROUNDS = 5
ARTICLES = 300
ONE_ROW = body(article("1_1", {"20": {"share_count": 1}}))
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


def load_all(
    warehouse: Engine, commits: Sequence[Commit], dataset: Dataset = ARTICLE_TOTAL
) -> None:
    for of_round in commits:
        outcomes = [
            pair(answer.replace(b"details", dataset.rows_key.encode()), fetched_at, day, dataset)
            for day, answer, fetched_at in of_round
        ]
        load_pairs(warehouse, *outcomes, dataset=dataset)


@pytest.fixture
def both() -> tuple[list[Commit], list[Commit]]:
    """What each of the two loads, round by round: the same pairs, in opposite orders."""
    one, other = (
        [commit(number, is_reversed=is_reversed) for number in range(ROUNDS)]
        for is_reversed in (False, True)
    )
    return one, other


def test_two_processes(warehouse: Engine, both: tuple[list[Commit], list[Commit]]):
    """Tasks of two runs that load the same pairs at once end as one after the other."""
    for of_round in zip(*both, strict=True):
        load_all(warehouse, of_round)
    one_after_the_other = loaded(warehouse)
    empty(warehouse)
    together = context.Barrier(2)

    processes = [start(warehouse, ACCOUNT, commits, together=together) for commits in both]

    assert [exit_code(process) for process in processes] == [0, 0]
    assert loaded(warehouse) == one_after_the_other
    assert facts(warehouse, "share_count") == [(4,)] * 3 * ARTICLES


def test_two_datasets(warehouse: Engine, both: tuple[list[Commit], list[Commit]]):
    """Both endpoints' DAGs run at the same minute and hold the same articles, in their orders."""
    together = Barrier(2)

    def load_as(dataset: Dataset, commits: Sequence[Commit]) -> None:
        for of_round in commits:
            together.wait(PATIENCE_SECONDS)
            load_all(warehouse, [of_round], dataset)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load_as, (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL), both))

    held = contents(warehouse, ["dim_article", "article_sighting"])
    assert len(held["dim_article"]) == 3 * ARTICLES
    assert len(held["article_sighting"]) == 2 * 3 * ARTICLES


@pytest.fixture
def impatient(warehouse: Engine) -> Iterator[Engine]:
    """The warehouse of somebody who waits for no lock, while a load of ACCOUNT is under way."""
    engine = the_warehouse.engine(warehouse.url)
    event.listen(
        engine, "connect", lambda raw, _: raw.cursor().execute("SET lock_timeout = '50ms'")
    )
    with warehouse.connect() as connection, connection.begin():
        connection.execute(LOCK, {"key": ACCOUNT.appid})
        yield engine
    engine.dispose()


def test_loads_of_one_account_wait_for_each_other(impatient: Engine):
    """Before they do anything."""
    with pytest.raises(OperationalError, match="lock timeout"):
        load_pairs(impatient, pair(ONE_ROW, "24 08:30"))


def test_other_accounts_do_not_wait(impatient: Engine):
    """Though the msgids are the same."""
    (judged,) = load_pairs(impatient, pair(ONE_ROW, "24 08:30"), account=OTHER_ACCOUNT)

    assert judged.counts == Counts(inserted=1)
