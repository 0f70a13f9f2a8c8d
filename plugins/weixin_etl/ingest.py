"""Extract, parse and load a batch of accounts; say at the end what is not in."""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import sqlalchemy
from sqlalchemy import Engine

from weixin_etl import clock, coverage
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.errors import (
    ConfigurationError,
    UnreadableError,
    WeixinError,
    from_errcode,
)
from weixin_etl.extract import Fetched, Refused, extract
from weixin_etl.load import PAIRS_A_COMMIT, load
from weixin_etl.model import Account, Run
from weixin_etl.orchestration.hook import WeixinHook
from weixin_etl.orchestration.settings import Settings
from weixin_etl.pair import Pair, PairReport
from weixin_etl.parse import parse
from weixin_etl.parse.articles import UnreadableAnswerError
from weixin_etl.plan import Batch, PlannedAccount
from weixin_etl.warehouse import statement, trouble

log = logging.getLogger(__name__)

_NAMES_IN_LOG = 20
_LOCK = sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:key, 0))")


class IngestError(Exception):
    """Planned pairs that are not in. `str()` names the accounts and days, and says why."""

    def __init__(self, problems: Sequence[str], *, is_retryable: bool) -> None:
        super().__init__("; ".join(problems))
        self.is_retryable = is_retryable


@dataclass(frozen=True, slots=True)
class Ingest:
    """What the ingest of each account needs."""

    run: Run
    settings: Settings
    warehouse: Engine
    is_retry: bool
    """Whether Airflow tries again by itself: then only what may come in by that is asked."""

    def batch(self, batch: Batch) -> None:
        """
        Bring the batch's pairs in, account by account; no account's trouble stops another.

        Raises:
            IngestError: pairs are not in.

        """
        problems: list[str] = []
        is_retryable = False
        for planned in batch:
            try:
                reports = self.account(planned)
            except WeixinError as error:
                problems.append(str(error))
            except Exception as error:
                if passing := trouble(error, self.warehouse):
                    is_retryable = True
                    if passing.is_of_one_statement:
                        problems.append(f"{planned.name}: {passing}")
                        continue
                    problems.append(str(passing))
                    break  # WeChat would be asked in vain for the other accounts
                log.exception("%s could not be ingested", planned.name)
                problems.append(f"{planned.name}: {type(error).__name__}, see the log")
                is_retryable = True
            else:
                problems += _problems(reports)
                is_retryable |= any(r.error is not None and r.error.is_retryable for r in reports)
        if problems:
            raise IngestError(problems, is_retryable=is_retryable)

    def account(self, planned: PlannedAccount) -> list[PairReport]:
        """
        Bring an account's pairs in, at most 31 a commit, newest days first.

        Raises:
            ConfigurationError: its connection can't be used.

        """
        client = WeixinHook(planned.conn_id, self.settings.call_limits).get_conn()
        account = client.account
        if planned.appid is None:
            raise ConfigurationError(
                "its connection could not be used when the run was planned; clear the task "
                "refresh_access_token with its downstream tasks",
                account=str(account),
            )
        reports: list[PairReport] = []
        with self._alone(account):
            days = sorted(self._open_days(account, planned.days), reverse=True)
            for start in range(0, len(days), PAIRS_A_COMMIT):
                pairs = self._pairs(client, sorted(days[start : start + PAIRS_A_COMMIT]))
                reports += load(self.warehouse, self.run.dataset, account, self.run.run_id, pairs)
        _log(account, reports)
        return reports

    @contextmanager
    def _alone(self, account: Account) -> Iterator[None]:
        """Wait for other runs that ingest the account: what they make final is not asked again."""
        key = f"ingest:{self.run.dataset.name}:{account.appid}"
        warehouse = self.warehouse.execution_options(isolation_level="AUTOCOMMIT")
        with warehouse.connect() as connection:
            connection.detach()  # so that leaving ends the session, and with it the lock
            connection.execute(_LOCK, {"key": key})
            yield

    def _open_days(self, account: Account, days: Sequence[date]) -> list[date]:
        """The days still to be asked for."""
        if not self.is_retry:
            return list(days)
        with self.warehouse.connect() as connection:
            states = connection.execute(
                statement("run_report/states.sql"),
                {
                    "run_id": self.run.run_id,
                    "dataset": self.run.dataset.name,
                    "appid": account.appid,
                },
            ).all()
        return [day for day, state, errcode in states if _may_come_in(state, errcode)]

    def _pairs(self, client: WeixinClient, days: Sequence[date]) -> list[Pair]:
        """Ask for the days, but not for those another run has made final meanwhile."""
        dataset, account = self.run.dataset, client.account
        with self.warehouse.connect() as connection:
            known = coverage.read(connection, dataset, account.appid, days)
            resting = connection.execute(
                statement("coverage/resting.sql"),
                {"dataset": dataset.name, "appid": account.appid, "now": clock.now()},
            ).scalar()
        is_final = {day for day, before in known.items() if before.is_final}
        final = [day for day in days if day in is_final and not self.run.refetch]
        asked = [day for day in days if day not in final]
        pairs = [Pair(day, 0) for day in final]
        if resting is not None and not self.run.refetch:
            rest = from_errcode(resting, "not asked again", account=str(account))
            return pairs + [Pair(day, 0, error=rest) for day in asked]
        outcomes = extract(client, dataset, asked, self.settings.concurrency)
        return pairs + [self._parsed(account, outcome) for outcome in outcomes]

    def _parsed(self, account: Account, outcome: Fetched | Refused) -> Pair:
        day = outcome.publication_date
        if isinstance(outcome, Refused):
            return Pair(day, outcome.calls, error=outcome.error)
        answer = outcome.answer
        try:
            parsed = parse(self.run.dataset, answer.body, day)
        except UnreadableAnswerError as error:
            return Pair(day, answer.calls, error=UnreadableError(str(error), account=str(account)))
        return Pair(day, answer.calls, answer, parsed)


def _may_come_in(state: str, errcode: int | None) -> bool:
    """Whether asking again by itself may bring a pair in."""
    if state == "planned":
        return True
    return state == "failed" and (
        errcode is None or from_errcode(errcode, "", account="").is_retryable
    )


def _problems(reports: Sequence[PairReport]) -> list[str]:
    """A sentence per reason, with the days it holds back."""
    days: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        if report.error is not None:
            days[str(report.error)].append(report.pair.publication_date.isoformat())
    return [f"{reason} [{', '.join(sorted(dates))}]" for reason, dates in days.items()]


def _log(account: Account, reports: Sequence[PairReport]) -> None:
    notes: Counter[str] = Counter()
    unknown: set[str] = set()
    for report in sorted(reports, key=lambda report: report.pair.publication_date):
        pair, counts = report.pair, report.counts
        notes["figures left out of an answer, which keep their value"] += counts.kept
        notes["rows that repeated a key of their answer"] += pair.parsed.merged_rows
        notes["NUL characters taken out of texts"] += pair.parsed.stripped_nuls
        unknown |= pair.parsed.unknown_metrics
        log.info(
            "%s %s: %s; %s inserted, %s updated, %s unchanged, %s rejected",
            account,
            pair.publication_date,
            report.state,
            counts.inserted,
            counts.updated,
            counts.unchanged,
            len(pair.parsed.rejected),
        )
    for note, count in notes.items():
        if count:
            log.warning("%s: %s %s", account, count, note)
    if unknown:
        names = ", ".join(f"{name!r:.60}" for name in sorted(unknown)[:_NAMES_IN_LOG])
        log.warning("%s: %s unknown metrics, kept in extra: %s", account, len(unknown), names)
