"""Migrated warehouses of one server, each as fast as a copy of files, and accounts for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2.sql import SQL, Composable, Identifier
from sqlalchemy import Engine
from world.life import daily
from world.processes import Processes
from world.wechat import at, date_of, in_time

from weixin_etl import warehouse as the_warehouse
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run
from weixin_etl.run import Settings
from weixin_local.postgres import Server

LOADING = 9
"""A statement of a load."""
MORNING = Run("run", ARTICLE_TOTAL, date_of(0), is_scheduled=True)


@dataclass(frozen=True)
class Warehouses:
    """Those of a server, the first of them empty and named `empty`."""

    server: Server

    @classmethod
    def on(cls, server: Server) -> "Warehouses":
        """With the empty one."""
        server.create_database("empty")
        the_warehouse.migrate(server.url("empty"))
        return cls(server)

    @contextmanager
    def passing(self, name: str, tablespace: str = "pg_default") -> Iterator[Engine]:
        """A copy of the empty one for as long as the block lasts, whoever uses it then."""
        create = SQL("CREATE DATABASE {} TEMPLATE empty TABLESPACE {}")
        self.execute(create.format(Identifier(name), Identifier(tablespace)))
        engine = the_warehouse.engine(self.server.url(name))
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


@contextmanager
def accounts(
    warehouses: Warehouses, count: int, tablespace: str = "pg_default"
) -> Iterator[Processes]:
    """So many, with an article a day, at half past ten of a morning."""
    every_day = {day: [range(ARTICLE_TOTAL.window)] for day in range(-20, 1)}
    calendar = daily(in_time(ARTICLE_TOTAL, every_day), 1)
    calendar.connections = [(f"c{n}", f"wx{n}", -1e9, 1e9) for n in range(count)]
    for _, appid, *_ in calendar.connections:
        calendar.worlds[ARTICLE_TOTAL.name, appid] = in_time(ARTICLE_TOTAL, every_day)
    with warehouses.passing("accounts", tablespace) as warehouse:
        settings = Settings(concurrency=1, commit_bytes=2000)
        engine = Processes(calendar, warehouse=warehouse, settings=settings)
        engine.moment = at(0, 10.5)
        with engine.serving():
            yield engine
