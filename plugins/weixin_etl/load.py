"""
Pairs of one account into the warehouse, in one transaction: together or not at all.

The newest answer of a pair wins, field by field, whatever the order of arrival: an answer that is
older than the newest loaded one is put in its place by merging the pair's raw answers anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine

from weixin_etl import attempts, clock, coverage, raw_answers
from weixin_etl.api.client import Answer
from weixin_etl.coverage import Coverage
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account
from weixin_etl.pair import Counts, Pair, PairReport
from weixin_etl.raw_answers import Landed
from weixin_etl.stage import SeenArticle, StagedPair, stage, unstage
from weixin_etl.warehouse import statement

PAIRS_A_COMMIT = 31
_LOCK = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


def load(
    warehouse: Engine, dataset: Dataset, account: Account, run_id: str, pairs: Sequence[Pair]
) -> list[PairReport]:
    """
    Commit at most 31 pairs of one account.

    Raw answers, rows, restatements, rejected rows, coverage and report counts: all or nothing.
    Two loads of the same account wait for each other, whatever process they run in.
    """
    if len(pairs) > PAIRS_A_COMMIT:
        raise ValueError(f"{len(pairs)} pairs in one commit; at most {PAIRS_A_COMMIT}")
    with warehouse.begin() as connection:
        # of all datasets: they share the articles, and would wait for each other's in a circle
        connection.execute(_LOCK, {"key": account.appid})
        return _Transaction(connection, dataset, account).load(run_id, pairs)


class _Transaction:
    """The steps of one commit."""

    def __init__(self, connection: Connection, dataset: Dataset, account: Account) -> None:
        self.connection = connection
        self.dataset = dataset
        self.account = account
        self.keys = {"dataset": dataset.name, "appid": account.appid}

    def load(self, run_id: str, pairs: Sequence[Pair]) -> list[PairReport]:
        connection, dataset, appid = self.connection, self.dataset, self.account.appid
        days = [pair.publication_date for pair in pairs]
        known = coverage.read(connection, dataset, appid, days)
        landed = raw_answers.land(connection, dataset, appid, pairs)
        counts = self._merge_in(
            [self._staged(pair, pair.answer, landed, known) for pair in pairs if pair.answer]
        )
        self._save_rejected(pairs, landed)
        reports = attempts.record(connection, dataset, self.account, pairs, counts, known)
        self._save_report(run_id, reports)
        return reports

    def _staged(
        self,
        pair: Pair,
        answer: Answer,
        landed: Mapping[date, Landed],
        known: Mapping[date, Coverage],
    ) -> StagedPair:
        """The answer as it is when it is the pair's newest, else all of the pair's merged anew."""
        day, fetched_at = pair.publication_date, answer.fetched_at
        if coverage.is_newest(fetched_at, known.get(day)):
            articles = pair.parsed.articles.values()
            seen = [SeenArticle(article, fetched_at, fetched_at) for article in articles]
        else:
            seen = raw_answers.merged_anew(
                self.connection, self.dataset, self.account.appid, day, answer, pair.parsed
            )
        return StagedPair(day, landed[day].raw_response_id, seen)

    def _merge_in(self, pairs: Sequence[StagedPair]) -> dict[date, Counts]:
        counts: dict[date, Counts] = {}
        self.connection.execute(statement("fact/pin_plan.sql"))
        for group in _without_common_articles(pairs):
            stage(self.connection, self.dataset, group)
            self.connection.execute(
                statement("dim_article/load.sql"), {"appid": self.account.appid}
            )
            self.connection.execute(statement("article_sighting/load.sql"), self.keys)
            done = self.connection.execute(
                statement("fact/load.sql", self.dataset), {**self.keys, "changed_at": clock.now()}
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

    def _save_rejected(self, pairs: Sequence[Pair], landed: Mapping[date, Landed]) -> None:
        """Only those of answers seen for the first time: the others' are kept already."""
        rows = [
            (pair.publication_date, rejected, landed[pair.publication_date].raw_response_id)
            for pair in pairs
            if pair.answer and landed[pair.publication_date].is_new
            for rejected in pair.parsed.rejected
        ]
        self.connection.execute(
            statement("rejected_row/save.sql"),
            {
                **self.keys,
                "publication_dates": [day for day, _, _ in rows],
                "msgids": [rejected.msgid for _, rejected, _ in rows],
                "stat_dates": [_date(rejected.stat_date) for _, rejected, _ in rows],
                "reasons": [rejected.reason for _, rejected, _ in rows],
                "payloads": [rejected.payload for _, rejected, _ in rows],
                "raw_response_ids": [raw_response_id for _, _, raw_response_id in rows],
                "rejected_at": clock.now(),
            },
        )

    def _save_report(self, run_id: str, reports: Sequence[PairReport]) -> None:
        counts = [
            {
                "publication_date": report.pair.publication_date,
                "calls": report.pair.calls,
                "rejected": len(report.pair.parsed.rejected),
                "state": report.state,
                **asdict(report.counts),
            }
            for report in reports
        ]
        self.connection.execute(
            statement("run_report/save.sql"),
            {**self.keys, "run_id": run_id, "counts": msgspec.json.encode(counts).decode()},
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
    first. The check on publication days tells such a case.
    """
    msgids = [seen.article.msgid for pair in pairs for seen in pair.articles]
    if len(set(msgids)) == len(msgids):
        return [list(pairs)] if pairs else []
    return [[pair] for pair in sorted(pairs, key=lambda pair: pair.publication_date)]
