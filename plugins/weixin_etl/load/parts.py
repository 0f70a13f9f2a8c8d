"""Rejected parts of answers: open until later answers give what they are about."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row

from weixin_etl.load.outcome import Outcome
from weixin_etl.load.stage import gives
from weixin_etl.load.tables import Tables
from weixin_etl.model import Pair
from weixin_etl.parse.articles import Article, Parsed, Rejected


@dataclass(slots=True)
class _OpenPart:
    raw_response_id: int
    """The answer that it is part of."""
    rejected: Rejected
    days: set[date]
    """The days that it may be about and that no later answer gave."""
    listed: set[str]
    """The articles that later answers list."""
    listed_before: int
    """How many articles its own answer lists, those without a name included."""

    def is_given_by(self, later: Mapping[str, Article]) -> bool:
        """Whether the next answer, with those before it, gives as it should be what it is about."""
        part = self.rejected
        if part.msgid is None:
            self.listed.update(later)
            return len(self.listed) >= self.listed_before
        article = later.get(part.msgid)
        if article is None:
            return False
        if part.metric and part.stat_date:
            row = article.rows.get(part.stat_date)
            return getattr(row, part.metric, None) is not None
        self.days -= article.rows.keys()
        return not self.days


class OpenParts:
    """
    What of a pair's answers does not fit, until later answers give it as it should be.

    A value is given by the same article, day and metric, a row by the same article and day. A row
    without a day of the window, and an article, by rows of each day they can have been about; what
    names no article, by as many articles as were listed with it. An answer that merely leaves a
    part out gives nothing.
    """

    def __init__(self, publication_date: date, window: int) -> None:
        """Take no answer yet; an article has rows of `window` days."""
        self._window = _days(publication_date, window)
        self._open: list[_OpenPart] = []
        self.given: list[tuple[int, Rejected]] = []
        """Parts that later answers gave, each with its answer, by raw_response_id."""

    @property
    def open(self) -> list[tuple[int, Rejected]]:
        """Parts that none gave, each with its answer, by raw_response_id."""
        return [(part.raw_response_id, part.rejected) for part in self._open]

    def take(self, raw_response_id: int, answer: Parsed, last_day: date) -> None:
        """Take the answer that was seen next; its rows end with `last_day`."""
        self._give(answer.articles)
        past = [day for day in self._window if day <= last_day] or self._window[:1]
        listed: set[str] = set()
        count = len(answer.articles) + sum(it.msgid is None for it in answer.rejected)
        for it in answer.rejected:
            days = {it.stat_date} if it.stat_date in self._window else set(past)
            self._open.append(_OpenPart(raw_response_id, it, days, listed, count))

    def take_elsewhere(self, articles: Mapping[str, Article]) -> None:
        """Take what was seen next of shared articles, under another publication day."""
        self._give(articles, is_elsewhere=True)

    def _give(self, articles: Mapping[str, Article], *, is_elsewhere: bool = False) -> None:
        still_open = []
        for part in self._open:
            may_give = part.rejected.msgid is not None or not is_elsewhere
            if may_give and part.is_given_by(articles):
                self.given.append((part.raw_response_id, part.rejected))
            else:
                still_open.append(part)
        self._open = still_open


def _days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=number) for number in range(count)]


Part = tuple[int, str | None, date | None, str | None, str, bytes]
"""A rejected part of an answer, as told from others: its payload by the SHA-256."""


def part(raw_response_id: int, rejected: Rejected) -> Part:
    """What tells a part of an answer from others."""
    digest = hashlib.sha256(rejected.payload.encode()).digest()
    at = rejected.msgid, rejected.stat_date, rejected.metric
    return (raw_response_id, *at, rejected.reason, digest)


def open_parts(
    tables: Tables, listed: Mapping[Pair, Collection[str]]
) -> dict[Pair, dict[Part, Row[Any]]]:
    """The open parts of pairs, and of those that have such a part of an article listed now."""
    found: dict[Pair, dict[Part, Row[Any]]] = defaultdict(dict)
    for row in tables.execute("rejected_row/open.sql", listings=tables.listings(listed)):
        at = row.msgid, row.stat_date, row.metric
        known = (row.raw_response_id, *at, row.reason, bytes(row.payload_sha256))
        found[row.appid, row.publication_date][known] = row
    return found


def given_parts(
    tables: Tables, answer: Outcome, place: Row[Any], known: Mapping[Part, Row[Any]]
) -> list[int] | None:
    """
    Of a pair's open parts, the ones that its newest answer gives or that fit now.

    None if only all kept answers tell: a part names no row, or an article that the answer does not
    list, but another day's may.
    """
    own = {part(place.raw_response_id, it) for it in answer.rejected_parts}
    dataset = tables.dataset
    window = _days(answer.publication_date, dataset.row_days)
    given: list[int] = []
    for key, row in known.items():
        line = answer.rows.get((row.msgid, row.stat_date))
        is_of_a_row = row.stat_date and (row.metric or row.stat_date in window)
        if row.raw_response_id == place.raw_response_id:
            is_given = key not in own
        elif not is_of_a_row or (dataset.describes_articles and row.msgid not in answer.msgids):
            return None
        else:
            is_given = line is not None and (
                not row.metric or gives(dataset, row.msgid, line, row.metric)
            )
        if is_given:
            given.append(row.rejected_row_id)
    return given


def settled_parts(
    pair: Pair, parts: OpenParts, known: Mapping[Part, Row[Any]], merged: Collection[int]
) -> tuple[list[int], list[tuple[Pair, int, Rejected]]]:
    """
    Of a pair's open parts, the ones that later answers gave or that fit now; and those to add.

    What an answer says today is in the fact only if it is one of `merged`, by raw_response_id.
    """
    still_open = {part(number, it): (pair, number, it) for number, it in parts.open}
    given = {part(number, it) for number, it in parts.given}
    resolved = [
        row.rejected_row_id
        for it, row in known.items()
        if it in given or (row.raw_response_id in merged and it not in still_open)
    ]
    new = [its for it, its in still_open.items() if it not in known and it[0] in merged]
    return resolved, new


def settle(
    tables: Tables, resolved: Sequence[int], new: Sequence[tuple[Pair, int, Rejected]]
) -> None:
    """Resolve open parts, and write down others."""
    if resolved:
        values = {"rejected_row_ids": resolved, "resolved_at": tables.changed_at}
        rows = tables.execute("rejected_row/resolve.sql", **values)
        tables.touched |= {(row.appid, row.publication_date) for row in rows}
    if new:
        tables.touched |= {pair for pair, *_ in new}
        tables.execute(
            "rejected_row/save.sql",
            **tables.arrays([pair for pair, *_ in new]),
            msgids=[it.msgid for *_, it in new],
            stat_dates=[it.stat_date for *_, it in new],
            metrics=[it.metric for *_, it in new],
            reasons=[it.reason for *_, it in new],
            payloads=[it.payload for *_, it in new],
            raw_response_ids=[raw_response_id for _, raw_response_id, _ in new],
            rejected_at=tables.changed_at,
        )
