"""Airflow's REST API, as its documentation tells to use it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

PATIENCE_SECONDS = 900  # until a run has ended; on a busy machine a task takes a minute to begin
REQUEST_SECONDS = 300  # until an answer has come: none of these tests is about how fast


def until(is_so: Callable[[], Any], what: Callable[[], object] = lambda: "") -> Any:
    """Wait for it; what it found. What there is instead is shown when it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := is_so()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.3)
    return found


class Rest:
    """The session of a user."""

    def __init__(self, port: int, password: str, name: str = "admin") -> None:
        self.origin = f"http://localhost:{port}"
        self.headers: dict[str, str] = {}
        login = self.asked("POST", "auth/token", {"username": name, "password": password})
        login.raise_for_status()
        self.headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON; nothing when there is none."""
        answer = self.asked(method, f"api/v2/{path}", body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def asked(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The answer to any call, whatever it says."""
        url, there = f"{self.origin}/{path}", {"headers": self.headers, "allow_redirects": False}
        return requests.request(method, url, json=body, timeout=REQUEST_SECONDS, **there)

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, Any]:
        """A run of the DAG that has come to its end."""
        return self.ended(dag_id, self.trigger(dag_id, conf))

    def trigger(
        self, dag_id: str, conf: dict[str, Any] | None = None, at: datetime | None = None
    ) -> str:
        """Return the id of a new run of the DAG; `at` is its logical date."""
        body = {"logical_date": at and at.isoformat(), "conf": conf or {}}
        return str(self("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def ended(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """The run when it has come to its end."""

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self("GET", f"dags/{dag_id}/dagRuns/{run_id}")
            return None if run["state"] in ("queued", "running") else run

        found: dict[str, Any] = until(ended)
        return found
