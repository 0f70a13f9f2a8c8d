"""The receiver of a platform's tickets: what its user may do in Airflow, and no more."""

import subprocess
import sys
from typing import Any

import pytest
import requests

from .running import DAG, PASSWORD, FabServer, log_in

ROLE = "Ticket writer"
TICKET = "weixin_platform_ticket"
OTHER = "anything_else"


class LoggedIn:
    """Somebody who has logged in to Airflow."""

    def __init__(self, origin: str, name: str) -> None:
        self.origin = origin
        self.headers = log_in(origin, name)

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to a call."""
        url = f"{self.origin}/{path}"
        return requests.request(method, url, json=body, headers=self.headers, timeout=120)

    def writes(self, key: str, value: str, query: str = "") -> requests.Response:
        """The answer to the call of the manual."""
        body = {"key": key, "value": value, "description": "changed"}
        return self("PATCH", f"api/v2/variables/{key}{query}", body)


def airflow(fab: FabServer, *arguments: str, typed: str = "") -> str:
    """Run Airflow's command; what it prints."""
    said = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=fab.environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


@pytest.fixture(scope="module")
def admin(fab: FabServer) -> LoggedIn:
    """Who may do anything, and has made two Variables."""
    admin = LoggedIn(fab.origin(), "admin")
    for key, value in ((TICKET, ""), (OTHER, "can be read")):
        assert admin("POST", "api/v2/variables", {"key": key, "value": value}).ok
    return admin


@pytest.fixture(scope="module")
def writer(admin: LoggedIn, fab: FabServer) -> LoggedIn:
    """Made by the commands of the manual."""
    person = ["--firstname", "Ticket", "--lastname", "Writer", "--email", "ticket-writer@localhost"]
    airflow(fab, "roles", "create", ROLE)
    airflow(fab, "roles", "add-perms", ROLE, "--action", "can_edit", "--resource", "Variables")
    create = ["users", "create", "--role", ROLE, "--username", "ticket-writer", *person]
    airflow(fab, *create, typed=f"{PASSWORD}\n" * 2)
    return LoggedIn(admin.origin, "ticket-writer")


def test_the_ticket_is_written_and_shown_to_nobody(
    writer: LoggedIn, admin: LoggedIn, fab: FabServer
) -> None:
    """Airflow has it whole; who may read Variables is shown stars."""
    answer = writer.writes(TICKET, "ticket@@@first-push")
    shown = admin("GET", f"api/v2/variables/{TICKET}")
    said = airflow(fab, "variables", "get", TICKET)

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
    changed = writer.writes(OTHER, "changed").status_code

    assert (seen, hidden, changed) == ("can be read", "***", 200)
