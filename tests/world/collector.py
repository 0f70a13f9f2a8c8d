"""Accounts and the verbs of their mornings, as the tasks of the DAG call them, without Airflow."""

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
    """A warehouse, and who is collected into it: the tasks of the DAG without Airflow."""

    warehouse: Engine
    accounts: Mapping[str, Account | None]
    """By connection; None where that can't be used."""
    settings: Settings = field(default_factory=lambda: Settings(concurrency=1))
    now: Callable[[], datetime] = clock.now
    limits: CallLimits = HASTE
    open_client: OpenClient | None = None
    """None: one over HTTP."""

    @classmethod
    def of(cls, warehouse: Engine, *accounts: Account, **settings: int) -> "Collector":
        """Some accounts, one call after the other."""
        by_connection = {account.conn_id: account for account in accounts}
        return cls(warehouse, by_connection, replace(Settings(concurrency=1), **settings))

    def configured(self, run: Run) -> list[ConfiguredAccount]:
        """The accounts as plan and check take them."""
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
        """What the verbs take."""
        return Work(run, self.warehouse, self.settings, self.now)

    def plan(self, run: Run) -> Batch:
        """Whom to ask for what."""
        return self.planned(run).accounts

    def planned(self, run: Run) -> plan_verb.Plan:
        """Whom to ask for what, and who is no longer collected."""
        return plan_verb.plan(self.work(run), self.configured(run))

    def ingest(self, run: Run, batch: Batch) -> ingest_verb.IngestResult:
        """One try."""
        return ingest_verb.ingest(self.work(run), batch, self.open_client or self.client)

    def client(self, planned: PlannedAccount) -> WeixinClient:
        """One over HTTP, with the login that the connection has by now."""
        if account := self.accounts.get(planned.conn_id):
            return WeixinClient(account, self.limits)
        raise WeixinError(ProblemKind.CONFIGURATION, code="connection_missing")

    def run(self, run: Run) -> ingest_verb.IngestResult:
        """Plan it, and try once."""
        return self.ingest(run, self.plan(run))

    def report(self, run: Run, batch: Batch) -> dict[str, int]:
        """What it did."""
        return check_verb.report(self.work(run), batch)

    def check(self, run: Run, batch: Batch) -> check_verb.CheckResult:
        """Its colour."""
        return check_verb.check(self.work(run), self.configured(run), batch)
