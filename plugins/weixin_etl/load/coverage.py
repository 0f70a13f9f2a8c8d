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
from weixin_etl.rules import Evidence, StillCounting, Verdict
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

    def as_row(self) -> dict[str, object]:
        """The columns of `weixin.coverage`."""
        appid, day = self.pair
        return {
            "appid": appid,
            "publication_date": day,
            "data_state": self.data_state,
            "through_date": self.through_date,
            "fetched_at": self.fetched_at,
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
    list_sha256: bytes
    """Of what it lists; see `parse.articles.Parsed.listing`."""
    is_empty: bool
    """Whether it lists nothing."""
    rejected: int
    """Parts of it that do not fit."""
    as_of: datetime
    """What was fetched later does not count: it does not show what WeChat had computed."""

    @property
    def appid(self) -> str:
        """The account."""
        return self.pair[0]

    @property
    def beijing_date(self) -> date:
        """The day of the answer."""
        return clock.beijing_date(self.fetched_at)

    @property
    def yesterday(self) -> date:
        """The newest day that WeChat can have computed when it answered."""
        return self.beijing_date - timedelta(days=1)


def verdicts(
    connection: Connection, dataset: Dataset, answered: Sequence[Answered], *, ready_hour: int
) -> dict[Pair, Verdict]:
    """Gather the facts, and ask the rules once per pair."""
    counting = _still_counting(connection, dataset, answered)
    open_days = _open_days(connection, dataset, answered)
    evidence = _evidence(connection, dataset, answered)
    speaking = _speaking(connection, dataset, answered)
    return {
        it.pair: rules.verdict(
            dataset,
            rules.Answered(
                it.pair[1],
                it.fetched_at,
                it.is_delayed,
                it.list_sha256,
                it.is_empty,
                is_whole=it.pair not in open_days and not it.rejected,
                speaks=(it.appid, it.beijing_date) in speaking,
            ),
            evidence[it.pair],
            counting=counting[it.appid, it.yesterday, it.as_of],
            ready_hour=ready_hour,
        )
        for it in answered
    }


def wake(connection: Connection, dataset: Dataset, answered: Sequence[Answered]) -> None:
    """End the rest of pairs whose account has listed an article since."""
    heard: dict[str, datetime] = {}
    for it in answered:
        if not it.is_empty:
            heard[it.appid] = max(it.fetched_at, heard.get(it.appid, it.fetched_at))
    connection.execute(
        statement("coverage/wake.sql"),
        {"dataset": dataset.name, "appids": list(heard), "heard_ats": list(heard.values())},
    )


def _evidence(
    connection: Connection, dataset: Dataset, answered: Sequence[Answered]
) -> dict[Pair, Evidence]:
    """What earlier answers say of the pairs' lists."""
    rows = connection.execute(
        statement("coverage/evidence.sql"),
        {
            "datasets": [dataset.name] * len(answered),
            "appids": [it.appid for it in answered],
            "publication_dates": [it.pair[1] for it in answered],
        },
    )
    known = {
        (row.appid, row.publication_date): Evidence(
            row.list_sha256 and bytes(row.list_sha256),
            row.list_since_date,
            row.list_changes,
            row.ready_at,
            row.is_resting,
            row.is_provisional,
        )
        for row in rows
    }
    return {it.pair: known.get(it.pair, Evidence()) for it in answered}


def _speaking(
    connection: Connection, dataset: Dataset, answered: Sequence[Answered]
) -> set[tuple[str, date]]:
    """The days on which an answer lists an article of an account: of these, or of others."""
    speaking = {(it.appid, it.beijing_date) for it in answered if not it.is_empty}
    silent = sorted({(it.appid, it.beijing_date) for it in answered} - speaking)
    if not silent:
        return speaking
    rows = connection.execute(
        statement("coverage/speaking.sql"),
        {
            "datasets": [dataset.name] * len(silent),
            "appids": [appid for appid, _ in silent],
            "beijing_dates": [day for _, day in silent],
        },
    )
    return speaking | {(row.appid, row.beijing_date) for row in rows}


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
    connection: Connection,
    dataset: Dataset,
    judged: Mapping[Pair, tuple[datetime, Verdict]],
) -> int:
    """
    Write down what answers are worth that came by no attempt of a run, with their times.

    Returns:
        How many pairs are judged otherwise now.

    """
    rows = [
        {
            "appid": appid,
            "publication_date": day,
            "answered_at": answered_at,
            **verdict_columns(verdict),
        }
        for (appid, day), (answered_at, verdict) in judged.items()
    ]
    done = connection.execute(
        statement("coverage/judge_again.sql"),
        {"dataset": dataset.name, "verdicts": msgspec.json.encode(rows).decode()},
    )
    return done.rowcount


def verdict_columns(verdict: Verdict | None) -> dict[str, object]:
    """A verdict as columns of `weixin.coverage`, of an attempt that brought none as well."""
    evidence = verdict.evidence if verdict else Evidence()
    return {
        "is_final": bool(verdict and verdict.is_final),
        "list_sha256": evidence.list_sha256 and evidence.list_sha256.hex(),
        "list_since_date": evidence.since,
        "list_changes": evidence.changes,
        "is_resting": evidence.is_resting,
        "is_provisional": evidence.is_provisional,
    }
