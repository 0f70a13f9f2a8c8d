"""A database for a benchmark: the one it is given, or one of a server that goes with it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weixin_local.postgres import Server


@contextmanager
def database(url: str | None) -> Iterator[str]:
    """The URL of an empty database; without one an embedded Postgres is started and deleted."""
    if url:
        yield url
        return
    directory = Path(tempfile.mkdtemp(prefix="weixin-bench-"))
    directory.chmod(0o755)
    server = Server(directory / "server")
    try:
        server.start()
        server.create_database("benchmark")
        yield server.url("benchmark")
    finally:
        server.destroy()
        directory.rmdir()
