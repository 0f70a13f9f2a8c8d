"""Where the local stack keeps what."""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import weixin_etl
from weixin_local import machine, postgres
from weixin_local.machine import LocalError
from weixin_local.postgres import Server

METADATA_DATABASE = "airflow"
WAREHOUSE_DATABASE = "weixin"
SANDBOX_DATABASE = "weixin_sandbox"
"""Made-up figures have a warehouse of their own, so that they never mix with real ones."""


@dataclass(frozen=True)
class Home:
    """A checkout and its state: `WEIXIN_HOME`, or the checkout's `.weixin`."""

    project: Path
    state: Path

    @property
    def dags(self) -> Path:
        """The folder Airflow reads."""
        return self.project / "dags"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.state / "airflow"

    @property
    def logs(self) -> Path:
        """One file per process of `up`, one per `run`."""
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        """Who was started: see `processes`."""
        return self.state / "processes"

    @property
    def server(self) -> Server:
        """
        The embedded Postgres.

        Root's server runs as another user, who may not reach the checkout: its data lie elsewhere.
        """
        if postgres.server_user() is None:
            return Server(self.state / "postgres")
        state_hash = hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]
        return Server(postgres.shared_directory() / state_hash)

    def locked(self, say: Callable[[str], None]) -> AbstractContextManager[None]:
        """One command at a time starts or stops what belongs to this home; `say` if it waits."""
        waiting = "Waiting for another command of this checkout to end …"
        return machine.locked(self.state / "lock", lambda: say(waiting))


def find() -> Home:
    """
    The home of the checkout this package was installed from; its folders are created.

    Raises:
        LocalError: the package is not part of a checkout, or its state is another user's.
    """
    project = Path(weixin_etl.__file__).resolve().parents[2]
    if not (project / "dags").is_dir():
        raise LocalError(
            "This command works in a checkout of the project: clone it and run `make setup` there."
        )
    state = Path(os.environ.get("WEIXIN_HOME") or project / ".weixin").resolve()
    home = Home(project, state)
    for folder in (state, home.airflow, home.logs, home.processes):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise LocalError(f"{folder} is another user's: work as that user, or take it over.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home
