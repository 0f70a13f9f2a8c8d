"""The functions that the DAG's tasks call, without Airflow: plan, ingest, report and check."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Engine
from support import HASTE

from weixin_etl import clock
from weixin_etl.api.calls import OpenClient
from weixin_etl.api.client import WeixinClient
from weixin_etl.api.http import CallLimits
from weixin_etl.model import Account, Batch, ConfiguredAccount, PlannedAccount, Run
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb


@dataclass(frozen=True)
class Collector:
    """The accounts, and the warehouse into which their answers are loaded."""

    warehouse: Engine
    accounts: Mapping[str, Account | None]
    """The accounts by connection id; None where the connection cannot be used."""
    settings: Settings = field(default_factory=lambda: Settings(concurrency=1))
    now: Callable[[], datetime] = clock.now
    limits: CallLimits = HASTE
    open_client: OpenClient | None = None
    """The function that opens an account's client; None for one over HTTP."""

    @classmethod
    def of(cls, warehouse: Engine, *accounts: Account, **settings: int) -> "Collector":
        """Return a collector of the accounts that makes one call at a time."""
        by_connection = {account.conn_id: account for account in accounts}
        return cls(warehouse, by_connection, replace(Settings(concurrency=1), **settings))

    def configured(self, run: Run) -> list[ConfiguredAccount]:
        """Return the accounts as `plan` and `check` take them."""
        problem = Problem(ProblemKind.CONFIGURATION, "no login", "")
        return [
            ConfiguredAccount(
                *(
                    conn_id,
                    account.appid if account else None,
                    account.name if account else conn_id,
                ),
                is_wanted=not run.accounts or bool(account and account.appid in run.accounts),
                problem=None if account else problem,
            )
            for conn_id, account in self.accounts.items()
        ]

    def work(self, run: Run) -> Work:
        """Return the settings of a run, as plan, ingest, report and check take them."""
        return Work(run, self.warehouse, self.settings, self.now)

    def plan(self, run: Run) -> Batch:
        """Return the accounts of the run's plan, with the days that each is asked for."""
        return self.planned(run).accounts

    def planned(self, run: Run) -> plan_verb.Plan:
        """Return the whole plan, with the accounts that left the list and a dry run's answer."""
        return plan_verb.plan(self.work(run), self.configured(run))

    def ingest(self, run: Run, batch: Batch) -> ingest_verb.IngestResult:
        """Ask for the batch's days once, as one try of the task."""
        return ingest_verb.ingest(self.work(run), batch, self.open_client or self.client)

    def client(self, planned: PlannedAccount) -> WeixinClient:
        """Open a client over HTTP with the connection's current login."""
        if account := self.accounts.get(planned.conn_id):
            return WeixinClient(account, self.limits)
        raise WeixinError(ProblemKind.CONFIGURATION, code="connection_missing")

    def run(self, run: Run) -> ingest_verb.IngestResult:
        """Plan the run, and try once to ingest it."""
        return self.ingest(run, self.plan(run))

    def report(self, run: Run, batch: Batch) -> dict[str, int]:
        """Return the totals of the run."""
        return check_verb.report(self.work(run), batch)

    def check(self, run: Run, batch: Batch) -> check_verb.CheckResult:
        """Return the result of the run: whether it is green, and which days are missing."""
        return check_verb.check(self.work(run), self.configured(run), batch)
