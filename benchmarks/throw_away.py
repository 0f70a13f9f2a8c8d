"""A server for a benchmark, deleted at its end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weixin_local.postgres import Server


@contextmanager
def server(binaries: Path | None = None) -> Iterator[Server]:
    """A Postgres with its default settings, deleted at the end; without binaries the embedded."""
    directory = Path(tempfile.mkdtemp(prefix="weixin-bench-"))
    directory.chmod(0o755)
    started = Server(directory / "server", binaries)
    try:
        started.start()
        yield started
    finally:
        started.destroy()
        directory.rmdir()
