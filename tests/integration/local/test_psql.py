"""`psql` opens the warehouse with what the project brings along."""

import os
import subprocess
import sys
from pathlib import Path

from weixin_local.postgres import Server


def test_a_machine_needs_no_psql_of_its_own(embedded_server: Server, tmp_path: Path) -> None:
    """The wheel's looks for itself where it was called, and is not found on a bare name."""
    url = embedded_server.libpq_url("postgres").replace("postgresql://", "postgres://", 1)

    said = subprocess.run(
        [sys.executable, "-m", "weixin_local", "psql", "-A", "-t", "-c", "SHOW search_path"],
        env={**os.environ, "AIRFLOW_CONN_WEIXIN_WAREHOUSE": url, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (said.returncode, said.stdout) == (0, "analytics,weixin,public\n"), said.stderr
