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

from weixin_etl import clock, rules
from weixin_etl.datasets import Day
from weixin_etl.load.tables import Tables
from weixin_etl.model import Pair, Summary
from weixin_etl.rules import Evidence, StillCounting, Verdict

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


def save_data(tables: Tables, answers: Answers) -> None:
    """Write what we have of pairs."""
    rows = [data_columns(pair, it) for pair, it in answers.items()]
    tables.execute("coverage/data.sql", answers=msgspec.json.encode(rows).decode())


def verdicts(
    tables: Tables, answers: Answers, *, ready_hour: int, are_together: bool
) -> dict[Pair, Verdict]:
    """
    Gather the facts, and ask the rules once per pair.

    What was fetched later than an answer does not count: it does not show what WeChat had computed.
    But if the answers `are_together`, any answer of an account's morning counts for all of them.
    An answer of a statistics day stands for itself.
    """
    dataset, evidence = tables.dataset, _evidence(tables, answers)
    if dataset.day is Day.STATISTICS:
        return {
            pair: rules.verdict_of_statistics(
                dataset, pair[1], it, evidence.get(pair, Evidence()), ready_hour=ready_hour
            )
            for pair, it in answers.items()
        }
    mornings = {pair: _Morning(pair[0], it.fetched_at) for pair, it in answers.items()}
    if are_together:
        ends = {(it.appid, it.beijing_date): it for it in sorted(mornings.values())}
        mornings = {pair: ends[it.appid, it.beijing_date] for pair, it in mornings.items()}
    open_days = _open_days(tables, answers)
    counting = _still_counting(tables, set(mornings.values()))
    speaking = _speaking(tables, answers)
    return {
        pair: rules.verdict(
            dataset,
            pair[1],
            it,
            evidence.get(pair, Evidence()),
            counting=counting[mornings[pair]],
            is_whole=pair not in open_days and not it.rejected,
            speaks=(pair[0], it.beijing_date) in speaking,
            ready_hour=ready_hour,
        )
        for pair, it in answers.items()
    }


def _evidence(tables: Tables, answers: Answers) -> dict[Pair, Evidence]:
    """What earlier answers say of the pairs' lists."""
    return {
        (row.appid, row.publication_date): Evidence(
            row.list_sha256 and bytes(row.list_sha256),
            row.list_since_date,
            row.list_changes,
            row.ready_at,
            row.is_resting,
            row.is_provisional,
        )
        for row in tables.execute("coverage/evidence.sql", **tables.arrays(answers))
    }


def _speaking(tables: Tables, answers: Answers) -> set[tuple[str, date]]:
    """The days on which an answer lists an article of an account: of these, or of others."""
    days = {(appid, it.beijing_date) for (appid, _), it in answers.items()}
    speaking = {(appid, it.beijing_date) for (appid, _), it in answers.items() if not it.is_empty}
    if not (silent := sorted(days - speaking)):
        return speaking
    rows = tables.execute("coverage/speaking.sql", **tables.arrays(silent, "beijing_dates"))
    return speaking | {(row.appid, row.beijing_date) for row in rows}


def _still_counting(
    tables: Tables, mornings: Collection[_Morning]
) -> dict[_Morning, StillCounting]:
    """Which of each account's days list articles that must get a row of the day before."""
    rows = tables.execute(
        "coverage/still_counting.sql",
        **tables.arrays([(it.appid, it.yesterday) for it in mornings], "yesterdays"),
        as_ofs=[it.as_of for it in mornings],
    )
    days: dict[_Morning, set[date]] = defaultdict(set)
    reported: set[_Morning] = set()
    for row in rows:
        morning = _Morning(row.appid, row.as_of)
        days[morning].add(row.publication_date)
        if row.has_yesterday:
            reported.add(morning)
    return {it: StillCounting(days[it], it in reported) for it in mornings}


def _open_days(tables: Tables, answers: Answers) -> set[Pair]:
    """The pairs that may be final but have an article that lacks a row."""
    due = [
        pair
        for pair, it in answers.items()
        if rules.days_past(tables.dataset, pair[1], it.fetched_at) >= 0
    ]
    rows = tables.execute("fact/open_days.sql", **tables.arrays(due))
    return {(row.appid, row.publication_date) for row in rows}


def judge_again(tables: Tables, answers: Answers, found: Mapping[Pair, Verdict]) -> int:
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
    verdicts = msgspec.json.encode(rows).decode()
    return tables.execute("coverage/judge_again.sql", verdicts=verdicts).rowcount


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


def wake(tables: Tables, answers: Answers) -> None:
    """End the rest of pairs whose account has listed an article since."""
    heard = {
        appid: it.fetched_at
        for (appid, _), it in sorted(answers.items(), key=lambda pair: pair[1].fetched_at)
        if not it.is_empty
    }
    tables.execute("coverage/wake.sql", appids=list(heard), heard_ats=list(heard.values()))
