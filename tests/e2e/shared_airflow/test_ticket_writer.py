"""The receiver of a platform's tickets: what its user may do in Airflow, and no more."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from people import Person

from weixin_local import machine
from weixin_local.environment import airflow_environment
from weixin_local.home import METADATA_DATABASE

pytestmark = pytest.mark.stack

DAG = "weixin_article_total"
ROLE = "Ticket writer"
TICKET = "weixin_platform_ticket"
OTHER = "weixin_accounts"
PASSWORD = "of-the-test"
PATIENCE_SECONDS = 120
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"


class LoggedIn:
    """Somebody who has logged in to Airflow."""

    def __init__(self, origin: str, name: str) -> None:
        body = {"username": name, "password": PASSWORD}
        answer = requests.post(f"{origin}/auth/token", json=body, timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        self.origin = origin
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to a call."""
        return requests.request(
            method,
            f"{self.origin}/{path}",
            json=body,
            headers=self.headers,
            timeout=PATIENCE_SECONDS,
        )

    def writes(self, key: str, value: str, query: str = "") -> requests.Response:
        """The answer to the call of the manual."""
        body = {"key": key, "value": value, "description": "changed"}
        return self("PATCH", f"api/v2/variables/{key}{query}", body)


@pytest.fixture(scope="module")
def environment(person: Person) -> dict[str, str]:
    """That of an Airflow with FAB, set up as `make up` and docker compose do."""
    home = person.home
    home.airflow.mkdir()
    home.server.start()
    home.server.create_database(METADATA_DATABASE)
    url = home.server.url(METADATA_DATABASE)
    environment = airflow_environment(home, "weixin://", url, machine.choose_port()) | {
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "FAB_PASSWORD": PASSWORD,
    }
    _airflow(environment, "db", "migrate")
    return environment


@pytest.fixture(scope="module")
def airflow(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where its API answers."""
    port = environment["AIRFLOW__API__PORT"]
    origin, log = f"http://{machine.LOOPBACK}:{port}", tmp_path_factory.mktemp("fab") / "log"
    command = [sys.executable, str(Path(__file__).with_name("fab_server.py")), port]
    with log.open("wb") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(f"{origin}/api/v2/version"):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        yield origin
    finally:
        server.terminate()
        server.wait(30)


def _airflow(environment: dict[str, str], *arguments: str, typed: str = "") -> str:
    said = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def writer(airflow: str, environment: dict[str, str]) -> LoggedIn:
    """Made by the commands of the manual."""
    person = ["--firstname", "Ticket", "--lastname", "Writer", "--email", "ticket-writer@localhost"]
    for arguments, typed in (
        (["variables", "set", TICKET, ""], ""),
        (["variables", "set", OTHER, '["weixin_default"]'], ""),
        (["roles", "create", ROLE], ""),
        (["roles", "add-perms", ROLE, "--action", "can_edit", "--resource", "Variables"], ""),
        (
            ["users", "create", "--role", ROLE, "--username", "ticket-writer", *person],
            f"{PASSWORD}\n" * 2,
        ),
    ):
        _airflow(environment, *arguments, typed=typed)
    return LoggedIn(airflow, "ticket-writer")


def test_the_ticket_is_written_and_shown_to_nobody(
    writer: LoggedIn, environment: dict[str, str]
) -> None:
    """Airflow has it whole; who may read Variables is shown stars."""
    answer = writer.writes(TICKET, "ticket@@@first-push")
    shown = LoggedIn(writer.origin, "admin")("GET", f"api/v2/variables/{TICKET}")
    said = _airflow(environment, "variables", "get", TICKET)

    assert (answer.status_code, answer.json()["value"]) == (200, "***")
    assert (shown.status_code, shown.json()["value"]) == (200, "***")
    assert said.splitlines()[-1] == "ticket@@@first-push"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "api/v2/variables", None),
        ("GET", f"api/v2/variables/{TICKET}", None),
        ("GET", f"api/v2/variables/{OTHER}", None),
        ("POST", "api/v2/variables", {"key": "new", "value": "1"}),
        ("DELETE", f"api/v2/variables/{TICKET}", None),
        ("PATCH", "api/v2/variables", {"actions": [{"action": "delete", "entities": [OTHER]}]}),
        ("GET", "api/v2/connections", None),
        ("GET", "api/v2/connections/weixin_default", None),
        ("POST", "api/v2/connections", {"connection_id": "x", "conn_type": "weixin"}),
        ("POST", "api/v2/connections/test", {"connection_id": "x", "conn_type": "weixin"}),
        ("GET", "api/v2/dags", None),
        ("GET", f"api/v2/dags/{DAG}", None),
        ("PATCH", f"api/v2/dags/{DAG}", {"is_paused": False}),
        ("DELETE", f"api/v2/dags/{DAG}", None),
        ("GET", f"api/v2/dags/{DAG}/dagRuns", None),
        ("POST", f"api/v2/dags/{DAG}/dagRuns", {"logical_date": None}),
        ("GET", "api/v2/pools", None),
        ("GET", "api/v2/config", None),
        ("GET", "api/v2/eventLogs", None),
        ("GET", "auth/fab/v1/users", None),
        ("GET", "weixin/health", None),
    ],
)
def test_nothing_else_is_allowed(writer: LoggedIn, method: str, path: str, body: Any) -> None:
    """Neither looking nor changing."""
    assert writer(method, path, body).status_code == 403


def test_what_the_manual_says_that_fab_cannot_forbid(writer: LoggedIn) -> None:
    """It may change every Variable, and sees those that are not masked when it does."""
    seen = writer.writes(OTHER, "not used", "?update_mask=description").json()["value"]
    hidden = writer.writes(TICKET, "not used", "?update_mask=description").json()["value"]
    changed = writer.writes(OTHER, "[]").status_code

    assert (seen, hidden, changed) == ('["weixin_default"]', "***", 200)
