"""Tests of the embedded Postgres server: durability, access, start and stop."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from weixin_local import postgres
from weixin_local.machine import LocalError
from weixin_local.postgres import Server

HASTE = {"fsync": "off"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that the server's user can reach even if root runs the tests."""
    with tempfile.TemporaryDirectory(prefix="weixin-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_server_is_durable_and_only_its_owner_reaches_it(folder: Path) -> None:
    """The server listens on a socket only. For root, another user runs it and owns the data."""
    server = Server(folder / "server")
    data = server.directory / "data"
    with server.running():
        number = int((data / "postmaster.pid").read_text().split()[0])

        assert server.ask("postgres", "SHOW server_version_num").startswith("18")
        assert server.ask("postgres", "SHOW fsync") == "on"
        assert server.ask("postgres", "SHOW listen_addresses") == ""
        assert (data.stat().st_mode & 0o077, server.directory.stat().st_mode & 0o027) == (0, 0)
        assert server.directory.stat().st_uid == os.geteuid()
        assert psutil.Process(number).uids().real != 0


def test_the_last_user_stops_the_server_and_it_starts_again_after_a_crash(folder: Path) -> None:
    """
    The user that stops the server need not be the one that started it.

    Unfinished data are created anew. After a reboot a lock file may name another program's process.
    """
    server = Server(folder / "server", settings=HASTE)
    unfinished = server.directory / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    server.start()
    with server.running():
        with server.running():
            assert not unfinished.exists()
        assert server.is_running()
    assert not server.is_running()

    with subprocess.Popen(["sleep", "60"], user=postgres.SERVER_USER, cwd="/") as sleeper:
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            content = f"{sleeper.pid}\n{server.directory}/data\n1\n5432\n\n\n"
            (server.directory / "data" / lock).write_text(content)
        with server.running():
            assert server.ask("postgres", "SELECT 1") == 1
        sleeper.kill()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    """The error names the log, or the folder whose programs the server's user can't read."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "programs").symlink_to(postgres.embedded())
    odd = Server(folder / "odd", settings={**HASTE, "shared_buffers": "much"})
    cases = [(odd, r"(?s)could not start server.*postgres\.log")]
    if os.geteuid() == 0:
        cases.append((Server(folder / "s", closed / "programs"), "move the checkout out of root's"))

    for server, why in cases:
        with pytest.raises(LocalError, match=why), server.running():
            pass
    assert "shared_buffers" in odd.log_file.read_text()
