"""
Pairs of one account into the warehouse, in one transaction: together or not at all.

The newest answer of a pair wins, field by field, whatever the order of arrival: an answer that is
older than the newest loaded one is put in its place by merging the pair's raw answers anew.
"""

import hashlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta

import msgspec
import sqlalchemy
from sqlalchemy import Connection, Engine

from weixin_etl import clock, coverage
from weixin_etl.accounts import Account
from weixin_etl.api.client import Answer
from weixin_etl.api.errors import (
    DailyQuotaError,
    EndpointOfflineError,
    NotReadyError,
    UnreadableError,
    WeixinError,
)
from weixin_etl.coverage import Attempt, Coverage
from weixin_etl.datasets import Dataset
from weixin_etl.parse import Parsed, merge, parse
from weixin_etl.stage import SeenArticle, StagedPair, stage, unstage
from weixin_etl.warehouse import statement

PAIRS_A_COMMIT = 31
_LOCK = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A publication day of the account: its answer taken apart, or why there is none.

    With neither, it was not asked for because its totals are final.
    """

    publication_date: date
    calls: int
    answer: Answer | None = None
    parsed: Parsed = field(default_factory=Parsed)
    error: WeixinError | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What a merge did, in rows (`restated` and `kept`: in figures)."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    restated: int = 0
    kept: int = 0
    """Figures that the answer left out and that keep their value."""


@dataclass(frozen=True, slots=True)
class PairReport:
    """What came of a pair. `state` is as in `weixin.run_report`; not_ready and failed say why."""

    pair: Pair
    counts: Counts
    state: str
    error: WeixinError | None


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


@dataclass(frozen=True, slots=True)
class _Landed:
    raw_response_id: int
    is_new: bool


class _Transaction:
    """The steps of one commit."""

    def __init__(self, connection: Connection, dataset: Dataset, account: Account) -> None:
        self.connection = connection
        self.dataset = dataset
        self.account = account
        self.keys = {"dataset": dataset.name, "appid": account.appid}

    def load(self, run_id: str, pairs: Sequence[Pair]) -> list[PairReport]:
        known = coverage.read(
            self.connection,
            self.dataset,
            self.account.appid,
            [pair.publication_date for pair in pairs],
        )
        landed = self._land(pairs)
        counts = self._merge_in(
            self._in_place(pair, pair.answer, landed, known) for pair in pairs if pair.answer
        )
        self._save_rejected(pairs, landed)
        reports = self._save_coverage(pairs, counts, known)
        reports = self._retire(pairs, reports)
        self._save_report(run_id, reports)
        return reports

    def _retire(self, pairs: Sequence[Pair], reports: list[PairReport]) -> list[PairReport]:
        """Remember an endpoint that is offline; one that is known to be is no failure."""
        if any(pair.answer for pair in pairs):
            self.connection.execute(statement("retired/forget.sql"), self.keys)
        if not any(isinstance(pair.error, EndpointOfflineError) for pair in pairs):
            return reports
        is_known = coverage.retired(self.connection, self.dataset, [self.account.appid])
        self.connection.execute(
            statement("retired/save.sql"), {**self.keys, "asked_at": clock.now()}
        )
        if not is_known:
            return reports
        return [
            replace(report, state="retired", error=None)
            if isinstance(report.error, EndpointOfflineError)
            else report
            for report in reports
        ]

    def _land(self, pairs: Sequence[Pair]) -> dict[date, _Landed]:
        answers = {pair.publication_date: pair.answer for pair in pairs if pair.answer}
        hashes = {day: hashlib.sha256(answer.body).digest() for day, answer in answers.items()}
        again = self.connection.execute(
            statement("raw_response/see_again.sql"),
            {
                **self.keys,
                "publication_dates": list(answers),
                "hashes": list(hashes.values()),
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
                    "hash": hashes[day],
                    "fetched_at": answers[day].fetched_at,
                },
            ).scalar_one()
            landed[day] = _Landed(raw_response_id, is_new=True)
        return landed

    def _in_place(
        self,
        pair: Pair,
        answer: Answer,
        landed: Mapping[date, _Landed],
        known: Mapping[date, Coverage],
    ) -> StagedPair:
        """The answer as it is when it is the pair's newest, else all of the pair's merged anew."""
        day, fetched_at = pair.publication_date, answer.fetched_at
        if _is_newest(answer, known.get(day)):
            seen = [
                SeenArticle(article, fetched_at, fetched_at)
                for article in pair.parsed.articles.values()
            ]
        else:
            seen = self._merged_anew(pair, fetched_at)
        return StagedPair(day, landed[day].raw_response_id, seen)

    def _merged_anew(self, late: Pair, fetched_at: datetime) -> list[SeenArticle]:
        """The articles of all of the pair's answers."""
        day = late.publication_date
        answers = [
            (parse(self.dataset, bytes(body), day), first_at, last_at)
            for _, body, first_at, last_at in self.connection.execute(
                statement("raw_response/of_pair.sql"), {**self.keys, "publication_date": day}
            )
        ]
        first_seen: dict[str, datetime] = {}
        last_seen: dict[str, datetime] = {}
        # a late answer that is identical to the newest is none of the pair's own, but was seen
        for parsed, first_at, last_at in [*answers, (late.parsed, fetched_at, fetched_at)]:
            for msgid in parsed.articles:
                first_seen[msgid] = min(first_seen.get(msgid, first_at), first_at)
                last_seen[msgid] = max(last_seen.get(msgid, last_at), last_at)
        return [
            SeenArticle(article, first_seen[msgid], last_seen[msgid])
            for msgid, article in merge(parsed for parsed, *_ in answers).articles.items()
        ]

    def _merge_in(self, pairs: Iterable[StagedPair]) -> dict[date, Counts]:
        counts: dict[date, Counts] = {}
        self.connection.execute(statement("fact/pin_plan.sql"))
        for group in _without_common_articles(list(pairs)):
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

    def _save_coverage(
        self,
        pairs: Sequence[Pair],
        counts: Mapping[date, Counts],
        known: Mapping[date, Coverage],
    ) -> list[PairReport]:
        appid = self.account.appid
        ready = {
            yesterday: coverage.is_ready(self.connection, self.dataset, appid, yesterday)
            for yesterday in {_yesterday(pair.answer) for pair in pairs if pair.answer}
        }
        days = [pair.publication_date for pair in pairs if pair.answer]
        unfinished = coverage.unfinished(self.connection, self.dataset, appid, days)
        attempts = []
        reports = []
        for pair in pairs:
            before = known.get(pair.publication_date)
            if pair.answer is None and pair.error is None:
                reports.append(PairReport(pair, Counts(), _data_state(before), None))
                continue
            done = counts.get(pair.publication_date, Counts())
            error = self._why_not_in(pair, ready)
            attempt = self._attempt(pair, error, before, done, unfinished)
            attempts.append(attempt)
            is_in = attempt.attempt_state == "ok" and attempt.data_state
            reports.append(PairReport(pair, done, is_in or attempt.attempt_state, error))
        coverage.save(self.connection, self.dataset, appid, attempts)
        return reports

    def _why_not_in(self, pair: Pair, ready: Mapping[date, bool]) -> WeixinError | None:
        rejected = pair.parsed.rejected
        if rejected and not pair.parsed.row_count:
            return UnreadableError(
                f"all {len(rejected)} parts of the answer were rejected, the first because of "
                f"{rejected[0].reason}; see weixin.rejected_row",
                account=str(self.account),
            )
        if pair.answer and not self._has_its_figures(pair, pair.answer, ready):
            return NotReadyError(account=str(self.account))
        return pair.error

    def _has_its_figures(self, pair: Pair, answer: Answer, ready: Mapping[date, bool]) -> bool:
        """
        Whether the answer holds all that WeChat must have computed when it was fetched.

        `ready` says it of the account by yesterday: midnight may pass between two answers.
        """
        yesterday = _yesterday(answer)
        is_settled = not coverage.is_still_counting(self.dataset, pair.publication_date, yesterday)
        is_old_and_empty = not pair.parsed.articles and pair.publication_date < yesterday
        return not pair.parsed.is_delayed and (ready[yesterday] or is_settled or is_old_and_empty)

    def _attempt(
        self,
        pair: Pair,
        error: WeixinError | None,
        before: Coverage | None,
        done: Counts,
        unfinished: Container[date],
    ) -> Attempt:
        day, answer, parsed = pair.publication_date, pair.answer, pair.parsed
        attempt = Attempt(
            publication_date=day,
            attempt_state="ok" if error is None else _attempt_state(error),
            next_attempt_at=_next_attempt_at(error),
            error_code=error.errcode if error else None,
            error=str(error) if error else None,
        )
        if answer is None:
            return attempt
        return replace(
            attempt,
            data_state="loaded"
            if parsed.articles or parsed.rejected or _data_state(before) == "loaded"
            else "empty",
            fetched_at=answer.fetched_at,
            through_date=coverage.through_date(parsed),
            article_count=len(parsed.articles),
            row_count=parsed.row_count,
            is_final=error is None
            and _is_newest(answer, before)
            and coverage.is_final(
                self.dataset,
                day,
                parsed,
                answer.fetched_at,
                known=before,
                has_changed=bool(done.inserted or done.updated),
                is_unfinished=day in unfinished,
            ),
        )

    def _save_rejected(self, pairs: Sequence[Pair], landed: Mapping[date, _Landed]) -> None:
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


def _is_newest(answer: Answer, known: Coverage | None) -> bool:
    return known is None or known.fetched_at is None or answer.fetched_at >= known.fetched_at


def _date(text: str | None) -> date | None:
    """The day a rejected row names; None when that is none, which may be why it was rejected."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _data_state(known: Coverage | None) -> str:
    return (known and known.data_state) or "empty"


def _without_common_articles(pairs: list[StagedPair]) -> list[list[StagedPair]]:
    """
    The pairs in groups that can be merged at once.

    One group, unless two answers claim the same article: then each pair by itself, oldest day
    first. The check on publication days tells such a case.
    """
    msgids = [seen.article.msgid for pair in pairs for seen in pair.articles]
    if len(set(msgids)) == len(msgids):
        return [pairs] if pairs else []
    return [[pair] for pair in sorted(pairs, key=lambda pair: pair.publication_date)]


def _yesterday(answer: Answer) -> date:
    """The newest day that WeChat can have computed when it answered."""
    return clock.beijing_date(answer.fetched_at) - timedelta(days=1)


def _attempt_state(error: WeixinError) -> str:
    return "not_ready" if isinstance(error, NotReadyError) else "failed"


def _next_attempt_at(error: WeixinError | None) -> datetime | None:
    if not isinstance(error, DailyQuotaError):
        return None
    tomorrow = clock.beijing_date(clock.now()) + timedelta(days=1)
    return datetime.combine(tomorrow, time(0), clock.SHANGHAI)
