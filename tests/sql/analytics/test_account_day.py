"""A day of an account is what its articles gained, however their rows lie."""

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import view_cases as cases
from sqlalchemy import Connection, Engine, MetaData

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_DATASETS, Dataset

FIRST = date(2026, 3, 1)
DAY = timedelta(days=1)
SUMS = """
    SELECT appid, stat_date, {sums}
    FROM analytics.article_day{suffix}
    WHERE day_number <= {window}
    GROUP BY appid, stat_date
"""


def given(dataset: Dataset, seed: int) -> dict[str, list[dict[str, Any]]]:
    """
    Accounts with articles as the load leaves them: coverage tells of the newest answer's rows.

    Most articles have all rows. Some lack one, leave a figure out, fall, are listed no more or were
    moved from an earlier day; some days were answered last before the others.
    """
    chance = random.Random(seed)  # no secret
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("dim_article", "listed", "coverage", dataset.fact)
    }
    figures = [metric.name for metric in dataset.wholes][:3]
    for account in range(4):
        is_odd, today = account > 0, FIRST + DAY * chance.randint(12, 40)
        for number in range((today - FIRST).days):
            day = FIRST + DAY * number
            fetched = today - DAY * (is_odd and chance.random() < 0.2)
            last = min(day + DAY * (dataset.window - 1), fetched - DAY)
            listed = rows = 0
            for place in range(chance.randint(0, 3)):
                key = {"appid": f"wx{account}", "msgid": f"{number}_{place}"}
                is_moved = is_odd and chance.random() < 0.05
                is_gone = is_odd and chance.random() < 0.1
                its_first, its_last = day - DAY * 2 * is_moved, last - DAY * 2 * is_gone
                since = datetime.combine(last, datetime.min.time(), SHANGHAI) if is_gone else None
                tables["dim_article"].append({**key, "publication_date": day})
                tables["listed"].append({**key, "dataset": dataset.name, "unlisted_since": since})
                value = 0
                for age in range((its_last - its_first).days + 1):
                    if is_odd and chance.random() < 0.06:
                        continue
                    value += chance.choice([5, 7, -3])
                    row = {
                        **key,
                        "publication_date": day,
                        "stat_date": its_first + DAY * age,
                        **{name: value + place for place, name in enumerate(figures)},
                    }
                    if is_odd and chance.random() < 0.1:
                        row[chance.choice(figures)] = None
                    tables[dataset.fact].append(row)
                    rows += not is_gone and its_first + DAY * age >= day
                listed += not is_gone
            at = datetime.combine(fetched, datetime.min.time(), SHANGHAI)
            tables["coverage"].append(
                {
                    "appid": f"wx{account}",
                    "dataset": dataset.name,
                    "day": day,
                    "lists": max(listed, 1),
                    "article_count": max(listed, 1),
                    "fetched_at": at,
                    "row_count": rows,
                    "through_date": last if listed else None,
                }
            )
    return tables


@pytest.mark.every_postgres
@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=lambda it: it.name)
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_sum_of_its_articles_days(
    warehouse: Engine, tables: MetaData, dataset: Dataset, seed: int
) -> None:
    """Also around gaps, falls, figures left out, and articles that were deleted or moved."""
    names = [metric.common or metric.name for metric in dataset.wholes][:3]
    columns = ", ".join(f"{name}_increment" for name in names)
    with warehouse.connect() as connection:
        cases.give(connection, tables, given(dataset, seed))
        sums = ", ".join(f"sum({name}_increment)" for name in names)
        expected = read(
            connection, SUMS.format(sums=sums, suffix=dataset.suffix, window=dataset.window)
        )
        found = read(
            connection,
            f"SELECT appid, calendar_date, {columns} FROM analytics.account_day{dataset.suffix} ",
        )
        connection.rollback()

    assert len(expected) > 50
    its_days = {row[:2] for row in expected}
    assert [row for row in found if row[:2] in its_days] == expected
    # nobody gained anything on the others
    assert all(not any(row[2:]) for row in found if row[:2] not in its_days)


def read(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """The rows, in order."""
    return sorted(tuple(row) for row in connection.exec_driver_sql(sql))
