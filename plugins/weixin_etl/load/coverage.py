"""What the warehouse has of pairs, and what the rules say of it: gathered, judged, written."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import Connection

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import DataState, Pair
from weixin_etl.rules import StillCounting, Verdict
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Had:
    """What we have of a pair, by its newest answer that tells what was published."""

    pair: Pair
    fetched_at: datetime
    data_state: DataState
    article_count: int
    row_count: int
    through_date: date | None

    def as_row(self, ready_hour: int) -> dict[str, object]:
        """The columns of `weixin.coverage`."""
        appid, day = self.pair
        is_empty = self.data_state is DataState.EMPTY
        return {
            "appid": appid,
            "publication_date": day,
            "data_state": self.data_state,
            "through_date": self.through_date,
            "fetched_at": self.fetched_at,
            "is_provisional": is_empty and rules.is_provisional(day, self.fetched_at, ready_hour),
            "article_count": self.article_count,
            "row_count": self.row_count,
        }


def save_data(
    connection: Connection, dataset: Dataset, rows: Sequence[Mapping[str, object]]
) -> None:
    """Write what we have of pairs."""
    connection.execute(
        statement("coverage/data.sql"),
        {"dataset": dataset.name, "answers": msgspec.json.encode(rows).decode()},
    )


@dataclass(frozen=True, slots=True)
class Answered:
    """A pair's answer, once its rows are in the fact: what the rules ask about it."""

    pair: Pair
    fetched_at: datetime
    is_delayed: bool
    rejected: int
    """Parts of it that do not fit."""
    as_of: datetime
    """What was fetched later does not count: it does not show what WeChat had computed."""

    @property
    def appid(self) -> str:
        """The account."""
        return self.pair[0]

    @property
    def yesterday(self) -> date:
        """The newest day that WeChat can have computed when it answered."""
        return clock.beijing_date(self.fetched_at) - timedelta(days=1)


def verdicts(
    connection: Connection, dataset: Dataset, answered: Sequence[Answered], *, ready_hour: int
) -> dict[Pair, Verdict]:
    """Gather the facts, and ask the rules once per pair."""
    counting = _still_counting(connection, dataset, answered)
    open_days = _open_days(connection, dataset, answered)
    return {
        it.pair: rules.verdict(
            dataset,
            it.pair[1],
            it.fetched_at,
            is_delayed=it.is_delayed,
            counting=counting[it.appid, it.yesterday, it.as_of],
            is_whole=it.pair not in open_days and not it.rejected,
            ready_hour=ready_hour,
        )
        for it in answered
    }


_Morning = tuple[str, date, datetime]
"""An account, the day before its answers, and up to when they were fetched."""


def _still_counting(
    connection: Connection, dataset: Dataset, answered: Sequence[Answered]
) -> Mapping[_Morning, StillCounting]:
    """By account and the day before its answers: midnight may pass between two of them."""
    asked = {(it.appid, it.yesterday, it.as_of) for it in answered}
    rows = connection.execute(
        statement("coverage/still_counting.sql", dataset),
        {
            "datasets": [dataset.name] * len(asked),
            "appids": [appid for appid, *_ in asked],
            "yesterdays": [yesterday for _, yesterday, _ in asked],
            "as_ofs": [as_of for *_, as_of in asked],
        },
    )
    days: dict[_Morning, set[date]] = defaultdict(set)
    reported: set[_Morning] = set()
    for row in rows:
        morning = row.appid, row.yesterday, row.as_of
        days[morning].add(row.publication_date)
        if row.has_yesterday:
            reported.add(morning)
    return {it: StillCounting(days[it], it in reported) for it in asked}


def _open_days(connection: Connection, dataset: Dataset, answered: Sequence[Answered]) -> set[Pair]:
    """Of the pairs that may be final."""
    due = [it.pair for it in answered if rules.is_last_row_due(dataset, it.pair[1], it.fetched_at)]
    rows = connection.execute(
        statement("fact/open_days.sql", dataset),
        {
            "datasets": [dataset.name] * len(due),
            "appids": [appid for appid, _ in due],
            "publication_dates": [day for _, day in due],
        },
    )
    return {(row.appid, row.publication_date) for row in rows}


def judge_again(
    connection: Connection, dataset: Dataset, judged: Mapping[Pair, tuple[datetime, bool]]
) -> int:
    """
    Write down since when pairs are ready, and whether final, by no attempt of a run.

    Returns:
        How many pairs are ready or final that were not.

    """
    rows = [
        {"appid": appid, "publication_date": day, "ready_at": ready_at, "is_final": is_final}
        for (appid, day), (ready_at, is_final) in judged.items()
    ]
    done = connection.execute(
        statement("coverage/judge_again.sql"),
        {"dataset": dataset.name, "verdicts": msgspec.json.encode(rows).decode()},
    )
    return done.rowcount
