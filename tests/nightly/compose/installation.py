"""Somebody who installs the project on a server, as the manual, docs/operating, tells them to."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from dotenv import dotenv_values
from support import choose_port
from support.people import PROJECT, blocks, copy_checkout, printed, typed
from support.rest import Rest, until

MANUAL = "".join(page.read_text() for page in sorted((PROJECT / "docs/operating").glob("*.md")))
HERE = Path(__file__).parent.relative_to(PROJECT)
DAG = "weixin_article_total"


@dataclass(frozen=True)
class Installation:
    """A checkout with its own project of docker compose, at a port of its own."""

    folder: Path
    port: int
    files: tuple[str, ...] = ("docker-compose.yml", f"{HERE}/sandbox.yml")
    """Of docker compose, in the order in which they are merged."""

    @property
    def _own(self) -> dict[str, str]:
        """What docker compose reads of the environment."""
        own = {"COMPOSE_PROJECT_NAME": self.folder.name, "COMPOSE_FILE": ":".join(self.files)}
        return own | {"AIRFLOW_PORT": str(self.port)}

    def types(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell and read what it says."""
        return typed("sh", "-ec", command, folder=self.folder, **(self._own | more))

    def does(self, command: str, **more: str) -> str:
        """Run a line of shell that must succeed; what it prints."""
        return printed("sh", "-ec", command, folder=self.folder, **(self._own | more))

    def follows(self, section: str) -> None:
        """Type every command of a section of the manual."""
        for command in blocks(MANUAL, section):
            self.does(command)

    def install(self) -> None:
        """
        Follow the manual, unpause the DAG, and wait for the run that Airflow makes at once.

        Who restarts the API server meanwhile fails the task that is about to start.
        """
        self.follows("With docker compose")
        rest = self.rest()
        rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        (first,) = until(lambda: rest("GET", f"dags/{DAG}/dagRuns")["dag_runs"])
        rest.ended(DAG, first["dag_run_id"])

    def runs(self) -> dict[str, Any]:
        """A run that is triggered now, and succeeds."""
        run = self.rest().run(DAG)
        assert run["state"] == "success"
        return run

    def asks(self, statement: str, database: str = "weixin", user: str = "postgres") -> list[str]:
        """The lines of Postgres' answer."""
        psql = f"psql --username={user} --dbname={database} -A -t -v ON_ERROR_STOP=1"
        said = self.does(
            f'docker compose exec -T postgres {psql} -c "$STATEMENT"', STATEMENT=statement
        )
        return said.splitlines()

    def secret(self, name: str) -> str:
        """A value of `.env`."""
        return dotenv_values(self.folder / ".env")[name] or ""

    def rest(self) -> Rest:
        """The REST API, entered as admin."""
        return Rest(self.port, self.secret("AIRFLOW_ADMIN_PASSWORD"))

    def containers(self, service: str = "") -> list[str]:
        """The ids of the containers at work."""
        return self.does(f"docker compose ps --quiet {service}").split()

    def inspect(self, container: str, what: str) -> Any:
        """A part of what Docker knows of a container."""
        return json.loads(self.does(f"docker inspect --format '{{{{json {what}}}}}' {container}"))


@contextmanager
def clone() -> Iterator[Installation]:
    """What git knows of the checkout, in a folder that nobody else may read, as on many servers."""
    with tempfile.TemporaryDirectory() as parent:
        # the folder's name is the project's, and the image's
        installation = Installation(Path(parent, f"weixin-{token_hex(4)}"), choose_port())
        copy_checkout(installation.folder)
        for path in installation.folder.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        sandbox = installation.folder / "sandbox"
        counted = installation.folder / HERE / "counted_sandbox.py"
        for path in (sandbox, *sandbox.rglob("*"), counted):  # which containers have mounted
            path.chmod(0o755)
        try:
            yield installation
        finally:
            installation.does("make secrets && docker compose down --volumes")
            installation.types(f"docker image rm {installation.folder.name}")
