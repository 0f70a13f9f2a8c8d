"""
An installation of the project with docker compose, by the commands of the manual.

The manual is docs/operating. `clone` yields an `Installation`, whose methods run its commands.
"""

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
TEST_FOLDER = Path(__file__).parent.relative_to(PROJECT)
DAG = "weixin_article_total"


@dataclass(frozen=True)
class Installation:
    """A checkout with its own project of docker compose and its own port."""

    folder: Path
    port: int
    files: tuple[str, ...] = ("docker-compose.yml", f"{TEST_FOLDER}/sandbox.yml")
    """The compose files, in the order in which docker compose merges them."""

    @property
    def _own(self) -> dict[str, str]:
        """The variables that docker compose reads from the environment."""
        own = {"COMPOSE_PROJECT_NAME": self.folder.name, "COMPOSE_FILE": ":".join(self.files)}
        return own | {"AIRFLOW_PORT": str(self.port)}

    def types(self, command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell, and return the completed process."""
        return typed("sh", "-ec", command, folder=self.folder, **(self._own | more))

    def does(self, command: str, **more: str) -> str:
        """Run a line of shell that must succeed, and return its output."""
        return printed("sh", "-ec", command, folder=self.folder, **(self._own | more))

    def follows(self, section: str) -> None:
        """Run every command of a section of the manual."""
        for command in blocks(MANUAL, section):
            self.does(command)

    def install(self) -> None:
        """
        Follow the manual, unpause the DAG, and wait for the run that Airflow starts at once.

        A restart of the API server during the run would fail a task.
        """
        self.follows("With docker compose")
        rest = self.rest()
        rest("PATCH", f"dags/{DAG}", {"is_paused": False})
        (first,) = until(lambda: rest("GET", f"dags/{DAG}/dagRuns")["dag_runs"])
        rest.ended(DAG, first["dag_run_id"])

    def runs(self) -> dict[str, Any]:
        """Trigger a run that must succeed, and return it."""
        run = self.rest().run(DAG)
        assert run["state"] == "success"
        return run

    def asks(self, statement: str, database: str = "weixin", user: str = "postgres") -> list[str]:
        """Run a statement in Postgres, and return the lines of its output."""
        psql = f"psql --username={user} --dbname={database} -A -t -v ON_ERROR_STOP=1"
        output = self.does(
            f'docker compose exec -T postgres {psql} -c "$STATEMENT"', STATEMENT=statement
        )
        return output.splitlines()

    def secret(self, name: str) -> str:
        """Return a value of `.env`."""
        return dotenv_values(self.folder / ".env")[name] or ""

    def rest(self) -> Rest:
        """Return a session of the REST API as admin."""
        return Rest(self.port, self.secret("AIRFLOW_ADMIN_PASSWORD"))

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of the running containers."""
        return self.does(f"docker compose ps --quiet {service}").split()

    def inspect(self, container: str, path: str) -> Any:
        """Return a field of `docker inspect` for a container."""
        return json.loads(self.does(f"docker inspect --format '{{{{json {path}}}}}' {container}"))


@contextmanager
def clone() -> Iterator[Installation]:
    """Copy the checkout into a folder that no other user may read, as on many servers."""
    with tempfile.TemporaryDirectory() as parent:
        # docker compose names its project and the image after the folder.
        installation = Installation(Path(parent, f"weixin-{token_hex(4)}"), choose_port())
        copy_checkout(installation.folder)
        for path in installation.folder.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        sandbox = installation.folder / "sandbox"
        counted = installation.folder / TEST_FOLDER / "counted_sandbox.py"
        for path in (sandbox, *sandbox.rglob("*"), counted):  # containers mount these
            path.chmod(0o755)
        try:
            yield installation
        finally:
            installation.does("make secrets && docker compose down --volumes")
            installation.types(f"docker image rm {installation.folder.name}")
