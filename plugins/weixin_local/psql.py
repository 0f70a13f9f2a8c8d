"""A prompt at the warehouse."""

import os
from collections.abc import Sequence

from sqlalchemy import URL, make_url

from weixin_local import binaries, prepare
from weixin_local.progress import Steps

TERMINFO_DIRS = "/etc/terminfo:/lib/terminfo:/usr/share/terminfo"
"""The wheel's `psql` was built on a machine that keeps its terminals elsewhere."""


def psql(arguments: Sequence[str], steps: Steps) -> None:
    """Become `psql` on the warehouse, with the analysts' schema first in the search path."""
    url = make_url(prepare.open_warehouse(steps))
    program = binaries.embedded() / "psql"
    without_password = URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, url.query
    ).render_as_string()
    environment = {
        "TERMINFO_DIRS": TERMINFO_DIRS,
        "PGOPTIONS": "-c search_path=analytics,weixin,public",
        **os.environ,
        "PGPASSWORD": url.password or "",
    }
    os.execve(program, ["psql", without_password, *arguments], environment)  # noqa: S606 -- no shell is meant
