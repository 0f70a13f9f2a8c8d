"""The pipeline without Airflow: planned here, ingested in processes, with Airflow's tries."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg2
import pytest
import sqlalchemy
from ingest_processes import PATIENCE_SECONDS, Hold, IngestProcess, Order, Outcome
from psycopg2.sql import SQL, Composable, Identifier
from sqlalchemy import Engine

from weixin_etl import warehouse as the_warehouse
from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.model import Run
from weixin_etl.orchestration.accounts import CheckedAccount
from weixin_etl.plan import plan
from weixin_local.postgres import Server
from weixin_sandbox import Account, Sandbox

MORNING = datetime(2026, 12, 24, 10, 30, tzinfo=SHANGHAI)
STATEMENTS = 30
"""A scheduled run of two accounts has at least these."""
TRIES = 4
"""Airflow's first try and its three retries."""


def accounts(count: int) -> list[Account]:
    """Accounts for a sandbox."""
    return [Account(f"wx{n:016x}", f"{n:032x}", f"号{n}") for n in range(1, count + 1)]


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
class Pipeline:
    """A dataset's pipeline for every account of a sandbox."""

    dataset: Dataset
    warehouse: Engine
    sandbox: Sandbox
    url: str

    def plan(self, run_id: str, now: datetime, **form: Any) -> Order:
        """Plan a run at that time: a scheduled one, or a manual one with what the form says."""
        run = Run(run_id, self.dataset, now.date(), is_scheduled=not form, **form)
        environment = {"WEIXIN_NOW": now.isoformat(), **self._connections()}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            batches = plan(run, self._checked(), self.warehouse, is_first_try=True)
        return Order(
            run,
            [planned for batch in batches for planned in batch],
            self.warehouse.url.render_as_string(hide_password=False),
            environment,
        )

    def _checked(self) -> list[CheckedAccount]:
        return [
            CheckedAccount(f"a{number}", account.appid, account.name)
            for number, account in enumerate(self.sandbox.accounts.values())
        ]

    def _connections(self) -> dict[str, str]:
        connections = {
            f"AIRFLOW_CONN_A{number}": json.dumps(
                {
                    "conn_type": "weixin",
                    "login": account.appid,
                    "password": account.secret,
                    "host": self.url,
                    "extra": {"name": account.name},
                }
            )
            for number, account in enumerate(self.sandbox.accounts.values())
        }
        names = [f"a{number}" for number in range(len(connections))]
        return {**connections, "AIRFLOW_VAR_WEIXIN_ACCOUNTS": json.dumps(names)}

    def truth(self, days: Sequence[date], asked_on: date) -> dict[tuple[str, ...], dict[str, Any]]:
        """What the sandbox knows of its accounts' publication days, read as plainly as can be."""
        return {
            (appid, article["msgid"], str(day), row.pop("stat_date")): row
            for appid in self.sandbox.accounts
            for day in days
            for article in json.loads(
                self.sandbox.answer(appid, day, asked_on, self.dataset.endpoint),
                parse_float=Decimal,
            )["list"]
            for row in article[self.dataset.rows_key]
        }

    def fact(self) -> dict[tuple[str, ...], dict[str, Any]]:
        """The fact in the form of `truth`."""
        sql = f"""
            SELECT appid, msgid, publication_date::text, stat_date::text, (
                jsonb_strip_nulls(to_jsonb(fact)) - ARRAY[
                    'appid', 'msgid', 'publication_date', 'stat_date',
                    'raw_response_id', 'fetched_at', 'changed_at', 'extra'
                ] || coalesce(extra, '{{}}')
            )::text
            FROM weixin.{self.dataset.fact} AS fact
        """  # noqa: S608 # the dataset's own table
        with self.warehouse.connect() as connection:
            return {
                tuple(key): json.loads(figures, parse_float=Decimal)
                for *key, figures in connection.exec_driver_sql(sql)
            }

    def contents(self) -> dict[str, list[str]]:
        """Every row the pipeline keeps, apart from times and from numbers out of a sequence."""
        held = {}
        with self.warehouse.connect() as connection:
            for table in (self.dataset.fact, *TABLES):
                columns = connection.scalars(_COLUMNS, {"table": table}).all()
                found = connection.exec_driver_sql(
                    f"SELECT (to_jsonb(held) - %s)::text FROM weixin.{table} AS held",  # noqa: S608 # TABLES
                    (columns,),
                )
                held[table] = sorted(found.scalars())
        return held


TABLES = (
    "dim_article",
    "article_sighting",
    "restatement",
    "coverage",
    "raw_response",
    "rejected_row",
)
_COLUMNS = sqlalchemy.text(
    """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'weixin' AND table_name = :table
    AND (column_name LIKE '%\\_at' OR column_name IN ('raw_response_id', 'rejected_row_id'))
    """
)


Make = Callable[[Engine], Pipeline]
"""The pipeline under test, on a warehouse."""


def ingest(order: Order) -> Outcome:
    """Ingest to the end, with the tries Airflow makes."""
    for _ in range(TRIES):
        outcome = IngestProcess(order).outcome()
        if outcome.is_done or not outcome.is_retryable:
            break
        order = replace(order, is_retry=True)
    return outcome


def disturbed(order: Order, statement: int, trouble: AbstractContextManager[None]) -> Outcome:
    """What comes of an ingest that meets the trouble at a statement."""
    hold = Hold(statement)
    process = IngestProcess(replace(order, hold=hold))
    assert hold.reached.wait(PATIENCE_SECONDS)
    with trouble:
        hold.over.set()
        return process.outcome()
