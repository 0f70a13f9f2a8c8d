"""
Answers of one account into raw answers, articles, rows, restatements and rejected rows.

The newest answer of a pair wins, field by field, whatever the order of arrival: an answer that is
older than the newest loaded one is put in its place by merging the pair's raw answers again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from weixin_etl.api.client import Answer
from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import SeenArticle, StagedPair, stage, unstage
from weixin_etl.model import Counts
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.parse.articles import merge as merge_parsed
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Fetched:
    """A publication day's answer, taken apart as far as it can be."""

    publication_date: date
    answer: Answer
    parsed: Parsed
    is_readable: bool


@dataclass(frozen=True, slots=True)
class _Landed:
    """Where an answer is kept."""

    raw_response_id: int
    is_new: bool
    """Whether it was put there now; else an identical one was there already."""


def merge(
    connection: Connection,
    dataset: Dataset,
    appid: str,
    fetched: Sequence[Fetched],
    *,
    changed_at: datetime,
) -> dict[date, Counts]:
    """Merge the answers, in the transaction of the caller; what changed, by publication day."""
    return _Merge(connection, dataset, appid, changed_at).merge(fetched)


class _Merge:
    def __init__(
        self, connection: Connection, dataset: Dataset, appid: str, changed_at: datetime
    ) -> None:
        self.connection = connection
        self.dataset = dataset
        self.keys = {"dataset": dataset.name, "appid": appid}
        self.changed_at = changed_at

    def merge(self, fetched: Sequence[Fetched]) -> dict[date, Counts]:
        if not fetched:
            return {}
        newest = self._newest([pair.publication_date for pair in fetched])
        landed = self._land(fetched)
        staged = []
        for pair in fetched:
            if pair.is_readable:
                raw_response_id = landed[pair.publication_date].raw_response_id
                articles = self._articles(pair, newest.get(pair.publication_date))
                staged.append(StagedPair(pair.publication_date, raw_response_id, articles))
        counts = self._merge_in(staged)
        self._save_rejected([p for p in fetched if landed[p.publication_date].is_new], landed)
        return counts

    def _newest(self, days: Sequence[date]) -> dict[date, datetime]:
        """Fetch times of the newest loaded answers."""
        rows = self.connection.execute(
            statement("coverage/of_pairs.sql"), {**self.keys, "publication_dates": list(days)}
        )
        return {row.publication_date: row.fetched_at for row in rows}

    def _land(self, fetched: Sequence[Fetched]) -> dict[date, _Landed]:
        """Keep the answers' bytes; where, by publication day."""
        answers = {pair.publication_date: pair.answer for pair in fetched}
        again = self.connection.execute(
            statement("raw_response/see_again.sql"),
            {
                **self.keys,
                "publication_dates": list(answers),
                "hashes": [answer.sha256 for answer in answers.values()],
                "fetched_ats": [answer.fetched_at for answer in answers.values()],
            },
        )
        landed = {day: _Landed(raw_response_id, is_new=False) for day, raw_response_id in again}
        for day in sorted(answers.keys() - landed.keys()):
            # one by one: a statement holds its values several times over
            raw_response_id = self.connection.execute(
                statement("raw_response/land.sql"),
                {
                    **self.keys,
                    "publication_date": day,
                    "body": answers[day].body,
                    "hash": answers[day].sha256,
                    "fetched_at": answers[day].fetched_at,
                },
            ).scalar_one()
            landed[day] = _Landed(raw_response_id, is_new=True)
        return landed

    def _articles(self, pair: Fetched, newest: datetime | None) -> list[SeenArticle]:
        """The answer's articles when it is the pair's newest, else those of all its answers."""
        fetched_at = pair.answer.fetched_at
        if newest is None or fetched_at >= newest:
            articles = pair.parsed.articles.values()
            return [SeenArticle(article, fetched_at, fetched_at) for article in articles]
        answers = list(self._kept_answers(pair.publication_date))
        first_seen: dict[str, datetime] = {}
        last_seen: dict[str, datetime] = {}
        # a late answer that is identical to the newest is not kept again, but was seen
        for seen, first_at, last_at in [*answers, (pair.parsed, fetched_at, fetched_at)]:
            for msgid in seen.articles:
                first_seen[msgid] = min(first_seen.get(msgid, first_at), first_at)
                last_seen[msgid] = max(last_seen.get(msgid, last_at), last_at)
        merged = merge_parsed(parsed for parsed, *_ in answers)
        return [
            SeenArticle(article, first_seen[msgid], last_seen[msgid])
            for msgid, article in merged.articles.items()
        ]

    def _kept_answers(self, day: date) -> Iterator[tuple[Parsed, datetime, datetime]]:
        """The pair's kept answers in the order they were last seen, but for unreadable ones."""
        rows = self.connection.execute(
            statement("raw_response/of_pair.sql"), {**self.keys, "publication_date": day}
        )
        for _, body, first_at, last_at in rows:
            try:
                yield parse(self.dataset, bytes(body), day, last_at), first_at, last_at
            except UnreadableAnswerError:
                continue

    def _merge_in(self, pairs: Sequence[StagedPair]) -> dict[date, Counts]:
        counts: dict[date, Counts] = {}
        self.connection.execute(statement("fact/pin_plan.sql"))
        for group in _without_common_articles(pairs):
            stage(self.connection, self.dataset, group)
            self.connection.execute(
                statement("dim_article/load.sql"), {"appid": self.keys["appid"]}
            )
            self.connection.execute(statement("article_sighting/load.sql"), self.keys)
            done = self.connection.execute(
                statement("fact/load.sql", self.dataset),
                {**self.keys, "changed_at": self.changed_at},
            )
            changes = {
                row.pop("publication_date"): Counts(**row) for row in map(dict, done.mappings())
            }
            for pair in group:
                change = changes.get(pair.publication_date, Counts())
                unchanged = pair.row_count - change.inserted - change.updated
                counts[pair.publication_date] = replace(change, unchanged=unchanged)
            unstage(self.connection)
        return counts

    def _save_rejected(self, new: Sequence[Fetched], landed: Mapping[date, _Landed]) -> None:
        """Only those of answers seen for the first time: the others' are kept already."""
        rows = [
            (pair.publication_date, rejected) for pair in new for rejected in pair.parsed.rejected
        ]
        self.connection.execute(
            statement("rejected_row/save.sql"),
            {
                **self.keys,
                "publication_dates": [day for day, _ in rows],
                "msgids": [rejected.msgid for _, rejected in rows],
                "stat_dates": [_date(rejected.stat_date) for _, rejected in rows],
                "reasons": [rejected.reason for _, rejected in rows],
                "payloads": [rejected.payload for _, rejected in rows],
                "raw_response_ids": [landed[day].raw_response_id for day, _ in rows],
                "rejected_at": self.changed_at,
            },
        )


def _date(text: str | None) -> date | None:
    """The day a rejected row names; None when that is none, which may be why it was rejected."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _without_common_articles(pairs: Sequence[StagedPair]) -> list[list[StagedPair]]:
    """
    The pairs in groups that can be merged at once.

    One group, unless two answers claim the same article: then each pair by itself, oldest day
    first. The check on publication days reports such a case.
    """
    msgids = [seen.article.msgid for pair in pairs for seen in pair.articles]
    if len(set(msgids)) == len(msgids):
        return [list(pairs)] if pairs else []
    return [[pair] for pair in sorted(pairs, key=lambda pair: pair.publication_date)]
