"""The embedded Postgres keeps its data, and its door shut."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from weixin_local import postgres
from weixin_local.machine import LocalError
from weixin_local.postgres import Server

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another user")


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

    def _make(**settings: str) -> Server:
        made.append(Server(folder / "server", settings=settings))
        return made[-1]

    yield _make
    for server in made:
        server.stop()


def test_a_server_is_postgres_18_that_listens_on_a_socket_of_its_owners(
    make: Callable[..., Server],
) -> None:
    """No port, no password: whoever can't read the folder can't reach it. It is durable."""
    server = make()
    with server.running():
        shown = [
            server.ask("postgres", f"SHOW {name}")
            for name in ("server_version_num", "fsync", "listen_addresses")
        ]

        assert (int(shown[0]) // 10_000, *shown[1:]) == (18, "on", "")
        assert (server.directory / "data").stat().st_mode & 0o077 == 0
        assert server.directory.stat().st_mode & 0o007 == 0


def test_the_last_who_needs_it_stops_it(make: Callable[..., Server]) -> None:
    """One command may end while another is at work; after both nothing runs."""
    server = make(fsync="off")
    with server.running():
        with server.running():
            pass
        assert server.is_running()

    assert not server.is_running()


def test_one_that_was_left_running_is_taken_over(make: Callable[..., Server]) -> None:
    """A killed terminal leaves a server that nobody needs: the next command stops it."""
    server = make(fsync="off")
    server.start()

    with server.running():
        assert server.ask("postgres", "SELECT 1") == 1

    assert not server.is_running()


def test_a_lock_whose_number_went_to_another_program_is_no_lock(
    make: Callable[..., Server],
) -> None:
    """After a crash and a reboot any process of the server's user may have its number."""
    server = make(fsync="off")
    with server.running():
        pass
    with subprocess.Popen(["sleep", "60"], user=postgres.server_user(), cwd="/") as other:
        for lock in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            content = f"{other.pid}\n{server.directory}/data\n1\n5432\n\n\n"
            (server.directory / "data" / lock).write_text(content)

        with server.running():
            assert server.is_running()
        other.kill()


def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(make: Callable[..., Server]) -> None:
    """Half-made data are made anew, never started."""
    server = make(fsync="off")
    unfinished = server.directory / "data.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    with server.running():
        assert server.ask("postgres", "SELECT 1") == 1
    assert not unfinished.exists()


def test_a_server_that_cannot_start_says_why(make: Callable[..., Server]) -> None:
    """The sentence holds what Postgres said and where it said it."""
    wrong = make(shared_buffers="much")

    with (
        pytest.raises(LocalError, match=r"does not start, see .*postgres\.log: .*shared_buffers"),
        wrong.running(),
    ):
        pass


@as_root_only
def test_root_runs_the_server_as_another_user_who_owns_the_data_alone(
    make: Callable[..., Server],
) -> None:
    """Postgres refuses root; its user may not put a file where root opens some."""
    server = make(fsync="off")
    with server.running():
        number = int((server.directory / "data/postmaster.pid").read_text().split()[0])

        assert psutil.Process(number).username() == postgres.SERVER_USER
        assert (server.directory.owner(), server.directory.stat().st_mode & 0o777) == (
            "root",
            0o710,
        )


@as_root_only
def test_programs_that_are_closed_to_the_servers_user_are_a_sentence(folder: Path) -> None:
    """Those of a checkout in /root are, and stay so."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / "programs").symlink_to(postgres.embedded())
    server = Server(folder / "server", closed / "programs")

    with (
        pytest.raises(LocalError, match=r"who can't reach .* move the checkout out of root's home"),
        server.running(),
    ):
        pass
