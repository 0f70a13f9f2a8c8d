"""A client of Airflow's REST API, used as Airflow's documentation describes it."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

PATIENCE_SECONDS = 900
"""The longest wait for a run's end: on a busy machine a task takes a minute to begin."""
REQUEST_SECONDS = 300
"""The timeout of one request. No test here measures speed."""


def until(condition: Callable[[], Any], diagnosis: Callable[[], object] = lambda: "") -> Any:
    """
    Wait until `condition()` is true and return its value.

    Raises:
        AssertionError: It stays false for `PATIENCE_SECONDS`. `diagnosis()` is the message.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, diagnosis()
        time.sleep(0.3)
    return value


class Rest:
    """A session of a logged-in user."""

    def __init__(self, port: int, password: str, name: str = "admin") -> None:
        self.origin = f"http://localhost:{port}"
        self.headers: dict[str, str] = {}
        login = self.request("POST", "auth/token", {"username": name, "password": password})
        login.raise_for_status()
        self.headers = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def __call__(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the API, which must succeed, and return the JSON of its answer, or None."""
        answer = self.request(method, f"api/v2/{path}", body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def request(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Call any path of the server, and return the answer whatever its status is."""
        url, options = f"{self.origin}/{path}", {"headers": self.headers, "allow_redirects": False}
        return requests.request(method, url, json=body, timeout=REQUEST_SECONDS, **options)

    def run(self, dag_id: str, conf: dict[str, Any] | None = None) -> dict[str, Any]:
        """Trigger a run of the DAG, wait for its end, and return it."""
        return self.ended(dag_id, self.trigger(dag_id, conf))

    def trigger(
        self, dag_id: str, conf: dict[str, Any] | None = None, at: datetime | None = None
    ) -> str:
        """Trigger a run of the DAG with the logical date `at`, and return its id."""
        body = {"logical_date": at and at.isoformat(), "conf": conf or {}}
        return str(self("POST", f"dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def ended(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Wait for the run's end and return the run."""

        def ended_run() -> dict[str, Any] | None:
            run: dict[str, Any] = self("GET", f"dags/{dag_id}/dagRuns/{run_id}")
            return None if run["state"] in ("queued", "running") else run

        result: dict[str, Any] = until(ended_run)
        return result
