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
    with server.running():
        shown = [server.ask("postgres", f"SHOW {it}") for it in ("fsync", "listen_addresses")]
        number = int((server.directory / "data/postmaster.pid").read_text().split()[0])

        assert shown == ["on", ""]
        assert server.ask("postgres", "SHOW server_version_num").startswith("18")
        assert (server.directory / "data").stat().st_mode & 0o077 == 0
        assert server.directory.stat().st_mode & 0o027 == 0
        assert server.directory.stat().st_uid == os.geteuid()
        assert (psutil.Process(number).uids().real == 0) is False


def test_the_last_who_needs_it_stops_it(folder: Path) -> None:
    """Whoever has started it: a killed terminal leaves one that nobody needs."""
    server = Server(folder / "server", settings=HASTE)
    server.start()
    with server.running():
        with server.running():
            pass
        assert server.is_running()

    assert not server.is_running()


def test_what_a_crash_leaves_is_not_in_the_way(folder: Path) -> None:
    """Half-made data are made anew; a lock's number may be another program's after a reboot."""
    server = Server(folder / "server", settings=HASTE)
    unfinished = server.directory / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    with server.running():
        assert not unfinished.exists()
    with subprocess.Popen(["sleep", "60"], user=postgres.SERVER_USER, cwd="/") as other:
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            content = f"{other.pid}\n{server.directory}/data\n1\n5432\n\n\n"
            (server.directory / "data" / lock).write_text(content)

        with server.running():
            assert server.ask("postgres", "SELECT 1") == 1
        other.kill()


def test_a_server_that_cannot_start_names_its_log(folder: Path) -> None:
    """Which says why."""
    server = Server(folder / "server", settings={**HASTE, "shared_buffers": "much"})

    with (
        pytest.raises(LocalError, match=r"(?s)could not start server.*postgres\.log"),
        server.running(),
    ):
        pass
    assert "shared_buffers" in server.log_file.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")
def test_programs_that_are_closed_to_the_servers_user_are_a_sentence(folder: Path) -> None:
    """Those of a checkout in /root are, and stay so."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "programs").symlink_to(postgres.embedded())

    with (
        pytest.raises(LocalError, match="move the checkout out of root's home"),
        Server(folder / "server", closed / "programs").running(),
    ):
        pass
