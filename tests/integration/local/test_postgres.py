"""The embedded Postgres keeps its data, its port and its doors."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from weixin_local import postgres
from weixin_local.machine import LocalError
from weixin_local.postgres import Server

IS_ROOT = os.geteuid() == 0
as_root_only = pytest.mark.skipif(not IS_ROOT, reason="only root runs the server as another user")
HASTE = {"fsync": "off"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's user can reach, which pytest's `tmp_path` is not for root."""
    with tempfile.TemporaryDirectory(prefix="weixin-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def make(folder: Path) -> Iterator[Callable[..., Server]]:
    """A server in a sub-folder, gone after the test."""
    made: list[Server] = []

    def _make(name: str = "server", **settings: str) -> Server:
        made.append(Server(folder / name, settings={**HASTE, **settings}))
        return made[-1]

    yield _make
    for server in made:
        server.stop()


@pytest.fixture
def server(make: Callable[..., Server]) -> Server:
    """A running server."""
    server = make()
    server.start()
    return server


def ask(url: str, statement: str) -> object:
    """The one value a statement answers."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def postmaster(server: Server) -> psutil.Process:
    """The server's first process."""
    return psutil.Process(int((server.directory / "data/postmaster.pid").read_text().split()[0]))


def test_a_server_is_postgres_18_and_durable_unless_told_otherwise(
    make: Callable[..., Server],
) -> None:
    """Of the wheel's binaries; only who throws a server away may switch fsync off."""
    hasty, durable = make(), make("durable")
    durable.settings.clear()
    for server, fsync in ((hasty, "off"), (durable, "on")):
        server.start()
        url = server.libpq_url("postgres")

        assert str(ask(url, "SHOW server_version")).startswith("18.")
        assert ask(url, "SHOW fsync") == fsync


def test_nobody_enters_without_the_password(server: Server) -> None:
    """Every user of the machine reaches a TCP port; the password is its owner's."""
    wrong = f"postgresql://postgres:guess@127.0.0.1:{server.port}/postgres"

    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        ask(wrong, "SELECT 1")
    assert server.directory.stat().st_mode & 0o007 == 0
    assert (server.directory / "password").stat().st_mode & 0o777 == 0o600


def test_a_lock_whose_number_went_to_another_program_is_no_lock(server: Server) -> None:
    """After a crash and a reboot any process of the server's user may have its number."""
    server.stop()
    with subprocess.Popen(["sleep", "60"], user=postgres.server_user(), cwd="/") as other:
        lock = server.directory / "data/postmaster.pid"
        lock.write_text(f"{other.pid}\n{server.directory}/data\n1\n{server.port}\n\n\n")

        assert not server.is_running()
        assert server.start()
        other.kill()


def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(
    folder: Path, make: Callable[..., Server]
) -> None:
    """Half-made data are made anew, never started."""
    unfinished = folder / "server/data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server = make()

    server.start()

    assert ask(server.libpq_url("postgres"), "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_server_that_cannot_start_says_why(make: Callable[..., Server]) -> None:
    """The sentence holds what Postgres said and where it said it."""
    server = make(shared_buffers="much")

    with pytest.raises(LocalError, match=r"does not start, see .*postgres\.log: .*shared_buffers"):
        server.start()


@as_root_only
def test_root_runs_the_server_as_another_user_and_opens_no_door_for_it(folder: Path) -> None:
    """Postgres refuses root; its user may not put a file where root opens some."""
    parent = folder / "parent"
    parent.mkdir(mode=0o711)
    server = Server(parent / "server", settings=HASTE)
    try:
        server.start()

        assert postmaster(server).username() == postgres.SERVER_USER
        assert not postgres.can_run("test", postgres.SERVER_USER, "-w", str(server.directory))
        assert parent.stat().st_mode & 0o777 == 0o711
    finally:
        server.stop()


@pytest.fixture
def secret(folder: Path) -> Path:
    """A file that only root may read."""
    path = folder / "secret"
    path.write_text("roots:secret\n")
    path.chmod(0o600)
    return path


@as_root_only
@pytest.mark.parametrize("plant", [["ln", "-s"], ["ln"], ["mkfifo"]], ids=" ".join)
def test_root_follows_no_link_in_the_servers_data(
    server: Server, secret: Path, plant: list[str]
) -> None:
    """Whoever took over Postgres gets no file of root's emptied or quoted, and keeps no one."""
    server.stop()
    lock = server.directory / "data/postmaster.pid"
    target = [] if plant == ["mkfifo"] else [secret]
    subprocess.run([*plant, *target, lock], cwd="/", check=True)

    assert not server.is_running()
    assert not server.stop()
    assert secret.read_text() == "roots:secret\n"
    lock.unlink()


@as_root_only
def test_programs_in_a_closed_folder_are_copied_to_an_open_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout in /root is closed to the server's user, and stays closed."""
    installed = postgres.embedded()
    site_packages = installed.parents[2]
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    for name in (installed.parts[-3], f"{installed.parts[-3]}.libs"):
        (closed / name).symlink_to(site_packages / name)
    monkeypatch.setattr(postgres, "SHARED_DIRECTORY", folder / "shared")
    theirs = closed / installed.relative_to(site_packages)

    copied = postgres._copy_for(postgres.SERVER_USER, theirs)

    assert not postgres.can_run(theirs / "postgres", postgres.SERVER_USER, "--version")
    assert postgres.can_run(copied / "postgres", postgres.SERVER_USER, "--version")
    assert pwd.getpwuid((copied / "postgres").stat().st_uid).pw_name == "root"
