"""The pipeline against a sandbox, without Airflow: planned here, ingested in processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg2
import sqlalchemy
from ingest_processes import Order
from psycopg2.sql import SQL, Composable, Identifier
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.model import Account, ConfiguredAccount, Run
from weixin_etl.run import Settings, Work
from weixin_etl.run import plan as plan_verb
from weixin_local.postgres import Server
from weixin_sandbox import Account as SandboxAccount
from weixin_sandbox import Sandbox

MORNING = datetime(2026, 12, 24, 10, 30, tzinfo=SHANGHAI)
STEADY = Settings(concurrency=1, commit_bytes=120_000)
"""One call after the other, and several commits, some of them of several accounts: the statements
are the same each time."""
STATEMENTS = 28
"""A scheduled run of two accounts has at least these."""
MOST_EDGES = 24
"""The commits of a run that is killed have no more beginnings and ends."""


def accounts(count: int) -> list[SandboxAccount]:
    """Accounts for a sandbox."""
    return [SandboxAccount(f"wx{n:016x}", f"{n:032x}", f"号{n}") for n in range(1, count + 1)]


@dataclass(frozen=True)
class Warehouses:
    """Migrated warehouses of one server, each as fast as a copy of files."""

    server: Server

    @classmethod
    def on(cls, server: Server) -> "Warehouses":
        """Those of a server, the first of them empty and named `empty`."""
        server.create_database("empty")
        the_warehouse.migrate(server.url("empty"))
        return cls(server)

    def copy(self, name: str, of: str = "empty", tablespace: str = "pg_default") -> Engine:
        """A new warehouse with what another one holds; nobody may be using that."""
        create = SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}")
        self.execute(create.format(Identifier(name), Identifier(of), Identifier(tablespace)))
        return the_warehouse.engine(self.server.url(name))

    @contextmanager
    def passing(
        self, name: str, of: str = "empty", tablespace: str = "pg_default"
    ) -> Iterator[Engine]:
        """A copy for as long as the block lasts, whoever uses it then."""
        engine = self.copy(name, of, tablespace)
        try:
            yield engine
        finally:
            engine.dispose()
            self.server.start()
            self.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def execute(self, sql: Composable) -> None:
        """Let the server do something outside of a transaction."""
        connection = psycopg2.connect(self.server.libpq_url("postgres"))
        connection.autocommit = True
        connection.cursor().execute(sql)
        connection.close()


@dataclass(frozen=True)
class Trial:
    """A dataset's pipeline for every account of a sandbox."""

    dataset: Dataset
    warehouse: Engine
    sandbox: Sandbox
    url: str
    settings: Settings = field(default_factory=Settings)

    @property
    def accounts(self) -> dict[str, Account]:
        """The sandbox's accounts as connections would describe them, by connection."""
        return {
            f"a{number}": Account(f"a{number}", known.appid, known.secret, known.name, self.url)
            for number, known in enumerate(self.sandbox.accounts.values())
        }

    @property
    def configured(self) -> list[ConfiguredAccount]:
        """The accounts as plan and check take them."""
        return [ConfiguredAccount(a.conn_id, a.appid, a.name) for a in self.accounts.values()]

    def plan(self, run_id: str, now: datetime, **form: Any) -> Order:
        """Plan a run at that time: a scheduled one, or a manual one with what the form says."""
        kind = {"is_scheduled": not form, "names_dates": bool(form)}
        run = Run(run_id, self.dataset, now.date(), **kind, **form)
        work = Work(run, self.warehouse, self.settings, now=lambda: now)
        plan = plan_verb.plan(work, self.configured)
        url = self.warehouse.url.render_as_string(hide_password=False)
        return Order(run, plan.accounts, self.accounts, url, now, settings=self.settings)

    def contents(self) -> dict[str, list[str]]:
        """
        Every row the pipeline keeps, apart from times and from numbers out of a sequence.

        Of the reports, what all runs together changed of each pair.
        """
        held = {"changes": [str(row) for row in self.rows(_CHANGES)]}
        held["fact_history"] = [str(row) for row in self.rows(_HISTORY)]
        for table in (self.dataset.fact, *TABLES):
            with self.warehouse.connect() as connection:
                columns = connection.scalars(_COLUMNS, {"table": table}).all()
                found = connection.exec_driver_sql(
                    f"SELECT (to_jsonb(held) - %s)::text FROM weixin.{table} AS held",  # noqa: S608 # TABLES
                    (columns,),
                )
                held[table] = sorted(found.scalars())
        return held

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.warehouse.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql)]


TABLES = (
    "dim_article",
    "dim_article_title_history",
    "coverage",
    "raw_response",
    "rejected_row",
)
_COLUMNS = sqlalchemy.text(
    """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'weixin' AND table_name = :table
    AND (
        column_name LIKE '%\\_at'
        OR column_name IN (
            'raw_response_id', 'rejected_row_id', 'history_id', 'unlisted_since'
        )
    )
    """
)
_CHANGES = """
    SELECT appid, day::text, sum(inserted), sum(updated)
    FROM weixin.run_report GROUP BY appid, day ORDER BY appid, day
"""
_HISTORY = """
    SELECT dataset, appid, item, stat_date::text, cause,
        (row - 'changed_at' - 'fetched_at' - 'raw_response_id')::text
    FROM weixin.fact_history ORDER BY dataset, appid, item, stat_date, changed_at
"""

Make = Callable[[Engine], Trial]
"""A trial on a warehouse."""
