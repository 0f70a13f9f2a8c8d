"""
Tests of the product behind PgBouncer in transaction mode, in a database that others use.

The warehouse's owner has neither SUPERUSER nor CREATEROLE. The administrator, who is no superuser
either, creates the roles that `weixin-etl migrate` asks for.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from support import PASSWORD, choose_port, execute, rows, temporary_server
from support.people import PROJECT, typed
from support.rest import until
from world.collector import Collector

from weixin_etl import clock
from weixin_etl import warehouse as warehouse_module
from weixin_etl.cli import main
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, Dataset
from weixin_etl.model import Account, Run
from weixin_etl.orchestration.connections.warehouse import reading
from weixin_etl.orchestration.web import airflow_state
from weixin_etl.orchestration.web.page.app import app as page_app
from weixin_etl.orchestration.web.page.app import readable
from weixin_etl.problem import ProblemKind, WarehouseError
from weixin_etl.warehouse.locks import ingest_locks
from weixin_local.home import postgres_connection
from weixin_local.machine import LOOPBACK, is_answering
from weixin_local.postgres import SERVER_USER, Server, embedded

pytestmark = pytest.mark.every_postgres

OWNER, ADMINISTRATOR, DAILY, ANALYST = "weixin_owner", "administrator", "weixin_daily", "ann"
POOL_SIZE = 3
"""The number of the server's sessions for each user. A task of an account needs no more."""
SERVER_OF_OTHERS = (
    f"CREATE ROLE {ADMINISTRATOR} LOGIN CREATEROLE PASSWORD '{PASSWORD}'",
    f"CREATE ROLE {OWNER} LOGIN NOSUPERUSER NOCREATEROLE PASSWORD '{PASSWORD}'",
    "CREATE ROLE sales",
    f"CREATE DATABASE shared OWNER {OWNER}",
    "ALTER DATABASE shared SET search_path = sales, public",
    "ALTER DATABASE shared SET lock_timeout = '7s'",
    "ALTER DATABASE shared SET timezone = 'Asia/Kolkata'",
)
SCHEMA_OF_OTHERS = """
    CREATE SCHEMA sales AUTHORIZATION sales;
    SET ROLE sales;
    CREATE TABLE sales.coverage (id integer PRIMARY KEY, note text);
    INSERT INTO sales.coverage VALUES (1, 'of the sales team');
    ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO PUBLIC;
"""
OUTSIDE, LEFT = (
    Path(__file__).with_name(f"{name}.sql").read_text() for name in ("outside", "left")
)
ENDINGS = ("xlsx", "csv", "jsonl")
PERIOD = ["--begin", "2026-11-20", "--end", "2026-11-23"]


@dataclass(frozen=True)
class Shared:
    """A database of several teams; its pooler listens on `port`."""

    server: Server
    port: int

    def directly(self, user: str = "") -> Engine:
        """Return an engine of the user, or else of the superuser, beside the pooler."""
        superuser = warehouse_module.engine(self.server.url("shared"))
        own = superuser.url.set(username=user, password=PASSWORD)
        return warehouse_module.engine(own) if user else superuser

    def url(self, user: str) -> URL:
        """Return the URL of the user through the pooler."""
        return self.directly(user).url.set(port=self.port)

    def outside(self) -> set[tuple[str, ...]]:
        """Return what `outside.sql` lists."""
        with closing_engine(self.directly()) as superuser:
            return {*rows(superuser, OUTSIDE)}


@contextmanager
def closing_engine(engine: Engine) -> Iterator[Engine]:
    """Yield the engine, and close its connections after the block."""
    try:
        yield engine
    finally:
        engine.dispose()


def program() -> str:
    """Return the path of PgBouncer, which is in root's path alone; without it the test fails."""
    path = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, "there is no PgBouncer: apt install pgbouncer"
    return path


@contextmanager
def pooling(server: Server, *settings: str) -> Iterator[int]:
    """Run PgBouncer in transaction mode before the server, and yield its port."""
    port, to_server = choose_port(), warehouse_module.engine(server.url("shared")).url.port
    with tempfile.TemporaryDirectory(prefix="weixin-pooler-") as folder:
        users, file = Path(folder, "users.txt"), Path(folder, "pgbouncer.ini")
        names = (OWNER, ADMINISTRATOR, DAILY, ANALYST)
        users.write_text("".join(f'"{name}" "{PASSWORD}"\n' for name in names))
        own = (f"listen_addr={LOOPBACK}", f"listen_port={port}", "unix_socket_dir=")
        own += ("pool_mode=transaction", "auth_type=scram-sha-256", f"auth_file={users}")
        databases = ("[databases]", f"* = host={LOOPBACK} port={to_server}")
        file.write_text("\n".join([*databases, "[pgbouncer]", *own, *settings]) + "\n")
        Path(folder).chmod(0o755)
        with subprocess.Popen(
            [program(), "--quiet", file],
            user=SERVER_USER,
            group=SERVER_USER,
            extra_groups=[] if SERVER_USER else None,
        ) as process:
            try:
                until(lambda: is_answering(port))
                yield port
            finally:
                process.kill()  # a termination would wait for clients


@pytest.fixture(scope="module")
def shared(server: Server) -> Iterator[Shared]:
    """Run a server without the roles of a warehouse, and a pooler before it."""
    with temporary_server(server.binaries) as own:
        for statement in SERVER_OF_OTHERS:
            own.ask("postgres", statement)
        own.ask("shared", SCHEMA_OF_OTHERS)
        with pooling(own, f"default_pool_size={POOL_SIZE}") as port:
            yield Shared(own, port)


@dataclass(frozen=True)
class Migration:
    """What two migrations by the owner did, before and after the roles were created."""

    output: str
    """What the first one printed."""
    first: set[tuple[str, ...]]
    """What the first one changed outside the schemas of the warehouse."""
    second: set[tuple[str, ...]]
    """What the second one changed there."""
    refused: str
    """What Postgres refused while the administrator created the analyst."""


@pytest.fixture(scope="module")
def migration(shared: Shared) -> Migration:
    """Let the owner migrate before and after the administrator creates roles and users."""
    states = [shared.outside()]
    output = warehouse_module.migrate(shared.url(OWNER))
    states.append(shared.outside())
    with closing_engine(shared.directly(ADMINISTRATOR)) as administrator:
        execute(
            administrator,
            *re.findall(r"CREATE ROLE \w+", output),
            f"CREATE ROLE {DAILY} LOGIN PASSWORD '{PASSWORD}' IN ROLE weixin_loader",
        )
        refused = create_reader(shared.server, administrator.url)
        execute(administrator, f"ALTER ROLE {ANALYST} PASSWORD '{PASSWORD}'")
    states.append(shared.outside())
    warehouse_module.migrate(shared.url(OWNER))
    states.append(shared.outside())
    return Migration(output, states[0] ^ states[1], states[2] ^ states[3], refused)


def create_reader(server: Server, administrator: URL) -> str:
    """Create the analyst by `docker/reader.sql`, and return what psql says on stderr."""
    file, url = PROJECT / "docker/reader.sql", administrator.set(drivername="postgresql")
    options = ["--no-psqlrc", f"--variable=reader={ANALYST}", f"--file={file}"]
    psql = (server.binaries or embedded()) / "psql"
    return typed(psql, *options, url.render_as_string(hide_password=False)).stderr


@pytest.fixture
def loader(shared: Shared, migration: Migration) -> Iterator[Engine]:
    """Yield the pipeline's engine through the pooler."""
    with closing_engine(warehouse_module.engine(shared.url(DAILY))) as engine:
        yield engine


def test_a_migration_grants_connections_and_changes_nothing_else(
    shared: Shared, migration: Migration
) -> None:
    """The database's settings, extensions and public rights, and the others' schema stay."""
    granted = {("weixin_loader", "CONNECT"), ("weixin_loader", "TEMPORARY")}
    granted.add(("weixin_reader", "CONNECT"))
    assert migration.first == set()
    assert migration.second == {
        ("grant on a database", "shared", f"{role} {right}") for role, right in granted
    }
    assert warehouse_module.migrate(shared.url(OWNER)) == ""


def test_an_administrator_who_is_no_superuser_cannot_limit_files(migration: Migration) -> None:
    """The file that creates readers sets this limit last, so they have all the others."""
    (refusal,) = migration.refused.splitlines()
    assert refusal.endswith('permission denied to set parameter "temp_file_limit"')


def left_in_sessions(url: URL) -> set[str]:
    """Return what is left in the sessions of the server that the pooler has for the URL's user."""
    with closing_engine(create_engine(url)) as engine, ExitStack() as stack:
        # each open transaction has a session of its own
        sessions = [stack.enter_context(engine.connect()) for _ in range(POOL_SIZE)]
        for session in sessions:
            session.exec_driver_sql("SELECT 1")
        return {left for session in sessions for left in session.exec_driver_sql(LEFT).scalars()}


def ask(warehouse: Engine, account: Account, dataset: Dataset, name: str) -> Counter[str]:
    """Make a run of the dataset that must be green, and return the totals of its report."""
    run = Run(name, dataset, clock.beijing_date(clock.now()), is_scheduled=True, refetch=True)
    collector = Collector(warehouse, {account.conn_id: account})
    batch = collector.plan(run)
    collector.ingest(run, batch)
    assert collector.check(run, batch).not_in == []
    return Counter(collector.report(run, batch))


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_a_run_and_its_repetition_leave_nothing_in_sessions(
    loader: Engine, account: Account, dataset: Dataset
) -> None:
    """Both are green; the repetition inserts nothing."""
    inserted = [ask(loader, account, dataset, name)["inserted"] for name in ("run", "repetition")]
    assert inserted[0] > inserted[1] == 0
    assert left_in_sessions(loader.url) == set()


@pytest.fixture
def connected(
    loader: Engine, account: Account, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> Shared:
    """Load a morning, and let commands and page find the warehouse through the pooler."""
    ask(loader, account, ARTICLE_TOTAL, "morning")
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_WAREHOUSE", postgres_connection(loader.url))
    reader = postgres_connection(shared.url(ANALYST))
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_READER", reader)
    monkeypatch.setattr(airflow_state, "read", lambda: None)
    monkeypatch.setitem(page_app.dependency_overrides, readable, lambda: (*DATASETS.values(),))
    return shared


def test_commands_leave_nothing_in_sessions(connected: Shared, tmp_path: Path) -> None:
    """They write and read; `migrate` finds nothing to do, as a user who may change nothing."""
    commands = [["export", str(tmp_path / f"figures.{end}"), *PERIOD] for end in ENDINGS]
    commands += [["status"], ["digest"], ["replay", ARTICLE_TOTAL.name, "--apply"], ["migrate"]]
    assert [command for command in commands if main(command) != 0] == []
    for user in (OWNER, DAILY, ANALYST):
        assert left_in_sessions(connected.url(user)) == set(), user


def test_the_page_and_an_analyst_read_the_articles(connected: Shared) -> None:
    """Neither can write."""
    page = TestClient(page_app).get("/articles?dataset=article_total")
    with closing_engine(warehouse_module.engine(connected.url(ANALYST))) as analyst:
        titles = {title for (title,) in rows(analyst, "SELECT title FROM analytics.article")}
        with pytest.raises(DBAPIError, match="permission denied"):
            execute(analyst, "DELETE FROM weixin.coverage")
    assert page.status_code == 200
    assert {title for title in titles if title in page.text}


def test_no_other_client_of_the_pool_gets_a_held_lock(loader: Engine) -> None:
    """The lock belongs to a transaction, not to a session that several clients use in turn."""
    dataset, appids = ARTICLE_TOTAL.name, ["wx1"]
    with (
        ingest_locks(loader, dataset, appids, waits=False) as first,
        closing_engine(warehouse_module.engine(loader.url)) as other,
        ingest_locks(other, dataset, appids, waits=False) as second,
    ):
        assert (first, second) == ({"wx1"}, set())
    with ingest_locks(loader, dataset, appids, waits=False) as third:
        assert third == {"wx1"}


def test_the_page_reads_only_behind_the_pooler(
    shared: Shared, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even for the owner. The next transaction of the pool may write again."""
    url = shared.url(OWNER)
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_READER", postgres_connection(url))
    with pytest.raises(WarehouseError, match="read-only transaction"), reading() as session:
        session.exec_driver_sql("DELETE FROM weixin.coverage")
    with closing_engine(warehouse_module.engine(url)) as owner:
        execute(owner, "DELETE FROM weixin.finding")


def test_a_task_whose_pool_has_no_second_session_is_tried_again(
    shared: Shared, loader: Engine, account: Account
) -> None:
    """An ingest holds its locks in one transaction, and loads in another. It does not hang."""
    run = Run("small", ARTICLE_TOTAL, clock.beijing_date(clock.now()), is_scheduled=True)
    collector = Collector(loader, {account.conn_id: account})
    batch = collector.plan(run)
    with (
        pooling(shared.server, "default_pool_size=1", "query_wait_timeout=1") as port,
        closing_engine(warehouse_module.engine(loader.url.set(port=port))) as engine,
    ):
        result = replace(collector, warehouse=engine).ingest(run, batch)
    assert [problem.kind for problem in result.problems] == [ProblemKind.WAREHOUSE]
    assert result.is_retryable
