"""
What coverage says of pairs: what we have, and what the rules say of it.

The facts are gathered, judged by one call of the rules per pair, and written down. Of each pair it
takes the newest answer, in short, once its rows are in the fact.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.model import Pair
from weixin_etl.parse.articles import Summary
from weixin_etl.rules import Evidence, StillCounting, Verdict
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import arrays

Answers = Mapping[Pair, Summary]
"""The newest answer of each pair, in short."""


class _Morning(NamedTuple):
    """An account's answers of a day, and up to when they were fetched."""

    appid: str
    as_of: datetime

    @property
    def beijing_date(self) -> date:
        return clock.beijing_date(self.as_of)

    @property
    def yesterday(self) -> date:
        """The newest day that WeChat can have computed by then."""
        return self.beijing_date - timedelta(days=1)


def data_columns(pair: Pair, answer: Summary) -> dict[str, object]:
    """What we have of a pair by its newest answer that tells it, as columns of coverage."""
    return {
        "appid": pair[0],
        "publication_date": pair[1],
        "data_state": answer.data_state,
        "through_date": answer.through_date,
        "fetched_at": answer.fetched_at,
        "article_count": answer.article_count,
        "row_count": answer.row_count,
    }


def save_data(connection: Connection, dataset: Dataset, rows: Collection[object]) -> None:
    """Write what we have of pairs."""
    connection.execute(
        statement("coverage/data.sql"),
        {"dataset": dataset.name, "answers": msgspec.json.encode(rows).decode()},
    )


def verdicts(
    connection: Connection,
    dataset: Dataset,
    answers: Answers,
    *,
    ready_hour: int,
    are_together: bool,
) -> dict[Pair, Verdict]:
    """
    Gather the facts, and ask the rules once per pair.

    What was fetched later than an answer does not count: it does not show what WeChat had computed.
    But if the answers `are_together`, any answer of an account's morning counts for all of them.
    """
    mornings = {pair: _Morning(pair[0], it.fetched_at) for pair, it in answers.items()}
    if are_together:
        ends: dict[tuple[str, date], _Morning] = {}
        for it in sorted(mornings.values(), key=lambda it: it.as_of):
            ends[it.appid, it.beijing_date] = it
        mornings = {pair: ends[it.appid, it.beijing_date] for pair, it in mornings.items()}
    evidence = _evidence(connection, dataset, answers)
    open_days = _open_days(connection, dataset, answers)
    counting = _still_counting(connection, dataset, set(mornings.values()))
    speaking = _speaking(connection, dataset, answers)
    return {
        pair: rules.verdict(
            dataset,
            rules.Answered(
                pair[1],
                it.fetched_at,
                it.is_delayed,
                it.list_sha256,
                it.is_empty,
                is_whole=pair not in open_days and not it.rejected,
                speaks=(pair[0], clock.beijing_date(it.fetched_at)) in speaking,
            ),
            evidence.get(pair, Evidence()),
            counting=counting[mornings[pair]],
            ready_hour=ready_hour,
        )
        for pair, it in answers.items()
    }


def _evidence(connection: Connection, dataset: Dataset, answers: Answers) -> dict[Pair, Evidence]:
    """What earlier answers say of the pairs' lists."""
    rows = connection.execute(statement("coverage/evidence.sql"), arrays(dataset, answers.keys()))
    return {
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


def _speaking(connection: Connection, dataset: Dataset, answers: Answers) -> set[tuple[str, date]]:
    """The days on which an answer lists an article of an account: of these, or of others."""
    days: dict[tuple[str, date], bool] = {}
    for (appid, _), it in answers.items():
        day = appid, clock.beijing_date(it.fetched_at)
        days[day] = days.get(day, False) or not it.is_empty
    speaking = {day for day, speaks in days.items() if speaks}
    if not (silent := sorted(days.keys() - speaking)):
        return speaking
    rows = connection.execute(
        statement("coverage/speaking.sql"), arrays(dataset, silent, "beijing_dates")
    )
    return speaking | {(row.appid, row.beijing_date) for row in rows}


def _still_counting(
    connection: Connection, dataset: Dataset, mornings: Collection[_Morning]
) -> dict[_Morning, StillCounting]:
    """Which of each account's days list articles that must get a row of the day before."""
    rows = connection.execute(
        statement("coverage/still_counting.sql", dataset),
        {
            **arrays(dataset, [(it.appid, it.yesterday) for it in mornings], "yesterdays"),
            "as_ofs": [it.as_of for it in mornings],
        },
    )
    days: dict[_Morning, set[date]] = defaultdict(set)
    reported: set[_Morning] = set()
    for row in rows:
        morning = _Morning(row.appid, row.as_of)
        days[morning].add(row.publication_date)
        if row.has_yesterday:
            reported.add(morning)
    return {it: StillCounting(days[it], it in reported) for it in mornings}


def _open_days(connection: Connection, dataset: Dataset, answers: Answers) -> set[Pair]:
    """Of the pairs that may be final, those with an article that lacks a row."""
    due = [
        pair
        for pair, it in answers.items()
        if rules.is_last_row_due(dataset, pair[1], it.fetched_at)
    ]
    rows = connection.execute(statement("fact/open_days.sql", dataset), arrays(dataset, due))
    return {(row.appid, row.publication_date) for row in rows}


def judge_again(
    connection: Connection, dataset: Dataset, answers: Answers, found: Mapping[Pair, Verdict]
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
            "answered_at": answers[appid, day].fetched_at,
            **verdict_columns(verdict),
        }
        for (appid, day), verdict in found.items()
    ]
    done = connection.execute(
        statement("coverage/judge_again.sql"),
        {"dataset": dataset.name, "verdicts": msgspec.json.encode(rows).decode()},
    )
    return done.rowcount


def verdict_columns(verdict: Verdict | None) -> dict[str, object]:
    """A verdict as columns of `weixin.coverage`; also for an attempt without one."""
    evidence = verdict.evidence if verdict else Evidence()
    return {
        "is_final": bool(verdict and verdict.is_final),
        "list_sha256": evidence.list_sha256 and evidence.list_sha256.hex(),
        "list_since_date": evidence.since,
        "list_changes": evidence.changes,
        "is_resting": evidence.is_resting,
        "is_provisional": evidence.is_provisional,
    }


def wake(connection: Connection, dataset: Dataset, answers: Answers) -> None:
    """End the rest of pairs whose account has listed an article since."""
    heard: dict[str, datetime] = {}
    for (appid, _), it in answers.items():
        if not it.is_empty:
            heard[appid] = max(it.fetched_at, heard.get(appid, it.fetched_at))
    connection.execute(
        statement("coverage/wake.sql"),
        {"dataset": dataset.name, "appids": list(heard), "heard_ats": list(heard.values())},
    )
