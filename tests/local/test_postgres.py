"""The embedded Postgres keeps its data, and its door shut."""

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
    """A folder that the server's user can reach, which pytest's `tmp_path` is not for root."""
    with tempfile.TemporaryDirectory(prefix="weixin-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_server_is_durable_and_only_its_owner_reaches_it(folder: Path) -> None:
    """By a socket, without port and password; root's is another user's, who owns the data alone."""
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


def test_the_last_who_needs_it_stops_it_and_no_crash_is_in_the_way(folder: Path) -> None:
    """
    Whoever has started it: a killed terminal leaves one that nobody needs.

    Half-made data are made anew; a lock's number may be another program's after a reboot.
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

    with subprocess.Popen(["sleep", "60"], user=postgres.SERVER_USER, cwd="/") as other:
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            content = f"{other.pid}\n{server.directory}/data\n1\n5432\n\n\n"
            (server.directory / "data" / lock).write_text(content)
        with server.running():
            assert server.ask("postgres", "SELECT 1") == 1
        other.kill()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    """By the name of its log; or where its user may not read its programs, as in /root."""
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
