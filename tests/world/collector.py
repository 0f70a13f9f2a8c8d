"""Accounts and their mornings, as the tasks of the DAG live through them, without Airflow."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Engine
from support import HASTE

from weixin_etl import clock
from weixin_etl.api.calls import OpenClient
from weixin_etl.api.client import WeixinClient
from weixin_etl.model import Account, Batch, ConfiguredAccount, Run
from weixin_etl.run import Settings, Work
from weixin_etl.run import check as check_verb
from weixin_etl.run import ingest as ingest_verb
from weixin_etl.run import plan as plan_verb


@dataclass(frozen=True)
class Collector:
    """A warehouse, and who is collected into it."""

    warehouse: Engine
    accounts: Mapping[str, Account]
    """By connection."""
    settings: Settings = field(default_factory=lambda: Settings(concurrency=1))
    open_client: OpenClient | None = None
    """None: one over HTTP, that hardly waits."""
    now: Callable[[], datetime] = clock.now

    @classmethod
    def of(cls, warehouse: Engine, *accounts: Account, **settings: int) -> "Collector":
        """Some accounts, one call after the other."""
        its = {account.conn_id: account for account in accounts}
        return cls(warehouse, its, replace(Settings(concurrency=1), **settings))

    @property
    def configured(self) -> list[ConfiguredAccount]:
        """The accounts as plan and check take them."""
        its = self.accounts.values()
        return [ConfiguredAccount(account.conn_id, account.appid, account.name) for account in its]

    def work(self, run: Run) -> Work:
        """What the verbs take."""
        return Work(run, self.warehouse, self.settings, self.now)

    def plan(self, run: Run) -> Batch:
        """Whom to ask for what."""
        return plan_verb.plan(self.work(run), self.configured).accounts

    def ingest(self, run: Run, batch: Batch) -> ingest_verb.Ingested:
        """One try."""
        clients = {it.conn_id: WeixinClient(it, HASTE) for it in self.accounts.values()}
        open_client = self.open_client or (lambda planned: clients[planned.conn_id])
        return ingest_verb.ingest(self.work(run), batch, open_client)

    def run(self, run: Run) -> ingest_verb.Ingested:
        """Plan it, and try once."""
        return self.ingest(run, self.plan(run))

    def report(self, run: Run, batch: Batch) -> dict[str, int]:
        """What it did."""
        return check_verb.report(self.work(run), batch)

    def check(self, run: Run, batch: Batch) -> check_verb.Judgement:
        """Its colour."""
        return check_verb.check(self.work(run), self.configured, batch)
